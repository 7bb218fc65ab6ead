/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole life of memory blocks on a private mm: the effect of each step on counters,
 * spans and frames; and failures leave nothing behind.
 */
#include "arch/machine.h"
#include "arch/machine_info.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/mm/hotplug_window.h"

#define ALL    (~0UL)
#define HEADER MHP_HEADER_PAGES

/*
 * add, online, offline, remove: the state and the counters after each step, and nothing
 * left at the end.
 */
static void whole_life(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct zone *movable = window_zone(w, ZONE_MOVABLE);
	const struct window_totals before = window_totals(w);

	window_add(test, w, 1, ALL);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_OFFLINE);
	KTEST_EXPECT_EQ(test, movable->present, 0);
	KTEST_EXPECT_EQ(test, page_type(w->mm, window_pfn(w, 1)), PGTY_NONE);
	window_check(test, w);

	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ONLINE);
	KTEST_EXPECT_EQ(test, movable->present, PAGES_PER_SECTION);
	KTEST_EXPECT_EQ(test, movable->managed, PAGES_PER_SECTION - HEADER);
	KTEST_EXPECT_EQ(test, movable->free, PAGES_PER_SECTION - HEADER);
	KTEST_EXPECT_EQ(test, movable->spanned, PAGES_PER_SECTION);
	KTEST_EXPECT_EQ(test, movable->nr_isolated, 0);
	KTEST_EXPECT_EQ(test, page_type(w->mm, window_pfn(w, 1)), PGTY_MEMMAP);
	KTEST_EXPECT_EQ(test, page_type(w->mm, window_pfn(w, 1) + HEADER), PGTY_BUDDY);
	window_check(test, w);

	KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_OFFLINE);
	KTEST_EXPECT_EQ(test, movable->spanned, 0);
	KTEST_EXPECT_EQ(test, page_type(w->mm, window_pfn(w, 1)), PGTY_NONE);
	window_check(test, w);

	KTEST_ASSERT_EQ(test, window_remove(w, 1), 0);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ABSENT);
	window_expect_totals(test, w, &before);
}

static void wrong_states_are_refused(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct mm_failure why;
	struct window_totals before;

	KTEST_EXPECT_EQ(test, window_online(w, 1, MMOP_ONLINE), -ENOENT);
	KTEST_EXPECT_EQ(test, window_offline(w, 1), -ENOENT);
	KTEST_EXPECT_EQ(test, window_remove(w, 1), -ENOENT);
	KTEST_EXPECT_EQ(test, window_online(w, ~0UL >> 1, MMOP_ONLINE), -ENOENT);
	window_add(test, w, 1, ALL);
	KTEST_EXPECT_EQ(test, window_offline(w, 1), -EINVAL);
	KTEST_EXPECT_EQ(test, window_online(w, 1, MMOP_OFFLINE), -EINVAL);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE), 0);
	before = window_totals(w);
	KTEST_EXPECT_EQ(test, window_online(w, 1, MMOP_ONLINE_KERNEL), -EINVAL);
	KTEST_EXPECT_EQ(test, try_remove_memory(w->mm, w->block + 1, &why), -EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NOT_OFFLINE);
	KTEST_EXPECT_EQ(test, why.pfn, window_pfn(w, 1));
	/* Boot memory never goes offline. */
	KTEST_EXPECT_EQ(test, window_offline(w, 0), -EBUSY);
	KTEST_EXPECT_EQ(test, window_remove(w, 0), -EBUSY);
	KTEST_EXPECT_EQ(test, add_memory(w->mm, w->block, &w->owner, ALL, &why), -EEXIST);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_EXISTS);
	window_expect_totals(test, w, &before);
}

