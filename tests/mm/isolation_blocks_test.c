/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Isolation on the host: every mixture of migrate types survives it, order-10 chunks
 * across its border are filed in two halves and merge again, and isolated free frames
 * do not count as free. See test_isolation.c and test_isolation_harts.c.
 */
#include "lib/errno.h"
#include "mm/contig.h"
#include "mm/zone.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

static struct pfn_range blocks(const struct test_mm *t, unsigned int first,
			       unsigned int nr)
{
	return (struct pfn_range){ t->base + first * PB, nr * PB };
}

/* --- types ----------------------------------------------------------------------- */

/* Each pair of neighbours occurs once, across the border of two sections. */
#define NR_MIXED (2 * NR_MIGRATE_STORED * NR_MIGRATE_STORED)
#define MIXED	 (PAGEBLOCKS_PER_SECTION - 7)

static unsigned int mixed_type(unsigned int i)
{
	return i % 2 ? i / 2 % NR_MIGRATE_STORED : i / 2 / NR_MIGRATE_STORED;
}

/* Expects unchanged types, and the isolate bit, which is not a type, as given. */
static void expect_types(struct ktest *test, const struct test_mm *t, bool isolated)
{
	for (unsigned int i = 0; i < NR_MIXED; i++) {
		const u64 w = pfn_pageblock(t->mm, t->base + (MIXED + i) * PB)->word;

		KTEST_ASSERT_EQ(test, pb_mt(w), mixed_type(i));
		KTEST_ASSERT_EQ(test, !!(w & PB_ISOLATE), isolated);
	}
}

/* Operations on a range or a part of it: the types are the same afterwards. */
static void befall(struct ktest *test, struct test_mm *t, const struct pfn_range *r)
{
	const unsigned long end = r->start_pfn + r->nr_pages,
			    inner = r->start_pfn + 3 * PB;
	struct mm_failure why;

	KTEST_ASSERT_EQ(test, isolate_range(t->mm, r, NO_WHY), 0);
	expect_types(test, t, true);
	KTEST_EXPECT_EQ(test, alloc_contig_range(t->mm, inner, end, NULL, &why), -EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_ALREADY_ISOLATED);
	expect_types(test, t, true);
	unisolate_range(t->mm, r);
	expect_types(test, t, false);
	KTEST_ASSERT_EQ(
		test, alloc_contig_range(t->mm, r->start_pfn + 9, end - 9, NULL, NO_WHY),
		0);
	free_contig_range(t->mm, r->start_pfn + 9, r->nr_pages - 18);
	expect_types(test, t, false);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, end - 1, 0, PGTY_SLAB), 0);
	KTEST_EXPECT_EQ(test, alloc_contig_range(t->mm, r->start_pfn, end, NULL, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, why.pfn, end - 1);
	expect_types(test, t, false);
	free_pages(t->mm, end - 1, 0);
}

static void every_mixture_of_types_survives(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 2);
	const struct pfn_range all = blocks(t, MIXED, NR_MIXED);

	for (unsigned int i = 0; i < NR_MIXED; i++) {
		const unsigned long pfn = all.start_pfn + i * PB;

		spin_lock(&t->zone->lock);
		pageblock_set_migratetype(pfn_to_section(t->mm, pfn),
					  pageblock_index(pfn), mixed_type(i));
		spin_unlock(&t->zone->lock);
	}
	befall(test, t, &all);
	/* The same with movable pages, so that pageblocks are valid. */
	for (unsigned int i = 0; i < NR_MIXED; i += 2)
		KTEST_ASSERT_EQ(test,
				alloc_pages_at(t->mm, all.start_pfn + i * PB + i, 0,
					       PGTY_SLAB),
				0);
	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &all, NO_WHY), 0);
	for (unsigned int i = 0; i < NR_MIXED; i += 2)
		free_pages(t->mm, all.start_pfn + i * PB + i, 0);
	expect_types(test, t, true);
	unisolate_range(t->mm, &all);
	expect_types(test, t, false);
	befall(test, t, &all);
}

/* --- order 10: two pageblocks ------------------------------------------------------ */

static_assert(PAGES_PER_SECTION % (1UL << MAX_PAGE_ORDER) == 0,
	      "no chunk lies across the border of a section, nor so of a zone");

/* Free chunks of an order that can be allocated, of all types; and the isolated ones. */
static unsigned long count_order(const struct test_mm *t, unsigned int order)
{
	unsigned long nr[NR_PAGE_ORDERS], sum = 0;

	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++) {
		zone_count_free(t->zone, mt, nr);
		sum += nr[order];
	}
	return sum;
}

/* Half of a free chunk is isolated: the other one is a chunk of order 9, until the end. */
static void half_of_a_free_chunk(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long free = t->zone->free, tens = count_order(t, 10),
			    nines = count_order(t, 9);

	for (unsigned int half = 0; half < 2; half++) {
		const struct pfn_range r = blocks(t, 20 + half, 1);
		const unsigned long rest = t->base + (21 - half) * PB;

		KTEST_ASSERT_EQ(test, isolate_range(t->mm, &r, NO_WHY), 0);
		KTEST_EXPECT_EQ(test, count_order(t, 10), tens - 1);
		KTEST_EXPECT_EQ(test, count_order(t, 9), nines + 1);
		KTEST_EXPECT_EQ(test, t->zone->free, free - PB);
		KTEST_EXPECT_EQ(test, t->zone->free_isolated, PB);
		KTEST_EXPECT_EQ(test,
				alloc_pages_at(t->mm, t->base + 20 * PB, 10, PGTY_SLAB),
				-EBUSY);
		test_mm_check(test, t);
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, rest, 9, PGTY_SLAB), 0);
		KTEST_EXPECT_EQ(test, t->zone->free, free - 2 * PB);
		unisolate_range(t->mm, &r);
		KTEST_EXPECT_EQ(test, count_order(t, 9), nines + 1);
		free_pages(t->mm, rest, 9);
		KTEST_EXPECT_EQ(test, test_mm_free(test, t), free);
		KTEST_EXPECT_EQ(test, count_order(t, 10), tens);
		KTEST_EXPECT_EQ(test, count_order(t, 9), nines);
	}
}

