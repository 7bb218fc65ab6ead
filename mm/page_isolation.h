/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_PAGE_ISOLATION_H
#define _MM_PAGE_ISOLATION_H

/*
 * The isolate bit: the allocator gives out no frame of an isolated pageblock, and frames
 * freed into it stay there. The pageblock keeps its migrate type.
 * Compare with: Linux mm/page_isolation.c.
 */
#include "mm/mm.h"

/**
 * isolate_range() - set the isolate bit on every pageblock that the range touches
 * Splits free chunks of order 10 that straddle its border into two of order 9.
 * Isolated free frames leave the zone's free count.
 * Context: thread; hotplug lock held; takes zone->lock per section.
 * Return: 0; or the errno of MM_REASON_ALREADY_ISOLATED or MM_REASON_NOT_PRESENT, with
 * nothing changed.
 */
int __must_check isolate_range(struct mm *mm, const struct pfn_range *range,
			       struct mm_failure *why);

/* Clear the bits that isolate_range() set; free frames become allocatable and merge. */
void unisolate_range(struct mm *mm, const struct pfn_range *range);

/**
 * wait_isolated_free() - sleep until an isolated chunk is free or movable
 * @zone: its zone
 * @range: the chunk that stands in the way, or the part of it that the caller wants
 * @deadline_ns: on ktime_ns()
 * Frees into isolated pageblocks, page_unpin() and page_put() wake the waiter.
 * Context: thread, may sleep; no spinlock held.
 * Return: true if the chunk is free or movable, false if the deadline passed first.
 */
bool wait_isolated_free(struct zone *zone, const struct pfn_range *range, u64 deadline_ns);

/*
 * Wake the waiting threads and tell the watcher: a frame of an isolated or watched
 * pageblock was freed, or lost a pin or a reference. zone->lock held.
 */
void wake_waiters(struct mem_section *ms, unsigned int b);
/* Tell the watchers of pageblocks that frames changed without a free. zone->lock held. */
void tell_watchers(struct mem_section *ms, u64 mask);
/*
 * For requests that unplug or remove memory. A new request calls unwatch_range(), because
 * it judges the frames again itself. A failed request calls watch_blocker(): if the
 * owner of the frame in the way has unblocked(), mm calls it when that frame may be
 * gone. Context: hotplug lock held; the request has nothing isolated.
 */
void unwatch_range(struct mm *mm, const struct pfn_range *range);
void watch_blocker(struct mm *mm, const struct mm_failure *why);

#endif
