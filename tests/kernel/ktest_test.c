/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The test runner tests itself: inner runs of small suites with cases that pass, fail,
 * abort and skip, with the log in a buffer.
 */
#include "kernel/console/shell.h"
#include "kernel/ktest.h"
#include "kernel/panic.h"
#include "kernel/sink.h"
#include "kernel/spinlock.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/string.h"

#define LOG_SIZE 4096

static unsigned int calls;  /* how often an inner case ran */
static unsigned int steps;  /* how far an inner case got */
static char trail[16];	    /* order in which things happened */

static void write_nowhere(struct sink *sink, const char *text, size_t len)
{
	(void)sink;
	(void)text;
	(void)len;
}

static struct sink nowhere = { .write = write_nowhere };

static void leave_mark(char mark)
{
	const size_t len = strlen(trail);

	if (len + 1 < sizeof(trail)) {
		trail[len] = mark;
		trail[len + 1] = '\0';
	}
}

/* Run @suite, and return the log. */
static const char *run_inner(struct ktest *test, struct ktest_suite *suite,
			     const struct ktest_options *options,
			     enum ktest_status *status)
{
	struct ktest_suite *const suites[] = { suite };
	char *text = ktest_alloc(test, LOG_SIZE);
	struct sink_buffer log;

	calls = 0;
	steps = 0;
	trail[0] = '\0';
	sink_buffer_init(&log, text, LOG_SIZE);
	*status = ktest_run_suites(options, suites, 1, &log.sink);
	KTEST_EXPECT_EQ(test, log.lost, 0);
	return text;
}

/* run_inner() with these cases. */
#define RUN_INNER(test, options, status, ...)                                          \
	({                                                                             \
		static const struct ktest_case cases[] = { __VA_ARGS__, {} };          \
		static struct ktest_suite suite = { .name = "inner", .cases = cases }; \
		run_inner(test, &suite, options, status);                              \
	})

static void expect_line(struct ktest *test, const char *log, const char *line)
{
	if (strstr(log, line) == NULL)
		KTEST_FAIL(test, "no \"%s\" in:\n%s", line, log);
}

static void inner_pass(struct ktest *test)
{
	calls++;
	KTEST_EXPECT_TRUE(test, true);
	KTEST_EXPECT_EQ(test, 2 + 2, 4);
	KTEST_ASSERT_STREQ(test, "a", "a");
}

static void inner_fail(struct ktest *test)
{
	int two = 2;

	calls++;
	KTEST_EXPECT_EQ(test, two + 2, 5);
	steps = 1;
	KTEST_EXPECT_LT(test, 7UL, 3);
	steps = 2;
}

static void inner_abort(struct ktest *test)
{
	calls++;
	KTEST_ASSERT_NOT_NULL(test, NULL);
	steps = 1;
}

static void inner_skip(struct ktest *test)
{
	calls++;
	ktest_skip(test, "needs %d harts", 99);
}

static const struct ktest_options defaults;

static void passing(struct ktest *test)
{
	enum ktest_status status;
	const char *log = RUN_INNER(test, &defaults, &status, KTEST_CASE(inner_pass));

	KTEST_EXPECT_EQ(test, status, KTEST_PASS);
	KTEST_EXPECT_EQ(test, calls, 1);
	KTEST_EXPECT_STREQ(test, log,
			   "KTAP version 1\n"
			   "1..1\n"
			   "# ktest.seed=1\n"
			   "    KTAP version 1\n"
			   "    # Subtest: inner\n"
			   "    1..1\n"
			   "    ok 1 inner_pass\n"
			   "# inner: pass:1 fail:0 skip:0 total:1\n"
			   "ok 1 inner\n"
			   "# Totals: pass:1 fail:0 skip:0 total:1\n");
}

static void expect_goes_on(struct ktest *test)
{
	enum ktest_status status;
	const char *log = RUN_INNER(test, &defaults, &status, KTEST_CASE(inner_fail),
				    KTEST_CASE(inner_pass));

	KTEST_EXPECT_EQ(test, status, KTEST_FAIL);
	KTEST_EXPECT_EQ(test, calls, 2);
	KTEST_EXPECT_EQ(test, steps, 2);
	expect_line(test, log, "    # inner_fail: EXPECTATION FAILED at ");
	expect_line(test, log, "    Expected two + 2 == 5, but\n"
			       "        two + 2 == 4 (0x4)\n"
			       "        5 == 5 (0x5)\n");
	expect_line(test, log, "    not ok 1 inner_fail\n    ok 2 inner_pass\n");
	expect_line(test, log, "\nnot ok 1 inner\n");
	expect_line(test, log, "# inner: pass:1 fail:1 skip:0 total:2\n");
}

