/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evacuate() and contiguous allocation: references, pins, several ranges, pages in harts'
 * caches, waiting, deadlines, cancelling.
 */
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

static void expect_type(struct ktest *test, const struct test_mm *t, unsigned long pfn,
			unsigned long nr, enum page_type type)
{
	for (unsigned long i = 0; i < nr; i++)
		KTEST_ASSERT_EQ(test, page_type(t->mm, pfn + i), type);
}

/* A page with a second reference is not moved, and not lost. */
static void referenced_page_stays(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_slot slot;
	struct mm_failure why;
	unsigned long pfn;

	KTEST_ASSERT_EQ(test, slot_alloc(t->mm, &slot, 0), 0);
	pfn = slot_pfn(&slot);
	KTEST_ASSERT_TRUE(test, page_try_get(t->mm, pfn));
	KTEST_EXPECT_EQ(test, alloc_contig_range(t->mm, pfn, pfn + 1, NULL, &why), -EAGAIN);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_CLAIM_LOST);
	KTEST_EXPECT_EQ(test, why.retries, 3);
	KTEST_EXPECT_EQ(test, slot_pfn(&slot), pfn);
	/* The slot drops its reference first: the last reference frees the page. */
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &slot), 0);
	KTEST_EXPECT_EQ(test, page_type(t->mm, pfn), PGTY_DRIVER);
	page_put(t->mm, pfn);
	KTEST_EXPECT_NE(test, page_type(t->mm, pfn), PGTY_DRIVER);
}

struct later {
	struct test_mm *t;
	unsigned long pfn;
	unsigned int ms;
	u64 freed_at;
};

static int free_later(void *arg)
{
	struct later *later = arg;

	msleep(later->ms);
	later->freed_at = ktime_ns();
	free_pages(later->t->mm, later->pfn, 0);
	return 0;
}

/* The request ends shortly after the page that blocked it is freed. */
static void waits_for_the_free(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct later later = { .t = t, .pfn = t->base + 1000, .ms = 30 };
	struct thread *thread;
	struct mm_failure why;

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, later.pfn, 0, PGTY_SLAB), 0);
	thread = thread_create("free_later", free_later, &later);
	KTEST_ASSERT_NOT_NULL(test, thread);
	policy.limits.wait = true;
	KTEST_EXPECT_EQ(
		test, take_contig_range(t->mm, t->base, t->base + 4 * PB, &policy, &why),
		0);
	KTEST_EXPECT_NE(test, later.freed_at, 0);
	KTEST_EXPECT_LE(test, why.scans, 2);
	KTEST_EXPECT_SOON(test, ktime_ns() - later.freed_at, 20 * NSEC_PER_MSEC);
	KTEST_EXPECT_EQ(test, t->zone->nr_free_waiters, 0);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, NULL), 0);
	free_contig_range(t->mm, t->base, 4 * PB);
}

/* Cancel the request as soon as it has announced what it waits for. */
static bool cancel_when_named(void *cookie)
{
	const struct mm_failure *why = cookie;

	return why->pfn != PFN_NONE;
}

/* A time longer than any machine takes to reach the wait. */
#define WAIT_NS (2 * NSEC_PER_SEC)

static void waiting_has_an_end(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	const unsigned long pfn = t->base + 1000;
	struct mm_failure why;

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, 0, PGTY_SLAB), 0);
	policy.limits.wait = true;
	policy.limits.deadline_ns = ktime_ns() + WAIT_NS;
	KTEST_EXPECT_EQ(test, take_contig_range(t->mm, pfn - 5, pfn + 5, &policy, &why),
			-ETIMEDOUT);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_DEADLINE);
	KTEST_EXPECT_EQ(test, why.pfn, pfn);
	KTEST_EXPECT_EQ(test, why.type, PGTY_SLAB);
	KTEST_EXPECT_GE(test, ktime_ns(), policy.limits.deadline_ns);
	policy.limits.deadline_ns = ktime_ns() + STEP_NS;
	policy.limits.cancelled = cancel_when_named;
	policy.limits.cookie = &why;
	why.pfn = PFN_NONE;
	KTEST_EXPECT_EQ(test, take_contig_range(t->mm, pfn - 5, pfn + 5, &policy, &why),
			-EINTR);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_CANCELLED);
	KTEST_EXPECT_EQ(test, why.pfn, pfn);
	KTEST_EXPECT_SOON(test, why.elapsed_ns, NSEC_PER_SEC);
	KTEST_EXPECT_EQ(test, t->zone->nr_isolated, 0);
	KTEST_EXPECT_EQ(test, t->zone->nr_free_waiters, 0);
	free_pages(t->mm, pfn, 0);
}

