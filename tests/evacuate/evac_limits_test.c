/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request ends at its deadline or when its caller cancels it, even while another request
 * holds the lock, and up to its last step; and it reports the right failure.
 */
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "mm/contig.h"
#include "tests/mm/test_mm.h"

#define PB	 PAGEBLOCK_NR_PAGES
#define OTHER_MS 200
/* A deadline that passes while the request waits for the page. */
#define SHORT_NS ((time_is_virtual() ? 30 : 3000) * NSEC_PER_MSEC)

/* Another request: it holds the hotplug lock until the test lets it go, or for a while. */
static struct other {
	struct mm *mm;
	bool for_a_while;
	u32 locked, told;
} other_request;

static int run_other(void *arg)
{
	struct other *other = arg;

	mutex_lock(&other->mm->hotplug_lock);
	WRITE_ONCE(other->locked, 1);
	if (other->for_a_while)
		msleep(OTHER_MS);
	else
		(void)wait_for_count(&other->told, 1);
	mutex_unlock(&other->mm->hotplug_lock);
	return 0;
}

static struct thread *start_other(struct ktest *test, struct mm *mm, bool for_a_while)
{
	struct thread *thread;

	other_request = (struct other){ .mm = mm, .for_a_while = for_a_while };
	thread = thread_create("other", run_other, &other_request);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_ASSERT_TRUE(test, wait_for_count(&other_request.locked, 1));
	return thread;
}

static void join(struct ktest *test, struct thread *thread)
{
	add_one(&other_request.told);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, NULL), 0);
}

static bool at_once(void *cookie)
{
	(void)cookie;
	return true;
}

static void expect_early(struct ktest *test, u64 start)
{
	KTEST_EXPECT_SOON(test, ktime_ns() - start, (OTHER_MS - 50) * NSEC_PER_MSEC);
}

/* Take a range, then search for one; the search has one deadline for all places. */
static void another_request_takes_too_long(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct thread *other = start_other(test, t->mm, false);
	u64 start = ktime_ns();
	struct mm_failure why;

	policy.limits.deadline_ns = evac_clock_ns() + 30 * NSEC_PER_MSEC;
	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, t->base, t->base + 1, &policy, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_LOCKED);
	KTEST_EXPECT_EQ(test, why.pfn, PFN_NONE);
	expect_early(test, start);
	start = ktime_ns();
	policy.limits.deadline_ns = evac_clock_ns() + 30 * NSEC_PER_MSEC;
	KTEST_EXPECT_EQ(test, take_contig_pages(t->mm, 1, &policy, &why), PFN_NONE);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_LOCKED);
	expect_early(test, start);
	join(test, other);
}

static void cancelled_while_another_is_at_work(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct evacuate_policy policy = test_policy(EVAC_END_OFFLINE, PGTY_OFFLINE);
	const unsigned long block = w->block + 1;
	const struct pfn_range part = { window_pfn(w, 1) + PAGEBLOCK_NR_PAGES,
					PAGEBLOCK_NR_PAGES };
	struct mm_failure why;
	struct thread *other;
	u64 start;

	window_add(test, w, 1, ~0UL);
	KTEST_ASSERT_EQ(test, online_memory_block(w->mm, block, MMOP_ONLINE, NO_WHY), 0);
	policy.limits.cancelled = at_once;
	other = start_other(test, w->mm, false);
	start = ktime_ns();
	KTEST_EXPECT_EQ(test, offline_memory_block(w->mm, block, &policy.limits, &why),
			-EINTR);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_CANCELLED);
	KTEST_EXPECT_EQ(test,
			offline_and_remove_memory(w->mm, &block, 1, &policy.limits, &why),
			-EINTR);
	KTEST_EXPECT_EQ(test, memory_block_state(w->mm, block), MEM_BLOCK_ONLINE);
	expect_early(test, start);
	join(test, other);
	other = start_other(test, w->mm, false);
	start = ktime_ns();
	KTEST_EXPECT_EQ(test, unplug_memory(w->mm, &part, &policy.limits, &why), -EINTR);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_CANCELLED);
	expect_early(test, start);
	join(test, other);
}

/* A caller without a deadline gets the lock. */
static void no_policy_waits(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct thread *other;

	window_add_online(test, w, 1, MMOP_ONLINE);
	other = start_other(test, w->mm, true);
	KTEST_EXPECT_EQ(test, offline_memory_block(w->mm, w->block + 1, NULL, NO_WHY), 0);
	join(test, other);
}

/* A movable page, and its first place. */
struct mover {
	struct page_slot slot;
	unsigned long pfn;
};

static void new_mover(struct ktest *test, struct test_mm *t, struct mover *mover)
{
	KTEST_ASSERT_EQ(test, slot_alloc(t->mm, &mover->slot, 0), 0);
	mover->pfn = slot_pfn(&mover->slot);
}

static bool has_left(void *cookie)
{
	const struct mover *mover = cookie;

	return slot_pfn(&mover->slot) != mover->pfn;
}

/* A request can be cancelled even after it has moved the last page. */
static void cancelled_after_the_last_move(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct mm_failure why;
	struct mover mover;

	new_mover(test, t, &mover);
	policy.limits.cancelled = has_left;
	policy.limits.cookie = &mover;
	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, mover.pfn, mover.pfn + 1, &policy, &why),
			-EINTR);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_CANCELLED);
	KTEST_EXPECT_EQ(test, why.migrated, 1);
	KTEST_EXPECT_EQ(test, page_type(t->mm, mover.pfn), PGTY_BUDDY);
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &mover.slot), 0);
}

