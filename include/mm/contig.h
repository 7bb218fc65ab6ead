/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_CONTIG_H
#define _MM_CONTIG_H

/*
 * Contiguous allocation: take any range of frames, after emptying it if need be.
 * Compare with: Linux alloc_contig_range(), alloc_contig_pages().
 */
#include "mm/evacuate.h"

/**
 * alloc_contig_range() - allocate exactly [start, end)
 * @start: first pfn, any alignment
 * @end: exclusive
 * @limits: NULL for the defaults: EVAC_FOR_CONTIG
 *
 * The frames are of type PGTY_KERNEL. Does not judge frames outside the range; their
 * pageblocks stay isolated only until the call returns.
 * Return: 0 or a negative errno, see @why.
 */
int __must_check alloc_contig_range(struct mm *mm, unsigned long start, unsigned long end,
				    const struct evac_limits *limits,
				    struct mm_failure *why);

/**
 * alloc_contig_pages() - find and allocate @nr frames
 * Tries the free and then the movable ranges of zone Normal, then those of Movable. If
 * @nr is a power of two, the range is aligned to it.
 * Return: the first pfn; or PFN_NONE, with the last failure in @why.
 */
unsigned long __must_check alloc_contig_pages(struct mm *mm, unsigned long nr,
					      const struct evac_limits *limits,
					      struct mm_failure *why);

/* Free frames that the two functions above allocated (of types other than PGTY_OFFLINE). */
void free_contig_range(struct mm *mm, unsigned long start, unsigned long nr);

#endif