/* Several ranges, some in one pageblock, one across sections, are taken all or not at all. */
static void several_ranges(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 2);
	const struct pfn_range ranges[] = {
		{ t->base + 10, 20 },
		{ t->base + 40, PB },
		{ t->base + 2 * PB, PB },
		{ t->base + PAGES_PER_SECTION - 600, 1200 },
	};
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	const unsigned long free = t->zone->free;
	unsigned long nr = 0;

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, ranges[3].start_pfn + 1199, 0, PGTY_SLAB), 0);
	KTEST_EXPECT_EQ(test, evacuate(t->mm, ranges, 4, &policy, NO_WHY), -EBUSY);
	free_pages(t->mm, ranges[3].start_pfn + 1199, 0);
	KTEST_EXPECT_EQ(test, test_mm_free(test, t), free);
	KTEST_EXPECT_EQ(test, t->zone->nr_isolated, 0);
	KTEST_ASSERT_EQ(test, evacuate(t->mm, ranges, 4, &policy, NO_WHY), 0);
	for (unsigned int i = 0; i < 4; i++) {
		expect_type(test, t, ranges[i].start_pfn, ranges[i].nr_pages, PGTY_KERNEL);
		nr += ranges[i].nr_pages;
	}
	KTEST_EXPECT_EQ(test, t->zone->free, free - nr);
	test_mm_check(test, t);
	for (unsigned int i = 0; i < 4; i++)
		free_contig_range(t->mm, ranges[i].start_pfn, ranges[i].nr_pages);
}

/*
 * No aligned range is free, so the request chooses one, and moves the page that is in the
 * way there.
 */
static void contig_makes_a_place(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long nr_slots = t->zone->spanned / PB;
	const unsigned long moved = vm_event_read(t->mm, VM_PGMIGRATE_SUCCESS);
	struct page_slot *slot = ktest_alloc(test, nr_slots * sizeof(*slot));
	unsigned long pfn;

	for (unsigned long i = 0; i < nr_slots; i++) {
		slot[i].pfn = PFN_NONE;
		pfn = t->zone->start_pfn + i * PB + PB - 1;
		if (alloc_pages_at(t->mm, pfn, 0, PGTY_DRIVER))
			continue; /* allocated elsewhere, or a hole */
		slot[i].pfn = pfn;
		page_set_owner(t->mm, pfn, (uintptr_t)&slot[i]);
	}
	pfn = alloc_contig_pages(t->mm, PB, NULL, NO_WHY);
	KTEST_ASSERT_NE(test, pfn, PFN_NONE);
	expect_type(test, t, pfn, PB, PGTY_KERNEL);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_PGMIGRATE_SUCCESS), moved + 1);
	free_contig_range(t->mm, pfn, PB);
	for (unsigned long i = 0; i < nr_slots; i++) {
		const int want = slot_pfn(&slot[i]) == PFN_NONE ? -ENOENT : 0;

		KTEST_EXPECT_EQ(test, slot_free(t->mm, &slot[i]), want);
	}
}

/* Another request has isolated the second range: the first range's isolation is undone. */
static void isolated_range_among_several(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pfn_range others = { t->base + 20 * PB, PB };
	const struct pfn_range ranges[] = { { t->base, 2 * PB }, others };
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct mm_failure why;

	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &others, NO_WHY), 0);
	KTEST_EXPECT_EQ(test, evacuate(t->mm, ranges, 2, &policy, &why), -EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_ALREADY_ISOLATED);
	KTEST_EXPECT_EQ(test, why.pfn, others.start_pfn);
	KTEST_EXPECT_EQ(test, t->zone->nr_isolated, 1);
	unisolate_range(t->mm, &others);
}