/* At the deadline, the failure still says why the request waited for the page. */
static void cause_is_kept(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct mm_failure why;
	struct mover mover;

	new_mover(test, t, &mover);
	KTEST_ASSERT_EQ(test, page_pin(t->mm, mover.pfn), 0);
	policy.limits.wait = true;
	policy.limits.deadline_ns = evac_clock_ns() + SHORT_NS;
	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, mover.pfn, mover.pfn + 1, &policy, &why),
			-ETIMEDOUT);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_DEADLINE);
	KTEST_EXPECT_EQ(test, why.cause, MM_REASON_PINNED);
	KTEST_EXPECT_EQ(test, why.pfn, mover.pfn);
	KTEST_EXPECT_EQ(test, page_unpin(t->mm, mover.pfn), 0);
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &mover.slot), 0);
}

/*
 * The request is cancelled in the middle of a pass: the last check of the limits does not
 * replace the cause.
 */
static void cause_is_no_deadline(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct mover *movers = ktest_alloc(test, 2 * EVAC_VECTOR * sizeof(*movers));
	struct mm_failure why;

	for (unsigned int i = 0; i < 2 * EVAC_VECTOR; i++) {
		movers[i].pfn = t->base + i;
		slot_at(test, t->mm, &movers[i].slot, movers[i].pfn, 0);
	}
	KTEST_ASSERT_TRUE(test, page_try_get(t->mm, t->base));
	policy.limits.cancelled = has_left;
	policy.limits.cookie = &movers[1];
	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, t->base, t->base + 2 * EVAC_VECTOR,
					  &policy, &why),
			-EINTR);
	KTEST_EXPECT_EQ(test, why.migrated, EVAC_VECTOR - 1);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_CANCELLED);
	KTEST_EXPECT_EQ(test, why.cause, MM_REASON_CLAIM_LOST);
	KTEST_EXPECT_EQ(test, why.pfn, t->base);
	page_put(t->mm, t->base);
	for (unsigned int i = 0; i < 2 * EVAC_VECTOR; i++)
		KTEST_EXPECT_EQ(test, slot_free(t->mm, &movers[i].slot), 0);
}

/*
 * A block's metadata is never freed: the request does not wait for it, and fails at once.
 */
static void what_is_never_freed_is_not_waited_for(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	unsigned long pfn = t->w->base + PAGES_PER_SECTION;
	const u64 start = ktime_ns();
	struct mm_failure why;

	while (pfn > t->w->base && page_type(t->mm, --pfn) != PGTY_MEMMAP)
		;
	KTEST_ASSERT_EQ(test, page_type(t->mm, pfn), PGTY_MEMMAP);
	policy.limits.wait = true;
	KTEST_EXPECT_EQ(test, take_contig_range(t->mm, pfn, pfn + 9, &policy, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_UNMOVABLE);
	KTEST_EXPECT_EQ(test, why.pfn, pfn);
	KTEST_EXPECT_EQ(test, why.type, PGTY_MEMMAP);
	expect_early(test, start);
}

/*
 * A request that is cancelled or too late from the start ends after its first search and
 * changes nothing.
 */
static void stopped_before_anything_moves(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	const unsigned long free = t->zone->free;
	struct mm_failure why;

	policy.limits.cancelled = at_once;
	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, t->base, t->base + PB, &policy, &why),
			-EINTR);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_CANCELLED);
	KTEST_EXPECT_EQ(test, why.phase, EVAC_CLASSIFY);
	policy.limits.cancelled = NULL;
	policy.limits.deadline_ns = 1;
	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, t->base, t->base + PB, &policy, &why),
			-ETIMEDOUT);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_DEADLINE);
	KTEST_EXPECT_EQ(test, why.phase, EVAC_CLASSIFY);
	KTEST_EXPECT_EQ(test, t->zone->free, free);
}

/* A cancelled search tries no other place, in any zone. */
static void search_is_cancelled(struct ktest *test)
{
	struct test_mm *t = test_mm_movable(test);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct mm_failure why;

	policy.limits.cancelled = at_once;
	KTEST_EXPECT_EQ(test, take_contig_pages(t->mm, 1, &policy, &why), PFN_NONE);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_CANCELLED);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_CONTIG_FAIL), 1);
	KTEST_EXPECT_EQ(test, alloc_contig_pages(t->mm, 0, NULL, &why), PFN_NONE);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NO_RANGE);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_CONTIG_FAIL), 1);
}

static const struct ktest_case evac_limits_cases[] = {
	KTEST_CASE(another_request_takes_too_long),
	KTEST_CASE(cancelled_while_another_is_at_work),
	KTEST_CASE(no_policy_waits),
	KTEST_CASE(cancelled_after_the_last_move),
	KTEST_CASE(cause_is_kept),
	KTEST_CASE(what_is_never_freed_is_not_waited_for),
	KTEST_CASE(cause_is_no_deadline),
	KTEST_CASE(stopped_before_anything_moves),
	KTEST_CASE(search_is_cancelled),
	{},
};
static struct ktest_suite evac_limits_suite = { .name = "evac_limits",
						.cases = evac_limits_cases };
KTEST_SUITE(evac_limits_suite);
