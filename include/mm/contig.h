/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_CONTIG_H
#define _MM_CONTIG_H

/*
 * Contiguous allocation: any range of frames, emptied if need be.
 * Compare with: Linux alloc_contig_range(), alloc_contig_pages().
 */
#include "mm/evacuate.h"

/**
 * alloc_contig_range() - allocate exactly [start, end)
 * @start: first pfn, any alignment
 * @end: exclusive
 * @policy: NULL for the default (PGTY_KERNEL, 1 s, no wait); end must be EVAC_END_ALLOC
 *
 * Frames outside of the range are not judged; their blocks are isolated for
 * the duration only. With policy->type PGTY_OFFLINE the managed count is
 * reduced: the frames are in the same state as frames withheld at onlining.
 * Return: 0 or a negative errno, see @why.
 */
int __must_check alloc_contig_range(struct mm *mm, unsigned long start, unsigned long end,
				    const struct evacuate_policy *policy, struct mm_failure *why);

/**
 * alloc_contig_pages() - find and allocate @nr frames
 * Tries zone Normal's and then Movable's free and movable ranges; a power of two is
 * aligned to itself.
 * Return: the first pfn or PFN_NONE, with the last failure in @why.
 */
unsigned long __must_check alloc_contig_pages(struct mm *mm, unsigned long nr,
					      const struct evacuate_policy *policy,
					      struct mm_failure *why);

/* Free what the two gave out (types other than PGTY_OFFLINE), in maximal chunks. */
void free_contig_range(struct mm *mm, unsigned long start, unsigned long nr);

/**
 * release_offline_range() - give PageOffline frames to the allocator
 *
 * The one function that does so: for frames withheld at onlining (or never
 * plugged) and for frames taken by contig alike. Raises the managed count; the
 * frames become free (isolated if their block is). They must be mapped.
 * Context: thread. Panics if a frame is not PageOffline in an online or
 * going-online section.
 */
void release_offline_range(struct mm *mm, unsigned long start, unsigned long nr);

#endif
