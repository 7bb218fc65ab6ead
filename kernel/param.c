/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel command line. The boot continues whatever the line contains: each word that is
 * not understood causes one line in the log; after MAX_COMPLAINTS lines, only the number of
 * further such words is logged.
 *
 * Compare with: Linux kernel/params.c.
 */
#include "kernel/param.h"
#include "kernel/printk.h"
#include "lib/ctype.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/levenshtein.h"
#include "lib/string.h"

#define MAX_COMPLAINTS 16

static char raw[COMMAND_LINE_SIZE];    /* unchanged */
static char parsed[COMMAND_LINE_SIZE]; /* cut into words; values point in here */
static unsigned int complaints;

extern bool (*const __start_params_unknown[])(const char *name);
extern bool (*const __stop_params_unknown[])(const char *name);

const char *command_line(void)
{
	return raw;
}

static char plain(char c)
{
	return c == '-' ? '_' : c;
}

static bool same_name(const char *a, const char *b)
{
	while (*a != '\0' && plain(*a) == plain(*b)) {
		a++;
		b++;
	}
	return plain(*a) == plain(*b);
}

static const struct param *param_find(const char *name)
{
	const struct param *p;

	for_each_param(p)
		if (same_name(p->name, name))
			return p;
	return NULL;
}

static int set_enum(const struct param *p, const char *value)
{
	for (u32 i = 0; p->words[i] != NULL; i++) {
		if (strcmp(p->words[i], value) != 0)
			continue;
		*(u32 *)p->var = i;
		return 0;
	}
	return -EINVAL;
}

static int set_number(const struct param *p, const char *value)
{
	u64 number;

	if (kstrtou64(value, 0, &number) != 0 ||
	    (p->range != NULL && (number < p->range[0] || number > p->range[1])))
		return -EINVAL;
	*(u64 *)p->var = number;
	return 0;
}

static int set_value(const struct param *p, const char *value)
{
	if (p->type == PARAM_TYPE_BOOL)
		return kstrtobool(value != NULL ? value : "y", p->var);
	if (value == NULL)
		return -EINVAL;
	switch (p->type) {
	case PARAM_TYPE_UINT:
		return set_number(p, value);
	case PARAM_TYPE_SIZE:
		return kstrtosize(value, p->var);
	case PARAM_TYPE_ENUM:
		return set_enum(p, value);
	default:
		*(const char **)p->var = value;
		return 0;
	}
}

int param_set(const char *name, const char *value)
{
	const struct param *p = param_find(name);

	if (p == NULL)
		return -ENOENT;
	return set_value(p, value) == 0 ? 0 : -EINVAL;
}

static const char *const type_words[] = {
	[PARAM_TYPE_BOOL] = "y or n",
	[PARAM_TYPE_UINT] = "a number",
	[PARAM_TYPE_STRING] = "a text",
	[PARAM_TYPE_SIZE] = "a size such as 512M",
	[PARAM_TYPE_ENUM] = "one of:",
};

/* Print the form of @p's values, for the user. */
static void print_type(const struct param *p, struct sink *out)
{
	sink_puts(out, type_words[p->type]);
	if (p->type == PARAM_TYPE_UINT && p->range != NULL)
		sink_printf(out, " from %llu to %llu", (unsigned long long)p->range[0],
			    (unsigned long long)p->range[1]);
	if (p->type != PARAM_TYPE_ENUM)
		return;
	for (u32 i = 0; p->words[i] != NULL; i++)
		sink_printf(out, " %s", p->words[i]);
}

/* Replace bytes that would upset a terminal by "?". */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (!isprint(*text))
			*text = '?';
}

static void complain_value(const char *name, const char *value)
{
	DEFINE_SINK_BUFFER(want, 128);

	print_type(param_find(name), &want.sink);
	if (value != NULL)
		pr_warn("command line: %s: \"%.64s\" is not valid, expected %s", name,
			value, want.text);
	else
		pr_warn("command line: %s: no value, expected %s", name, want.text);
}

