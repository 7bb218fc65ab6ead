/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers and work queues.
 */
#include "kernel/ktest.h"
#include "kernel/timer.h"
#include "kernel/workqueue.h"
#include "lib/string.h"
#include "test_threads.h"

static char trail[16];
static unsigned int marks, fired, in_interrupt, told;

struct named_timer {
	struct timer timer;
	char name;
	unsigned int again; /* how often it sets itself again */
};

static bool timer_pending(const struct timer *timer)
{
	return timer->link.next != NULL;
}

struct named_work {
	struct work work;
	char name;
	unsigned int again;
	unsigned int runs;
};

static int reset(struct ktest *test)
{
	(void)test;
	memset(trail, 0, sizeof(trail));
	marks = fired = in_interrupt = told = 0;
	return 0;
}

/* Write the mark before it is counted in @fired: a reader of the count also sees the mark. */
static void leave_mark(char mark)
{
	const unsigned int at = __atomic_fetch_add(&marks, 1, __ATOMIC_RELAXED);

	if (at + 1 < sizeof(trail))
		trail[at] = mark;
	__atomic_fetch_add(&fired, 1, __ATOMIC_RELEASE);
}

static void on_timer(struct timer *timer)
{
	struct named_timer *named = container_of(timer, struct named_timer, timer);

	if (this_hart()->irq_depth == 1 && !arch_irqs_enabled())
		add_one(&in_interrupt);
	leave_mark(named->name);
	if (named->again > 0) {
		named->again--;
		timer_set(timer, NSEC_PER_MSEC);
	}
}

/* Return the time at which the timer with that name was to fire. */
static u64 expiry(const struct named_timer *timers, char name)
{
	return timers[name - 'a'].timer.expires;
}

static void timers_fire_in_order(struct ktest *test)
{
	struct named_timer t[3] = { { .name = 'a' }, { .name = 'b' }, { .name = 'c' } };
	const u64 delay[3] = { 3, 1, 2 };
	const u64 before = ktime_ns();

	for (int i = 0; i < 3; i++) {
		timer_init(&t[i].timer, on_timer);
		KTEST_EXPECT_FALSE(test, timer_pending(&t[i].timer));
		timer_set(&t[i].timer, delay[i] * 2 * NSEC_PER_MSEC);
	}
	KTEST_EXPECT_TRUE(test, wait_for_count(&fired, 3));
	KTEST_EXPECT_GE(test, ktime_ns(), before + 6 * NSEC_PER_MSEC);
	/* "bca", unless the host stopped this hart between two calls of timer_set(). */
	KTEST_EXPECT_LE(test, expiry(t, trail[0]), expiry(t, trail[1]));
	KTEST_EXPECT_LE(test, expiry(t, trail[1]), expiry(t, trail[2]));
	KTEST_EXPECT_EQ(test, in_interrupt, 3);
	for (int i = 0; i < 3; i++) {
		KTEST_EXPECT_FALSE(test, timer_pending(&t[i].timer));
		KTEST_EXPECT_FALSE(test, timer_del(&t[i].timer));
	}
}

static void deleted_timer_does_not_fire(struct ktest *test)
{
	struct named_timer t = { .name = 'x' };

	timer_init(&t.timer, on_timer);
	timer_set(&t.timer, 100 * NSEC_PER_SEC);
	KTEST_EXPECT_TRUE(test, timer_pending(&t.timer));
	KTEST_EXPECT_TRUE(test, timer_del(&t.timer));
	KTEST_EXPECT_FALSE(test, timer_pending(&t.timer));
	msleep(5);
	KTEST_EXPECT_EQ(test, fired, 0);
}

static void setting_again_replaces(struct ktest *test)
{
	struct named_timer t = { .name = 'x' };

	timer_init(&t.timer, on_timer);
	timer_set(&t.timer, 100 * NSEC_PER_SEC);
	timer_set(&t.timer, 1000 * NSEC_PER_SEC);
	msleep(5);
	KTEST_EXPECT_EQ(test, fired, 0);
	timer_set(&t.timer, 0);
	KTEST_EXPECT_TRUE(test, wait_for_count(&fired, 1));
	KTEST_EXPECT_FALSE(test, timer_pending(&t.timer));
	msleep(20);
	KTEST_EXPECT_EQ(test, fired, 1);
}

