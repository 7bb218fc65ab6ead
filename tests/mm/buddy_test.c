/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buddy allocator: every order, against the list-based oracle, and what a
 * frame says of itself in each state.
 */
#include "lib/errno.h"
#include "tests/mm/list_buddy.h"
#include "tests/mm/test_mm.h"

/* Per order: free chunks of all migrate types. */
static void count_free(struct test_mm *t, unsigned long nr[NR_PAGE_ORDERS])
{
	unsigned long part[NR_PAGE_ORDERS];

	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		nr[order] = 0;
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++) {
		zone_count_free(t->zone, mt, part);
		for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
			nr[order] += part[order];
	}
}

static void every_order(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long free = test_mm_free(test, t);

	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
		for (unsigned int type = 0; type < NR_PAGE_TYPES; type++) {
			struct page_state st;
			unsigned long pfn;

			if (!type_is_alloc(type))
				continue;
			pfn = alloc_pages(t->mm, GFP_MOVABLE, order, type);
			KTEST_ASSERT_NE(test, pfn, PFN_NONE);
			KTEST_EXPECT_EQ(test, pfn & ((1UL << order) - 1), 0);
			for (unsigned long i = 0; i < 1UL << order; i++) {
				KTEST_ASSERT_TRUE(test, page_state_get(t->mm, pfn + i, &st));
				KTEST_ASSERT_EQ(test, st.type, type);
				KTEST_ASSERT_EQ(test, st.order, order);
				KTEST_ASSERT_EQ(test, st.head, pfn);
				KTEST_ASSERT_EQ(test, !!(st.flags & PG_TAIL), i != 0);
				KTEST_ASSERT_EQ(test, st.count, type_is_counted(type));
			}
			test_mm_check(test, t);
			free_pages(t->mm, pfn, order);
			test_mm_check(test, t);
			KTEST_EXPECT_NE(test, page_type(t->mm, pfn), type);
		}
	}
	KTEST_EXPECT_EQ(test, test_mm_free(test, t), free);
}

/* After each step both allocators have the same free chunks of every order. */
static void same_as_list_buddy(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct mem_section *ms = pfn_to_section(t->mm, t->base);
	struct list_buddy *lb = ktest_alloc(test, sizeof(*lb));
	unsigned long *chunk = ktest_alloc(test, 512 * sizeof(*chunk));
	unsigned long nr_got[NR_PAGE_ORDERS], before[NR_PAGE_ORDERS];
	unsigned int nr = 0;

	count_free(t, before);
	list_buddy_init(lb, t->base, t->nr, test_mm_table(test, list_buddy_bytes(t->nr)));
	for (unsigned long pfn = t->base; pfn < t->base + t->nr; pfn += 1UL << MAX_PAGE_ORDER)
		list_buddy_free(lb, pfn, MAX_PAGE_ORDER);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		before[order] -= lb->nr_free[order];
	for (unsigned int step = 0; step < 3000; step++) {
		const unsigned int order = prng_below(&test->prng, NR_PAGE_ORDERS);
		const unsigned long pfn =
			t->base + (prng_below(&test->prng, t->nr >> order) << order);

		if (nr == 512 || (nr && prng_below(&test->prng, 100) < 45)) {
			const unsigned int i = prng_below(&test->prng, nr);
			const unsigned int o = chunk[i] & 15;

			list_buddy_free(lb, chunk[i] >> 4, o);
			spin_lock(&t->zone->lock);
			buddy_free(ms, chunk[i] >> 4, o);
			spin_unlock(&t->zone->lock);
			chunk[i] = chunk[--nr];
		} else {
			const bool took = list_buddy_take(lb, pfn, order);

			KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, order, PGTY_KERNEL),
					took ? 0 : -EBUSY);
			if (took)
				chunk[nr++] = pfn << 4 | order;
		}
		count_free(t, nr_got);
		for (unsigned int o = 0; o < NR_PAGE_ORDERS; o++)
			KTEST_ASSERT_EQ(test, nr_got[o], before[o] + lb->nr_free[o]);
		if (step % 50 == 0)
			test_mm_check(test, t);
	}
	while (nr--)
		free_pages(t->mm, chunk[nr] >> 4, chunk[nr] & 15);
}

