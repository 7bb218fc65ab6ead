/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map: a picture of memory. Each row is a memory block, each letter a pageblock of 2 MiB. The
 * letters are enough without colour; on a terminal they are coloured.
 */
#include "kernel/console/memory_block.h"
#include "kernel/printk.h"
#include "kernel/console/shell.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"
#include "mm/section.h"
#include "mm/vmstat.h"

/*
 * A pageblock's contents as a mask: a bit for each page type, and these bits. In a block that
 * is not online, a pageblock has just one of SEEN_UNPLUGGED, SEEN_OFFLINE and the type Hole.
 */
#define SEEN(type)	 BIT(PGTY_##type)
#define SEEN_MIGRATE(mt) BIT(24 + (mt))
#define SEEN_UNPLUGGED	 BIT(28)
#define SEEN_OFFLINE	 BIT(29)
#define SEEN_ISOLATED	 BIT(30)
#define SEEN_PINNED	 BIT(31)
static_assert(NR_PAGE_TYPES <= 24 && NR_MIGRATE_STORED <= 4, "the bits do not overlap");

#define FIXED_AT_BOOT (SEEN(FIRMWARE) | SEEN(IMAGE) | SEEN(BOOT) | SEEN(MEMMAP))
#define STAYS	      (SEEN(KERNEL) | SEEN(SLAB) | SEEN(PGTABLE))
#define MOVES	      (SEEN(DRIVER) | SEEN(ANON) | SEEN(PAGECACHE) | SEEN(HUGE))
#define UNUSED	      (SEEN(BUDDY) | SEEN(CACHED))
#define NO_RAM	      (SEEN(HOLE) | SEEN(DEVICE))
static_assert((FIXED_AT_BOOT | STAYS | MOVES | UNUSED | NO_RAM | SEEN(OFFLINE) | SEEN(NONE)) ==
		      BIT(NR_PAGE_TYPES) - 1,
	      "each page type has a letter");

/*
 * The appearance of a pageblock: that of the first row that fits. A row fits if a bit of @any
 * was seen and, unless @with is 0, a bit of @with.
 */
static const struct look {
	char letter;
	char colour[6]; /* ANSI */
	u32 any, with;
	const char *meaning;
} looks[] = {
	{ '_', "\033[90m", SEEN_UNPLUGGED, 0, "unplugged" },
	{ 'I', "\033[95m", SEEN_ISOLATED, 0, "isolated" },
	{ 'K', "\033[31m", FIXED_AT_BOOT, 0, "kernel" },
	{ 'P', "\033[91m", SEEN_PINNED, 0, "pinned" },
	{ 'u', "\033[91m", STAYS, SEEN_MIGRATE(MIGRATE_MOVABLE), "unmovable among movable" },
	{ 'R', "\033[94m", STAYS, SEEN_MIGRATE(MIGRATE_RECLAIMABLE), "reclaimable" },
	{ 'U', "\033[91m", STAYS, 0, "unmovable" },
	{ 'M', "\033[36m", MOVES, SEEN_MIGRATE(MIGRATE_MOVABLE), "movable" },
	{ 'm', "\033[36m", MOVES, 0, "movable among unmovable" },
	{ 'o', "\033[33m", SEEN_OFFLINE | SEEN(OFFLINE), 0, "offline" },
	{ '.', "\033[32m", UNUSED, 0, "free" },
	{ ' ', "", NO_RAM, 0, "hole" },
};

static const struct look *look_of(u32 seen)
{
	const struct look *look = looks;

	while (look < looks + ARRAY_SIZE(looks) - 1 &&
	       (!(seen & look->any) || (look->with && !(seen & look->with))))
		look++;
	return look;
}

/* The destination and the form of the map. */
struct canvas {
	struct sink *out;
	size_t columns;
	bool colour;
};

#define ROW_COLUMNS (34 + PAGEBLOCKS_PER_SECTION + 2)

static void print_letter(const struct look *look, const struct canvas *c)
{
	if (c->colour && look->colour[0])
		sink_printf(c->out, "%s%c\033[0m", look->colour, look->letter);
	else
		sink_printf(c->out, "%c", look->letter);
}

/*
 * Return the look of pageblock @b of an online block; set *blocks to how many from @b on share
 * it.
 */
static const struct look *look_online(const struct mem_section *ms, unsigned int b,
				      unsigned int *blocks) __must_hold(walk_bracket)
{
	unsigned long nr[NR_PAGE_TYPES] = { 0 };
	const struct pageblock_look look = pageblock_look(ms, b, nr);

	*blocks = look.blocks;
	return look_of(look.types | SEEN_MIGRATE(look.migratetype) |
		       (look.isolated ? SEEN_ISOLATED : 0) | (look.pinned ? SEEN_PINNED : 0));
}

