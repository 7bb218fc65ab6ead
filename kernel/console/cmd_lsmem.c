/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lsmem: print memory blocks as util-linux's lsmem does, with neighbours that agree in
 * one row.
 */
#include "kernel/console/memory_block.h"
#include "kernel/console/shell.h"
#include "lib/bitops.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "mm/section.h"

struct row {
	unsigned long first, last; /* block ids */
	enum memory_block_state state;
	bool removable;
};

/* Find the next row at or after @block; false at the end. @all: one row per block. */
static bool next_row(unsigned long block, bool all, struct row *row)
{
	unsigned long b = next_memory_block(&kernel_mm, block);

	/* A block may leave between the two look-ups: then leave it out. */
	while (b != PFN_NONE &&
	       (row->state = memory_block_state(&kernel_mm, b)) == MEM_BLOCK_ABSENT)
		b = next_memory_block(&kernel_mm, b + 1);
	if (b == PFN_NONE)
		return false;
	row->first = row->last = b;
	row->removable = memory_block_removable(b);
	while (!all && next_memory_block(&kernel_mm, row->last + 1) == row->last + 1 &&
	       memory_block_state(&kernel_mm, row->last + 1) == row->state &&
	       memory_block_removable(row->last + 1) == row->removable)
		row->last++;
	return true;
}

/* Print "128M", "1.5G": the largest unit, with one decimal when it is not whole. */
static const char *human_size(u64 bytes, char *buf, size_t size)
{
	static const char units[] = "BKMGTPE";
	unsigned int u = 0;
	u64 tenths;

	while (u < 6 && bytes >> (10 * (u + 1)))
		u++;
	tenths = u ? ((bytes >> (10 * (u - 1))) * 10 + 512) >> 10 : bytes * 10;
	if (tenths % 10)
		snprintf(buf, size, "%lu.%lu%c", tenths / 10, tenths % 10, units[u]);
	else
		snprintf(buf, size, "%lu%c", tenths / 10, units[u]);
	return buf;
}

/* A block's state in util-linux's words. */
static const char *state_word(enum memory_block_state state)
{
	return state == MEM_BLOCK_GOING_OFFLINE ? "on->off" : memory_block_state_name(state);
}

/* Are a row's blocks removable? Only online blocks have an answer. */
static const char *removable_word(const struct row *row)
{
	if (row->state != MEM_BLOCK_ONLINE)
		return "";
	return row->removable ? "yes" : "no";
}

struct widths {
	int size, state, block;
};

static void row_texts(const struct row *row, char *size, char *block, size_t n)
{
	human_size((row->last - row->first + 1) << SECTION_SHIFT, size, n);
	if (row->first == row->last)
		snprintf(block, n, "%lu", row->first);
	else
		snprintf(block, n, "%lu-%lu", row->first, row->last);
}

static void measure(bool all, struct widths *w)
{
	char size[24], block[48];
	struct row row = { .last = 0 };
	unsigned long at = 0;

	*w = (struct widths){ .size = 0, .state = 5, .block = 5 };
	for (; next_row(at, all, &row); at = row.last + 1) {
		row_texts(&row, size, block, sizeof(size));
		w->size = max(w->size, (int)strlen(size));
		w->state = max(w->state, (int)strlen(state_word(row.state)));
		w->block = max(w->block, (int)strlen(block));
	}
	/* Like libsmartcols: the heading's width if all fit, else 5 or more. */
	w->size = w->size < 4 ? 4 : max(w->size, 5);
}

static void print_row(const struct row *row, const struct widths *w, struct sink *out)
{
	char size[24], block[24];

	row_texts(row, size, block, sizeof(size));
	sink_printf(out, "0x%016lx-0x%016lx %*s %*s %9s %*s\n", row->first << SECTION_SHIFT,
		    ((row->last + 1) << SECTION_SHIFT) - 1, w->size, size, w->state,
		    state_word(row->state), removable_word(row), w->block, block);
}

static void print_total(const char *name, u64 bytes, struct sink *out)
{
	char text[24];

	sink_printf(out, "%-23s %5s\n", name, human_size(bytes, text, sizeof(text)));
}

/* The bytes of a block that are present: not its holes and unplugged parts. */
static u64 present_bytes(unsigned long block)
{
	const struct mem_section *ms;
	unsigned long pages = 0;

	pfn_walk_begin();
	ms = walk_section(&kernel_mm, block * PAGES_PER_SECTION);
	if (ms)
		pages = READ_ONCE(ms->present) -
			hweight64(READ_ONCE(ms->unmapped) & ~READ_ONCE(ms->hole)) *
				PAGEBLOCK_NR_PAGES;
	pfn_walk_end();
	return pages << PAGE_SHIFT;
}

/* util-linux's lines, which count whole blocks, and a line for the memory in these blocks. */
static void print_summary(u64 online, u64 offline, struct sink *out)
{
	u64 present = 0;

	for (unsigned long b = next_memory_block(&kernel_mm, 0); b != PFN_NONE;
	     b = next_memory_block(&kernel_mm, b + 1))
		present += present_bytes(b);
	sink_puts(out, "\n");
	print_total("Memory block size:", 1UL << SECTION_SHIFT, out);
	print_total("Total online memory:", online, out);
	print_total("Total offline memory:", offline, out);
	print_total("Present memory:", present, out);
}

static int cmd_lsmem(int argc, char **argv, struct sink *out)
{
	bool all = argc == 2 && (strcmp(argv[1], "-a") == 0 || strcmp(argv[1], "--all") == 0);
	u64 online = 0, offline = 0;
	unsigned long at = 0;
	struct widths w;
	struct row row;

	if (argc > 1 && !all)
		return COMMAND_USAGE;
	measure(all, &w);
	sink_printf(out, "%-37s %*s %*s %9s %*s\n", "RANGE", w.size, "SIZE", w.state, "STATE",
		    "REMOVABLE", w.block, "BLOCK");
	for (; next_row(at, all, &row); at = row.last + 1) {
		u64 bytes = (row.last - row.first + 1) << SECTION_SHIFT;

		*(row.state == MEM_BLOCK_ONLINE ? &online : &offline) += bytes;
		print_row(&row, &w, out);
	}
	print_summary(online, offline, out);
	return 0;
}
COMMAND(lsmem, "lsmem [-a]", "list memory blocks (-a: one per row)", "lsmem -a", cmd_lsmem);
