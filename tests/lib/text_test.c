/* SPDX-License-Identifier: BSD-2-Clause */
/* Small functions on text: argv, glob, nearest word, base64, character classes. */
#include "kernel/ktest.h"
#include "lib/argv.h"
#include "lib/base64.h"
#include "lib/ctype.h"
#include "lib/errno.h"
#include "lib/glob.h"
#include "lib/levenshtein.h"
#include "lib/string.h"

struct line {
	const char *text;
	int argc; /* or the error */
	const char *argv[4];
};

static const struct line lines[] = {
	{ "", 0, {} },
	{ "  \t ", 0, {} },
	{ "alloc 3 movable", 3, { "alloc", "3", "movable" } },
	{ " a\tb ", 2, { "a", "b" } },
	{ "a\\ b", 1, { "a b" } },
	{ "'a b' \"c d\"", 2, { "a b", "c d" } },
	{ "x'y z'\"w\"v", 1, { "xy zwv" } },
	{ "'' \"\" x", 3, { "", "", "x" } },
	{ "'a\\b'", 1, { "a\\b" } },
	{ "\"a\\b\\\"\\\\\"", 1, { "a\\b\"\\" } },
	{ "a#b #c d", 1, { "a#b" } },
	{ "\\#", 1, { "#" } },
	{ "'a", -EINVAL, {} },
	{ "a \"b", -EINVAL, {} },
	{ "\"a\\", -EINVAL, {} },
	{ "a\\", -EINVAL, {} },
	{ "a b c d", -E2BIG, {} },
};

