/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The allocator's finer rules: what a frame of a former life leaves behind (nothing),
 * whose frames an allocation takes when its own type has none, how far down, what the
 * harts' caches may hold, and poison. Host only: it is the same in the guest.
 */
#include "arch/machine.h"
#include "death.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "log.h"
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

static void expect_newborn(struct ktest *test, const struct test_mm *t, unsigned long pfn,
			   enum page_type type)
{
	struct page_state st;

	KTEST_ASSERT_TRUE(test, page_state_get(t->mm, pfn, &st));
	KTEST_ASSERT_EQ(test, st.type, type);
	KTEST_ASSERT_EQ(test, page_owner(t->mm, pfn), 0);
	KTEST_ASSERT_EQ(test, st.count, type_is_counted(type));
}

/* Neither an owner word nor a count nor a free bit of a former life is seen again. */
static void chunks_are_born_clean(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);

	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
		for (unsigned int type = 0; type < NR_PAGE_TYPES; type++) {
			const unsigned long pfn = t->base + (1UL << MAX_PAGE_ORDER);
			const bool part = order < PAGEBLOCK_ORDER;
			unsigned long again;

			if (!type_is_alloc(type))
				continue;
			/* A neighbour keeps the descriptors of its pageblock in use. */
			if (part)
				KTEST_ASSERT_EQ(test,
						alloc_pages_at(t->mm, pfn + PB - 1, 0,
							       PGTY_KERNEL),
						0);

			/* The former life: single frames, then one chunk with an owner. */
			KTEST_ASSERT_EQ(
				test, alloc_pages_at(t->mm, pfn + 5, 0, PGTY_KERNEL), 0);
			free_pages(t->mm, pfn + 5, 0);
			KTEST_ASSERT_EQ(
				test, alloc_pages_at(t->mm, pfn, order, PGTY_KERNEL), 0);
			page_set_owner(t->mm, pfn, 0x5717UL);
			free_pages(t->mm, pfn, order);
			KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, order, type), 0);
			expect_newborn(test, t, pfn, type);
			test_mm_check(test, t);
			/* The same out of the cache. */
			page_set_owner(t->mm, pfn, 0x5717UL);
			free_pages(t->mm, pfn, order);
			again = alloc_pages(t->mm, GFP_MOVABLE, order, type);
			expect_newborn(test, t, again, type);
			free_pages(t->mm, again, order);
			if (part)
				free_pages(t->mm, pfn + PB - 1, 0);
			test_mm_free(test, t);
		}
	}
}

static void bulk_frames_are_born_clean(struct ktest *test)
{
	enum {
		NR = 300
	};
	static const u8 types[] = { PGTY_SLAB, PGTY_DRIVER };
	struct test_mm *t = test_mm_normal(test, 1);
	unsigned long pfns[NR];

	for (unsigned int round = 0; round < 4; round++) {
		const enum page_type type = types[round / 2];

		KTEST_ASSERT_EQ(test,
				alloc_pages_bulk(t->mm, GFP_MOVABLE, type, NR, pfns), NR);
		for (unsigned int i = 0; i < NR; i++) {
			expect_newborn(test, t, pfns[i], type);
			page_set_owner(t->mm, pfns[i], 0x5717UL + i);
		}
		free_pages_bulk(t->mm, pfns, NR);
		test_mm_free(test, t);
	}
}

/* Without GFP_ATOMIC bulk leaves what single allocations leave, to the last frame. */
static void bulk_keeps_the_reserve(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long free = test_mm_free(test, t),
			    min_free = t->zone->wmark[WMARK_MIN];
	unsigned long *pfns = test_mm_table(test, free * sizeof(*pfns));
	unsigned long nr =
		alloc_pages_bulk(t->mm, GFP_MOVABLE | GFP_NOWARN, PGTY_SLAB, free, pfns);

	KTEST_EXPECT_EQ(test, nr, free - min_free);
	KTEST_EXPECT_EQ(test, t->zone->free, min_free);
	free_pages_bulk(t->mm, pfns, nr);
}

/* What no pageblock of the right type has is taken one by one, and is the same. */
static void bulk_steals_the_rest(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long free = test_mm_free(test, t) - 272;
	unsigned long *pfns = test_mm_table(test, free * sizeof(*pfns));

	/* Less than half of this one is left: it is not claimed. */
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, 8, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + 256, 4, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_bulk(t->mm, QUIET, PGTY_SLAB, free, pfns),
			free);
	for (unsigned long i = 0; i < free; i++)
		KTEST_ASSERT_EQ(test, type_of(t, pfns[i]), PGTY_SLAB);
	KTEST_EXPECT_EQ(test, mt_of(t, t->base), MIGRATE_MOVABLE);
	free_pages_bulk(t->mm, pfns, free);
	free_pages(t->mm, t->base, 8);
	free_pages(t->mm, t->base + 256, 4);
}

/* --- fallback ---------------------------------------------------------------- */

/* Everything is taken but the last @nr frames of three pageblocks, one of each type. */
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
		if (type_of(t, pfns[i]) == PGTY_SLAB)
			free_pages(t->mm, pfns[i], 0);
	KTEST_EXPECT_EQ(test, test_mm_free(test, t), nr);
}

