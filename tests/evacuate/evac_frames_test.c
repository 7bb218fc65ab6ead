/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evacuate(): which frames it judges, and that nothing has moved if the verdict is no,
 * wherever the bad frame is. See evacuate_test.c.
 */
#include "lib/errno.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

#define NR_IN_VAIN 4000U

/*
 * Movable pages everywhere in a memory block, and an unmovable page at @bad; offline
 * and contig both refuse.
 */
static void expect_in_vain(struct ktest *test, struct window *w,
			   const struct pfn_range *r, unsigned long bad)
{
	struct mm_failure why[2];

	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, bad, 0, PGTY_SLAB), 0);
	KTEST_EXPECT_EQ(test,
			alloc_contig_range(w->mm, r->start_pfn,
					   r->start_pfn + r->nr_pages, NULL, &why[0]),
			-EBUSY);
	KTEST_EXPECT_EQ(test, offline_memory_block(w->mm, w->block + 1, NULL, &why[1]),
			-EBUSY);
	for (unsigned int i = 0; i < 2; i++) {
		KTEST_EXPECT_EQ(test, why[i].reason, MM_REASON_UNMOVABLE);
		KTEST_EXPECT_EQ(test, why[i].pfn, bad);
		KTEST_EXPECT_EQ(test, why[i].phase, EVAC_CLASSIFY);
		KTEST_EXPECT_EQ(test, why[i].migrated, 0);
		KTEST_EXPECT_EQ(test, why[i].retries, 0);
	}
	KTEST_EXPECT_EQ(test, window_zone(w, ZONE_NORMAL)->nr_isolated, 0);
	free_pages(w->mm, bad, 0);
}

/*
 * No page moves before the failure, with the bad page at the first, a middle or the
 * last frame.
 */
static void no_page_moves_in_vain(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct page_slot *slots = test_mm_table(test, NR_IN_VAIN * sizeof(*slots));
	const struct pfn_range r = { window_pfn(w, 1) + MHP_HEADER_PAGES,
				     PAGES_PER_SECTION - MHP_HEADER_PAGES };
	unsigned long moved;

	for (unsigned long n = 1; n < 3; n++) {
		window_add(test, w, n, ~0UL);
		KTEST_ASSERT_EQ(test, window_online(w, n, MMOP_ONLINE_KERNEL), 0);
	}
	for (unsigned int i = 0; i < NR_IN_VAIN; i++) {
		slots[i].pfn = r.start_pfn + 1 + i * 8;
		KTEST_ASSERT_EQ(test,
				alloc_pages_at(w->mm, slots[i].pfn, 0, PGTY_DRIVER), 0);
		page_set_owner(w->mm, slots[i].pfn, (uintptr_t)&slots[i]);
	}
	moved = vm_event_read(w->mm, VM_PGMIGRATE_SUCCESS);
	expect_in_vain(test, w, &r, r.start_pfn);
	expect_in_vain(test, w, &r, r.start_pfn + r.nr_pages / 2);
	expect_in_vain(test, w, &r, r.start_pfn + r.nr_pages - 1);
	KTEST_EXPECT_EQ(test, vm_event_read(w->mm, VM_PGMIGRATE_SUCCESS), moved);
	KTEST_EXPECT_EQ(test, window_offline(w, 1), 0);
	KTEST_EXPECT_EQ(test, vm_event_read(w->mm, VM_PGMIGRATE_SUCCESS),
			moved + NR_IN_VAIN);
	for (unsigned int i = 0; i < NR_IN_VAIN; i++)
		KTEST_EXPECT_EQ(test, slot_free(w->mm, &slots[i]), 0);
	window_check(test, w);
}

/* The frames beside a range, in its first and last pageblock. */
enum beside {
	SLAB,
	PINNED,
	MOVABLE,
	SKIPPABLE,
	TAKEN,
	NR_BESIDE
};

static void put_beside(struct ktest *test, struct test_mm *t, unsigned long pfn,
		       struct page_slot *slot, enum beside what)
{
	struct evacuate_policy take = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);

	take.page_flags = what == SKIPPABLE ? PG_OFFLINE_SKIPPABLE : 0;
	slot->pfn = pfn;
	if (what >= SKIPPABLE) {
		KTEST_ASSERT_EQ(test,
				take_contig_range(t->mm, pfn, pfn + 1, &take, NO_WHY), 0);
		return;
	}
	KTEST_ASSERT_EQ(test,
			alloc_pages_at(t->mm, pfn, 0, what ? PGTY_DRIVER : PGTY_SLAB), 0);
	page_set_owner(t->mm, pfn, (uintptr_t)slot);
	if (what == PINNED)
		KTEST_ASSERT_EQ(test, page_pin(t->mm, pfn), 0);
}