static void assert_ends_the_case(struct ktest *test)
{
	enum ktest_status status;
	const char *log = RUN_INNER(test, &defaults, &status, KTEST_CASE(inner_abort),
				    KTEST_CASE(inner_pass));

	KTEST_EXPECT_EQ(test, status, KTEST_FAIL);
	KTEST_EXPECT_EQ(test, calls, 2);
	KTEST_EXPECT_EQ(test, steps, 0);
	expect_line(test, log, "ASSERTION FAILED at ");
	expect_line(test, log, "    not ok 1 inner_abort\n    ok 2 inner_pass\n");
}

static void skipping(struct ktest *test)
{
	enum ktest_status status;
	const char *log = RUN_INNER(test, &defaults, &status, KTEST_CASE(inner_skip));

	KTEST_EXPECT_EQ(test, status, KTEST_ALL_SKIPPED);
	expect_line(test, log, "    ok 1 inner_skip # SKIP needs 99 harts\n");
	expect_line(test, log, "ok 1 inner # SKIP");
	expect_line(test, log, "# Totals: pass:0 fail:0 skip:1 total:1\n");
}

static int fail_init(struct ktest *test)
{
	(void)test;
	return -ENOMEM;
}

static int fail_suite_init(struct ktest_suite *suite)
{
	(void)suite;
	return -EIO;
}

static void failing_inits(struct ktest *test)
{
	static const struct ktest_case cases[] = { KTEST_CASE(inner_pass), {} };
	static struct ktest_suite suite = { .name = "inner", .cases = cases,
					    .init = fail_init };
	static struct ktest_suite suite2 = { .name = "inner", .cases = cases,
					     .suite_init = fail_suite_init };
	enum ktest_status status;
	const char *log = run_inner(test, &suite, &defaults, &status);

	KTEST_EXPECT_EQ(test, status, KTEST_FAIL);
	KTEST_EXPECT_EQ(test, calls, 0);
	expect_line(test, log, "init failed: -12");

	log = run_inner(test, &suite2, &defaults, &status);
	KTEST_EXPECT_EQ(test, status, KTEST_FAIL);
	KTEST_EXPECT_EQ(test, calls, 0);
	expect_line(test, log, "suite_init failed: -5");
	expect_line(test, log, "    not ok 1 inner_pass\n");
}

static void action_a(void *ctx)
{
	(void)ctx;
	leave_mark('a');
}

static void action_b(void *ctx)
{
	(void)ctx;
	leave_mark('b');
}

static void suite_exit_mark(struct ktest *test)
{
	(void)test;
	leave_mark('x');
}

static void inner_actions(struct ktest *test)
{
	ktest_add_action(test, action_a, NULL);
	ktest_add_action(test, action_b, NULL);
	ktest_add_action(test, action_a, &calls);
	ktest_release_action(test, action_a, &calls);
	leave_mark('|');
	KTEST_ASSERT_TRUE(test, false);
}

static void actions_run_backwards_after_abort(struct ktest *test)
{
	static const struct ktest_case cases[] = { KTEST_CASE(inner_actions), {} };
	static struct ktest_suite suite = { .name = "inner", .cases = cases,
					    .exit = suite_exit_mark };
	enum ktest_status status;

	(void)run_inner(test, &suite, &defaults, &status);
	KTEST_EXPECT_EQ(test, status, KTEST_FAIL);
	KTEST_EXPECT_STREQ(test, trail, "a|bax");
}

static void inner_arena(struct ktest *test)
{
	u8 *memory = ktest_alloc(test, 1000);

	KTEST_EXPECT_NULL(test, memchr_inv(memory, 0, 1000));
	memset(memory, 0xff, 1000);
	steps++;
	(void)ktest_alloc(test, KTEST_ARENA_SIZE);
	steps = 100;
}

static void arena_is_given_back(struct ktest *test)
{
	static const struct ktest_case cases[] = { KTEST_CASE(inner_arena), {} };
	static struct ktest_suite suite = { .name = "inner", .cases = cases };
	const struct ktest_options often = { .repeat = 200 };
	struct ktest_suite *const suites[] = { &suite };

	steps = 0;
	/* 200 times 1000 bytes do not fit at the same time. */
	KTEST_EXPECT_EQ(test, ktest_run_suites(&often, suites, 1, &nowhere), KTEST_FAIL);
	KTEST_EXPECT_EQ(test, steps, 200);
}

