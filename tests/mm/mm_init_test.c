/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Building a memory from a memblock: for any ranges, every frame of every section has
 * the type that a model of the ranges gives it, and the counters add up.
 */
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/mm/hotplug_window.h"

#define MAP_BYTES (3 * SECTION_SIZE)

/* The type of a frame according to the memblock's ranges. */
static enum page_type model_type(const struct memblock *mb, unsigned long pfn)
{
	const phys_addr_t paddr = pfn_to_phys(pfn);
	bool memory = false;

	for (unsigned int i = 0; i < mb->memory.nr; i++)
		memory |= paddr - mb->memory.region[i].base < mb->memory.region[i].size;
	if (!memory)
		return PGTY_HOLE;
	for (unsigned int i = 0; i < mb->reserved.nr; i++)
		if (paddr - mb->reserved.region[i].base < mb->reserved.region[i].size)
			return mb->reserved.region[i].type;
	return PGTY_BUDDY;
}

/* Expect that each frame of every section has the model's type, and that the counts agree. */
static void expect_census(struct ktest *test, struct window *w)
{
	unsigned long census[NR_PAGE_TYPES] = { 0 };
	const struct zone *zone = window_zone(w, ZONE_NORMAL);
	const struct mem_section *ms;

	for_each_section(ms, w->mm) {
		for (unsigned long i = 0; i < PAGES_PER_SECTION; i++) {
			const enum page_type type = page_type(w->mm, ms->start_pfn + i);

			KTEST_ASSERT_EQ(test, type, model_type(&w->mb, ms->start_pfn + i));
			census[type]++;
		}
	}
	KTEST_EXPECT_EQ(test, zone->present, memblock_total(&w->mb) >> PAGE_SHIFT);
	KTEST_EXPECT_EQ(test, zone->free, census[PGTY_BUDDY]);
	/* Early page tables are allocated frames; the other reservations are permanent. */
	KTEST_EXPECT_EQ(test, zone->managed, census[PGTY_BUDDY] + census[PGTY_PGTABLE]);
	KTEST_EXPECT_EQ(test, census[PGTY_NONE], 0);
	window_check(test, w);
}

/* Odd sizes and starts, holes within a pageblock, typed reservations of single frames. */
static void odd_ranges_are_typed(struct ktest *test)
{
	struct window *w = window_open_raw(test, MAP_BYTES);
	const phys_addr_t base = pfn_to_phys(w->base);

	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, base + 0x3000, 0x2345678), 0);
	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, base + 0x2400000, 0x1000), 0);
	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, base + SECTION_SIZE - 0x5000, 0x9000), 0);
	KTEST_ASSERT_EQ(
		test, memblock_add(&w->mb, base + 2 * SECTION_SIZE + 0x200000, 0x400000),
		0);
	KTEST_ASSERT_EQ(test, memblock_reserve(&w->mb, base, 0x80000, PGTY_FIRMWARE), 0);
	KTEST_ASSERT_EQ(test, memblock_reserve(&w->mb, base + 0x200000, 0x200000, PGTY_IMAGE), 0);
	KTEST_ASSERT_EQ(test, memblock_reserve(&w->mb, base + 0x601000, 1, PGTY_FIRMWARE), 0);
	KTEST_ASSERT_EQ(test, window_populate(w), 0);
	KTEST_EXPECT_EQ(test, window_zone(w, ZONE_NORMAL)->spanned, 3 * PAGES_PER_SECTION);
	expect_census(test, w);
}

