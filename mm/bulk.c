/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many single frames at once, past the harts' caches: a pageblock or a word of
 * free bits at a time. Compare with: Linux alloc_pages_bulk_noprof().
 */
#include "mm/internal.h"

/* The lock is dropped after so many frames, so that others get it. */
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

	BUG_ON(type < PGTY_FIRST_ALLOC || type > PGTY_LAST_ALLOC || (gfp & GFP_ZERO));
	if (gfp & GFP_MOVABLE)
		got = zone_bulk(mm_zone(mm, ZONE_MOVABLE), gfp, type, nr, pfns);
	if (got < nr)
		got += zone_bulk(mm_zone(mm, ZONE_NORMAL), gfp, type, nr - got, pfns + got);
	/* What is left is stolen, drained for and, if it must be, warned about one by one. */
	for (; got < nr; got++) {
		pfns[got] = alloc_pages(mm, gfp, 0, type);
		if (pfns[got] == PFN_NONE)
			break;
	}
	return got;
}

/*
 * The leading pfns that lie in one valid pageblock and can be freed without a look
 * at anything but their descriptors: allocated, order 0, no flag, no count.
 */
static unsigned long free_run(struct mem_section *ms, const unsigned long *pfns,
			      unsigned long nr)
{
	const unsigned long block = pfns[0] >> PAGEBLOCK_ORDER;
	const unsigned int b = pageblock_index(pfns[0]);
	const u64 free_word = page_word(PGTY_BUDDY, 0, 0, ms->zone->type);
	u64 *bits = pb_bits(ms, b);
	unsigned long i;

	if (!(ms->pb[b].word & PB_VALID))
		return 0;
	for (i = 0; i < nr && pfns[i] >> PAGEBLOCK_ORDER == block; i++) {
		u64 *desc = (u64 *)pfn_to_page(pfns[i]);

		if (desc[0] - free_word - (PGTY_FIRST_ALLOC - PGTY_BUDDY) >
		    PGTY_KERNEL - PGTY_FIRST_ALLOC)
			break;
		desc[0] = free_word;
		bits[pfns[i] % PAGEBLOCK_NR_PAGES / 64] |= BIT(pfns[i] % 64);
	}
	if (i)
		buddy_freed(ms, b, i);
	return i;
}

static void trace_run(const unsigned long *pfns, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		trace_emit(TRACE_FRAMES, .pfn = pfns[i], .count = 1, .after = PGTY_BUDDY);
}

/* Runs of one zone under one hold of its lock. Return: how many; 0 is for the slow way. */
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
		n = free_run(ms, pfns + done, nr - done);
		if (!n)
			break;
		if (unlikely(READ_ONCE(this_hart()->trace_mask)))
			trace_run(pfns + done, n);
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