/* Frames of one order until nothing is left; every frame once; all come back. */
static void exhaust(struct ktest *test)
{
	static const unsigned int orders[] = { 0, 3, 8, 9, 10 };
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long free = test_mm_free(test, t);
	unsigned long *pfns = test_mm_table(test, 2 * PAGES_PER_SECTION * sizeof(*pfns));

	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
		const u32 gfp = GFP_MOVABLE | GFP_ATOMIC | GFP_NOWARN;
		unsigned long nr = 0;

		while ((pfns[nr] = alloc_pages(t->mm, gfp, orders[i], PGTY_SLAB)) != PFN_NONE)
			nr++;
		/* What is left cannot hold a chunk of that order. */
		KTEST_EXPECT_GE(test, nr << orders[i], t->nr);
		KTEST_EXPECT_LE(test, nr << orders[i], free);
		KTEST_EXPECT_EQ(test, t->zone->avail_orders[MIGRATE_MOVABLE] >> orders[i], 0);
		if (orders[i] == 0)
			KTEST_EXPECT_EQ(test, nr, free);
		test_mm_check(test, t);
		while (nr--)
			free_pages(t->mm, pfns[nr], orders[i]);
		KTEST_EXPECT_EQ(test, test_mm_free(test, t), free);
		test_mm_check(test, t);
	}
}

/* All frames free again: uniform pageblocks in pairs, one bit each. */
static void everything_merges(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const struct mem_section *ms = pfn_to_section(t->mm, t->base);
	unsigned long pfns[100];

	for (unsigned int i = 0; i < ARRAY_SIZE(pfns); i++)
		pfns[i] = alloc_pages(t->mm, GFP_KERNEL, i % 4, PGTY_KERNEL);
	for (unsigned int i = 0; i < ARRAY_SIZE(pfns); i++)
		free_pages(t->mm, pfns[i], i % 4);
	test_mm_free(test, t);
	KTEST_EXPECT_EQ(test, ms->avail[MAX_PAGE_ORDER], 0x5555555555555555UL);
	for (unsigned int order = 0; order < MAX_PAGE_ORDER; order++)
		KTEST_EXPECT_EQ(test, ms->avail[order], 0);
	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++)
		KTEST_EXPECT_FALSE(test, ms->pb[b].word & PB_VALID);
}

static void search_finds_the_last_chunk(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 2);
	const unsigned long last = t->base + t->nr - 8;
	const unsigned long free = test_mm_free(test, t);
	unsigned long *pfns = test_mm_table(test, free * sizeof(*pfns));
	unsigned long nr;

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, last, 3, PGTY_KERNEL), 0);
	nr = alloc_pages_bulk(t->mm, GFP_MOVABLE | GFP_ATOMIC, PGTY_KERNEL, free - 8, pfns);
	KTEST_ASSERT_EQ(test, nr, free - 8);
	KTEST_EXPECT_EQ(test, alloc_pages(t->mm, GFP_ATOMIC | GFP_NOWARN, 0, PGTY_KERNEL),
			PFN_NONE);
	free_pages(t->mm, last, 3);
	KTEST_EXPECT_EQ(test, alloc_pages(t->mm, GFP_ATOMIC, 3, PGTY_KERNEL), last);
	free_pages(t->mm, last, 3);
	free_pages_bulk(t->mm, pfns, nr);
}

static const struct ktest_case buddy_cases[] = {
	KTEST_CASE(every_order),
	KTEST_CASE(same_as_list_buddy),
	KTEST_CASE(exhaust),
	KTEST_CASE(everything_merges),
	KTEST_CASE(search_finds_the_last_chunk),
	{},
};
static struct ktest_suite buddy_suite = { .name = "buddy", .cases = buddy_cases };
KTEST_SUITE(buddy_suite);