static void random_ranges_are_typed(struct ktest *test)
{
	static const enum page_type types[] = { PGTY_FIRMWARE, PGTY_IMAGE, PGTY_BOOT,
						PGTY_PGTABLE };
	struct window *w = window_open_raw(test, MAP_BYTES);
	const phys_addr_t base = pfn_to_phys(w->base);

	/* Room that is sure to hold the metadata. */
	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, base + 0x400000, 0x800000), 0);
	for (unsigned int i = 0; i < 20; i++) {
		phys_addr_t at = base + prng_below(&test->prng, MAP_BYTES - 0x1800000);

		KTEST_ASSERT_EQ(test, memblock_add(&w->mb, at,
						   prng_below(&test->prng, 0x1800000)), 0);
		at = base + prng_below(&test->prng, MAP_BYTES - 0x100000);
		/*
		 * One reservation after each add, so that some lie in memory, some in
		 * holes and some across.
		 */
		KTEST_ASSERT_EQ(test, memblock_reserve(&w->mb, at,
						       prng_below(&test->prng, 0x40000),
						       types[i % ARRAY_SIZE(types)]), 0);
	}
	KTEST_ASSERT_EQ(test, window_populate(w), 0);
	expect_census(test, w);
}

/* Nearly all of a section's boot memory can be allocated, and nothing else. */
static void free_memory_is_all_there(struct ktest *test)
{
	struct window *w = window_open(test, 16UL << 20);
	const unsigned long free = window_zone(w, ZONE_NORMAL)->free;
	unsigned long n = 0, pfn;

	for (;; n++) {
		pfn = alloc_pages(w->mm, GFP_KERNEL | GFP_ATOMIC | GFP_NOWARN | GFP_NODRAIN, 0,
				  PGTY_KERNEL);
		if (pfn == PFN_NONE)
			break;
		KTEST_ASSERT_EQ(test, model_type(&w->mb, pfn), PGTY_BUDDY);
	}
	KTEST_EXPECT_LE(test, n, free);
	KTEST_EXPECT_EQ(test, window_zone(w, ZONE_NORMAL)->free, free - n);
	KTEST_EXPECT_GE(test, n, free * 9 / 10);
}

/* Memory that cannot hold its own metadata is refused with a message, not a panic. */
static void too_little_memory_is_refused(struct ktest *test)
{
	struct window *w = window_open_raw(test, 0x40000);

	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, pfn_to_phys(w->base), 0x40000), 0);
	KTEST_EXPECT_EQ(test, window_populate(w), -ENOMEM);
}

/* mem= makes the rest a hole, which an owner can claim. */
static void limit_leaves_room_for_owner(struct ktest *test)
{
	struct window *w = window_open_raw(test, SECTION_SIZE);

	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, pfn_to_phys(w->base), SECTION_SIZE), 0);
	memblock_enforce_limit(&w->mb, 20UL << 20);
	KTEST_ASSERT_EQ(test, window_populate(w), 0);
	expect_census(test, w);
	w->owner.region.start_pfn = w->base + (20UL << 8);
	w->owner.region.nr_pages = PAGES_PER_SECTION;
	KTEST_EXPECT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	window_check(test, w);
}

/* Ranges of one section share its object: more ranges take no more metadata. */
static void ranges_share_a_section(struct ktest *test)
{
	struct window *w = window_open_raw(test, SECTION_SIZE);
	const phys_addr_t base = pfn_to_phys(w->base);
	u64 boot = 0;

	for (unsigned int i = 0; i < 6; i++)
		KTEST_ASSERT_EQ(
			test, memblock_add(&w->mb, base + (8UL << 20) * i, 4UL << 20), 0);
	KTEST_ASSERT_EQ(test, window_populate(w), 0);
	for (unsigned int i = 0; i < w->mb.reserved.nr; i++)
		if (w->mb.reserved.region[i].type == PGTY_BOOT)
			boot += w->mb.reserved.region[i].size;
	KTEST_EXPECT_EQ(test, boot, 2 * PAGE_SIZE); /* the section object, and the root */
}

static const struct ktest_case mm_init_cases[] = {
	KTEST_CASE(odd_ranges_are_typed),
	KTEST_CASE(random_ranges_are_typed),
	KTEST_CASE(free_memory_is_all_there),
	KTEST_CASE(too_little_memory_is_refused),
	KTEST_CASE(limit_leaves_room_for_owner),
	KTEST_CASE(ranges_share_a_section),
	{}
};

static struct ktest_suite mm_init_suite = {
	.name = "mm_init",
	.cases = mm_init_cases,
};
KTEST_SUITE(mm_init_suite);