static void bad_adds_are_refused(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	const struct window_totals before = window_totals(w);
	struct mm_failure why;

	KTEST_EXPECT_EQ(test, add_memory(w->mm, w->block + 1, &w->owner, 0, &why), -EINVAL);
	KTEST_EXPECT_EQ(test, add_memory(w->mm, w->block + WINDOW_BLOCKS, &w->owner, ALL, &why),
			-EINVAL);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_HOLE);
	KTEST_EXPECT_EQ(test, add_memory(w->mm, 0, &w->owner, ALL, &why), -E2BIG);
	KTEST_EXPECT_EQ(test, add_memory(w->mm, ~0UL >> 10, &w->owner, ALL, &why), -E2BIG);
	window_expect_totals(test, w, &before);
	window_add(test, w, 2, ALL);
	KTEST_EXPECT_EQ(test, add_memory(w->mm, w->block + 2, &w->owner, ALL, &why), -EEXIST);
	KTEST_EXPECT_EQ(test, window_remove(w, 2), 0);
	window_expect_totals(test, w, &before);
}

/* Adding takes nothing from what is there: with no free page left it still works. */
static void adding_needs_no_memory(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	unsigned long left;

	while (alloc_pages(w->mm, GFP_KERNEL | GFP_ATOMIC | GFP_NOWARN | GFP_NODRAIN, 0,
			   PGTY_KERNEL) != PFN_NONE)
		;
	left = window_zone(w, ZONE_NORMAL)->free;
	w->mm->default_online_type = MMOP_ONLINE_KERNEL;
	window_add(test, w, 1, ALL);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ONLINE);
	KTEST_EXPECT_GE(test, window_zone(w, ZONE_NORMAL)->free,
			left + PAGES_PER_SECTION - HEADER - MM_RESERVE_PAGES);
	KTEST_EXPECT_EQ(test, w->mm->nr_reserve, MM_RESERVE_PAGES);
	window_check(test, w);
}

/* Consecutive blocks added to an exhausted memory: the reserve is enough for all. */
static void reserve_lasts_for_many_blocks(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	while (alloc_pages(w->mm, GFP_KERNEL | GFP_ATOMIC | GFP_NOWARN | GFP_NODRAIN, 0,
			   PGTY_KERNEL) != PFN_NONE)
		;
	w->mm->default_online_type = MMOP_ONLINE_MOVABLE;
	for (unsigned long n = 1; n < WINDOW_BLOCKS; n++)
		window_add(test, w, n, ALL);
	KTEST_EXPECT_EQ(test, w->mm->nr_reserve,
			MM_RESERVE_PAGES - DIV_ROUND_UP(WINDOW_BLOCKS - 1, 2));
	window_check(test, w);
}

/*
 * Every step of add and online fails once: nothing is left behind, then it works.
 * With a neighbour in the block the metadata is online memory: more steps.
 */
static const bool neighbours[] = { false, true };

static void describe_neighbour(const bool *neighbour, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, *neighbour ? "two owners" : "self-hosted", KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(neighbour, neighbours, describe_neighbour)

static void open_for_injection(struct ktest *test, struct window *w)
{
	struct memory_owner *other = ktest_alloc(test, sizeof(*other));

	if (*(const bool *)test->param_value) {
		w->owner.region.nr_pages = PAGES_PER_SECTION / 2;
		other->region = w->owner.region;
		other->region.start_pfn += PAGES_PER_SECTION / 2;
		KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, other, NO_WHY), 0);
	}
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	w->mm->default_online_type = MMOP_ONLINE_MOVABLE;
}

