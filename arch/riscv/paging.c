/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The direct map and the memmap window: the part of the machine contract that maps
 * memory. The layout is in layout.h.
 */
#define pr_fmt(fmt) "paging: " fmt

#include "kernel/printk.h"
#include "kernel/spinlock.h"
#include "lib/errno.h"
#include "mm/memblock.h"
#include "mm/page.h"
#include "mm/pgtable.h"

#include "arch.h"

unsigned long direct_map_offset;
struct page *vmemmap;

/*
 * Held while the direct map or the memmap changes: several ranges share tables, and a table
 * that one range's unmapping unlinks must not get an entry of another range.
 */
static DEFINE_SPINLOCK(tables_lock);

/* Unlinked tables that no TLB refers to any more, see pgtable.c; under tables_lock. */
static phys_addr_t unlinked_tables;

static bool in_reach(phys_addr_t start, u64 size)
{
	phys_addr_t low, high;

	arch_mappable_range(&low, &high);
	return start >= low && start < high && size <= high - start;
}

static struct map_range direct_range(phys_addr_t start, u64 size)
{
	return (struct map_range){start + direct_map_offset, start, size, LEAVES_LARGE};
}

/*
 * Map the memmap in pages, whatever the backing's alignment: sections leave one at a time.
 */
static struct map_range vmemmap_range(unsigned long start_pfn, unsigned long nr_pages,
				      phys_addr_t backing)
{
	return (struct map_range){(unsigned long)pfn_to_page(start_pfn), backing,
				  nr_pages * sizeof(struct page), LEAVES_PAGES};
}

/*
 * Flush unmapped addresses from all TLBs, and keep the unlinked tables for arch_tables_take().
 */
static void settle(const struct unmapped *un, unsigned long va, u64 size)
{
	if (un->tables) {
		/* A flush of addresses need not drop cached entries that lead to tables. */
		tlb_flush_all_harts(0, ~0UL);
		arch_tables_keep(un->tables);
	} else if (un->seen) {
		tlb_flush_all_harts(va, size);
	}
}

static int map_memory_range(const struct map_range *range)
{
	struct unmapped un = { 0 };
	int err;

	spin_lock(&tables_lock);
	err = pgtable_map(*range, PROT_RW);
	if (err)
		pgtable_trim(*range, &un.tables);
	spin_unlock(&tables_lock);
	settle(&un, range->va, range->size);
	return err;
}

static void unmap_memory_range(unsigned long va, u64 size)
{
	struct unmapped un;

	spin_lock(&tables_lock);
	un = pgtable_unmap(va, size);
	spin_unlock(&tables_lock);
	settle(&un, va, size);
}

phys_addr_t arch_tables_take(void)
{
	phys_addr_t tables;

	spin_lock(&tables_lock);
	tables = unlinked_tables;
	unlinked_tables = 0;
	spin_unlock(&tables_lock);
	return tables;
}

void arch_tables_keep(phys_addr_t tables)
{
	phys_addr_t last = tables;

	while (pgtable_note(last))
		last = pgtable_note(last);
	spin_lock(&tables_lock);
	pgtable_set_note(last, unlinked_tables);
	unlinked_tables = tables;
	spin_unlock(&tables_lock);
}

void arch_tables_free(phys_addr_t tables)
{
	while (tables) {
		const phys_addr_t next = pgtable_note(tables);

		pgtable_free_page(tables);
		tables = next;
	}
}

int arch_tables_move(unsigned long pfn, bool (*leaves)(phys_addr_t table))
{
	struct unmapped un = { 0 };
	int err;

	spin_lock(&tables_lock);
	err = pgtable_move((unsigned long)pfn_to_page(pfn), leaves, &un.tables);
	if (err == 0)
		err = pgtable_move(pfn_to_phys(pfn) + direct_map_offset, leaves, &un.tables);
	spin_unlock(&tables_lock);
	settle(&un, 0, 0);
	return err;
}

int arch_map_direct(phys_addr_t start, u64 size)
{
	const struct map_range range = direct_range(start, size);

	return in_reach(start, size) ? map_memory_range(&range) : -E2BIG;
}

void arch_unmap_direct(phys_addr_t start, u64 size)
{
	unmap_memory_range(start + direct_map_offset, size);
}

bool arch_direct_mapped(phys_addr_t pa)
{
	if (!in_reach(ALIGN_DOWN(pa, PAGE_SIZE), PAGE_SIZE))
		return false;
	return *pgtable_walk(pa + direct_map_offset, 0).pte & PTE_V;
}

int arch_vmemmap_map(unsigned long start_pfn, unsigned long nr_pages, phys_addr_t backing)
{
	const struct map_range range = vmemmap_range(start_pfn, nr_pages, backing);

	return in_reach(pfn_to_phys(start_pfn), pfn_to_phys(nr_pages)) ? map_memory_range(&range) :
									-E2BIG;
}

