/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line. The kernel has parsed its own at boot. Here params_parse() gets
 * other lines, with parameters that only this file declares; afterwards the test
 * restores the kernel's line.
 */
#include "kernel/ktest.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/string.h"

static bool flag;
static u64 number, size, bounded = 5;
static const char *const outside[] = { "0", "1", "10", "18446744073709551615" };
static const char *text;
static u32 choice;
static const char *const choices[] = { "red", "green", "blue", NULL };

PARAM_BOOL("param_test.flag", flag, "for tests");
PARAM_UINT("param_test.number", number, "for tests");
PARAM_RANGE("param_test.bounded", bounded, 2, 9, "for tests");
PARAM_STRING("param_test.text", text, "for tests");
PARAM_SIZE("param_test.size", size, "for tests");
PARAM_ENUM("param_test.choice", choice, choices, "for tests");

static char kernels_own[COMMAND_LINE_SIZE];

static int save_command_line(struct ktest_suite *suite)
{
	(void)suite;
	(void)strscpy(kernels_own, command_line(), sizeof(kernels_own));
	return 0;
}

static void restore_command_line(struct ktest_suite *suite)
{
	(void)suite;
	params_parse(kernels_own);
}

static int reset(struct ktest *test)
{
	(void)test;
	flag = false;
	number = 1;
	size = 2;
	text = NULL;
	choice = 0;
	return 0;
}

/* Return the text of the log from the last @mark on. */
static const char *messages_since(struct ktest *test, const char *mark)
{
	const size_t room = 20000;
	char *log = ktest_alloc(test, room);
	struct sink_buffer buffer;
	const char *at, *found = log;

	sink_buffer_init(&buffer, log, room);
	printk_dump(&buffer.sink);
	for (at = log; (at = strstr(at, mark)) != NULL; at++)
		found = at;
	return found;
}

static void all_types(struct ktest *test)
{
	params_parse("param_test.flag param_test.number=0x20 param_test.size=3M "
		     "param_test.text=hello param_test.choice=blue");
	KTEST_EXPECT_TRUE(test, flag);
	KTEST_EXPECT_EQ(test, number, 32);
	KTEST_EXPECT_EQ(test, size, 3UL << 20);
	KTEST_EXPECT_STREQ(test, text, "hello");
	KTEST_EXPECT_EQ(test, choice, 2);
}

static void boolean_words(struct ktest *test)
{
	params_parse("param_test.flag=on");
	KTEST_EXPECT_TRUE(test, flag);
	params_parse("param_test.flag=n");
	KTEST_EXPECT_FALSE(test, flag);
	params_parse("param_test.flag=1");
	KTEST_EXPECT_TRUE(test, flag);
	params_parse("param_test.flag=off");
	KTEST_EXPECT_FALSE(test, flag);
}

static void quotes_keep_blanks(struct ktest *test)
{
	params_parse("  param_test.text=\"a b; c\"   param_test.number=7 ");
	KTEST_EXPECT_STREQ(test, text, "a b; c");
	KTEST_EXPECT_EQ(test, number, 7);
	params_parse("\"param_test.text=d e\" param_test.number=8");
	KTEST_EXPECT_STREQ(test, text, "d e");
	KTEST_EXPECT_EQ(test, number, 8);
	/* An open quote ends with the line. */
	params_parse("param_test.number=9 param_test.text=\"open end");
	KTEST_EXPECT_STREQ(test, text, "open end");
	KTEST_EXPECT_EQ(test, number, 9);
}

static void dash_is_underscore(struct ktest *test)
{
	params_parse("param-test.number=3");
	KTEST_EXPECT_EQ(test, number, 3);
}

static void nothing_behind_two_dashes(struct ktest *test)
{
	params_parse("param_test.number=4 -- param_test.number=5 nonsense");
	KTEST_EXPECT_EQ(test, number, 4);
}

