/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reserve of metadata pages never prevents the removal of memory: its frames come from
 * boot memory if that has room, and other frames leave the reserve when an evacuation needs
 * their place. If a metadata frame has to stay, the failure names the frame's use.
 */
#include "arch/machine.h"
#include "lib/errno.h"
#include "mm/contig.h"
#include "mm/hotplug.h"
#include "mm/page_alloc.h"
#include "mm/page_isolation.h"
#include "tests/mm/hotplug_window.h"

#define ALL	   (~0UL)
#define BOOT_BYTES (32UL << 20)
#define BOOT_PAGES (BOOT_BYTES / PAGE_SIZE)

/* Take all of the reserve but one page; the pages stay in use. Return: one of them. */
static unsigned long take_reserve(struct window *w)
{
	unsigned long pfn = PFN_NONE;

	while (w->mm->nr_reserve > 1)
		pfn = meta_page_alloc(w->mm, PGTY_KERNEL);
	return pfn;
}

/* Does the frame belong to block 0's boot memory? */
static bool is_boot(const struct window *w, unsigned long pfn)
{
	return pfn - w->base < BOOT_PAGES;
}

static unsigned int guests(const struct window *w)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < w->mm->nr_reserve; i++)
		nr += !is_boot(w, w->mm->reserve[i]);
	return nr;
}

/*
 * Fill boot memory and use up the reserve: block 1, in zone Normal, is the only memory that
 * can refill the reserve.
 */
static struct window *open_pressed(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	mm_exhaust(w->mm);
	take_reserve(w);
	w->mm->default_online_type = MMOP_ONLINE_KERNEL;
	window_add(test, w, 1, ALL);
	KTEST_ASSERT_EQ(test, window_state(w, 1), MEM_BLOCK_ONLINE);
	KTEST_ASSERT_EQ(test, w->mm->nr_reserve, MM_RESERVE_PAGES);
	KTEST_ASSERT_GE(test, guests(w), MM_RESERVE_PAGES - 1);
	return w;
}

/* A block that contains only pages of the reserve can be removed, and added again. */
static void block_of_reserve_pages_leaves(struct ktest *test)
{
	struct window *w = open_pressed(test);

	for (unsigned int round = 0; round < 3; round++) {
		KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
		KTEST_EXPECT_EQ(test, guests(w), 0);
		window_check(test, w);
		KTEST_ASSERT_EQ(test, window_remove(w, 1), 0);
		window_check(test, w);
		/* Still nothing is free: the frames that the removal returned are enough. */
		KTEST_EXPECT_EQ(test, window_zone(w, ZONE_NORMAL)->free, 0);
		window_add(test, w, 1, ALL);
		KTEST_EXPECT_EQ(test, w->mm->nr_reserve, MM_RESERVE_PAGES);
	}
}

/* The block goes offline while a second block is online: the reserve moves to that block. */
static void reserve_moves_to_another_block(struct ktest *test)
{
	struct window *w = open_pressed(test);

	window_add(test, w, 2, ALL);
	KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
	KTEST_EXPECT_EQ(test, w->mm->nr_reserve, MM_RESERVE_PAGES);
	for (unsigned int i = 0; i < w->mm->nr_reserve; i++)
		KTEST_EXPECT_TRUE(test, is_boot(w, w->mm->reserve[i]) ||
						w->mm->reserve[i] >= window_pfn(w, 2));
	window_check(test, w);
	KTEST_EXPECT_EQ(test, window_remove(w, 1), 0);
	KTEST_EXPECT_EQ(test, window_offline(w, 2), 0);
	KTEST_EXPECT_EQ(test, window_remove(w, 2), 0);
}

/* A granule with pages of the reserve, in the same block as boot memory, can be unplugged. */
static void granule_of_reserve_pages_leaves(struct ktest *test)
{
	struct window *w = window_open(test, BOOT_BYTES);
	const struct pfn_range granule = { w->base + BOOT_PAGES, PAGEBLOCK_NR_PAGES };
	struct mm_failure why;

	w->owner.region.start_pfn = granule.start_pfn;
	w->owner.region.nr_pages -= granule.start_pfn - window_pfn(w, 1);
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	mm_exhaust(w->mm);
	take_reserve(w);
	KTEST_ASSERT_EQ(test, plug_memory(w->mm, &granule, NO_WHY), 0);
	mm_reserve_refill(w->mm);
	KTEST_ASSERT_GE(test, guests(w), MM_RESERVE_PAGES - 1);
	KTEST_EXPECT_EQ(test, unplug_memory(w->mm, &granule, NULL, &why), 0);
	KTEST_EXPECT_EQ(test, guests(w), 0);
	window_check(test, w);
}

