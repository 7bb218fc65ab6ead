/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The harts' caches: how much they may hold, which hart finds what in them, and what
 * remains when they are drained.
 */
#include "tests/kernel/trace_only.h"
#include "tests/mm/test_mm.h"

#define PB    PAGEBLOCK_NR_PAGES
#define QUIET (GFP_ATOMIC | GFP_NOWARN)

static enum page_type type_of(const struct test_mm *t, unsigned long pfn)
{
	return page_type(t->mm, pfn);
}

static unsigned int mt_of(const struct test_mm *t, unsigned long pfn)
{
	return pb_mt(pfn_pageblock(t->mm, pfn)->word);
}

/*
 * An allocation finds frames of another order in its own hart's cache, and drains other
 * harts' caches only if allowed.
 */
static void failing_alloc_drains(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long free = test_mm_free(test, t) - 2, pfn = t->base;
	unsigned long *pfns = test_mm_table(test, free * sizeof(*pfns));
	const unsigned long drains = vm_event_read(t->mm, VM_PCP_DRAIN);

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, 1, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_bulk(t->mm, QUIET, PGTY_SLAB, free, pfns),
			free);
	KTEST_EXPECT_EQ(test, alloc_pages(t->mm, QUIET | GFP_NODRAIN, 0, PGTY_KERNEL),
			PFN_NONE);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_PCP_DRAIN), drains);
	KTEST_EXPECT_EQ(test, alloc_pages(t->mm, QUIET, 0, PGTY_KERNEL), PFN_NONE);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_PCP_DRAIN), drains + 1);
	free_pages(t->mm, pfn, 1);
	KTEST_ASSERT_EQ(test, type_of(t, pfn), PGTY_CACHED);
	KTEST_EXPECT_EQ(test, alloc_pages(t->mm, QUIET | GFP_NODRAIN, 0, PGTY_KERNEL),
			pfn);
	free_pages(t->mm, pfn, 0);
	free_pages_bulk(t->mm, pfns, free);
}

/* However small a hart's share, its stacks of small orders hold at most half of it. */
static void cache_limits_follow_the_managed_count(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long managed = t->zone->managed;

	/* Each step is large enough that mm adjusts the limits. */
	for (unsigned long all = 1024; all <= 64 * managed; all += all / 8) {
		const struct pcp *pcp = t->mm->pcp[0];
		const unsigned long share = all / (8 * nr_harts());
		unsigned long pages = 0;

		t->zone->managed = all;
		zone_update_watermarks(t->mm);
		for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
			for (unsigned int order = 0; order <= PCP_SMALL_ORDER; order++)
				pages += (unsigned long)pcp_stack((struct pcp *)pcp, mt,
								  order)
						 ->cap
					 << order;
		KTEST_EXPECT_LE(test, pages, share / 2);
		KTEST_EXPECT_EQ(test, pcp->high_limit, share / 2);
	}
	t->zone->managed = managed;
	zone_update_watermarks(t->mm);
}

/*
 * A free caches a chunk under its pageblock's type, on the slow path and on the fast one.
 */
static void cached_chunks_stay_apart(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	unsigned long pfns[4], pfn = alloc_pages(t->mm, GFP_KERNEL, 0, PGTY_KERNEL);

	free_pages(t->mm, pfn, 0); /* the stack of unmovable chunks is also in use */
	for (unsigned int i = 0; i < ARRAY_SIZE(pfns); i++)
		pfns[i] = alloc_pages(t->mm, GFP_MOVABLE, 0, PGTY_KERNEL);
	for (unsigned int i = 0; i < ARRAY_SIZE(pfns); i++)
		free_pages(t->mm, pfns[i], 0);
	pfn = alloc_pages(t->mm, GFP_KERNEL, 0, PGTY_KERNEL);
	KTEST_EXPECT_EQ(test, mt_of(t, pfn), MIGRATE_UNMOVABLE);
	free_pages(t->mm, pfn, 0);
	for (unsigned int i = ARRAY_SIZE(pfns); i-- > 0;)
		KTEST_EXPECT_EQ(test, alloc_pages(t->mm, GFP_MOVABLE, 0, PGTY_KERNEL),
				pfns[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(pfns); i++)
		free_pages(t->mm, pfns[i], 0);
}

static unsigned long pages_in_high(const struct pcp *pcp)
{
	unsigned long pages = 0;

	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++) {
		for (unsigned int order = PCP_SMALL_ORDER + 1; order < NR_PAGE_ORDERS;
		     order++) {
			const struct pcp_stack *st =
				pcp_stack((struct pcp *)pcp, mt, order);

			pages += (unsigned long)(st->top - st->base) << order;
		}
	}
	return pages;
}

