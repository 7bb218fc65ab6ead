/* SPDX-License-Identifier: BSD-2-Clause */
/* lsmem: print memory blocks as util-linux's lsmem does: equal neighbours share a row. */
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
	char size[8]; /* as text */
	unsigned long sized; /* the number of blocks that @size is for; most rows repeat it */
};

/* Print "128M", "1.5G": the largest unit, with one decimal if the number is not whole. */
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

/* Begin a row with the first block at or after @block. Return: false if there is none. */
static bool begin_row(unsigned long block, struct row *row)
{
	const struct mem_section *ms;

	pfn_walk_begin();
	/* Leave out a block that is being added: it is linked before it has a state. */
	do {
		ms = walk_next_section(&kernel_mm, block++);
	} while (ms && READ_ONCE(ms->state) == MEM_BLOCK_ABSENT);
	if (ms) {
		row->first = row->last = ms->start_pfn >> SECTION_PFN_SHIFT;
		row->state = READ_ONCE(ms->state);
		row->removable = !(READ_ONCE(ms->flags) & SECTION_EARLY);
	}
	pfn_walk_end();
	return ms;
}

/* Find the next row at or after @block. @all: one row per block. Return: false at the end. */
static bool next_row(unsigned long block, bool all, struct row *row)
{
	struct row next;

	if (!begin_row(block, row))
		return false;
	while (!all && begin_row(row->last + 1, &next) && next.first == row->last + 1 &&
	       next.state == row->state && next.removable == row->removable)
		row->last++;
	if (row->sized != row->last - row->first + 1) {
		row->sized = row->last - row->first + 1;
		human_size(row->sized << SECTION_SHIFT, row->size, sizeof(row->size));
	}
	return true;
}

/* Return a block's state in util-linux's words. */
static const char *state_word(enum memory_block_state state)
{
	return state == MEM_BLOCK_GOING_OFFLINE ? "on->off" : memory_block_state_name(state);
}

/* Return "yes" or "no": are a row's blocks removable? "" if they are not online. */
static const char *removable_word(const struct row *row)
{
	if (row->state != MEM_BLOCK_ONLINE)
		return "";
	return row->removable ? "yes" : "no";
}

struct widths {
	int size, state, block;
};

static int digits(unsigned long n)
{
	int nr = 1;

	for (; n >= 10; n /= 10)
		nr++;
	return nr;
}

static void measure(bool all, struct widths *w)
{
	struct row row = { .sized = 0 };
	unsigned long at = 0;

	*w = (struct widths){ .size = 0, .state = 5, .block = 5 };
	for (; next_row(at, all, &row); at = row.last + 1) {
		const int last = row.sized == 1 ? 0 : 1 + digits(row.last);

		w->size = max(w->size, (int)strlen(row.size));
		w->state = max(w->state, (int)strlen(state_word(row.state)));
		w->block = max(w->block, digits(row.first) + last);
	}
	/* As in libsmartcols: the heading's width if all sizes fit, else at least 5. */
	w->size = w->size < 4 ? 4 : max(w->size, 5);
}

static void print_row(const struct row *row, const struct widths *w, struct sink *out)
{
	char block[48];

	if (row->first == row->last)
		snprintf(block, sizeof(block), "%lu", row->first);
	else
		snprintf(block, sizeof(block), "%lu-%lu", row->first, row->last);
	sink_printf(out, "0x%016lx-0x%016lx %*s %*s %9s %*s\n", row->first << SECTION_SHIFT,
		    ((row->last + 1) << SECTION_SHIFT) - 1, w->size, row->size, w->state,
		    state_word(row->state), removable_word(row), w->block, block);
}

static void print_total(const char *name, u64 bytes, struct sink *out)
{
	char text[24];

	sink_printf(out, "%-23s %5s\n", name, human_size(bytes, text, sizeof(text)));
}

/* Count the bytes of a block that are present: without its holes and unplugged parts. */
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

/*
 * Print util-linux's lines, which count whole blocks, and a line for the memory present in
 * them.
 */
static void print_summary(u64 online, u64 offline, struct sink *out)
{
	u64 present = 0;

	for_each_memory_block(&kernel_mm, b, 0)
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
	struct row row = { .sized = 0 };
	struct widths w;

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
