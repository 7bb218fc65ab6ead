/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hold points and, with their help, the rule for waiting: whenever the page is freed, the
 * request ends after at most two searches.
 */
#include "kernel/console/shell.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "kernel/trace/hold.h"
#include "tests/mm/test_mm.h"

#define PB	PAGEBLOCK_NR_PAGES
#define NR	(4 * PB)
/* The meaning of "right after". */
#define SOON_NS (20 * NSEC_PER_MSEC)
/*
 * A deadline that passes while the thread is held; everything else fits into it on any
 * machine.
 */
#define DEADLINE_MS 3000U

/* An evacuation in its own thread. */
struct job {
	struct test_mm *t;
	unsigned long start, nr;
	struct evacuate_policy policy;
	struct mm_failure why;
	struct thread *thread;
	u64 ended_at;
};

static int run_job(void *arg)
{
	struct job *job = arg;
	const struct pfn_range range = { job->start, job->nr };
	const int err = evacuate(job->t->mm, &range, 1, &job->policy, &job->why);

	job->ended_at = ktime_ns();
	return err;
}

static void let_go(void *unused)
{
	(void)unused;
	hold_go();
}

/*
 * Start a job that evacuates [start, start + nr) and waits for frees. When the case ends,
 * held threads are released.
 */
static struct job *start_job_with(struct ktest *test, struct test_mm *t, unsigned long start,
				  unsigned long nr, const struct evacuate_policy *policy)
{
	struct job *job = ktest_alloc(test, sizeof(*job));

	*job = (struct job){ .t = t, .start = start, .nr = nr, .policy = *policy };
	job->policy.limits.wait = true;
	ktest_add_action(test, let_go, NULL);
	job->thread = thread_create("job", run_job, job);
	KTEST_ASSERT_NOT_NULL(test, job->thread);
	return job;
}

/* Start a job without a deadline. */
static struct job *start_job(struct ktest *test, struct test_mm *t, unsigned long start,
			     unsigned long nr)
{
	const struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);

	return start_job_with(test, t, start, nr, &policy);
}

static int end_job(struct ktest *test, struct job *job)
{
	int err = 1;

	KTEST_ASSERT_EQ(test, thread_join(job->thread, ktime_ns() + STEP_NS, &err), 0);
	return err;
}

static void hold(enum trace_event_id event, u64 at)
{
	hold_set(&(struct hold_place){ .event = event, .at = at });
}

static void expect_held(struct ktest *test, enum trace_event_id event, u64 at)
{
	struct hold_place place;

	KTEST_ASSERT_TRUE(test, hold_wait(ktime_ns() + STEP_NS, &place));
	KTEST_EXPECT_EQ(test, place.event, event);
	KTEST_EXPECT_EQ(test, place.at, at);
}

/* Each phase can be held; a step goes to the next phase, whichever phase was set. */
static void each_phase_can_be_held(struct ktest *test)
{
	static const u8 phases[] = { EVAC_ISOLATE, EVAC_DRAIN, EVAC_CLASSIFY, EVAC_COMMIT,
				     EVAC_IDLE };
	struct test_mm *t = test_mm_normal(test, 1);
	struct job *job;

	hold(TRACE_EVAC_PHASE, EVAC_ISOLATE);
	job = start_job(test, t, t->base, NR);
	for (unsigned int i = 0; i < ARRAY_SIZE(phases); i++) {
		expect_held(test, TRACE_EVAC_PHASE, phases[i]);
		if (phases[i] > EVAC_ISOLATE && phases[i] < EVAC_COMMIT)
			KTEST_EXPECT_EQ(test, t->zone->nr_isolated, NR / PB);
		hold_step();
	}
	KTEST_EXPECT_EQ(test, end_job(test, job), 0);
	free_contig_range(t->mm, t->base, NR);
}

/* Give the held thread a deadline, and let the deadline pass. */
static void outlast(struct ktest *test, struct job *job, enum evac_phase phase)
{
	expect_held(test, TRACE_EVAC_PHASE, phase);
	job->policy.limits.deadline_ns = ktime_ns() + DEADLINE_MS * NSEC_PER_MSEC;
	msleep(DEADLINE_MS + 300);
}

/*
 * While a thread is held, other threads allocate, free, and read. The held thread's clock
 * stands still.
 */
