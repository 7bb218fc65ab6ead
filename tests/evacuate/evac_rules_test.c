/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evacuate()'s finer rules: what ends it where, chunks across the border of a range,
 * vectors that are only partly moved, slots that are not ready, the search for a place,
 * hold points that nobody lets go.
 */
#include "arch/machine.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "mm/hold.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

static bool always(void *cookie)
{
	(void)cookie;
	return true;
}

static bool when_something_moved(void *cookie)
{
	const struct mm_failure *why = cookie;

	return why->migrated != 0;
}

/* Cancelled or too late from the start: it ends behind the look, with all as it was. */
static void stopped_before_anything_moves(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	const unsigned long free = t->zone->free;
	struct mm_failure why;

	policy.limits.cancelled = always;
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

static void zones_are_not_mixed(struct ktest *test)
{
	struct test_mm *t = test_mm_movable(test);
	const unsigned long border = window_pfn(t->w, 1);
	struct mm_failure why;

	KTEST_EXPECT_EQ(test,
			alloc_contig_range(t->mm, border - PB, border + PB, NULL, &why),
			-EINVAL);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_ZONE_MIX);
	KTEST_EXPECT_EQ(test, why.pfn, border);
}

static void hole_is_not_given(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	const unsigned long hole = w->base + 16 * PB;
	struct mm_failure why;

	KTEST_EXPECT_EQ(test, alloc_contig_range(w->mm, hole - 2, hole + 10, NULL, &why),
			-EINVAL);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_HOLE);
	KTEST_EXPECT_EQ(test, why.pfn, hole);
	KTEST_EXPECT_EQ(test, why.type, PGTY_HOLE);
}

/* The second range is somebody else's: the first one's isolation ends again. */
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

/* A cached chunk whose hart was not drained stands in the way, and says so. */
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

/* --- moving ------------------------------------------------------------------- */

static void slot_at(struct ktest *test, struct test_mm *t, struct page_slot *slot,
		    unsigned long pfn, unsigned int order)
{
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, order, PGTY_DRIVER), 0);
	slot->pfn = pfn;
	page_set_owner(t->mm, pfn, (uintptr_t)slot);
}

/* Slots whose pages lie one behind the other from @pfn on. */
static void slots_at(struct ktest *test, struct test_mm *t, struct page_slot *slots,
		     unsigned int nr, unsigned long pfn)
{
	for (unsigned int i = 0; i < nr; i++)
		slot_at(test, t, &slots[i], pfn + i, 0);
}

static void slots_gone(struct ktest *test, struct test_mm *t, struct page_slot *slots,
		       unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		KTEST_EXPECT_EQ(test, slot_free(t->mm, &slots[i]), 0);
		KTEST_EXPECT_EQ(test, slot_free(t->mm, &slots[i]), -ENOENT);
	}
}

/* A chunk of which the range has only tails moves as a whole; what follows is judged. */
static void chunk_across_the_border(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long head = t->base + 64;
	struct page_slot slot;
	struct mm_failure why;

	slot_at(test, t, &slot, head, 3);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, head + 8, 0, PGTY_SLAB), 0);
	KTEST_EXPECT_EQ(test, alloc_contig_range(t->mm, head + 4, head + 20, NULL, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, why.pfn, head + 8);
	KTEST_EXPECT_EQ(test, why.phase, EVAC_CLASSIFY);
	free_pages(t->mm, head + 8, 0);
	KTEST_ASSERT_EQ(test, alloc_contig_range(t->mm, head + 4, head + 20, NULL, &why),
			0);
	KTEST_EXPECT_EQ(test, page_type(t->mm, head), PGTY_BUDDY);
	KTEST_EXPECT_EQ(test, why.migrated, 1);
	free_contig_range(t->mm, head + 4, 16);
	slots_gone(test, t, &slot, 1);
}

