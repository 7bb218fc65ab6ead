/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Isolation: types and counts survive it, order-10 chunks are split at its border
 * and merge again, two requests for one pageblock exclude each other.
 */
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

static struct pfn_range blocks(const struct test_mm *t, unsigned int first, unsigned int nr)
{
	return (struct pfn_range){ t->base + first * PB, nr * PB };
}

/* The state that isolation and its end must restore: the words without the sequence. */
static void snapshot(const struct test_mm *t, u64 *words)
{
	const struct mem_section *ms = pfn_to_section(t->mm, t->base);

	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++)
		words[b] = ms->pb[b].word << (64 - PB_SEQ_SHIFT);
}

/* All mixtures of types, used and free, in ranges of every position and length. */
static void round_trips(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct mem_section *ms = pfn_to_section(t->mm, t->base);
	u64 before[PAGEBLOCKS_PER_SECTION], after[PAGEBLOCKS_PER_SECTION];
	const unsigned long free = t->zone->free;
	unsigned long taken = 0;

	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++) {
		spin_lock(&t->zone->lock);
		pageblock_set_migratetype(ms, b, prng_below(&test->prng, NR_MIGRATE_STORED));
		spin_unlock(&t->zone->lock);
		if (b % 5 == 1 && alloc_pages_at(t->mm, pb_pfn(ms, b) + b * 8, 3, PGTY_SLAB) == 0)
			taken += 8;
		if (b % 11 == 2 && alloc_pages_at(t->mm, pb_pfn(ms, b), 9, PGTY_SLAB) == 0)
			taken += PB;
	}
	test_mm_check(test, t);
	snapshot(t, before);
	for (unsigned int round = 0; round < 200; round++) {
		const unsigned int first = prng_below(&test->prng, 64);
		const struct pfn_range r =
			blocks(t, first, 1 + prng_below(&test->prng, 64 - first));

		KTEST_ASSERT_EQ(test, isolate_range(t->mm, &r, NO_WHY), 0);
		KTEST_EXPECT_EQ(test, t->zone->nr_isolated, r.nr_pages / PB);
		KTEST_EXPECT_EQ(test, t->zone->free + t->zone->free_isolated, free - taken);
		KTEST_EXPECT_TRUE(test, test_mm_isolated(t->mm, r.start_pfn));
		if (round % 10 == 0)
			test_mm_check(test, t);
		unisolate_range(t->mm, &r);
		snapshot(t, after);
		KTEST_ASSERT_MEMEQ(test, before, after, sizeof(before));
	}
	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++) {
		if (b % 5 == 1 && page_type(t->mm, pb_pfn(ms, b) + b * 8) == PGTY_SLAB &&
		    b % 11 != 2)
			free_pages(t->mm, pb_pfn(ms, b) + b * 8, 3);
		if (b % 11 == 2 && page_type(t->mm, pb_pfn(ms, b)) == PGTY_SLAB)
			free_pages(t->mm, pb_pfn(ms, b), 9);
	}
}

static const struct ktest_case isolation_cases[] = {
	KTEST_CASE(round_trips),
	{},
};
static struct ktest_suite isolation_suite = { .name = "page_isolation", .cases = isolation_cases };
KTEST_SUITE(isolation_suite);