static void a_held_deadline_stands_still(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_slot slot;
	struct job *job;

	hold(TRACE_EVAC_PHASE, EVAC_CLASSIFY);
	job = start_job(test, t, t->base, NR);
	outlast(test, job, EVAC_CLASSIFY);
	KTEST_ASSERT_EQ(test, slot_alloc(t->mm, &slot, 0), 0);
	KTEST_EXPECT_FALSE(test, slot_pfn(&slot) >= t->base && slot_pfn(&slot) < t->base + NR);
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &slot), 0);
	KTEST_EXPECT_TRUE(test, hold_wait(0, NULL));
	hold_go();
	KTEST_EXPECT_EQ(test, end_job(test, job), 0);
	KTEST_EXPECT_FALSE(test, hold_wait(0, NULL));
	KTEST_EXPECT_SOON(test, job->why.elapsed_ns, 200 * NSEC_PER_MSEC);
	free_contig_range(t->mm, t->base, NR);
}

static int search_in_thread(void *arg)
{
	struct job *job = arg;

	job->start = take_contig_pages(job->t->mm, PB, &job->policy, &job->why);
	return job->start == PFN_NONE;
}

/* A search tries one place after the other, all with the same deadline. */
static void a_held_search_goes_on(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct job *job = ktest_alloc(test, sizeof(*job));
	unsigned long pfn = ALIGN_UP(t->zone->start_pfn, PB);

	ktest_add_action(test, let_go, NULL);
	while (next_used(t->mm, pfn, pfn + PB) != pfn + PB)
		pfn += PB;
	*job = (struct job){ .t = t, .policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL) };
	hold(TRACE_EVAC_PHASE, EVAC_ISOLATE);
	job->thread = thread_create("job", search_in_thread, job);
	KTEST_ASSERT_NOT_NULL(test, job->thread);
	expect_held(test, TRACE_EVAC_PHASE, EVAC_ISOLATE);
	/* The place that the search has found becomes unavailable. */
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn + 9, 0, PGTY_SLAB), 0);
	outlast(test, job, EVAC_ISOLATE);
	hold_go();
	KTEST_ASSERT_EQ(test, end_job(test, job), 0);
	KTEST_EXPECT_NE(test, job->start, pfn);
	free_contig_range(t->mm, job->start, PB);
	free_pages(t->mm, pfn + 9, 0);
}

static int remove_in_thread(void *arg)
{
	struct job *job = arg;
	struct window *w = job->t->w;
	const unsigned long blocks[] = { w->block + 1, w->block + 2 };

	return offline_and_remove_memory(w->mm, blocks, 2, &job->policy.limits,
					 &job->why);
}

/* Several blocks are removed, all with the same deadline. */
static void held_blocks_leave_together(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct test_mm t = { .w = w };
	struct job *job = ktest_alloc(test, sizeof(*job));

	ktest_add_action(test, let_go, NULL);
	for (unsigned int i = 1; i <= 2; i++) {
		window_add_online(test, w, i, MMOP_ONLINE_MOVABLE);
	}
	*job = (struct job){ .t = &t, .policy = test_policy(EVAC_END_OFFLINE, PGTY_OFFLINE) };
	hold(TRACE_EVAC_PHASE, EVAC_CLASSIFY);
	job->thread = thread_create("job", remove_in_thread, job);
	KTEST_ASSERT_NOT_NULL(test, job->thread);
	outlast(test, job, EVAC_CLASSIFY);
	hold_go();
	KTEST_EXPECT_EQ(test, end_job(test, job), 0);
	KTEST_EXPECT_EQ(test, memory_block_state(w->mm, w->block + 2), MEM_BLOCK_ABSENT);
}

/*
 * A hold point that names a frame holds the thread right after it has moved that
 * frame's page.
 */
static void a_move_is_held(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_slot slot;
	unsigned long pfn;
	struct job *job;

	KTEST_ASSERT_EQ(test, slot_alloc(t->mm, &slot, 0), 0);
	pfn = slot_pfn(&slot);
	hold(TRACE_EVAC_MOVE, pfn);
	job = start_job(test, t, pfn, 1);
	expect_held(test, TRACE_EVAC_MOVE, pfn);
	KTEST_EXPECT_NE(test, slot_pfn(&slot), pfn);
	hold_go();
	KTEST_EXPECT_EQ(test, end_job(test, job), 0);
	KTEST_EXPECT_EQ(test, job->why.migrated, 1);
	free_contig_range(t->mm, pfn, 1);
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &slot), 0);
}

