/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables of hotplugged memory: a table is made with the first block below it, and freed
 * with the last. The cases map physical addresses without memory, far from all memory, and
 * access nothing there.
 */
#include "kernel/quiesce.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/hotplug.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "tests/console/kernel_block.h"
#include "tests/mm/test_mm.h"

#include "arch/riscv/arch.h"

#define BLOCK	     (128UL << 20)
#define SZ_1M	     0x100000UL
#define BLOCK_FRAMES (BLOCK >> PAGE_SHIFT)

/* The last GiB that can be mapped. */
static phys_addr_t far_gib(void)
{
	phys_addr_t start, end;

	arch_mappable_range(&start, &end);
	return ALIGN_DOWN(end, SZ_1G) - SZ_1G;
}

#define SPOILED (~0UL)

/*
 * Free the tables that unmapping unlinked, as mm does, but fill them with SPOILED first: a
 * hart that still walks a table finds it.
 */
static void free_tables(struct ktest *test)
{
	const phys_addr_t tables = arch_tables_take();

	KTEST_ASSERT_EQ(test, synchronize_harts(STEP_NS), 0);
	for (phys_addr_t at = tables; at; at = pgtable_note(at))
		if (page_type(&kernel_mm, phys_to_pfn(at)) == PGTY_PGTABLE)
			memset(phys_to_virt(at), (u8)SPOILED, PAGE_SIZE);
	arch_tables_free(tables);
}

static unsigned long nr_tables(void)
{
	return READ_ONCE(kernel_mm.nr_pgtable);
}

/*
 * Map a block as mm does: its direct map, and its descriptors, which lie in the block
 * itself.
 */
static int map_block(phys_addr_t pa)
{
	int err = arch_map_direct(pa, BLOCK);

	if (err == 0)
		err = arch_vmemmap_map(phys_to_pfn(pa), BLOCK_FRAMES, pa);
	return err;
}

static void unmap_block(phys_addr_t pa)
{
	arch_vmemmap_unmap(phys_to_pfn(pa), BLOCK_FRAMES);
	arch_unmap_direct(pa, BLOCK);
}

static const pte_t *memmap_entry(phys_addr_t pa)
{
	return pgtable_walk((unsigned long)pfn_to_page(phys_to_pfn(pa)), 0).pte;
}

static bool memmap_mapped(phys_addr_t pa)
{
	return *memmap_entry(pa) & PTE_V;
}

/* Four blocks share all their tables; the fifth has descriptors in a table of its own. */
static void tables_leave_with_the_last_block(struct ktest *test)
{
	const phys_addr_t gib = far_gib();
	unsigned long before, first, all;

	free_tables(test);
	before = nr_tables();
	KTEST_ASSERT_EQ(test, map_block(gib + BLOCK), 0);
	first = nr_tables();
	KTEST_EXPECT_GE(test, first, before + 2);
	for (unsigned int i = 0; i < 4; i++)
		KTEST_ASSERT_EQ(test, map_block(gib + i * BLOCK), 0);
	KTEST_EXPECT_EQ(test, nr_tables(), first);
	KTEST_ASSERT_EQ(test, map_block(gib + 4 * BLOCK), 0);
	all = nr_tables();
	KTEST_EXPECT_EQ(test, all, first + 1);
	for (unsigned int i = 0; i < 3; i++)
		unmap_block(gib + i * BLOCK);
	free_tables(test);
	KTEST_EXPECT_EQ(test, nr_tables(), all);
	KTEST_EXPECT_TRUE(test, arch_direct_mapped(gib + 4 * BLOCK - 1));
	KTEST_EXPECT_TRUE(test, memmap_mapped(gib + 3 * BLOCK));
	unmap_block(gib + 3 * BLOCK);
	free_tables(test);
	KTEST_EXPECT_EQ(test, nr_tables(), first);
	KTEST_EXPECT_TRUE(test, arch_direct_mapped(gib + 4 * BLOCK));
	unmap_block(gib + 4 * BLOCK);
	free_tables(test);
	KTEST_EXPECT_EQ(test, nr_tables(), before);
	KTEST_EXPECT_FALSE(test, arch_direct_mapped(gib + 4 * BLOCK));
}

