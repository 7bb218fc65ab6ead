/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting for a free, an unpin or a put: which event wakes which waiter, several
 * ranges, and the frame that a failure at the deadline names. See evac_hold_test.c for
 * the forced race and for several waiters.
 */
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "kernel/trace/hold.h"
#include "tests/kernel/trace_only.h"
#include "tests/mm/test_mm.h"

#define PB	PAGEBLOCK_NR_PAGES
/* Time to wait: enough for all that happens meanwhile, on any machine. */
#define JOB_MS (time_is_virtual() ? 700U : 5000U)

/* Free a chunk and drain this hart's cache. Return: true if this woke @waiter. */
static bool free_wakes(struct ktest *test, struct test_mm *t, unsigned long pfn,
		       unsigned int order, const struct waiter *waiter)
{
	KTEST_ASSERT_TRUE(test, page_type(t->mm, pfn) == PGTY_SLAB);
	free_pages(t->mm, pfn, order);
	drain_local_pages(t->mm);
	return list_empty(&waiter->link);
}

/*
 * A free wakes waiters only in an isolated pageblock, and only if a waiter has
 * registered.
 */
static void frees_elsewhere_wake_nobody(struct ktest *test)
{
	static const u8 orders[] = { 0, 3, 5, 9, 10 };
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pfn_range isolated = { t->base, 2 * PB };
	const unsigned long inside = t->base + 100, outside = t->base + 4 * PB;
	struct waiter waiter;

	for (unsigned int i = 0; i < 2; i++)
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, inside + i, 0, PGTY_SLAB), 0);
	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &isolated, NO_WHY), 0);
	wait_prepare(&t->zone->freed, &waiter);
	KTEST_EXPECT_FALSE(test, free_wakes(test, t, inside, 0, &waiter));
	t->zone->nr_free_waiters++;
	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
		KTEST_ASSERT_EQ(test,
				alloc_pages_at(t->mm, outside, orders[i], PGTY_SLAB), 0);
		KTEST_EXPECT_FALSE(test,
				   free_wakes(test, t, outside, orders[i], &waiter));
	}
	KTEST_EXPECT_TRUE(test, free_wakes(test, t, inside + 1, 0, &waiter));
	t->zone->nr_free_waiters--;
	wait_finish(&t->zone->freed, &waiter);
	unisolate_range(t->mm, &isolated);
}

/* Freeing a list counts its frames and wakes the waiter, as single frees do. */
static void lists_wake_too(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pfn_range isolated = { t->base, PB };
	const unsigned long pfn[] = { t->base + 100, t->base + 102, t->base + 103 };
	struct waiter waiter;
	unsigned long free;

	for (unsigned int i = 0; i < ARRAY_SIZE(pfn); i++)
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn[i], 0, PGTY_SLAB), 0);
	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &isolated, NO_WHY), 0);
	free = t->zone->free_isolated;
	wait_prepare(&t->zone->freed, &waiter);
	free_pages_bulk(t->mm, pfn, 1);
	KTEST_EXPECT_FALSE(test, list_empty(&waiter.link));
	KTEST_EXPECT_EQ(test, t->zone->free_isolated, free + 1);
	t->zone->nr_free_waiters++;
	free_pages_bulk(t->mm, pfn + 1, 1);
	KTEST_EXPECT_TRUE(test, list_empty(&waiter.link));
	t->zone->nr_free_waiters--;
	wait_finish(&t->zone->freed, &waiter);
	free_pages_bulk(t->mm, pfn + 2, 1);
	KTEST_EXPECT_EQ(test, t->zone->free_isolated, PB);
	unisolate_range(t->mm, &isolated);
	KTEST_EXPECT_EQ(test, t->zone->free_isolated, 0);
}

/* An evacuation of three ranges, in its own thread. */
struct job {
	struct test_mm *t;
	struct pfn_range ranges[3];
	struct evacuate_policy policy;
	struct mm_failure why;
	u64 ended_at;
};

static int run_job(void *arg)
{
	struct job *job = arg;
	const int err = evacuate(job->t->mm, job->ranges, ARRAY_SIZE(job->ranges),
				 &job->policy, &job->why);

	WRITE_ONCE(job->ended_at, ktime_ns());
	return err;
}

/* Make a job with a page in use at the same place of each range, and JOB_MS to wait. */
static struct job *new_job(struct ktest *test, struct test_mm *t)
{
	struct job *job = ktest_alloc(test, sizeof(*job));

	*job = (struct job){ .t = t, .policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL) };
	job->policy.limits.wait = true;
	job->policy.limits.deadline_ns = ktime_ns() + JOB_MS * NSEC_PER_MSEC;
	for (unsigned int i = 0; i < ARRAY_SIZE(job->ranges); i++) {
		/* Two in one pageblock, one over a section's border. */
		job->ranges[i] = (struct pfn_range){
			t->base + (i == 2 ? PAGES_PER_SECTION - 60 : i * 120), 100
		};
		KTEST_ASSERT_EQ(test,
				alloc_pages_at(t->mm, job->ranges[i].start_pfn + 70, 0,
					       PGTY_SLAB),
				0);
	}
	return job;
}

