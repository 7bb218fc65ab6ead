/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_FUZZ_FUZZ_H
#define _TESTS_FUZZ_FUZZ_H

/*
 * What the fuzzers share: the entry point, an input that is read as a stream of
 * choices, and a check that stops with the numbers that differ.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/types.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/*
 * In the programs that run the corpora as tests (tests/fuzz/corpus.c): what else a fuzzer
 * has to show; a fuzzer's own table replaces an empty one. They run before the
 * corpus, in a process in which no input has run yet, and return whether they passed.
 */
struct fuzz_case {
	const char *name;
	bool (*run)(void);
};

extern const struct fuzz_case fuzz_cases[];

/* Every input of the corpus, once. */
void fuzz_run_corpus(void);

#define CHECK(cond, ...)                                                           \
	do {                                                                       \
		if (!(cond)) {                                                     \
			fprintf(stderr, "%s:%d: " #cond ": ", __FILE__, __LINE__); \
			fprintf(stderr, __VA_ARGS__);                              \
			fputc('\n', stderr);                                       \
			abort();                                                   \
		}                                                                  \
	} while (0)

/* Choices left; when they are used up, all are 0. */
struct choices {
	const u8 *data;
	size_t size;
};

static inline u8 take_byte(struct choices *c)
{
	if (!c->size)
		return 0;
	c->size--;
	return *c->data++;
}

static inline u64 take_bytes(struct choices *c, unsigned int n)
{
	u64 val = 0;

	while (n--)
		val = val << 8 | take_byte(c);
	return val;
}

/* A number below @limit, which is at most 256. */
static inline unsigned int take_below(struct choices *c, unsigned int limit)
{
	return take_byte(c) % limit;
}

#endif
