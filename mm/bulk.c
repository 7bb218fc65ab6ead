/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocate and free many single frames at once, bypassing the harts' caches: a
 * pageblock or a word of free bits at a time. Compare with: Linux
 * alloc_pages_bulk_noprof().
 */
#include "mm/internal.h"

/* Drop the lock every BULK_BATCH frames, so that other harts can take it. */
#define BULK_BATCH 4096UL

static unsigned long zone_bulk(struct zone *zone, u32 gfp, enum page_type type,
			       unsigned long nr, unsigned long *pfns)
{
	const unsigned int mt = gfp_migratetype(gfp);
	unsigned long got = 0;

	while (got < nr) {
		unsigned long part = min(nr - got, BULK_BATCH), n;

		if (!zone_watermark_ok(zone, part, gfp) && !zone_watermark_ok(zone, part = 1, gfp))
			break;
		spin_lock(&zone->lock);
		n = buddy_alloc_singles(zone, mt, part, pfns + got, type);
		if (!n && zone->type != ZONE_MOVABLE && claim_pageblock(zone, mt, 0))
			n = buddy_alloc_singles(zone, mt, part, pfns + got, type);
		spin_unlock(&zone->lock);
		if (!n)
			break;
		got += n;
	}
	return got;
}

unsigned long alloc_pages_bulk(struct mm *mm, u32 gfp, enum page_type type, unsigned long nr,
			       unsigned long *pfns)
{
	unsigned long got = 0;

	BUG_ON(!type_is_alloc(type) || (gfp & GFP_ZERO));
	if (gfp & GFP_MOVABLE)
		got = zone_bulk(mm_zone(mm, ZONE_MOVABLE), gfp, type, nr, pfns);
	if (got < nr)
		got += zone_bulk(mm_zone(mm, ZONE_NORMAL), gfp, type, nr - got, pfns + got);
	/* The slow path gets the rest, frame by frame: it steals, drains and warns. */
	for (; got < nr; got++) {
		pfns[got] = alloc_pages(mm, gfp, 0, type);
		if (pfns[got] == PFN_NONE)
			break;
	}
	return got;
}

/*
 * Free leading frames of one zone under one hold of its lock, as long as their
 * descriptors alone decide. Return: how many; at 0 the first frame needs the slow path.
 */
static unsigned long zone_free_bulk(struct mm *mm, const unsigned long *pfns, unsigned long nr)
{
	struct mem_section *ms = pfn_to_section(mm, pfns[0]);
	struct zone *zone = ms ? ms->zone : NULL;
	unsigned long done = 0, n;

	if (!zone || page_poison)
		return 0;
	spin_lock(&zone->lock);
	while (done < nr && done < BULK_BATCH) {
		ms = pfn_to_section(mm, pfns[done]);
		if (!ms || ms->zone != zone)
			break;
		n = buddy_free_singles(ms, pfns + done, nr - done,
				       page_word(PGTY_FIRST_PLAIN, 0, 0, zone->type),
				       PGTY_LAST_PLAIN - PGTY_FIRST_PLAIN);
		if (!n)
			break;
		done += n;
	}
	spin_unlock(&zone->lock);
	return done;
}

void free_pages_bulk(struct mm *mm, const unsigned long *pfns, unsigned long nr)
{
	unsigned long i = 0;

	while (i < nr) {
		const unsigned long n = zone_free_bulk(mm, pfns + i, nr - i);

		if (n == 0)
			free_pages(mm, pfns[i], 0);
		i += n ? n : 1;
	}
}