static void name_line(const struct line *l, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, *l->text ? l->text : "(empty)", KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(line, lines, name_line);

static void split(struct ktest *test)
{
	const struct line *l = test->param_value;
	const char *why = NULL;
	char buf[32], *argv[4];

	strscpy(buf, l->text, sizeof(buf));
	KTEST_ASSERT_EQ(test, argv_split(buf, argv, 4, &why), l->argc);
	for (int i = 0; i < l->argc; i++)
		KTEST_EXPECT_STREQ(test, argv[i], l->argv[i]);
	KTEST_EXPECT_NULL(test, argv[l->argc > 0 ? l->argc : 0]);
	KTEST_EXPECT_EQ(test, why != NULL, l->argc < 0);
}

struct match {
	const char *pat, *str;
	bool yes;
};

static const struct match matches[] = {
	{ "", "", true },
	{ "", "a", false },
	{ "*", "", true },
	{ "*", "anything.", true },
	{ "a*c", "abbbc", true },
	{ "a*c", "abbbd", false },
	{ "*ab*ab", "abxab", true },
	{ "*ab*ab", "ab", false },
	{ "?", "", false },
	{ "?", "x", true },
	{ "page_*.*", "page_alloc.split", true },
	{ "[a-c]x", "bx", true },
	{ "[a-c]x", "dx", false },
	{ "[!a-c]x", "dx", true },
	{ "[!a-c]x", "ax", false },
	{ "[]]", "]", true },
	{ "[a-]", "-", true },
	{ "[-a]", "-", true },
	{ "[", "[", true },
	{ "[a", "[a", true },
	{ "\\*", "*", true },
	{ "\\*", "a", false },
	{ "a\\", "a\\", true },
	{ "*a*b*c*", "xaxxbxc", true },
	{ "*[0-9]", "mm12", true },
	{ "**", "x", true },
};

static void name_match(const struct match *m, char desc[KTEST_DESC_SIZE])
{
	size_t n;

	strscpy(desc, m->pat, KTEST_DESC_SIZE);
	n = strlen(desc);
	desc[n++] = ' ';
	strscpy(desc + n, m->str, KTEST_DESC_SIZE - n);
}

KTEST_ARRAY_PARAM(match, matches, name_match);

static void glob(struct ktest *test)
{
	const struct match *m = test->param_value;

	KTEST_EXPECT_EQ(test, glob_match(m->pat, m->str), m->yes);
}

/* Patterns for which a naive matcher takes forever. */
static void glob_is_quick(struct ktest *test)
{
	char str[200];

	memset(str, 'a', sizeof(str));
	str[sizeof(str) - 1] = '\0';
	KTEST_EXPECT_FALSE(test, glob_match("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", str));
}

static void edits(struct ktest *test)
{
	char wide[LEVENSHTEIN_MAX + 2];

	KTEST_EXPECT_EQ(test, levenshtein("", ""), 0);
	KTEST_EXPECT_EQ(test, levenshtein("", "abc"), 3);
	KTEST_EXPECT_EQ(test, levenshtein("kitten", "sitting"), 3);
	KTEST_EXPECT_EQ(test, levenshtein("sitting", "kitten"), 3);
	KTEST_EXPECT_EQ(test, levenshtein("flaw", "lawn"), 2);
	KTEST_EXPECT_EQ(test, levenshtein("ehco", "echo"), 1);
	KTEST_EXPECT_EQ(test, levenshtein("badc", "abcd"), 2);
	KTEST_EXPECT_EQ(test, levenshtein("ca", "abc"), 3); /* no edit inside a swap */
	memset(wide, 'x', sizeof(wide));
	wide[LEVENSHTEIN_MAX] = '\0';
	KTEST_EXPECT_EQ(test, levenshtein(wide, ""), LEVENSHTEIN_MAX);
	KTEST_EXPECT_EQ(test, levenshtein(wide, wide), 0);
	wide[LEVENSHTEIN_MAX] = 'x';
	wide[LEVENSHTEIN_MAX + 1] = '\0';
	KTEST_EXPECT_EQ(test, levenshtein(wide, "x"), UINT_MAX);
	KTEST_EXPECT_EQ(test, levenshtein("x", wide), UINT_MAX);
}

static const char *nearest(const char *given)
{
	static const char *const known[] = { "mem", "loglevel", "memhp_default_state",
					     "page_poison" };
	struct nearest n;

	nearest_start(&n, given);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		nearest_offer(&n, known[i]);
	return n.word;
}

static void nearest_word(struct ktest *test)
{
	KTEST_EXPECT_STREQ(test, nearest("logleve"), "loglevel");
	KTEST_EXPECT_STREQ(test, nearest("memhp_defaultstate"), "memhp_default_state");
	KTEST_EXPECT_STREQ(test, nearest("men"), "mem");
	KTEST_EXPECT_STREQ(test, nearest("mem"), "mem");
	KTEST_EXPECT_STREQ(test, nearest("me"), "mem");
	KTEST_EXPECT_NULL(test, nearest("root"));
	KTEST_EXPECT_NULL(test, nearest(""));
}

static void base64(struct ktest *test)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xef\xbe", "/+++" },
	};
	char out[16];

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		size_t n = strlen(pairs[i][0]);

		KTEST_EXPECT_EQ(test, base64_encode(out, pairs[i][0], n),
				BASE64_CHARS(n));
		KTEST_EXPECT_STREQ(test, out, pairs[i][1]);
	}
}

static void classes(struct ktest *test)
{
	for (int c = -128; c < 256; c++) {
		bool upper = c >= 'A' && c <= 'Z';

		KTEST_EXPECT_EQ(test, isprint(c), c >= ' ' && c <= '~');
		KTEST_EXPECT_EQ(test, isspace(c),
				c > 0 && strchr(" \t\n\v\f\r", c) != NULL);
		KTEST_EXPECT_EQ(test, isxdigit(c),
				c > 0 && strchr("0123456789abcdefABCDEF", c) != NULL);
		KTEST_EXPECT_EQ(test, tolower(c), upper ? c | 0x20 : c);
	}
}

static const struct ktest_case text_cases[] = { KTEST_CASE_PARAM(split, line_gen_params),
						KTEST_CASE_PARAM(glob, match_gen_params),
						KTEST_CASE(glob_is_quick),
						KTEST_CASE(edits),
						KTEST_CASE(nearest_word),
						KTEST_CASE(base64),
						KTEST_CASE(classes),
						{} };
static struct ktest_suite text_suite = { .name = "text", .cases = text_cases };
KTEST_SUITE(text_suite);
