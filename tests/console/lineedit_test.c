/* SPDX-License-Identifier: BSD-2-Clause */
/* The line editor: the line, and the terminal's text, for given keys. */
#include "kernel/ktest.h"
#include "kernel/console/lineedit.h"
#include "lib/string.h"

static struct lineedit ed;
static struct sink_buffer screen;
static char text[4096];

static void words(const char *line, size_t word, word_offer_fn offer, void *e)
{
	(void)line;
	(void)word;
	offer(e, "alloc");
	offer(e, "all");
	offer(e, "lsmem");
	offer(e, "/proc/");
}

static int start(struct ktest *test)
{
	(void)test;
	sink_buffer_init(&screen, text, sizeof(text));
	lineedit_init(&ed, "> ", &screen.sink, words);
	lineedit_start(&ed);
	return 0;
}

static enum lineedit_event type(const char *keys)
{
	enum lineedit_event event = LINE_MORE;

	while (*keys)
		event = lineedit_feed(&ed, (u8)*keys++);
	return event;
}

static void plain_line(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, type("lsmem\r"), LINE_READY);
	KTEST_EXPECT_STREQ(test, ed.line, "lsmem");
	KTEST_EXPECT_STREQ(test, text, "> lsmem\n");
}

static void crlf_is_one_line(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, type("a\r"), LINE_READY);
	lineedit_start(&ed);
	KTEST_EXPECT_EQ(test, type("\n"), LINE_MORE);
	KTEST_EXPECT_EQ(test, type("\n"), LINE_READY);
}

static void editing_keys(struct ktest *test)
{
	static const struct {
		const char *keys, *line;
	} rows[] = {
		{ "abc\033[D\033[DX\r", "aXbc" },   { "abc\001X\005Y\r", "XabcY" },
		{ "abc\177\177d\r", "ad" },	    { "one two\027three\r", "one three" },
		{ "abc\025x\r", "x" },		    { "abc\002\002\013\r", "a" },
		{ "abc\033[H\033[3~\r", "bc" },	    { "abc\033OHx\033OFy\r", "xabcy" },
		{ "ab\033[99~c\r", "abc" },	    { "\033[D\033[C\177\004x\r", "x" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		lineedit_start(&ed);
		KTEST_EXPECT_EQ(test, type(rows[i].keys), LINE_READY);
		KTEST_EXPECT_STREQ(test, ed.line, rows[i].line);
	}
}

static void history(struct ktest *test)
{
	type("one\r");
	lineedit_start(&ed);
	type("two\r");
	lineedit_start(&ed);
	type("two\r");
	lineedit_start(&ed);
	type("half\033[A\033[A");
	KTEST_EXPECT_STREQ(test, ed.line, "one");
	type("\033[B");
	KTEST_EXPECT_STREQ(test, ed.line, "two");
	type("\033[B");
	KTEST_EXPECT_STREQ(test, ed.line, "half");
}

static void history_wraps(struct ktest *test)
{
	char key[2] = "a";

	for (unsigned int i = 0; i < LINE_HISTORY + 4; i++) {
		key[0] = (char)('a' + i);
		type(key);
		type("\r");
		lineedit_start(&ed);
	}
	for (unsigned int i = 0; i < LINE_HISTORY + 4; i++)
		type("\033[A");
	KTEST_EXPECT_STREQ(test, ed.line, "e");
}

static void completion(struct ktest *test)
{
	type("ls\t");
	KTEST_EXPECT_STREQ(test, ed.line, "lsmem ");
	type("\025al\t");
	KTEST_EXPECT_STREQ(test, ed.line, "all");
	type("\t");
	KTEST_EXPECT_TRUE(test, strstr(text, "alloc  all  ") != NULL);
	type("\025/p\t");
	KTEST_EXPECT_STREQ(test, ed.line, "/proc/");
	type("\025zz\t");
	KTEST_EXPECT_STREQ(test, ed.line, "zz");
}

/* Each row of matches begins at the left edge; matches that do not fit go to the next row. */
static void matches_fill_the_width(struct ktest *test)
{
	type("\033[8;24;12tal\t\t\t");
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "\nalloc  all  \n"));
	type("\033[8;24;11t\t");
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "\nalloc  \nall  \n"));
}

/* A message came between two keys: lineedit_redraw() draws the whole line below it. */
static void drawn_without_being_hidden(struct ktest *test)
{
	type("abc");
	lineedit_redraw(&ed);
	KTEST_EXPECT_STREQ(test, text, "> abc> abc");
}

/* A word that is completed in front of a blank gets no second blank. */
static void completion_in_the_middle(struct ktest *test)
{
	type("ls x\033[D\033[D\t");
	KTEST_EXPECT_STREQ(test, ed.line, "lsmem x");
}

/* On a terminal that reports a width of 0, lines do not wrap. */
static void width_of_zero(struct ktest *test)
{
	type("\033[8;0;0tabc");
	KTEST_EXPECT_STREQ(test, ed.line, "abc");
	KTEST_EXPECT_EQ(test, ed.columns, LINE_NO_WRAP);
}

static void too_long(struct ktest *test)
{
	for (unsigned int i = 0; i < LINE_MAX_BYTES + 10; i++)
		type("x");
	KTEST_EXPECT_EQ(test, ed.len, (size_t)LINE_MAX_BYTES - 1);
	KTEST_EXPECT_EQ(test, strlen(ed.line), (size_t)LINE_MAX_BYTES - 1);
}

static void cancel_and_end(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, type("abc\003"), LINE_CANCELLED);
	lineedit_start(&ed);
	KTEST_EXPECT_EQ(test, type("\004"), LINE_END);
}

static void any_bytes(struct ktest *test)
{
	for (unsigned int i = 0; i < 20000; i++) {
		u8 byte = (u8)prng_u64(&test->prng);

		if (lineedit_feed(&ed, byte) != LINE_MORE)
			lineedit_start(&ed);
		KTEST_ASSERT_TRUE(test, ed.len < LINE_MAX_BYTES && ed.cursor <= ed.len);
		KTEST_ASSERT_EQ(test, strlen(ed.line), ed.len);
	}
}

static const struct ktest_case cases[] = {
	KTEST_CASE(plain_line),	  KTEST_CASE(crlf_is_one_line), KTEST_CASE(editing_keys),
	KTEST_CASE(history),	  KTEST_CASE(history_wraps),	KTEST_CASE(completion),
	KTEST_CASE(matches_fill_the_width),
	KTEST_CASE(drawn_without_being_hidden),
	KTEST_CASE(completion_in_the_middle),
	KTEST_CASE(width_of_zero),
	KTEST_CASE(too_long),	  KTEST_CASE(cancel_and_end),	KTEST_CASE(any_bytes),
	{},
};

static struct ktest_suite suite = { .name = "lineedit", .init = start, .cases = cases };
KTEST_SUITE(suite);
