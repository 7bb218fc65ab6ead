/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm_check(): recompute every maintained value from the frames and compare: pageblock
 * words from descriptors and free bits, the search index from the words, the zone's
 * counters from all of them. Also check the data of memory hotplug: spans, roots, states
 * of blocks, unplugged parts, owners' counts, and the reserve. Runs after every step of a
 * test and on "mm check". It holds a zone's lock for the whole zone, so the sums are exact
 * while other harts keep allocating from their caches.
 */
#include "arch/machine.h"
#include "kernel/sink.h"
#include "kernel/trace/hold.h"
#include "lib/bitmap.h"
#include "lib/bitops.h"
#include "mm/hotplug.h"
#include "mm/pageblock.h"

#define FINDINGS_BYTES 3072 /* about thirty findings */

/**
 * struct check - a check in progress
 * @mm: memory
 * @out: where differences are described; NULL: only count them
 * @found: differences so far
 * @kind: the kind of object under check: "pfn", "pageblock", "section", "root", "zone" ...
 * @at: its number
 */
struct check {
	struct mm *mm;
	struct sink *out;
	unsigned int found;
	const char *kind;
	unsigned long at;
};

/* The sums over one zone's sections and their frames. */
struct zone_sums {
	unsigned long free, free_isolated, nr_isolated, nr_watched, present, managed;
	unsigned long start, end, present_in_sections;
	u32 avail_orders[2][NR_MIGRATE_STORED];
};

/* Count and describe a difference: check_begin() set the subject, @fmt is the predicate. */
static __cold __printf(2, 3) void differs(struct check *c, const char *fmt, ...)
{
	const bool frames = c->kind[0] == 'p'; /* "pfn", "pageblock" */
	va_list args;

	if (c->found++ >= 32 || !c->out)
		return;
	sink_printf(c->out, "mm_check: %s 0x%lx%s%s, ", c->kind, c->at, frames ? " is " : "",
		    frames ? page_type_name(page_type(c->mm, c->at)) : "");
	va_start(args, fmt);
	sink_vprintf(c->out, fmt, args);
	va_end(args);
	sink_puts(c->out, "\n");
}

/* Make @kind number @at the subject of the next differences. */
static inline void check_begin(struct check *c, const char *kind, unsigned long at)
{
	c->kind = kind;
	c->at = at;
}

/* Compare a value that mm maintains with the value that it must have. */
static inline void expect(struct check *c, const char *what, unsigned long is,
			  unsigned long expected)
{
	if (unlikely(is != expected))
		differs(c, "its %s is 0x%lx instead of 0x%lx", what, is, expected);
}

/* --- zones: frames, pageblocks and the index --------------------------------------- */

/* Count @nr frames of @type in their zone's sums. */
static void sum_type(struct zone_sums *sums, unsigned int type, unsigned long nr)
{
	if (type == PGTY_HOLE || type == PGTY_DEVICE)
		return;
	sums->present += nr;
	if (type != PGTY_OFFLINE && type != PGTY_FIRMWARE && type != PGTY_IMAGE &&
	    type != PGTY_BOOT && type != PGTY_MEMMAP)
		sums->managed += nr;
}

/*
 * Check one frame of a valid pageblock: type, count, flags, zone; for a tail, also its head.
 * Return: its type; a tail has the type of its head.
 */
static unsigned int check_frame(struct check *c, const struct mem_section *ms,
				unsigned long pfn, bool free)
{
	const struct page *page = pfn_to_page(pfn);
	/*
	 * A single load: a hart's cache changes type and count by a single store,
	 * without the lock.
	 */
	const u64 desc = READ_ONCE(*(const u64 *)page);
	const u32 w = (u32)desc;
	const unsigned int type = PAGE_WORD_TYPE(w), order = PAGE_WORD_ORDER(w);
	u32 head;

	walk_announce(pfn, WALK_CHECK);
	check_begin(c, "pfn", pfn);
	if (type == PGTY_NONE || type >= NR_PAGE_TYPES)
		differs(c, "no frame has the type in its word 0x%08x", w);
	expect(c, "free bit", free, type == PGTY_BUDDY);
	if (!type_is_counted(type))
		expect(c, "count", desc >> 32, type == PGTY_OFFLINE ? OFFLINE_COUNT : 0);
	if (type == PGTY_OFFLINE)
		expect(c, "owner", page->owner, OFFLINE_OWNER);
	if (!page_flags_fit(type, PAGE_WORD_FLAGS(w)))
		differs(c, "it is skippable");
	expect(c, "zone", PAGE_WORD_ZONE(w), ms->zone->type);
	if (!(PAGE_WORD_FLAGS(w) & PG_TAIL))
		return type;
	head = READ_ONCE(pfn_to_page(pfn & ~((1UL << order) - 1))->word);
	if (free || PAGE_WORD_FLAGS(head) & PG_TAIL || PAGE_WORD_ORDER(head) != order)
		differs(c, "it is a tail of order %u without a head", order);
	return PAGE_WORD_TYPE(head);
}

