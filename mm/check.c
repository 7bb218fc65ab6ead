/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm_check(): recompute every maintained value from the frames and compare: pageblock
 * words from descriptors and free bits, the search index from the words, the zone's
 * counters from all of them. Runs after every step of a test and on "mm check". It
 * holds a zone's lock for the whole zone, so the sums are exact while other harts keep
 * allocating from their caches.
 */
#include "kernel/sink.h"
#include "kernel/trace/hold.h"
#include "mm/hotplug.h"
#include "mm/internal.h"

#define FINDINGS_BYTES 3072 /* about thirty findings */

struct check {
	struct mm *mm;
	struct sink *out;
	unsigned int found;
};

/* What one zone's frames add up to. */
struct zone_sums {
	unsigned long free, free_isolated, nr_isolated, nr_watched, present, managed;
	u32 avail_orders[NR_MIGRATE_STORED];
};

#define DIFFERS(c, fmt, ...)                                                             \
	do {                                                                             \
		if ((c)->out && (c)->found < 32)                                         \
			sink_printf((c)->out, "mm_check: " fmt "\n", ##__VA_ARGS__);     \
		(c)->found++;                                                            \
	} while (0)

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

/* Check one frame of a valid pageblock: type, count, flags, zone; a tail's head. */
static void check_frame(struct check *c, const struct mem_section *ms, unsigned long pfn,
			bool free)
{
	const struct page *page = pfn_to_page(pfn), *head;
	/* One load: a hart's cache changes both in one store, without the lock. */
	const u64 desc = READ_ONCE(*(const u64 *)page);
	const u32 w = (u32)desc, has = (u32)(desc >> 32);
	const unsigned int type = PAGE_WORD_TYPE(w), flags = PAGE_WORD_FLAGS(w);
	const u32 count = type == PGTY_OFFLINE ? OFFLINE_COUNT : 0;

	walk_announce(pfn, WALK_CHECK);
	if (type == PGTY_NONE || type >= NR_PAGE_TYPES)
		DIFFERS(c, "pfn 0x%lx has no type (word 0x%08x)", pfn, w);
	if (free != (type == PGTY_BUDDY))
		DIFFERS(c, "pfn 0x%lx is %s, its free bit is %d", pfn, page_type_name(type), free);
	if (!type_is_counted(type) && has != count)
		DIFFERS(c, "pfn 0x%lx is %s, its count is 0x%x instead of 0x%x", pfn,
			page_type_name(type), has, count);
	if (type == PGTY_OFFLINE && page->owner != OFFLINE_OWNER)
		DIFFERS(c, "pfn 0x%lx is Offline, its owner is 0x%lx instead of 0x%lx", pfn,
			(unsigned long)page->owner, OFFLINE_OWNER);
	if ((flags & PG_OFFLINE_SKIPPABLE) && type != PGTY_OFFLINE)
		DIFFERS(c, "pfn 0x%lx is %s and skippable", pfn, page_type_name(type));
	if (PAGE_WORD_ZONE(w) != ms->zone->type)
		DIFFERS(c, "pfn 0x%lx says zone %u, its section is in %u", pfn, PAGE_WORD_ZONE(w),
			ms->zone->type);
	if (!(flags & PG_TAIL))
		return;
	head = pfn_to_page(pfn & ~((1UL << PAGE_WORD_ORDER(w)) - 1));
	if (free || (PAGE_WORD_FLAGS(head->word) & PG_TAIL) ||
	    PAGE_WORD_ORDER(head->word) != PAGE_WORD_ORDER(w))
		DIFFERS(c, "pfn 0x%lx is a tail of order %u without a head", pfn,
			PAGE_WORD_ORDER(w));
}

/* The type of a frame; a tail has the type of its head. */
static unsigned int frame_type(unsigned long pfn)
{
	const u32 w = pfn_to_page(pfn)->word;

	if (!(PAGE_WORD_FLAGS(w) & PG_TAIL))
		return PAGE_WORD_TYPE(w);
	return PAGE_WORD_TYPE(pfn_to_page(pfn & ~((1UL << PAGE_WORD_ORDER(w)) - 1))->word);
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
		check_frame(c, ms, first + i, is_free);
		sum_type(sums, frame_type(first + i), 1);
	}
	if (free != pb_free(pb_read(&ms->pb[b])) || free == PAGEBLOCK_NR_PAGES)
		DIFFERS(c, "pageblock 0x%lx: %u frames free, its word says %u", first, free,
			pb_free(pb_read(&ms->pb[b])));
}

static void check_uniform(struct check *c, const struct mem_section *ms, unsigned int b,
			  struct zone_sums *sums)
{
	const u64 w = pb_read(&ms->pb[b]);
	const u32 constant = pb_const(w);
	unsigned int type = PAGE_WORD_TYPE(constant);