/* A block leaves in pieces, in any order, and pieces that were mapped as pages leave, too. */
static void tables_leave_with_the_last_piece(struct ktest *test)
{
	const phys_addr_t gib = far_gib();
	unsigned long before;

	free_tables(test);
	before = nr_tables();
	KTEST_ASSERT_EQ(test, arch_map_direct(gib + PAGE_SIZE, PAGE_SIZE), 0);
	KTEST_ASSERT_EQ(test, arch_map_direct(gib, BLOCK), 0);
	for (phys_addr_t at = gib + BLOCK - SZ_2M; at > gib; at -= SZ_2M) {
		arch_unmap_direct(at, SZ_2M);
		KTEST_EXPECT_TRUE(test, arch_direct_mapped(at - 1));
	}
	arch_unmap_direct(gib, SZ_1M);
	KTEST_EXPECT_TRUE(test, arch_direct_mapped(gib + SZ_1M));
	arch_unmap_direct(gib + SZ_1M, SZ_1M);
	KTEST_EXPECT_FALSE(test, arch_direct_mapped(gib));
	arch_unmap_direct(gib, BLOCK); /* nothing is there any more */
	free_tables(test);
	KTEST_EXPECT_EQ(test, nr_tables(), before);
}

/*
 * Fail the allocation of each table in turn: none of the new tables stays, and earlier
 * mappings stay.
 */
static void missing_tables_are_undone(struct ktest *test)
{
	const phys_addr_t gib = far_gib();
	unsigned int failed = 0;
	unsigned long before;
	int err;

	free_tables(test);
	before = nr_tables();
	do {
		mutex_lock(&kernel_mm.hotplug_lock);
		kernel_mm.inject = failed + 1;
		err = map_block(gib);
		kernel_mm.inject = 0;
		mutex_unlock(&kernel_mm.hotplug_lock);
		failed += err != 0;
		KTEST_EXPECT_TRUE(test, err == 0 || err == -ENOMEM);
		KTEST_EXPECT_EQ(test, arch_direct_mapped(gib) && memmap_mapped(gib), err == 0);
		unmap_block(gib);
		free_tables(test);
		KTEST_EXPECT_EQ(test, nr_tables(), before);
	} while (err == -ENOMEM);
	KTEST_EXPECT_GE(test, failed, 2);
}

/* --- tables move ------------------------------------------------------------------- */

static bool always(phys_addr_t)
{
	return true;
}

static phys_addr_t table_of(const void *va, unsigned int level)
{
	return PTE_PA(*pgtable_walk((unsigned long)va, level).parent);
}

static void moved_tables_say_the_same(struct ktest *test)
{
	const phys_addr_t gib = far_gib();
	void *const direct = phys_to_virt(gib), *const memmap = pfn_to_page(phys_to_pfn(gib));
	phys_addr_t old_direct, old_memmap;
	unsigned long before, nr;

	free_tables(test);
	before = nr_tables();
	KTEST_ASSERT_EQ(test, map_block(gib), 0);
	KTEST_ASSERT_EQ(test, arch_map_direct(gib + BLOCK, SZ_2M), 0);
	nr = nr_tables();
	old_direct = table_of(direct, 1);
	old_memmap = table_of(memmap, 0);
	KTEST_EXPECT_EQ(test, arch_tables_move(phys_to_pfn(gib), always), 0);
	KTEST_EXPECT_NE(test, table_of(direct, 1), old_direct);
	KTEST_EXPECT_NE(test, table_of(memmap, 0), old_memmap);
	KTEST_EXPECT_MEMEQ(test, phys_to_virt(table_of(direct, 1)), phys_to_virt(old_direct),
			   PAGE_SIZE);
	KTEST_EXPECT_MEMEQ(test, phys_to_virt(table_of(memmap, 0)), phys_to_virt(old_memmap),
			   PAGE_SIZE);
	free_tables(test);
	KTEST_EXPECT_EQ(test, nr_tables(), nr);
	unmap_block(gib);
	KTEST_EXPECT_TRUE(test, arch_direct_mapped(gib + BLOCK));
	arch_unmap_direct(gib + BLOCK, BLOCK);
	free_tables(test);
	KTEST_EXPECT_EQ(test, nr_tables(), before);
}

/* All frames that this hart can allocate. */
struct hoard {
	unsigned long nr, max;
	unsigned long *pfns;
};

/* Call before the blocks are online, so that @h->pfns does not lie in them. */
static void hoard_begin(struct ktest *test, struct hoard *h)
{
	h->max = 2 * BLOCK_FRAMES;
	for (unsigned int z = 0; z < NR_ZONES; z++)
		h->max += kernel_mm.zone[z].managed;
	h->pfns = test_mm_table(test, h->max * sizeof(*h->pfns));
}

