/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owners and their frames, as far as the model (tests/model/) does not test them: refused
 * regions, the chunks that the online callback sees, occupancy, an unplug across zones.
 */
#include "arch/machine.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/page_isolation.h"
#include "mm/pageblock.h"
#include "tests/mm/hotplug_window.h"

#define ALL    (~0UL)
#define HEADER MHP_HEADER_PAGES
#define PB     PAGEBLOCK_NR_PAGES

static struct pfn_range blocks_of(const struct window *w, unsigned long n, unsigned int first,
				  unsigned int nr)
{
	return (struct pfn_range){ window_pfn(w, n) + first * PB, nr * PB };
}

static void online_as(struct ktest *test, struct window *w, unsigned long n,
		      enum mhp_online_type type)
{
	KTEST_ASSERT_EQ(test, online_memory_block(w->mm, w->block + n, type, NO_WHY), 0);
}

static void owners_are_checked(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct memory_owner *other = ktest_alloc(test, sizeof(*other));
	phys_addr_t start, end;
	struct mm_failure why;

	arch_mappable_range(&start, &end);
	other->region = (struct pfn_range){ window_pfn(w, 2), PB };
	KTEST_EXPECT_EQ(test, register_memory_owner(w->mm, other, &why), -EEXIST);
	other->region = (struct pfn_range){ w->base + 40 * PB + 1, PB };
	KTEST_EXPECT_EQ(test, register_memory_owner(w->mm, other, &why), -EINVAL);
	other->region = (struct pfn_range){ phys_to_pfn(end) - PB, 2 * PB };
	KTEST_EXPECT_EQ(test, register_memory_owner(w->mm, other, &why), -E2BIG);
	other->region = (struct pfn_range){ phys_to_pfn(end) - PB, ALL - PB + 1 };
	KTEST_EXPECT_EQ(test, register_memory_owner(w->mm, other, &why), -E2BIG);
	/* Registering takes no memory, so no step of it can fail. */
	w->mm->inject = 1;
	other->region = blocks_of(w, 0, 40, 2);
	KTEST_EXPECT_EQ(test, register_memory_owner(w->mm, other, &why), 0);
	KTEST_EXPECT_EQ(test, w->mm->inject, 1);
	w->mm->inject = 0;
	KTEST_EXPECT_PTR_EQ(test, window_owner_of(w, other->region.start_pfn + 5), other);
	KTEST_EXPECT_NULL(test, window_owner_of(w, other->region.start_pfn - 1));
	window_check(test, w);
}

/* The callback must see each frame after the header once, in aligned chunks. */
struct chunk_owner {
	struct memory_owner owner;
	struct mm *mm;
	unsigned long keep_mask; /* chunks with this bit in their pfn are kept back */
	unsigned long seen, orders[NR_PAGE_ORDERS];
	u8 frames[PAGES_PER_SECTION];
	bool wrong;
};

static struct chunk_owner chunks;

static void chunk_online(struct memory_owner *owner, unsigned long pfn, unsigned int order)
{
	struct chunk_owner *c = container_of(owner, struct chunk_owner, owner);
	const struct mem_section *ms = pfn_to_section(c->mm, pfn);

	c->wrong |= order > MAX_PAGE_ORDER || !IS_ALIGNED(pfn, 1UL << order);
	c->orders[order]++;
	for (unsigned long i = 0; i < 1UL << order; i++)
		c->wrong |= c->frames[(pfn + i) % PAGES_PER_SECTION]++ != 0;
	c->seen += 1UL << order;
	if (!(pfn & c->keep_mask) && !(ms->unmapped & BIT(pageblock_index(pfn))))
		generic_online_page(c->mm, pfn, order);
}