	if (type == PGTY_OFFLINE && pageblock_owner(&ms->pb[b]) != OFFLINE_OWNER)
		DIFFERS(c, "pageblock 0x%lx is Offline, its owner is 0x%lx instead of 0x%lx",
			pb_pfn(ms, b), (unsigned long)pageblock_owner(&ms->pb[b]), OFFLINE_OWNER);
	if (type == PGTY_NONE || type >= NR_PAGE_TYPES || type_is_counted(type))
		DIFFERS(c, "pageblock 0x%lx: constant is of type %s", pb_pfn(ms, b),
			page_type_name(type));
	if (pb_free(w) != (type == PGTY_BUDDY ? PAGEBLOCK_NR_PAGES : 0))
		DIFFERS(c, "pageblock 0x%lx: %u free, all of it is %s", pb_pfn(ms, b), pb_free(w),
			page_type_name(type));
	if (PAGE_WORD_ZONE(constant) != ms->zone->type)
		DIFFERS(c, "pageblock 0x%lx says zone %u, its section is in %u", pb_pfn(ms, b),
			PAGE_WORD_ZONE(constant), ms->zone->type);
	if (PAGE_WORD_FLAGS(constant) & PG_TAIL) {
		const u64 head = pb_read(&ms->pb[b & ~1U]);

		if (!(b & 1) || (head & PB_VALID) ||
		    PAGE_WORD_ORDER(pb_const(head)) != MAX_PAGE_ORDER)
			DIFFERS(c, "pageblock 0x%lx is a tail without a head", pb_pfn(ms, b));
		type = PAGE_WORD_TYPE(pb_const(head));
	}
	sum_type(sums, type, PAGEBLOCK_NR_PAGES);
}

/* The order that the index must have a pageblock under. */
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
	const unsigned int want = expected_index(ms, b);

	if (pb_index(w) != want)
		DIFFERS(c, "pageblock 0x%lx: in the index under order %u, is %u", pb_pfn(ms, b),
			pb_index(w), want);
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
		if ((ms->avail[k] >> b & 1) != (k == want))
			DIFFERS(c, "pageblock 0x%lx: avail[%u] is %d", pb_pfn(ms, b), k,
				(int)(ms->avail[k] >> b & 1));
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
		if ((ms->mt[mt] >> b & 1) != (mt == pb_mt(w)))
			DIFFERS(c, "pageblock 0x%lx: mt[%u] is %d, its word says %u",
				pb_pfn(ms, b), mt, (int)(ms->mt[mt] >> b & 1), pb_mt(w));
}

static void check_section(struct check *c, const struct mem_section *ms,
			  struct zone_sums *sums)
{
	const struct zone *zone = ms->zone;
	const struct section_root *root = c->mm->root[ms->start_pfn >> ROOT_PFN_SHIFT];
	const unsigned int s = section_nr(ms) % SECTIONS_PER_ROOT;

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
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++) {
		const unsigned int area = zone->type == ZONE_MOVABLE ? FREE_MOVABLE_MOVABLE : mt;

		if (zone->type == ZONE_MOVABLE && mt != MIGRATE_MOVABLE)
			continue;
		for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++) {
			const bool has = ms->avail[k] & ms->mt[mt];

			sums->avail_orders[mt] |= (u32)has << k;
			if ((root->avail[area][k][s / 64] >> s % 64 & 1) != has)
				DIFFERS(c, "section 0x%lx: root says %d for %s order %u",
					section_nr(ms), !has, migratetype_name(mt), k);
		}
	}
}

static void compare(struct check *c, const struct zone *zone, const char *what,
		    unsigned long kept, unsigned long counted)
{
	if (kept != counted)
		DIFFERS(c, "zone %u: %s is %lu, counted %lu", zone->type, what, kept, counted);
}

static void check_zone(struct check *c, struct zone *zone)
{
	struct zone_sums sums = {};
	struct mem_section *ms;

	spin_lock(&zone->lock);
	for_each_section(ms, c->mm)
		if (ms->zone == zone)
			check_section(c, ms, &sums);
	compare(c, zone, "free", zone->free, sums.free);
	compare(c, zone, "free_isolated", zone->free_isolated, sums.free_isolated);
	compare(c, zone, "nr_isolated", zone->nr_isolated, sums.nr_isolated);
	compare(c, zone, "nr_watched", zone->nr_watched, sums.nr_watched);
	compare(c, zone, "present", zone->present, sums.present);
	compare(c, zone, "managed", zone->managed, sums.managed);
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
		compare(c, zone, "avail_orders", zone->avail_orders[mt], sums.avail_orders[mt]);
	spin_unlock(&zone->lock);
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
	c.found += hotplug_check(mm, c.out);
	mutex_unlock(&mm->hotplug_lock);
	if (out)
		sink_drain(&findings, out);
	return c.found;
}
