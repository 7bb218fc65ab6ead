/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads, wait queues and sleeping.
 */
#include "kernel/ktest.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "test_threads.h"

static DEFINE_WAIT_QUEUE(test_queue);
static unsigned int flag, woken, looks, counter;

static int reset(struct ktest *test)
{
	(void)test;
	flag = woken = looks = counter = 0;
	return 0;
}

static int return_arg(void *arg)
{
	return (int)(uintptr_t)arg;
}

static int exit_early(void *arg)
{
	thread_exit((int)(uintptr_t)arg);
}

static void results_are_joined(struct ktest *test)
{
	int result = 0;
	struct thread *thread = thread_create("returns", return_arg, (void *)42UL);

	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_EXPECT_STREQ(test, thread_name(thread), "returns");
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, &result), 0);
	KTEST_EXPECT_EQ(test, result, 42);
	thread = thread_create("a name that is too long", exit_early, (void *)7UL);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_EXPECT_EQ(test, strlen(thread_name(thread)), THREAD_NAME_SIZE - 1);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, &result), 0);
	KTEST_EXPECT_EQ(test, result, 7);
}

static bool look_at_flag(void)
{
	add_one(&looks);
	return READ_ONCE(flag) != 0;
}

static int wait_for_flag(void *arg)
{
	const u64 *deadline = arg;
	const bool met = wait_event_until(&test_queue, look_at_flag(), *deadline);

	add_one(&woken);
	return met;
}

static void join_has_a_deadline(struct ktest *test)
{
	u64 deadline = ktime_ns() + STEP_NS;
	struct thread *thread = thread_create("waits", wait_for_flag, &deadline);
	const u64 before = ktime_ns();
	int result = 0;

	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_EXPECT_EQ(test, thread_join(thread, before + 3 * NSEC_PER_MSEC, NULL),
			-ETIMEDOUT);
	KTEST_EXPECT_GE(test, ktime_ns(), before + 3 * NSEC_PER_MSEC);
	KTEST_EXPECT_EQ(test, READ_ONCE(woken), 0);
	WRITE_ONCE(flag, 1);
	wake_up_all(&test_queue);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, &result), 0);
	KTEST_EXPECT_EQ(test, result, 1);
}

static int count_hart(void *arg)
{
	const unsigned int *hart = arg;
	int wrong = 0;

	for (int i = 0; i < 50; i++) {
		wrong += this_hart()->id != *hart;
		yield();
	}
	return wrong;
}

static void pinned_threads_stay(struct ktest *test)
{
	static unsigned int ids[MAX_HARTS];
	struct thread *thread[MAX_HARTS] = { NULL };

	for (unsigned int i = 0; i < nr_harts(); i++) {
		ids[i] = i;
		if (hart_is_online(hart_by_id(i)))
			thread[i] = thread_create_on(i, "pinned", count_hart, &ids[i]);
	}
	for (unsigned int i = 0; i < nr_harts(); i++) {
		int wrong = 0;

		if (thread[i] == NULL)
			continue;
		KTEST_EXPECT_EQ(test, thread_join(thread[i], ktime_ns() + STEP_NS, &wrong), 0);
		KTEST_EXPECT_EQ(test, wrong, 0);
	}
	KTEST_EXPECT_NULL(test, thread_create_on(MAX_HARTS, "nowhere", return_arg, NULL));
}

static void threads_are_reused(struct ktest *test)
{
	for (unsigned int i = 0; i < 5 * MAX_THREADS; i++) {
		struct thread *thread = thread_create("brief", return_arg, NULL);

		KTEST_ASSERT_NOT_NULL(test, thread);
		if (i % 2 == 0)
			thread_detach(thread);
		else
			KTEST_ASSERT_EQ(test,
					thread_join(thread, ktime_ns() + STEP_NS, NULL), 0);
		yield();
	}
}

static int use_stack(void *arg)
{
	volatile char room[4096];
	unsigned int *done = arg;

	for (unsigned int i = 0; i < sizeof(room); i += 64)
		room[i] = (char)i;
	for (int i = 0; i < 20; i++)
		yield();
	for (unsigned int i = 0; i < sizeof(room); i += 64)
		if (room[i] != (char)i)
			return 1;
	add_one(done);
	return 0;
}

static void stacks_are_separate(struct ktest *test)
{
	struct thread *thread[10];
	int sum = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(thread); i++) {
		thread[i] = thread_create("stack", use_stack, &counter);
		KTEST_ASSERT_NOT_NULL(test, thread[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(thread); i++) {
		int result = 1;

		KTEST_EXPECT_EQ(test, thread_join(thread[i], ktime_ns() + STEP_NS, &result), 0);
		sum += result;
	}
	KTEST_EXPECT_EQ(test, sum, 0);
	KTEST_EXPECT_EQ(test, counter, ARRAY_SIZE(thread));
}

static void yield_lets_others_run(struct ktest *test)
{
	struct thread *thread = thread_create_on(this_hart()->id, "other", return_arg, NULL);

	KTEST_ASSERT_NOT_NULL(test, thread);
	for (int i = 0; i < 3; i++)
		yield();
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, NULL), 0);
}

