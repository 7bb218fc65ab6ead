/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's page tables: which ranges are mapped, with which access, and that no hart
 * reaches an unmapped range.
 */
#include "kernel/hart.h"
#include "kernel/ktest.h"
#include "kernel/quiesce.h"
#include "kernel/sched.h"
#include "lib/errno.h"
#include "mm/page_alloc.h"
#include "arch/io.h"
#include "arch/thread.h"

#include "arch/riscv/arch.h"

#define MARK	   0x5eedf00d0badcafeULL
#define TIMEOUT_NS (10 * NSEC_PER_SEC)

/* A pageblock that the case owns. One leaf of the direct map maps it. */
static unsigned long block_pfn;

static int take_block(struct ktest *test)
{
	(void)test;
	block_pfn = alloc_pages(&kernel_mm, GFP_KERNEL, PAGEBLOCK_ORDER, PGTY_KERNEL);
	return block_pfn == PFN_NONE ? -ENOMEM : 0;
}

static void give_block(struct ktest *test)
{
	(void)test;
	free_pages(&kernel_mm, block_pfn, PAGEBLOCK_ORDER);
}

/*
 * Another pageblock, held for the whole suite. take_parts() maps one page of it first, so
 * a table of pages maps it.
 */
static unsigned long parts_pfn;

static int take_parts(struct ktest_suite *suite)
{
	phys_addr_t pa;

	(void)suite;
	parts_pfn = alloc_pages(&kernel_mm, GFP_KERNEL, PAGEBLOCK_ORDER, PGTY_KERNEL);
	if (parts_pfn == PFN_NONE)
		return -ENOMEM;
	pa = pfn_to_phys(parts_pfn);
	arch_unmap_direct(pa, PAGEBLOCK_SIZE);
	return arch_map_direct(pa, PAGE_SIZE) ?: arch_map_direct(pa, PAGEBLOCK_SIZE);
}

static void give_parts(struct ktest_suite *suite)
{
	(void)suite;
	free_pages(&kernel_mm, parts_pfn, PAGEBLOCK_ORDER);
}

static pte_t leaf_of(const void *va)
{
	return *pgtable_walk((unsigned long)va, 0).pte;
}

static void unmapped_is_out_of_reach(struct ktest *test)
{
	const phys_addr_t pa = pfn_to_phys(block_pfn);
	u64 *va = phys_to_virt(pa);
	u64 value;

	va[0] = va[PAGEBLOCK_SIZE / 8 - 1] = MARK;
	arch_unmap_direct(pa, PAGEBLOCK_SIZE);
	KTEST_EXPECT_FALSE(test, arch_probe_read(va, &value));
	KTEST_EXPECT_FALSE(test, arch_probe_read(&va[PAGEBLOCK_SIZE / 8 - 1], &value));
	arch_unmap_direct(pa, PAGEBLOCK_SIZE); /* a second call changes nothing */
	KTEST_EXPECT_EQ(test, arch_map_direct(pa, PAGEBLOCK_SIZE), 0);
	KTEST_EXPECT_TRUE(test, arch_probe_read(va, &value));
	KTEST_EXPECT_EQ(test, value, MARK);
	KTEST_EXPECT_EQ(test, va[PAGEBLOCK_SIZE / 8 - 1], MARK);
}

static void neighbours_stay_mapped(struct ktest *test)
{
	const phys_addr_t pa = pfn_to_phys(block_pfn);
	pte_t *leaf = pgtable_walk((unsigned long)phys_to_virt(pa), 1).pte;
	const pte_t before = leaf[-1], after = leaf[1];

	arch_unmap_direct(pa, PAGEBLOCK_SIZE);
	KTEST_EXPECT_EQ(test, leaf[-1], before);
	KTEST_EXPECT_EQ(test, leaf[0], 0);
	KTEST_EXPECT_EQ(test, leaf[1], after);
	KTEST_EXPECT_EQ(test, arch_map_direct(pa, PAGEBLOCK_SIZE), 0);
}

