/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Splits a line with lib/argv.c, in a buffer of exactly its size; the words, quoted and
 * joined in two ways, must split into the same words again. Also matches the same bytes,
 * as pattern and text, with lib/glob.c, and compares the result with the C library's
 * fnmatch().
 */
#include "tests/fuzz/fuzz.h"
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "lib/argv.h"
#include "lib/glob.h"

#define MAX_WORDS 16

/* Append @word, quoted so that it means itself: 'it'\''s' or "it's". */
static char *quote(char *p, const char *word, bool twice)
{
	*p++ = twice ? '"' : '\'';
	for (; *word; word++) {
		if (twice && (*word == '"' || *word == '\\'))
			*p++ = '\\';
		if (!twice && *word == '\'')
			p = stpcpy(p, "'\\'");
		*p++ = *word;
	}
	*p++ = twice ? '"' : '\'';
	return p;
}

static void check_quoted(int argc, char **argv, bool twice, size_t size)
{
	char *line = malloc(size * 4 + MAX_WORDS * 4);
	char *again[MAX_WORDS];
	char *p = line;
	int n;

	for (int i = 0; i < argc; i++) {
		p = quote(p, argv[i], twice);
		*p++ = i % 2 ? '\t' : ' ';
	}
	*p = '\0';
	n = argv_split(line, again, MAX_WORDS, NULL);
	CHECK(n == argc, "%d words became %d", argc, n);
	for (int i = 0; i < argc; i++)
		CHECK(strcmp(argv[i], again[i]) == 0, "'%s' became '%s'", argv[i],
		      again[i]);
	CHECK(!again[argc], "no NULL behind the last word");
	free(line);
}

/* fnmatch() knows escapes and class names inside [], and ^ for !; ebb does not. */
static bool fnmatch_differs(const char *pat)
{
	size_t n = strlen(pat);

	if (n && pat[n - 1] == '\\')
		return true;
	return strchr(pat, '[') && strpbrk(pat, "\\^:=.");
}

static bool reversed_range(const char *pat)
{
	for (; *pat; pat++)
		if (pat[1] == '-' && (u8)pat[2] < (u8)pat[0])
			return true;
	return false;
}

static void check_glob(const char *text)
{
	const char *bar = strchr(text, '|');
	char *pat;
	bool ours;

	if (!bar)
		return;
	pat = strndup(text, (size_t)(bar - text));
	ours = glob_match(pat, bar + 1);
	if (!fnmatch_differs(pat) && !reversed_range(pat))
		CHECK(ours == (fnmatch(pat, bar + 1, 0) == 0), "'%s' '%s'", pat, bar + 1);
	free(pat);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *argv[MAX_WORDS];
	const char *why = NULL;
	char *line = malloc(size + 1);
	unsigned int max;
	int n;

	memcpy(line, data, size);
	line[size] = '\0';
	max = size ? 1 + data[0] % MAX_WORDS : 1;
	check_glob(line);
	n = argv_split(line, argv, max, &why);
	if (n < 0) {
		CHECK(why && !argv[0], "%d without a reason", n);
		CHECK(n == -EINVAL || n == -E2BIG, "%d", n);
	} else {
		CHECK((unsigned int)n < max && !argv[n] && !why, "%d words", n);
		check_quoted(n, argv, false, size);
		check_quoted(n, argv, true, size);
	}
	free(line);
	return 0;
}