static void timer_may_set_itself(struct ktest *test)
{
	struct named_timer t = { .name = 'x', .again = 4 };

	timer_init(&t.timer, on_timer);
	timer_set(&t.timer, NSEC_PER_MSEC);
	KTEST_EXPECT_TRUE(test, wait_for_count(&fired, 5));
	msleep(4);
	KTEST_EXPECT_EQ(test, fired, 5);
}

static int set_and_delete(void *arg)
{
	struct named_timer *t = arg;

	for (int i = 0; i < 200; i++) {
		timer_set(&t->timer, i % 3 * 1000);
		cond_resched();
		(void)timer_del(&t->timer);
	}
	return 0;
}

static void timers_of_several_harts(struct ktest *test)
{
	static struct named_timer shared;
	struct crew crew;
	unsigned int count;

	shared.name = 's';
	timer_init(&shared.timer, on_timer);
	crew_start(test, &crew, set_and_delete, &shared);
	crew_join(test, &crew);
	(void)timer_del(&shared.timer);
	count = __atomic_load_n(&fired, __ATOMIC_ACQUIRE);
	msleep(3);
	KTEST_EXPECT_EQ(test, fired, count);
}

static struct {
	struct timer timer;
	unsigned int entered, deleting, ended;
} slow;

/* Run until the timer is being deleted, and for a while after that. */
static void on_slow(struct timer *)
{
	u64 end;

	add_one(&slow.entered);
	while (__atomic_load_n(&slow.deleting, __ATOMIC_ACQUIRE) == 0)
		arch_cpu_relax();
	for (end = ktime_ns() + NSEC_PER_MSEC; ktime_ns() < end;)
		arch_cpu_relax();
	add_one(&slow.ended);
}

static int set_slow(void *)
{
	timer_set(&slow.timer, 0);
	return 0;
}

/* Delete the timer. Do not yield: it may have interrupted any thread on the other hart. */
static int delete_slow(void *)
{
	while (__atomic_load_n(&slow.entered, __ATOMIC_ACQUIRE) == 0)
		arch_cpu_relax();
	add_one(&slow.deleting);
	(void)timer_del(&slow.timer);
	return (int)__atomic_load_n(&slow.ended, __ATOMIC_ACQUIRE);
}

static void deletion_waits_for_the_running(struct ktest *test)
{
	struct hart *hart, *two[2] = { NULL };
	struct thread *setter, *deleter;
	int ended = 0;

	for_each_hart(hart)
		two[two[0] != NULL] = hart;
	if (two[1] == NULL)
		ktest_skip(test, "needs two harts");
	timer_init(&slow.timer, on_slow);
	for (int round = 0; round < 10; round++) {
		slow.entered = slow.deleting = slow.ended = 0;
		deleter = thread_create_on(two[0]->id, "deleter", delete_slow, NULL);
		setter = thread_create_on(two[1]->id, "setter", set_slow, NULL);
		KTEST_ASSERT_NOT_NULL(test, deleter);
		KTEST_ASSERT_NOT_NULL(test, setter);
		KTEST_EXPECT_EQ(test, thread_join(deleter, ktime_ns() + STEP_NS, &ended), 0);
		KTEST_EXPECT_EQ(test, ended, 1);
		KTEST_EXPECT_EQ(test, thread_join(setter, ktime_ns() + STEP_NS, NULL), 0);
	}
}

static void on_work(struct work *work)
{
	struct named_work *named = container_of(work, struct named_work, work);

	named->runs++;
	if (named->again > 0) {
		named->again--;
		(void)schedule_work(work);
	}
	leave_mark(named->name);
}

