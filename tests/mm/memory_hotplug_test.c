/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adding memory blocks in cases that the model (tests/model/) does not reach: without a
 * free page, at a distance of 32 GiB, and with invalid block numbers.
 */
#include "arch/machine.h"
#include "arch/machine_info.h"
#include "kernel/param.h"
#include "lib/errno.h"
#include "mm/page_alloc.h"
#include "tests/mm/hotplug_window.h"

#define ALL    (~0UL)
#define HEADER MHP_HEADER_PAGES

/*
 * Adding a block works without any free page, and changes no frame of the earlier
 * memory.
 */
static void adding_needs_no_memory(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	const unsigned long nr = (32UL << 20) / PAGE_SIZE;
	u8 *types = ktest_alloc(test, nr);
	unsigned long left;

	mm_exhaust(w->mm);
	left = window_zone(w, ZONE_NORMAL)->free;
	for (unsigned long f = 0; f < nr; f++)
		types[f] = page_type(w->mm, w->base + f);
	w->mm->default_online_type = MMOP_ONLINE_KERNEL;
	window_add(test, w, 1, ALL);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ONLINE);
	KTEST_EXPECT_GE(test, window_zone(w, ZONE_NORMAL)->free,
			left + PAGES_PER_SECTION - HEADER - MM_RESERVE_PAGES);
	KTEST_EXPECT_EQ(test, w->mm->nr_reserve, MM_RESERVE_PAGES);
	for (unsigned long f = 0; f < nr; f++)
		KTEST_ASSERT_EQ(test, page_type(w->mm, w->base + f), types[f]);
	window_check(test, w);
}

/* Consecutive blocks added to an exhausted memory: the reserve is enough for all. */
static void reserve_lasts_for_many_blocks(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	mm_exhaust(w->mm);
	w->mm->default_online_type = MMOP_ONLINE_MOVABLE;
	for (unsigned long n = 1; n < WINDOW_BLOCKS; n++)
		window_add(test, w, n, ALL);
	KTEST_EXPECT_EQ(test, w->mm->nr_reserve,
			MM_RESERVE_PAGES - DIV_ROUND_UP(WINDOW_BLOCKS - 1, 2));
	window_check(test, w);
}

/*
 * The reserve and the memory are really empty, without injection: an add fails cleanly. Then
 * one page is enough.
 */
static void empty_reserve_is_a_clean_refusal(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	unsigned long pfn, last = PFN_NONE;
	struct window_totals before;
	struct mm_failure why;

	mm_exhaust(w->mm);
	while ((pfn = meta_page_alloc(w->mm, PGTY_KERNEL)) != PFN_NONE)
		last = pfn;
	KTEST_ASSERT_NE(test, last, PFN_NONE);
	before = window_totals(w);
	KTEST_EXPECT_EQ(test, add_memory(w->mm, w->block + 1, &w->owner, ~0UL, &why),
			-ENOMEM);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NO_MEMORY);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ABSENT);
	window_expect_totals(test, w, &before);
	meta_page_free(w->mm, last);
	window_add_online(test, w, 1, MMOP_ONLINE_KERNEL);
	window_check(test, w);
}

/*
 * Register the owner of the first block of a root that is not the window's. Return: the
 * block's number.
 */
static unsigned long open_far(struct ktest *test, struct window **w)
{
	const struct mem_range *top =
		&machine_info()->memory[machine_info()->nr_memory - 1];
	unsigned long pfn;

	*w = window_open(test, 32UL << 20);
	pfn = ALIGN_UP((*w)->base, 1UL << ROOT_PFN_SHIFT);
	if (pfn_to_phys(pfn) + SECTION_SIZE > top->start + top->size)
		ktest_skip(test, "no memory in another root; type: make ut MEM=");
	(*w)->owner.region = (struct pfn_range){ pfn, PAGES_PER_SECTION };
	KTEST_ASSERT_EQ(test, register_memory_owner((*w)->mm, &(*w)->owner, NO_WHY), 0);
	return pfn >> SECTION_PFN_SHIFT;
}

static void expect_no_root(struct ktest *test, struct window *w,
			   const struct window_totals *before)
{
	KTEST_EXPECT_PTR_EQ(test,
			    w->mm->root[w->owner.region.start_pfn >> ROOT_PFN_SHIFT],
			    &empty_section_root);
	window_expect_totals(test, w, before);
}