/* Which type's pageblock a request falls back to when its own type has nothing. */
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

	/* Its own type first, as long as there is any. */
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

/* --- the last tries, and failure --------------------------------------------- */

/* What the own cache has in another order is found; the others' caches only if allowed. */
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

/* One line for many failures in a row, and none if the caller says so. */
static void failure_is_logged_once(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	u64 start;

	log_mark();
	msleep(1001); /* since whatever failed before */
	t->zone->wmark[WMARK_MIN] += 2 * t->nr;
	KTEST_EXPECT_EQ(test, alloc_pages(t->mm, GFP_NOWARN, 10, PGTY_SLAB), PFN_NONE);
	KTEST_EXPECT_EQ(test, times_logged("no memory: order 10 for Slab"), 0);
	start = ktime_ns();
	for (unsigned int i = 0; i < 5; i++)
		KTEST_EXPECT_EQ(test, alloc_pages(t->mm, 0, 10, PGTY_SLAB), PFN_NONE);
	KTEST_EXPECT_GE(test, times_logged("no memory: order 10 for Slab"), 1);
	KTEST_EXPECT_LE(test, times_logged("no memory: order 10 for Slab"),
			1 + (ktime_ns() - start) / NSEC_PER_SEC);
	t->zone->wmark[WMARK_MIN] -= 2 * t->nr;
}

/* A chunk of order 10 is not to be had while either half is isolated. */
static void half_isolated_is_refused(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);

	for (unsigned int half = 0; half < 2; half++) {
		const struct pfn_range range = { t->base + half * PB, PB };

		KTEST_ASSERT_EQ(test, isolate_range(t->mm, &range, NO_WHY), 0);
		KTEST_EXPECT_EQ(test, alloc_pages_at(t->mm, t->base, 10, PGTY_SLAB),
				-EBUSY);
		test_mm_check(test, t);
		unisolate_range(t->mm, &range);
	}
}

/* --- watermarks --------------------------------------------------------------- */

/* Managed frames and the three marks, by hand from Linux's formulas. */
static const struct wmark_row {
	enum zone_type zone;
	unsigned long managed, min, low, high;
} wmark_rows[] = {
	{ ZONE_NORMAL, 0, 0, 0, 0 },
	{ ZONE_NORMAL, 160, 10, 12, 14 },      /* a sixteenth: 10 */
	{ ZONE_NORMAL, 1024, 64, 80, 96 },     /* a sixteenth is 64, the formula's too */
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

/* --- the harts' caches -------------------------------------------------------- */

/* All stacks of small orders together hold half of a share, however small that is. */
static void cache_limits_follow_the_managed_count(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long managed = t->zone->managed;

	/* By steps that are just worth the work. */
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

/* The short way of freeing notices that the pageblock it knows was isolated meanwhile. */
static void known_pageblock_is_isolated(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pfn_range range = { t->base, PB };
	const unsigned long pfn = t->base;

	for (unsigned int i = 0; i < 3; i++)
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn + 8 * i, 0, PGTY_KERNEL),
				0);
	free_pages(t->mm, pfn, 0);
	free_pages(t->mm, pfn + 8, 0);
	KTEST_ASSERT_EQ(test, type_of(t, pfn + 8), PGTY_CACHED);
	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &range, NO_WHY), 0);
	free_pages(t->mm, pfn + 16, 0);
	KTEST_EXPECT_EQ(test, type_of(t, pfn + 16), PGTY_BUDDY);
	test_mm_free(test, t);
	KTEST_EXPECT_EQ(test, t->zone->free_isolated, PB);
	unisolate_range(t->mm, &range);
}

/* A chunk is kept with those of its pageblock's type, on the long way and on the short. */
static void cached_chunks_stay_apart(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	unsigned long pfns[4], pfn = alloc_pages(t->mm, GFP_KERNEL, 0, PGTY_KERNEL);

	free_pages(t->mm, pfn, 0); /* that stack is in use, too */
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

/* What is freed behind a drain is found by the next one, and there is room for it. */
static void drained_cache_starts_anew(struct ktest *test)
{
	/* So large that a hart's share holds a chunk of order 9, however many harts share. */
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

/* --- poison, and what may not be freed ---------------------------------------- */

static void poison_off(void *mm)
{
	page_poison = false;
	zone_update_watermarks(mm);
}

static struct test_mm *poisoned_mm(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);

	page_poison = true;
	ktest_add_action(test, poison_off, t->mm);
	zone_update_watermarks(t->mm);
	return t;
}

static const u8 *frame(unsigned long pfn)
{
	return phys_to_virt(pfn_to_phys(pfn));
}

/* Every way of freeing fills the frame at once: none rests in a cache before. */
static void each_free_poisons(struct ktest *test)
{
	struct test_mm *t = poisoned_mm(test);
	unsigned long pfns[2];

	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
		const unsigned long pfn = alloc_pages(t->mm, 0, order, PGTY_KERNEL);

		memset((u8 *)frame(pfn), 1, PAGE_SIZE << order);
		free_pages(t->mm, pfn, order);
		KTEST_EXPECT_EQ(test, type_of(t, pfn), PGTY_BUDDY);
		KTEST_EXPECT_NULL(test, memchr_inv(frame(pfn), 0xaa, PAGE_SIZE << order));
	}
	KTEST_ASSERT_EQ(test, alloc_pages_bulk(t->mm, 0, PGTY_KERNEL, 2, pfns), 2);
	memset((u8 *)frame(pfns[1]), 1, PAGE_SIZE);
	free_pages_bulk(t->mm, pfns, 2);
	KTEST_EXPECT_NULL(test, memchr_inv(frame(pfns[1]), 0xaa, PAGE_SIZE));
}

