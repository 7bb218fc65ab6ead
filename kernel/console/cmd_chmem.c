/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chmem: bring memory blocks online or offline, by size, address range or block
 * numbers, with the options of util-linux's chmem; -w is ebb's own.
 */
#include "kernel/console/memory_block.h"
#include "kernel/console/shell.h"
#include "lib/ctype.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"
#include "mm/vmstat.h"

/* The parsed request. */
struct request {
	enum mhp_online_type type; /* MMOP_OFFLINE for -d */
	bool zoned;		   /* -z: the zone matters */
	bool by_blocks;		   /* -b: numbers are block ids */
	bool by_size;		   /* any blocks, until @nr of them have changed */
	unsigned int wait_s;	   /* -w: wait this long for each block's pages */
	unsigned long first, last; /* block ids, inclusive */
	unsigned long nr;
};

static int bad(struct sink *out, const char *what, const char *text)
{
	sink_printf(out, "chmem: %s: %s\n", text, what);
	return -EINVAL;
}

static int parse_range(const char *text, struct request *r, struct sink *out)
{
	char copy[64];
	char *dash;
	u64 a, b;

	if (strscpy(copy, text, sizeof(copy)) < 0)
		return bad(out, "too long", text);
	dash = strchr(copy, '-');
	if (dash)
		*dash = '\0';
	if (kstrtosize(copy, &a) || (dash && kstrtosize(dash + 1, &b)))
		return bad(out, "expected SIZE, FIRST-LAST or BLOCK", text);
	if (!dash && !r->by_blocks) {
		r->by_size = true;
		r->nr = a >> SECTION_SHIFT;
		if (a == 0)
			return bad(out, "no block to change", text);
		return a % (1UL << SECTION_SHIFT)
			       ? bad(out, "not a multiple of the block size, 128M", text)
			       : 0;
	}
	if (!dash)
		b = a;
	if (!r->by_blocks) {
		if (a % (1UL << SECTION_SHIFT) || (b + 1) % (1UL << SECTION_SHIFT))
			return bad(out, "does not start and end at block borders", text);
		a >>= SECTION_SHIFT;
		b >>= SECTION_SHIFT;
	}
	r->first = a;
	r->last = b;
	return a > b ? bad(out, "ends before it starts", text) : 0;
}

/* Compare zone names ignoring case, as util-linux does. */
static bool same_zone(const char *a, const char *b)
{
	while (*a && tolower(*a) == tolower(*b))
		a++, b++;
	return tolower(*a) == tolower(*b);
}

static int parse_zone(const char *zone, struct request *r, struct sink *out)
{
	if (r->type == MMOP_OFFLINE)
		return bad(out, "-z is only valid with -e", zone);
	if (same_zone(zone, "Movable"))
		r->type = MMOP_ONLINE_MOVABLE;
	else if (same_zone(zone, "Normal"))
		r->type = MMOP_ONLINE_KERNEL;
	else
		return bad(out, "expected zone Movable or Normal", zone);
	r->zoned = true;
	return 0;
}

/* Parse -e or -d. Return: its type; NR_ONLINE_TYPES for any other option. */
static enum mhp_online_type parse_type(const char *option)
{
	if (!strcmp(option, "-e") || !strcmp(option, "--enable"))
		return MMOP_ONLINE;
	if (!strcmp(option, "-d") || !strcmp(option, "--disable"))
		return MMOP_OFFLINE;
	return NR_ONLINE_TYPES;
}

static int parse(int argc, char **argv, struct request *r, struct sink *out)
{
	const char *zone = NULL, *range = NULL;

	r->type = NR_ONLINE_TYPES;
	for (int i = 1; i < argc; i++) {
		const enum mhp_online_type type = parse_type(argv[i]);

		if (type != NR_ONLINE_TYPES && r->type == NR_ONLINE_TYPES)
			r->type = type;
		else if (!strcmp(argv[i], "-b") || !strcmp(argv[i], "--blocks"))
			r->by_blocks = true;
		else if (!strcmp(argv[i], "-z") && i + 1 < argc)
			zone = argv[++i];
		else if (!strcmp(argv[i], "-w") && i + 1 < argc &&
			 !kstrtouint(argv[i + 1], 10, &r->wait_s))
			i++;
		else if (argv[i][0] != '-' && !range)
			range = argv[i];
		else
			return COMMAND_USAGE;
	}
	if (r->type == NR_ONLINE_TYPES || !range)
		return COMMAND_USAGE;
	if (zone && parse_zone(zone, r, out))
		return -EINVAL;
	return parse_range(range, r, out);
}

/* Check whether there is anything to do for this block. */
static bool wanted(const struct request *r, unsigned long block)
{
	enum memory_block_state state = memory_block_state(&kernel_mm, block);

	return state == (r->type == MMOP_OFFLINE ? MEM_BLOCK_ONLINE : MEM_BLOCK_OFFLINE);
}

/* At most this many blocks go offline together, from the top down: 8 GiB. */
#define MOST_TOGETHER 64

/* Find the next block below @block that can go offline. */
static bool next_below(const struct request *r, unsigned long *block)
{
	while (*block > 0) {
		--*block;
		if (wanted(r, *block) && memory_block_removable(*block))
			return true;
	}
	return false;
}