/* A full vector's failure is not forgotten, nor is the next one moved after a stop. */
static void vectors_end_one_by_one(struct ktest *test)
{
	enum {
		NR = 3 * EVAC_VECTOR
	};
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct page_slot slots[NR];
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

/* What cannot move stays, at once; the rest leaves. */
static void best_effort_goes_on(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pfn_range range = { t->base, PB };
	struct evacuate_policy policy = test_policy(EVAC_END_FREE, PGTY_NONE);
	struct page_slot slots[3];
	struct mm_failure why;

	slots_at(test, t, slots, 3, t->base);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + 100, 0, PGTY_SLAB), 0);
	KTEST_ASSERT_TRUE(test, page_try_get(t->mm, t->base));
	policy.flags = EVAC_BEST_EFFORT;
	KTEST_EXPECT_EQ(test, evacuate(t->mm, &range, 1, &policy, &why), 0);
	KTEST_EXPECT_EQ(test, why.retries, 0);
	KTEST_EXPECT_EQ(test, why.migrated, 2);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NONE);
	page_put(t->mm, t->base);
	free_pages(t->mm, t->base + 100, 0);
	slots_gone(test, t, slots, 3);
}

/* One page without a target, one in use: reason, frame and errno are of one of the two. */
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
	/* It drains by itself, once a pass; a target's allocation does not. */
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_PCP_DRAIN), drains);
	page_put(t->mm, t->base + 1);
	free_pages_bulk(t->mm, pfns, nr);
	slots_gone(test, t, slots, 2);
}

/* A page that its slot does not know yet is not moved, and its claim is given back. */
static void slot_that_is_not_ready(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_slot slot;
	struct page_state st;
	struct mm_failure why;

	slot_at(test, t, &slot, t->base, 0);
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
	/* A slot whose page was just moved away, and freed there. */
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

/* Pinned after it was looked at: that is what the failure says. */
static void pinned_meanwhile(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct page_slot slot;
	struct mm_failure why;

	slot_at(test, t, &slot, t->base, 0);
	policy.limits.cancelled = pin_it;
	policy.limits.cookie = t;
	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, t->base, t->base + 1, &policy, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_PINNED);
	KTEST_EXPECT_EQ(test, page_unpin(t->mm, t->base), 0);
	slots_gone(test, t, &slot, 1);
}

/* --- waiting ------------------------------------------------------------------ */

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

/* The request for [t->base, + nr) waits, and ends soon after @fn was called. */
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
	/* Woken at once, not at some next look. */
	KTEST_EXPECT_SOON(test, why.elapsed_ns, 130 * NSEC_PER_MSEC);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NONE);
	/* For the sleep, and for what has to move behind it. */
	KTEST_EXPECT_LE(test, why.scans, 2);
	KTEST_EXPECT_EQ(test, t->zone->nr_free_waiters, 0);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, NULL), 0);
	free_contig_range(t->mm, t->base, nr);
}

static void unpin(struct test_mm *t)
{
	(void)page_unpin(t->mm, t->base);
}

/* Nobody frees a pinned page: it comes free by being moved. */
static void waits_for_unpin(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_slot slot;

	slot_at(test, t, &slot, t->base, 0);
	KTEST_ASSERT_EQ(test, page_pin(t->mm, t->base), 0);
	expect_end_after(test, t, 4, unpin);
	slots_gone(test, t, &slot, 1);
}

static void put(struct test_mm *t)
{
	page_put(t->mm, t->base);
}

/* A second reference: it is not freed by its end, and can be moved then. */
static void waits_for_the_last_reference_but_one(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_slot slot;

	slot_at(test, t, &slot, t->base, 0);
	KTEST_ASSERT_TRUE(test, page_try_get(t->mm, t->base));
	expect_end_after(test, t, 4, put);
	slots_gone(test, t, &slot, 1);
}

/* The half that is not asked for is somebody's again at once. */
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

/* --- handing over --------------------------------------------------------------- */

static void contig_is_born_clean(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, 9, PGTY_KERNEL), 0);
	page_set_owner(t->mm, t->base, 0x5717UL);
	free_pages(t->mm, t->base, 9);
	KTEST_ASSERT_EQ(
		test, alloc_contig_range(t->mm, t->base, t->base + PB, NULL, NO_WHY), 0);
	KTEST_EXPECT_EQ(test, page_owner(t->mm, t->base), 0);
	free_contig_range(t->mm, t->base, PB);
}