static void injected_failures_leave_nothing(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	struct window_totals before;
	struct mm_failure why;
	unsigned int step = 1;

	open_for_injection(test, w);
	before = window_totals(w);
	for (;; step++) {
		int err;

		w->mm->inject = step;
		err = add_memory(w->mm, w->block + 1, &w->owner, 0xf0f0UL, &why);
		if (w->mm->inject) {
			KTEST_EXPECT_EQ(test, err, 0);
			break;
		}
		if (err) {
			KTEST_EXPECT_EQ(test, err, -ENOMEM);
			KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NO_MEMORY);
			KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ABSENT);
			KTEST_EXPECT_FALSE(test, arch_direct_mapped(pfn_to_phys(
				window_pfn(w, 1) + 4 * PAGEBLOCK_NR_PAGES)));
		} else {
			/* A failure to online is not a failure to add. */
			KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_OFFLINE);
			KTEST_ASSERT_EQ(test, window_remove(w, 1), 0);
		}
		window_expect_totals(test, w, &before);
		KTEST_ASSERT_FALSE(test, ktest_failed(test));
	}
	w->mm->inject = 0;
	/*
	 * The section, its direct map in two runs, its memmap, online, and none; with a
	 * neighbour also the free bits and the descriptors, which are online memory.
	 */
	KTEST_EXPECT_EQ(test, step, *(const bool *)test->param_value ? 8 : 6);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ONLINE);
	window_check(test, w);
}

/* The type after the isolation ends: Movable, unless the request was for kernel memory. */
static void migratetype_follows_the_request(struct ktest *test)
{
	static const enum mhp_online_type types[] = { MMOP_ONLINE_MOVABLE, MMOP_ONLINE_KERNEL };
	struct window *w = window_open_owned(test);
	struct page_state st;

	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		window_add(test, w, 1 + i, ALL);
		KTEST_ASSERT_EQ(test, window_online(w, 1 + i, types[i]), 0);
		KTEST_ASSERT_TRUE(test, page_state_get(w->mm, window_pfn(w, 1 + i) + 9999, &st));
		KTEST_EXPECT_EQ(test, st.migratetype, types[i] == MMOP_ONLINE_KERNEL ?
							      MIGRATE_UNMOVABLE : MIGRATE_MOVABLE);
		KTEST_EXPECT_EQ(test, st.isolated, 0);
	}
}

/*
 * A block's own metadata stays as long as the block, so its pageblock in Normal is
 * Unmovable.
 */
static void header_is_unmovable_in_normal(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct page_state st;

	/* "online" beside Normal goes there, with Movable pageblocks. */
	window_add(test, w, 1, ALL);
	window_add(test, w, 2, ALL << 5);
	window_add(test, w, 3, ALL);
	KTEST_ASSERT_EQ(test, window_online(w, 3, MMOP_ONLINE_KERNEL), 0);
	KTEST_ASSERT_EQ(test, window_online(w, 2, MMOP_ONLINE), 0);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	for (unsigned int b = 5; b < 8; b++) {
		KTEST_ASSERT_TRUE(test, page_state_get(w->mm, window_pfn(w, 2) +
						       b * PAGEBLOCK_NR_PAGES + 200, &st));
		KTEST_EXPECT_EQ(test, st.zone, ZONE_NORMAL);
		KTEST_EXPECT_EQ(test, st.migratetype,
				b == 5 ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE);
	}
	/* Zone Movable has one type: the free frames beside the metadata are found under it. */
	KTEST_ASSERT_TRUE(test, page_state_get(w->mm, window_pfn(w, 1) + 200, &st));
	KTEST_EXPECT_EQ(test, st.migratetype, MIGRATE_MOVABLE);
	window_check(test, w);
}

/* A walker that found a section before is waited for; afterwards nothing is found. */
static void removed_block_is_not_found(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct page_state st;

	window_add(test, w, 3, ALL);
	KTEST_EXPECT_EQ(test, next_memory_block(w->mm, w->block + 1), w->block + 3);
	KTEST_EXPECT_EQ(test, next_memory_block(w->mm, w->block + 4), PFN_NONE);
	KTEST_EXPECT_EQ(test, window_remove(w, 3), 0);
	pfn_walk_begin();
	KTEST_EXPECT_FALSE(test, page_state_get(w->mm, window_pfn(w, 3), &st));
	KTEST_EXPECT_FALSE(test, page_try_get(w->mm, window_pfn(w, 3)));
	pfn_walk_end();
	KTEST_EXPECT_EQ(test, next_memory_block(w->mm, w->block + 1), PFN_NONE);
	KTEST_EXPECT_NULL(test, pfn_to_section(w->mm, window_pfn(w, 3)));
}