/* After a drain, the cache has room for new frees, and the next drain finds them. */
static void drained_cache_starts_anew(struct ktest *test)
{
	/*
	 * The memory is so large that a hart's share holds a chunk of order 9, however many
	 * harts there are.
	 */
	struct test_mm *t = test_mm_normal(test, 2);
	const struct pcp *pcp = t->mm->pcp[this_hart()->id];
	const unsigned long single = t->base, pair = t->base + 64,
			    large = t->base + 2 * PB;

	for (unsigned int round = 0; round < 40; round++) {
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, single, 0, PGTY_KERNEL), 0);
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pair, 1, PGTY_KERNEL), 0);
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, large, 9, PGTY_KERNEL), 0);
		free_pages(t->mm, single, 0);
		free_pages(t->mm, pair, 1);
		free_pages(t->mm, large, 9);
		KTEST_EXPECT_EQ(test, type_of(t, single), PGTY_CACHED);
		KTEST_EXPECT_EQ(test, type_of(t, pair), PGTY_CACHED);
		KTEST_EXPECT_EQ(test, type_of(t, large), PGTY_CACHED);
		KTEST_EXPECT_EQ(test, pcp->high_pages, 512);
		KTEST_EXPECT_EQ(test, pages_in_high(pcp), 512);
		KTEST_ASSERT_EQ(test, alloc_pages(t->mm, GFP_MOVABLE, 9, PGTY_SLAB),
				large);
		KTEST_EXPECT_EQ(test, pcp->high_pages, 0);
		free_pages(t->mm, large, 9);
		drain_local_pages(t->mm);
		KTEST_EXPECT_EQ(test, pcp->block, PFN_NONE);
		KTEST_EXPECT_EQ(test, type_of(t, single), PGTY_BUDDY);
		KTEST_EXPECT_EQ(test, type_of(t, pair), PGTY_BUDDY);
		KTEST_ASSERT_EQ(test, type_of(t, large), PGTY_BUDDY);
	}
}

/* A drain makes a hart forget its pageblock, because the block's memmap may be freed then. */
static void grace_period_forgets_the_block(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pcp *pcp = t->mm->pcp[this_hart()->id];

	for (unsigned int i = 0; i < 2; i++) {
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, 0, PGTY_KERNEL), 0);
		free_pages(t->mm, t->base, 0);
	}
	KTEST_ASSERT_NE(test, pcp->block, PFN_NONE);
	KTEST_ASSERT_EQ(test, drain_all_pages(t->mm, STEP_NS), 0);
	KTEST_EXPECT_EQ(test, pcp->block, PFN_NONE);
}

/*
 * A free into an isolated pageblock does not close the fast path into the remembered
 * pageblock.
 */
static void isolated_block_is_not_remembered(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pcp *pcp = t->mm->pcp[this_hart()->id];
	const struct pfn_range isolated = { t->base + PB, PB };

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, 0, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + PB, 0, PGTY_KERNEL), 0);
	free_pages(t->mm, t->base, 0);
	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &isolated, NO_WHY), 0);
	free_pages(t->mm, t->base + PB, 0);
	unisolate_range(t->mm, &isolated);
	KTEST_EXPECT_EQ(test, pcp->block, t->base >> PAGEBLOCK_ORDER);
}

/* Harts without a cache share an empty cache: none of them may write to it. */
static void hart_without_a_cache(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct pcp **mine = &t->mm->pcp[this_hart()->id], *const own = *mine;

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, 0, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + 8, 0, PGTY_DRIVER), 0);
	*mine = &pcp_none;
	free_pages(t->mm, t->base, 0);
	free_pages(t->mm, t->base + 8, 0);
	*mine = own;
	KTEST_EXPECT_EQ(test, pcp_none.block, PFN_NONE);
	KTEST_EXPECT_EQ(test, type_of(t, t->base), PGTY_BUDDY);
	KTEST_EXPECT_EQ(test, type_of(t, t->base + 8), PGTY_BUDDY);
}

/* A drain closes the stack of every order; the next free opens it again. */
static void every_order_is_cached_again(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 4);

	for (unsigned int i = 0; i < 2 * NR_PAGE_ORDERS; i++) {
		const unsigned int order = i % NR_PAGE_ORDERS;

		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, order, PGTY_KERNEL), 0);
		free_pages(t->mm, t->base, order);
		KTEST_EXPECT_EQ(test, type_of(t, t->base), PGTY_CACHED);
		drain_local_pages(t->mm);
		KTEST_EXPECT_EQ(test, type_of(t, t->base), PGTY_BUDDY);
	}
}

/*
 * A chunk of two pageblocks is not cached while a request has isolated the second. The
 * memory is large enough for each of eight harts to cache such a chunk.
 */