static void complain_name(const char *name)
{
	const struct param *p;
	struct nearest near;

	nearest_start(&near, name);
	for_each_param(p)
		nearest_offer(&near, p->name);
	if (near.word != NULL)
		pr_warn("command line: unknown parameter \"%.64s\"; did you mean \"%s\"?",
			name, near.word);
	else
		pr_warn("command line: unknown parameter \"%.64s\"", name);
}

/* Check whether a word before @name in the parsed line has the same name. */
static bool named_before(const char *name)
{
	const char *word = parsed;

	while (word < name) {
		if (same_name(word, name))
			return true;
		word += strlen(word) + 1;
	}
	return false;
}

/*
 * End the word at @text with a NUL, and remove its quotes. Return: the place where the next
 * word may start.
 */
static char *cut_word(char *text)
{
	char *out = text, *next;
	bool quoted = false;

	for (; *text != '\0' && (quoted || (u8)*text > ' '); text++) {
		if (*text == '"')
			quoted = !quoted;
		else
			*out++ = *text;
	}
	next = *text != '\0' ? text + 1 : text;
	while (out < next)
		*out++ = '\0';
	return next;
}

/* Check whether a PARAM_UNKNOWN() function knows @name. */
static bool answered_elsewhere(const char *name)
{
	bool (*const *ask)(const char *name);

	for (ask = __start_params_unknown; ask < __stop_params_unknown; ask++)
		if ((*ask)(name))
			return true;
	return false;
}

static void parse_word(char *word)
{
	char *value = strchr(word, '=');
	int err;

	if (value != NULL)
		*value++ = '\0';
	err = param_set(word, value);
	if (err == 0)
		return;
	make_printable(word);
	if (value != NULL)
		make_printable(value);
	if (err == -ENOENT && (named_before(word) || answered_elsewhere(word)))
		return;
	if (++complaints > MAX_COMPLAINTS)
		return;
	if (err == -ENOENT)
		complain_name(word);
	else
		complain_value(word, value);
}

/*
 * Return the length of the whole words: the kernel must not obey half a word or half a quote.
 */
static size_t whole_words(const char *cmdline, size_t len)
{
	bool quoted = false;
	size_t whole = 0;

	for (size_t i = 0; i < len; i++) {
		if (cmdline[i] == '"')
			quoted = !quoted;
		if (!quoted && (u8)cmdline[i] <= ' ')
			whole = i;
	}
	return whole;
}

static void keep(const char *cmdline)
{
	size_t len = strnlen(cmdline, COMMAND_LINE_SIZE);

	if (len == COMMAND_LINE_SIZE) {
		len = whole_words(cmdline, len);
		pr_warn("command line: longer than %d bytes: everything after byte %lu is ignored",
			COMMAND_LINE_SIZE - 1, len);
	}
	memcpy(raw, cmdline, len);
	raw[len] = '\0';
	memcpy(parsed, raw, len + 1);
}

void params_parse(const char *cmdline)
{
	char *text = parsed;

	keep(cmdline);
	complaints = 0;
	while (*text != '\0') {
		char *word = text;

		if ((u8)*text <= ' ') {
			*text++ = '\0';
			continue;
		}
		text = cut_word(text);
		if (strcmp(word, "--") == 0)
			break;
		parse_word(word);
	}
	if (complaints > MAX_COMPLAINTS)
		pr_warn("command line: %u more words were not understood",
			complaints - MAX_COMPLAINTS);
}

unsigned int params_help(const char *name, struct sink *out)
{
	const struct param *p;
	unsigned int nr = 0;

	for_each_param(p) {
		if (name && !same_name(p->name, name))
			continue;
		sink_printf(out, "%-36s %s (", p->name, p->help);
		print_type(p, out);
		sink_puts(out, ")\n");
		nr++;
	}
	return nr;
}
