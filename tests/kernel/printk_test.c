/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sinks and messages.
 */
#include "kernel/ktest.h"
#include "kernel/printk.h"
#include "kernel/sink.h"
#include "lib/string.h"
#include "test_threads.h"

static void buffer_takes_text(struct ktest *test)
{
	char text[16];
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, text, sizeof(text));
	KTEST_EXPECT_STREQ(test, text, "");
	sink_puts(&buffer.sink, "abc");
	sink_printf(&buffer.sink, "%d-%s", 42, "x");
	KTEST_EXPECT_STREQ(test, text, "abc42-x");
	KTEST_EXPECT_EQ(test, buffer.len, 7);
	KTEST_EXPECT_EQ(test, buffer.lost, 0);
}

static void full_buffer_counts_what_is_lost(struct ktest *test)
{
	char text[8];
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, text, sizeof(text));
	sink_puts(&buffer.sink, "0123456789");
	sink_puts(&buffer.sink, "x");
	KTEST_EXPECT_STREQ(test, text, "0123456");
	KTEST_EXPECT_EQ(test, buffer.lost, 4);
}

/* A sink that counts writes: a line must be a single write. */
struct counting_sink {
	struct sink sink;
	unsigned int writes;
	size_t bytes;
	char last;
};

static void counting_write(struct sink *sink, const char *text, size_t len)
{
	struct counting_sink *counting = container_of(sink, struct counting_sink, sink);

	counting->writes++;
	counting->bytes += len;
	counting->last = text[len - 1];
}

static void printf_is_one_write(struct ktest *test)
{
	struct counting_sink counting = { .sink.write = counting_write };

	sink_printf(&counting.sink, "%s %d %s\n", "one", 2, "three");
	KTEST_EXPECT_EQ(test, counting.writes, 1);
}

static void long_text_is_cut_and_marked(struct ktest *test)
{
	struct counting_sink counting = { .sink.write = counting_write };

	sink_printf(&counting.sink, "%*d", 2 * SINK_PRINTF_MAX, 1);
	KTEST_EXPECT_EQ(test, counting.writes, 1);
	KTEST_EXPECT_EQ(test, counting.bytes, SINK_PRINTF_MAX);
	KTEST_EXPECT_EQ(test, counting.last, '\n');
}

/* Return the kept messages, in memory that is freed when the case ends. */
static const char *kept_messages(struct ktest *test)
{
	const size_t size = 20000;
	char *text = ktest_alloc(test, size);
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, text, size);
	printk_dump(&buffer.sink);
	return text;
}

static void messages_are_kept(struct ktest *test)
{
	const char *text;

	pr_debug("a message of level %d that is not shown", 7);
	text = kept_messages(test);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "] a message of level 7 that is not shown\n"));
	KTEST_EXPECT_EQ(test, text[0], '[');
}

static void ring_keeps_whole_lines(struct ktest *test)
{
	const char *text, *line;

	for (int i = 0; i < 500; i++)
		pr_debug("filling the ring with line %d, which is a line of some length", i);
	text = kept_messages(test);
	for (line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
		if (line[0] == '[' && strchr(line, '\n') != NULL)
			continue;
		KTEST_FAIL(test, "half a line: %.20s", line);
		return;
	}
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "line 499,"));
	KTEST_EXPECT_NULL(test, strstr(text, "line 0,"));
}

static int log_lines(void *arg)
{
	(void)arg;
	for (int i = 0; i < 40; i++)
		pr_debug("<%032d|%032d>", i, i);
	return 0;
}

static void harts_do_not_mix_lines(struct ktest *test)
{
	static const char shape[] = "<00000000000000000000000000000000|";
	struct crew crew;
	const char *text;
	unsigned int lines = 0;

	pr_debug("harts_do_not_mix_lines");
	crew_start(test, &crew, log_lines, NULL);
	crew_join(test, &crew);
	/* Check only the newest lines: older lines may be overwritten. */
	for (text = kept_messages(test); (text = strchr(text, '<')) != NULL; text++) {
		const char *end = strchr(text, '\n');

		KTEST_ASSERT_NOT_NULL(test, end);
		KTEST_EXPECT_EQ(test, end - text, 2 + 32 + 1 + 32 - 0);
		KTEST_EXPECT_MEMEQ(test, text, shape, 30);
		KTEST_EXPECT_MEMEQ(test, text + 1, text + 34, 32);
		lines++;
	}
	KTEST_EXPECT_GE(test, lines, 40);
}

/* --- the line that a user types ------------------------------------------------- */

static char drawn[64]; /* 'h' for hidden, 's' for shown again */
static unsigned int nr_drawn;

static void draw(bool shown, struct sink *out)
{
	(void)out;
	if (nr_drawn < sizeof(drawn) - 1)
		drawn[nr_drawn++] = shown ? 's' : 'h';
	drawn[nr_drawn] = '\0';
}

/* A message hides the line, which appears again when the message has ended. */
static void typed_line_stays_below(struct ktest *test)
{
	nr_drawn = 0;
	printk_set_line(NULL);
	printk_set_line(draw);
	KTEST_EXPECT_EQ(test, nr_drawn, 0);
	pr_err("above the line\n");
	KTEST_EXPECT_STREQ(test, drawn, "hs");
	sink_puts(report_sink(), "# a report ");
	KTEST_EXPECT_STREQ(test, drawn, "hsh");
	sink_puts(report_sink(), "in two ");
	sink_puts(report_sink(), "parts\n");
	KTEST_EXPECT_STREQ(test, drawn, "hshs");
	sink_puts(report_sink(), "# a report that does not end");
	printk_set_line(NULL);
	KTEST_EXPECT_STREQ(test, drawn, "hshshs");
	sink_puts(report_sink(), "\n");
	pr_err("there is no line\n");
	KTEST_EXPECT_STREQ(test, drawn, "hshshs");
	/*
	 * The message came while the editor had no line on the screen: now the line is
	 * drawn below it.
	 */
	printk_set_line(draw);
	KTEST_EXPECT_STREQ(test, drawn, "hshshss");
	printk_set_line(NULL);
}

static const struct ktest_case sink_cases[] = {
	KTEST_CASE(typed_line_stays_below),
	KTEST_CASE(buffer_takes_text),
	KTEST_CASE(full_buffer_counts_what_is_lost),
	KTEST_CASE(printf_is_one_write),
	KTEST_CASE(long_text_is_cut_and_marked),
	KTEST_CASE(messages_are_kept),
	KTEST_CASE(ring_keeps_whole_lines),
	KTEST_CASE(harts_do_not_mix_lines),
	{}
};

static struct ktest_suite sink_suite = { .name = "printk", .cases = sink_cases };
KTEST_SUITE(sink_suite);
