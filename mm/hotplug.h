/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_HOTPLUG_H
#define _MM_HOTPLUG_H

/*
 * What the files of memory hotplug share among themselves and with their tests:
 * sections, the reserve, zone spans, error injection. Private to mm/.
 */
#include "mm/memory_hotplug.h"

/* --- mm_reserve.c: pages for metadata ------------------------------------------------ */

/* A page for metadata: from the reserve, else from the allocator; zeroed. PFN_NONE. */
unsigned long meta_page_alloc(struct mm *mm, enum page_type type);
/* Give it back: to the reserve while that is not full, else to the allocator. */
void meta_page_free(struct mm *mm, unsigned long pfn);
/* Fill the reserve up from the allocator, as far as that goes without waiting. */
void mm_reserve_refill(struct mm *mm);
/* Give the whole reserve back (mm_depopulate()). */
void mm_reserve_drop(struct mm *mm);
/* pgtable_alloc_page() may ask kernel_mm from now on. */
void pgtable_use_allocator(void);

/*
 * Error injection: the mm->inject-th step that asks fails once. Every step of add
 * and online that can fail asks, so a test counts upwards until nothing fails.
 */
static inline int mm_inject_fail(struct mm *mm)
{
	if (likely(!mm->inject))
		return 0;
	return --mm->inject == 0;
}

/* A grace period that takes longer than this is given up, and the operation with it. */
#define MHP_GRACE_NS (1000ULL * 1000 * 1000)

/* --- sparse.c: section objects, roots, memmaps ----------------------------------------- */

/* A zeroed section object from the pool; NULL if the reserve and the allocator are empty. */
struct mem_section *section_alloc(struct mm *mm);
void section_free(struct mm *mm, struct mem_section *s);

/* Make look-ups find the section (its root is made if need be); -ENOMEM. */
int section_link(struct mm *mm, struct mem_section *s);
/* The opposite: no new look-up finds it. The caller waits for a grace period after it. */
void section_unlink(struct mm *mm, struct mem_section *s);
/* The root that a pfn belongs to is given back if it is empty, after another grace period. */
void section_root_put(struct mm *mm, unsigned long pfn);

/* Next present section whose number is at least @nr; NULL at the end. */
struct mem_section *next_section(const struct mm *mm, unsigned long nr);

static inline unsigned long section_nr(const struct mem_section *s)
{
	return s->start_pfn >> SECTION_PFN_SHIFT;
}

static inline unsigned long section_end_pfn(const struct mem_section *s)
{
	return s->start_pfn + PAGES_PER_SECTION;
}

#define for_each_section(s, mm)                                                          \
	for ((s) = next_section((mm), 0); (s); (s) = next_section((mm), section_nr(s) + 1))

/* Those pageblocks of a section that a range of frames touches. */
u64 section_range_mask(const struct mem_section *s, const struct pfn_range *range);

/* The zone's span grows to the section. */
void zone_grow(struct zone *zone, struct mem_section *s);
/* The opposite: the span shrinks to what is left. */
void zone_shrink(struct zone *zone, struct mem_section *s);

/* --- memory_hotplug.c, memory_owner.c, memory.c ------------------------------------------ */

/* The only place where a memory block's state changes: one trace record. */
void memory_block_set_state(struct mem_section *s, enum memory_block_state state);

/* Online, offline and remove with the hotplug lock held. */
int online_section(struct mem_section *s, enum mhp_online_type type, struct mm_failure *why);
int offline_section(struct mem_section *s, const struct evacuate_policy *policy,
		    struct mm_failure *why);

/* Pageblocks of the section in the region of @owner (NULL: of any registered owner). */
u64 owner_mask(struct mm *mm, const struct memory_owner *owner, const struct mem_section *s);

/* Compare everything that these files maintain; differences to @out, one a line. */
unsigned int hotplug_check(struct mm *mm, struct sink *out);

#endif
