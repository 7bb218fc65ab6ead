/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A wait's limit counts only time in which the other side could work. In these cases, the
 * clock jumps during a wait, as when QEMU was stopped, and the event comes soon after the
 * jump. Host only, because only there can a test make the clock jump. Grace periods:
 * silent_hart_test.c.
 */
#include "host.h"
#include "kernel/mutex.h"
#include "kernel/patience.h"
#include "kernel/quiesce.h"
#include "kernel/spinlock.h"
#include "kernel/workqueue.h"
#include "tests/kernel/log.h"
#include "tests/kernel/test_threads.h"

#define STOPPED_NS (100 * NSEC_PER_SEC)
#define LIMIT_NS   (10 * NSEC_PER_SEC)

static DEFINE_SPINLOCK(jump_lock);
static DEFINE_MUTEX(jump_mutex);
static unsigned int ready, go_on;

/* @jump: the machine stops for a while. @then: the other harts act, a little later. */
static struct timer jump, then;

static int reset(struct ktest *)
{
	ready = go_on = 0;
	return 0;
}

static void on_jump(struct timer *)
{
	host_jump_clock(STOPPED_NS);
	timer_set(&then, NSEC_PER_MSEC);
}

static void let_go_on(struct timer *)
{
	add_one(&go_on);
}

static void no_timers(void *)
{
	(void)timer_del(&jump);
	(void)timer_del(&then);
}

static void jump_and_then(struct ktest *test, void (*fn)(struct timer *timer))
{
	timer_init(&jump, on_jump);
	timer_init(&then, fn);
	timer_set(&jump, NSEC_PER_MSEC);
	ktest_add_action(test, no_timers, NULL);
}

static int until_told(void *)
{
	add_one(&ready);
	while (__atomic_load_n(&go_on, __ATOMIC_ACQUIRE) == 0)
		msleep(1);
	return 7;
}

/* A wait ends only when the waiter has looked often enough and the time is over. */
static void both_must_be_over(struct ktest *test)
{
	struct patience patience;
	unsigned int looks = 0;
	u64 start;

	patience_start(&patience, LIMIT_NS);
	while (patience_lasts(&patience)) {
		host_jump_clock(LIMIT_NS);
		looks++;
	}
	KTEST_EXPECT_GE(test, looks, PATIENCE_LOOKS - 1);
	KTEST_EXPECT_LE(test, looks, PATIENCE_LOOKS);
	start = ktime_ns();
	patience_start(&patience, 10 * NSEC_PER_MSEC);
	while (patience_lasts(&patience))
		looks++;
	KTEST_EXPECT_GE(test, ktime_ns() - start, 10 * NSEC_PER_MSEC);
	KTEST_EXPECT_GT(test, looks, 2 * PATIENCE_LOOKS);
	patience_start(&patience, 0);
	KTEST_EXPECT_FALSE(test, patience_lasts(&patience));
}

static void release_lock(struct timer *)
{
	STORE_RELEASE(jump_lock.owner, 0);
}

static void spinlock(struct ktest *test)
{
	jump_and_then(test, release_lock);
	/*
	 * Mark the lock as held by the next hart. The test stays on this hart: no
	 * preemption.
	 */
	jump_lock.owner = (this_hart()->id + 1) % MAX_HARTS + 1;
	spin_lock(&jump_lock);
	KTEST_EXPECT_TRUE(test, spin_is_held(&jump_lock));
	spin_unlock(&jump_lock);
}

static int hold_mutex(void *unused)
{
	mutex_lock(&jump_mutex);
	(void)until_told(unused);
	mutex_unlock(&jump_mutex);
	return 0;
}

/*
 * A waiter must not log "has waited 30 s" about a mutex that was held for a few
 * milliseconds.
 */
static void mutex_is_not_reported(struct ktest *test)
{
	const unsigned int before = times_logged("mutex jump_mutex: ");
	struct thread *thread = thread_create("holder", hold_mutex, NULL);

	KTEST_ASSERT_NOT_NULL(test, thread);
	jump_and_then(test, let_go_on);
	KTEST_ASSERT_TRUE(test, wait_for_count(&ready, 1));
	mutex_lock(&jump_mutex);
	KTEST_EXPECT_EQ(test, go_on, 1);
	mutex_unlock(&jump_mutex);
	KTEST_EXPECT_EQ(test, times_logged("mutex jump_mutex: "), before);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + LIMIT_NS, NULL), 0);
}

