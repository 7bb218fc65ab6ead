/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The allocator's interface: zones, migrate types, fallback, watermarks, exact places,
 * bulk, the harts' caches, references and pins.
 */
#include "arch/machine.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "tests/mm/test_mm.h"

#define PB    PAGEBLOCK_NR_PAGES
#define QUIET (GFP_ATOMIC | GFP_NOWARN)

static unsigned int mt_of(const struct test_mm *t, unsigned long pfn)
{
	return pb_mt(pfn_pageblock(t->mm, pfn)->word);
}

/* Unmovable data claims a pageblock and stays in it; movable data stays apart. */
static void types_stay_apart(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	unsigned long kernel[200], movable[200];

	for (unsigned int i = 0; i < ARRAY_SIZE(kernel); i++) {
		kernel[i] = alloc_pages(t->mm, GFP_KERNEL, 0, PGTY_KERNEL);
		movable[i] = alloc_pages(t->mm, GFP_MOVABLE, 0, PGTY_DRIVER);
		KTEST_EXPECT_EQ(test, mt_of(t, kernel[i]), MIGRATE_UNMOVABLE);
		KTEST_EXPECT_EQ(test, mt_of(t, movable[i]), MIGRATE_MOVABLE);
	}
	test_mm_check(test, t);
	for (unsigned int i = 0; i < ARRAY_SIZE(kernel); i++) {
		free_pages(t->mm, kernel[i], 0);
		page_put(t->mm, movable[i]);
	}
}

static void zeroed(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);

	for (unsigned int order = 0; order < 6; order++) {
		unsigned long pfn = alloc_pages(t->mm, GFP_KERNEL, order, PGTY_KERNEL);
		char *frame = phys_to_virt(pfn_to_phys(pfn));

		memset(frame, 0xff, PAGE_SIZE << order);
		free_pages(t->mm, pfn, order);
		pfn = alloc_pages(t->mm, GFP_ZERO, order, PGTY_KERNEL);
		frame = phys_to_virt(pfn_to_phys(pfn));
		KTEST_EXPECT_NULL(test, memchr_inv(frame, 0, PAGE_SIZE << order));
		free_pages(t->mm, pfn, order);
	}
}

/*
 * A frame that a hart has freed is Cached, and the hart gets it first at its next
 * allocation; a drain empties the cache.
 */
static void cache_is_a_stack(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);

	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
		const unsigned long pfn = alloc_pages(t->mm, GFP_KERNEL, order, PGTY_KERNEL);

		free_pages(t->mm, pfn, order);
		if (page_type(t->mm, pfn) != PGTY_CACHED)
			continue; /* no room for such large chunks */
		KTEST_EXPECT_EQ(test, alloc_pages(t->mm, GFP_KERNEL, order, PGTY_SLAB), pfn);
		KTEST_EXPECT_EQ(test, page_type(t->mm, pfn), PGTY_SLAB);
		free_pages(t->mm, pfn, order);
		test_mm_free(test, t);
		KTEST_EXPECT_EQ(test, page_type(t->mm, pfn), PGTY_BUDDY);
		test_mm_check(test, t);
	}
}

/* However much a hart frees, its cache keeps no more than its share. */
static void cache_is_bounded(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long share = t->zone->managed / (8 * nr_harts());

	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
		unsigned long pfns[64], nr = 0;

		while (nr < 64 && nr << order < t->nr / 2)
			pfns[nr++] = alloc_pages(t->mm, GFP_KERNEL, order, PGTY_KERNEL);
		while (nr--)
			free_pages(t->mm, pfns[nr], order);
		for (unsigned int hart = 0; hart < nr_harts(); hart++) {
			const struct pcp *pcp = t->mm->pcp[hart];
			unsigned long pages = 0;

			for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
				for (unsigned int o = 0; o < NR_PAGE_ORDERS; o++) {
					const struct pcp_stack *st =
						pcp_stack((struct pcp *)pcp, mt, o);

					pages += (unsigned long)(st->top - st->base) << o;
				}
			KTEST_EXPECT_LE(test, pages, share);
		}
	}
}

