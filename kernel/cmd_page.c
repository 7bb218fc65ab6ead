/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands about single frames: look, allocate, free, pin. What "alloc" gave
 * out is known by its owner word, so "free" cannot be used on anything else.
 */
#include "arch/thread.h"
#include "kernel/shell.h"
#include "kernel/spinlock.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"
#include "mm/contig.h"
#include "mm/memory_hotplug.h"
#include "mm/page_alloc.h"
#include "mm/slab.h"
#include "mm/vmstat.h"

/* Owner word of unmovable pages that "alloc" gave out: "console" in ASCII. */
#define CONSOLE_OWNER 0x00656c6f736e6f63ULL

/* Slots of the movable pages that "alloc" gave out. */
#define NR_SLOTS 1024
static struct page_slot slots[NR_SLOTS];
static bool slot_taken[NR_SLOTS];
static DEFINE_SPINLOCK(slots_lock); /* protects: slot_taken */

static int bad_number(const char *command, const char *text, struct sink *out)
{
	sink_printf(out, "%s: \"%s\" is not a frame number (0x90a40 or decimal)\n", command, text);
	return -EINVAL;
}

static int no_such_frame(const char *command, unsigned long pfn, struct sink *out)
{
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
	unsigned int i;

	if (st->flags == 0)
		sink_puts(out, "none");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(st->flags & BIT(i)))
			continue;
		sink_printf(out, "%s%s", sep, names[i]);
		sep = ",";
	}
}

static void print_state(unsigned long pfn, const struct page_state *st, struct sink *out)
{
	struct memory_owner *owner;
	const char *slab;

	sink_printf(out, "pfn 0x%lx: %s, order %u, head 0x%lx, zone %s, flags ", pfn,
		    page_type_name(st->type), st->order, st->head, zone_name(st->zone));
	print_flags(st, out);
	sink_printf(out, "\n    memory%lu, pageblock %u: %s%s, %s\n", pfn / PAGES_PER_SECTION,
		    pageblock_index(pfn), migratetype_name(st->migratetype),
		    st->isolated ? ", isolated" : "",
		    st->uniform ? "one descriptor for all its frames" : "a descriptor a frame");
	if (page_type_count_rule(st->type) == PAGE_COUNT_COUNTED)
		sink_printf(out, "    count %u\n", st->count);
	slab = slab_name_of(&kernel_mm, pfn);
	if (slab)
		sink_printf(out, "    slab cache %s\n", slab);
	else if (st->type != PGTY_OFFLINE && st->owner)
		sink_printf(out, "    owner 0x%lx\n", st->owner);
	owner = memory_owner_of(&kernel_mm, pfn);
	if (owner)
		sink_printf(out, "    brought by %s\n", owner->name);
}