static bool is_cancelled(void *cookie)
{
	return READ_ONCE(*(u32 *)cookie);
}

/*
 * The pages of a vector are claimed together, before the first of them moves: from then on
 * none of them can be pinned.
 */
static void claimed_together(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_slot slot[2];
	struct job *job;

	slots_at(test, t, slot, ARRAY_SIZE(slot), t->base + 7);
	hold(TRACE_EVAC_MOVE, t->base + 7);
	job = start_job(test, t, t->base, PB);
	expect_held(test, TRACE_EVAC_MOVE, t->base + 7);
	KTEST_EXPECT_EQ(test, slot_pfn(&slot[1]), t->base + 8);
	KTEST_EXPECT_EQ(test, slot_pin(t->mm, &slot[1], t->base + 8), -EBUSY);
	hold_go();
	KTEST_EXPECT_EQ(test, end_job(test, job), 0);
	KTEST_EXPECT_EQ(test, job->why.migrated, 2);
	free_contig_range(t->mm, t->base, PB);
	slots_gone(test, t, slot, ARRAY_SIZE(slot));
}

static void a_held_thread_can_be_cancelled(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	u32 *cancel = ktest_alloc(test, sizeof(*cancel));
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct page_slot slot;
	unsigned long pfn;
	struct job *job;

	KTEST_ASSERT_EQ(test, slot_alloc(t->mm, &slot, 0), 0);
	KTEST_ASSERT_EQ(test, page_pin(t->mm, slot_pfn(&slot)), 0);
	pfn = slot_pfn(&slot);
	hold(TRACE_EVAC_PHASE, EVAC_WAIT);
	policy.limits.cancelled = is_cancelled;
	policy.limits.cookie = cancel;
	job = start_job_with(test, t, pfn, 1, &policy);
	expect_held(test, TRACE_EVAC_PHASE, EVAC_WAIT);
	WRITE_ONCE(*cancel, 1);
	KTEST_EXPECT_EQ(test, end_job(test, job), -EINTR);
	KTEST_EXPECT_EQ(test, job->why.reason, MM_REASON_CANCELLED);
	KTEST_EXPECT_EQ(test, job->why.phase, EVAC_WAIT);
	KTEST_EXPECT_EQ(test, job->why.pfn, pfn);
	KTEST_EXPECT_EQ(test, t->zone->nr_isolated, 0);
	hold_go();
	KTEST_ASSERT_EQ(test, page_unpin(t->mm, pfn), 0);
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &slot), 0);
}

/* A user types Ctrl-C as soon as the request has announced what it waits for. */
struct impatient {
	struct interrupter interrupter;
	struct mm_failure why;
};

static bool ctrl_c_typed(struct interrupter *self)
{
	return container_of(self, struct impatient, interrupter)->why.pfn != PFN_NONE;
}

/* Ctrl-C ends the wait of the console's own thread, and no other. */
static void ctrl_c_ends_the_wait(struct ktest *test)
{
	static struct impatient user = { .interrupter.asked = ctrl_c_typed };
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	const unsigned long pfn = t->base + 1000;
	struct job *job;

	user.why.pfn = PFN_NONE;
	console_can_interrupt(&user.interrupter);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, 0, PGTY_SLAB), 0);
	job = start_job(test, t, pfn + PB, 1);
	job->policy.limits.cancelled = command_interrupted;
	policy.limits.wait = true;
	policy.limits.cancelled = command_interrupted;
	KTEST_EXPECT_EQ(test, take_contig_range(t->mm, pfn, pfn + 9, &policy, &user.why),
			-EINTR);
	console_can_interrupt(NULL);
	KTEST_EXPECT_EQ(test, user.why.reason, MM_REASON_CANCELLED);
	KTEST_EXPECT_EQ(test, user.why.pfn, pfn);
	KTEST_EXPECT_SOON(test, user.why.elapsed_ns, 200 * NSEC_PER_MSEC);
	KTEST_EXPECT_EQ(test, end_job(test, job), 0);
	free_contig_range(t->mm, pfn + PB, 1);
	free_pages(t->mm, pfn, 0);
}

static void usual_limit(void *unused)
{
	(void)unused;
	hold_limit_ns = 60 * NSEC_PER_SEC;
}