static DEFINE_SPINLOCK(forgotten_lock);

static void inner_keeps_lock(struct ktest *test)
{
	(void)test;
	spin_lock(&forgotten_lock);
}

static void held_lock_fails_the_case(struct ktest *test)
{
	enum ktest_status status;
	const char *log = RUN_INNER(test, &defaults, &status,
				    KTEST_CASE(inner_keeps_lock));

	spin_lock_init(&forgotten_lock, "forgotten_lock");
	KTEST_EXPECT_EQ(test, status, KTEST_FAIL);
	expect_line(test, log, "ended with 1 spinlock held");
}

static void inner_warns(struct ktest *test)
{
	(void)test;
	warn_report(__FILE__, __LINE__, "provoked by a test");
}

static void inner_warns_expectedly(struct ktest *test)
{
	ktest_expect_warnings(test, 1);
	warn_report(__FILE__, __LINE__, "provoked by a test");
}

static void warnings_fail_the_case(struct ktest *test)
{
	enum ktest_status status;
	const char *log = RUN_INNER(test, &defaults, &status, KTEST_CASE(inner_warns),
				    KTEST_CASE(inner_warns_expectedly));

	ktest_expect_warnings(test, 2);
	KTEST_EXPECT_EQ(test, status, KTEST_FAIL);
	expect_line(test, log, "caused 1 warnings, 0 were expected");
	expect_line(test, log, "    not ok 1 inner_warns\n    ok 2 inner_warns_expectedly\n");
}

static int failing_thread(void *arg)
{
	struct ktest *test = arg;

	KTEST_ASSERT_EQ(test, 1, 2);
	steps = 1;
	return 0;
}

static void inner_thread_fails(struct ktest *test)
{
	struct thread *thread = thread_create("failing", failing_thread, test);

	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + 100 * NSEC_PER_SEC, NULL), 0);
}

static void assert_in_a_thread(struct ktest *test)
{
	enum ktest_status status;
	const char *log = RUN_INNER(test, &defaults, &status,
				    KTEST_CASE(inner_thread_fails));

	KTEST_EXPECT_EQ(test, status, KTEST_FAIL);
	KTEST_EXPECT_EQ(test, steps, 0);
	expect_line(test, log, "# inner_thread_fails: ASSERTION FAILED");
}

static const unsigned int numbers[] = { 3, 5, 8 };

static void number_desc(const unsigned int *number, char desc[KTEST_DESC_SIZE])
{
	desc[0] = 'n';
	desc[1] = (char)('0' + *number);
	desc[2] = '\0';
}

KTEST_ARRAY_PARAM(number, numbers, number_desc)

static void inner_param(struct ktest *test)
{
	const unsigned int *number = test->param_value;

	calls++;
	KTEST_EXPECT_NE(test, *number, 5);
}

static void parameters(struct ktest *test)
{
	static const struct ktest_case cases[] = {
		KTEST_CASE_PARAM(inner_param, number_gen_params), {}
	};
	static struct ktest_suite suite = { .name = "inner", .cases = cases };
	enum ktest_status status;
	const char *log = run_inner(test, &suite, &defaults, &status);

	KTEST_EXPECT_EQ(test, status, KTEST_FAIL);
	KTEST_EXPECT_EQ(test, calls, 3);
	expect_line(test, log, "        KTAP version 1\n        # Subtest: inner_param\n"
			       "        ok 1 n3\n");
	expect_line(test, log, "        not ok 2 n5\n        ok 3 n8\n"
			       "    # inner_param: pass:2 fail:1 skip:0 total:3\n"
			       "    not ok 1 inner_param\n");
}

static const struct ktest_case speed_cases[] = { KTEST_CASE(inner_pass),
						 KTEST_CASE_SLOW(inner_skip),
						 KTEST_CASE_VERY_SLOW(inner_fail), {} };
static struct ktest_suite speed_suite = { .name = "speeds", .cases = speed_cases };

