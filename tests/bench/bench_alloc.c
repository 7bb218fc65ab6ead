/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocation and freeing: pairs, bulk, contiguous ranges, migration. */
#include "tests/bench/bench.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/contig.h"

#define PAIRS	   1000
#define BULK_PAGES 65536UL
#define SECOND_NS  NSEC_PER_SEC

/* Measure one allocation and its free, averaged over PAIRS; earlier pairs warm the cache. */
static int bench_pair(struct sink *out, const char *id, unsigned int order)
{
	u64 start = 0;
	unsigned int i;

	for (i = 0; i < 2 * PAIRS; i++) {
		unsigned long pfn;

		if (i == PAIRS)
			start = arch_instret();
		pfn = alloc_pages(&kernel_mm, GFP_KERNEL, order, PGTY_KERNEL);
		if (pfn == PFN_NONE)
			return bench_fail(out, id, "no memory");
		free_pages(&kernel_mm, pfn, order);
	}
	bench_row(out, id, bench_since(start) * 1000 / PAIRS, "insn");
	return 0;
}

/* Allocate 65,536 single pages with one call, and free them with another. */
static int bench_bulk(struct sink *out, unsigned long *pfns)
{
	u64 start, middle, end;
	unsigned long nr;

	start = arch_instret();
	nr = alloc_pages_bulk(&kernel_mm, GFP_MOVABLE, PGTY_KERNEL, BULK_PAGES, pfns);
	middle = arch_instret();
	free_pages_bulk(&kernel_mm, pfns, nr);
	end = arch_instret();
	if (nr < BULK_PAGES)
		return bench_fail(out, "bulk_alloc", "fewer than 65536 pages are free");
	bench_row(out, "bulk_alloc", (middle - start) * 1000 / BULK_PAGES, "insn");
	bench_row(out, "bulk_free", (end - middle) * 1000 / BULK_PAGES, "insn");
	return 0;
}

/* Measure the same with one call per page; these rows are not in the budget table. */
static int bench_singles(struct sink *out, unsigned long *pfns)
{
	u64 start, middle, end;
	unsigned long nr = 0, i;

	start = arch_instret();
	while (nr < BULK_PAGES) {
		pfns[nr] = alloc_pages(&kernel_mm, GFP_MOVABLE, 0, PGTY_KERNEL);
		if (pfns[nr] == PFN_NONE)
			break;
		nr++;
	}
	middle = arch_instret();
	for (i = 0; i < nr; i++)
		free_pages(&kernel_mm, pfns[i], 0);
	end = arch_instret();
	if (nr < BULK_PAGES)
		return bench_fail(out, "single_alloc", "fewer than 65536 pages are free");
	bench_row(out, "single_alloc", (middle - start) * 1000 / BULK_PAGES, "insn");
	bench_row(out, "single_free", (end - middle) * 1000 / BULK_PAGES, "insn");
	return 0;
}

/* Room for 65,536 frame numbers. */
#define TABLE_ORDER 7
static_assert((PAGE_SIZE << TABLE_ORDER) == BULK_PAGES * sizeof(unsigned long), "it fits");

int bench_alloc(struct sink *out)
{
	unsigned long table;
	int err;

	err = bench_pair(out, "order0_pair", 0);
	if (err == 0)
		err = bench_pair(out, "order9_pair", 9);
	if (err)
		return err;
	table = alloc_pages(&kernel_mm, GFP_KERNEL, TABLE_ORDER, PGTY_KERNEL);
	if (table == PFN_NONE)
		return bench_fail(out, "bulk_alloc", "no memory");
	err = bench_bulk(out, phys_to_virt(pfn_to_phys(table)));
	if (err == 0)
		err = bench_singles(out, phys_to_virt(pfn_to_phys(table)));
	free_pages(&kernel_mm, table, TABLE_ORDER);
	return err;
}

/* The place of a range's free chunks when the range is allocated again. */
enum freed {
	FREED_DRAINED, /* all are in the buddy allocator */
	FREED_CACHED,  /* some are in the hart's cache */
};

