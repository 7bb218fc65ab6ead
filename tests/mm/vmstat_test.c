/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What views show is what a walk over every frame finds: looks at pageblocks of all kinds.
 */
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

/* A look at one pageblock, frame by frame. */
static struct pageblock_look slow_look(struct ktest *test, struct mm *mm, unsigned long pfn,
				       unsigned long nr[NR_PAGE_TYPES])
{
	struct pageblock_look look = { .blocks = 1 };
	struct page_state st = { 0 };

	for (unsigned long i = 0; i < PB; i++) {
		KTEST_ASSERT_TRUE(test, page_state_get(mm, pfn + i, &st));
		nr[st.type]++;
		look.types |= BIT(st.type);
		look.pinned |= !!(st.flags & PG_PINNED);
	}
	look.migratetype = st.migratetype;
	look.isolated = st.isolated;
	return look;
}

/* Compare a look at the pageblock, and at those that it says are alike. */
static unsigned int compare(struct ktest *test, struct mm *mm, const struct mem_section *ms,
			    unsigned int b)
{
	unsigned long nr[NR_PAGE_TYPES] = { 0 }, want[NR_PAGE_TYPES] = { 0 };
	struct pageblock_look look, slow;

	pfn_walk_begin();
	look = pageblock_look(ms, b, nr);
	pfn_walk_end();
	KTEST_ASSERT_TRUE(test, look.blocks && b + look.blocks <= PAGEBLOCKS_PER_SECTION);
	for (unsigned int i = 0; i < look.blocks; i++) {
		slow = slow_look(test, mm, pb_pfn(ms, b + i), want);
		slow.blocks = look.blocks;
		KTEST_EXPECT_MEMEQ(test, &look, &slow, sizeof(look));
	}
	KTEST_EXPECT_MEMEQ(test, nr, want, sizeof(nr));
	return look.blocks;
}

/* Of a memory: all pageblocks of its online sections, and the census. */
static void compare_all(struct ktest *test, struct mm *mm)
{
	unsigned long nr[NR_PAGE_TYPES], want[NR_PAGE_TYPES] = { 0 };
	struct mem_section *ms;

	for (ms = next_section(mm, 0); ms; ms = next_section(mm, section_nr(ms) + 1)) {
		for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION;)
			b += compare(test, mm, ms, b);
		for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++)
			(void)slow_look(test, mm, pb_pfn(ms, b), want);
	}
	mm_census(mm, nr);
	KTEST_EXPECT_MEMEQ(test, nr, want, sizeof(nr));
}

/* Chunks of every order; that of order k begins 2 << k frames after @at. */
static void take_chunks(struct ktest *test, struct test_mm *t, enum page_type type,
			unsigned long at)
{
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, at + (2UL << order), order, type), 0);
}

static void give_chunks(struct test_mm *t, unsigned long at)
{
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		free_pages(t->mm, at + (2UL << order), order);
}

/* Uniform and valid pageblocks, chunks of all orders, pins, isolation, and runs of these. */
static void looks_see_every_frame(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long plain = t->base, counted = t->base + 8 * PB, pins = t->base + 16 * PB;

	take_chunks(test, t, PGTY_KERNEL, plain);
	take_chunks(test, t, PGTY_DRIVER, counted);
	compare_all(test, t->mm);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pins, 9, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pins + PB, 9, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pins + 2 * PB + 77, 0, PGTY_DRIVER), 0);
	KTEST_ASSERT_EQ(test, page_pin(t->mm, pins + PB) | page_pin(t->mm, pins + 2 * PB + 77), 0);
	compare_all(test, t->mm);
	KTEST_EXPECT_EQ(test, page_unpin(t->mm, pins + PB) | page_unpin(t->mm, pins + 2 * PB + 77),
			0);
	free_pages(t->mm, pins, 9);
	free_pages(t->mm, pins + PB, 9);
	free_pages(t->mm, pins + 2 * PB + 77, 0);
	give_chunks(t, plain);
	give_chunks(t, counted);
	compare_all(test, t->mm); /* some are in the hart's cache now */
	test_mm_check(test, t);
}

static const struct ktest_case cases[] = {
	KTEST_CASE(looks_see_every_frame),
	{},
};

static struct ktest_suite suite = { .name = "vmstat", .cases = cases };
KTEST_SUITE(suite);
