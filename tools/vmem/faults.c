/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * List of faults to inject. See faults.h.
 */
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "options.h"

#define MAX_FAULTS 32
/* The longest delay, so that no test waits forever. */
#define MAX_DELAY_MS	 600000
#define DEFAULT_DELAY_MS 1000
#define MAX_REQUESTS	 1000000000 /* so that sums fit 64 bits */

static struct fault faults[MAX_FAULTS];
static u32 nr_faults;

static const char *const words[NR_FAULTS] = {
#define X(name, word, what) word,
	FAULTS(X)
#undef X
};

/**
 * faults_kind() - find the fault that a word names
 * @word: e.g. "busy"
 *
 * Return: its kind, or FAULT_NONE.
 */
enum fault_kind faults_kind(const char *word)
{
	u32 kind = 0;

	while (kind < NR_FAULTS && strcmp(word, words[kind]))
		kind++;
	return (enum fault_kind)kind;
}

/**
 * faults_word() - get the word that names a fault
 * @kind: less than NR_FAULTS
 */
const char *faults_word(enum fault_kind kind)
{
	return words[kind];
}

/**
 * faults_add() - queue a fault
 * @fault: a copy is kept; a delay of zero becomes a second
 *
 * Each queued fault counts the requests for itself; the first fault that is due hits.
 *
 * Return: NULL, or what is wrong.
 */
const char *faults_add(const struct fault *fault)
{
	struct fault *slot;

	if (fault->kind >= FAULT_SPURIOUS)
		return "this kind of fault cannot be queued";
	if (fault->ms > MAX_DELAY_MS)
		return "ms must be at most 600000";
	if (fault->count > MAX_REQUESTS || fault->skip > MAX_REQUESTS)
		return "count and skip must be at most 1000000000";
	if (nr_faults == MAX_FAULTS)
		return "32 faults are queued already";
	if (!fault->count)
		return NULL;
	slot = &faults[nr_faults++];
	*slot = *fault;
	if (!slot->ms)
		slot->ms = DEFAULT_DELAY_MS;
	return NULL;
}

static bool parse_option(struct fault *fault, char *option)
{
	char *value = strchr(option, '=');
	u64 number;

	if (!value)
		return false;
	*value++ = '\0';
	if (!parse_number(value, UINT64_MAX, &number))
		return false;
	if (!strcmp(option, "count"))
		fault->count = number;
	else if (!strcmp(option, "skip"))
		fault->skip = number;
	else if (!strcmp(option, "ms"))
		fault->ms = number;
	else
		return false;
	return true;
}

/* Queue one KIND[:option=number]... */
static const char *parse_one(char *text)
{
	struct fault fault = {.count = 1};
	char *save = NULL, *part = strtok_r(text, ":", &save);

	fault.kind = part ? faults_kind(part) : FAULT_NONE;
	if (fault.kind == FAULT_NONE)
		return "unknown kind of fault; expected one of: busy nack error delay "
		       "drop "
		       "garbage short bad-id";
	while ((part = strtok_r(NULL, ":", &save))) {
		if (!parse_option(&fault, part))
			return "unknown option; expected count=N, skip=N or ms=N";
	}
	return faults_add(&fault);
}

/**
 * faults_parse() - queue the faults of a command line option
 * @spec: KIND[:count=N][:skip=N][:ms=N][,KIND...]
 *
 * Return: NULL, or what is wrong.
 */
const char *faults_parse(const char *spec)
{
	char *copy = strdup(spec), *save = NULL;
	const char *error = copy ? NULL : "out of memory";

	for (char *part = copy ? strtok_r(copy, ",", &save) : NULL; part && !error;
	     part = strtok_r(NULL, ",", &save))
		error = parse_one(part);
	free(copy);
	return error;
}

/**
 * faults_next() - find the fault that hits the next request; call it once for each request
 *
 * Return: the fault; its kind is FAULT_NONE if none hits the request.
 */
struct fault faults_next(void)
{
	for (u32 i = 0; i < nr_faults; i++) {
		struct fault hit = faults[i];

		if (hit.skip) {
			faults[i].skip--;
			continue;
		}
		if (!--faults[i].count) {
			nr_faults--;
			memmove(&faults[i], &faults[i + 1],
				(nr_faults - i) * sizeof(*faults));
		}
		return hit;
	}
	return (struct fault){.kind = FAULT_NONE};
}

/**
 * faults_clear() - forget all queued faults
 */
void faults_clear(void)
{
	nr_faults = 0;
}

/**
 * faults_pending() - count the requests that the queued faults will still hit
 */
u64 faults_pending(void)
{
	u64 sum = 0;

	for (u32 i = 0; i < nr_faults; i++)
		sum += faults[i].count;
	return sum;
}