static void check_valid(struct check *c, const struct mem_section *ms, unsigned int b,
			struct zone_sums *sums)
{
	const unsigned long first = pb_pfn(ms, b);
	const u64 *bits = pb_bits(ms, b);
	unsigned int free = 0;

	for (unsigned int i = 0; i < PAGEBLOCK_NR_PAGES; i++) {
		const bool is_free = bits[i / 64] >> i % 64 & 1;

		free += is_free;
		sum_type(sums, check_frame(c, ms, first + i, is_free), 1);
	}
	check_begin(c, "pageblock", first);
	if (free == PAGEBLOCK_NR_PAGES)
		differs(c, "it is valid, and all of its frames are free");
	else
		expect(c, "free count", pb_free(pb_read(&ms->pb[b])), free);
}

static void check_uniform(struct check *c, const struct mem_section *ms, unsigned int b,
			  struct zone_sums *sums)
{
	const u64 w = pb_read(&ms->pb[b]), head = pb_read(&ms->pb[b & ~1U]);
	const unsigned int type = PAGE_WORD_TYPE(pb_const(w));
	const bool tail = PAGE_WORD_FLAGS(pb_const(w)) & PG_TAIL;

	check_begin(c, "pageblock", pb_pfn(ms, b));
	if (type == PGTY_OFFLINE)
		expect(c, "owner", pageblock_owner(&ms->pb[b]), OFFLINE_OWNER);
	if (type == PGTY_NONE || type >= NR_PAGE_TYPES || type_is_counted(type))
		differs(c, "no pageblock can have its constant 0x%08x", pb_const(w));
	expect(c, "free count", pb_free(w), type == PGTY_BUDDY ? PAGEBLOCK_NR_PAGES : 0);
	expect(c, "zone", PAGE_WORD_ZONE(pb_const(w)), ms->zone->type);
	if (tail && (!(b & 1) || (head & PB_VALID) ||
		     PAGE_WORD_ORDER(pb_const(head)) != MAX_PAGE_ORDER))
		differs(c, "it is a tail without a head");
	sum_type(sums, tail ? PAGE_WORD_TYPE(pb_const(head)) : type, PAGEBLOCK_NR_PAGES);
}

/* The order under which the index must list a pageblock. */
static unsigned int expected_index(const struct mem_section *ms, unsigned int b)
{
	const u64 mine = PB_FREE_MASK | PB_MT_MASK | PB_ISOLATE;
	const u64 w = pb_read(&ms->pb[b]);

	if (!pb_free(w) || (w & PB_ISOLATE))
		return PB_INDEX_NONE;
	if (!pb_all_free(w))
		return bits_max_order(pb_bits(ms, b));
	if ((w ^ pb_read(&ms->pb[b ^ 1])) & mine)
		return PAGEBLOCK_ORDER;
	return b & 1 ? PB_INDEX_NONE : MAX_PAGE_ORDER;
}

static void check_index(struct check *c, const struct mem_section *ms, unsigned int b)
{
	const u64 w = pb_read(&ms->pb[b]);
	const unsigned int order = expected_index(ms, b);

	expect(c, "order in the index", pb_index(w), order);
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
		if ((ms->avail[k] >> b & 1) != (k == order))
			differs(c, "its bit in avail[%u] is %d", k, k != order);
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
		if ((ms->mt[mt] >> b & 1) != (mt == pb_mt(w)))
			differs(c, "its bit in mt[%u] is %d, its word says %u", mt,
				mt != pb_mt(w), pb_mt(w));
}

