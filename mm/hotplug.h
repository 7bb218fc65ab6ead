/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_HOTPLUG_H
#define _MM_HOTPLUG_H

/*
 * What the files of memory hotplug share among themselves and with their tests:
 * sections, the reserve, zone spans, error injection. Private to mm/.
 */
#include "mm/memory_hotplug.h"

/* --- mm_reserve.c: pages for metadata ------------------------------------------------ */

/* A page for metadata: from the reserve, else from the allocator; not zeroed. PFN_NONE. */
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

/* --- sparse.c: section objects, roots, memmaps, states --------------------------------- */

/* A zeroed section object from the pool; NULL if the reserve and the allocator are empty. */
struct mem_section *section_alloc(struct mm *mm);
void section_free(struct mm *mm, struct mem_section *s);

/* Make look-ups find the section (its root is made if need be); -ENOMEM. */
int section_link(struct mm *mm, struct mem_section *s);
/*
 * The opposite: no new look-up finds it. The caller waits for a grace period after it.
 * Until section_root_put() it can be linked again, which does not fail then.
 */
void section_unlink(struct mm *mm, struct mem_section *s);
/* The root that a pfn belongs to is given back if it is empty, after another grace period. */
void section_root_put(struct mm *mm, unsigned long pfn);

/*
 * Next present section whose number is at least @nr; NULL at the end. Hotplug lock held;
 * walkers call walk_next_section().
 */
__only_for("kept sections")
struct mem_section *next_section(const struct mm *mm, unsigned long nr);

/* Bytes of a section, and of its page descriptors. */
#define SECTION_SIZE (PAGES_PER_SECTION << PAGE_SHIFT)
#define MEMMAP_SIZE  (PAGES_PER_SECTION * sizeof(struct page))

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

/* The only place where a memory block's state changes: one trace record. */
void memory_block_set_state(struct mem_section *s, enum memory_block_state state);

/* --- memory_hotplug.c, memory_owner.c, memory.c ------------------------------------------ */

/* What memhp_default_state= says. */
enum mhp_online_type default_online_type(void);

/* What mem_section.restore says: 0, or the zone that the block was in, whatever its type. */
#define RESTORE_ZONE(zone) (1 + (zone))

/* With the hotplug lock held: online a block. */
int online_section(struct mem_section *s, enum mhp_online_type type, struct mm_failure *why);

/* What becomes of blocks that leave. */
enum offline_goal {
	OFFLINE_ONLY,	    /* blocks that are offline already are refused */
	OFFLINE_AND_REMOVE, /* they are welcome */
};

/* Ids of memory blocks, each once. */
struct block_list {
	const unsigned long *ids;
	unsigned int nr;
};

/**
 * claim_blocks() - all of these blocks, or none, refuse other requests from now on
 * @blocks: if one cannot be claimed, why->pfn is of that one
 * @list: filled: linked by ->next; GOING_OFFLINE and isolated, or REMOVING
 *
 * Context: hotplug lock held.
 * Return: 0; or a negative errno, and why.
 */
int claim_blocks(struct mm *mm, const struct block_list *blocks, enum offline_goal goal,
		 struct mem_section **list, struct mm_failure *why);

/**
 * offline_blocks() - empty the claimed blocks of a list and take them offline, all or none
 *
 * All are judged before the first page of any moves. On failure none is claimed any more.
 * Context: hotplug lock held; given up meanwhile if the policy waits.
 * Return: 0; or a negative errno, and why.
 */
int offline_blocks(struct mm *mm, struct mem_section *list,
		   const struct evacuate_policy *policy, struct mm_failure *why);

static inline struct pfn_range section_range(const struct mem_section *s)
{
	return (struct pfn_range){ s->start_pfn, PAGES_PER_SECTION };
}

/* Announce GOING_*; a veto is named, with the block's first frame. */
int notify_start(struct mem_section *s, enum mem_event going, enum mem_event cancel,
		 struct mm_failure *why);
/* Tell the end to those who were told the start, if it is owed. */
void notify_end(struct mem_section *s, enum mem_event end);

/* The last step of going offline: out of the zone and its span; no descriptor is read. */
void leave_zone(struct mem_section *s);

/* The failure of a request that a block's state does not allow; names the state. */
int wrong_state(const struct mem_section *s, struct mm_failure *why);

/* The section of a block id; NULL, and why, if there is none. */
struct mem_section *find_block(struct mm *mm, unsigned long block, struct mm_failure *why);

/* Unmap the memmap of a section that no look-up finds; free what does not lie in it. */
void section_drop_memmap(struct mem_section *s);

/*
 * The log line: "memory36: offline failed: pfn 0x90a40 is Slab ..."; rate-limited, because a
 * device that changes its mind or a person can cause it again and again.
 */
void memory_block_report(struct mm *mm, unsigned long block, const char *what,
			 const struct mm_failure *why);

/* First run of set bits in a mask that is not 0: its length; its start in @first. */
unsigned int mask_run(u64 mask, unsigned int *first);

/* Pageblocks of the section in the region of @owner (NULL: of any registered owner). */
u64 owner_mask(struct mm *mm, const struct memory_owner *owner, const struct mem_section *s);

/* An online section has so many more frames that are memory: its zone and its owner have. */
void section_account(struct mem_section *s, long pages);

/* Compare everything that these files maintain; differences to @out, one a line. */
unsigned int hotplug_check(struct mm *mm, struct sink *out);

#endif
