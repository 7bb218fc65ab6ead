/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Isolation and the harts' caches: a frame freed into an isolated pageblock never goes
 * to a cache, whichever hart frees it and whatever that hart did before. The cases run one
 * thread on each hart.
 */
#include "tests/kernel/test_threads.h"
#include "tests/mm/test_mm.h"

#define PB	PAGEBLOCK_NR_PAGES
#define NR_EACH 4U /* chunks of each hart */

/* The chunks of a step: chunk i belongs to the hart of rank i / NR_EACH. */
static struct step {
	struct mm *mm;
	unsigned long pfn;
	unsigned int order;
	unsigned int first, end; /* the part of each hart's chunks to free */
	bool isolated;
} step;

static unsigned long chunk_pfn(unsigned int hart, unsigned int i)
{
	return step.pfn + ((unsigned long)(hart * NR_EACH + i) << step.order);
}

/* Free chunks of this hart. Return: the number of isolated chunks that went to a cache. */
static int free_some(void *unused)
{
	const unsigned int hart = hart_rank();
	int bad = 0;

	(void)unused;
	for (unsigned int i = step.first; i < step.end; i++) {
		free_pages(step.mm, chunk_pfn(hart, i), step.order);
		bad += step.isolated &&
		       page_type(step.mm, chunk_pfn(hart, i)) != PGTY_BUDDY;
	}
	return bad;
}

/* Allocate chunks, perhaps from this hart's cache, and free them. Return: as free_some(). */
static int take_and_free(void *unused)
{
	unsigned long pfn[NR_EACH];
	int bad = 0;

	(void)unused;
	for (unsigned int i = 0; i < NR_EACH; i++)
		pfn[i] = alloc_pages(step.mm, GFP_KERNEL | GFP_NOWARN, step.order,
				     PGTY_SLAB);
	for (unsigned int i = 0; i < NR_EACH; i++) {
		if (pfn[i] == PFN_NONE)
			continue;
		free_pages(step.mm, pfn[i], step.order);
		bad += test_mm_isolated(step.mm, pfn[i]) &&
		       page_type(step.mm, pfn[i]) != PGTY_BUDDY;
	}
	return bad;
}

static int on_all_harts(struct ktest *test, int (*fn)(void *), void *arg)
{
	struct crew crew;

	crew_start(test, &crew, fn, arg);
	return crew_join(test, &crew);
}

static unsigned int count_cached(const struct pfn_range *r)
{
	unsigned int nr = 0;

	for (unsigned long i = 0; i < r->nr_pages; i++)
		nr += page_type(step.mm, r->start_pfn + i) == PGTY_CACHED;
	return nr;
}

static void rest_nowhere(struct ktest *test, struct test_mm *t, unsigned int order)
{
	const unsigned long nr = (unsigned long)(nr_online_harts() * NR_EACH) << order;
	const struct pfn_range blocks = { t->base, ALIGN_UP(nr, PB) };
	const unsigned long free = t->zone->free;

	step = (struct step){
		.mm = t->mm, .pfn = t->base, .order = order, .end = NR_EACH / 2
	};
	for (unsigned long i = 0; i < nr; i += 1UL << order)
		KTEST_ASSERT_EQ(test,
				alloc_pages_at(t->mm, t->base + i, order, PGTY_SLAB), 0);
	KTEST_ASSERT_EQ(test, on_all_harts(test, free_some, NULL), 0);
	if (order <= PCP_SMALL_ORDER)
		KTEST_EXPECT_EQ(test, count_cached(&blocks),
				nr_online_harts() * NR_EACH / 2 << order);
	KTEST_ASSERT_EQ(test, isolate_range(t->mm, &blocks, NO_WHY), 0);
	step.first = NR_EACH / 2;
	step.end = NR_EACH;
	step.isolated = true;
	KTEST_EXPECT_EQ(test, on_all_harts(test, free_some, NULL), 0);
	KTEST_EXPECT_EQ(test, on_all_harts(test, take_and_free, NULL), 0);
	KTEST_EXPECT_EQ(test, drain_all_pages(t->mm, STEP_NS), 0);
	KTEST_EXPECT_EQ(test, count_cached(&blocks), 0);
	KTEST_EXPECT_EQ(test, t->zone->free_isolated, blocks.nr_pages);
	KTEST_EXPECT_EQ(test, on_all_harts(test, take_and_free, NULL), 0);
	KTEST_EXPECT_EQ(test, t->zone->free_isolated, blocks.nr_pages);
	unisolate_range(t->mm, &blocks);
	KTEST_EXPECT_EQ(test, test_mm_free(test, t), free);
}

