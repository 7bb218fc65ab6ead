/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fill in memory, harts and command line from the device tree.
 */
#define pr_fmt(fmt) "machine: " fmt

#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/fdt.h"

#include "arch.h"

static phys_addr_t reach_start, reach_end;
u32 machine_hart_intc[MACHINE_MAX_HARTS];

void arch_mappable_range(phys_addr_t *start, phys_addr_t *end)
{
	*start = reach_start;
	*end = reach_end;
}

/* Return the path of an entry's node, for messages. */
static const char *entry_path(const struct fdt_entry *entry)
{
	static char path[128];

	if (!entry->node)
		return "/memreserve/";
	fdt_path(entry->node, path, sizeof(path));
	return path;
}

static const char *fault_words(int err)
{
	if (err == -EOVERFLOW)
		return "goes beyond 64 bits";
	return err == -ENOENT ? "is missing" : "is malformed";
}

static void insert_range(struct mem_range *list, unsigned int *nr, struct mem_range range)
{
	unsigned int i;

	for (i = (*nr)++; i > 0 && list[i - 1].start > range.start; i--)
		list[i] = list[i - 1];
	list[i] = range;
}

static struct mem_range take_range(struct mem_range *list, unsigned int *nr, unsigned int at)
{
	const struct mem_range taken = list[at];

	for ((*nr)--; at < *nr; at++)
		list[at] = list[at + 1];
	return taken;
}

static phys_addr_t last_byte(const struct mem_range *range)
{
	return range->start + (range->size - 1);
}

/* Check whether the kernel's image lies in the range. */
bool machine_holds_kernel(const struct machine_info *info, const struct mem_range *range)
{
	return info->kernel.start >= range->start && info->kernel.start <= last_byte(range);
}

/* Find the smallest range other than the kernel's. */
static unsigned int least_range(const struct machine_info *info)
{
	const struct mem_range *list = info->memory;
	unsigned int least = machine_holds_kernel(info, &list[0]);

	for (unsigned int i = least + 1; i < info->nr_memory; i++)
		if (list[i].size < list[least].size && !machine_holds_kernel(info, &list[i]))
			least = i;
	return least;
}

static u64 memory_lost; /* bytes that did not fit into the full list */

/*
 * Add memory to the sorted list, in which no two ranges touch. If the list is too long, drop
 * its smallest range: ebb does not use that memory, and says so.
 */
static void add_memory(struct machine_info *info, struct mem_range range)
{
	struct mem_range *list = info->memory;
	unsigned int i = 0;

	insert_range(list, &info->nr_memory, range);
	while (i + 1 < info->nr_memory) {
		struct mem_range *low = &list[i], *high = low + 1;

		if (last_byte(low) < high->start && high->start - last_byte(low) != 1) {
			i++;
			continue;
		}
		low->size = max(last_byte(low), last_byte(high)) - low->start + 1;
		take_range(list, &info->nr_memory, i + 1);
	}
	if (info->nr_memory > MACHINE_MAX_MEMORY)
		memory_lost += take_range(list, &info->nr_memory, least_range(info)).size;
}

/**
 * machine_cover_range() - reserve a range in a list that is full
 * @list: ranges
 * @nr: how many, at least one
 * @range: what has to be covered
 *
 * Extends the entry that has to grow least: all of the range is reserved, and perhaps more.
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

/* Reserve at least what the tree asks for. */
static void add_reserved(struct machine_info *info, struct mem_range range)
{
	static bool said;

	if (info->nr_reserved < MACHINE_MAX_RANGES) {
		insert_range(info->reserved, &info->nr_reserved, range);
		return;
	}
	if (!said)
		pr_warn("more than %u reserved ranges: gaps between some of them are "
			"reserved, too\n",
			MACHINE_MAX_RANGES);
	said = true;
	machine_cover_range(info->reserved, info->nr_reserved, range);
}

static int visit_memory(void *ctx, const struct fdt_entry *entry)
{
	const struct mem_range range = {entry->range.base, entry->range.size};

	if (entry->err)
		pr_warn("%s: entry %u of reg %s: this memory is not used\n",
			entry_path(entry), entry->index, fault_words(entry->err));
	else
		add_memory(ctx, range);
	return 0;
}

/*
 * Add a reservation. One that ebb cannot read ends the boot: ebb must know what the firmware
 * keeps.
 */
