/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a line of text: splits it, looks up the commands, and names the nearest match for a
 * mistyped word. Any number of threads may run lines at the same time, with any sinks.
 */
#include "kernel/sched.h"
#include "kernel/console/shell.h"
#include "kernel/console/test_image.h"
#include "lib/argv.h"
#include "lib/errno.h"
#include "lib/levenshtein.h"
#include "lib/string.h"

#define SHELL_MAX_ARGS 32

void console_can_interrupt(struct interrupter *i)
{
	current_thread()->interrupter = i;
}

bool command_interrupted(void *)
{
	struct interrupter *i = current_thread()->interrupter;

	return i && i->asked(i);
}

const struct command *command_find(const char *name)
{
	const struct command *c;

	for_each_command(c)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static int unknown_command(const char *name, struct sink *out)
{
	const struct command *c;
	struct nearest n;

	if (test_image_command(name, out))
		return -ENOSYS;
	nearest_start(&n, name);
	for_each_command(c)
		nearest_offer(&n, c->name);
	if (n.word)
		sink_printf(out, "%s: no such command; did you mean \"%s\"?\n", name, n.word);
	else
		sink_printf(out, "%s: no such command; \"help\" lists them\n", name);
	return -ENOSYS;
}

static int run_one(char *text, struct sink *out)
{
	const struct command *c;
	char *argv[SHELL_MAX_ARGS];
	const char *why;
	int argc, err;

	argc = argv_split(text, argv, ARRAY_SIZE(argv), &why);
	if (argc < 0) {
		sink_printf(out, "not understood: %s\n", why);
		return argc;
	}
	if (argc == 0)
		return 0;
	c = command_find(argv[0]);
	if (!c)
		return unknown_command(argv[0], out);
	err = c->fn(argc, argv, out);
	if (err != COMMAND_USAGE)
		return err;
	sink_printf(out, "usage: %s\n", c->usage);
	return -EINVAL;
}

/* Find the first ';' of @text that is not quoted or after a backslash, or the end of @text. */
static char *command_end(char *text)
{
	char quote = 0;

	for (; *text; text++) {
		if (*text == '\\' && quote != '\'' && text[1])
			text++;
		else if (quote)
			quote = *text == quote ? 0 : quote;
		else if (*text == '"' || *text == '\'')
			quote = *text;
		else if (*text == ';')
			break;
	}
	return text;
}

int console_run_line(const char *line, struct sink *out)
{
	char copy[SHELL_LINE_BYTES];
	char *text = copy;
	int status = 0;

	if (strscpy(copy, line, sizeof(copy)) < 0) {
		sink_printf(out, "line too long: %d bytes at most\n", SHELL_LINE_BYTES - 1);
		return -E2BIG;
	}
	while (*text) {
		char *end = command_end(text);
		bool more = *end == ';';

		*end = '\0';
		status = run_one(text, out);
		text = end + more;
		if (more && command_interrupted(NULL))
			return -EINTR;
	}
	return status;
}
