/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands for single frames: look, allocate, free, pin. person_page.c decides which
 * frames belong to the person at the console, and what that person may do to them.
 */
#include "arch/machine_info.h"
#include "arch/thread.h"
#include "kernel/console/person_page.h"
#include "kernel/console/shell.h"
#include "kernel/owner_name.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"
#include "mm/memory_hotplug.h"
#include "mm/page_alloc.h"
#include "mm/slab.h"
#include "mm/vmstat.h"

static int bad_number(const char *command, const char *text, struct sink *out)
{
	sink_printf(out, "%s: \"%s\" is not a frame number (0x90a40 or decimal)\n", command, text);
	return -EINVAL;
}

static int bad_order(const char *command, const char *text, struct sink *out)
{
	sink_printf(out, "%s: \"%s\" is not an order, 0 to %d\n", command, text, MAX_PAGE_ORDER);
	return -EINVAL;
}

static int no_such_frame(const char *command, unsigned long pfn, struct sink *out)
{
	const unsigned long block = pfn >> SECTION_SHIFT;

	/* A user who types an address means the frame at that address. */
	if (next_memory_block(&kernel_mm, block) == block)
		sink_printf(out,
			    "%s: expected a frame number, not an address; did you mean 0x%lx?\n",
			    command, phys_to_pfn(pfn));
	else
		sink_printf(out, "%s: pfn 0x%lx lies in no online memory block\n", command, pfn);
	return -ENXIO;
}

static void print_flags(const struct page_state *st, struct sink *out)
{
	static const char *const names[] = {
#define X(name, bit, str, meaning) [bit] = str,
		PAGE_FLAGS(X)
#undef X
	};
	const char *sep = "";

	if (st->flags == 0)
		sink_puts(out, "none");
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(st->flags & BIT(i)))
			continue;
		sink_printf(out, "%s%s", sep, names[i]);
		sep = ",";
	}
}

static void print_state(unsigned long pfn, const struct page_state *st, struct sink *out)
{
	const struct memory_owner *owner;
	const char *slab;
	char name[16] = "";

	sink_printf(out, "pfn 0x%lx: %s, order %u, head 0x%lx, zone %s, flags ", pfn,
		    page_type_name(st->type), st->order, st->head, zone_name(st->zone));
	print_flags(st, out);
	sink_printf(out, "\n    memory%lu, pageblock %u: %s%s, %s\n",
		    pfn / PAGES_PER_SECTION, pageblock_index(pfn),
		    migratetype_name(st->migratetype), st->isolated ? ", isolated" : "",
		    st->uniform ? "one descriptor for all its frames" : "a descriptor per frame");
	if (page_type_count_rule(st->type) == PAGE_COUNT_COUNTED)
		sink_printf(out, "    count %u\n", st->count);
	slab = slab_name_of(&kernel_mm, pfn);
	if (slab) {
		sink_printf(out, "    slab cache %s\n", slab);
	} else if (st->type == PGTY_KERNEL ||
		   page_type_count_rule(st->type) == PAGE_COUNT_COUNTED) {
		sink_puts(out, "    owner ");
		owner_print(st->owner, out);
		sink_puts(out, "\n");
	}
	pfn_walk_begin();
	owner = memory_owner_of(&kernel_mm, pfn);
	if (owner)
		strscpy(name, owner->name, sizeof(name));
	pfn_walk_end();
	if (name[0])
		sink_printf(out, "    added by %s\n", name);
}

static int cmd_dump_page(int argc, char **argv, struct sink *out)
{
	const struct page *page;
	struct page_state st;
	unsigned long pfn;
	bool found;

	if (argc != 2)
		return COMMAND_USAGE;
	if (kstrtou64(argv[1], 0, &pfn))
		return bad_number("dump_page", argv[1], out);
	pfn_walk_begin();
	page = pfn_to_online_page(&kernel_mm, pfn);
	found = page && page_state_get(&kernel_mm, pfn, &st);
	pfn_walk_end();
	if (!found)
		return no_such_frame("dump_page", pfn, out);
	print_state(pfn, &st, out);
	sink_printf(out, "    descriptor at 0x%lx\n", (unsigned long)page);
	return 0;
}
COMMAND(dump_page, "dump_page PFN", "show all that is known about a frame",
	"dump_page 0x80a40", cmd_dump_page);

