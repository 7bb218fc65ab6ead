/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A failure names its line in the case, and if the expectation is in a helper, also the
 * line in the helper. The guest prints function and address, from which tools/testrun.py
 * finds the line.
 */
#include "kernel/ktest.h"
#include "kernel/sink.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

#define LOG_BYTES 4096

static unsigned int helper_line, call_line;

static void helper(struct ktest *test, int value)
{
	helper_line = __LINE__, KTEST_EXPECT_EQ(test, value, 1);
}

static void other_helper(struct ktest *test)
{
	helper(test, 1);
	helper(test, 2);
}

/* --- cases that fail ---------------------------------------------------------------- */

static void direct(struct ktest *test)
{
	helper_line = call_line = __LINE__, KTEST_EXPECT_TRUE(test, false);
}

static void in_a_helper(struct ktest *test)
{
	call_line = __LINE__, helper(test, 3);
}

static void in_a_helper_of_a_helper(struct ktest *test)
{
	call_line = __LINE__, other_helper(test);
}

static void fine(struct ktest *test)
{
	KTEST_EXPECT_TRUE(test, true);
}

static int failing_init(struct ktest *test)
{
	call_line = __LINE__, helper(test, 3);
	return 0;
}

/* --- their reports ------------------------------------------------------------------- */

static const struct failing {
	struct ktest_case cases[2];
	int (*init)(struct ktest *test);
	const char *function; /* the function that the report names */
} rows[] = {
	{ { KTEST_CASE(direct), {} }, NULL, "direct" },
	{ { KTEST_CASE(in_a_helper), {} }, NULL, "in_a_helper" },
	{ { KTEST_CASE(in_a_helper_of_a_helper), {} }, NULL, "in_a_helper_of_a_helper" },
	{ { KTEST_CASE(fine), {} }, failing_init, "failing_init" },
};

static void describe(const struct failing *row, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, row->function, KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(failing, rows, describe)

static bool says(const char *log, const char *before, unsigned int line)
{
	char words[128];

	(void)scnprintf(words, sizeof(words), "%stests/kernel/ktest_place_test.c:%u\n",
			before, line);
	return strstr(log, words) != NULL;
}

static bool names_function(const char *log, const char *function)
{
	char words[128];

	(void)scnprintf(words, sizeof(words), "EXPECTATION FAILED at %s+0x", function);
	return strstr(log, words) != NULL;
}

static void the_case_is_named(struct ktest *test)
{
	static const struct ktest_options options;
	const struct failing *row = test->param_value;
	struct ktest_suite suite = { .name = "inner", .cases = row->cases, .init = row->init };
	struct ktest_suite *const suites[] = { &suite };
	char *log = ktest_alloc(test, LOG_BYTES);
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, log, LOG_BYTES);
	KTEST_EXPECT_EQ(test, ktest_run_suites(&options, suites, 1, &buffer.sink), KTEST_FAIL);
	if (!says(log, "EXPECTATION FAILED at ", call_line) &&
	    (call_line == helper_line || !names_function(log, row->function)))
		KTEST_FAIL(test, "line %u is not named: %.180s", call_line, log);
	KTEST_EXPECT_EQ(test, says(log, "in a helper, ", helper_line), call_line != helper_line);
}

static const struct ktest_case place_cases[] = {
	KTEST_CASE_PARAM(the_case_is_named, failing_gen_params),
	{}
};
static struct ktest_suite place_suite = { .name = "ktest_place", .cases = place_cases };
KTEST_SUITE(place_suite);