static void last_one_wins(struct ktest *test)
{
	params_parse("param_test.number=4 param_test.number=6");
	KTEST_EXPECT_EQ(test, number, 6);
}

static void bad_values_change_nothing(struct ktest *test)
{
	const char *log;

	pr_debug("mark 1");
	params_parse("param_test.number=many param_test.size=-1 param_test.size= "
		     "param_test.choice=pink param_test.number "
		     "param_test.number=99999999999999999999 param_test.flag=perhaps");
	log = messages_since(test, "mark 1");
	KTEST_EXPECT_EQ(test, number, 1);
	KTEST_EXPECT_EQ(test, size, 2);
	KTEST_EXPECT_EQ(test, choice, 0);
	KTEST_EXPECT_FALSE(test, flag);
	KTEST_EXPECT_NOT_NULL(test,
			      strstr(log, "param_test.number: \"many\" is not valid, "
					  "expected a number\n"));
	KTEST_EXPECT_NOT_NULL(test,
			      strstr(log, "param_test.choice: \"pink\" is not valid, "
					  "expected one of: red green blue\n"));
	KTEST_EXPECT_NOT_NULL(test, strstr(log, "param_test.number: no value, expected"));
}

static void numbers_out_of_range_change_nothing(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, param_set("loglevel", "9"), -EINVAL);
	KTEST_EXPECT_EQ(test, param_set("virtio_mem.answer_timeout_ms", "0"), -EINVAL);
	KTEST_EXPECT_EQ(test, param_set("memory_hotplug.auto_movable_ratio", "100001"), -EINVAL);
	for (unsigned int i = 0; i < ARRAY_SIZE(outside); i++)
		KTEST_EXPECT_EQ(test, param_set("param_test.bounded", outside[i]), -EINVAL);
	KTEST_EXPECT_EQ(test, bounded, 5);
	KTEST_EXPECT_EQ(test, param_set("param_test.bounded", "2"), 0);
	KTEST_EXPECT_EQ(test, param_set("param_test.bounded", "9"), 0);
	KTEST_EXPECT_EQ(test, bounded, 9);
	pr_debug("mark 3");
	params_parse("param_test.bounded=10");
	KTEST_EXPECT_NOT_NULL(test, strstr(messages_since(test, "mark 3"),
					   "\"10\" is not valid, expected a number from 2 to 9\n"));
	bounded = 5;
}

static void unknown_names_get_the_nearest(struct ktest *test)
{
	const char *log, *first;

	pr_debug("mark 2");
	params_parse("param_test.nubmer=4 qqqqqqqqqq=1 qqqqqqqqqq=2");
	log = messages_since(test, "mark 2");
	KTEST_EXPECT_EQ(test, number, 1);
	KTEST_EXPECT_NOT_NULL(test, strstr(log, "unknown parameter \"param_test.nubmer\"; did "
						"you mean \"param_test.number\"?\n"));
	first = strstr(log, "unknown parameter \"qqqqqqqqqq\"\n");
	KTEST_ASSERT_NOT_NULL(test, first);
	/* The message comes once. */
	KTEST_EXPECT_NULL(test, strstr(first + 1, "unknown parameter \"q"));
}

static void set_one(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, param_set("param_test.number", "12"), 0);
	KTEST_EXPECT_EQ(test, number, 12);
	KTEST_EXPECT_EQ(test, param_set("param_test.number", "x"), -EINVAL);
	KTEST_EXPECT_EQ(test, param_set("param_test.number", NULL), -EINVAL);
	KTEST_EXPECT_EQ(test, param_set("param_test.nothing", "1"), -ENOENT);
	KTEST_EXPECT_EQ(test, number, 12);
}