static int parse_alloc(int argc, char **argv, struct person_alloc *r, struct sink *out)
{
	bool at = false;

	*r = (struct person_alloc){ .gfp = GFP_KERNEL, .at = PFN_NONE };
	if (argc < 2)
		return COMMAND_USAGE;
	if (kstrtouint(argv[1], 10, &r->order) || r->order > MAX_PAGE_ORDER)
		return bad_order("alloc", argv[1], out);
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "unmovable") == 0)
			r->gfp = GFP_KERNEL;
		else if (strcmp(argv[i], "movable") == 0)
			r->gfp = GFP_MOVABLE;
		else if (strcmp(argv[i], "reclaimable") == 0)
			r->gfp = GFP_RECLAIMABLE;
		else if (strcmp(argv[i], "at") != 0 || i + 1 == argc)
			return COMMAND_USAGE;
		else if (kstrtou64(argv[++i], 0, &r->at))
			return bad_number("alloc", argv[i], out);
		else
			at = true;
	}
	if (at && r->at == PFN_NONE)
		return no_such_frame("alloc", r->at, out);
	if (at && !IS_ALIGNED(r->at, 1UL << r->order)) {
		sink_printf(out, "alloc: pfn 0x%lx is not aligned to order %u\n", r->at, r->order);
		return -EINVAL;
	}
	return 0;
}

static int cmd_alloc(int argc, char **argv, struct sink *out)
{
	struct person_alloc r;
	unsigned long pfn = PFN_NONE;
	int err = parse_alloc(argc, argv, &r, out);

	if (err)
		return err;
	err = person_page_alloc(&r, &pfn);
	if (err == 0)
		sink_printf(out, "pfn 0x%lx order %u\n", pfn, r.order);
	else if (err == -ENOSPC)
		sink_printf(out, "alloc: too many movable pages (%d); free some\n",
			    PERSON_MOVABLE_PAGES);
	else if (err == -EINVAL)
		return no_such_frame("alloc", r.at, out);
	else if (r.at != PFN_NONE)
		sink_printf(out, "alloc: pfn 0x%lx order %u is not free; see dump_page\n", r.at,
			    r.order);
	else
		sink_printf(out,
			    "alloc: no free chunk of order %u; see /proc/buddyinfo\n",
			    r.order);
	return err;
}
COMMAND(alloc, "alloc ORDER [unmovable | movable | reclaimable] [at PFN]",
	"allocate 2^ORDER frames and print the first",
	"alloc 0 movable at 0x90a40", cmd_alloc);

/* Say why a request about a person's page was refused. Return: the result's errno. */
static int say_refusal(const char *command, unsigned long pfn, const struct page_state *st,
		       enum person_result result, struct sink *out)
{
	static const u8 errnos[] = {
#define X(name, errno, meaning) errno,
		PERSON_RESULTS(X)
#undef X
	};

	switch (result) {
	case PERSON_DONE:
		return 0;
	case PERSON_NO_BLOCK:
		return no_such_frame(command, pfn, out);
	case PERSON_NOT_YOURS:
		sink_printf(out, "%s: pfn 0x%lx is %s, not a page that \"alloc\" gave out\n",
			    command, pfn, page_type_name(st->type));
		break;
	case PERSON_TAIL:
		sink_printf(out, "%s: pfn 0x%lx belongs to a chunk of order %u: %s 0x%lx\n",
			    command, pfn, st->order, command, st->head);
		break;
	case PERSON_OTHER_ORDER:
		sink_printf(out, "%s: pfn 0x%lx was allocated with order %u\n", command, pfn,
			    st->order);
		break;
	case PERSON_PINNED_ALREADY:
		sink_printf(out, "%s: pfn 0x%lx is pinned already; one \"unpin\" undoes it\n",
			    command, pfn);
		break;
	default:
		sink_printf(out, "%s: pfn 0x%lx is %s\n", command, pfn,
			    result == PERSON_PINNED	? "pinned; see \"unpin\""
			    : result == PERSON_NOT_PINNED ? "not pinned"
						       : "being moved; try again");
	}
	return -errnos[result];
}

