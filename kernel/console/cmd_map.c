/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map: a picture of memory. Each row is a memory block, each letter a pageblock of
 * 2 MiB. Readable without colour; coloured on a terminal.
 */
#include "kernel/console/memory_block.h"
#include "kernel/printk.h"
#include "kernel/console/shell.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"
#include "mm/section.h"
#include "mm/vmstat.h"

/* What a pageblock looks like; the map shows the first that fits. */
enum cell {
	CELL_HOLE,     /* no memory */
	CELL_UNPLUGGED, /* PageOffline and unmapped */
	CELL_OFFLINE,  /* PageOffline, or in an offline block */
	CELL_ISOLATED, /* being emptied */
	CELL_FREE,     /* wholly free */
	CELL_KERNEL,   /* starts with firmware, image, memmap or boot data */
	CELL_UNMOVABLE,
	CELL_MOVABLE,
	CELL_RECLAIMABLE,
	NR_CELLS
};

static const struct {
	char letter;
	const char *colour; /* ANSI */
	const char *meaning;
} looks[NR_CELLS] = {
	[CELL_HOLE] = { ' ', "", "hole" },
	[CELL_UNPLUGGED] = { '_', "\033[90m", "unplugged" },
	[CELL_OFFLINE] = { 'o', "\033[33m", "offline" },
	[CELL_ISOLATED] = { 'I', "\033[95m", "isolated" },
	[CELL_FREE] = { '.', "\033[32m", "free" },
	[CELL_KERNEL] = { 'K', "\033[31m", "kernel, fixed" },
	[CELL_UNMOVABLE] = { 'U', "\033[91m", "unmovable" },
	[CELL_MOVABLE] = { 'M', "\033[36m", "movable" },
	[CELL_RECLAIMABLE] = { 'R', "\033[94m", "reclaimable" },
};

static bool boot_type(enum page_type type)
{
	return type == PGTY_FIRMWARE || type == PGTY_IMAGE || type == PGTY_BOOT ||
	       type == PGTY_MEMMAP;
}

static enum cell cell_online(unsigned long pfn)
{
	struct page_state st;

	if (!page_state_get(&kernel_mm, pfn, &st))
		return CELL_OFFLINE;
	if (st.isolated)
		return CELL_ISOLATED;
	if (st.uniform && st.type == PGTY_BUDDY)
		return CELL_FREE;
	if (st.uniform && st.type == PGTY_OFFLINE)
		return CELL_OFFLINE;
	if (st.uniform && (st.type == PGTY_HOLE || st.type == PGTY_DEVICE))
		return CELL_HOLE;
	if (boot_type(st.type))
		return CELL_KERNEL;
	if (st.migratetype == MIGRATE_MOVABLE)
		return CELL_MOVABLE;
	return st.migratetype == MIGRATE_RECLAIMABLE ? CELL_RECLAIMABLE : CELL_UNMOVABLE;
}

static enum cell cell_of(const struct mem_section *ms, unsigned int b)
{
	if (READ_ONCE(ms->hole) & BIT(b))
		return CELL_HOLE;
	if (READ_ONCE(ms->unmapped) & BIT(b))
		return CELL_UNPLUGGED;
	if (!(READ_ONCE(ms->flags) & SECTION_ONLINE))
		return CELL_OFFLINE;
	return cell_online(ms->start_pfn + b * PAGEBLOCK_NR_PAGES);
}

static void print_cell(enum cell cell, bool colour, struct sink *out)
{
	if (colour && looks[cell].colour[0])
		sink_printf(out, "%s%c\033[0m", looks[cell].colour, looks[cell].letter);
	else
		sink_printf(out, "%c", looks[cell].letter);
}

/* Print one row: read the block in a walk bracket, and print after it. */
static void print_block(unsigned long block, bool colour, struct sink *out)
{
	enum memory_block_state state = MEM_BLOCK_ABSENT;
	enum cell cells[PAGEBLOCKS_PER_SECTION];
	const struct zone *zone = NULL;
	const struct mem_section *ms;
	unsigned int b;

	pfn_walk_begin();
	ms = walk_section(&kernel_mm, block * PAGES_PER_SECTION);
	for (b = 0; ms && b < PAGEBLOCKS_PER_SECTION; b++)
		cells[b] = cell_of(ms, b);
	if (ms) {
		zone = section_zone(ms);
		state = READ_ONCE(ms->state);
	}
	pfn_walk_end();
	if (!ms)
		return;
	sink_printf(out, "memory%-5lu %-13s %-7s |", block, memory_block_state_name(state),
		    zone ? zone_name(zone->type) : "-");
	for (b = 0; b < PAGEBLOCKS_PER_SECTION; b++)
		print_cell(cells[b], colour, out);
	sink_puts(out, "|\n");
}

static void print_legend(bool colour, struct sink *out)
{
	unsigned int i;

	sink_puts(out, "one letter = 2 MiB:");
	for (i = CELL_UNPLUGGED; i < NR_CELLS; i++) {
		sink_puts(out, i == CELL_UNPLUGGED ? " " : ", ");
		print_cell((enum cell)i, colour, out);
		sink_printf(out, " %s", looks[i].meaning);
	}
	sink_puts(out, ", blank hole\n");
}

static int cmd_map(int argc, char **argv, struct sink *out)
{
	bool colour = out == console_sink();
	unsigned long block, only = PFN_NONE;
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-n") == 0)
			colour = false;
		else if (strcmp(argv[i], "-c") == 0)
			colour = true;
		else if (kstrtou64(argv[i], 0, &only))
			return COMMAND_USAGE;
	}
	if (only != PFN_NONE && memory_block_state(&kernel_mm, only) == MEM_BLOCK_ABSENT) {
		sink_printf(out, "map: no memory%lu; see lsmem\n", only);
		return -ENOENT;
	}
	for (block = next_memory_block(&kernel_mm, 0); block != PFN_NONE;
	     block = next_memory_block(&kernel_mm, block + 1))
		if (only == PFN_NONE || block == only)
			print_block(block, colour, out);
	print_legend(colour, out);
	return 0;
}
COMMAND(map, "map [-c | -n] [BLOCK]", "draw memory: a row per block, a letter per 2 MiB",
	"map 16", cmd_map);