static void callback_sees_each_frame_once(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);

	memset(&chunks, 0, sizeof(chunks));
	chunks.mm = w->mm;
	chunks.owner = (struct memory_owner){ .name = "chunks", .online_page = chunk_online };
	chunks.owner.region = (struct pfn_range){ window_pfn(w, 1), PAGES_PER_SECTION };
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &chunks.owner, NO_WHY), 0);
	KTEST_ASSERT_EQ(
		test, add_memory(w->mm, w->block + 1, &chunks.owner, ~0x30UL, NO_WHY), 0);
	online_as(test, w, 1, MMOP_ONLINE_MOVABLE);
	KTEST_EXPECT_FALSE(test, chunks.wrong);
	KTEST_EXPECT_EQ(test, chunks.seen, PAGES_PER_SECTION - HEADER);
	KTEST_EXPECT_EQ(test, chunks.orders[MAX_PAGE_ORDER], 31);
	KTEST_EXPECT_EQ(test, chunks.orders[PAGEBLOCK_ORDER], 1);
	KTEST_EXPECT_EQ(test, window_zone(w, ZONE_MOVABLE)->managed,
			PAGES_PER_SECTION - HEADER - 2 * PB);
	window_check(test, w);

	/*
	 * At the next onlining the owner withholds every second chunk: those frames are
	 * PageOffline, the rest are free.
	 */
	KTEST_ASSERT_EQ(test, offline_memory_block(w->mm, w->block + 1, NULL, NO_WHY), 0);
	memset(chunks.frames, 0, sizeof(chunks.frames));
	chunks.keep_mask = 1UL << MAX_PAGE_ORDER;
	online_as(test, w, 1, MMOP_ONLINE_MOVABLE);
	KTEST_EXPECT_EQ(test, window_zone(w, ZONE_MOVABLE)->managed, 15 * 2 * PB - HEADER);
	KTEST_EXPECT_EQ(test, page_type(w->mm, window_pfn(w, 1) + 3 * PB), PGTY_OFFLINE);
	window_check(test, w);
}

/* Return the number of frames in use in the pageblock of @pfn. */
static unsigned int pageblock_used(const struct mm *mm, unsigned long pfn)
{
	return pageblocks_used(mm, pfn >> SECTION_PFN_SHIFT, BIT(pageblock_index(pfn)));
}

/* Occupancy, by which a driver chooses the memory to unplug first. */
static void occupancy_counts_used_frames(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	const unsigned long pfn = window_pfn(w, 1) + 5 * PB;

	window_add(test, w, 1, ~BIT(7));
	KTEST_EXPECT_EQ(test, pageblock_used(w->mm, pfn), 0);
	online_as(test, w, 1, MMOP_ONLINE_KERNEL);
	KTEST_EXPECT_EQ(test, pageblock_used(w->mm, pfn), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn + 64, 4, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn + 3, 0, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn + PB, 9, PGTY_KERNEL), 0);
	KTEST_EXPECT_EQ(test, pageblock_used(w->mm, pfn + 1), 17);
	KTEST_EXPECT_EQ(test, pageblock_used(w->mm, pfn + PB), PB);
	KTEST_EXPECT_EQ(test, pageblock_used(w->mm, pfn + 2 * PB), 0);
	KTEST_EXPECT_EQ(test, pageblock_used(w->mm, window_pfn(w, 1)), 0);
	KTEST_EXPECT_EQ(test, pageblocks_used(w->mm, w->block + 1, ~0UL), 17 + PB);
}