/* Check the root's bits for a section's free chunks. */
static void check_root_bits(struct check *c, const struct mem_section *ms, struct zone_sums *sums)
{
	const bool movable = ms->zone->type == ZONE_MOVABLE, boot = ms->flags & SECTION_EARLY;
	const struct section_root *root = c->mm->root[ms->start_pfn >> ROOT_PFN_SHIFT];
	const unsigned int s = section_nr(ms) % SECTIONS_PER_ROOT;

	check_begin(c, "section", section_nr(ms));
	expect(c, "bit boot", test_bit(s, root->boot), boot);
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++) {
		if (movable && mt != MIGRATE_MOVABLE)
			continue;
		for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++) {
			const bool has = ms->avail[k] & ms->mt[mt];
			const u64 *bits = root->avail[movable ? FREE_MOVABLE_MOVABLE : mt][k];

			sums->avail_orders[!boot][mt] |= (u32)has << k;
			if (test_bit(s, bits) != has)
				differs(c, "its root's bit for %s, order %u is %d",
					migratetype_name(mt), k, !has);
		}
	}
}

static void sum_section(struct check *c, const struct mem_section *ms, struct zone_sums *sums)
{
	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++) {
		const u64 w = pb_read(&ms->pb[b]);

		if (w & PB_VALID)
			check_valid(c, ms, b, sums);
		else
			check_uniform(c, ms, b, sums);
		check_index(c, ms, b);
		sums->nr_isolated += !!(w & PB_ISOLATE);
		sums->nr_watched += !!(w & PB_WATCH);
		*(w & PB_ISOLATE ? &sums->free_isolated : &sums->free) += pb_free(w);
	}
	check_root_bits(c, ms, sums);
	sums->start = sums->end ? sums->start : ms->start_pfn;
	sums->end = section_end_pfn(ms);
	sums->present_in_sections += ms->flags & SECTION_ONLINE ? ms->present : 0;
}

static void check_zone(struct check *c, struct zone *zone)
{
	struct zone_sums sums = {};
	struct mem_section *ms;

	spin_lock(&zone->lock);
	for_each_section(ms, c->mm)
		if (ms->zone == zone)
			sum_section(c, ms, &sums);
	check_begin(c, "zone", zone->type);
	expect(c, "free", zone->free, sums.free);
	expect(c, "free_isolated", zone->free_isolated, sums.free_isolated);
	expect(c, "nr_isolated", zone->nr_isolated, sums.nr_isolated);
	expect(c, "nr_watched", zone->nr_watched, sums.nr_watched);
	expect(c, "present, by its frames,", zone->present, sums.present);
	expect(c, "present, by its sections,", zone->present, sums.present_in_sections);
	expect(c, "managed", zone->managed, sums.managed);
	expect(c, "start_pfn", zone->start_pfn, sums.start);
	expect(c, "spanned", zone->spanned, sums.end - sums.start);
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
		for (unsigned int m = 0; m < 2; m++)
			expect(c, "avail_orders", zone->avail_orders[m][mt],
			       sums.avail_orders[m][mt]);
	spin_unlock(&zone->lock);
}

/* --- sections and what belongs to them -------------------------------------------- */

static void check_root(struct check *c, unsigned long r)
{
	const struct section_root *root = c->mm->root[r];
	unsigned long nr = 0;

	for (unsigned int i = 0; i < SECTIONS_PER_ROOT; i++) {
		const struct mem_section *ms = root->section[i];

		check_begin(c, "section", r * SECTIONS_PER_ROOT + i);
		nr += ms != NULL;
		for (unsigned int z = 0; z < NR_ZONES; z++)
			expect(c, "bit in_zone", test_bit(i, root->in_zone[z]),
			       ms && ms->zone == &c->mm->zone[z]);
		if (ms)
			expect(c, "number", section_nr(ms), c->at);
	}
	check_begin(c, "root", r);
	expect(c, "number of sections", root->nr_sections, nr);
	expect(c, "use of the shared root", root == &empty_section_root, !nr);
}

/* Check the shared root, which stands for all empty ones, only once. */
static void check_roots(struct check *c)
{
	bool shared = false;

	for (unsigned long r = 0; r < NR_SECTION_ROOTS; r++) {
		const bool empty = c->mm->root[r] == &empty_section_root;

		if (!empty || !shared)
			check_root(c, r);
		shared |= empty;
	}
}

/*
 * Check that the direct map covers exactly the mapped pageblocks (in boot memory, it may
 * have holes), and that every unmapped pageblock is wholly PageOffline, or a hole.
 */
