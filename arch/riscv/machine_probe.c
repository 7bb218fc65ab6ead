/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks that there is memory where the device tree says so. A tree may list addresses at
 * which nothing answers, or at which a device has its registers; without this check ebb might
 * put its page tables there. So before ebb uses a range, it writes a few of its frames and
 * reads them back: the first, the last, and one in each 128 MiB between them.
 *
 * If the first frame of a range does not answer, ebb does not use the range. If a later frame
 * does not, a binary search finds the end of the memory, up to which ebb uses the range. In
 * the range that holds the kernel, probing starts at the kernel and goes both ways. This code
 * runs with paging on but before there is a direct map; it reaches physical memory through one
 * leaf of the window for early page tables.
 */
#define pr_fmt(fmt) "machine: " fmt

#include "kernel/printk.h"

#include "arch.h"

#define PROBE_STEP (128UL << 20)
#define FLIPPED	   (0xebbUL << 52) /* the low registers of a device keep their values */

/* Map the gigabyte that holds @pa into the window. Return: the virtual address of @pa. */
static void *window(phys_addr_t pa)
{
	pte_t *pte = early_top_table + (EARLY_BASE >> LEVEL_SHIFT(2) & (PTES_PER_TABLE - 1));
	const pte_t leaf = PTE_PFN(ALIGN_DOWN(pa, SZ_1G)) | PROT_RW;

	if (*pte != leaf) {
		*pte = leaf;
		tlb_flush_local(EARLY_BASE, SZ_1G);
	}
	return (void *)(EARLY_BASE + (pa & (SZ_1G - 1)));
}

/*
 * Return the first address at or above @pa that is not reserved: reserved memory is the
 * firmware's, which may protect it. The list is sorted.
 */
static phys_addr_t skip_reserved(const struct machine_info *info, phys_addr_t pa)
{
	for (unsigned int i = 0; i < info->nr_reserved; i++)
		if (pa - info->reserved[i].start < info->reserved[i].size)
			pa = ALIGN_UP(info->reserved[i].start + info->reserved[i].size, PAGE_SIZE);
	return pa;
}

/*
 * Check whether there is memory at @pa. If @pa is reserved, check the first frame after the
 * reservation instead; return true if that is not below @end. The memory keeps its content.
 */
static bool answers(const struct machine_info *info, phys_addr_t pa, phys_addr_t end)
{
	u64 before, after;
	void *word;

	pa = skip_reserved(info, pa);
	if (pa >= end)
		return true;
	word = window(pa);
	return arch_probe_read(word, &before) && probe_write(word, before ^ FLIPPED) &&
	       arch_probe_read(word, &after) && after == (before ^ FLIPPED) &&
	       probe_write(word, before);
}

/*
 * Find the end of the memory between @good, which answers, and @bad, which does not. Return:
 * the border, seen from @good.
 */
static phys_addr_t edge(const struct machine_info *info, phys_addr_t good, phys_addr_t bad)
{
	const bool up = good < bad;

	for (;;) {
		const u64 gap = up ? bad - good : good - bad;
		const u64 half = ALIGN_DOWN(gap / 2, PAGE_SIZE);
		const phys_addr_t middle = up ? good + half : good - half;

		if (half == 0)
			return up ? bad : good;
		if (answers(info, middle, up ? bad : good))
			good = middle;
		else
			bad = middle;
	}
}

static void left_out(phys_addr_t start, phys_addr_t end)
{
	pr_warn("memory 0x%lx-0x%lx does not answer: it is not used\n", start, end - 1);
}

/* Find the end of the memory that begins at @from, a frame that answers; at most @end. */
static phys_addr_t probe_up(const struct machine_info *info, phys_addr_t from, phys_addr_t end)
{
	phys_addr_t good = from, next;

	for (; good + PAGE_SIZE < end; good = next) {
		next = min(ALIGN_DOWN(good, PROBE_STEP) + PROBE_STEP, end - PAGE_SIZE);
		if (!answers(info, next, end))
			return edge(info, good, next);
	}
	return end;
}

/*
 * Cut a range to the part that answers, which may be empty. Nothing answers at PHYS_LIMIT
 * or above. The range must start below PHYS_LIMIT, and may end anywhere up to 2^64.
 */
static struct mem_range probe_range(const struct machine_info *info, struct mem_range r)
{
	phys_addr_t start = ALIGN_UP(r.start, PAGE_SIZE), first = start, stop;
	const u64 reachable = min(r.size, PHYS_LIMIT - r.start);
	const phys_addr_t end = ALIGN_DOWN(r.start + reachable, PAGE_SIZE);

	if (start >= end)
		return (struct mem_range){ start, 0 };
	if (machine_holds_kernel(info, &r)) {
		first = info->kernel.start;
		if (!answers(info, start, first))
			start = edge(info, first, start);
	} else if (!answers(info, start, end)) {
		start = end;
	}
	stop = start < end ? probe_up(info, first, end) : end;
	if (start > ALIGN_UP(r.start, PAGE_SIZE))
		left_out(r.start, start < end ? start : r.start + r.size);
	if (stop < end)
		left_out(stop, r.start + r.size);
	return (struct mem_range){ start, stop - start };
}

/**
 * machine_probe_memory() - remove ranges that do not answer from the machine's memory
 * @info: memory, reservations and the kernel's range are filled in
 *
 * A range that starts beyond the highest physical address is not probed: paging cannot
 * reach it.
 */
void machine_probe_memory(struct machine_info *info)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < info->nr_memory; i++) {
		struct mem_range r = info->memory[i];

		if (r.start < PHYS_LIMIT)
			r = probe_range(info, r);
		if (r.size != 0)
			info->memory[kept++] = r;
	}
	info->nr_memory = kept;
}