/*
 * An allocated chunk with one half isolated is freed: its halves are filed separately,
 * and merge later.
 */
static void half_of_an_allocated_chunk(struct ktest *test)
{
	static const u8 types[] = { PGTY_SLAB, PGTY_DRIVER };
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long free = t->zone->free, tens = count_order(t, 10),
			    pfn = t->base + 20 * PB;

	for (unsigned int i = 0; i < 4; i++) {
		const struct pfn_range r = blocks(t, 20 + i % 2, 1);

		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, 10, types[i / 2]), 0);
		KTEST_ASSERT_EQ(test, isolate_range(t->mm, &r, NO_WHY), 0);
		KTEST_EXPECT_EQ(test, t->zone->free, free - 2 * PB);
		KTEST_EXPECT_EQ(test, t->zone->free_isolated, 0);
		test_mm_check(test, t);
		free_pages(t->mm, pfn, 10);
		KTEST_EXPECT_EQ(test, page_type(t->mm, pfn), PGTY_BUDDY);
		KTEST_EXPECT_EQ(test, page_type(t->mm, pfn + PB), PGTY_BUDDY);
		KTEST_EXPECT_EQ(test, t->zone->free, free - PB);
		KTEST_EXPECT_EQ(test, t->zone->free_isolated, PB);
		KTEST_EXPECT_EQ(test, count_order(t, 10), tens - 1);
		test_mm_check(test, t);
		unisolate_range(t->mm, &r);
		KTEST_EXPECT_EQ(test, t->zone->free, free);
		KTEST_EXPECT_EQ(test, count_order(t, 10), tens);
	}
}

/* A hart has it cached: the drain frees it, also in two halves. */
static void half_of_a_cached_chunk(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 2);
	const unsigned long free = t->zone->free, tens = count_order(t, 10);

	for (unsigned int half = 0; half < 2; half++) {
		const unsigned long pfn = alloc_pages(t->mm, GFP_KERNEL, 10, PGTY_SLAB);
		const struct pfn_range r = { pfn + half * PB, PB };

		KTEST_ASSERT_NE(test, pfn, PFN_NONE);
		free_pages(t->mm, pfn, 10);
		KTEST_ASSERT_EQ(test, isolate_range(t->mm, &r, NO_WHY), 0);
		test_mm_check(test, t);
		KTEST_EXPECT_EQ(test, test_mm_free(test, t), free - PB);
		KTEST_EXPECT_EQ(test, t->zone->free_isolated, PB);
		KTEST_EXPECT_EQ(test, page_type(t->mm, r.start_pfn), PGTY_BUDDY);
		unisolate_range(t->mm, &r);
		KTEST_EXPECT_EQ(test, t->zone->free, free);
		KTEST_EXPECT_EQ(test, count_order(t, 10), tens);
	}
}

/* --- counts ------------------------------------------------------------------------ */

/* Isolated free frames count nowhere as free: in no order, and not for a watermark. */
static void isolated_is_not_free(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pfn_range most = blocks(t, 1, 63);
	const struct pfn_range zone = { t->w->base, 2 * PAGES_PER_SECTION };
	const unsigned long free = t->zone->free;
	unsigned long nr[NR_PAGE_ORDERS], sum = 0;

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + 2 * PB, 3, PGTY_SLAB), 0);
	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &most, NO_WHY), 0);
	KTEST_EXPECT_EQ(test, zone_free_pages(t->zone), free - most.nr_pages);
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
		sum += count_order(t, k) << k;
	KTEST_EXPECT_EQ(test, sum, free - most.nr_pages);
	zone_count_free(t->zone, MIGRATE_ISOLATE, nr);
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
		sum += nr[k] << k;
	KTEST_EXPECT_EQ(test, sum, free - 8);
	free_pages(t->mm, t->base + 2 * PB, 3);
	KTEST_EXPECT_EQ(test, zone_free_pages(t->zone), free - most.nr_pages);
	unisolate_range(t->mm, &most);
	KTEST_EXPECT_TRUE(test, zone_watermark_ok(t->zone, 1, GFP_KERNEL));
	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &zone, NO_WHY), 0);
	KTEST_EXPECT_EQ(test, zone_free_pages(t->zone), 0);
	KTEST_EXPECT_FALSE(test, zone_watermark_ok(t->zone, 1, GFP_ATOMIC));
	KTEST_EXPECT_EQ(test, alloc_pages(t->mm, GFP_ATOMIC | GFP_NOWARN, 0, PGTY_SLAB),
			PFN_NONE);
	unisolate_range(t->mm, &zone);
	KTEST_EXPECT_EQ(test, zone_free_pages(t->zone), free);
}

static const struct ktest_case isolation_cases[] = {
	KTEST_CASE(every_mixture_of_types_survives),
	KTEST_CASE(half_of_a_free_chunk),
	KTEST_CASE(half_of_an_allocated_chunk),
	KTEST_CASE(half_of_a_cached_chunk),
	KTEST_CASE(isolated_is_not_free),
	{}
};
static struct ktest_suite isolation_suite = { .name = "isolation_blocks",
					      .cases = isolation_cases };
KTEST_SUITE(isolation_suite);