/* Remove an id from a list. Return: false if it is not in the list. */
static bool take_out(unsigned long *ids, unsigned int *nr, unsigned long id)
{
	unsigned int i = 0;

	while (i < *nr && ids[i] != id)
		i++;
	if (i == *nr)
		return false;
	ids[i] = ids[--*nr];
	return true;
}

/*
 * Take a group of blocks offline together. If a block cannot leave, take the next lower block
 * in its place; no page moves before all blocks of the group can leave.
 */
static int offline_group(const struct request *r, unsigned int wanted_nr, unsigned long *below,
			 struct sink *out)
{
	unsigned long ids[MOST_TOGETHER], bad;
	unsigned int nr = 0;
	int err;

	for (;;) {
		while (nr < wanted_nr && next_below(r, below))
			ids[nr++] = *below;
		if (nr < wanted_nr)
			return -EBUSY;
		err = memory_blocks_offline(ids, nr, r->wait_s, &bad, out);
		if (!err || err == -EINTR || !take_out(ids, &nr, bad))
			return err;
	}
}

static int offline_by_size(const struct request *r, struct sink *out)
{
	unsigned long done = 0, below = 0;
	int err = 0;

	for_each_memory_block(&kernel_mm, b, 0)
		below = b + 1;
	while (done < r->nr && !err) {
		const unsigned int nr = min(r->nr - done, (unsigned long)MOST_TOGETHER);

		err = offline_group(r, nr, &below, out);
		done += err ? 0 : nr;
	}
	if (err)
		sink_printf(out, "chmem: %lu of %lu block%s changed%s\n", done, r->nr,
			    str_plural(r->nr), below ? "" : ": no other block can go offline");
	return err;
}

/* Set as many blocks online as the size needs, from the bottom. */
static int online_by_size(const struct request *r, struct sink *out)
{
	unsigned long done = 0, b = next_memory_block(&kernel_mm, 0);

	for (; done < r->nr && b != PFN_NONE && !command_interrupted(NULL);
	     b = next_memory_block(&kernel_mm, b + 1))
		if (wanted(r, b) && memory_block_change(b, r->type, 0, out) == 0)
			done++;
	if (done == r->nr)
		return 0;
	sink_printf(out, "chmem: %lu of %lu block%s changed: no other block is offline\n", done,
		    r->nr, str_plural(r->nr));
	return -EBUSY;
}

/* Fail if a block is already online in another zone than -z asks for. */
static int check_zone(const struct request *r, unsigned long block, struct sink *out)
{
	const enum zone_type wanted_zone =
		r->type == MMOP_ONLINE_MOVABLE ? ZONE_MOVABLE : ZONE_NORMAL;
	enum zone_type zones[NR_ZONES];

	if (!r->zoned || memory_block_state(&kernel_mm, block) != MEM_BLOCK_ONLINE ||
	    memory_block_valid_zones(&kernel_mm, block, zones) == 0 || zones[0] == wanted_zone)
		return 0;
	sink_printf(out, "chmem: memory%lu is online in zone %s; take it offline first: "
			 "chmem -d -b %lu\n", block, zone_name(zones[0]), block);
	return -EBUSY;
}

/* Report that no block of the range changes; fail only if there is no block. */
static int say_nothing_done(const struct request *r, struct sink *out)
{
	const bool offline = r->type == MMOP_OFFLINE;

	if (next_memory_block(&kernel_mm, r->first) > r->last)
		return no_such_block("chmem", r->first, r->last, out);
	if (r->first == r->last)
		sink_printf(out, "chmem: nothing to do: memory%lu is %s\n", r->first,
			    memory_block_state_name(memory_block_state(&kernel_mm, r->first)));
	else
		sink_printf(out, "chmem: nothing to do: no block in %lu-%lu is %s\n", r->first,
			    r->last, offline ? "online" : "offline");
	return 0;
}

static int change_range(const struct request *r, struct sink *out)
{
	bool any = false;
	int err, status = 0;

	for (unsigned long b = next_memory_block(&kernel_mm, r->first);
	     b != PFN_NONE && b <= r->last && status != -EINTR;
	     b = next_memory_block(&kernel_mm, b + 1)) {
		const bool now = wanted(r, b);

		err = now ? memory_block_change(b, r->type, r->wait_s, out) : check_zone(r, b, out);
		any |= now || err;
		status = status ? status : err;
	}
	return any ? status : say_nothing_done(r, out);
}

static int cmd_chmem(int argc, char **argv, struct sink *out)
{
	struct request r = { 0 };
	int err = parse(argc, argv, &r, out);

	if (err)
		return err;
	if (!r.by_size)
		return change_range(&r, out);
	return r.type == MMOP_OFFLINE ? offline_by_size(&r, out) : online_by_size(&r, out);
}
COMMAND(chmem, "chmem -e|-d [-z Movable|Normal] [-w SECONDS] SIZE | FIRST-LAST | -b BLOCK[-BLOCK]",
	"bring memory blocks online (-e) or offline (-d), and wait (-w) for pages in the way",
	"chmem -d -b 18; chmem -e -z Movable -b 18", cmd_chmem);