static void take_away(struct ktest *test, struct test_mm *t, struct page_slot *slot,
		      enum beside what)
{
	if (what == PINNED)
		KTEST_ASSERT_EQ(test, page_unpin(t->mm, slot->pfn), 0);
	if (what == PINNED || what == MOVABLE)
		KTEST_ASSERT_EQ(test, slot_free(t->mm, slot), 0);
	else if (what == SLAB)
		free_pages(t->mm, slot->pfn, 0);
	else
		test_mm_release(t, slot->pfn, 1);
}

/* The frames beside an unaligned range may be of any type, on either side, and keep it. */
static void whatever_lies_beside_is_left_alone(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long start = t->base + 100, end = t->base + 3 * PB + 9;
	struct page_slot *slots = ktest_alloc(test, 2 * sizeof(*slots));
	struct page_state before, after;
	struct mm_failure why;

	for (unsigned int i = 0; i < NR_BESIDE * NR_BESIDE; i++) {
		const unsigned long at[] = { start - 1, end };
		const enum beside what[] = { i % NR_BESIDE, i / NR_BESIDE };

		for (unsigned int side = 0; side < 2; side++)
			put_beside(test, t, at[side], &slots[side], what[side]);
		page_state_get(t->mm, at[i % 2], &before);
		KTEST_EXPECT_EQ(test, alloc_contig_range(t->mm, start, end, NULL, &why),
				0);
		KTEST_EXPECT_EQ(test, why.migrated, 0);
		page_state_get(t->mm, at[i % 2], &after);
		KTEST_EXPECT_EQ(test, before.type, after.type);
		KTEST_EXPECT_EQ(test, before.flags, after.flags);
		KTEST_EXPECT_EQ(test, before.count, after.count);
		KTEST_EXPECT_EQ(test, slots[0].pfn, start - 1);
		KTEST_EXPECT_EQ(test, slots[1].pfn, end);
		test_mm_check(test, t);
		free_contig_range(t->mm, start, end - start);
		for (unsigned int side = 0; side < 2; side++)
			take_away(test, t, &slots[side], what[side]);
	}
}

/*
 * A chunk across the border of the range counts as inside: it moves as a whole, or the
 * request fails.
 */
static void a_chunk_over_the_border_counts(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long start = t->base + 100, end = t->base + 3 * PB + 9;
	const unsigned long over[] = { start - 4, end - 1 };
	struct page_slot *slot = ktest_alloc(test, sizeof(*slot));
	struct mm_failure why;

	for (unsigned int i = 0; i < 2; i++) {
		const unsigned long head = ALIGN_DOWN(over[i], 8);

		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, head, 3, PGTY_SLAB), 0);
		KTEST_EXPECT_EQ(test, alloc_contig_range(t->mm, start, end, NULL, &why),
				-EBUSY);
		KTEST_EXPECT_EQ(test, why.pfn, max(head, start));
		free_pages(t->mm, head, 3);
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, head, 3, PGTY_DRIVER), 0);
		slot->pfn = head;
		page_set_owner(t->mm, head, (uintptr_t)slot);
		KTEST_EXPECT_EQ(test, alloc_contig_range(t->mm, start, end, NULL, &why),
				0);
		KTEST_EXPECT_EQ(test, why.migrated, 1);
		KTEST_EXPECT_FALSE(test,
				   slot_pfn(slot) + 8 > start && slot_pfn(slot) < end);
		free_contig_range(t->mm, start, end - start);
		KTEST_EXPECT_EQ(test, slot_free(t->mm, slot), 0);
	}
}

static const struct ktest_case frames_cases[] = {
	KTEST_CASE(no_page_moves_in_vain),
	KTEST_CASE(whatever_lies_beside_is_left_alone),
	KTEST_CASE(a_chunk_over_the_border_counts),
	{}
};
static struct ktest_suite frames_suite = { .name = "evac_frames", .cases = frames_cases };
KTEST_SUITE(frames_suite);