/*
 * Map one page of the pageblock, then the whole: the table of pages from the first mapping
 * must not be in the way.
 */
static void parts_and_wholes_mix(struct ktest *test)
{
	const phys_addr_t pa = pfn_to_phys(parts_pfn);
	const u64 half = PAGEBLOCK_SIZE / 2;
	char *va = phys_to_virt(pa);
	u64 value;

	arch_unmap_direct(pa, PAGEBLOCK_SIZE);
	KTEST_EXPECT_EQ(test, arch_map_direct(pa, PAGE_SIZE), 0);
	KTEST_EXPECT_TRUE(test, arch_probe_read(va, &value));
	KTEST_EXPECT_FALSE(test, arch_probe_read(va + half, &value));
	KTEST_EXPECT_EQ(test, arch_map_direct(pa, PAGEBLOCK_SIZE), 0);
	KTEST_EXPECT_TRUE(test, arch_probe_read(va + half, &value));
	KTEST_EXPECT_TRUE(test, arch_probe_read(va + PAGEBLOCK_SIZE - 8, &value));
	arch_unmap_direct(pa + half, half);
	KTEST_EXPECT_TRUE(test, arch_probe_read(va, &value));
	KTEST_EXPECT_FALSE(test, arch_probe_read(va + half, &value));
	arch_unmap_direct(pa, PAGEBLOCK_SIZE);
	KTEST_EXPECT_FALSE(test, arch_probe_read(va, &value));
	KTEST_EXPECT_EQ(test, arch_map_direct(pa, PAGEBLOCK_SIZE), 0);
}

static unsigned int readers;

static void probe_block(void *arg)
{
	u64 value;

	(void)arg;
	if (arch_probe_read(phys_to_virt(pfn_to_phys(block_pfn)), &value))
		__atomic_fetch_add(&readers, 1, __ATOMIC_RELAXED);
}

static unsigned int count_readers(struct ktest *test)
{
	readers = 0;
	KTEST_EXPECT_EQ(test, on_each_hart(probe_block, NULL, TIMEOUT_NS), 0);
	return readers;
}

/* Each hart has read the block before: a hart with a stale TLB entry could still read it. */
static void all_harts_lose_it(struct ktest *test)
{
	const phys_addr_t pa = pfn_to_phys(block_pfn);
	const struct hart *hart;
	unsigned int online = 0;

	for_each_hart(hart)
		online++;
	KTEST_EXPECT_EQ(test, count_readers(test), online);
	arch_unmap_direct(pa, PAGEBLOCK_SIZE);
	KTEST_EXPECT_EQ(test, count_readers(test), 0);
	KTEST_EXPECT_EQ(test, arch_map_direct(pa, PAGEBLOCK_SIZE), 0);
	KTEST_EXPECT_EQ(test, count_readers(test), online);
}

static void leaves_are_pageblocks(struct ktest *test)
{
	const unsigned long va = (unsigned long)phys_to_virt(pfn_to_phys(block_pfn));

	KTEST_EXPECT_EQ(test, pgtable_walk(va, 0).level, 1);
	KTEST_EXPECT_EQ(test, pgtable_walk(va, 0).pte[0] & PTE_LEAF, PTE_R | PTE_W);
}

static void beyond_reach_is_refused(struct ktest *test)
{
	phys_addr_t start, end;

	arch_mappable_range(&start, &end);
	KTEST_EXPECT_EQ(test, arch_map_direct(end, SZ_2M), -E2BIG);
	KTEST_EXPECT_EQ(test, arch_map_direct(end - SZ_2M, 2 * SZ_2M), -E2BIG);
	KTEST_EXPECT_EQ(test, arch_vmemmap_map(phys_to_pfn(end), 32768, 0), -E2BIG);
}

