/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zones: their set-up and their watermarks. Their counters change in pageblock.c, their
 * spans in sparse.c.
 */
#include "lib/bitops.h"
#include "mm/pcp.h"
#include "mm/zone.h"

/**
 * zone_init() - make an empty zone
 * @zone: zeroed storage
 * @mm: memory that it belongs to
 * @type: which zone of @mm
 */
void zone_init(struct zone *zone, struct mm *mm, enum zone_type type)
{
	spin_lock_init(&zone->lock, "zone->lock");
	wait_queue_init(&zone->freed, "zone->freed");
	zone->mm = mm;
	zone->type = type;
}

/* Can the zone give @nr more frames? GFP_ATOMIC may use up the reserve below min. */
bool zone_watermark_ok(const struct zone *zone, unsigned long nr, u32 gfp)
{
	const unsigned long min_free = gfp & GFP_ATOMIC ? 0 : READ_ONCE(zone->wmark[WMARK_MIN]);

	return READ_ONCE(zone->free) >= nr + min_free;
}

unsigned long zone_free_pages(const struct zone *zone)
{
	return READ_ONCE(zone->free);
}

/* Compute the integer square root by Newton's method, from above. @x: not 0. */
static unsigned long int_sqrt(unsigned long x)
{
	unsigned long root, next = 2UL << (__fls(x) / 2);

	do {
		root = next;
		next = (root + x / root) / 2;
	} while (next < root);
	return root;
}

/*
 * Linux's formulas: min is 4 * sqrt(KiB of zone Normal) KiB, at least 128 KiB and at
 * most 256 MiB. In zone Movable, which serves no kernel data, min is 1/1024 of the
 * frames, 32..128. low is min plus a quarter of min, or plus 0.1 % of the zone if that
 * is more; high is min plus twice the same amount.
 */
void zone_update_watermarks(struct mm *mm)
{
	for (unsigned int i = 0; i < NR_ZONES; i++) {
		struct zone *zone = &mm->zone[i];
		const unsigned long managed = READ_ONCE(zone->managed);
		unsigned long min_free, step;

		if (i == ZONE_NORMAL)
			min_free = min(max(int_sqrt(managed * 4 * 16 + !managed) / 4, 32UL),
				       65536UL);
		else
			min_free = min(max(managed / 1024, 32UL), 128UL);
		min_free = min(min_free, managed / 16);
		step = max(min_free / 4, managed / 1000);
		WRITE_ONCE(zone->wmark[WMARK_MIN], min_free);
		WRITE_ONCE(zone->wmark[WMARK_LOW], min_free + step);
		WRITE_ONCE(zone->wmark[WMARK_HIGH], min_free + 2 * step);
	}
	pcp_set_limits(mm);
}
