/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that is woken after its deadline passes the wake-up on to another waiter. Here,
 * the wake-up comes after the thread's last look at the mutex and before the thread leaves
 * the queue. Host only, because only there can a test simulate the other harts.
 */
#include "host.h"
#include "kernel/mutex.h"
#include "kernel/sched.h"
#include "lib/errno.h"
#include "tests/kernel/test_threads.h"

#define DEADLINE_NS (10 * NSEC_PER_MSEC)
#define OTHER_HART  MAX_HARTS /* owner word of a lock that another hart holds */
/* Longer than one clock read, shorter than two: the interrupt comes between two reads. */
#define NEXT_LOOK_NS 150

static DEFINE_MUTEX(contended);
static struct thread holder, *hasty;
static u64 deadline;

static bool woken_late; /* the wake-up went to the hasty thread */

/*
 * Is the hasty thread in the queue for a last look: not yet woken, and past its
 * deadline?
 */
static bool looks_for_the_last_time(void)
{
	return current_thread() == hasty && !READ_ONCE(hasty->woken) &&
	       !list_empty(&contended.waiters.waiters) && ktime_ns() >= deadline;
}

/* Simulate a holder on another hart that releases the mutex and holds the queue's lock. */
static void unlock_by_holder(void)
{
	struct waiter *waiter;

	STORE_RELEASE(contended.owner, NULL);
	list_for_each_entry(waiter, &contended.waiters.waiters, link)
		if (waiter->thread == hasty)
			break;
	list_del_init(&waiter->link);
	contended.waiters.nr_waiters--;
	WRITE_ONCE(hasty->woken, true);
	STORE_RELEASE(contended.waiters.lock.owner, 0);
	host_play_others(NULL);
	woken_late = true;
}

/* Take the queue's lock when the hasty thread has only one look left. */
static void take_queue(struct timer *timer)
{
	if (looks_for_the_last_time()) {
		contended.waiters.lock.owner = OTHER_HART;
		host_play_others(unlock_by_holder);
	} else {
		timer_set(timer, NEXT_LOOK_NS);
	}
}

static int be_hasty(void *)
{
	hasty = current_thread();
	return mutex_lock_until(&contended, deadline);
}

/* Wait for the mutex as long as it takes, and record the time at which the wait ended. */
static int be_patient(void *had_ns)
{
	const int err = mutex_lock_until(&contended, ktime_ns() + 1000 * NSEC_PER_SEC);

	*(u64 *)had_ns = ktime_ns();
	if (err == 0)
		mutex_unlock(&contended);
	return err;
}

static void late_wake_up_is_passed_on(struct ktest *test)
{
	struct thread *first, *second;
	struct timer timer;
	u64 had_ns = 0;
	int err;

	if (nr_online_harts() > 1)
		ktest_skip(test, "needs virtual time: with several harts it is real");
	woken_late = false;
	contended.owner = &holder;
	deadline = ktime_ns() + DEADLINE_NS;
	first = thread_create("hasty", be_hasty, NULL);
	second = thread_create("patient", be_patient, &had_ns);
	KTEST_ASSERT_NOT_NULL(test, first);
	KTEST_ASSERT_NOT_NULL(test, second);
	timer_init(&timer, take_queue);
	timer_set(&timer, 0);
	KTEST_EXPECT_EQ(test, thread_join(first, ktime_ns() + STEP_NS, &err), 0);
	KTEST_EXPECT_EQ(test, err, -ETIMEDOUT);
	KTEST_EXPECT_TRUE(test, woken_late);
	KTEST_EXPECT_EQ(test, thread_join(second, ktime_ns() + 10000 * NSEC_PER_SEC, &err), 0);
	KTEST_EXPECT_EQ(test, err, 0);
	KTEST_EXPECT_LT(test, had_ns, deadline + STEP_NS);
	(void)timer_del(&timer);
}

static const struct ktest_case mutex_wake_cases[] = {
	KTEST_CASE(late_wake_up_is_passed_on),
	{},
};
static struct ktest_suite mutex_wake_suite = { .name = "mutex_wake", .cases = mutex_wake_cases };
KTEST_SUITE(mutex_wake_suite);