/* A frame that was released and never filled is not taken for a poisoned one. */
static void released_is_not_poisoned(struct ktest *test)
{
	struct test_mm *t = poisoned_mm(test);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	const unsigned long pfn = t->base + 100;

	KTEST_ASSERT_EQ(test, take_contig_range(t->mm, pfn, pfn + 1, &policy, NO_WHY), 0);
	memset((u8 *)frame(pfn), 1, PAGE_SIZE);
	/* The rest of its pageblock is filled, and all of it becomes one free chunk. */
	for (unsigned long at = t->base; at < t->base + PB; at++)
		if (at != pfn)
			KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, at, 0, PGTY_KERNEL),
					0);
	test_mm_release(t, pfn, 1);
	for (unsigned long at = t->base; at < t->base + PB; at++)
		if (at != pfn)
			free_pages(t->mm, at, 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, 9, PGTY_KERNEL), 0);
	free_pages(t->mm, t->base, 9);
}

static struct mm *mm;

static unsigned long get(enum page_type type)
{
	unsigned long pfn = PFN_NONE;

	mm = test_mm_normal(death_test, 1)->mm;
	return alloc_pages_bulk(mm, GFP_MOVABLE, type, 1, &pfn) == 1 ? pfn : PFN_NONE;
}

static void bulk_free_referenced(void)
{
	const unsigned long pfn = get(PGTY_DRIVER);

	if (page_try_get(mm, pfn))
		free_pages_bulk(mm, &pfn, 1);
}

static void free_inside_pageblock(void)
{
	(void)get(PGTY_KERNEL);
	free_pages(mm, alloc_pages(mm, GFP_MOVABLE, 9, PGTY_KERNEL) + 17, 9);
}

static void free_claimed(void)
{
	const unsigned long pfn = get(PGTY_DRIVER);

	if (page_claim(mm, pfn, PGTY_DRIVER, 0) == 0)
		free_pages(mm, pfn, 0);
}

static void free_in_interrupt(void)
{
	const unsigned long pfn = get(PGTY_SLAB);

	this_hart()->irq_depth++;
	free_pages(mm, pfn, 0);
}

static void bulk_after_a_stray_write(void)
{
	unsigned long pfn;

	page_poison = true;
	pfn = get(PGTY_KERNEL);
	free_pages(mm, pfn, 0);
	memset((u8 *)frame(pfn), 0x5c, 1);
	(void)!alloc_pages_bulk(mm, GFP_MOVABLE, PGTY_KERNEL, 1, &pfn);
}

static const struct death deaths[] = {
	{ "bulk_free_referenced", bulk_free_referenced, "it has other references" },
	{ "free_inside_pageblock", free_inside_pageblock, "it is the tail of a chunk" },
	{ "free_claimed", free_claimed, "it is being moved: it is Driver" },
	{ "free_in_interrupt", free_in_interrupt, "BUG at mm/free.c" },
	{ "bulk_after_a_stray_write", bulk_after_a_stray_write,
	  "written while it was free" },
};
KTEST_ARRAY_PARAM(death, deaths, death_desc)

static const struct ktest_case alloc_rules_cases[] = {
	KTEST_CASE(chunks_are_born_clean),
	KTEST_CASE(bulk_frames_are_born_clean),
	KTEST_CASE(bulk_keeps_the_reserve),
	KTEST_CASE(bulk_steals_the_rest),
	KTEST_CASE_PARAM(fallback_goes_by_type, fallback_gen_params),
	KTEST_CASE(failing_alloc_drains),
	KTEST_CASE(failure_is_logged_once),
	KTEST_CASE(half_isolated_is_refused),
	KTEST_CASE(watermarks_follow_the_managed_count),
	KTEST_CASE(cache_limits_follow_the_managed_count),
	KTEST_CASE(known_pageblock_is_isolated),
	KTEST_CASE(cached_chunks_stay_apart),
	KTEST_CASE(drained_cache_starts_anew),
	KTEST_CASE(each_free_poisons),
	KTEST_CASE(released_is_not_poisoned),
	KTEST_CASE_PARAM(expect_death, death_gen_params),
	{},
};
static struct ktest_suite alloc_rules_suite = { .name = "alloc_rules",
						.cases = alloc_rules_cases };
KTEST_SUITE(alloc_rules_suite);
