/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Grace periods.
 */
#include "kernel/ktest.h"
#include "kernel/quiesce.h"
#include "lib/errno.h"
#include "test_threads.h"

#define TIMEOUT_NS (60 * NSEC_PER_SEC)
#define ROUNDS	   60

static unsigned int calls[MAX_HARTS];
static unsigned int in_handler, stop, running, stale;

static int reset(struct ktest *test)
{
	(void)test;
	for (unsigned int i = 0; i < MAX_HARTS; i++)
		calls[i] = 0;
	in_handler = stop = running = stale = 0;
	return 0;
}

static void count_call(void *arg)
{
	(void)arg;
	add_one(&calls[this_hart()->id]);
	if (this_hart()->irq_depth != 0 || !arch_irqs_enabled())
		add_one(&in_handler);
}

static void expect_calls(struct ktest *test, unsigned int nr)
{
	struct hart *hart;

	for_each_hart(hart)
		KTEST_EXPECT_EQ(test, calls[hart->id], nr);
}

static void runs_once_on_each_hart(struct ktest *test)
{
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		KTEST_ASSERT_EQ(test, on_each_hart(count_call, NULL, TIMEOUT_NS), 0);
		expect_calls(test, round);
	}
	KTEST_EXPECT_EQ(test, in_handler, 0);
}

static void idle_harts_are_woken(struct ktest *test)
{
	/* Long enough for all threads to fall asleep. */
	msleep(20);
	KTEST_EXPECT_EQ(test, synchronize_harts(TIMEOUT_NS), 0);
}

static int request_often(void *arg)
{
	int failed = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS / 10; i++)
		failed += on_each_hart(count_call, NULL, TIMEOUT_NS) != 0;
	return failed;
}

/* All harts request a grace period at the same time; they must serve each other. */
static void requesters_do_not_block_each_other(struct ktest *test)
{
	struct crew crew;

	crew_start(test, &crew, request_often, NULL);
	KTEST_EXPECT_EQ(test, crew_join(test, &crew), 0);
	expect_calls(test, ROUNDS / 10 * crew.nr);
	KTEST_EXPECT_EQ(test, in_handler, 0);
}

static int busy_with_points(void *arg)
{
	(void)arg;
	add_one(&running);
	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) == 0) {
		cond_resched();
		arch_cpu_relax();
	}
	return 0;
}

static void busy_harts_are_served(struct ktest *test)
{
	struct crew crew;

	crew_start(test, &crew, busy_with_points, NULL);
	KTEST_EXPECT_TRUE(test, wait_for_count(&running, crew.nr));
	for (int i = 0; i < ROUNDS; i++)
		KTEST_ASSERT_EQ(test, synchronize_harts(TIMEOUT_NS), 0);
	add_one(&stop);
	crew_join(test, &crew);
}

static int busy_without_points(void *arg)
{
	const u64 limit = ktime_ns() + TIMEOUT_NS;

	(void)arg;
	add_one(&running);
	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) == 0 && ktime_ns() < limit)
		arch_cpu_relax();
	return 0;
}

/* Return a hart other than the caller's, or NULL. */
static struct hart *another_hart(void)
{
	struct hart *hart;

	for_each_hart(hart)
		if (hart != this_hart())
			return hart;
	return NULL;
}

static void timeout_takes_the_request_back(struct ktest *test)
{
	const struct hart *other = another_hart();
	struct thread *thread;
	u64 before;

	if (other == NULL)
		ktest_skip(test, "needs two harts");
	thread = thread_create_on(other->id, "stubborn", busy_without_points, NULL);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_ASSERT_TRUE(test, wait_for_count(&running, 1));
	other = hart_by_id(other->id);
	before = ktime_ns();
	KTEST_EXPECT_EQ(test, on_each_hart(count_call, NULL, 20 * NSEC_PER_MSEC), -ETIMEDOUT);
	KTEST_EXPECT_GE(test, ktime_ns(), before + 20 * NSEC_PER_MSEC);
	add_one(&stop);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, NULL), 0);
	/* The hart is quiescent again, and does not serve the old request late. */
	KTEST_EXPECT_EQ(test, synchronize_harts(TIMEOUT_NS), 0);
	KTEST_EXPECT_EQ(test, calls[other->id], 0);
}

/*
 * The typical use: readers use an object without atomics between two quiescent points;
 * the writer unlinks it, waits, and overwrites it.
 */
#define NR_OBJECTS 4
#define GOOD	   0x600dUL
#define BAD	   0xbadUL
static u64 objects[NR_OBJECTS];
static u64 *published;

static int reader(void *arg)
{
	(void)arg;
	add_one(&running);
	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) == 0) {
		u64 *object = __atomic_load_n(&published, __ATOMIC_ACQUIRE);

		for (int i = 0; i < 20; i++)
			if (READ_ONCE(*object) != GOOD)
				add_one(&stale);
		cond_resched();
	}
	return 0;
}

static void nobody_sees_what_is_gone(struct ktest *test)
{
	struct crew crew;

	for (int i = 0; i < NR_OBJECTS; i++)
		objects[i] = GOOD;
	published = &objects[0];
	crew_start(test, &crew, reader, NULL);
	KTEST_EXPECT_TRUE(test, wait_for_count(&running, crew.nr));
	for (int i = 1; i <= ROUNDS; i++) {
		u64 *old = published;
		u64 *new = &objects[i % NR_OBJECTS];

		WRITE_ONCE(*new, GOOD);
		__atomic_store_n(&published, new, __ATOMIC_RELEASE);
		KTEST_EXPECT_EQ(test, synchronize_harts(TIMEOUT_NS), 0);
		WRITE_ONCE(*old, BAD);
		yield();
	}
	add_one(&stop);
	crew_join(test, &crew);
	KTEST_EXPECT_EQ(test, stale, 0);
}

static const struct ktest_case quiesce_cases[] = {
	KTEST_CASE(runs_once_on_each_hart),
	KTEST_CASE(idle_harts_are_woken),
	KTEST_CASE(requesters_do_not_block_each_other),
	KTEST_CASE(busy_harts_are_served),
	KTEST_CASE(timeout_takes_the_request_back),
	KTEST_CASE(nobody_sees_what_is_gone),
	{}
};

static struct ktest_suite quiesce_suite = { .name = "quiesce", .init = reset,
					    .cases = quiesce_cases };
KTEST_SUITE(quiesce_suite);