static void filters(struct ktest *test)
{
	static const struct {
		const char *glob, *filter;
		unsigned int calls;
		enum ktest_status status;
	} rows[] = {
		{ NULL, NULL, 3, KTEST_FAIL },
		{ "speeds", NULL, 3, KTEST_FAIL },
		{ "sp*.inner_p*", NULL, 1, KTEST_PASS },
		{ "*.inner_[ps]*", NULL, 2, KTEST_PASS },
		{ "other", NULL, 0, KTEST_HARNESS },
		{ "speeds.nothing", NULL, 0, KTEST_HARNESS },
		{ NULL, "speed>slow", 1, KTEST_FAIL },
		{ NULL, "speed>=slow", 2, KTEST_FAIL },
		{ NULL, "speed<slow", 1, KTEST_PASS },
		{ NULL, "speed<=slow", 2, KTEST_PASS },
		{ NULL, "speed=slow", 1, KTEST_ALL_SKIPPED },
		{ NULL, "speed!=slow", 2, KTEST_FAIL },
		{ "*.inner_pass", "speed=slow", 0, KTEST_HARNESS },
		{ NULL, "speed", 0, KTEST_HARNESS },
		{ NULL, "speed~slow", 0, KTEST_HARNESS },
		{ NULL, "speed>fast", 0, KTEST_HARNESS },
		{ NULL, "module=x", 0, KTEST_HARNESS },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct ktest_options options = { .filter_glob = rows[i].glob,
						       .filter = rows[i].filter };
		struct ktest_suite *const suites[] = { &speed_suite };

		calls = 0;
		ktest_info(test, "glob %s, filter %s", rows[i].glob != NULL ? rows[i].glob : "-",
			   rows[i].filter != NULL ? rows[i].filter : "-");
		KTEST_EXPECT_EQ(test, ktest_run_suites(&options, suites, 1, &nowhere),
				rows[i].status);
		KTEST_EXPECT_EQ(test, calls, rows[i].calls);
	}
}

static void listing(struct ktest *test)
{
	const struct ktest_options options = { .action = "list", .filter = "speed<=slow" };
	const struct ktest_options wrong = { .action = "erase" };
	enum ktest_status status;
	const char *log = run_inner(test, &speed_suite, &options, &status);

	KTEST_EXPECT_EQ(test, status, KTEST_PASS);
	KTEST_EXPECT_EQ(test, calls, 0);
	KTEST_EXPECT_STREQ(test, log,
			   "KTAP version 1\nspeeds.inner_pass\nspeeds.inner_skip\n");
	log = run_inner(test, &speed_suite, &wrong, &status);
	KTEST_EXPECT_EQ(test, status, KTEST_HARNESS);
	expect_line(test, log, "kunit.action=erase: the only action is list");
}

static u64 drawn;

static void inner_draw(struct ktest *test)
{
	drawn = prng_u64(&test->prng);
	leave_mark('d');
}

static void inner_other(struct ktest *test)
{
	(void)test;
	leave_mark('o');
}

static void inner_third(struct ktest *test)
{
	(void)test;
	leave_mark('t');
}

static void seed_and_shuffle(struct ktest *test)
{
	static const struct ktest_case cases[] = { KTEST_CASE(inner_draw),
						   KTEST_CASE(inner_other),
						   KTEST_CASE(inner_third), {} };
	static struct ktest_suite suite = { .name = "inner", .cases = cases };
	struct ktest_options options = { .seed = 7 };
	enum ktest_status status;
	bool order_changed = false;
	u64 first;

	(void)run_inner(test, &suite, &options, &status);
	KTEST_EXPECT_STREQ(test, trail, "dot");
	first = drawn;
	options.shuffle = true;
	for (u64 seed = 1; seed <= 8; seed++) {
		options.seed = seed;
		(void)run_inner(test, &suite, &options, &status);
		KTEST_EXPECT_EQ(test, strlen(trail), 3);
		order_changed |= strcmp(trail, "dot") != 0;
		/* A case's random numbers depend on the seed, not on the order. */
		KTEST_EXPECT_EQ(test, drawn == first, seed == 7);
	}
	KTEST_EXPECT_TRUE(test, order_changed);
}