static void join(struct ktest *test)
{
	struct thread *thread;
	int result = 0;

	jump_and_then(test, let_go_on);
	thread = thread_create("late", until_told, NULL);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + LIMIT_NS, &result), 0);
	KTEST_EXPECT_EQ(test, result, 7);
}

static void long_work(struct work *)
{
	(void)until_told(NULL);
}

static void cancelled_work(struct ktest *test)
{
	const unsigned int before = times_logged("cannot be cancelled");
	static struct work work;

	jump_and_then(test, let_go_on);
	work_init(&work, long_work);
	KTEST_EXPECT_TRUE(test, schedule_work(&work));
	KTEST_ASSERT_TRUE(test, wait_for_count(&ready, 1));
	KTEST_EXPECT_FALSE(test, cancel_work_sync(&work));
	KTEST_EXPECT_EQ(test, go_on, 1);
	KTEST_EXPECT_EQ(test, times_logged("cannot be cancelled"), before);
}

static struct timer busy;
static unsigned int entered, deleting, ended;

static void on_busy(struct timer *)
{
	add_one(&entered);
	while (__atomic_load_n(&deleting, __ATOMIC_ACQUIRE) == 0)
		arch_cpu_relax();
	host_jump_clock(STOPPED_NS);
	for (const u64 end = ktime_ns() + NSEC_PER_MSEC; ktime_ns() < end;)
		arch_cpu_relax();
	add_one(&ended);
}

static int set_busy(void *)
{
	timer_set(&busy, 0);
	return 0;
}

static int delete_busy(void *)
{
	while (__atomic_load_n(&entered, __ATOMIC_ACQUIRE) == 0)
		arch_cpu_relax();
	add_one(&deleting);
	(void)timer_del(&busy);
	return (int)__atomic_load_n(&ended, __ATOMIC_ACQUIRE);
}

/* The machine stops while a timer's function runs on another hart. */
static void timer_deletion(struct ktest *test)
{
	struct thread *setter, *deleter;
	int after = 0;

	if (nr_online_harts() < 2)
		ktest_skip(test, "needs two harts");
	entered = deleting = ended = 0;
	timer_init(&busy, on_busy);
	deleter = thread_create_on(0, "deleter", delete_busy, NULL);
	setter = thread_create_on(1, "setter", set_busy, NULL);
	KTEST_ASSERT_NOT_NULL(test, deleter);
	KTEST_ASSERT_NOT_NULL(test, setter);
	KTEST_EXPECT_EQ(test, thread_join(deleter, ktime_ns() + LIMIT_NS, &after), 0);
	KTEST_EXPECT_EQ(test, after, 1);
	KTEST_EXPECT_EQ(test, thread_join(setter, ktime_ns() + LIMIT_NS, NULL), 0);
}

static int busy_until_told(void *)
{
	add_one(&ready);
	while (__atomic_load_n(&go_on, __ATOMIC_ACQUIRE) == 0)
		arch_cpu_relax();
	return 0;
}

static void count(void *counter)
{
	add_one(counter);
}

/* The other hart reaches no quiescent point before the machine stops. */
static void stopped_machine_stops(struct ktest *test)
{
	struct thread *thread;
	unsigned int calls = 0;

	if (nr_online_harts() < 2)
		ktest_skip(test, "needs two harts");
	thread = thread_create_on(1, "busy", busy_until_told, NULL);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_ASSERT_TRUE(test, wait_for_count(&ready, 1));
	jump_and_then(test, let_go_on);
	KTEST_EXPECT_EQ(test, stop_machine(count, &calls, LIMIT_NS), 0);
	KTEST_EXPECT_EQ(test, calls, 1);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + LIMIT_NS, NULL), 0);
}

static const struct ktest_case patience_cases[] = {
	KTEST_CASE(both_must_be_over),
	KTEST_CASE(spinlock),
	KTEST_CASE(mutex_is_not_reported),
	KTEST_CASE(join),
	KTEST_CASE(cancelled_work),
	KTEST_CASE(timer_deletion),
	KTEST_CASE(stopped_machine_stops),
	{},
};
static struct ktest_suite patience_suite = { .name = "patience", .init = reset,
					     .cases = patience_cases };
KTEST_SUITE(patience_suite);
