/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_PAGE_ISOLATION_H
#define _MM_PAGE_ISOLATION_H

/*
 * The isolate bit: free frames of an isolated pageblock are not allocated, and
 * frames freed into it stay there. The migrate type underneath is preserved.
 * Compare with: Linux mm/page_isolation.c.
 */
#include "mm/mm.h"

/**
 * isolate_range() - set the isolate bit on every pageblock that the range touches
 * Free chunks of order 10 that straddle its border are split (as orders of 9).
 * Isolated free frames leave the zone's free count.
 * Context: thread; hotplug lock held; takes zone->lock per section.
 * Return: 0; MM_REASON_ALREADY_ISOLATED's errno, with nothing changed.
 */
int __must_check isolate_range(struct mm *mm, const struct pfn_range *range,
			       struct mm_failure *why);

/* Clear the bits that isolate_range() set; frees become allocatable and merge again. */
void unisolate_range(struct mm *mm, const struct pfn_range *range);

bool pageblock_isolated(const struct mm *mm, unsigned long pfn);

/**
 * wait_isolated_free() - sleep until an isolated chunk is free, or can be moved (again)
 * @zone: its zone
 * @range: the chunk that stands in the way, or its part that is asked for
 * @deadline_ns: on ktime_ns()
 * Woken by the free path of isolated blocks, by page_unpin() and by page_put().
 * Context: thread, may sleep; no spinlock held.
 * Return: true if it is so, false if the deadline passed first.
 */
bool wait_isolated_free(struct zone *zone, const struct pfn_range *range, u64 deadline_ns);

#endif