/* A chunk in a hart's cache that was not drained is in the way, and the failure names it. */
static void cached_chunk_is_in_the_way(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pfn_range range = { t->base, PB };
	struct evacuate_policy policy = test_policy(EVAC_END_FREE, PGTY_NONE);
	struct mm_failure why;

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + 8, 0, PGTY_KERNEL), 0);
	free_pages(t->mm, t->base + 8, 0);
	KTEST_ASSERT_EQ(test, page_type(t->mm, t->base + 8), PGTY_CACHED);
	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &range, NO_WHY), 0);
	policy.flags = EVAC_ISOLATED;
	KTEST_EXPECT_EQ(test, evacuate(t->mm, &range, 1, &policy, &why), -EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NOT_FREE);
	KTEST_EXPECT_EQ(test, why.pfn, t->base + 8);
	drain_local_pages(t->mm);
	KTEST_EXPECT_EQ(test, evacuate(t->mm, &range, 1, &policy, &why), 0);
	unisolate_range(t->mm, &range);
}

/* A page that covers two pageblocks is collected once, so one pass moves it. */
static void an_order_10_page_moves_once(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	const struct pfn_range range = { t->base, 2 * PB };
	struct page_slot slot;
	struct mm_failure why;

	policy.limits.retries = 0;
	slot_at(test, t->mm, &slot, t->base, MAX_PAGE_ORDER);
	KTEST_EXPECT_EQ(test, evacuate(t->mm, &range, 1, &policy, &why), 0);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_PGMIGRATE_SUCCESS), 1);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_PGMIGRATE_FAIL), 0);
	free_contig_range(t->mm, t->base, 2 * PB);
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &slot), 0);
}

static bool when_something_moved(void *cookie)
{
	const struct mm_failure *why = cookie;

	return why->migrated != 0;
}

/*
 * A request that is cancelled moves no further vector, and a failure in a full vector is
 * remembered while the next vectors move.
 */
static void vectors_end_one_by_one(struct ktest *test)
{
	enum {
		NR = 3 * EVAC_VECTOR
	};
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct page_slot *slots = ktest_alloc(test, NR * sizeof(*slots));
	unsigned long fails;
	struct mm_failure why;

	slots_at(test, t, slots, NR, t->base);
	policy.limits.cancelled = when_something_moved;
	policy.limits.cookie = &why;
	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, t->base, t->base + NR, &policy, &why),
			-EINTR);
	KTEST_EXPECT_EQ(test, why.migrated, EVAC_VECTOR);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_PGMIGRATE_SUCCESS), EVAC_VECTOR);
	policy.limits.cancelled = NULL;
	KTEST_ASSERT_TRUE(test, page_try_get(t->mm, t->base + EVAC_VECTOR));
	fails = vm_event_read(t->mm, VM_PGMIGRATE_FAIL);
	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, t->base, t->base + NR, &policy, &why),
			-EAGAIN);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_CLAIM_LOST);
	KTEST_EXPECT_EQ(test, why.pfn, t->base + EVAC_VECTOR);
	KTEST_EXPECT_EQ(test, why.retries, policy.limits.retries);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_PGMIGRATE_SUCCESS), NR - 1);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_PGMIGRATE_FAIL) - fails,
			1 + why.retries);
	page_put(t->mm, t->base + EVAC_VECTOR);
	slots_gone(test, t, slots, NR);
}

/*
 * One page finds no target, and another is in use: reason, frame and errno must describe
 * the same page.
 */
static void reason_and_errno_agree(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	unsigned long *pfns = test_mm_table(test, 2 * PAGES_PER_SECTION * sizeof(*pfns));
	const unsigned long drains = vm_event_read(t->mm, VM_PCP_DRAIN);
	struct page_slot slots[2];
	struct mm_failure why;
	unsigned long nr;
	int err;

	slots_at(test, t, slots, 2, t->base);
	nr = alloc_pages_bulk(t->mm, GFP_ATOMIC | GFP_NOWARN | GFP_NODRAIN, PGTY_SLAB,
			      2 * PAGES_PER_SECTION, pfns);
	KTEST_ASSERT_TRUE(test, page_try_get(t->mm, t->base + 1));
	err = alloc_contig_range(t->mm, t->base, t->base + 2, NULL, &why);
	KTEST_EXPECT_EQ(test, err, mm_reason_errno(why.reason));
	KTEST_EXPECT_EQ(test, err, why.pfn == t->base ? -ENOMEM : -EAGAIN);
	/*
	 * The evacuation itself drains once a pass; the allocation of a target does not
	 * drain.
	 */
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_PCP_DRAIN), drains);
	page_put(t->mm, t->base + 1);
	free_pages_bulk(t->mm, pfns, nr);
	slots_gone(test, t, slots, 2);
}

