/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sections: found at their number and nowhere else, roots that come and go with them,
 * objects that share pages, and walks over present sections.
 */
#include "arch/machine.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/hotplug.h"
#include "mm/pageblock.h"
#include "mm/pageblock_index.h"
#include "tests/mm/hotplug_window.h"

/* Sections far from all memory, so that each has its own root. */
#define FAR_ROOT(n) ((100UL + (n)) * SECTIONS_PER_ROOT)

static struct mem_section *make_section(struct ktest *test, struct window *w,
					unsigned long nr)
{
	struct mem_section *ms = section_alloc(w->mm);

	KTEST_ASSERT_NOT_NULL(test, ms);
	ms->mm = w->mm;
	ms->start_pfn = nr << SECTION_PFN_SHIFT;
	ms->hole = ~0UL;
	ms->unmapped = ~0UL;
	KTEST_ASSERT_EQ(test, section_link(w->mm, ms), 0);
	return ms;
}

static void drop_section(struct window *w, struct mem_section *ms)
{
	const unsigned long pfn = ms->start_pfn;

	section_unlink(w->mm, ms);
	section_free(w->mm, ms);
	section_root_put(w->mm, pfn);
}

/* A root is made for its first section and goes with its last section. */
static void roots_come_and_go(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	const unsigned long free = window_zone(w, ZONE_NORMAL)->free,
			    max_pfn = w->mm->max_pfn;
	struct mem_section *ms[4];

	for (unsigned int i = 0; i < 4; i++)
		ms[i] = make_section(test, w, FAR_ROOT(i / 2) + 7 * i);
	for (unsigned int i = 0; i < 4; i++)
		KTEST_EXPECT_PTR_EQ(test, pfn_to_section(w->mm, ms[i]->start_pfn + 1),
				    ms[i]);
	KTEST_EXPECT_PTR_NE(test, w->mm->root[100], &empty_section_root);
	KTEST_EXPECT_EQ(test, w->mm->max_pfn, section_end_pfn(ms[3]));
	for (unsigned int i = 4; i--;)
		drop_section(w, ms[i]);
	KTEST_EXPECT_PTR_EQ(test, w->mm->root[100], &empty_section_root);
	KTEST_EXPECT_PTR_EQ(test, w->mm->root[101], &empty_section_root);
	KTEST_EXPECT_NULL(test, pfn_to_section(w->mm, FAR_ROOT(0) << SECTION_PFN_SHIFT));
	KTEST_EXPECT_EQ(test, w->mm->max_pfn, max_pfn);
	/* Two roots and two pages of objects: all go back to the reserve. */
	mm_reserve_refill(w->mm);
	KTEST_EXPECT_EQ(test, window_zone(w, ZONE_NORMAL)->free, free);
	window_check(test, w);
}

/* A page holds two objects, and is freed when both are free, in either order. */
static void objects_share_pages(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	struct mem_section *a, *b, *c;

	for (unsigned int order = 0; order < 2; order++) {
		const unsigned int reserve = w->mm->nr_reserve;

		a = section_alloc(w->mm);
		b = section_alloc(w->mm);
		c = section_alloc(w->mm);
		KTEST_ASSERT_NOT_NULL(test, c);
		KTEST_EXPECT_EQ(test, (uintptr_t)a ^ (uintptr_t)b, PAGE_SIZE / 2);
		KTEST_EXPECT_EQ(test, w->mm->nr_reserve, reserve - 2);
		section_free(w->mm, order ? a : b);
		section_free(w->mm, c);
		KTEST_EXPECT_EQ(test, w->mm->nr_reserve, reserve - 1);
		section_free(w->mm, order ? b : a);
		KTEST_EXPECT_EQ(test, w->mm->nr_reserve, reserve);
		KTEST_EXPECT_TRUE(test, list_empty(&w->mm->section_pool));
	}
}

/* A frame of the reserve gets the type of its use, and becomes Kernel again. */
static void reserve_frames_are_typed(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	unsigned long pfn;

	KTEST_EXPECT_EQ(test, w->mm->nr_reserve, MM_RESERVE_PAGES);
	pfn = meta_page_alloc(w->mm, PGTY_PGTABLE);
	KTEST_EXPECT_EQ(test, page_type(w->mm, pfn), PGTY_PGTABLE);
	KTEST_EXPECT_EQ(test, w->mm->nr_reserve, MM_RESERVE_PAGES - 1);
	window_check(test, w);
	meta_page_free(w->mm, pfn);
	KTEST_EXPECT_EQ(test, page_type(w->mm, pfn), PGTY_KERNEL);
	KTEST_EXPECT_EQ(test, w->mm->nr_reserve, MM_RESERVE_PAGES);
	window_check(test, w);
	/* The reserve is full: one more page goes to the allocator. */
	pfn = meta_page_alloc(w->mm, PGTY_KERNEL);
	mm_reserve_refill(w->mm);
	meta_page_free(w->mm, pfn);
	KTEST_EXPECT_EQ(test, page_type(w->mm, pfn), PGTY_BUDDY);
	mm_reserve_drop(w->mm);
	KTEST_EXPECT_EQ(test, w->mm->nr_reserve, 0);
	window_check(test, w);
}