static void nobody_is_held_for_ever(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const u64 start = ktime_ns();
	struct job *job;

	ktest_add_action(test, usual_limit, NULL);
	hold_limit_ns = 300 * NSEC_PER_MSEC;
	hold(TRACE_EVAC_PHASE, HOLD_ANYWHERE);
	job = start_job(test, t, t->base, NR);
	KTEST_ASSERT_EQ(test, thread_join(job->thread, start + STEP_NS, NULL), 0);
	KTEST_EXPECT_GE(test, ktime_ns() - start, hold_limit_ns);
	KTEST_EXPECT_EQ(test, job->why.reason, MM_REASON_NONE);
	free_contig_range(t->mm, t->base, NR);
}

/* --- waiting for a free ------------------------------------------------------ */

/*
 * However late the page is freed, the request ends right afterwards, with at most two
 * searches.
 */
static void two_searches_however_long(struct ktest *test)
{
	static const u16 ms[] = { 1, 40, 60, 700, 3000 };
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long pfn = t->base + 777;

	for (unsigned int i = 0; i < ARRAY_SIZE(ms); i++) {
		struct job *job;
		u64 freed;

		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, 0, PGTY_SLAB), 0);
		job = start_job(test, t, t->base, NR);
		msleep(ms[i]);
		freed = ktime_ns();
		free_pages(t->mm, pfn, 0);
		KTEST_EXPECT_EQ(test, end_job(test, job), 0);
		KTEST_EXPECT_SOON(test, job->ended_at - freed, SOON_NS);
		KTEST_EXPECT_LE(test, job->why.scans, 2);
		KTEST_EXPECT_EQ(test, t->zone->nr_free_waiters, 0);
		free_contig_range(t->mm, t->base, NR);
	}
}

/* The page is freed after the search has found it and before the waiter has registered. */
static void freed_before_it_waits(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long pfn = t->base + 777;
	struct job *job;
	u64 freed;

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, 0, PGTY_SLAB), 0);
	hold(TRACE_EVAC_VERDICT, pfn);
	job = start_job(test, t, t->base, NR);
	expect_held(test, TRACE_EVAC_VERDICT, pfn);
	KTEST_EXPECT_EQ(test, t->zone->nr_free_waiters, 0);
	free_pages(t->mm, pfn, 0);
	freed = ktime_ns();
	hold_go();
	KTEST_EXPECT_EQ(test, end_job(test, job), 0);
	KTEST_EXPECT_SOON(test, job->ended_at - freed, SOON_NS);
	KTEST_EXPECT_LE(test, job->why.scans, 2);
	free_contig_range(t->mm, t->base, NR);
}

/* However many pages block the request, it searches at most twice. */
static void many_blockers_one_pass(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct job *job;

	for (unsigned int i = 0; i < 10; i++)
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + i * 200, 0, PGTY_SLAB), 0);
	job = start_job(test, t, t->base, NR);
	/* Free the pages in reverse order: only the last free ends the request. */
	for (unsigned int i = 10; i-- > 0;) {
		msleep(20);
		KTEST_EXPECT_EQ(test, job->ended_at, 0);
		free_pages(t->mm, t->base + i * 200, 0);
	}
	KTEST_EXPECT_EQ(test, end_job(test, job), 0);
	KTEST_EXPECT_LE(test, job->why.scans, 2);
	free_contig_range(t->mm, t->base, NR);
}

/* A waiter for one range, in its own thread. */
struct waiting {
	struct zone *zone;
	struct pfn_range range;
	u64 deadline;
	struct thread *thread;
	u32 ended;
};

static int wait_in_thread(void *arg)
{
	struct waiting *w = arg;
	const int met = wait_isolated_free(w->zone, &w->range, w->deadline);

	WRITE_ONCE(w->ended, 1);
	return met;
}

