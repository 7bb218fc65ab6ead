/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_PAGEBLOCK_INDEX_H
#define _MM_PAGEBLOCK_INDEX_H

/* The search index over the pageblocks with free chunks; callers hold zone->lock. */
#include "mm/section.h"

/*
 * A mask of the section's pageblocks that are free as a whole and not isolated. Without the
 * lock, the mask may be out of date.
 */
static inline u64 index_free_mask(const struct mem_section *ms)
{
	const u64 pairs = READ_ONCE(ms->avail[MAX_PAGE_ORDER]);

	return READ_ONCE(ms->avail[PAGEBLOCK_ORDER]) | pairs | pairs << 1;
}

/*
 * The argument of a search: a migrate type, or'ed with the memory to search and the end
 * from which to begin.
 */
#define SEARCH_TYPE  3u	    /* MIGRATE_* */
#define SEARCH_ADDED BIT(2) /* memory that was added; without it: boot memory */
#define SEARCH_DOWN  BIT(3) /* from the highest section and pageblock */

/**
 * search_near() - where a request for a migrate type looks first
 * @mt: migrate type that is requested
 *
 * Movable frames come from the top of added memory, which may leave, and all other frames
 * from the bottom of boot memory, which never leaves. A request that finds nothing in one
 * memory searches the other, with SEARCH_ADDED inverted.
 */
static inline unsigned int search_near(unsigned int mt)
{
	return mt == MIGRATE_MOVABLE ? mt | SEARCH_ADDED | SEARCH_DOWN : mt;
}

void index_add(struct mem_section *ms, unsigned int b);
void index_remove(struct mem_section *ms, unsigned int b);
void index_update(struct mem_section *ms, unsigned int b, unsigned int order);
void index_add_free_mask(struct mem_section *ms, u64 mask);
void index_remove_mask(struct mem_section *ms, u64 mask);
void index_remove_free_mask(struct mem_section *ms, u64 mask);
struct mem_section *index_find(struct zone *zone, unsigned int from, unsigned int order,
			       unsigned int *b);
struct mem_section *index_find_largest(struct zone *zone, unsigned int from,
				       unsigned int order, unsigned int *b);

#endif