/* A walk meets each section once, in ascending order, across empty roots. */
static void walks_meet_each_section(struct ktest *test)
{
	static const unsigned long far[] = { 0, 1, 63, 64, 255, 256, 5 * 256 + 128 };
	struct window *w = window_open(test, 32UL << 20);
	struct mem_section *made[ARRAY_SIZE(far)], *s;
	unsigned int n = 0;

	for (unsigned int i = ARRAY_SIZE(far); i--;)
		made[i] = make_section(test, w, FAR_ROOT(0) + far[i]);
	for_each_section(s, w->mm) {
		if (n)
			KTEST_EXPECT_PTR_EQ(test, s, made[n - 1]);
		else
			KTEST_EXPECT_EQ(test, section_nr(s), w->block);
		n++;
	}
	KTEST_EXPECT_EQ(test, n, ARRAY_SIZE(far) + 1);
	KTEST_EXPECT_EQ(test, next_memory_block(w->mm, FAR_ROOT(0) + 65),
			FAR_ROOT(0) + 255);
	KTEST_EXPECT_EQ(test, next_memory_block(w->mm, ~0UL), PFN_NONE);
	for (unsigned int i = 0; i < ARRAY_SIZE(far); i++)
		drop_section(w, made[i]);
}

/* Look-ups of any number are safe. */
static void any_pfn_is_looked_up(struct ktest *test)
{
	static const unsigned long pfns[] = { 0, 1UL << 33, (1UL << 33) - 1, ~0UL,
					      1UL << 63 };
	struct window *w = window_open(test, 32UL << 20);
	struct page_state st;

	for (unsigned int i = 0; i < ARRAY_SIZE(pfns); i++) {
		KTEST_EXPECT_NULL(test, pfn_to_section(w->mm, pfns[i]));
		KTEST_EXPECT_FALSE(test, page_state_get(w->mm, pfns[i], &st));
		KTEST_EXPECT_FALSE(test, page_try_get(w->mm, pfns[i]));
		KTEST_EXPECT_EQ(test,
				memory_block_state(w->mm, pfns[i] >> SECTION_PFN_SHIFT),
				MEM_BLOCK_ABSENT);
	}
	KTEST_EXPECT_EQ(test, memory_block_state(w->mm, ~0UL), MEM_BLOCK_ABSENT);
	for (unsigned int i = 0; i < 1000; i++)
		KTEST_EXPECT_EQ(test, page_state_get(w->mm, prng_u64(&test->prng), &st),
				false);
}

/* Sections by number, in four roots; the test never looks at their frames. */
static const unsigned long far_nr[] = {
	5,
	63 * SECTIONS_PER_ROOT,
	70 * SECTIONS_PER_ROOT + 1,
	70 * SECTIONS_PER_ROOT + 255,
	(NR_SECTION_ROOTS - 1) * SECTIONS_PER_ROOT + 200,
};
#define NR_FAR ARRAY_SIZE(far_nr)

static struct mm far_mm;
static struct mem_section far_section[NR_FAR];

/* Make a zone of all far sections, with one free pageblock in each. */
static struct zone *far_zone(void)
{
	static struct section_root roots[NR_FAR];
	struct zone *zone = &far_mm.zone[ZONE_MOVABLE];

	mm_init(&far_mm, "far");
	far_mm.max_pfn = (far_nr[NR_FAR - 1] + 1) << SECTION_PFN_SHIFT;
	memset(roots, 0, sizeof(roots));
	for (unsigned int i = 0; i < NR_FAR; i++) {
		struct mem_section *ms = &far_section[i];
		struct section_root **root = &far_mm.root[far_nr[i] / SECTIONS_PER_ROOT];

		if (*root == &empty_section_root)
			*root = &roots[i];
		*ms = (struct mem_section){ .mm = &far_mm,
					    .zone = zone,
					    .start_pfn = far_nr[i] << SECTION_PFN_SHIFT };
		ms->mt[MIGRATE_MOVABLE] = ~0UL;
		ms->pb[0].word =
			pb_uniform((u64)MIGRATE_MOVABLE << PB_MT_SHIFT,
					page_word(PGTY_BUDDY, 0, 0, ZONE_MOVABLE));
		(*root)->section[far_nr[i] % SECTIONS_PER_ROOT] = ms;
	}
	return zone;
}

/* Expect that the search, in added memory, finds a pageblock of far_section[@i]. */
static void expect_found(struct ktest *test, struct zone *zone, unsigned int from, unsigned int i)
{
	unsigned int b;

	KTEST_EXPECT_PTR_EQ(test, index_find(zone, from | SEARCH_ADDED, 3, &b), &far_section[i]);
	KTEST_EXPECT_EQ(test, b, 0);
}