/* Several waiters, each for its own range; one range never becomes free. */
static void several_waiters(struct ktest *test)
{
	enum { NR_WAITERS = 6 };
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pfn_range blocks = { t->base, 8 * PB };
	struct waiting *w = ktest_alloc(test, NR_WAITERS * sizeof(*w));
	int met;

	for (unsigned int i = 0; i < NR_WAITERS; i++)
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + i * PB, i, PGTY_SLAB), 0);
	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &blocks, NO_WHY), 0);
	/* The waiter for that range starts last, and has a short deadline. */
	for (unsigned int i = NR_WAITERS; i-- > 0;) {
		w[i] = (struct waiting){ t->zone, { t->base + i * PB, PB },
					 ktime_ns() + (i ? STEP_NS : 300 * NSEC_PER_MSEC),
					 NULL, 0 };
		w[i].thread = thread_create("waiter", wait_in_thread, &w[i]);
		KTEST_ASSERT_NOT_NULL(test, w[i].thread);
		while (READ_ONCE(t->zone->nr_free_waiters) < NR_WAITERS - i &&
		       !READ_ONCE(w[i].ended))
			msleep(1);
	}
	for (unsigned int i = NR_WAITERS - 1; i > 0; i--) {
		free_pages(t->mm, t->base + i * PB, i);
		KTEST_ASSERT_EQ(test, thread_join(w[i].thread, ktime_ns() + STEP_NS, &met), 0);
		KTEST_EXPECT_EQ(test, met, 1);
	}
	KTEST_ASSERT_EQ(test, thread_join(w[0].thread, ktime_ns() + STEP_NS, &met), 0);
	KTEST_EXPECT_EQ(test, met, 0);
	KTEST_EXPECT_EQ(test, t->zone->nr_free_waiters, 0);
	free_pages(t->mm, t->base, 0);
	unisolate_range(t->mm, &blocks);
}

static bool at_once(void *cookie)
{
	(void)cookie;
	return true;
}

static void limit_restored(void *limit)
{
	hold_go();
	hold_limit_ns = (uintptr_t)limit;
}

/*
 * When a hold expires, the hold point is unset; when the held request is cancelled, the hold
 * point stays set.
 */
static void hold_ends_by_itself(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	const struct hold_place place = { TRACE_EVAC_PHASE, EVAC_COMMIT };
	const struct hold_place early = { TRACE_EVAC_PHASE, EVAC_ISOLATE };
	u64 start;

	ktest_add_action(test, limit_restored, (void *)(uintptr_t)hold_limit_ns);
	hold_limit_ns = 300 * NSEC_PER_MSEC;
	hold_set(&place);
	start = ktime_ns();
	KTEST_EXPECT_EQ(
		test, take_contig_range(t->mm, t->base, t->base + 1, &policy, NO_WHY), 0);
	KTEST_EXPECT_GE(test, ktime_ns() - start, hold_limit_ns);
	free_contig_range(t->mm, t->base, 1);
	start = ktime_ns();
	KTEST_EXPECT_EQ(
		test, take_contig_range(t->mm, t->base, t->base + 1, &policy, NO_WHY), 0);
	KTEST_EXPECT_SOON(test, ktime_ns() - start, hold_limit_ns);
	free_contig_range(t->mm, t->base, 1);
	/* No thread is held any more. */
	KTEST_EXPECT_FALSE(test, hold_wait(ktime_ns() + NSEC_PER_MSEC, NULL));

	hold_set(&early);
	policy.limits.cancelled = at_once;
	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, t->base, t->base + 1, &policy, NO_WHY),
			-EINTR);
	policy.limits.cancelled = NULL;
	start = ktime_ns();
	KTEST_EXPECT_EQ(
		test, take_contig_range(t->mm, t->base, t->base + 1, &policy, NO_WHY), 0);
	KTEST_EXPECT_GE(test, ktime_ns() - start, hold_limit_ns);
	free_contig_range(t->mm, t->base, 1);
	hold_set(&early);
	hold_go();
	start = ktime_ns();
	KTEST_EXPECT_EQ(
		test, take_contig_range(t->mm, t->base, t->base + 1, &policy, NO_WHY), 0);
	KTEST_EXPECT_SOON(test, ktime_ns() - start, hold_limit_ns);
	free_contig_range(t->mm, t->base, 1);
}

static const struct ktest_case hold_cases[] = {
	KTEST_CASE(each_phase_can_be_held),
	KTEST_CASE(a_held_deadline_stands_still),
	KTEST_CASE(a_held_search_goes_on),
	KTEST_CASE(held_blocks_leave_together),
	KTEST_CASE(a_move_is_held),
	KTEST_CASE(claimed_together),
	KTEST_CASE(a_held_thread_can_be_cancelled),
	KTEST_CASE(ctrl_c_ends_the_wait),
	KTEST_CASE(nobody_is_held_for_ever),
	KTEST_CASE(two_searches_however_long),
	KTEST_CASE(freed_before_it_waits),
	KTEST_CASE(many_blockers_one_pass),
	KTEST_CASE(several_waiters),
	KTEST_CASE(hold_ends_by_itself),
	{},
};
static struct ktest_suite hold_suite = { .name = "evac_hold", .cases = hold_cases };
KTEST_SUITE(hold_suite);
