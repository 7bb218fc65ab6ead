/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_SECTION_H
#define _MM_SECTION_H

/*
 * Sections and their pageblocks, and how to look them up: for mm/, and for the console's
 * views, which read them as walkers. Drivers do not look here: memory_block_info() tells
 * an owner what it needs.
 */
#include "mm/mm.h"

/**
 * struct pageblock - the state of 512 frames, 2 MiB
 * @word: counts, migrate type and, while all frames agree, their descriptor: mm/pageblock.h
 * @owner: owner word of a chunk that covers the pageblock
 */
struct pageblock {
	u64 word __only_for("pageblock words");
	u64 owner __only_for("pageblock words");
};

/* Bits of mem_section.flags. */
#define SECTION_PRESENT	    BIT(0) /* added: it has metadata */
#define SECTION_ONLINE	    BIT(1) /* its memmap may be read */
#define SECTION_EARLY	    BIT(2) /* from boot; metadata in boot memory; never offline */
#define SECTION_SELF_HOSTED BIT(3) /* metadata lies in its own first plugged granule */

/*
 * Lock keys:
 *   (c) constant while the section is in use
 *   (h) mm->hotplug_lock
 *   (z) lock of the zone that the section is in; mm->hotplug_lock if it is in none
 *   (b) both of these to write, one of them to read
 *   (e) the request that removes the block, in state GOING_OFFLINE or REMOVING
 *
 * Walkers and views read fields of (h), (z) and (b) without the lock, with READ_ONCE():
 * what they show was true a moment ago.
 */

/**
 * struct mem_section - 128 MiB of frames, which is also one memory block
 * @avail: bit b of avail[k]: pageblock b's largest free chunk has order k, and
 *	   pageblock b is not isolated (k = 10: b is even and b, b+1 are one free chunk)
 * @mt: bit b of mt[t]: pageblock b has stored migrate type t
 * @free_bits: 1 = free, 512 bits per pageblock; valid per pageblock (PB_VALID)
 * @start_pfn: first frame
 * @zone: NULL unless online (or being onlined); set and cleared under that zone's lock
 * @flags: SECTION_*
 * @unmapped: bit b: pageblock b is not in the direct map
 * @hole: bit b: all of pageblock b is a hole (no memory belongs there)
 * @boot: bit b: pageblock b holds memory from boot, which no memory_owner can have
 * @present: frames that are memory: all but holes
 * @host_pfn: first of the MHP_HEADER_PAGES metadata frames, or PFN_NONE
 * @state: enum memory_block_state; only memory_block_set_state() changes it
 * @online_type: type that the block was onlined with, for restoring it
 * @restore: set while a request removes it: the zone to which online_section() brings it
 *	   back if the memory cannot be removed after all; see RESTORE_ZONE()
 * @next: links the blocks of one request; used while GOING_OFFLINE or REMOVING
 * @notified: GOING_OFFLINE: the listeners that must hear how it ends
 * @owner: the owner that added it; NULL for boot memory
 * @pb: the 64 pageblocks
 */
struct mem_section {
	u64 avail[NR_PAGE_ORDERS];	/* (z) */
	u64 mt[NR_MIGRATE_STORED];	/* (z) */
	u64 *free_bits;			/* (c) */
	unsigned long start_pfn;	/* (c) */
	struct zone *zone __only_for("zones of kept sections"); /* (b) */
	struct mm *mm;			/* (c) */
	u64 unmapped;			/* (h) */
	u64 hole;			/* (h) */
	u64 boot;			/* (c) */
	u32 flags;			/* (h) */
	u8 state;			/* (h) */
	u8 online_type;			/* (h) */
	u8 restore;			/* (h) */
	u32 present;			/* (h) */
	unsigned long host_pfn;		/* (c) */
	struct memory_owner *owner;	/* (h) */
	struct mem_section *next;	/* (e) */
	struct notifier_start notified;	/* (e) */
	struct pageblock pb[PAGEBLOCKS_PER_SECTION]; /* (z) */
};
static_assert(sizeof(struct mem_section) <= 2048, "two sections fit a page");

