/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buddy allocator: every order, compared with the list-based oracle, and the
 * descriptor of a frame in each state.
 */
#include "lib/errno.h"
#include "tests/mm/list_buddy.h"
#include "tests/mm/test_mm.h"

/* Count the free chunks of each order, of all migrate types. */
static void count_free(struct test_mm *t, unsigned long nr[NR_PAGE_ORDERS])
{
	unsigned long part[NR_MIGRATE_TYPES][NR_PAGE_ORDERS];

	zone_count_free(t->zone, part);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		nr[order] = 0;
		for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
			nr[order] += part[mt][order];
	}
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

/* Allocate all frames of a pageblock one by one, and list them in random order. */
static void singles_of_a_pageblock(struct ktest *test, struct test_mm *t, unsigned long *pfns)
{
	for (unsigned int i = 0; i < PAGEBLOCK_NR_PAGES; i++) {
		const unsigned int at = prng_below(&test->prng, i + 1);

		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + i, 0, PGTY_KERNEL), 0);
		pfns[i] = pfns[at];
		pfns[at] = t->base + i;
	}
}

/*
 * Free single frames, a few at a time: the index knows the largest chunk after each step.
 */
static void singles_join_their_buddies(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct mem_section *ms = pfn_to_section(t->mm, t->base);
	const unsigned int b = pageblock_index(t->base);
	unsigned long *pfns = ktest_alloc(test, PAGEBLOCK_NR_PAGES * sizeof(*pfns));
	unsigned int done = 0, nr;

	singles_of_a_pageblock(test, t, pfns);
	for (nr = 1; done + nr < PAGEBLOCK_NR_PAGES; nr = prng_below(&test->prng, 12) + 1) {
		free_pages_bulk(t->mm, pfns + done, nr);
		done += nr;
		KTEST_ASSERT_EQ(test, pb_index(pb_read(&ms->pb[b])),
				bits_max_order(pb_bits(ms, b)));
	}
	free_pages_bulk(t->mm, pfns + done, PAGEBLOCK_NR_PAGES - done);
	test_mm_check(test, t);
}

#define LIST_BLOCKS 4

/* Expect that the index knows the largest chunk of each pageblock that is not isolated. */
static void expect_largest(struct ktest *test, struct test_mm *t)
{
	struct mem_section *ms = pfn_to_section(t->mm, t->base);

	for (unsigned int b = pageblock_index(t->base), nr = 0; nr < LIST_BLOCKS; nr++, b++) {
		const u64 w = pb_read(&ms->pb[b]);

		if ((w & PB_VALID) && !(w & PB_ISOLATE))
			KTEST_ASSERT_EQ(test, pb_index(w), bits_max_order(pb_bits(ms, b)));
	}
}

static void swap_frames(unsigned long *pfns, unsigned int a, unsigned int b)
{
	const unsigned long pfn = pfns[a];

	pfns[a] = pfns[b];
	pfns[b] = pfn;
}

/*
 * Allocate and list all frames of some pageblocks: in ascending runs, descending runs,
 * and at random.
 */
static void list_of_runs(struct ktest *test, struct test_mm *t, unsigned long *pfns)
{
	const unsigned int nr = LIST_BLOCKS * PAGEBLOCK_NR_PAGES;

	for (unsigned int i = 0; i < nr; i++) {
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + i, 0, PGTY_KERNEL), 0);
		pfns[i] = t->base + i;
	}
	for (unsigned int round = 0; round < nr / 8; round++) {
		unsigned int from = prng_below(&test->prng, nr);
		unsigned int to = min(nr - 1, from + prng_below(&test->prng, 100));

		swap_frames(pfns, from, prng_below(&test->prng, nr));
		for (; round % 4 == 0 && from < to; from++, to--) /* reverse a part */
			swap_frames(pfns, from, to);
	}
}

/*
 * Freeing lists in any order, also while a pageblock is isolated, loses no frame and no
 * chunk.
 */
static void lists_in_any_order(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pfn_range isolated = { t->base, PAGEBLOCK_NR_PAGES };
	const unsigned int all = LIST_BLOCKS * PAGEBLOCK_NR_PAGES;
	unsigned long *pfns = ktest_alloc(test, all * sizeof(*pfns));

	list_of_runs(test, t, pfns);
	for (unsigned int done = 0, step = 0, nr; done < all; done += nr, step++) {
		nr = min(all - done, 1 + prng_below(&test->prng, 150));
		if (step == 1)
			KTEST_ASSERT_EQ(test, isolate_range(t->mm, &isolated, NO_WHY), 0);
		free_pages_bulk(t->mm, pfns + done, nr);
		expect_largest(test, t);
		test_mm_check(test, t);
		if (step == 4)
			unisolate_range(t->mm, &isolated);
	}
	KTEST_EXPECT_EQ(test, next_used(t->mm, t->base, t->base + all), t->base + all);
}

/* A driver that watches a pageblock is also told of a frame that a bulk free frees there. */
static void list_ends_a_watch(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct mem_section *ms = pfn_to_section(t->mm, t->base);
	const unsigned int b = pageblock_index(t->base);
	const unsigned long pfns[] = { t->base, t->base + 8 };

	for (unsigned int i = 0; i < ARRAY_SIZE(pfns); i++)
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfns[i], 0, PGTY_KERNEL), 0);
	spin_lock(&t->zone->lock);
	pageblock_watch(ms, b);
	spin_unlock(&t->zone->lock);
	free_pages_bulk(t->mm, pfns, 1); /* the other frame stays in use: the word is not full */
	KTEST_EXPECT_FALSE(test, pb_read(&ms->pb[b]) & PB_WATCH);
	free_pages(t->mm, pfns[1], 0);
}

static const struct ktest_case buddy_cases[] = {
	KTEST_CASE(same_as_list_buddy),
	KTEST_CASE(singles_join_their_buddies),
	KTEST_CASE(lists_in_any_order),
	KTEST_CASE(list_ends_a_watch),
	{},
};
static struct ktest_suite buddy_suite = { .name = "buddy", .cases = buddy_cases };
KTEST_SUITE(buddy_suite);
