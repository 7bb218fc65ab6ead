/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_PAGE_ALLOC_H
#define _MM_PAGE_ALLOC_H

/*
 * The page allocator's interface: orders 0 to 10; an allocation sets the type.
 *
 * Callers name frames by pfn, never by descriptor pointer: a whole pageblock's
 * descriptors need not be valid. Compare with: Linux include/linux/gfp.h.
 */
#include "mm/mm.h"

/* Flags of an allocation, or'ed together. */
#define GFP_KERNEL	0u     /* unmovable, zone Normal, boot memory first */
#define GFP_MOVABLE	BIT(0) /* may live in zone Movable */
#define GFP_RECLAIMABLE BIT(1) /* grouped apart from unmovable */
#define GFP_ZERO	BIT(2) /* zeroed */
#define GFP_ATOMIC	BIT(3) /* may go below the min watermark */
#define GFP_NOWARN	BIT(4) /* failure is expected, no log line */
#define GFP_NODRAIN	BIT(5) /* don't ask other harts for their caches */
#define GFP_NORMAL	BIT(6) /* zone Normal, even with GFP_MOVABLE; harts' caches may differ */

/**
 * alloc_pages() - allocate 2^order frames
 * @gfp: GFP_*
 * @order: 0..MAX_PAGE_ORDER
 * @type: their new type; never Buddy, Cached, Offline; a counted type starts at count 1
 *
 * Context: thread, never interrupt; takes zone->lock only when the hart's own
 * cache is empty; may wait for one grace period (bounded) before it fails,
 * unless GFP_NODRAIN.
 * Return: the first pfn, aligned to the order; PFN_NONE if there is none.
 */
unsigned long __must_check alloc_pages(struct mm *mm, u32 gfp, unsigned int order,
				       enum page_type type);

/**
 * free_pages() - free an allocated chunk
 * @pfn: its first frame
 * @order: the order it was allocated with
 *
 * Panics on a double free, the free of a tail, of a wrong order or of a frame that is
 * not allocated, and names the frame and its type. A chunk of a counted type is freed by
 * page_put() or, with a count of 1, by this function.
 * Context: thread.
 */
void free_pages(struct mm *mm, unsigned long pfn, unsigned int order);

/**
 * alloc_pages_bulk() - allocate many single frames at once
 * @nr: how many
 * @pfns: set to the frames
 * Return: how many it allocated, 0..nr. The caller frees them singly or in bulk.
 */
unsigned long alloc_pages_bulk(struct mm *mm, u32 gfp, enum page_type type, unsigned long nr,
			       unsigned long *pfns);
void free_pages_bulk(struct mm *mm, const unsigned long *pfns, unsigned long nr);

/*
 * Allocate exactly this aligned chunk if it is free, as "alloc at PFN" does; -EBUSY if
 * not.
 */
int __must_check alloc_pages_at(struct mm *mm, unsigned long pfn, unsigned int order,
				enum page_type type);

/* Empty the calling hart's caches into the buddy allocator. */
void drain_local_pages(struct mm *mm);

/*
 * Empty every hart's caches, in one grace period. When this returns 0, all frames that
 * were freed before the call are in the buddy allocator. On -ETIMEDOUT the log names the
 * hart.
 * Context: thread, no spinlock held.
 */
int __must_check drain_all_pages(struct mm *mm, u64 timeout_ns);

/* Free frames of the zone that can be allocated now, not counting the caches. */
unsigned long zone_free_pages(const struct zone *zone);

/*
 * Count the free chunks of a zone, from the index and the free bits, as /proc/buddyinfo and
 * /proc/pagetypeinfo show them, by migrate type and order; isolated pageblocks count as
 * MIGRATE_ISOLATE. Takes zone->lock section by section; O(pageblocks).
 */
void zone_count_free(struct zone *zone, unsigned long nr[NR_MIGRATE_TYPES][NR_PAGE_ORDERS]);

/* Count pageblocks per migrate type (isolated pageblocks as MIGRATE_ISOLATE). */
void zone_count_blocks(struct zone *zone, unsigned long nr[NR_MIGRATE_TYPES]);

/* Recompute min/low/high from the managed count, after each change of that count. */
void zone_update_watermarks(struct mm *mm);

#endif