/* Free a range and allocate it again. Return: the allocation's instructions, 0 on failure. */
static u64 take_again(unsigned long pfn, unsigned long nr, enum freed freed)
{
	struct mm_failure why;
	u64 start, insn;

	free_contig_range(&kernel_mm, pfn, nr);
	if (freed == FREED_DRAINED && drain_all_pages(&kernel_mm, SECOND_NS))
		return 0;
	start = arch_instret();
	if (alloc_contig_range(&kernel_mm, pfn, pfn + nr, NULL, &why))
		return 0;
	insn = arch_instret() - start;
	return insn;
}

/* Measure three allocations of a range and report the least, so that no interrupt counts. */
static int bench_contig_size(struct sink *out, const char *id, unsigned long nr,
			     enum freed freed)
{
	struct mm_failure why;
	const int err = drain_all_pages(&kernel_mm, SECOND_NS);
	const unsigned long pfn = alloc_contig_pages(&kernel_mm, nr, NULL, &why);
	u64 least = ~0UL;

	if (err || pfn == PFN_NONE)
		return bench_fail(out, id, "no such free range");
	for (unsigned int i = 0; i < 3; i++)
		least = min(least, take_again(pfn, nr, freed));
	if (least == 0)
		return bench_fail(out, id, "the range could not be allocated again");
	least += bench_since(arch_instret());
	bench_row(out, id, least * 1000, "insn");
	free_contig_range(&kernel_mm, pfn, nr);
	return 0;
}

#define MOVED_PAGES 512UL
static struct page_slot moved[MOVED_PAGES];

/* The rows divide by this cost, so it is measured in the same run. */
u64 bench_copy_insn(void)
{
	unsigned long a = alloc_pages(&kernel_mm, GFP_KERNEL, 0, PGTY_KERNEL);
	unsigned long b = alloc_pages(&kernel_mm, GFP_KERNEL, 0, PGTY_KERNEL);
	u64 start, insn = 0;

	if (a != PFN_NONE && b != PFN_NONE) {
		start = arch_instret();
		memcpy(phys_to_virt(pfn_to_phys(a)), phys_to_virt(pfn_to_phys(b)), PAGE_SIZE);
		insn = arch_instret() - start;
	}
	if (a != PFN_NONE)
		free_pages(&kernel_mm, a, 0);
	if (b != PFN_NONE)
		free_pages(&kernel_mm, b, 0);
	return insn;
}

/* Allocate a pageblock that is full of movable pages as a range; all the pages must move. */
static int bench_migrate(struct sink *out)
{
	struct mm_failure why;
	unsigned long i, base = alloc_contig_pages(&kernel_mm, MOVED_PAGES, NULL, &why);
	u64 start, insn, copy = bench_copy_insn();
	int err = 0;

	if (base == PFN_NONE || copy == 0)
		return bench_fail(out, "migrate_page", "no memory");
	free_contig_range(&kernel_mm, base, MOVED_PAGES);
	for (i = 0; i < MOVED_PAGES && !err; i++) {
		err = alloc_pages_at(&kernel_mm, base + i, 0, PGTY_DRIVER);
		moved[i].pfn = base + i;
		if (err == 0)
			page_set_owner(&kernel_mm, base + i, (u64)(uintptr_t)&moved[i]);
	}
	if (err)
		return bench_fail(out, "migrate_page", "the pageblock is not free");
	start = arch_instret();
	err = alloc_contig_range(&kernel_mm, base, base + MOVED_PAGES, NULL, &why);
	insn = bench_since(start);
	if (err == 0)
		free_contig_range(&kernel_mm, base, MOVED_PAGES);
	for (i = 0; i < MOVED_PAGES; i++)
		err = slot_free(&kernel_mm, &moved[i]) ? -EIO : err;
	if (err)
		return bench_fail(out, "migrate_page", "the pages did not move");
	bench_row(out, "migrate_page", insn * 1000 / MOVED_PAGES / copy, "ratio");
	bench_row(out, "copy_page", copy * 1000, "insn");
	return 0;
}

int bench_contig(struct sink *out)
{
	int err = bench_contig_size(out, "contig_4m", 1024, FREED_DRAINED);

	if (err == 0)
		err = bench_contig_size(out, "contig_4m_cached", 1024, FREED_CACHED);
	if (err == 0)
		err = bench_contig_size(out, "contig_128m", PAGES_PER_SECTION,
					FREED_DRAINED);
	return err ? err : bench_migrate(out);
}