/* A pageblock's frames that were taken one by one keep what each of them is. */
static void each_frame_keeps_its_flag(struct ktest *test)
{
	static const unsigned int odd[] = { 0, 255, PB - 1 };
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_state st;

	for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++) {
		struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
		const unsigned long pfn = t->base + odd[i];

		policy.page_flags = PG_OFFLINE_SKIPPABLE;
		KTEST_ASSERT_EQ(
			test, take_contig_range(t->mm, pfn, pfn + 1, &policy, NO_WHY), 0);
		policy.page_flags = 0;
		if (pfn > t->base)
			KTEST_ASSERT_EQ(test,
					take_contig_range(t->mm, t->base, pfn, &policy,
							  NO_WHY),
					0);
		if (pfn + 1 < t->base + PB)
			KTEST_ASSERT_EQ(test,
					take_contig_range(t->mm, pfn + 1, t->base + PB,
							  &policy, NO_WHY),
					0);
		for (unsigned long at = t->base; at < t->base + PB; at++) {
			KTEST_ASSERT_TRUE(test, page_state_get(t->mm, at, &st));
			KTEST_ASSERT_EQ(test, st.flags,
					at == pfn ? PG_OFFLINE_SKIPPABLE : 0);
		}
		test_mm_release(t, t->base, PB);
	}
}

/* --- finding a place ------------------------------------------------------------ */

/* Free places first, to the very last: nothing is tried in vain, nothing moves. */
static void search_finds_the_last_place(struct ktest *test)
{
	enum {
		NR = 8 * PB,
		PLACES = 2 * PAGES_PER_SECTION / NR
	};
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_slot slots[PLACES];
	unsigned int used = 0;

	/* A page in the middle of every place but the last. */
	for (unsigned int i = 0; i < PLACES - 1; i++) {
		const unsigned long pfn = t->w->base + i * NR + NR / 2 + 5;

		if (page_type(t->mm, pfn) == PGTY_BUDDY)
			slot_at(test, t, &slots[used++], pfn, 0);
	}
	KTEST_EXPECT_EQ(test, alloc_contig_pages(t->mm, NR, NULL, NO_WHY),
			t->w->base + (PLACES - 1) * NR);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_CONTIG_FAIL), 0);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_PGMIGRATE_SUCCESS), 0);
	free_contig_range(t->mm, t->w->base + (PLACES - 1) * NR, NR);
	slots_gone(test, t, slots, used);
}

/* A search that is cancelled tries no other place, in no zone. */
static void search_is_cancelled(struct ktest *test)
{
	struct test_mm *t = test_mm_movable(test);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct mm_failure why;

	policy.limits.cancelled = always;
	KTEST_EXPECT_EQ(test, take_contig_pages(t->mm, 1, &policy, &why), PFN_NONE);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_CANCELLED);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_CONTIG_FAIL), 1);
	KTEST_EXPECT_EQ(test, alloc_contig_pages(t->mm, 0, NULL, &why), PFN_NONE);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NO_RANGE);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_CONTIG_FAIL), 1);
}

/* Nonsense is refused, and what offline frames take from the zone shows at once. */
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

/* --- hold points ----------------------------------------------------------------- */

static void limit_restored(void *limit)
{
	hold_go();
	hold_limit_ns = (uintptr_t)limit;
}

/* Held until it goes on by itself: the place is unset. Cancelled while held: it stays. */
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
	/* Nobody is held any more. */
	KTEST_EXPECT_FALSE(test, hold_wait(ktime_ns() + NSEC_PER_MSEC, NULL));

	hold_set(&early);
	policy.limits.cancelled = always;
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

static const struct ktest_case evac_rules_cases[] = {
	KTEST_CASE(stopped_before_anything_moves),
	KTEST_CASE(zones_are_not_mixed),
	KTEST_CASE(hole_is_not_given),
	KTEST_CASE(isolated_range_among_several),
	KTEST_CASE(cached_chunk_is_in_the_way),
	KTEST_CASE(chunk_across_the_border),
	KTEST_CASE(vectors_end_one_by_one),
	KTEST_CASE(best_effort_goes_on),
	KTEST_CASE(reason_and_errno_agree),
	KTEST_CASE(slot_that_is_not_ready),
	KTEST_CASE(pinned_meanwhile),
	KTEST_CASE(waits_for_unpin),
	KTEST_CASE(waits_for_the_last_reference_but_one),
	KTEST_CASE(waits_for_its_own_frames),
	KTEST_CASE(contig_is_born_clean),
	KTEST_CASE(each_frame_keeps_its_flag),
	KTEST_CASE(search_finds_the_last_place),
	KTEST_CASE(search_is_cancelled),
	KTEST_CASE(contig_policy_and_marks),
	KTEST_CASE(hold_ends_by_itself),
	{},
};
static struct ktest_suite evac_rules_suite = { .name = "evac_rules",
					       .cases = evac_rules_cases };
KTEST_SUITE(evac_rules_suite);