/*
 * The pages are freed in reverse order, 110 ms apart: the last free ends the request,
 * after two searches.
 */
static void several_ranges_one_search(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 2);
	struct job *job = new_job(test, t);
	struct thread *thread = thread_create("job", run_job, job);
	u64 freed = 0;
	int err = 1;

	KTEST_ASSERT_NOT_NULL(test, thread);
	for (unsigned int i = 3; i-- > 0;) {
		msleep(110);
		KTEST_EXPECT_EQ(test, READ_ONCE(job->ended_at), 0);
		freed = ktime_ns();
		free_pages(t->mm, job->ranges[i].start_pfn + 70, 0);
	}
	KTEST_ASSERT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, &err), 0);
	KTEST_EXPECT_EQ(test, err, 0);
	KTEST_EXPECT_LE(test, job->why.scans, 2);
	KTEST_EXPECT_SOON(test, job->ended_at - freed, NSEC_PER_MSEC);
	KTEST_EXPECT_EQ(test, t->zone->nr_free_waiters, 0);
	for (unsigned int i = 0; i < 3; i++)
		free_contig_range(t->mm, job->ranges[i].start_pfn, 100);
}

/*
 * At the deadline the failure names a page that is still in the way, not the one that
 * the request waited for first.
 */
static void the_page_that_is_left_is_named(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 2);
	struct job *job = new_job(test, t);
	struct thread *thread = thread_create("job", run_job, job);
	const unsigned long left = job->ranges[2].start_pfn + 70;
	int err = 0;

	KTEST_ASSERT_NOT_NULL(test, thread);
	for (unsigned int i = 0; i < 2; i++) {
		msleep(110);
		free_pages(t->mm, job->ranges[i].start_pfn + 70, 0);
	}
	KTEST_ASSERT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, &err), 0);
	KTEST_EXPECT_EQ(test, err, -ETIMEDOUT);
	KTEST_EXPECT_EQ(test, job->why.reason, MM_REASON_DEADLINE);
	KTEST_EXPECT_EQ(test, job->why.phase, EVAC_WAIT);
	KTEST_EXPECT_EQ(test, job->why.pfn, left);
	KTEST_EXPECT_GE(test, job->ended_at, job->policy.limits.deadline_ns);
	KTEST_EXPECT_SOON(test, job->ended_at - job->policy.limits.deadline_ns,
			  200 * NSEC_PER_MSEC);
	KTEST_EXPECT_EQ(test, t->zone->nr_isolated, 0);
	KTEST_EXPECT_EQ(test, t->zone->nr_free_waiters, 0);
	free_pages(t->mm, left, 0);
}

static void let_go(void *unused)
{
	(void)unused;
	hold_go();
}

/* A request is held past its deadline before its wait: it still sleeps its remaining time. */
static void a_held_waiter_sleeps(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 2);
	struct job *job = new_job(test, t);
	struct thread *thread;
	int err = 1;

	ktest_add_action(test, let_go, NULL);
	hold_set(&(struct hold_place){ .event = TRACE_EVAC_PHASE, .at = EVAC_WAIT });
	thread = thread_create("job", run_job, job);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_ASSERT_TRUE(test, hold_wait(ktime_ns() + STEP_NS, NULL));
	msleep(JOB_MS + 300);
	hold_go();
	while (READ_ONCE(t->zone->nr_free_waiters) == 0 && READ_ONCE(job->ended_at) == 0)
		msleep(1);
	msleep(300);
	KTEST_EXPECT_EQ(test, READ_ONCE(job->ended_at), 0);
	KTEST_EXPECT_EQ(test, READ_ONCE(t->zone->nr_free_waiters), 1);
	for (unsigned int i = 0; i < 3; i++)
		free_pages(t->mm, job->ranges[i].start_pfn + 70, 0);
	KTEST_ASSERT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, &err), 0);
	KTEST_EXPECT_EQ(test, err, 0);
	for (unsigned int i = 0; i < 3; i++)
		free_contig_range(t->mm, job->ranges[i].start_pfn, 100);
}

struct later {
	struct test_mm *t;
	void (*fn)(struct test_mm *t);
	u32 called;
};

static int do_later(void *arg)
{
	struct later *later = arg;

	msleep(120);
	WRITE_ONCE(later->called, 1);
	later->fn(later->t);
	return 0;
}

/* Expect that a request for @nr frames at t->base waits, and ends soon after @fn is called. */
static void expect_end_after(struct ktest *test, struct test_mm *t, unsigned long nr,
			     void (*fn)(struct test_mm *t))
{
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct later later = { t, fn, 0 };
	struct thread *thread = thread_create("later", do_later, &later);
	struct mm_failure why;

	KTEST_ASSERT_NOT_NULL(test, thread);
	policy.limits.wait = true;
	KTEST_EXPECT_EQ(
		test, take_contig_range(t->mm, t->base, t->base + nr, &policy, &why), 0);
	KTEST_EXPECT_EQ(test, READ_ONCE(later.called), 1);
	/* The waiter wakes at once, and not at its next look. */
	KTEST_EXPECT_SOON(test, why.elapsed_ns, 130 * NSEC_PER_MSEC);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NONE);
	/* One scan before the sleep, and one for the page that has to move after it. */
	KTEST_EXPECT_LE(test, why.scans, 2);
	KTEST_EXPECT_EQ(test, t->zone->nr_free_waiters, 0);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, NULL), 0);
	free_contig_range(t->mm, t->base, nr);
}