/* No walker can take a reference on a frame of a type without a count, such as PageOffline. */
static void uncounted_cannot_be_grabbed(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	const unsigned long pfn = t->base + 100;
	const unsigned long slab = alloc_pages(t->mm, GFP_KERNEL, 0, PGTY_SLAB);

	KTEST_ASSERT_EQ(test, take_contig_range(t->mm, pfn, pfn + 2000, &policy, NO_WHY),
			0);
	KTEST_EXPECT_FALSE(test, page_try_get(t->mm, slab));
	for (unsigned long i = 0; i < 2000; i++) {
		struct page_state st;

		KTEST_ASSERT_FALSE(test, page_try_get(t->mm, pfn + i));
		KTEST_ASSERT_TRUE(test, page_state_get(t->mm, pfn + i, &st));
		KTEST_ASSERT_EQ(test, st.type, PGTY_OFFLINE);
		KTEST_ASSERT_EQ(test, st.count, 0);
	}
	KTEST_EXPECT_FALSE(test, page_try_get(t->mm, ~0UL));
	test_mm_check(test, t);
	test_mm_release(t, pfn, 2000);
	free_pages(t->mm, slab, 0);
	KTEST_EXPECT_FALSE(test, page_try_get(t->mm, slab));
}

static void owners_and_pins(struct ktest *test)
{
	static const u8 types[] = { PGTY_KERNEL, PGTY_DRIVER };
	struct test_mm *t = test_mm_normal(test, 1);

	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
			const unsigned long pfn = alloc_pages(t->mm, 0, order, types[i]);
			const unsigned long last = pfn + (1UL << order) - 1;
			struct page_state st;

			KTEST_EXPECT_EQ(test, page_owner(t->mm, pfn), 0);
			page_set_owner(t->mm, pfn, 0x1234567890UL + order);
			KTEST_EXPECT_EQ(test, page_pin(t->mm, last), 0);
			KTEST_EXPECT_EQ(test, page_pin(t->mm, pfn), -EBUSY);
			KTEST_ASSERT_TRUE(test, page_state_get(t->mm, last, &st));
			KTEST_EXPECT_EQ(test, st.owner, 0x1234567890UL + order);
			KTEST_EXPECT_TRUE(test, st.flags & PG_PINNED);
			KTEST_EXPECT_EQ(test, page_unpin(t->mm, pfn), 0);
			free_pages(t->mm, pfn, order);
			KTEST_EXPECT_EQ(test, page_pin(t->mm, pfn), -EINVAL);
		}
	}
	KTEST_EXPECT_EQ(test, page_pin(t->mm, ~0UL), -EINVAL);
}

/* Allocate all frames except the last @nr of three pageblocks, one for each migrate type. */
static unsigned long three_types(struct ktest *test, struct test_mm *t, unsigned long nr,
				 unsigned long **pfns)
{
	const unsigned long free = test_mm_free(test, t);
	struct mem_section *ms = pfn_to_section(t->mm, t->base);

	*pfns = test_mm_table(test, free * sizeof(**pfns));
	KTEST_ASSERT_EQ(test, alloc_pages_bulk(t->mm, QUIET, PGTY_SLAB, free, *pfns),
			free);
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++) {
		const unsigned int b = 10 + 2 * mt;

		spin_lock(&t->zone->lock);
		pageblock_set_migratetype(ms, b, mt);
		spin_unlock(&t->zone->lock);
		for (unsigned long i = PB - nr; i < PB; i++)
			free_pages(t->mm, pb_pfn(ms, b) + i, 0);
	}
	test_mm_free(test, t);
	return free;
}

static void give_all_back(struct ktest *test, struct test_mm *t,
			  const unsigned long *pfns, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		if (page_type(t->mm, pfns[i]) == PGTY_SLAB)
			free_pages(t->mm, pfns[i], 0);
	KTEST_EXPECT_EQ(test, test_mm_free(test, t), nr);
}

/*
 * Migrate types. When pageblocks of the @wanted type have no free frame, the request takes
 * one from a pageblock of the @first type.
 */
static const struct fallback_row {
	u8 wanted, first;
	u16 nr; /* free frames in each pageblock */
	bool claimed;
} fallback_rows[] = {
	{ MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE, PB / 2, true },
	{ MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE, PB / 2 - 1, false },
	{ MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, PB / 2, true },
	{ MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, PB / 2 - 1, false },
	{ MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE, PB / 2, true },
	{ MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE, PB / 2 - 1, false },
};

static void fallback_desc(const struct fallback_row *row, char desc[KTEST_DESC_SIZE])
{
	snprintf(desc, KTEST_DESC_SIZE, "%s, %u free", migratetype_name(row->wanted),
		 row->nr);
}
KTEST_ARRAY_PARAM(fallback, fallback_rows, fallback_desc)

