/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line editor on a terminal: after each key, a model of a VT100 must show the prompt
 * and the line, wrapped, with the cursor in its place.
 */
#include "kernel/console/lineedit.h"
#include "kernel/ktest.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

#define LINES	 24
#define MAX_COLS 80

/**
 * struct screen - the terminal
 * @cols: its width
 * @row, @col: the cursor
 * @full: a character stands in the last column; the next one wraps first
 * @number: the control sequence's parameter so far; -1: no sequence, -2: after ESC
 */
struct screen {
	struct sink sink;
	unsigned int cols, row, col;
	bool full;
	int number;
	char cell[LINES * MAX_COLS]; /* row after row */
};

static struct screen screen;
static struct lineedit ed;

static void new_row(struct screen *s)
{
	s->full = false;
	s->col = 0;
	if (++s->row < LINES)
		return;
	s->row = LINES - 1;
	memmove(s->cell, s->cell + MAX_COLS, sizeof(s->cell) - MAX_COLS);
	memset(s->cell + sizeof(s->cell) - MAX_COLS, ' ', MAX_COLS);
}

static void sequence(struct screen *s, char final, unsigned int n)
{
	s->full = false;
	if (final == 'A')
		s->row -= min(n, s->row);
	else if (final == 'B')
		s->row = min(s->row + n, LINES - 1U);
	else if (final == 'C')
		s->col = min(s->col + n, s->cols - 1);
	else if (final == 'J')
		for (unsigned int at = s->row * MAX_COLS + s->col; at < sizeof(s->cell); at++)
			s->cell[at] = ' ';
}

static void print(struct screen *s, char c)
{
	if (s->full)
		new_row(s);
	s->cell[s->row * MAX_COLS + s->col] = c;
	s->full = s->col == s->cols - 1;
	s->col += !s->full;
}

static void screen_byte(struct screen *s, char c)
{
	if (s->number == -2) {
		s->number = 0; /* the '[' */
	} else if (s->number >= 0 && c >= '0' && c <= '9') {
		s->number = s->number * 10 + (c - '0');
	} else if (s->number >= 0) {
		sequence(s, c, s->number);
		s->number = -1;
	} else if (c == '\033') {
		s->number = -2;
	} else if (c == '\n') {
		new_row(s);
	} else if (c == '\r') {
		s->col = 0;
		s->full = false;
	} else if (c != '\a') {
		print(s, c);
	}
}

static void screen_write(struct sink *sink, const char *text, size_t len)
{
	struct screen *s = container_of(sink, struct screen, sink);

	for (size_t i = 0; i < len; i++)
		screen_byte(s, text[i]);
}

static void words(const char *line, size_t word, word_offer_fn offer, void *e)
{
	static const char *const some[] = { "alloc", "all", "a-word-of-thirty-letters-and-more",
					    "another-word-of-thirty-letters" };

	(void)line;
	(void)word;
	for (unsigned int i = 0; i < ARRAY_SIZE(some); i++)
		offer(e, some[i]);
}

static void type(const char *keys)
{
	while (*keys)
		if (lineedit_feed(&ed, (u8)*keys++) != LINE_MORE)
			lineedit_start(&ed);
}

static void open_terminal(unsigned int cols)
{
	char size[24];

	screen = (struct screen){ .sink.write = screen_write, .cols = cols, .number = -1 };
	memset(screen.cell, ' ', sizeof(screen.cell));
	lineedit_init(&ed, "ebb> ", &screen.sink, words);
	lineedit_start(&ed);
	snprintf(size, sizeof(size), "\033[8;%u;%ut", LINES, cols);
	type(size);
}