/* The mover does not move a page that its slot does not name yet, and ends its claim. */
static void slot_that_is_not_ready(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_slot slot;
	struct page_state st;
	struct mm_failure why;

	slots_at(test, t, &slot, 1, t->base);
	slot.pfn = PFN_NONE;
	KTEST_EXPECT_EQ(test, alloc_contig_range(t->mm, t->base, t->base + 1, NULL, &why),
			-EAGAIN);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_CLAIM_LOST);
	KTEST_ASSERT_TRUE(test, page_state_get(t->mm, t->base, &st));
	KTEST_EXPECT_EQ(test, st.flags, 0);
	KTEST_EXPECT_EQ(test, st.count, 1);
	slot.pfn = t->base;
	KTEST_EXPECT_EQ(test, alloc_contig_range(t->mm, t->base, t->base + 1, NULL, &why),
			0);
	free_contig_range(t->mm, t->base, 1);
	slots_gone(test, t, &slot, 1);
	/* The slot again names a frame that its page has left and that is free now. */
	slot.pfn = t->base;
	test_mm_free(test, t);
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &slot), -EBUSY);
	t->zone->wmark[WMARK_MIN] += 2 * t->nr;
	KTEST_EXPECT_EQ(test, slot_alloc(t->mm, &slot, 10), -ENOMEM);
	t->zone->wmark[WMARK_MIN] -= 2 * t->nr;
}

static bool pin_it(void *cookie)
{
	struct test_mm *t = cookie;

	(void)page_pin(t->mm, t->base);
	return false;
}

/*
 * If a page is pinned after the request has judged it, the failure says that the page is
 * pinned.
 */
static void pinned_meanwhile(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct page_slot slot;
	struct mm_failure why;

	slots_at(test, t, &slot, 1, t->base);
	policy.limits.cancelled = pin_it;
	policy.limits.cookie = t;
	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, t->base, t->base + 1, &policy, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_PINNED);
	KTEST_EXPECT_EQ(test, page_unpin(t->mm, t->base), 0);
	slots_gone(test, t, &slot, 1);
}

/*
 * Invalid requests are refused, and the watermarks follow at once when frames go
 * offline.
 */
static void contig_policy_and_marks(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_FREE, PGTY_KERNEL);
	const unsigned long high = t->zone->wmark[WMARK_HIGH];
	struct mm_failure why;

	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, t->base, t->base + 1, &policy, &why),
			-EINVAL);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_MISALIGNED);
	KTEST_EXPECT_EQ(test, alloc_contig_range(t->mm, t->base, t->base, NULL, &why),
			-EINVAL);
	policy = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	KTEST_ASSERT_EQ(
		test,
		take_contig_range(t->mm, t->base, t->base + 30 * PB, &policy, NO_WHY), 0);
	KTEST_EXPECT_LT(test, t->zone->wmark[WMARK_HIGH], high);
	test_mm_release(t, t->base, 30 * PB);
	KTEST_EXPECT_EQ(test, t->zone->wmark[WMARK_HIGH], high);
}

static const struct ktest_case evacuate_cases[] = {
	KTEST_CASE(referenced_page_stays),
	KTEST_CASE(waits_for_the_free),
	KTEST_CASE(waiting_has_an_end),
	KTEST_CASE(several_ranges),
	KTEST_CASE(contig_makes_a_place),
	KTEST_CASE(isolated_range_among_several),
	KTEST_CASE(cached_chunk_is_in_the_way),
	KTEST_CASE(an_order_10_page_moves_once),
	KTEST_CASE(vectors_end_one_by_one),
	KTEST_CASE(reason_and_errno_agree),
	KTEST_CASE(slot_that_is_not_ready),
	KTEST_CASE(pinned_meanwhile),
	KTEST_CASE(contig_policy_and_marks),
	{},
};
static struct ktest_suite evacuate_suite = { .name = "evacuate", .cases = evacuate_cases };
KTEST_SUITE(evacuate_suite);