static void option_words(struct ktest *test)
{
	struct ktest_options options = { 0 };

	KTEST_EXPECT_EQ(test, ktest_param("kunit.filter_glob=a.b", &options), 0);
	KTEST_EXPECT_STREQ(test, options.filter_glob, "a.b");
	KTEST_EXPECT_EQ(test, ktest_param("kunit.filter=speed>slow", &options), 0);
	KTEST_EXPECT_STREQ(test, options.filter, "speed>slow");
	KTEST_EXPECT_EQ(test, ktest_param("kunit.action=list", &options), 0);
	KTEST_EXPECT_EQ(test, ktest_param("ktest.seed=0x10", &options), 0);
	KTEST_EXPECT_EQ(test, options.seed, 16);
	KTEST_EXPECT_EQ(test, ktest_param("ktest.repeat=3", &options), 0);
	KTEST_EXPECT_EQ(test, options.repeat, 3);
	KTEST_EXPECT_EQ(test, ktest_param("ktest.shuffle", &options), 0);
	KTEST_EXPECT_TRUE(test, options.shuffle);
	KTEST_EXPECT_EQ(test, ktest_param("ktest.shuffle=n", &options), 0);
	KTEST_EXPECT_FALSE(test, options.shuffle);
	KTEST_EXPECT_EQ(test, ktest_param("ktest.repeat=often", &options), -EINVAL);
	KTEST_EXPECT_EQ(test, ktest_param("ktest.seed=", &options), -EINVAL);
	KTEST_EXPECT_EQ(test, ktest_param("kunit.filters=x", &options), -ENOENT);
	KTEST_EXPECT_EQ(test, ktest_param("", &options), -ENOENT);
}

static void inner_compares(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, -1, -1L);
	KTEST_EXPECT_LT(test, -1, 1);
	KTEST_EXPECT_GT(test, ~0UL, 1);
	KTEST_EXPECT_GE(test, (u32)-1, 1);
	KTEST_EXPECT_LE(test, (s8)-5, (u8)5);
	KTEST_EXPECT_EQ(test, (u64)1 << 63, 1UL << 63);
	KTEST_EXPECT_PTR_EQ(test, trail, &trail[0]);
	KTEST_EXPECT_MEMEQ(test, "abc", "abd", 2);
	steps = ktest_failed(test);
	KTEST_EXPECT_EQ(test, -1, 1);
	KTEST_EXPECT_LT(test, 1, -1);
	KTEST_EXPECT_STREQ(test, "abc", NULL);
	KTEST_EXPECT_MEMEQ(test, "abc", "abd", 3);
}

static void comparisons(struct ktest *test)
{
	enum ktest_status status;
	const char *log = RUN_INNER(test, &defaults, &status, KTEST_CASE(inner_compares));

	KTEST_EXPECT_EQ(test, steps, 0);
	expect_line(test, log, "-1 == -1 (0xffffffffffffffff)\n");
	expect_line(test, log, "Expected 1 < -1, but");
	expect_line(test, log, "to be \"(NULL)\", but it is \"abc\"");
	expect_line(test, log, "byte 2 is 0x63 instead of 0x64");
}

static int second_console(void *answer)
{
	return console_run_line("ut list", answer);
}

/* While suites run, the ut command of another console is refused. */
static void one_run_at_a_time(struct ktest *test)
{
	struct sink_buffer answer;
	struct thread *thread;
	char text[128];
	int status;

	sink_buffer_init(&answer, text, sizeof(text));
	KTEST_ASSERT_TRUE(test, ktest_begin(&answer.sink));
	thread = thread_create("console2", second_console, &answer.sink);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_EXPECT_EQ(test, thread_join(thread, WAIT_FOREVER, &status), 0);
	ktest_end();
	KTEST_EXPECT_EQ(test, status, KTEST_HARNESS);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "another console"));
}

static const struct ktest_case ktest_cases[] = {
	KTEST_CASE(one_run_at_a_time),
	KTEST_CASE(passing),
	KTEST_CASE(expect_goes_on),
	KTEST_CASE(assert_ends_the_case),
	KTEST_CASE(skipping),
	KTEST_CASE(failing_inits),
	KTEST_CASE(actions_run_backwards_after_abort),
	KTEST_CASE(arena_is_given_back),
	KTEST_CASE(held_lock_fails_the_case),
	KTEST_CASE(warnings_fail_the_case),
	KTEST_CASE(assert_in_a_thread),
	KTEST_CASE(parameters),
	KTEST_CASE(filters),
	KTEST_CASE(listing),
	KTEST_CASE(seed_and_shuffle),
	KTEST_CASE(option_words),
	KTEST_CASE(comparisons),
	{}
};

static struct ktest_suite ktest_suite = { .name = "ktest", .cases = ktest_cases };
KTEST_SUITE(ktest_suite);