/*
 * A look-up finds a section by two loads: mm->root[pfn >> 23]->section[...]. A root
 * covers 32 GiB and takes one page; entries without a root point to one shared root
 * without sections, so that no look-up tests for NULL twice.
 * @avail: bit s of avail[area][k]: section s of this root has a bit in avail[k]
 *	   and belongs to that area.
 * @boot: bit s: section s is boot memory
 * @in_zone: bit s of in_zone[z]: section s belongs to zone z (for its span)
 * @present: bit s: section[s] is not NULL
 * @nr_sections: pointers in section[]; at 0 the root's page is freed
 */
#define ROOT_PFN_SHIFT	  (SECTION_PFN_SHIFT + 8)

struct section_root {
	struct mem_section *section[SECTIONS_PER_ROOT];
	u64 avail[NR_FREE_AREAS][NR_PAGE_ORDERS][SECTIONS_PER_ROOT / 64];
	u64 boot[SECTIONS_PER_ROOT / 64];
	u64 in_zone[NR_ZONES][SECTIONS_PER_ROOT / 64];
	u64 present[SECTIONS_PER_ROOT / 64];
	unsigned long nr_sections;
};
static_assert(sizeof(struct section_root) <= PAGE_SIZE, "a root fits a page");

extern struct section_root empty_section_root;

/*
 * Find the section of a pfn (any number) by two loads; NULL if there is none. Only for callers
 * that keep the section in place: by the hotplug lock, by owning a frame of it, by having
 * isolated it, or by its zone's lock. All other readers are walkers and call walk_section().
 */
__only_for("kept sections")
static inline struct mem_section *pfn_to_section(const struct mm *mm, unsigned long pfn)
{
	if (unlikely(pfn >> ROOT_PFN_SHIFT >= NR_SECTION_ROOTS))
		return NULL;
	return READ_POINTER(READ_POINTER(mm->root[pfn >> ROOT_PFN_SHIFT])
				    ->section[(pfn >> SECTION_PFN_SHIFT) % SECTIONS_PER_ROOT]);
}

/**
 * walk_section() - look a section up as a walker, once per bracket and section
 * @mm: memory
 * @pfn: any number
 *
 * Context: in a walk bracket.
 * Return: the section, or NULL. It stays readable until the bracket ends, even if its
 * block goes offline or is removed.
 */
static inline struct mem_section *walk_section(const struct mm *mm, unsigned long pfn)
	__must_hold(walk_bracket)
{
	return pfn_to_section(mm, pfn);
}

/*
 * Find, like walk_section(), the first present section numbered @nr or above; NULL at the end.
 */
struct mem_section *walk_next_section(const struct mm *mm, unsigned long nr)
	__must_hold(walk_bracket);

/**
 * section_zone() - load a section's zone as a walker, once per look-up
 * @ms: from walk_section()
 *
 * Context: in a walk bracket.
 * Return: the zone at this moment, or NULL if the section is in none. Zones are
 * permanent, but the section may have left the zone by the time this returns.
 */
struct zone *section_zone(const struct mem_section *ms) __must_hold(walk_bracket);

/**
 * section_lock_zone() - take the lock of the zone that a section belongs to
 * @ms: from walk_section()
 *
 * A section leaves its zone only under that lock, so @ms stays in the returned zone
 * until the caller releases the lock.
 * Context: in a walk bracket, no zone's lock held.
 * Return: the zone, locked, for section_unlock_zone(); NULL, with no lock held, if the
 * section is in no zone.
 */
struct zone *section_lock_zone(const struct mem_section *ms) __must_hold(walk_bracket);

static inline void section_unlock_zone(struct zone *zone) __no_lock_analysis
{
	spin_unlock(&zone->lock);
}

#endif