static void check_mapping(struct check *c, const struct mem_section *ms)
{
	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++) {
		const bool unmapped = ms->unmapped & BIT(b), hole = ms->hole & BIT(b);
		const u64 w = pb_read(&ms->pb[b]);

		check_begin(c, "pageblock", pb_pfn(ms, b));
		if (hole && !unmapped)
			differs(c, "it is a hole, and mapped");
		if (unmapped || !(ms->flags & SECTION_EARLY))
			expect(c, "direct map", arch_direct_mapped(pfn_to_phys(c->at)), !unmapped);
		if (!unmapped || !(ms->flags & SECTION_ONLINE))
			continue;
		expect(c, "valid bit, unmapped,", w & PB_VALID, 0);
		expect(c, "type, unmapped,", PAGE_WORD_TYPE(pb_const(w)),
		       hole ? PGTY_HOLE : PGTY_OFFLINE);
	}
}

static void check_header(struct check *c, const struct mem_section *ms)
{
	if (ms->unmapped & BIT(pageblock_index(ms->host_pfn)))
		differs(c, "its metadata is unmapped");
	for (unsigned long i = 0; ms->flags & SECTION_ONLINE && i < MHP_HEADER_PAGES; i++) {
		check_begin(c, "pfn", ms->host_pfn + i);
		if (page_type(c->mm, c->at) != PGTY_MEMMAP)
			differs(c, "it is in a block's header");
	}
}

static void check_section(struct check *c, const struct mem_section *ms)
{
	const bool online = ms->state == MEM_BLOCK_ONLINE || ms->state == MEM_BLOCK_GOING_OFFLINE;

	check_mapping(c, ms);
	check_begin(c, "section", section_nr(ms));
	expect(c, "online flag", !!(ms->flags & SECTION_ONLINE), online);
	expect(c, "zone's presence", ms->zone != NULL,
	       online || ms->state == MEM_BLOCK_GOING_ONLINE);
	if (!(ms->flags & SECTION_EARLY))
		expect(c, "present", ms->present, hweight64(~ms->hole) * PAGEBLOCK_NR_PAGES);
	if (ms->flags & SECTION_SELF_HOSTED)
		check_header(c, ms);
}

static void check_owner(struct check *c, const struct memory_owner *owner)
{
	const struct mem_section *ms;
	unsigned long plugged = 0;

	for_each_section(ms, c->mm)
		plugged += hweight64(section_range_mask(ms->start_pfn, &owner->region) &
				     ~ms->unmapped);
	check_begin(c, "owner of pfn", owner->region.start_pfn);
	expect(c, "plugged", owner->plugged, plugged * PAGEBLOCK_NR_PAGES);
}

static void check_reserve(struct check *c)
{
	unsigned int guests = 0;

	spin_lock(&c->mm->reserve_lock);
	for (unsigned int i = 0; i < c->mm->nr_reserve; i++) {
		const unsigned long pfn = c->mm->reserve[i];

		guests += !(pfn_to_section(c->mm, pfn)->boot & BIT(pageblock_index(pfn)));
		check_begin(c, "pfn", pfn);
		expect(c, "type, in the reserve,", page_type(c->mm, pfn), PGTY_KERNEL);
		expect(c, "owner word, in the reserve,", page_owner(c->mm, pfn), OWNER_RESERVE);
	}
	check_begin(c, "memory", 0);
	expect(c, "nr_guests", c->mm->nr_guests, guests);
	spin_unlock(&c->mm->reserve_lock);
}

static void check_hotplug(struct check *c)
{
	const struct memory_owner *owner;
	const struct mem_section *ms;
	unsigned long max_pfn = 0;

	check_roots(c);
	for_each_section(ms, c->mm) {
		check_section(c, ms);
		max_pfn = section_end_pfn(ms);
	}
	list_for_each_entry(owner, &c->mm->owners, list)
		check_owner(c, owner);
	check_begin(c, "memory", 0);
	expect(c, "max_pfn", c->mm->max_pfn, max_pfn);
	check_reserve(c);
}

/* Print the findings only after releasing the locks: the sink may be slow. */
unsigned int mm_check(struct mm *mm, struct sink *out)
{
	char text[FINDINGS_BYTES];
	struct sink_buffer findings;
	struct check c = { .mm = mm, .out = out ? &findings.sink : NULL };

	sink_buffer_init(&findings, text, sizeof(text));
	mutex_lock(&mm->hotplug_lock);
	for (unsigned int i = 0; i < NR_ZONES; i++)
		check_zone(&c, &mm->zone[i]);
	check_hotplug(&c);
	mutex_unlock(&mm->hotplug_lock);
	if (out)
		sink_drain(&findings, out);
	return c.found;
}