/* Check every page of the image, at its own address and in the direct map. */
static void nothing_is_writable_and_executable(struct ktest *test)
{
	const char *va;

	for (va = _start; va < _end; va += PAGE_SIZE) {
		const pte_t own = leaf_of(va);
		const pte_t alias = leaf_of(phys_to_virt(image_to_phys(va)));

		KTEST_EXPECT_TRUE(test, own & alias & PTE_V);
		KTEST_EXPECT_NE(test, own & (PTE_W | PTE_X), PTE_W | PTE_X);
		KTEST_EXPECT_EQ(test, alias & PTE_X, 0);
		KTEST_EXPECT_EQ(test, alias & PTE_W, own & PTE_W);
	}
	KTEST_EXPECT_EQ(test, leaf_of(_start) & PTE_LEAF, PTE_R | PTE_X);
	KTEST_EXPECT_EQ(test, leaf_of(__rodata_start) & PTE_LEAF, PTE_R);
	KTEST_EXPECT_EQ(test, leaf_of(__data_start) & PTE_LEAF, PTE_R | PTE_W);
}

static void firmware_is_not_mapped(struct ktest *test)
{
	const struct machine_info *info = machine_info();
	unsigned int i;
	u64 value;

	if (info->nr_nomap == 0)
		ktest_skip(test, "the firmware reserves nothing as no-map");
	for (i = 0; i < info->nr_nomap; i++)
		KTEST_EXPECT_FALSE(test,
				   arch_probe_read(phys_to_virt(info->nomap[i].start),
						   &value));
}

static void stacks_have_guards(struct ktest *test)
{
	char *here = __builtin_frame_address(0);
	unsigned long low, high;
	u64 value;

	KTEST_ASSERT_TRUE(test, stack_bounds((unsigned long)here, &low, &high));
	KTEST_EXPECT_EQ(test, high - low, ARCH_STACK_SIZE);
	KTEST_EXPECT_TRUE(test, arch_probe_read((void *)low, &value));
	KTEST_EXPECT_FALSE(test, arch_probe_read((void *)(low - 8), &value));
	KTEST_EXPECT_FALSE(test, arch_probe_read((void *)high, &value));
	KTEST_EXPECT_TRUE(test, stack_guard_hit(low - 8));
	KTEST_EXPECT_FALSE(test, stack_guard_hit(low));
}

static void stack_is_its_frames(struct ktest *test)
{
	u64 *stack = stack_get();
	phys_addr_t pa;

	KTEST_ASSERT_NOT_NULL(test, stack);
	pa = PTE_PA(*pgtable_walk((unsigned long)stack, 0).pte);
	stack[0] = MARK;
	KTEST_EXPECT_EQ(test, *(u64 *)phys_to_virt(pa), MARK);
	stack_put(stack);
}

static void registers_are_mapped_once(struct ktest *test)
{
	const struct mem_range *plic = &machine_info()->plic;
	char *all = ioremap(plic->start, plic->size);

	KTEST_ASSERT_NOT_NULL(test, all);
	KTEST_EXPECT_TRUE(test, ioremap(plic->start, plic->size) == all);
	KTEST_EXPECT_TRUE(test, ioremap(plic->start + 0x2004, 4) == all + 0x2004);
	KTEST_EXPECT_TRUE(test, ioremap(plic->start, 0) == NULL);
}

static const struct ktest_case cases[] = {
	KTEST_CASE(unmapped_is_out_of_reach),
	KTEST_CASE(neighbours_stay_mapped),
	KTEST_CASE(all_harts_lose_it),
	KTEST_CASE(parts_and_wholes_mix),
	KTEST_CASE(leaves_are_pageblocks),
	KTEST_CASE(beyond_reach_is_refused),
	KTEST_CASE(nothing_is_writable_and_executable),
	KTEST_CASE(firmware_is_not_mapped),
	KTEST_CASE(stacks_have_guards),
	KTEST_CASE(stack_is_its_frames),
	KTEST_CASE(registers_are_mapped_once),
	{},
};

static struct ktest_suite suite = {
	.name = "arch_paging",
	.suite_init = take_parts,
	.suite_exit = give_parts,
	.init = take_block,
	.exit = give_block,
	.cases = cases,
};
KTEST_SUITE(suite);