static void fallback_goes_by_type(struct ktest *test)
{
	const struct fallback_row *row = test->param_value;
	struct test_mm *t = test_mm_normal(test, 1);
	unsigned long *pfns, own[PB], events, pfn, nr = 0;
	const unsigned long all = three_types(test, t, row->nr, &pfns);

	/* The request first takes pageblocks of its own type, while they have frames. */
	while (nr < row->nr) {
		own[nr] = alloc_pages(t->mm, QUIET | row->wanted, 0, PGTY_KERNEL);
		KTEST_ASSERT_EQ(test, mt_of(t, own[nr++]), row->wanted);
	}
	events = vm_event_read(t->mm, VM_EXTFRAG);
	pfn = alloc_pages(t->mm, QUIET | row->wanted, 0, PGTY_KERNEL);
	KTEST_ASSERT_NE(test, pfn, PFN_NONE);
	KTEST_EXPECT_EQ(test, pageblock_index(pfn), 10 + 2 * row->first);
	KTEST_EXPECT_EQ(test, mt_of(t, pfn), row->claimed ? row->wanted : row->first);
	KTEST_EXPECT_EQ(test, vm_event_read(t->mm, VM_EXTFRAG) - events, row->claimed);
	test_mm_check(test, t);
	free_pages(t->mm, pfn, 0);
	while (nr--)
		free_pages(t->mm, own[nr], 0);
	give_all_back(test, t, pfns, all);
}

/* Managed frames and the three marks, calculated by hand from Linux's formulas. */
static const struct wmark_row {
	enum zone_type zone;
	unsigned long managed, min, low, high;
} wmark_rows[] = {
	{ ZONE_NORMAL, 0, 0, 0, 0 },
	{ ZONE_NORMAL, 160, 10, 12, 14 },      /* a sixteenth: 10 */
	{ ZONE_NORMAL, 1024, 64, 80, 96 },     /* a sixteenth: 64, and by the formula too */
	{ ZONE_NORMAL, 32768, 362, 452, 542 }, /* 4 * sqrt(131072 KiB) = 1448 KiB */
	{ ZONE_NORMAL, 1UL << 20, 2048, 3096, 4144 }, /* 0.1 % is more than a quarter */
	{ ZONE_NORMAL, 1UL << 32, 65536, 65536 + 4294967,
	  65536 + 8589934 }, /* 256 MiB at most */
	{ ZONE_MOVABLE, 100, 6, 7, 8 },
	{ ZONE_MOVABLE, 32768, 32, 64, 96 },
	{ ZONE_MOVABLE, 65536, 64, 129, 194 },
	{ ZONE_MOVABLE, 1UL << 20, 128, 1176, 2224 },
};

static void watermarks_follow_the_managed_count(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);

	for (unsigned int i = 0; i < ARRAY_SIZE(wmark_rows); i++) {
		const struct wmark_row *row = &wmark_rows[i];
		struct zone *zone = &t->mm->zone[row->zone];
		const unsigned long managed = zone->managed;

		zone->managed = row->managed;
		zone_update_watermarks(t->mm);
		zone->managed = managed;
		KTEST_EXPECT_EQ(test, zone->wmark[WMARK_MIN], row->min);
		KTEST_EXPECT_EQ(test, zone->wmark[WMARK_LOW], row->low);
		KTEST_EXPECT_EQ(test, zone->wmark[WMARK_HIGH], row->high);
	}
	zone_update_watermarks(t->mm);
}

/* Metadata may take the last frames: without metadata no memory can be added. */
static void metadata_may_have_the_last(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	unsigned long pfn;

	KTEST_ASSERT_EQ(test, t->mm->nr_reserve, 0);
	t->zone->wmark[WMARK_MIN] += 2 * t->nr;
	KTEST_EXPECT_EQ(test, alloc_pages(t->mm, GFP_KERNEL | GFP_NOWARN, 0, PGTY_KERNEL),
			PFN_NONE);
	pfn = meta_page_alloc(t->mm, PGTY_KERNEL);
	t->zone->wmark[WMARK_MIN] -= 2 * t->nr;
	KTEST_ASSERT_NE(test, pfn, PFN_NONE);
	meta_page_free(t->mm, pfn);
	mm_reserve_drop(t->mm);
}

static const struct ktest_case page_alloc_cases[] = {
	KTEST_CASE(types_stay_apart),
	KTEST_CASE(zeroed),
	KTEST_CASE(cache_is_a_stack),
	KTEST_CASE(cache_is_bounded),
	KTEST_CASE(uncounted_cannot_be_grabbed),
	KTEST_CASE(owners_and_pins),
	KTEST_CASE_PARAM(fallback_goes_by_type, fallback_gen_params),
	KTEST_CASE(watermarks_follow_the_managed_count),
	KTEST_CASE(metadata_may_have_the_last),
	{},
};
static struct ktest_suite page_alloc_suite = { .name = "page_alloc", .cases = page_alloc_cases };
KTEST_SUITE(page_alloc_suite);