static void unpin(struct test_mm *t)
{
	(void)page_unpin(t->mm, t->base);
}

/* The request waits for an unpin, then moves the page; no other code frees it. */
static void waits_for_unpin(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_slot slot;

	slots_at(test, t, &slot, 1, t->base);
	KTEST_ASSERT_EQ(test, page_pin(t->mm, t->base), 0);
	expect_end_after(test, t, 4, unpin);
	slots_gone(test, t, &slot, 1);
}

static void put(struct test_mm *t)
{
	page_put(t->mm, t->base);
}

/*
 * When a second reference is dropped, the page is not freed, but the request can move
 * it.
 */
static void waits_for_the_last_reference_but_one(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_slot slot;

	slots_at(test, t, &slot, 1, t->base);
	KTEST_ASSERT_TRUE(test, page_try_get(t->mm, t->base));
	expect_end_after(test, t, 4, put);
	slots_gone(test, t, &slot, 1);
}

/* Free the chunk; at once allocate again the half that the request does not need. */
static void free_and_take_half(struct test_mm *t)
{
	free_pages(t->mm, t->base, 10);
	(void)!alloc_pages_at(t->mm, t->base + PB, 9, PGTY_KERNEL);
}

static void waits_for_its_own_frames(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, 10, PGTY_KERNEL), 0);
	expect_end_after(test, t, PB, free_and_take_half);
	KTEST_ASSERT_EQ(test, page_type(t->mm, t->base + PB), PGTY_KERNEL);
	free_pages(t->mm, t->base + PB, 9);
}

struct block_later {
	struct window *w;
	unsigned long pfn;
};

static int free_later(void *arg)
{
	struct block_later *later = arg;

	msleep(50);
	free_pages(later->w->mm, later->pfn, 0);
	return 0;
}

/* Offlining a whole block also waits for a free, if its caller asks for that. */
static void offline_waits_if_asked_to(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct evacuate_policy policy = test_policy(EVAC_END_OFFLINE, PGTY_OFFLINE);
	struct block_later later = { w, window_pfn(w, 1) + 20 * PB };
	struct thread *thread;

	window_add_online(test, w, 1, MMOP_ONLINE_MOVABLE);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, later.pfn, 0, PGTY_SLAB), 0);
	policy.limits.wait = true;
	thread = thread_create("later", free_later, &later);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_EXPECT_EQ(test,
			offline_memory_block(w->mm, w->block + 1, &policy.limits, NO_WHY),
			0);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, NULL), 0);
}

static int wait_for_pin(void *arg)
{
	struct test_mm *t = arg;
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);

	policy.limits.wait = true;
	return take_contig_range(t->mm, t->base, t->base + PB, &policy, NO_WHY);
}

/* A pin ends before the wait: the request does not wait, and moves the page. */
static void unpinned_meanwhile(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long pfn = t->base + 9;
	struct trace_record r;
	struct page_slot slot;
	struct thread *thread;
	int err = 1;

	slot_at(test, t->mm, &slot, pfn, 0);
	KTEST_ASSERT_EQ(test, page_pin(t->mm, pfn), 0);
	hold_set(&(struct hold_place){ TRACE_EVAC_PHASE, EVAC_WAIT });
	thread = thread_create("waits", wait_for_pin, t);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_ASSERT_TRUE(test, hold_wait(ktime_ns() + STEP_NS, NULL));
	KTEST_ASSERT_EQ(test, page_unpin(t->mm, pfn), 0);
	trace_only("evac:move");
	hold_go();
	KTEST_ASSERT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, &err), 0);
	KTEST_EXPECT_EQ(test, err, 0);
	KTEST_ASSERT_TRUE(test, trace_take(&r));
	KTEST_EXPECT_EQ(test, r.pfn, pfn);
	KTEST_EXPECT_EQ(test, r.after, 0);
	trace_only(NULL);
	KTEST_EXPECT_NE(test, slot_pfn(&slot), pfn);
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &slot), 0);
	free_contig_range(t->mm, t->base, PB);
}

static const struct ktest_case wait_cases[] = {
	KTEST_CASE(frees_elsewhere_wake_nobody),
	KTEST_CASE(lists_wake_too),
	KTEST_CASE(several_ranges_one_search),
	KTEST_CASE(the_page_that_is_left_is_named),
	KTEST_CASE(a_held_waiter_sleeps),
	KTEST_CASE(waits_for_unpin),
	KTEST_CASE(waits_for_the_last_reference_but_one),
	KTEST_CASE(waits_for_its_own_frames),
	KTEST_CASE(offline_waits_if_asked_to),
	KTEST_CASE(unpinned_meanwhile),
	{},
};
static struct ktest_suite wait_suite = { .name = "wait_free", .cases = wait_cases };
KTEST_SUITE(wait_suite);
