/* SPDX-License-Identifier: BSD-2-Clause */
/* Poison: a free fills its frames at once, and a frame that was never filled is not an error. */
#include "arch/machine.h"
#include "kernel/quiesce.h"
#include "lib/string.h"
#include "mm/poison.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

static void set_poison(void *on)
{
	page_poison = on != NULL;
}

/* Switch while no hart is in a free: that free would claim a pattern it did not write. */
static void switch_poison(struct ktest *test, struct mm *mm, bool on)
{
	KTEST_EXPECT_EQ(test, stop_machine(set_poison, on ? mm : NULL, STEP_NS), 0);
	zone_update_watermarks(mm);
}

static void poison_off(void *test)
{
	switch_poison(test, ((struct ktest *)test)->priv, false);
}

static struct test_mm *poisoned_mm(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);

	test->priv = t->mm;
	switch_poison(test, t->mm, true);
	ktest_add_action(test, poison_off, test);
	return t;
}

static const u8 *frame(unsigned long pfn)
{
	return phys_to_virt(pfn_to_phys(pfn));
}

/* Every way of freeing fills the frame at once: no frame enters a cache first. */
static void each_free_poisons(struct ktest *test)
{
	struct test_mm *t = poisoned_mm(test);
	unsigned long pfns[2];

	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
		const unsigned long pfn = alloc_pages(t->mm, 0, order, PGTY_KERNEL);

		memset((u8 *)frame(pfn), 1, PAGE_SIZE << order);
		free_pages(t->mm, pfn, order);
		KTEST_EXPECT_EQ(test, page_type(t->mm, pfn), PGTY_BUDDY);
		KTEST_EXPECT_NULL(test, memchr_inv(frame(pfn), 0xaa, PAGE_SIZE << order));
	}
	KTEST_ASSERT_EQ(test, alloc_pages_bulk(t->mm, 0, PGTY_KERNEL, 2, pfns), 2);
	memset((u8 *)frame(pfns[1]), 1, PAGE_SIZE);
	free_pages_bulk(t->mm, pfns, 2);
	KTEST_EXPECT_NULL(test, memchr_inv(frame(pfns[1]), 0xaa, PAGE_SIZE));
}

/* The check does not take a released frame that was never filled for a poisoned frame. */
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

static const struct ktest_case poison_cases[] = {
	KTEST_CASE(each_free_poisons),
	KTEST_CASE(released_is_not_poisoned),
	{},
};
static struct ktest_suite poison_suite = { .name = "poison", .cases = poison_cases };
KTEST_SUITE(poison_suite);