/* When boot memory has room again, its frames replace the others in the reserve. */
static void boot_memory_is_preferred(struct ktest *test)
{
	struct window *w = open_pressed(test);
	unsigned int freed = 0;

	for (unsigned long pfn = w->base; freed < MM_RESERVE_PAGES && is_boot(w, pfn); pfn++) {
		if (page_type(w->mm, pfn) != PGTY_KERNEL || page_owner(w->mm, pfn))
			continue;
		free_pages(w->mm, pfn, 0);
		freed++;
	}
	KTEST_ASSERT_EQ(test, freed, MM_RESERVE_PAGES);
	drain_local_pages(w->mm);
	window_add(test, w, 2, ALL);
	KTEST_EXPECT_EQ(test, guests(w), 0);
	KTEST_EXPECT_EQ(test, w->mm->nr_reserve, MM_RESERVE_PAGES);
	window_check(test, w);
}

/* The reserve takes boot memory even if all free frames there have another migrate type. */
static void whatever_type_boot_memory_has(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	unsigned long pfn, freed = 0;

	/* All of boot memory is Movable, and there is a block with free Unmovable frames. */
	w->mm->default_online_type = MMOP_ONLINE_KERNEL;
	while ((pfn = alloc_pages(w->mm, GFP_MOVABLE | GFP_ATOMIC | GFP_NOWARN | GFP_NODRAIN, 0,
				  PGTY_KERNEL)) != PFN_NONE)
		;
	window_add(test, w, 1, ALL);
	for (pfn = w->base; freed < 64 && is_boot(w, pfn); pfn++) {
		if (page_type(w->mm, pfn) != PGTY_KERNEL || page_owner(w->mm, pfn))
			continue;
		free_pages(w->mm, pfn, 0);
		freed++;
	}
	drain_local_pages(w->mm);
	take_reserve(w);
	mm_reserve_refill(w->mm);
	KTEST_EXPECT_EQ(test, w->mm->nr_reserve, MM_RESERVE_PAGES);
	KTEST_EXPECT_EQ(test, guests(w), 0);
	window_check(test, w);
}

/* A metadata page that is freed in an isolated pageblock goes to the allocator. */
static void isolated_pages_are_not_kept(struct ktest *test)
{
	struct window *w = open_pressed(test);
	const struct pfn_range block = { window_pfn(w, 1), PAGES_PER_SECTION };
	unsigned long pfn = PFN_NONE;
	struct mm_failure why;

	while (pfn == PFN_NONE || is_boot(w, pfn))
		pfn = meta_page_alloc(w->mm, PGTY_KERNEL);
	mutex_lock(&w->mm->hotplug_lock);
	KTEST_EXPECT_EQ(test, isolate_range(w->mm, &block, &why), 0);
	meta_page_free(w->mm, pfn);
	KTEST_EXPECT_EQ(test, page_type(w->mm, pfn), PGTY_BUDDY);
	unisolate_range(w->mm, &block);
	mutex_unlock(&w->mm->hotplug_lock);
	window_check(test, w);
}

/*
 * Another block's section object keeps a block online: the failure names the object's use.
 */
static void metadata_is_named(struct ktest *test)
{
	struct window *w = open_pressed(test);
	struct mm_failure why = { .pfn = PFN_NONE };

	/* Block 2 gets the other half of a page; block 3's object lies in block 1. */
	while (guests(w) < w->mm->nr_reserve)
		(void)meta_page_alloc(w->mm, PGTY_KERNEL);
	window_add(test, w, 2, ALL);
	window_add(test, w, 3, ALL);
	KTEST_EXPECT_EQ(test, offline_memory_block(w->mm, w->block + 1, NULL, &why), -EBUSY);
	KTEST_EXPECT_STREQ(test, why.detail, "metadata of another memory block");
	KTEST_EXPECT_EQ(test, window_offline(w, 3), 0);
	KTEST_EXPECT_EQ(test, window_remove(w, 3), 0);
	KTEST_EXPECT_EQ(test, window_offline(w, 1), 0);
	window_check(test, w);

}

/*
 * contig does not get a page of the reserve in boot memory, because such a page stays in the
 * reserve. The failure names the reserve.
 */
static void reserve_is_named(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct mm_failure why = { .pfn = PFN_NONE };

	KTEST_ASSERT_TRUE(test, is_boot(w, w->mm->reserve[0]));
	KTEST_EXPECT_EQ(test, alloc_contig_range(w->mm, w->mm->reserve[0], w->mm->reserve[0] + 1,
						 NULL, &why), -EBUSY);
	KTEST_EXPECT_EQ(test, why.pfn, w->mm->reserve[0]);
	KTEST_EXPECT_STREQ(test, why.detail, "reserve for metadata of memory blocks");
}

static const struct ktest_case reserve_cases[] = {
	KTEST_CASE(block_of_reserve_pages_leaves),
	KTEST_CASE(reserve_moves_to_another_block),
	KTEST_CASE(granule_of_reserve_pages_leaves),
	KTEST_CASE(boot_memory_is_preferred),
	KTEST_CASE(whatever_type_boot_memory_has),
	KTEST_CASE(isolated_pages_are_not_kept),
	KTEST_CASE(metadata_is_named),
	KTEST_CASE(reserve_is_named),
	{}
};

static struct ktest_suite reserve_suite = {
	.name = "mm_reserve",
	.cases = reserve_cases,
};
KTEST_SUITE(reserve_suite);