static void works_run_in_order(struct ktest *test)
{
	struct named_work w[3] = { { .name = 'a' }, { .name = 'b' }, { .name = 'c' } };
	unsigned long flags;

	for (int i = 0; i < 3; i++)
		work_init(&w[i].work, on_work);
	/* Like an interrupt handler, so that the worker cannot run in between. */
	flags = arch_irq_save();
	KTEST_EXPECT_TRUE(test, schedule_work(&w[1].work));
	KTEST_EXPECT_TRUE(test, schedule_work(&w[0].work));
	KTEST_EXPECT_TRUE(test, schedule_work(&w[2].work));
	arch_irq_restore(flags);
	KTEST_EXPECT_TRUE(test, wait_for_count(&fired, 3));
	KTEST_EXPECT_STREQ(test, trail, "bac");
}

/* Keep the worker busy, so that later work stays pending. */
static void wait_until_told(struct work *work)
{
	(void)wait_for_count(&told, 1);
	on_work(work);
}

static void sleep_a_little(struct work *work)
{
	msleep(2);
	on_work(work);
}

static void pending_work_runs_once(struct ktest *test)
{
	struct named_work first = { .name = 'f' }, w = { .name = 'w' };

	work_init(&first.work, wait_until_told);
	work_init(&w.work, on_work);
	schedule_work(&first.work);
	KTEST_EXPECT_TRUE(test, schedule_work(&w.work));
	KTEST_EXPECT_FALSE(test, schedule_work(&w.work));
	add_one(&told);
	KTEST_EXPECT_TRUE(test, wait_for_count(&fired, 2));
	KTEST_EXPECT_FALSE(test, cancel_work_sync(&w.work));
	KTEST_EXPECT_EQ(test, w.runs, 1);
	KTEST_EXPECT_EQ(test, first.runs, 1);
}

static void work_may_schedule_itself(struct ktest *test)
{
	struct named_work w = { .name = 'w', .again = 5 };

	work_init(&w.work, on_work);
	schedule_work(&w.work);
	KTEST_EXPECT_TRUE(test, wait_for_count(&fired, 6));
	KTEST_EXPECT_FALSE(test, cancel_work_sync(&w.work));
	KTEST_EXPECT_EQ(test, w.runs, 6);
}

static void cancelled_work_does_not_run(struct ktest *test)
{
	struct named_work first = { .name = 'f' }, w = { .name = 'w' };

	work_init(&first.work, wait_until_told);
	work_init(&w.work, on_work);
	KTEST_EXPECT_FALSE(test, cancel_work_sync(&w.work));
	schedule_work(&first.work);
	schedule_work(&w.work);
	KTEST_EXPECT_TRUE(test, cancel_work_sync(&w.work));
	add_one(&told);
	msleep(5);
	KTEST_EXPECT_EQ(test, w.runs, 0);
	KTEST_EXPECT_TRUE(test, wait_for_count(&fired, 1));
	/* The work can be used again. */
	KTEST_EXPECT_TRUE(test, schedule_work(&w.work));
	KTEST_EXPECT_TRUE(test, wait_for_count(&fired, 2));
	KTEST_EXPECT_EQ(test, w.runs, 1);
}

static void cancel_waits_for_the_running(struct ktest *test)
{
	struct named_work w = { .name = 'w', .again = 1000000 };

	work_init(&w.work, sleep_a_little);
	schedule_work(&w.work);
	KTEST_EXPECT_TRUE(test, wait_for_count(&fired, 2));
	(void)cancel_work_sync(&w.work);
	KTEST_EXPECT_EQ(test, w.runs, fired);
	msleep(6);
	KTEST_EXPECT_EQ(test, w.runs, fired);
}

static const struct ktest_case work_cases[] = {
	KTEST_CASE(timers_fire_in_order),
	KTEST_CASE(deleted_timer_does_not_fire),
	KTEST_CASE(setting_again_replaces),
	KTEST_CASE(timer_may_set_itself),
	KTEST_CASE(timers_of_several_harts),
	KTEST_CASE(deletion_waits_for_the_running),
	KTEST_CASE(works_run_in_order),
	KTEST_CASE(pending_work_runs_once),
	KTEST_CASE(work_may_schedule_itself),
	KTEST_CASE(cancelled_work_does_not_run),
	KTEST_CASE(cancel_waits_for_the_running),
	{}
};

static struct ktest_suite work_suite = { .name = "workqueue", .init = reset,
					 .cases = work_cases };
KTEST_SUITE(work_suite);
