/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A warning names a writer that holds a lock while it writes to a sink that waits. Host
 * only: the tests must not put warnings into a guest's log.
 */
#include "kernel/ktest.h"
#include "kernel/mutex.h"
#include "kernel/printk.h"
#include "kernel/sink.h"
#include "kernel/spinlock.h"
#include "tests/kernel/log.h"
#include "tests/kernel/test_threads.h"

static DEFINE_MUTEX(kept_mutex);
static DEFINE_SPINLOCK(kept_spinlock);

/* At most ten warnings in ten seconds: skip the interval of earlier warnings. */
static void forget_warnings(struct ktest *test)
{
	if (!time_is_virtual())
		ktest_skip(test, "needs virtual time: with several harts it is real");
	msleep(2 * RATELIMIT_NS / NSEC_PER_MSEC);
	log_mark();
}

static void mutex_is_named(struct ktest *test)
{
	ktest_expect_warnings(test, 1);
	forget_warnings(test);
	KTEST_EXPECT_TRUE(test, sink_may_wait());
	KTEST_EXPECT_EQ(test, times_logged("sink that waits"), 0);
	mutex_lock(&kept_mutex);
	KTEST_EXPECT_FALSE(test, sink_may_wait());
	mutex_unlock(&kept_mutex);
	KTEST_EXPECT_EQ(test, times_logged("sink that waits, with mutex kept_mutex held"),
			1);
}

static void spinlock_is_found(struct ktest *test)
{
	ktest_expect_warnings(test, 1);
	forget_warnings(test);
	spin_lock(&kept_spinlock);
	KTEST_EXPECT_FALSE(test, sink_may_wait());
	spin_unlock(&kept_spinlock);
	KTEST_EXPECT_EQ(test,
			times_logged("sink that waits, with a spinlock or the hart held"),
			1);
}

/* A write to the terminal prints the text and warns; a write of a report does not warn. */
static void terminal_looks(struct ktest *test)
{
	ktest_expect_warnings(test, 1);
	forget_warnings(test);
	mutex_lock(&kept_mutex);
	sink_puts(console_sink(), "# a mutex is held\n");
	sink_puts(report_sink(), "# a mutex is held, and no warning comes\n");
	mutex_unlock(&kept_mutex);
	KTEST_EXPECT_EQ(test, times_logged("sink that waits"), 1);
}

/* A writer that does this repeatedly does not fill the log. */
static void few_warnings(struct ktest *test)
{
	ktest_expect_warnings(test, RATELIMIT_BURST);
	forget_warnings(test);
	mutex_lock(&kept_mutex);
	for (unsigned int i = 0; i < 100; i++)
		KTEST_EXPECT_FALSE(test, sink_may_wait());
	mutex_unlock(&kept_mutex);
	KTEST_EXPECT_LE(test, times_logged("sink that waits"), RATELIMIT_BURST);
}

static const struct ktest_case sink_wait_cases[] = {
	KTEST_CASE(mutex_is_named),
	KTEST_CASE(spinlock_is_found),
	KTEST_CASE(terminal_looks),
	KTEST_CASE(few_warnings),
	{},
};
static struct ktest_suite sink_wait_suite = { .name = "sink_wait",
					      .cases = sink_wait_cases };
KTEST_SUITE(sink_wait_suite);