static void hoard_all(struct ktest *test, struct hoard *h)
{
	mm_reserve_drop(&kernel_mm);
	KTEST_ASSERT_EQ(test, drain_all_pages(&kernel_mm, STEP_NS), 0);
	h->nr = alloc_pages_bulk(&kernel_mm, GFP_MOVABLE | GFP_ATOMIC | GFP_NOWARN, PGTY_KERNEL,
				 h->max, h->pfns);
}

/* Free one frame of the block at @start: no other frame is free, so a moved table gets it. */
static bool spare_one_of(struct hoard *h, unsigned long start)
{
	for (unsigned long i = 0; i < h->nr; i++) {
		if (h->pfns[i] - start >= BLOCK_FRAMES)
			continue;
		free_pages(&kernel_mm, h->pfns[i], 0);
		h->pfns[i] = h->pfns[--h->nr];
		return true;
	}
	return false;
}

/* No boot memory is left, so a table moves into a block; it moves on when the block leaves. */
static void block_with_a_table_leaves(struct ktest *test)
{
	const unsigned long block = kernel_whole_blocks(test, 2);
	const unsigned long start = block * BLOCK_FRAMES, guests = kernel_mm.nr_guest_tables;
	struct hoard h = { 0 };
	bool spared;

	hoard_begin(test, &h);
	KTEST_ASSERT_EQ(test,
			online_memory_block(&kernel_mm, block, MMOP_ONLINE_KERNEL, NO_WHY), 0);
	mutex_lock(&kernel_mm.hotplug_lock);
	hoard_all(test, &h);
	spared = spare_one_of(&h, start);
	drain_local_pages(&kernel_mm);
	(void)arch_tables_move(start, always);
	free_pages_bulk(&kernel_mm, h.pfns, h.nr);
	tables_reclaim();
	mm_reserve_refill(&kernel_mm);
	mutex_unlock(&kernel_mm.hotplug_lock);
	KTEST_EXPECT_TRUE(test, spared);
	KTEST_EXPECT_EQ(test, kernel_mm.nr_guest_tables, guests + 1);
	KTEST_EXPECT_EQ(test, offline_memory_block(&kernel_mm, block, NULL, NO_WHY), 0);
	KTEST_EXPECT_EQ(test, kernel_mm.nr_guest_tables, guests);
	KTEST_EXPECT_EQ(test, mm_check(&kernel_mm, ktest_sink(test)), 0);
}

/* --- other harts walk the tables meanwhile ----------------------------------------- */

static u32 walkers_end;

/* Walk until walkers_end. Return: how often an entry was SPOILED while this hart held it. */
static int walk_until_end(void *arg)
{
	const phys_addr_t *gib = arg;
	int spoiled = 0;

	while (!READ_ONCE(walkers_end)) {
		const pte_t *entry = memmap_entry(*gib);

		for (phys_addr_t at = *gib; at < *gib + 2 * BLOCK; at += SZ_2M) {
			(void)arch_direct_mapped(at);
			(void)memmap_mapped(at);
			spoiled += READ_ONCE(*entry) == SPOILED;
		}
		cond_resched();
	}
	return spoiled;
}

/* Divided by the number of walkers, because each round waits for each walker several times. */
#define WALKED_ROUNDS 200U

static void other_harts_may_walk(struct ktest *test)
{
	phys_addr_t gib = far_gib();
	unsigned long before;
	struct crew crew;

	free_tables(test);
	before = nr_tables();
	WRITE_ONCE(walkers_end, 0);
	crew_start(test, &crew, walk_until_end, &gib);
	for (unsigned int i = 0; i < WALKED_ROUNDS / crew.nr; i++) {
		KTEST_EXPECT_EQ(test, map_block(gib) | map_block(gib + BLOCK), 0);
		KTEST_EXPECT_EQ(test, arch_tables_move(phys_to_pfn(gib), always), 0);
		unmap_block(gib + i % 2 * BLOCK);
		unmap_block(gib + (i + 1) % 2 * BLOCK);
		free_tables(test);
	}
	WRITE_ONCE(walkers_end, 1);
	KTEST_EXPECT_EQ(test, crew_join(test, &crew), 0);
	KTEST_EXPECT_EQ(test, nr_tables(), before);
}

static const struct ktest_case cases[] = {
	KTEST_CASE(tables_leave_with_the_last_block),
	KTEST_CASE(tables_leave_with_the_last_piece),
	KTEST_CASE(missing_tables_are_undone),
	KTEST_CASE(moved_tables_say_the_same),
	KTEST_CASE(block_with_a_table_leaves),
	KTEST_CASE(other_harts_may_walk),
	{},
};

static struct ktest_suite suite = { .name = "arch_tables", .cases = cases };
KTEST_SUITE(suite);
