/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks at pageblocks of all kinds, the census and the counters of /proc/meminfo agree with
 * a walk over every frame.
 */
#include "lib/string.h"
#include "mm/pgtable.h"
#include "mm/slab.h"
#include "tests/console/answer.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

/* Look at one pageblock frame by frame. */
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

/*
 * Compare the look at a pageblock with its frames, and with those of the pageblocks that
 * the look says are alike.
 */
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

/* Compare the looks at all online pageblocks of @mm, and the census, with their frames. */
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

/* Allocate a chunk of every order; the chunk of order k is 2 << k frames after @at. */
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
	const struct pfn_range isolated = { t->base + 30 * PB, 3 * PB };

	take_chunks(test, t, PGTY_KERNEL, plain);
	take_chunks(test, t, PGTY_DRIVER, counted);
	compare_all(test, t->mm);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pins, 9, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pins + PB, 9, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pins + 2 * PB + 77, 0, PGTY_DRIVER), 0);
	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &isolated, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, page_pin(t->mm, pins + PB) | page_pin(t->mm, pins + 2 * PB + 77), 0);
	compare_all(test, t->mm);
	KTEST_EXPECT_EQ(test, page_unpin(t->mm, pins + PB) | page_unpin(t->mm, pins + 2 * PB + 77),
			0);
	unisolate_range(t->mm, &isolated);
	free_pages(t->mm, pins, 9);
	free_pages(t->mm, pins + PB, 9);
	free_pages(t->mm, pins + 2 * PB + 77, 0);
	give_chunks(t, plain);
	give_chunks(t, counted);
	compare_all(test, t->mm); /* some are in the hart's cache now */
	KTEST_EXPECT_GT(test, pcp_cached_pages(t->mm), 0);
	test_mm_check(test, t);
}

/* Return a row of /proc/meminfo, in frames. */
static unsigned long row(struct ktest *test, const char *name)
{
	char *at = strstr(answer, name);
	unsigned long kb = 0;

	KTEST_ASSERT_NOT_NULL(test, at);
	for (at += strlen(name); *at == ' '; at++)
		;
	for (; *at >= '0' && *at <= '9'; at++)
		kb = kb * 10 + (unsigned long)(*at - '0');
	return kb >> (PAGE_SHIFT - 10);
}

/* Compare the file's counters with the types of all the kernel's frames. */
static void compare_meminfo(struct ktest *test)
{
	unsigned long nr[NR_PAGE_TYPES] = { 0 };

	for (unsigned long block = next_memory_block(&kernel_mm, 0); block != PFN_NONE;
	     block = next_memory_block(&kernel_mm, block + 1))
		for (unsigned long i = 0; i < PAGES_PER_SECTION; i++)
			nr[page_type(&kernel_mm, block * PAGES_PER_SECTION + i)]++;
	KTEST_ASSERT_EQ(test, command("cat /proc/meminfo"), 0);
	KTEST_EXPECT_EQ(test, row(test, "Slab:"), nr[PGTY_SLAB]);
	KTEST_EXPECT_EQ(test, row(test, "PageTables:"), nr[PGTY_PGTABLE]);
	KTEST_EXPECT_EQ(test, row(test, "MemFree:"), nr[PGTY_BUDDY] + nr[PGTY_CACHED]);
}

static void meminfo_is_a_census(struct ktest *test)
{
	void *objects[40];
	unsigned long pfns[3];
	phys_addr_t table;

	compare_meminfo(test);
	table = pgtable_alloc_page();
	KTEST_ASSERT_NE(test, table, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = kmalloc(2048, GFP_KERNEL);
		KTEST_ASSERT_NOT_NULL(test, objects[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(pfns); i++)
		pfns[i] = alloc_pages(&kernel_mm, GFP_KERNEL, 2 * i, PGTY_KERNEL);
	compare_meminfo(test);
	for (unsigned int i = 0; i < ARRAY_SIZE(pfns); i++)
		free_pages(&kernel_mm, pfns[i], 2 * i);
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		kfree(objects[i]);
	pgtable_free_page(table);
	compare_meminfo(test);
}

static const struct ktest_case cases[] = {
	KTEST_CASE(looks_see_every_frame),
	KTEST_CASE(meminfo_is_a_census),
	{},
};

static struct ktest_suite suite = { .name = "vmstat", .cases = cases };
KTEST_SUITE(suite);