/* The search finds a free chunk wherever it lies, the nearest first, until there is none. */
static void index_reaches_all_roots(struct ktest *test)
{
	struct zone *zone = far_zone();
	unsigned int b;

	for (unsigned int down = 0; down < 2; down++) {
		const unsigned int from = MIGRATE_MOVABLE | (down ? SEARCH_DOWN : 0);

		for (unsigned int i = 0; i < NR_FAR; i++)
			index_add(&far_section[i], 0);
		for (unsigned int i = 0; i < NR_FAR; i++) {
			const unsigned int at = down ? NR_FAR - 1 - i : i;

			expect_found(test, zone, from, at);
			index_remove(&far_section[at], 0);
		}
		KTEST_EXPECT_EQ(test, zone->avail_orders[1][MIGRATE_MOVABLE], 0);
		KTEST_EXPECT_NULL(test, index_find(zone, from | SEARCH_ADDED, 3, &b));
		/* When the far chunks go first, the search finds the nearest until the end. */
		for (unsigned int i = 0; i < NR_FAR; i++)
			index_add(&far_section[i], 0);
		for (unsigned int i = NR_FAR; i-- > 0;) {
			expect_found(test, zone, from, down ? NR_FAR - 1 : 0);
			KTEST_EXPECT_NULL(test, index_find(zone, from, 3, &b));
			index_remove(&far_section[down ? NR_FAR - 1 - i : i], 0);
		}
	}
}

static void expect_span(struct ktest *test, const struct zone *zone, unsigned int first,
			unsigned int last)
{
	KTEST_EXPECT_EQ(test, zone->start_pfn >> SECTION_PFN_SHIFT, far_nr[first]);
	KTEST_EXPECT_EQ(test, zone->spanned >> SECTION_PFN_SHIFT,
			far_nr[last] + 1 - far_nr[first]);
}

/* zone_shrink() finds the span's new end, in whichever root it lies. */
static void spans_shrink_across_roots(struct ktest *test)
{
	struct zone *zone = far_zone();

	for (unsigned int last = 0; last < NR_FAR; last++)
		zone_grow(zone, &far_section[last]);
	for (unsigned int last = NR_FAR - 1; last; last--) {
		expect_span(test, zone, 0, last);
		zone_shrink(zone, &far_section[last]);
	}
	for (unsigned int last = 1; last < NR_FAR; last++)
		zone_grow(zone, &far_section[last]);
	for (unsigned int first = 0; first < NR_FAR - 1; first++) {
		expect_span(test, zone, first, NR_FAR - 1);
		zone_shrink(zone, &far_section[first]);
	}
	zone_shrink(zone, &far_section[NR_FAR - 1]);
	KTEST_EXPECT_EQ(test, zone->spanned, 0);
}

/* If no root can be allocated, the block is not added, and its metadata is freed. */
static void root_that_cannot_be_had(struct ktest *test)
{
	const unsigned long block = SECTIONS_PER_ROOT, pfn = block << SECTION_PFN_SHIFT;
	struct window *w = window_open(test, 32UL << 20);
	/* Two owners share the block, so its metadata comes from existing memory. */
	struct memory_owner low = { .name = "low",
				    .region = { pfn, 32 * PAGEBLOCK_NR_PAGES } };
	struct memory_owner high = { .name = "high",
				     .region = { pfn + 32 * PAGEBLOCK_NR_PAGES,
						 32 * PAGEBLOCK_NR_PAGES } };
	struct window_totals before;
	unsigned int failed = 0;
	int err;

	KTEST_ASSERT_PTR_EQ(test, w->mm->root[1], &empty_section_root);
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &low, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &high, NO_WHY), 0);
	before = window_totals(w);
	do {
		w->mm->inject = failed + 1;
		err = add_memory(w->mm, block, &low, 0xff, NO_WHY);
		failed += err != 0;
		mm_reserve_refill(w->mm);
		if (err) {
			KTEST_EXPECT_EQ(test, err, -ENOMEM);
			window_expect_totals(test, w, &before);
			KTEST_EXPECT_PTR_EQ(test, w->mm->root[1], &empty_section_root);
		}
	} while (err && failed < 20);
	w->mm->inject = 0;
	/* The steps that can fail: object, map, free bits, descriptors, memmap, root. */
	KTEST_EXPECT_EQ(test, failed, 6);
	KTEST_EXPECT_EQ(test, try_remove_memory(w->mm, block, NO_WHY), 0);
	window_expect_totals(test, w, &before);
	unregister_memory_owner(w->mm, &low);
	unregister_memory_owner(w->mm, &high);
}

static const struct ktest_case sparse_cases[] = { KTEST_CASE(roots_come_and_go),
						  KTEST_CASE(objects_share_pages),
						  KTEST_CASE(reserve_frames_are_typed),
						  KTEST_CASE(walks_meet_each_section),
						  KTEST_CASE(any_pfn_is_looked_up),
						  KTEST_CASE(index_reaches_all_roots),
						  KTEST_CASE(spans_shrink_across_roots),
						  KTEST_CASE(root_that_cannot_be_had),
						  {} };

static struct ktest_suite sparse_suite = {
	.name = "sparse",
	.cases = sparse_cases,
};
KTEST_SUITE(sparse_suite);