static int cmd_free(int argc, char **argv, struct sink *out)
{
	unsigned int order = PERSON_ANY_ORDER;
	struct page_state st;
	unsigned long pfn;

	if (argc < 2 || argc > 3)
		return COMMAND_USAGE;
	if (kstrtou64(argv[1], 0, &pfn))
		return bad_number("free", argv[1], out);
	if (argc == 3 && (kstrtouint(argv[2], 10, &order) || order > MAX_PAGE_ORDER))
		return bad_order("free", argv[2], out);
	return say_refusal("free", pfn, &st, person_page_free(pfn, order, &st), out);
}
COMMAND(free, "free PFN [ORDER]", "free what \"alloc\" gave out", "free 0x90a40", cmd_free);

static int set_pinned(int argc, char **argv, struct sink *out, bool pinned)
{
	struct page_state st;
	unsigned long pfn;

	if (argc != 2)
		return COMMAND_USAGE;
	if (kstrtou64(argv[1], 0, &pfn))
		return bad_number(argv[0], argv[1], out);
	return say_refusal(argv[0], pfn, &st, person_page_set_pinned(pfn, pinned, &st), out);
}

static int cmd_pin(int argc, char **argv, struct sink *out)
{
	return set_pinned(argc, argv, out, true);
}
COMMAND(pin, "pin PFN", "keep a page of \"alloc\" where it is: nothing may move it",
	"pin 0x90a40", cmd_pin);

static int cmd_unpin(int argc, char **argv, struct sink *out)
{
	return set_pinned(argc, argv, out, false);
}
COMMAND(unpin, "unpin PFN", "let a pinned page move again", "unpin 0x90a40", cmd_unpin);

/* Show the longest stretches without interrupts so far, if this build measures them. */
static void show_irqs_off(struct sink *out)
{
	struct hart *hart;

	for_each_hart(hart)
		if (READ_ONCE(hart->irqs_off_longest))
			sink_printf(out, "hart %u: interrupts were off for %lu ns at most, by %s\n",
				    hart->id, ticks_to_ns(READ_ONCE(hart->irqs_off_longest)),
				    symbol_lookup((u64)READ_ONCE(hart->irqs_off_longest_by), NULL));
}

static int mm_check_command(struct sink *out)
{
	unsigned int wrong = mm_check(&kernel_mm, out);

	if (wrong == 0)
		sink_puts(out, "mm check: every counter and index agrees with the frames\n");
	else
		sink_printf(out, "mm check: %u difference%s\n", wrong, str_plural(wrong));
	show_irqs_off(out);
	return wrong ? -EIO : 0;
}

static int cmd_mm(int argc, char **argv, struct sink *out)
{
	unsigned long nr[NR_PAGE_TYPES];

	if (argc == 2 && strcmp(argv[1], "check") == 0)
		return mm_check_command(out);
	if (argc != 2 || strcmp(argv[1], "census") != 0)
		return COMMAND_USAGE;
	mm_census(&kernel_mm, nr);
	for (unsigned int i = 0; i < NR_PAGE_TYPES; i++)
		if (nr[i])
			sink_printf(out, "%-10s %10lu frames\n", page_type_name((enum page_type)i),
				    nr[i]);
	return 0;
}
COMMAND(mm, "mm check | mm census",
	"recompute all counters from the frames and compare, or count frames by type",
	"mm check", cmd_mm);
