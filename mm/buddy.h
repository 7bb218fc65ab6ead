/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_BUDDY_H
#define _MM_BUDDY_H

/*
 * Chunks in and out of the free bits, and the search for frames in use: see buddy.c. The
 * search takes no lock; callers of all other functions hold zone->lock.
 */
#include "mm/mm.h"

unsigned long buddy_alloc(struct zone *zone, unsigned int from, unsigned int order,
			  enum page_type type);
unsigned int buddy_alloc_singles(struct zone *zone, unsigned int from, unsigned int nr,
				 unsigned long *pfns, enum page_type type);
void buddy_take(struct mem_section *ms, unsigned long pfn, unsigned int order, u32 word);
void buddy_free(struct mem_section *ms, unsigned long pfn, unsigned int order);
unsigned long buddy_free_singles(struct zone *zone, const unsigned long *pfns,
				 unsigned long nr, u32 word, unsigned int types);
unsigned long section_next_used(const struct mem_section *ms, unsigned long pfn,
				unsigned long end);
unsigned long next_used(const struct mm *mm, unsigned long pfn, unsigned long end);

#endif