static int cmd_dump_page(int argc, char **argv, struct sink *out)
{
	const struct page *page;
	struct page_state st;
	unsigned long pfn;
	bool found;

	if (argc != 2)
		return command_usage("dump_page", out);
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
COMMAND(dump_page, "dump_page PFN", "say all that is known of a frame", cmd_dump_page);

static struct page_slot *slot_take(void)
{
	struct page_slot *slot = NULL;
	unsigned int i;

	spin_lock(&slots_lock);
	for (i = 0; i < NR_SLOTS && !slot; i++) {
		if (slot_taken[i])
			continue;
		slot_taken[i] = true;
		slot = &slots[i];
	}
	spin_unlock(&slots_lock);
	return slot;
}

static void slot_give_back(struct page_slot *slot)
{
	spin_lock(&slots_lock);
	slot_taken[slot - slots] = false;
	spin_unlock(&slots_lock);
}

/* What "alloc" was asked for. */
struct alloc_request {
	unsigned int order;
	u32 gfp;
	unsigned long at; /* PFN_NONE: anywhere */
};

static int parse_alloc(int argc, char **argv, struct alloc_request *r, struct sink *out)
{
	bool at = false;
	int i;

	*r = (struct alloc_request){ .gfp = GFP_KERNEL, .at = PFN_NONE };
	if (argc < 2)
		return command_usage("alloc", out);
	if (kstrtouint(argv[1], 10, &r->order) || r->order > MAX_PAGE_ORDER) {
		sink_printf(out, "alloc: \"%s\" is not an order, 0 to %d\n", argv[1],
			    MAX_PAGE_ORDER);
		return -EINVAL;
	}
	for (i = 2; i < argc; i++) {
		if (strcmp(argv[i], "unmovable") == 0)
			r->gfp = GFP_KERNEL;
		else if (strcmp(argv[i], "movable") == 0)
			r->gfp = GFP_MOVABLE;
		else if (strcmp(argv[i], "reclaimable") == 0)
			r->gfp = GFP_RECLAIMABLE;
		else if (strcmp(argv[i], "at") != 0 || i + 1 == argc)
			return command_usage("alloc", out);
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

static int alloc_movable(const struct alloc_request *r, unsigned long *pfn)
{
	struct page_slot *slot = slot_take();
	int err;

	if (!slot)
		return -ENOSPC;
	if (r->at == PFN_NONE) {
		err = slot_alloc(&kernel_mm, slot, r->order);
	} else {
		err = alloc_pages_at(&kernel_mm, r->at, r->order, PGTY_DRIVER);
		if (err == 0) {
			slot->pfn = r->at;
			page_set_owner(&kernel_mm, r->at, (u64)(uintptr_t)slot);
		}
	}
	if (err)
		slot_give_back(slot);
	else
		*pfn = slot_pfn(slot);
	return err;
}

static int alloc_fixed(const struct alloc_request *r, unsigned long *pfn)
{
	int err = 0;

	if (r->at != PFN_NONE) {
		*pfn = r->at;
		err = alloc_pages_at(&kernel_mm, r->at, r->order, PGTY_KERNEL);
	} else {
		*pfn = alloc_pages(&kernel_mm, r->gfp | GFP_NOWARN, r->order, PGTY_KERNEL);
		if (*pfn == PFN_NONE)
			err = -ENOMEM;
	}
	if (err == 0)
		page_set_owner(&kernel_mm, *pfn, CONSOLE_OWNER);
	return err;
}

static int cmd_alloc(int argc, char **argv, struct sink *out)
{
	struct alloc_request r;
	unsigned long pfn = PFN_NONE;
	int err = parse_alloc(argc, argv, &r, out);

	if (err)
		return err;
	err = r.gfp & GFP_MOVABLE ? alloc_movable(&r, &pfn) : alloc_fixed(&r, &pfn);
	if (err == 0)
		sink_printf(out, "pfn 0x%lx order %u\n", pfn, r.order);
	else if (err == -ENOSPC)
		sink_printf(out, "alloc: %d movable pages are out already; free some\n", NR_SLOTS);
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
	"allocate 2^ORDER frames and print the first", cmd_alloc);

static struct page_slot *slot_of_owner(u64 owner)
{
	struct page_slot *slot = (struct page_slot *)(uintptr_t)owner;

	return slot >= slots && slot < slots + NR_SLOTS ? slot : NULL;
}

/* The frame's state if "alloc" gave it out, with the slot of a movable page. */
static int find_ours(const char *command, const char *text, struct page_state *st,
		     struct page_slot **slot, struct sink *out)
{
	unsigned long pfn;
	bool found;

	if (kstrtou64(text, 0, &pfn))
		return bad_number(command, text, out);
	pfn_walk_begin();
	found = page_state_get(&kernel_mm, pfn, st);
	pfn_walk_end();
	if (!found)
		return no_such_frame(command, pfn, out);
	*slot = st->type == PGTY_DRIVER ? slot_of_owner(st->owner) : NULL;
	if (st->head == pfn && (*slot || (st->type == PGTY_KERNEL && st->owner == CONSOLE_OWNER)))
		return 0;
	sink_printf(out, "%s: pfn 0x%lx (%s) was not given out by \"alloc\"\n", command, pfn,
		    page_type_name(st->type));
	return -EPERM;
}

static int free_ours(const struct page_state *st, struct page_slot *slot, struct sink *out)
{
	int err;

	if (!slot) {
		page_set_owner(&kernel_mm, st->head, 0);
		free_pages(&kernel_mm, st->head, st->order);
		return 0;
	}
	err = slot_free(&kernel_mm, slot);
	if (err)
		sink_printf(out, "free: pfn 0x%lx is pinned or being moved\n", st->head);
	else
		slot_give_back(slot);
	return err;
}

static int cmd_free(int argc, char **argv, struct sink *out)
{
	struct page_state st;
	struct page_slot *slot;
	unsigned int order;
	int err;

	if (argc < 2 || argc > 3)
		return command_usage("free", out);
	err = find_ours("free", argv[1], &st, &slot, out);
	if (err)
		return err;
	if (argc == 3 && (kstrtouint(argv[2], 10, &order) || order != st.order)) {
		sink_printf(out, "free: pfn 0x%lx was allocated with order %u\n", st.head,
			    st.order);
		return -EINVAL;
	}
	return free_ours(&st, slot, out);
}
COMMAND(free, "free PFN [ORDER]", "give back what \"alloc\" gave out", cmd_free);

static int pin_or_unpin(int argc, char **argv, struct sink *out,
			int (*fn)(struct mm *, unsigned long))
{
	unsigned long pfn;
	int err;

	if (argc != 2)
		return command_usage(argv[0], out);
	if (kstrtou64(argv[1], 0, &pfn))
		return bad_number(argv[0], argv[1], out);
	err = fn(&kernel_mm, pfn);
	if (err)
		sink_printf(out, "%s: pfn 0x%lx is not an allocated page%s\n", argv[0], pfn,
			    argv[0][0] == 'u' ? " that is pinned" : "");
	return err;
}

static int cmd_pin(int argc, char **argv, struct sink *out)
{
	return pin_or_unpin(argc, argv, out, page_pin);
}
COMMAND(pin, "pin PFN", "keep a page where it is: nothing may move it", cmd_pin);

static int cmd_unpin(int argc, char **argv, struct sink *out)
{
	return pin_or_unpin(argc, argv, out, page_unpin);
}
COMMAND(unpin, "unpin PFN", "let a pinned page move again", cmd_unpin);

/* The longest stretches without interrupts so far, if this build measures them. */
static void show_irqs_off(struct sink *out)
{
	struct hart *hart;

	for_each_hart(hart)
		if (hart->irqs_off_longest)
			sink_printf(out, "hart %u: interrupts were off for %lu ns at most, by %s\n",
				    hart->id, hart->irqs_off_longest,
				    symbol_lookup((unsigned long)hart->irqs_off_longest_by, NULL));
}

static int mm_check_command(struct sink *out)
{
	unsigned int wrong = mm_check(&kernel_mm, out);

	if (wrong == 0)
		sink_puts(out, "mm check: every counter and index agrees with the frames\n");
	else
		sink_printf(out, "mm check: %u differences\n", wrong);
	show_irqs_off(out);
	return wrong ? -EIO : 0;
}

static int cmd_mm(int argc, char **argv, struct sink *out)
{
	unsigned long nr[NR_PAGE_TYPES];
	unsigned int i;

	if (argc == 2 && strcmp(argv[1], "check") == 0)
		return mm_check_command(out);
	if (argc != 2 || strcmp(argv[1], "census") != 0)
		return command_usage("mm", out);
	mm_census(&kernel_mm, nr);
	for (i = 0; i < NR_PAGE_TYPES; i++)
		if (nr[i])
			sink_printf(out, "%-10s %10lu frames\n", page_type_name((enum page_type)i),
				    nr[i]);
	return 0;
}
COMMAND(mm, "mm check | mm census",
	"recompute all counters from the frames and compare, or count frames by type", cmd_mm);