void arch_vmemmap_unmap(unsigned long start_pfn, unsigned long nr_pages)
{
	const struct map_range range = vmemmap_range(start_pfn, nr_pages, 0);

	unmap_memory_range(range.va, range.size);
}

/*
 * Map a part of the image at its direct-map address, in pages because the parts differ
 * in access.
 */
static int map_alias(const void *from, phys_addr_t end, u64 prot)
{
	struct map_range range = direct_range(image_to_phys(from), 0);

	range.size = end - range.pa;
	range.leaves = LEAVES_PAGES;
	return pgtable_map(range, prot);
}

/*
 * Map the image in the direct map. Its text and read-only data are read-only there, too, and
 * nothing is executable.
 */
static int map_image_alias(void)
{
	const struct mem_range *kernel = &machine_info()->kernel;
	int err = map_alias(_start, image_to_phys(__data_start), PROT_R);

	if (err == 0)
		err = map_alias(__data_start, image_to_phys(__symbols_start), PROT_RW);
	if (err == 0)
		err = map_alias(__symbols_start, kernel->start + kernel->size, PROT_R);
	return err;
}

/* Find the first range inside [from, to) that is not mapped as ordinary memory. */
static struct mem_range next_hole(phys_addr_t from, phys_addr_t to)
{
	const struct machine_info *info = machine_info();
	struct mem_range hole = {to, 0};

	for (unsigned int i = 0; i <= info->nr_nomap; i++) {
		const struct mem_range *r =
			i < info->nr_nomap ? &info->nomap[i] : &info->kernel;
		const phys_addr_t start = ALIGN_DOWN(r->start, PAGE_SIZE);
		const phys_addr_t end = ALIGN_UP(r->start + r->size, PAGE_SIZE);

		if (end > from && start < hole.start)
			hole = (struct mem_range){start, end - start};
	}
	return hole;
}

/* Map the memory from @from to @to, both page-aligned, except firmware and kernel image. */
static int map_memory(phys_addr_t from, phys_addr_t to)
{
	int err = 0;

	while (err == 0 && from < to) {
		const struct mem_range hole = next_hole(from, to);

		if (hole.start > from)
			err = pgtable_map(direct_range(from, hole.start - from), PROT_RW);
		from = hole.start + hole.size;
		if (hole.size == 0)
			break;
	}
	return err;
}

/*
 * Make the page tables for a range's memmap now, so that they lie together: between the
 * sections' metadata, each table would cost memblock a range.
 */
static int prealloc_memmap(phys_addr_t from, phys_addr_t to)
{
	const unsigned long start = ALIGN_DOWN(phys_to_pfn(from), PAGES_PER_SECTION);
	const unsigned long end = ALIGN_UP(phys_to_pfn(to), PAGES_PER_SECTION);

	return pgtable_prealloc(vmemmap_range(start, end - start, 0));
}

/* Set the leaves of 1 GiB through which ebb writes page tables until there is a direct map. */
static void early_window(phys_addr_t base, u64 prot)
{
	pte_t *pte =
		early_top_table + (EARLY_BASE >> LEVEL_SHIFT(2) & (PTES_PER_TABLE - 1));

	for (unsigned int i = 0; i < EARLY_GIB; i++)
		pte[i] = prot == 0 ? 0 : PTE_PFN(base + i * SZ_1G) | prot;
	tlb_flush_local(EARLY_BASE, EARLY_GIB * SZ_1G);
	table_offset = EARLY_BASE - base;
}

static void set_windows(phys_addr_t base)
{
	const bool sv48 = paging_levels() == 4;

	direct_map_offset = (sv48 ? SV48_DIRECT_BASE : SV39_DIRECT_BASE) - base;
	vmemmap = (struct page *)(sv48 ? SV48_VMEMMAP_BASE : SV39_VMEMMAP_BASE) -
		  phys_to_pfn(base);
}

int arch_paging_init(void)
{
	const struct memblock_type *memory = &memblock.memory;
	phys_addr_t base, end;
	int err;

	arch_mappable_range(&base, &end);
	early_window(base, PROT_RW);
	set_windows(base);
	err = map_image_alias();
	if (err == 0)
		err = stack_tables_make();
	for (unsigned int i = 0; err == 0 && i < memory->nr; i++) {
		const struct memblock_region *r = &memory->region[i];

		err = map_memory(r->base, r->base + r->size);
		if (err == 0)
			err = prealloc_memmap(r->base, r->base + r->size);
	}
	if (err != 0)
		return err;
	memblock.mapped = 1;
	early_window(base, 0);
	table_offset = direct_map_offset;
	exit_init();
	return 0;
}