static void frees_never_rest_in_a_cache(struct ktest *test)
{
	static const u8 orders[] = {
		0, 2, PCP_SMALL_ORDER, 6, PAGEBLOCK_ORDER, MAX_PAGE_ORDER
	};
	struct test_mm *t = test_mm_normal(test, 2);

	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++)
		rest_nowhere(test, t, orders[i]);
}

static void window_block(struct ktest *test, struct window *w, unsigned long n)
{
	window_add_online(test, w, n, MMOP_ONLINE_KERNEL);
}

/* Allocate an unmovable page: this refills the hart's stack, which then accepts frees. */
static int refill(void *taken)
{
	unsigned long *pfn = taken;

	pfn[hart_rank()] = alloc_pages(step.mm, GFP_KERNEL, 0, PGTY_SLAB);
	return pfn[hart_rank()] == PFN_NONE;
}

/*
 * A hart remembers the pageblock into which it freed last, and the address of that
 * pageblock's word. After the block is removed, another block's word may lie there, so the
 * hart must not use that address for frames that come back under the old numbers.
 */
static void a_removed_block_is_forgotten(struct ktest *test)
{
	enum {
		BEFORE = WINDOW_BLOCKS - 2,
		AFTER
	};
	struct window *w = window_open_owned(test);
	const struct pfn_range block = { window_pfn(w, 1) + 10 * PB, PB };
	unsigned long taken[MAX_HARTS];
	const struct pageblock *was;
	unsigned long other, n;

	for (unsigned int rank = 0; rank < nr_online_harts(); rank++)
		KTEST_ASSERT_EQ(test, mm_hart_init(w->mm, online_hart(rank)), 0);
	step = (struct step){ .mm = w->mm, .pfn = block.start_pfn, .end = 1 };
	/* The block BEFORE or AFTER keeps the page in which block 1's section object lies. */
	window_block(test, w, BEFORE);
	window_block(test, w, 1);
	window_block(test, w, AFTER);
	was = pfn_pageblock(w->mm, block.start_pfn);
	for (unsigned int hart = 0; hart < nr_online_harts(); hart++)
		KTEST_ASSERT_EQ(
			test, alloc_pages_at(w->mm, chunk_pfn(hart, 0), 0, PGTY_SLAB), 0);
	KTEST_ASSERT_EQ(test, on_all_harts(test, free_some, NULL), 0);
	KTEST_ASSERT_EQ(test, count_cached(&block), nr_online_harts());
	KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
	KTEST_ASSERT_EQ(test, window_remove(w, 1), 0);
	for (n = 2; n < BEFORE; n++) {
		window_block(test, w, n);
		other = window_pfn(w, n) + 10 * PB;
		if (pfn_pageblock(w->mm, other) == was)
			break;
	}
	KTEST_ASSERT_LT(test, n, BEFORE);
	window_block(test, w, 1);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, other, 0, PGTY_SLAB), 0);
	for (unsigned int hart = 0; hart < nr_online_harts(); hart++)
		KTEST_ASSERT_EQ(
			test, alloc_pages_at(w->mm, chunk_pfn(hart, 0), 0, PGTY_SLAB), 0);
	KTEST_ASSERT_EQ(test, on_all_harts(test, refill, taken), 0);
	KTEST_ASSERT_EQ(test, isolate_range(w->mm, &block, NO_WHY), 0);
	step.isolated = true;
	KTEST_EXPECT_EQ(test, on_all_harts(test, free_some, NULL), 0);
	unisolate_range(w->mm, &block);
	for (unsigned int hart = 0; hart < nr_online_harts(); hart++)
		free_pages(w->mm, taken[hart], 0);
	free_pages(w->mm, other, 0);
	window_check(test, w);
}

static const struct ktest_case isolation_cases[] = {
	KTEST_CASE(frees_never_rest_in_a_cache),
	KTEST_CASE(a_removed_block_is_forgotten),
	{}
};
static struct ktest_suite isolation_suite = { .name = "isolation_harts",
					      .cases = isolation_cases };
KTEST_SUITE(isolation_suite);
