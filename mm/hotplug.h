/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_HOTPLUG_H
#define _MM_HOTPLUG_H

/*
 * Declarations that the memory hotplug files share with each other and with their tests:
 * sections, the reserve, zone spans, error injection. Private to mm/.
 */
#include "mm/memory_hotplug.h"
#include "mm/section.h"

/* --- mm_reserve.c: pages for metadata ------------------------------------------------ */

/* Owner words of Kernel frames, in ASCII; mm_reserve.c names them for the user. */
#define OWNER_RESERVE  0x0065767265736572ULL /* "reserve" */
#define OWNER_METADATA 0x617461646174656dULL /* "metadata" */

/* Get a metadata page, not zeroed: from the reserve, else the allocator; or PFN_NONE. */
unsigned long meta_page_alloc(struct mm *mm, enum page_type type);
/*
 * Give the page back: to the reserve unless that is full, or the page is about to leave
 * (its pageblock is isolated); else to the allocator.
 */
void meta_page_free(struct mm *mm, unsigned long pfn);
/* Refill the reserve, with boot memory if some is free, without waiting. */
void mm_reserve_refill(struct mm *mm);
/* See mm_reserve_leave(). */
void reserve_guests_leave(struct mm *mm);

/*
 * Take the frames of isolated pageblocks out of the reserve, and move page tables out of
 * them, so that they do not stand in the way of an evacuation; refill the reserve. Frames
 * of boot memory stay: it never leaves.
 * Context: hotplug lock held; the evacuation has isolated its target.
 */
static inline void mm_reserve_leave(struct mm *mm)
{
	if (unlikely(READ_ONCE(mm->nr_guests) | READ_ONCE(mm->nr_guest_tables)))
		reserve_guests_leave(mm);
}

/*
 * Free the page tables that unmapping has left unused, after a grace period: a hart may be
 * walking one of them. If the period does not end in time, the next call frees them.
 * Context: thread.
 */
void tables_reclaim(void);

/* Give the whole reserve back to the allocator (mm_depopulate()). */
void mm_reserve_drop(struct mm *mm);
/* Let pgtable_alloc_page() allocate from kernel_mm. */
void pgtable_use_allocator(void);

/*
 * Error injection: should this step fail? With mm->inject = N, the Nth call returns 1,
 * once. Every step of add and online that can fail calls this, so a test counts N up
 * until nothing fails.
 */
static inline int mm_inject_fail(struct mm *mm)
{
	if (likely(!mm->inject))
		return 0;
	return --mm->inject == 0;
}

/* The limit for a grace period; after that, the operation that needs it fails. */
#define MHP_GRACE_NS NSEC_PER_SEC

/* --- sparse.c: section objects, roots, memmaps, states --------------------------------- */

/* Allocate a zeroed section object; NULL if the reserve and the allocator are empty. */
struct mem_section *section_alloc(struct mm *mm);
void section_free(struct mm *mm, struct mem_section *ms);

/* Make look-ups find the section, and make its root if it has none; or -ENOMEM. */
int section_link(struct mm *mm, struct mem_section *ms);
/*
 * Hide the section from new look-ups. The caller then waits for a grace period. Until
 * section_root_put(), section_link() cannot fail for this section.
 */
void section_unlink(struct mm *mm, struct mem_section *ms);
/* Free the root that a pfn belongs to, if it is empty, after another grace period. */
void section_root_put(struct mm *mm, unsigned long pfn);

/*
 * The first present section numbered @nr or above; NULL if there is none. Hotplug lock held;
 * walkers call walk_next_section().
 */
__only_for("kept sections")
struct mem_section *next_section(const struct mm *mm, unsigned long nr);

/* Bytes of a section, and of its page descriptors. */
#define SECTION_SIZE (PAGES_PER_SECTION << PAGE_SHIFT)
#define MEMMAP_SIZE  (PAGES_PER_SECTION * sizeof(struct page))

static inline unsigned long section_nr(const struct mem_section *ms)
{
	return ms->start_pfn >> SECTION_PFN_SHIFT;
}

static inline unsigned long section_end_pfn(const struct mem_section *ms)
{
	return ms->start_pfn + PAGES_PER_SECTION;
}

/* A mask of the pageblock that starts with the block's own metadata; 0 if there is none. */
static inline u64 section_header(const struct mem_section *ms)
{
	return READ_ONCE(ms->flags) & SECTION_SELF_HOSTED ? BIT(pageblock_index(ms->host_pfn)) : 0;
}

#define for_each_section(ms, mm)                                                          \
	for ((ms) = next_section((mm), 0); (ms); (ms) = next_section((mm), section_nr(ms) + 1))

/* The sections that a range of frames touches. */
#define for_each_section_in(ms, mm, range)                                               \
	for ((ms) = next_section((mm), (range)->start_pfn >> SECTION_PFN_SHIFT);         \
	     (ms) && (ms)->start_pfn < range_end(range);                                 \
	     (ms) = next_section((mm), section_nr(ms) + 1))

/*
 * A mask of the pageblocks that @range touches in the section that begins with frame
 * @first.
 */
u64 section_range_mask(unsigned long first, const struct pfn_range *range);

/* Grow the zone's span so that it covers the section. */
void zone_grow(struct zone *zone, struct mem_section *ms);
/* Shrink the zone's span to its other sections. */
void zone_shrink(struct zone *zone, struct mem_section *ms);

/* Change a memory block's state and trace it. No other function changes the state. */
void memory_block_set_state(struct mem_section *ms, enum memory_block_state state);

/* --- memory_hotplug.c, memory_owner.c, memory.c ------------------------------------------ */

/* The online type from memhp_default_state=. */
enum mhp_online_type default_online_type(void);

/* The value of mem_section.restore for a zone; it overrides the online type. 0: no zone. */
#define RESTORE_ZONE(zone) (1 + (zone))

/* Online a block; hotplug lock held. */
int online_section(struct mem_section *ms, enum mhp_online_type type, struct mm_failure *why);

/*
 * Remove the sections of a list, linked by ->next and all offline, after one grace
 * period; all or none. Hotplug lock held.
 */
int remove_sections(struct mm *mm, struct mem_section *list, struct mm_failure *why);

static inline struct pfn_range section_range(const struct mem_section *ms)
{
	return (struct pfn_range){ ms->start_pfn, PAGES_PER_SECTION };
}

/* Find the section of a block id; NULL, with @why set, if there is none. */
struct mem_section *find_block(struct mm *mm, unsigned long block, struct mm_failure *why);

/*
 * Log memory_block_print_failure()'s line. The log is rate-limited, because a device or a
 * user can cause the same failure again and again.
 */
void memory_block_report(struct mm *mm, unsigned long block, const char *what,
			 const struct mm_failure *why);

/* Map frames in the direct map, all or none. mm_inject_fail() can make it fail. */
int map_direct(struct mm *mm, const struct pfn_range *range);

/* A mask of the section's pageblocks that lie in the region of any owner. */
u64 owned_mask(const struct mem_section *ms);

/* Count the pageblocks of @mask as plugged (@sign 1) or unplugged (-1) for their owners. */
void section_count_plugged(struct mem_section *ms, u64 mask, int sign);

/* Add @pages present frames of an online section to its zone and its owner. */
void section_account(struct mem_section *ms, long pages);

#endif