/* With random lines, parsing ends and changes no parameter. */
static void nonsense_does_no_harm(struct ktest *test)
{
	static const char alphabet[] = "abz.=\"-_0 9\t\x01\x7f\xff%\\;,";
	char *line = ktest_alloc(test, 3 * COMMAND_LINE_SIZE);

	for (unsigned int round = 0; round < 50; round++) {
		const size_t len = prng_below(&test->prng, 3 * COMMAND_LINE_SIZE - 1);

		for (size_t i = 0; i < len; i++)
			line[i] = alphabet[prng_below(&test->prng, sizeof(alphabet) - 1)];
		line[len] = '\0';
		params_parse(line);
	}
	KTEST_EXPECT_EQ(test, number, 1);
}

static void long_line_is_cut_at_a_blank(struct ktest *test)
{
	char *line = ktest_alloc(test, 2 * COMMAND_LINE_SIZE);
	size_t len = strlen("param_test.number=5 ");

	memcpy(line, "param_test.number=5 ", len);
	memset(line + len, 'x', COMMAND_LINE_SIZE);
	params_parse(line);
	KTEST_EXPECT_EQ(test, number, 5);
	KTEST_EXPECT_STREQ(test, command_line(), "param_test.number=5");
}

/* A part of a word or of a quoted text could mean something else, so it is ignored. */
static void cut_words_are_not_obeyed(struct ktest *test)
{
	static const char *const cut[] = { "param_test.number=64",
					   "param_test.text=\"a b c d e\"" };
	char *line = ktest_alloc(test, 2 * COMMAND_LINE_SIZE);

	for (size_t i = 0; i < ARRAY_SIZE(cut); i++) {
		for (size_t kept = 1; kept < strlen(cut[i]); kept++) {
			const size_t start = COMMAND_LINE_SIZE - 1 - kept;

			number = 1;
			text = "none";
			memset(line, ' ', COMMAND_LINE_SIZE);
			(void)strscpy(line + start, cut[i], COMMAND_LINE_SIZE);
			params_parse(line);
			KTEST_EXPECT_EQ(test, number, 1);
			KTEST_EXPECT_STREQ(test, text, "none");
		}
	}
}

static void help_names_everything(struct ktest *test)
{
	const size_t room = 16384;
	char *help = ktest_alloc(test, room);
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, help, room);
	KTEST_EXPECT_GT(test, params_help(NULL, &buffer.sink), 3);
	KTEST_EXPECT_NOT_NULL(test, strstr(help, "param_test.choice"));
	KTEST_EXPECT_NOT_NULL(test, strstr(help, "(one of: red green blue)\n"));
	KTEST_EXPECT_NOT_NULL(test, strstr(help, "loglevel"));
	sink_buffer_init(&buffer, help, room);
	KTEST_EXPECT_EQ(test, params_help("param-test.choice", &buffer.sink), 1);
	KTEST_EXPECT_EQ(test, strncmp(help, "param_test.choice", 17), 0);
	KTEST_EXPECT_EQ(test, params_help("param_test", &buffer.sink), 0);
}

static const struct ktest_case param_cases[] = {
	KTEST_CASE(all_types),
	KTEST_CASE(boolean_words),
	KTEST_CASE(quotes_keep_blanks),
	KTEST_CASE(dash_is_underscore),
	KTEST_CASE(nothing_behind_two_dashes),
	KTEST_CASE(last_one_wins),
	KTEST_CASE(bad_values_change_nothing),
	KTEST_CASE(numbers_out_of_range_change_nothing),
	KTEST_CASE(unknown_names_get_the_nearest),
	KTEST_CASE(set_one),
	KTEST_CASE(nonsense_does_no_harm),
	KTEST_CASE(long_line_is_cut_at_a_blank),
	KTEST_CASE(cut_words_are_not_obeyed),
	KTEST_CASE(help_names_everything),
	{}
};

static struct ktest_suite param_suite = {
	.name = "param",
	.suite_init = save_command_line,
	.suite_exit = restore_command_line,
	.init = reset,
	.cases = param_cases,
};
KTEST_SUITE(param_suite);
