/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adding needs no memory: a block's metadata lies in its own first plugged frames, for
 * whole and for partly plugged blocks; even with no frame free, not a single existing
 * frame changes. An add that fails for lack of memory leaks nothing.
 */
#include "arch/machine.h"
#include "arch/machine_info.h"
#include "kernel/sink.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/mm/hotplug_window.h"

#define PB PAGEBLOCK_NR_PAGES

static const u64 masks[] = { ~0UL, 0x1, 0x8000000000000000, 0x00ff00f0, 0xaaaaaaaaaaaaaaaa };

static void describe_mask(const u64 *mask, char desc[KTEST_DESC_SIZE])
{
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, desc, KTEST_DESC_SIZE);
	sink_printf(&buffer.sink, "plugged 0x%lx", (unsigned long)*mask);
}

KTEST_ARRAY_PARAM(mask, masks, describe_mask)

static void exhaust(struct window *w)
{
	while (alloc_pages(w->mm, GFP_KERNEL | GFP_ATOMIC | GFP_NOWARN | GFP_NODRAIN, 0,
			   PGTY_KERNEL) != PFN_NONE)
		;
}

/*
 * Expect the header, 129 Memmap frames from the first plugged frame on, and all other
 * plugged frames free.
 */
static void expect_self_hosted(struct ktest *test, struct window *w, u64 plugged)
{
	const unsigned long host = window_pfn(w, 1) + __ffs(plugged) * PB;

	KTEST_EXPECT_EQ(test, pfn_to_section(w->mm, host)->host_pfn, host);
	for (unsigned long f = 0; f < PAGES_PER_SECTION; f++) {
		const unsigned long pfn = window_pfn(w, 1) + f;
		enum page_type want = plugged & BIT(f / PB) ? PGTY_BUDDY : PGTY_OFFLINE;

		if (pfn - host < MHP_HEADER_PAGES)
			want = PGTY_MEMMAP;
		KTEST_ASSERT_EQ(test, page_type(w->mm, pfn), want);
	}
}

/* Add, online, offline and remove a block without a free frame; boot frames do not change. */
static void nothing_of_the_old_memory_is_used(struct ktest *test)
{
	const u64 plugged = *(const u64 *)test->param_value;
	struct window *w = window_open_owned(test);
	u8 *types = ktest_alloc(test, (32UL << 20) / PAGE_SIZE);
	const unsigned long nr = (32UL << 20) / PAGE_SIZE;

	exhaust(w);
	KTEST_ASSERT_EQ(test, window_zone(w, ZONE_NORMAL)->free, 0);
	for (unsigned long f = 0; f < nr; f++)
		types[f] = page_type(w->mm, w->base + f);
	window_add(test, w, 1, plugged);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	expect_self_hosted(test, w, plugged);
	KTEST_EXPECT_EQ(test, window_zone(w, ZONE_NORMAL)->free, 0);
	for (unsigned long f = 0; f < nr; f++)
		KTEST_ASSERT_EQ(test, page_type(w->mm, w->base + f), types[f]);
	/*
	 * The block took half a page of the reserve: two section objects fit into a
	 * page.
	 */
	KTEST_EXPECT_GE(test, w->mm->nr_reserve, MM_RESERVE_PAGES - 1);
	window_check(test, w);
	KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
	KTEST_ASSERT_EQ(test, window_remove(w, 1), 0);
	KTEST_EXPECT_EQ(test, w->mm->nr_reserve, MM_RESERVE_PAGES);
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

	exhaust(w);
	while ((pfn = meta_page_alloc(w->mm, PGTY_KERNEL)) != PFN_NONE)
		last = pfn;
	KTEST_ASSERT_NE(test, last, PFN_NONE);
	before = window_totals(w);
	KTEST_EXPECT_EQ(test, add_memory(w->mm, w->block + 1, &w->owner, ~0UL, &why), -ENOMEM);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NO_MEMORY);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ABSENT);
	window_expect_totals(test, w, &before);
	meta_page_free(w->mm, last);
	window_add(test, w, 1, ~0UL);
	KTEST_EXPECT_EQ(test, window_online(w, 1, MMOP_ONLINE_KERNEL), 0);
	window_check(test, w);
}

/* Add the first block of a root, 32 GiB away: each step fails once, and no root stays. */
static void failed_add_leaves_no_root(struct ktest *test)
{
	const struct mem_range *top = &machine_info()->memory[machine_info()->nr_memory - 1];
	struct window *w = window_open(test, 32UL << 20);
	const unsigned long pfn = ALIGN_UP(w->base, 1UL << ROOT_PFN_SHIFT);
	struct window_totals before;
	unsigned int step = 0;
	int err;

	if (pfn_to_phys(pfn) + SECTION_SIZE > top->start + top->size)
		ktest_skip(test, "no memory in another root; type: make ut MEM=");
	w->owner.region = (struct pfn_range){ pfn, PAGES_PER_SECTION };
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	before = window_totals(w);
	do {
		w->mm->inject = ++step;
		err = add_memory(w->mm, pfn >> SECTION_PFN_SHIFT, &w->owner, ~0UL,
				 NO_WHY);
		if (!err)
			break;
		KTEST_ASSERT_EQ(test, w->mm->inject, 0);
		KTEST_EXPECT_PTR_EQ(test, w->mm->root[pfn >> ROOT_PFN_SHIFT], &empty_section_root);
		window_expect_totals(test, w, &before);
	} while (step < 10);
	w->mm->inject = 0;
	/* The steps are section, direct map, memmap and root; the fifth is not reached. */
	KTEST_EXPECT_EQ(test, step, 5);
	window_check(test, w);
}

static const struct ktest_case memmap_cases[] = {
	KTEST_CASE_PARAM(nothing_of_the_old_memory_is_used, mask_gen_params),
	KTEST_CASE(empty_reserve_is_a_clean_refusal),
	KTEST_CASE(failed_add_leaves_no_root),
	{}
};

static struct ktest_suite memmap_suite = {
	.name = "memmap_on_memory",
	.cases = memmap_cases,
};
KTEST_SUITE(memmap_suite);