static void expect_online_page(struct ktest *test, struct window *w, bool found)
{
	pfn_walk_begin();
	for (unsigned long i = 0; i < PAGES_PER_SECTION; i += PAGEBLOCK_NR_PAGES - 1)
		KTEST_EXPECT_EQ(test, pfn_to_online_page(w->mm, window_pfn(w, 3) + i) != NULL,
				found);
	pfn_walk_end();
}

/* Of a block in its four states, and of numbers that are no frame's. */
static void online_page_only_while_online(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	expect_online_page(test, w, false);
	window_add(test, w, 3, ALL);
	expect_online_page(test, w, false);
	KTEST_ASSERT_EQ(test,
			online_memory_block(w->mm, w->block + 3, MMOP_ONLINE, NO_WHY), 0);
	expect_online_page(test, w, true);
	pfn_walk_begin();
	KTEST_EXPECT_NULL(test, pfn_to_online_page(w->mm, window_pfn(w, 3) - 1));
	KTEST_EXPECT_NULL(test, pfn_to_online_page(w->mm, PFN_NONE));
	pfn_walk_end();
	KTEST_ASSERT_EQ(test, offline_memory_block(w->mm, w->block + 3, NULL, NO_WHY), 0);
	expect_online_page(test, w, false);
	KTEST_EXPECT_EQ(test, window_remove(w, 3), 0);
	expect_online_page(test, w, false);
}

/* The first block of a root, 32 GiB and more away: the root comes and goes with it. */
static void lone_block_has_a_root(struct ktest *test)
{
	const struct mem_range *top = &machine_info()->memory[machine_info()->nr_memory - 1];
	struct window *w = window_open(test, 32UL << 20);
	const unsigned long pfn = ALIGN_UP(w->base, 1UL << ROOT_PFN_SHIFT);
	const unsigned long block = pfn >> SECTION_PFN_SHIFT;
	struct window_totals before;

	if (pfn_to_phys(pfn) + SECTION_SIZE > top->start + top->size)
		ktest_skip(test, "no memory in another root");
	w->owner.region.start_pfn = pfn;
	w->owner.region.nr_pages = PAGES_PER_SECTION;
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	before = window_totals(w);
	KTEST_ASSERT_EQ(test, add_memory(w->mm, block, &w->owner, ALL, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, online_memory_block(w->mm, block, MMOP_ONLINE, NO_WHY), 0);
	window_check(test, w);
	KTEST_ASSERT_EQ(test, offline_and_remove_memory(w->mm, &block, 1, NULL, NO_WHY),
			0);
	KTEST_EXPECT_PTR_EQ(test, w->mm->root[pfn >> ROOT_PFN_SHIFT], &empty_section_root);
	window_expect_totals(test, w, &before);
}

static const struct ktest_case hotplug_cases[] = {
	KTEST_CASE(whole_life),
	KTEST_CASE(wrong_states_are_refused),
	KTEST_CASE(bad_adds_are_refused),
	KTEST_CASE(adding_needs_no_memory),
	KTEST_CASE(reserve_lasts_for_many_blocks),
	KTEST_CASE_PARAM(injected_failures_leave_nothing, neighbour_gen_params),
	KTEST_CASE(migratetype_follows_the_request),
	KTEST_CASE(header_is_unmovable_in_normal),
	KTEST_CASE(removed_block_is_not_found),
	KTEST_CASE(online_page_only_while_online),
	KTEST_CASE(lone_block_has_a_root),
	{}
};

static struct ktest_suite hotplug_suite = {
	.name = "memory_hotplug",
	.cases = hotplug_cases,
};
KTEST_SUITE(hotplug_suite);
