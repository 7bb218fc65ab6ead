/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking chunks out of a zone: the choice of the memory and of the migrate type.
 *
 * A movable frame comes from the top of the memory that was added, so that this memory can
 * leave again; kernel data comes from the bottom of boot memory, which never leaves. The
 * other memory serves a request only if the first has no large enough chunk of any type.
 * So a machine can return all added memory, although its blocks are in zone Normal, as long as
 * the kernel's data fits into boot memory.
 *
 * If there is no free chunk of the wanted migrate type, the allocator falls back to the
 * other types, in Linux's order. If the nearest whole free pageblock, or else the pageblock
 * with the largest free chunk, is at least half free, the allocator claims that pageblock as
 * a whole by retagging it, so that later requests of the same kind find room there and the
 * types stay apart. Otherwise it takes the smallest chunk that fits, without retagging. All
 * searches of a request begin at the same end, so the types grow towards each other. Zone
 * Movable serves only GFP_MOVABLE and has no other types to fall back to.
 *
 * Compare with: Linux mm/page_alloc.c, rmqueue().
 */
#include "kernel/trace/trace.h"
#include "mm/buddy.h"
#include "mm/pageblock.h"
#include "mm/pageblock_index.h"
#include "mm/pcp.h"
#include "mm/rmqueue.h"
#include "mm/vmstat.h"

#define NR_FALLBACKS 2

/* The other types that a request falls back to, in this order. */
static const u8 fallbacks[NR_MIGRATE_STORED][NR_FALLBACKS] = {
	[MIGRATE_UNMOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE },
	[MIGRATE_MOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE },
	[MIGRATE_RECLAIMABLE] = { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE },
};

/* The same search for the @i-th other type. */
static unsigned int fallback(unsigned int from, unsigned int i)
{
	return (from & ~SEARCH_TYPE) | fallbacks[from & SEARCH_TYPE][i];
}

/*
 * Retag a pageblock of another migrate type that is half free and has a free chunk of
 * @order, in a locked zone that is not Movable. Return: true if there was one.
 */
static bool claim_pageblock(struct zone *zone, unsigned int from, unsigned int order)
{
	const unsigned int mt = from & SEARCH_TYPE;

	for (unsigned int i = 0; i < NR_FALLBACKS; i++) {
		unsigned int b;
		struct mem_section *ms =
			index_find_largest(zone, fallback(from, i), order, &b);

		if (!ms || pb_free(pb_read(&ms->pb[b])) < PAGEBLOCK_NR_PAGES / 2)
			continue;
		if (order == MAX_PAGE_ORDER)
			pageblock_set_migratetype(ms, b + 1, mt);
		pageblock_set_migratetype(ms, b, mt);
		vm_event_inc(zone->mm, VM_EXTFRAG, 1);
		return true;
	}
	return false;
}

/* Take a chunk of the wanted type; if @fill, also a batch for the hart's stack. */
static unsigned long take_own(struct zone *zone, unsigned int from, unsigned int order,
			      enum page_type type, bool fill)
{
	unsigned long pfn;

	if (!fill)
		return buddy_alloc(zone, from, order, type);
	pfn = pcp_refill(zone, from, order);
	if (pfn == PFN_NONE)
		return pfn;
	chunk_write(pfn, order, page_word(type, 0, order, zone->type));
	trace_emit(TRACE_FRAMES, .pfn = pfn, .count = 1U << order, .before = PGTY_CACHED,
		   .after = type);
	return pfn;
}

/* Take a chunk of one memory, of the wanted type or of another. */
static unsigned long take(struct zone *zone, unsigned int from, unsigned int order,
			  enum page_type type, bool fill)
{
	unsigned long pfn = take_own(zone, from, order, type, fill);

	if (pfn != PFN_NONE || zone->type == ZONE_MOVABLE)
		return pfn;
	if (claim_pageblock(zone, from, order))
		return take_own(zone, from, order, type, fill);
	for (unsigned int i = 0; i < NR_FALLBACKS && pfn == PFN_NONE; i++)
		pfn = buddy_alloc(zone, fallback(from, i), order, type);
	return pfn;
}

/* The memory in which a request looks first; if that has nothing free at all, the other. */
static unsigned int search_first(const struct zone *zone, unsigned int mt)
{
	const unsigned int near = search_near(mt);
	const u32 *orders = zone->avail_orders[!!(near & SEARCH_ADDED)];

	return orders[0] | orders[1] | orders[2] ? near : near ^ SEARCH_ADDED;
}
static_assert(NR_MIGRATE_STORED == 3, "see search_first()");

/**
 * rmqueue() - take a chunk out of a zone
 * @zone: zone, locked
 * @mt: migrate type
 * @order: 0..10
 * @type: the chunk's new type
 * @fill: if the hart has a stack of this order for @mt, also take a batch for it
 *
 * Return: the chunk's first frame, or PFN_NONE.
 */
unsigned long rmqueue(struct zone *zone, unsigned int mt, unsigned int order,
		      enum page_type type, bool fill)
{
	const unsigned int first = search_first(zone, mt);
	const unsigned long pfn = take(zone, first, order, type, fill);

	return pfn != PFN_NONE ? pfn
			       : take(zone, first ^ SEARCH_ADDED, order, type, fill);
}

static unsigned long take_bulk(struct zone *zone, unsigned int from, enum page_type type,
			       unsigned long nr, unsigned long *pfns)
{
	unsigned long got = buddy_alloc_singles(zone, from, nr, pfns, type);

	if (got || zone->type == ZONE_MOVABLE)
		return got;
	if (claim_pageblock(zone, from, 0))
		return buddy_alloc_singles(zone, from, nr, pfns, type);
	for (unsigned int i = 0; i < NR_FALLBACKS && !got; i++)
		got = buddy_alloc_singles(zone, fallback(from, i), nr, pfns, type);
	return got;
}

/**
 * rmqueue_bulk() - take single frames out of a zone
 * @zone: zone, locked
 * @mt: migrate type
 * @type: the frames' new type
 * @nr: how many
 * @pfns: filled
 *
 * Return: the number of frames taken, 0..@nr. It may be less than the number of free
 * frames, but is 0 only if none is free.
 */
unsigned long rmqueue_bulk(struct zone *zone, unsigned int mt, enum page_type type,
			   unsigned long nr, unsigned long *pfns)
{
	const unsigned int first = search_first(zone, mt);
	const unsigned long got = take_bulk(zone, first, type, nr, pfns);

	return got ? got : take_bulk(zone, first ^ SEARCH_ADDED, type, nr, pfns);
}