/* Fill in the looks of a block's pageblocks. */
static void look_at(const struct mem_section *ms, const struct look *row[PAGEBLOCKS_PER_SECTION])
	__must_hold(walk_bracket)
{
	const u64 hole = READ_ONCE(ms->hole), unmapped = READ_ONCE(ms->unmapped);
	const bool online = READ_ONCE(ms->flags) & SECTION_ONLINE;
	unsigned int blocks = PAGEBLOCKS_PER_SECTION;

	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b += blocks) {
		const struct look *look = online ? look_online(ms, b, &blocks) :
						   look_of(SEEN_OFFLINE);

		for (unsigned int i = b; i < b + blocks; i++)
			row[i] = look;
	}
	for (u64 left = hole | unmapped; left; left &= left - 1)
		row[__ffs(left)] = look_of(hole & left & -left ? SEEN(HOLE) : SEEN_UNPLUGGED);
}

/* Print a line of letters between bars; a line without colour takes one write. */
static void print_line(const struct look **row, unsigned int nr, const struct canvas *c)
{
	char line[PAGEBLOCKS_PER_SECTION + 4] = "|", *end = line + 1;

	if (c->colour) {
		sink_puts(c->out, line);
		for (unsigned int i = 0; i < nr; i++)
			print_letter(row[i], c);
		end = line;
	}
	for (unsigned int i = 0; i < nr && !c->colour; i++)
		*end++ = row[i]->letter;
	strscpy(end, "|\n", 3);
	sink_puts(c->out, line);
}

/* Print the letters of a block, in lines that are halved until they fit. */
static void print_letters(const struct look **row, const struct canvas *c)
{
	unsigned int per_line = PAGEBLOCKS_PER_SECTION;

	while (per_line + 2 > c->columns && per_line > 1)
		per_line /= 2;
	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b += per_line)
		print_line(row + b, per_line, c);
}

/*
 * Print one block: read it in a walk bracket, and print after the bracket. On a terminal too
 * narrow for a row, the letters stand below the block's name.
 */
static void print_block(unsigned long block, const struct canvas *c)
{
	const struct look *row[PAGEBLOCKS_PER_SECTION];
	enum memory_block_state state = MEM_BLOCK_ABSENT;
	const struct zone *zone = NULL;
	const struct mem_section *ms;

	pfn_walk_begin();
	ms = walk_section(&kernel_mm, block * PAGES_PER_SECTION);
	if (ms) {
		look_at(ms, row);
		zone = section_zone(ms);
		state = READ_ONCE(ms->state);
	}
	pfn_walk_end();
	if (!ms)
		return;
	sink_printf(c->out,
		    ROW_COLUMNS <= c->columns ? "memory%-5lu %-13s %-7s "
					      : "memory%-5lu %-13s %s\n",
		    block, memory_block_state_name(state),
		    zone ? zone_name(zone->type) : "-");
	print_letters(row, c);
}

static void print_legend(const struct canvas *c)
{
	static const char title[] = "one letter = 2 MiB:", last[] = " blank hole";
	size_t at = strlen(title), n;

	sink_puts(c->out, title);
	for (const struct look *look = looks; look->letter != ' '; look++) {
		n = strlen(" K ,") + strlen(look->meaning);
		at = at + n > c->columns ? 0 : at;
		sink_puts(c->out, at ? " " : "\n");
		print_letter(look, c);
		sink_printf(c->out, " %s,", look->meaning);
		at += n;
	}
	sink_printf(c->out, "%s%s\n", at + strlen(last) > c->columns ? "\n" : "", last);
}

/* The blocks to draw, inclusive: all, BLOCK, FIRST LAST or FIRST-LAST. */
struct choice {
	unsigned long first, last;
	unsigned int nr; /* numbers that were given */
};

static bool take_number(struct choice *c, const char *text)
{
	if (c->nr > 1 || kstrtou64(text, 0, &c->last))
		return false;
	if (!c->nr++)
		c->first = c->last;
	return true;
}

static bool take_numbers(struct choice *c, char *text)
{
	char *dash = strchr(text, '-');

	if (dash)
		*dash++ = '\0';
	return take_number(c, text) && (!dash || take_number(c, dash));
}

static int cmd_map(int argc, char **argv, struct sink *out)
{
	struct canvas canvas = { out, out->columns ?: LINE_NO_WRAP, out == console_sink() };
	struct choice c = { .last = PFN_NONE - 1 };
	unsigned long block;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-n") == 0)
			canvas.colour = false;
		else if (strcmp(argv[i], "-c") == 0)
			canvas.colour = true;
		else if (!take_numbers(&c, argv[i]))
			return COMMAND_USAGE;
	}
	block = next_memory_block(&kernel_mm, c.first);
	if (block == PFN_NONE || block > c.last)
		return no_such_block("map", c.first, c.last, out);
	for (; block != PFN_NONE && block <= c.last;
	     block = next_memory_block(&kernel_mm, block + 1))
		print_block(block, &canvas);
	print_legend(&canvas);
	return 0;
}
COMMAND(map, "map [-c | -n] [BLOCK | FIRST-LAST]",
	"draw memory: a row per block, a letter per 2 MiB", "map 16-18", cmd_map);