static int visit_reserved(void *ctx, const struct fdt_entry *entry)
{
	struct mem_range range = {entry->range.base, entry->range.size};
	struct machine_info *info = ctx;

	if (entry->err) {
		pr_emerg("%s: entry %u of the reservation %s: the firmware's memory would be "
			 "overwritten\n",
			 entry_path(entry), entry->index, fault_words(entry->err));
		return -EINVAL;
	}
	if (range.start >= PHYS_LIMIT)
		return 0; /* no memory lies there */
	range.size = min(range.size, PHYS_LIMIT - range.start);
	add_reserved(info, range);
	if (entry->no_map && info->nr_nomap == MACHINE_MAX_RANGES) {
		pr_emerg("%s: more than %u ranges with no-map\n", entry_path(entry),
			 MACHINE_MAX_RANGES);
		return -ENOSPC;
	}
	if (entry->no_map)
		insert_range(info->nomap, &info->nr_nomap, range);
	return 0;
}

/*
 * Set the range that direct map and memmap can reach: from the gigabyte of the lowest RAM
 * upwards.
 */
static void set_reach(const struct machine_info *info)
{
	reach_start = ALIGN_DOWN(info->memory[0].start, SZ_1G);
	if (info->paging_levels == 4)
		reach_end = SV48_DIRECT_SIZE; /* section numbers start at 0 */
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
		pr_warn("Sv%u reaches physical memory up to %#lx: %lu MiB beyond it are "
			"not used\n",
			info->paging_levels == 4 ? 48 : 39, reach_end, lost >> 20);
}

/**
 * machine_digest_memory() - fill in memory and reservations
 * @info: paging_levels and kernel are filled in already
 *
 * Return: NULL, or why ebb can't start on this machine.
 */
const char *machine_digest_memory(struct machine_info *info)
{
	unsigned int i = 0;

	fdt_for_each_memory(&machine_fdt, visit_memory, info);
	if (info->nr_memory == 0)
		return "the device tree names no memory";
	if (memory_lost != 0)
		pr_warn("more than %u ranges of memory: the smallest of them, %lu KiB, are not "
			"used\n",
			MACHINE_MAX_MEMORY, memory_lost >> 10);
	add_reserved(info, info->kernel);
	if (fdt_for_each_reserved(&machine_fdt, visit_reserved, info) != 0)
		return "ebb cannot tell which memory is the firmware's: fix the device tree";
	machine_probe_memory(info);
	set_reach(info);
	cut_to_reach(info);
	while (i < info->nr_memory && !machine_holds_kernel(info, &info->memory[i]))
		i++;
	return i < info->nr_memory ? NULL : "the kernel lies outside the device tree's memory";
}

static int visit_cpu(void *ctx, const struct fdt_cpu *cpu)
{
	struct machine_info *info = ctx;
	char path[64];
	unsigned int i = 0;

	if (cpu->err) {
		fdt_path(cpu->node, path, sizeof(path));
		pr_warn("%s: reg %s: this hart is not used\n", path, fault_words(cpu->err));
		return 0;
	}
	/* Two nodes with the same id are one hart; the boot hart is in the list already. */
	while (i < info->nr_harts && info->hartid[i] != cpu->hartid)
		i++;
	if (i < info->nr_harts) {
		machine_hart_intc[i] = cpu->intc;
		return 0;
	}
	if (info->nr_harts == MACHINE_MAX_HARTS) {
		pr_warn("hart %lu is not used: ebb runs on at most %u harts\n",
			cpu->hartid, MACHINE_MAX_HARTS);
		return 0;
	}
	machine_hart_intc[info->nr_harts] = cpu->intc;
	info->hartid[info->nr_harts++] = cpu->hartid;
	return 0;
}

/**
 * machine_digest_harts() - fill in harts, timebase and command line
 * @info: the machine
 * @boot_hartid: becomes logical id 0
 */
void machine_digest_harts(struct machine_info *info, u64 boot_hartid)
{
	info->cmdline = fdt_bootargs(&machine_fdt);
	if (!info->cmdline) {
		pr_warn("/chosen: bootargs is malformed: there is no command line\n");
		info->cmdline = "";
	}
	info->hartid[0] = boot_hartid;
	info->nr_harts = 1;
	if (fdt_for_each_cpu(&machine_fdt, visit_cpu, info) != 0)
		pr_warn("the device tree has no /cpus: ebb runs on one hart\n");
	fdt_timebase(&machine_fdt, &info->timebase_hz);
}
