/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Splitting a line into words in place: quotes and backslashes are removed, so the writer
 * never overtakes the reader.
 */
#include "lib/argv.h"
#include "lib/ctype.h"
#include "lib/errno.h"

/* Copy the inside of a quoted part; @*in is at the opening quote. */
static const char *take_quoted(const char **in, char **out)
{
	const char *s = *in;
	char quote = *s++;

	for (; *s != quote; s++) {
		if (quote == '"' && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		if (!*s)
			return quote == '"' ? "a \" is not closed" : "a ' is not closed";
		*(*out)++ = *s;
	}
	*in = s + 1;
	return NULL;
}

/* Copy one word, and move both cursors. Return: the error in words, or NULL. */
static const char *take_word(const char **in, char **out)
{
	while (**in && !isspace(**in)) {
		const char *wrong;

		if (**in == '"' || **in == '\'') {
			wrong = take_quoted(in, out);
			if (wrong)
				return wrong;
			continue;
		}
		if (**in == '\\' && !*++*in)
			return "the line ends with a \\";
		*(*out)++ = *(*in)++;
	}
	return NULL;
}

int argv_split(char *line, char **argv, unsigned int max, const char **why)
{
	const char *in = line;
	const char *wrong = NULL;
	char *out = line;
	unsigned int argc = 0;

	for (;;) {
		bool last;

		while (isspace(*in))
			in++;
		if (!*in || *in == '#')
			break;
		if (argc + 1 >= max) {
			wrong = "too many words";
			break;
		}
		argv[argc] = out;
		wrong = take_word(&in, &out);
		if (wrong)
			break;
		argc++;
		last = !*in; /* read it before the terminator below overwrites it */
		*out++ = '\0';
		if (last)
			break;
		in++;
	}
	argv[wrong ? 0 : argc] = NULL;
	if (wrong && why)
		*why = wrong;
	if (wrong)
		return argc + 1 >= max ? -E2BIG : -EINVAL;
	return (int)argc;
}
