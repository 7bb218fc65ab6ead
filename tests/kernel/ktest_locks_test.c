/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The test runner tests itself: a failure with a lock held is reported when the lock is
 * released, and the report names a mutex that a case leaves held.
 */
#include "kernel/ktest.h"
#include "kernel/sink.h"
#include "kernel/spinlock.h"
#include "lib/string.h"
#include "strict_sink.h"

#define LOG_SIZE 4096

static DEFINE_MUTEX(inner_mutex);
static DEFINE_SPINLOCK(inner_lock);

static void fails_with_locks(struct ktest *test)
{
	mutex_lock(&inner_mutex);
	KTEST_EXPECT_EQ(test, 1, 2);
	mutex_unlock(&inner_mutex);
	spin_lock(&inner_lock);
	KTEST_EXPECT_EQ(test, 3, 4);
	ktest_info(test, "said with a lock held");
	spin_unlock(&inner_lock);
}

static void leaves_a_mutex(struct ktest *test)
{
	(void)test;
	KTEST_ASSERT_TRUE(test, mutex_trylock(&inner_mutex));
}

static void run_inner(const struct ktest_case *cases, struct sink *out)
{
	struct ktest_suite suite = { .name = "inner", .cases = cases };
	struct ktest_suite *const suites[] = { &suite };
	static const struct ktest_options defaults;

	(void)ktest_run_suites(&defaults, suites, 1, out);
}

static const char *log_of(struct ktest *test, const struct ktest_case *cases)
{
	char *text = ktest_alloc(test, LOG_SIZE);
	struct sink_buffer log;

	sink_buffer_init(&log, text, LOG_SIZE);
	run_inner(cases, &log.sink);
	return text;
}

static void reports_wait_for_the_lock(struct ktest *test)
{
	static const struct ktest_case cases[] = { KTEST_CASE(fails_with_locks), {} };
	struct strict_sink strict = STRICT_SINK;
	const char *log = log_of(test, cases), *first, *second, *said, *end;

	run_inner(cases, &strict.sink);
	EXPECT_STRICT(test, &strict);
	first = strstr(log, "Expected 1 == 2");
	second = strstr(log, "Expected 3 == 4");
	said = strstr(log, "# fails_with_locks: said with a lock held\n");
	end = strstr(log, "not ok 1 fails_with_locks\n");
	KTEST_ASSERT_TRUE(test, first && second && said && end);
	KTEST_EXPECT_TRUE(test, first < second && second < said && said < end);
}

static void mutex_left_behind(struct ktest *test)
{
	static const struct ktest_case cases[] = { KTEST_CASE(leaves_a_mutex), {} };
	const struct mutex *const before = mutex_last_taken();
	const char *log = log_of(test, cases);

	KTEST_EXPECT_NOT_NULL(test,
			      strstr(log, "the case ended with mutex inner_mutex held"));
	KTEST_EXPECT_NOT_NULL(test, strstr(log, "not ok 1 leaves_a_mutex\n"));
	KTEST_EXPECT_PTR_EQ(test, mutex_last_taken(), before);
	mutex_init(&inner_mutex, "inner_mutex");
}

static const struct ktest_case ktest_locks_cases[] = {
	KTEST_CASE(reports_wait_for_the_lock), KTEST_CASE(mutex_left_behind), {}
};
static struct ktest_suite ktest_locks_suite = { .name = "ktest_locks",
						.cases = ktest_locks_cases };
KTEST_SUITE(ktest_locks_suite);