/* An unplug across two zones fails in the second, so the first zone gets its part back. */
static void unplug_over_zones_is_undone(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	const struct pfn_range range = { window_pfn(w, 2) - 4 * PB, 8 * PB };
	const unsigned long pfn = window_pfn(w, 2) + 2 * PB + 11;
	struct window_totals before;
	struct mm_failure why;

	window_add(test, w, 1, ALL);
	window_add(test, w, 2, ALL << 32);
	KTEST_ASSERT_EQ(test,
			plug_memory(w->mm,
				       &(struct pfn_range){ window_pfn(w, 2), 32 * PB },
				       NO_WHY),
			0);
	online_as(test, w, 1, MMOP_ONLINE_MOVABLE);
	online_as(test, w, 2, MMOP_ONLINE_KERNEL);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_KERNEL), 0);
	before = window_totals(w);
	KTEST_EXPECT_EQ(test, unplug_memory(w->mm, &range, NULL, &why), -EBUSY);
	KTEST_EXPECT_EQ(test, why.pfn, pfn);
	window_expect_totals(test, w, &before);
	free_pages(w->mm, pfn, 0);
	KTEST_EXPECT_EQ(test, unplug_memory(w->mm, &range, NULL, &why), 0);
	window_check(test, w);
	KTEST_EXPECT_EQ(test, plug_memory(w->mm, &range, NO_WHY), 0);
	window_check(test, w);
}

static unsigned int times_told;

static void count_told(struct memory_owner *owner)
{
	(void)owner;
	times_told++;
}

static void watch(struct window *w, unsigned long pfn, enum mm_reason reason)
{
	const struct mm_failure why = { .reason = reason, .pfn = pfn };

	mutex_lock(&w->mm->hotplug_lock);
	watch_blocker(w->mm, &why);
	mutex_unlock(&w->mm->hotplug_lock);
}

/*
 * The owner is told of a frame in the way if a free, an unpin or the end of another request
 * can help. After any other failure it would hear of events that do not help.
 */
static void only_what_can_change_is_watched(struct ktest *test)
{
	static const enum mm_reason can_change[] = {
		MM_REASON_UNMOVABLE,	 MM_REASON_PINNED,	    MM_REASON_CLAIM_LOST,
		MM_REASON_NOT_FREE,	 MM_REASON_NOT_SKIPPABLE,   MM_REASON_SKIPPABLE_TAKEN,
		MM_REASON_WRONG_STATE,	 MM_REASON_ALREADY_ISOLATED,
	};
	struct window *w = window_open_owned(test);
	const unsigned long pfn = window_pfn(w, 1) + 9 * PB + 7;
	unsigned int told = 0;
	u64 expected = 0;

	w->owner.unblocked = count_told;
	window_add(test, w, 1, ALL);
	online_as(test, w, 1, MMOP_ONLINE_MOVABLE);
	for (unsigned int i = 0; i < ARRAY_SIZE(can_change); i++)
		expected |= BIT(can_change[i]);
	times_told = 0;
	for (unsigned int reason = MM_REASON_NONE + 1; reason < NR_MM_REASONS; reason++) {
		KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_SLAB), 0);
		watch(w, pfn, reason);
		free_pages(w->mm, pfn, 0);
		told += expected >> reason & 1;
		KTEST_EXPECT_EQ(test, times_told, told);
		KTEST_EXPECT_EQ(test, window_zone(w, ZONE_MOVABLE)->nr_watched, 0);
	}
	window_check(test, w);
}

/* If an owner onlines a chunk that was never plugged, mm warns and does not take it. */
static void unplugged_is_not_believed(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct window_totals before;

	window_add(test, w, 1, 0xff);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	before = window_totals(w);
	ktest_expect_warnings(test, 1);
	generic_online_page(w->mm, window_pfn(w, 1) + 10 * PAGEBLOCK_NR_PAGES,
			    PAGEBLOCK_ORDER);
	window_expect_totals(test, w, &before);
	KTEST_EXPECT_EQ(test, window_offline(w, 1), 0);
}

static const struct ktest_case plug_cases[] = {
	KTEST_CASE(owners_are_checked),
	KTEST_CASE(callback_sees_each_frame_once),
	KTEST_CASE(occupancy_counts_used_frames),
	KTEST_CASE(unplug_over_zones_is_undone),
	KTEST_CASE(only_what_can_change_is_watched),
	KTEST_CASE(unplugged_is_not_believed),
	{}
};

static struct ktest_suite plug_suite = {
	.name = "memory_plug",
	.cases = plug_cases,
};
KTEST_SUITE(plug_suite);