static void half_isolated_chunk_is_not_cached(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 4);
	const struct pfn_range half = { t->base + PB, PB };

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, 10, PGTY_KERNEL), 0);
	free_pages(t->mm, t->base, 10); /* opens the stack of order 10 */
	KTEST_ASSERT_EQ(test, alloc_pages(t->mm, GFP_MOVABLE, 10, PGTY_KERNEL), t->base);
	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &half, NO_WHY), 0);
	free_pages(t->mm, t->base, 10);
	KTEST_EXPECT_EQ(test, type_of(t, t->base), PGTY_BUDDY);
	unisolate_range(t->mm, &half);
}

/*
 * Each chunk gets the page type of its own allocation, whether or not the hart remembers
 * its pageblock.
 */
static void whole_pageblocks_keep_apart(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 4);
	const unsigned long first = t->base, second = t->base + PB;

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, first, 9, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, second, 9, PGTY_KERNEL), 0);
	free_pages(t->mm, first, 9);
	free_pages(t->mm, second, 9);
	KTEST_EXPECT_EQ(test, alloc_pages(t->mm, GFP_MOVABLE, 9, PGTY_SLAB), second);
	KTEST_EXPECT_EQ(test, alloc_pages(t->mm, GFP_MOVABLE, 9, PGTY_PGTABLE), first);
	KTEST_EXPECT_EQ(test, type_of(t, first), PGTY_PGTABLE);
	KTEST_EXPECT_EQ(test, type_of(t, second), PGTY_SLAB);
	free_pages(t->mm, first, 9);
	free_pages(t->mm, second, 9);
}

/* Frames of counted types go into the cache from any pageblock, and start with count 1. */
static void counted_types_are_cached(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct page_state st;

	for (unsigned int i = 0; i < 4; i++) {
		const unsigned long pfn = t->base + i % 2 * PB;

		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, 0, PGTY_DRIVER), 0);
		free_pages(t->mm, pfn, 0);
		KTEST_EXPECT_EQ(test, type_of(t, pfn), PGTY_CACHED);
		KTEST_ASSERT_EQ(test, alloc_pages(t->mm, GFP_MOVABLE, 0, PGTY_HUGE), pfn);
		KTEST_ASSERT_TRUE(test, page_state_get(t->mm, pfn, &st));
		KTEST_EXPECT_EQ(test, st.type, PGTY_HUGE);
		KTEST_EXPECT_EQ(test, st.count, 1);
		free_pages(t->mm, pfn, 0);
		drain_local_pages(t->mm);
	}
}

static void record_frames(struct ktest *test)
{
	if (ebb_trace.nr_records == 0)
		ktest_skip(test, "there are no trace rings");
	trace_only("mm:frames");
}

/* Count the records of frames that went into a cache, and turn the trace off. */
static unsigned int times_cached(unsigned long pfn, enum page_type type)
{
	struct trace_record r;
	unsigned int nr = 0;

	(void)trace_set("*", TRACE_OFF);
	while (trace_take(&r))
		nr += r.event == TRACE_FRAMES && r.pfn == pfn && r.before == type &&
		      r.after == PGTY_CACHED;
	return nr;
}

/* The fast path records each free in the trace, for plain and for counted types. */
static void short_way_is_recorded(struct ktest *test)
{
	static const enum page_type types[] = { PGTY_KERNEL, PGTY_DRIVER };
	struct test_mm *t = test_mm_normal(test, 1);

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, 0, PGTY_KERNEL), 0);
	free_pages(t->mm, t->base, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		KTEST_ASSERT_EQ(test, alloc_pages(t->mm, GFP_MOVABLE, 0, types[i]), t->base);
		record_frames(test);
		free_pages(t->mm, t->base, 0);
		KTEST_EXPECT_EQ(test, times_cached(t->base, types[i]), 1);
	}
}

static const struct ktest_case pcp_cases[] = {
	KTEST_CASE(failing_alloc_drains),
	KTEST_CASE(cache_limits_follow_the_managed_count),
	KTEST_CASE(cached_chunks_stay_apart),
	KTEST_CASE(drained_cache_starts_anew),
	KTEST_CASE(grace_period_forgets_the_block),
	KTEST_CASE(isolated_block_is_not_remembered),
	KTEST_CASE(hart_without_a_cache),
	KTEST_CASE(every_order_is_cached_again),
	KTEST_CASE(half_isolated_chunk_is_not_cached),
	KTEST_CASE(whole_pageblocks_keep_apart),
	KTEST_CASE(counted_types_are_cached),
	KTEST_CASE(short_way_is_recorded),
	{},
};
static struct ktest_suite pcp_suite = { .name = "pcp", .cases = pcp_cases };
KTEST_SUITE(pcp_suite);