static void true_condition_does_not_wait(struct ktest *test)
{
	const u64 before = ktime_ns();

	KTEST_EXPECT_TRUE(test, wait_event_until(&test_queue, true, 0));
	KTEST_EXPECT_TRUE(test, wait_event_until(&test_queue, true, before + STEP_NS));
	KTEST_EXPECT_SOON(test, ktime_ns() - before, NSEC_PER_SEC);
	KTEST_EXPECT_FALSE(test, has_waiters(&test_queue));
}

static void deadline_ends_the_wait(struct ktest *test)
{
	const u64 before = ktime_ns();

	KTEST_EXPECT_FALSE(test, wait_event_until(&test_queue, false, before));
	KTEST_EXPECT_FALSE(test, wait_event_until(&test_queue, false,
						  before + 4 * NSEC_PER_MSEC));
	KTEST_EXPECT_GE(test, ktime_ns(), before + 4 * NSEC_PER_MSEC);
	KTEST_EXPECT_FALSE(test, has_waiters(&test_queue));
}

static void wake_all_and_wake_one(struct ktest *test)
{
	u64 deadline = ktime_ns() + STEP_NS;
	struct thread *thread[3];

	for (unsigned int i = 0; i < ARRAY_SIZE(thread); i++) {
		thread[i] = thread_create("waiter", wait_for_flag, &deadline);
		KTEST_ASSERT_NOT_NULL(test, thread[i]);
	}
	KTEST_ASSERT_TRUE(test, wait_for_count(&looks, 3));
	/* The condition is still false: every waiter checks it and sleeps again. */
	wake_up_all(&test_queue);
	KTEST_ASSERT_TRUE(test, wait_for_count(&looks, 6));
	KTEST_EXPECT_EQ(test, READ_ONCE(woken), 0);
	WRITE_ONCE(flag, 1);
	wake_up_one(&test_queue);
	KTEST_EXPECT_TRUE(test, wait_for_count(&woken, 1));
	msleep(2);
	KTEST_EXPECT_EQ(test, READ_ONCE(woken), 1);
	KTEST_EXPECT_EQ(test, READ_ONCE(test_queue.nr_waiters), 2);
	wake_up_all(&test_queue);
	for (unsigned int i = 0; i < ARRAY_SIZE(thread); i++)
		KTEST_EXPECT_EQ(test, thread_join(thread[i], ktime_ns() + STEP_NS, NULL), 0);
	KTEST_EXPECT_EQ(test, READ_ONCE(woken), 3);
	KTEST_EXPECT_FALSE(test, has_waiters(&test_queue));
}

/* Two threads take turns: a lost wake-up would show as a timeout. */
static int take_turns(void *arg)
{
	const unsigned int mine = (unsigned int)(uintptr_t)arg;
	int late = 0;

	for (unsigned int i = 0; i < 300; i++) {
		if (!wait_event_until(&test_queue, READ_ONCE(counter) % 2 == mine,
				      ktime_ns() + STEP_NS))
			late++;
		__atomic_fetch_add(&counter, 1, __ATOMIC_RELEASE);
		wake_up_all(&test_queue);
	}
	return late;
}

static void no_wake_up_is_lost(struct ktest *test)
{
	struct thread *even = thread_create("even", take_turns, (void *)0);
	struct thread *odd = thread_create("odd", take_turns, (void *)1UL);
	int late_even = 1, late_odd = 1;

	KTEST_ASSERT_NOT_NULL(test, even);
	KTEST_ASSERT_NOT_NULL(test, odd);
	KTEST_EXPECT_EQ(test, thread_join(even, ktime_ns() + STEP_NS, &late_even), 0);
	KTEST_EXPECT_EQ(test, thread_join(odd, ktime_ns() + STEP_NS, &late_odd), 0);
	KTEST_EXPECT_EQ(test, late_even + late_odd, 0);
	KTEST_EXPECT_EQ(test, counter, 600);
}

static void sleep_is_long_enough(struct ktest *test)
{
	const u64 before = ktime_ns();

	msleep(3);
	KTEST_EXPECT_GE(test, ktime_ns(), before + 3 * NSEC_PER_MSEC);
	msleep(0);
}

static const struct ktest_case thread_cases[] = {
	KTEST_CASE(results_are_joined),
	KTEST_CASE(join_has_a_deadline),
	KTEST_CASE(pinned_threads_stay),
	KTEST_CASE(threads_are_reused),
	KTEST_CASE(stacks_are_separate),
	KTEST_CASE(yield_lets_others_run),
	KTEST_CASE(true_condition_does_not_wait),
	KTEST_CASE(deadline_ends_the_wait),
	KTEST_CASE(wake_all_and_wake_one),
	KTEST_CASE(no_wake_up_is_lost),
	KTEST_CASE(sleep_is_long_enough),
	{}
};

static struct ktest_suite thread_suite = { .name = "thread", .init = reset,
					   .cases = thread_cases };
KTEST_SUITE(thread_suite);
