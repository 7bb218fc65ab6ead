/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_COMPACTION_H
#define _MM_COMPACTION_H

/* Compaction: pages move together, so that pageblocks become free as a whole. */
#include "mm/evacuate.h"

/**
 * struct compaction_result - what a compaction has done
 * @emptied: pageblocks that became free, at the time
 * @moved: pages that moved
 */
struct compaction_result {
	unsigned long emptied;
	unsigned long moved;
};

/**
 * compact_memory() - move the pages of the emptiest pageblocks into the others
 * @mm: memory
 * @limits: when to give up
 * @result: set, also after a failure
 * @why: set to the reason of a failure
 *
 * Zone by zone; no page moves to zone Movable. Leaves pageblocks alone that have a frame which
 * cannot move, or a pinned page. This is a best effort: a page that is in use stays, and so
 * does a page for which there is no other place.
 * Context: thread, may sleep; takes mm->hotplug_lock for one group of pageblocks at a time.
 * Return: 0; or a negative errno if it was cancelled, was late, or waited too long for another
 * request. Compare with: Linux mm/compaction.c, compact_node().
 */
int compact_memory(struct mm *mm, const struct evac_limits *limits,
		   struct compaction_result *result, struct mm_failure *why);

/* How fragmented a zone's free memory is for an order, in thousandths. */
struct extfrag {
	s32 unusable;	   /* 0: every free frame serves the order; 1000: none does */
	s32 fragmentation; /* near 0: memory is short; near 1000: it is fragmented; -1000: a
			    * chunk of the order is free. With very few chunks also between
			    * -500 and 0 */
};

/**
 * zone_extfrag() - compute a zone's fragmentation for each order
 * @zone: zone
 * @index: set, by order
 *
 * Takes the zone's lock for each section. Compare with: Linux mm/vmstat.c, unusable_free_index(),
 * __fragmentation_index().
 */
void zone_extfrag(struct zone *zone, struct extfrag index[NR_PAGE_ORDERS]);

#endif
