/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory, harts and command line, as the device tree names them.
 */
#define pr_fmt(fmt) "machine: " fmt

#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/string.h"

#include "arch.h"

static phys_addr_t reach_start, reach_end;
u32 machine_hart_intc[MACHINE_MAX_HARTS];

void arch_mappable_range(phys_addr_t *start, phys_addr_t *end)
{
	*start = reach_start;
	*end = reach_end;
}

/* Adds a range to a sorted list; a full list is said and the range is lost. */
static void add_range(struct mem_range *list, unsigned int *nr, struct mem_range range)
{
	unsigned int i;

	if (*nr == MACHINE_MAX_RANGES) {
		pr_warn("more than %u ranges in the device tree: %#lx + %#lx is left "
			"out\n",
			MACHINE_MAX_RANGES, range.start, range.size);
		return;
	}
	for (i = (*nr)++; i > 0 && list[i - 1].start > range.start; i--)
		list[i] = list[i - 1];
	list[i] = range;
}

/**
 * machine_cover_range - reserve a range in a list that is full
 * @list: ranges
 * @nr: how many, at least one
 * @range: what has to be covered
 *
 * The entry that grows least grows to cover it: more is reserved than was asked for,
 * never less.
 */
void machine_cover_range(struct mem_range *list, unsigned int nr, struct mem_range range)
{
	const phys_addr_t end = range.start + range.size;
	u64 least = ~0ULL;
	unsigned int best = 0;

	for (unsigned int i = 0; i < nr; i++) {
		const phys_addr_t low = min(list[i].start, range.start);
		const phys_addr_t high = max(list[i].start + list[i].size, end);

		if (high - low - list[i].size < least) {
			least = high - low - list[i].size;
			best = i;
		}
	}
	list[best].size = max(list[best].start + list[best].size, end);
	list[best].start = min(list[best].start, range.start);
	list[best].size -= list[best].start;
}

/* Never less than what the tree asks for. */
static void add_reserved(struct machine_info *info, struct mem_range range)
{
	static bool said;

	if (info->nr_reserved < MACHINE_MAX_RANGES) {
		add_range(info->reserved, &info->nr_reserved, range);
		return;
	}
	if (!said)
		pr_warn("more than %u reserved ranges: what lies between some of them is "
			"reserved too\n",
			MACHINE_MAX_RANGES);
	said = true;
	machine_cover_range(info->reserved, info->nr_reserved, range);
}

static int visit_memory(void *ctx, const struct fdt_range *range, bool)
{
	struct machine_info *info = ctx;

	add_range(info->memory, &info->nr_memory,
		  (struct mem_range){range->base, range->size});
	return 0;
}

static int visit_reserved(void *ctx, const struct fdt_range *r, bool no_map)
{
	struct machine_info *info = ctx;
	const struct mem_range range = { r->base, r->size };

	add_reserved(info, range);
	if (no_map)
		add_range(info->nomap, &info->nr_nomap, range);
	return 0;
}

/* What direct map and memmap reach starts at the lowest RAM's gigabyte. */
static void set_reach(const struct machine_info *info)
{
	reach_start = ALIGN_DOWN(info->memory[0].start, SZ_1G);
	if (info->paging_levels == 4)
		reach_end = SV48_DIRECT_SIZE; /* sections are counted from 0 on */
	else
		reach_end = reach_start + SV39_DIRECT_SIZE;
}

static void cut_to_reach(struct machine_info *info)
{
	struct mem_range *range = info->memory;
	u64 lost = 0;
	unsigned int i, kept = 0;

	for (i = 0; i < info->nr_memory; i++) {
		const struct mem_range r = info->memory[i];
		const u64 fits =
			r.start < reach_end ? min(r.size, reach_end - r.start) : 0;

		lost += r.size - fits;
		if (fits != 0)
			range[kept++] = (struct mem_range){r.start, fits};
	}
	info->nr_memory = kept;
	if (lost != 0)
		pr_warn("Sv%u reaches physical memory up to %#lx: %lu MiB beyond are "
			"left out\n",
			info->paging_levels == 4 ? 48 : 39, reach_end, lost >> 20);
}

/**
 * machine_digest_memory - fill in memory and reservations
 * @info: paging_levels and kernel are filled in already
 */
void machine_digest_memory(struct machine_info *info)
{
	fdt_for_each_memory(&machine_fdt, visit_memory, info);
	if (info->nr_memory == 0)
		return;
	add_reserved(info, info->kernel);
	if (fdt_for_each_reserved(&machine_fdt, visit_reserved, info) != 0)
		pr_warn("/reserved-memory has a malformed entry, which is left out\n");
	set_reach(info);
	cut_to_reach(info);
}

static int visit_cpu(void *ctx, const struct fdt_cpu *cpu)
{
	struct machine_info *info = ctx;

	if (cpu->hartid == info->hartid[0]) {
		machine_hart_intc[0] = cpu->intc;
		return 0;
	}
	if (info->nr_harts == MACHINE_MAX_HARTS) {
		pr_warn("hart %lu is left out: ebb runs on at most %u harts\n",
			cpu->hartid, MACHINE_MAX_HARTS);
		return 0;
	}
	machine_hart_intc[info->nr_harts] = cpu->intc;
	info->hartid[info->nr_harts++] = cpu->hartid;
	return 0;
}

static void copy_cmdline(struct machine_info *info)
{
	const char *cmdline = fdt_bootargs(&machine_fdt);

	if (strscpy(info->cmdline, cmdline, sizeof(info->cmdline)) >= 0)
		return;
	memcpy(info->cmdline, cmdline, sizeof(info->cmdline) - 1);
	pr_warn("the command line is longer than %u bytes: the rest is left out\n",
		MACHINE_CMDLINE_BYTES - 1);
}

/**
 * machine_digest_harts - fill in harts, timebase and command line
 * @info: the machine
 * @boot_hartid: becomes logical id 0
 */
void machine_digest_harts(struct machine_info *info, u64 boot_hartid)
{
	copy_cmdline(info);
	info->hartid[0] = boot_hartid;
	info->nr_harts = 1;
	if (fdt_for_each_cpu(&machine_fdt, visit_cpu, info) != 0)
		pr_warn("/cpus is malformed: harts may be missing\n");
	fdt_timebase(&machine_fdt, &info->timebase_hz);
}