/* Expect the prompt, the line, nothing after them, and the cursor where the next key acts. */
static void expect_seen(struct ktest *test)
{
	const size_t prompt = strlen(ed.prompt), cursor = prompt + ed.cursor;
	const size_t start = (screen.row - cursor / screen.cols) * MAX_COLS;

	KTEST_ASSERT_FALSE(test, screen.full);
	KTEST_ASSERT_EQ(test, screen.col, cursor % screen.cols);
	for (size_t i = 0; start + i / screen.cols * MAX_COLS < sizeof(screen.cell); i++) {
		const size_t at = start + i / screen.cols * MAX_COLS + i % screen.cols;
		const char want = i < prompt		   ? ed.prompt[i]
				  : i < prompt + ed.len ? ed.line[i - prompt]
							   : ' ';

		KTEST_ASSERT_EQ(test, screen.cell[at], want);
	}
}

static void wraps_at_the_width(struct ktest *test)
{
	open_terminal(40);
	for (unsigned int i = 0; i < 120; i++) {
		type("x");
		expect_seen(test);
	}
	KTEST_EXPECT_EQ(test, screen.row, 125 / 40);
	/* Go to the start and insert there; go to the end; delete the whole line. */
	type("\001y");
	expect_seen(test);
	KTEST_EXPECT_EQ(test, screen.row, 0);
	type("\005\025");
	expect_seen(test);
	KTEST_EXPECT_EQ(test, screen.row, 0);
}

/* After Enter in the middle of a line, the whole line stays, and the next text is below it. */
static void enter_in_the_middle(struct ktest *test)
{
	open_terminal(20);
	type("this line has forty letters, or about so\001");
	KTEST_EXPECT_EQ(test, screen.row, 0);
	type("\r");
	KTEST_EXPECT_EQ(test, strncmp(screen.cell, "ebb> this line has f", 20), 0);
	KTEST_EXPECT_EQ(test, strncmp(screen.cell + 2 * MAX_COLS, "ut so ", 6), 0);
	KTEST_EXPECT_EQ(test, screen.row, 3);
	expect_seen(test);
}

/* Print a message above the half-typed line, and draw the line again below it. */
static void message(const char *text)
{
	lineedit_hide(&ed);
	sink_puts(&screen.sink, text);
	lineedit_redraw(&ed);
}

static void messages_stay_above(struct ktest *test)
{
	open_terminal(40);
	type("chmem -d -b 18; a line of more than forty letters\002\002\002");
	message("[    1.0] a message\n");
	KTEST_EXPECT_EQ(test, strncmp(screen.cell, "[    1.0] a message   ", 22), 0);
	KTEST_EXPECT_EQ(test, strncmp(screen.cell + 1 * MAX_COLS, "ebb> chmem -d -b 18; ", 21), 0);
	expect_seen(test);
}

/* Type random keys and print messages, at several widths. */
static void any_keys(struct ktest *test)
{
	static const unsigned int widths[] = { 10, 20, 40, 79, 80 };
	static const char *const keys[] = {
		"a",	"b c",	  "\033[A", "\033[B", "\033[C", "\033[D",   "\033[H", "\033[F",
		"\177", "\033[3~", "\013",  "\025",   "\027",	"\t",	    "\r",     "\003",
		"word ", "\001",  "\005",  "\002",   "\006",	"fourteen..... ",
	};

	for (unsigned int i = 0; i < 5000; i++) {
		const u64 random = prng_u64(&test->prng);

		if (i % 500 == 0)
			open_terminal(widths[i / 500 % ARRAY_SIZE(widths)]);
		if (random % 32 == 0)
			message("[    1.0] a message that may be longer than a row is wide\n");
		else
			type(keys[random / 32 % ARRAY_SIZE(keys)]);
		expect_seen(test);
	}
}

static const struct ktest_case cases[] = {
	KTEST_CASE(wraps_at_the_width),
	KTEST_CASE(enter_in_the_middle),
	KTEST_CASE(messages_stay_above),
	KTEST_CASE(any_keys),
	{},
};

static struct ktest_suite suite = { .name = "lineedit_screen", .cases = cases };
KTEST_SUITE(suite);