/*
 * Each step of adding the block fails once, and no root stays; then the root comes and
 * goes with the block.
 */
static void lone_block_has_a_root(struct ktest *test)
{
	struct window *w;
	const unsigned long block = open_far(test, &w);
	const struct window_totals before = window_totals(w);
	unsigned int step = 0;

	do {
		w->mm->inject = ++step;
		if (add_memory(w->mm, block, &w->owner, ALL, NO_WHY) == 0)
			break;
		KTEST_ASSERT_EQ(test, w->mm->inject, 0);
		expect_no_root(test, w, &before);
	} while (step < 10);
	w->mm->inject = 0;
	/* The steps are section, direct map, memmap and root; the fifth is not reached. */
	KTEST_EXPECT_EQ(test, step, 5);
	KTEST_ASSERT_EQ(test, online_memory_block(w->mm, block, MMOP_ONLINE, NO_WHY), 0);
	window_check(test, w);
	KTEST_ASSERT_EQ(test, offline_and_remove_memory(w->mm, &block, 1, NULL, NO_WHY),
			0);
	expect_no_root(test, w, &before);
}

/* Any number is looked up safely, and refused. */
static void numbers_that_are_no_blocks(struct ktest *test)
{
	static const unsigned long numbers[] = { ~0UL >> 20, ~0UL >> 10, ~0UL >> 1,
						 ~0UL };
	struct window *w = window_open_owned(test);
	const struct window_totals before = window_totals(w);
	struct mm_failure why;

	KTEST_EXPECT_EQ(test, add_memory(w->mm, 0, &w->owner, ALL, &why), -E2BIG);
	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++) {
		KTEST_EXPECT_EQ(test, add_memory(w->mm, numbers[i], &w->owner, ALL, &why),
				-E2BIG);
		KTEST_EXPECT_EQ(test, why.reason, MM_REASON_OUT_OF_RANGE);
		KTEST_EXPECT_EQ(test, why.pfn, numbers[i] << SECTION_PFN_SHIFT);
		KTEST_EXPECT_EQ(test,
				online_memory_block(w->mm, numbers[i], MMOP_ONLINE, &why),
				-ENOENT);
		KTEST_EXPECT_EQ(test, offline_memory_block(w->mm, numbers[i], NULL, &why),
				-ENOENT);
		KTEST_EXPECT_EQ(test, try_remove_memory(w->mm, numbers[i], &why),
				-ENOENT);
	}
	window_expect_totals(test, w, &before);
}

/* Parameters of the command line choose the zone for "online", and what an add does. */
static void default_states_are_heard(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	static struct mm mm;

	window_add(test, w, 1, ~0UL);
	KTEST_EXPECT_EQ(test, zone_for_block(w->mm, w->block + 1, MMOP_ONLINE),
			ZONE_NORMAL);
	KTEST_ASSERT_EQ(test, param_set("movable_node", "on"), 0);
	KTEST_EXPECT_EQ(test, zone_for_block(w->mm, w->block + 1, MMOP_ONLINE),
			ZONE_MOVABLE);
	KTEST_ASSERT_EQ(test, param_set("movable_node", "off"), 0);
	KTEST_ASSERT_EQ(test, param_set("memhp_default_state", "online_movable"), 0);
	mm_init(&mm, "far");
	KTEST_EXPECT_EQ(test, mm.default_online_type, MMOP_ONLINE_MOVABLE);
	KTEST_ASSERT_EQ(test, param_set("memhp_default_state", "online"), 0);
}

static const struct ktest_case hotplug_cases[] = {
	KTEST_CASE(adding_needs_no_memory),
	KTEST_CASE(reserve_lasts_for_many_blocks),
	KTEST_CASE(empty_reserve_is_a_clean_refusal),
	KTEST_CASE(lone_block_has_a_root),
	KTEST_CASE(numbers_that_are_no_blocks),
	KTEST_CASE(default_states_are_heard),
	{}
};

static struct ktest_suite hotplug_suite = {
	.name = "memory_hotplug",
	.cases = hotplug_cases,
};
KTEST_SUITE(hotplug_suite);
