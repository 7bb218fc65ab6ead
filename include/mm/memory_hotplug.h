/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_MEMORY_HOTPLUG_H
#define _MM_MEMORY_HOTPLUG_H

/*
 * Memory that comes and goes: owners of ranges, memory blocks, onlining.
 * A memory block is one section, 128 MiB; its id is pfn / PAGES_PER_SECTION.
 *
 *   ABSENT -add-> OFFLINE -online-> GOING_ONLINE -> ONLINE
 *   ONLINE -offline-> GOING_OFFLINE -> OFFLINE -remove-> ABSENT
 *
 * Compare with: Linux mm/memory_hotplug.c, drivers/base/memory.c.
 */
#include "mm/evacuate.h"

/* Metadata of a self-hosted block: 128 frames of descriptors, 1 of free bits. */
#define MHP_HEADER_PAGES 129UL

/**
 * struct memory_owner - who a range of physical memory belongs to
 * @name: e.g. "vm0", for messages
 * @region: all frames that it may ever bring
 * @online_page: called at onlining for naturally aligned chunks (order <= 10) that
 *	cover the block once, all PageOffline. Gives the chunk to the allocator with
 *	generic_online_page(), or does nothing: it stays PageOffline. NULL: generic.
 * @unblocked: an unplug with EVAC_WATCH has failed because of a frame, and that may have
 *	changed: it was freed or unpinned, another request has ended, a listener relents.
 *	Any context, also with zone->lock held: sets a flag and wakes. May be NULL
 * @describe: one line about a frame ("granule 17, unplugged"), no locks; may be NULL
 * @unit_pages: frames that the policy auto-movable puts into one zone, counted from the
 *	region's first block. 0: a block (Linux: a dynamic group); region.nr_pages: all
 *	or nothing, as for a DIMM (Linux: a static group)
 * @present: of its added blocks that are online, by zone; kept by mm/
 */
struct memory_owner {
	const char *name;
	struct pfn_range region;
	void (*online_page)(struct memory_owner *owner, unsigned long pfn, unsigned int order);
	void (*unblocked)(struct memory_owner *owner);
	void (*describe)(struct memory_owner *owner, unsigned long pfn, struct sink *out);
	struct list_head list;
	unsigned long unit_pages;
	unsigned long present[NR_ZONES];
};

/**
 * register_memory_owner() - claim a region
 *
 * Frames of the region that lie in boot sections (holes until now) become
 * PageOffline and skippable there: the owner plugs into those blocks, which are
 * never added, offlined or removed. Page tables for the whole region are made,
 * so that later mapping cannot fail.
 * Return: 0; -EEXIST overlaps another owner or boot memory; -E2BIG cannot be
 * addressed; -ENOMEM.
 */
int __must_check register_memory_owner(struct mm *mm, struct memory_owner *owner,
				       struct mm_failure *why);

/*
 * The opposite. Clears PG_offline_skippable on the owner's offline frames first,
 * so that its partly plugged blocks refuse to go offline from now on.
 * -EBUSY never: blocks that are still added stay, without an owner.
 */
void unregister_memory_owner(struct mm *mm, struct memory_owner *owner);

/* The owner of a frame by range, or NULL; it stays until the caller's walk bracket ends. */
struct memory_owner *memory_owner_of(struct mm *mm, unsigned long pfn) __must_hold(walk_bracket);

/**
 * add_memory() - make a memory block known: metadata, memmap, direct map
 * @block: id
 * @owner: registered; the block overlaps its region and no boot memory
 * @plugged: bit b: pageblock b is memory now and is to be mapped; at least one bit.
 *	     The metadata (MHP_HEADER_PAGES) goes to the start of the first run of
 *	     plugged pageblocks. Frames outside of the owner's region are holes.
 *
 * All other frames start as PageOffline, frozen, skippable where unplugged. The
 * block is then onlined with the default online type unless that is "offline"; a
 * failure to online is not a failure to add.
 * Allocates nothing but from the fixed reserve. Context: thread; takes the hotplug lock.
 * Return: 0 or a negative errno with nothing left behind.
 */
int __must_check add_memory(struct mm *mm, unsigned long block, struct memory_owner *owner,
			    u64 plugged, struct mm_failure *why);

int __must_check online_memory_block(struct mm *mm, unsigned long block,
				     enum mhp_online_type type, struct mm_failure *why);
int __must_check offline_memory_block(struct mm *mm, unsigned long block,
				      const struct evacuate_policy *policy, struct mm_failure *why);
/**
 * offline_memory_blocks() - offline all of these blocks, or none
 * @blocks: ids, each once
 *
 * All are isolated, the listeners asked, and all frames judged before the first page is
 * moved: if one block cannot leave, none went offline, and why->migrated is 0. Then
 * why->pfn lies in the block that stands in the way, which is named in the log. With
 * EVAC_WAIT_FREE the hotplug lock is not held while it waits.
 * Context: thread; takes the hotplug lock.
 */
int __must_check offline_memory_blocks(struct mm *mm, const unsigned long *blocks,
				       unsigned int nr, const struct evacuate_policy *policy,
				       struct mm_failure *why);

/**
 * try_remove_memory() - take an offline block's metadata and mappings away
 *
 * Its memmap goes after a grace period. Context: thread; takes the hotplug lock.
 * Return: 0; -ENOENT there is none; -EBUSY it is not offline, or boot memory lies in
 * it; -ETIMEDOUT a hart is in a walk and does not end it. Nothing has changed then.
 */
int __must_check try_remove_memory(struct mm *mm, unsigned long block, struct mm_failure *why);

/**
 * offline_and_remove_memory() - all of these blocks, or none
 * @blocks: ids, each once; online or offline
 *
 * As offline_memory_blocks(). Only if a hart does not end its walk are blocks onlined
 * again, with their former online type: the memory cannot go then.
 */
int __must_check offline_and_remove_memory(struct mm *mm, const unsigned long *blocks,
					   unsigned int nr, const struct evacuate_policy *policy,
					   struct mm_failure *why);

/**
 * mark_offline_frames() - say whether an owner can restore his offline frames
 * @range: any frames of blocks that are or go online; only PageOffline ones change
 * @flags: PG_OFFLINE_SKIPPABLE: he keeps them back again at the next onlining; or 0
 *
 * For online_page callbacks: what they keep back is not skippable unless they say so.
 * Context: hotplug lock held, as in those callbacks.
 */
void mark_offline_frames(struct mm *mm, const struct pfn_range *range, unsigned int flags);

/*
 * For online_page callbacks and drivers: release_offline_range() of one chunk. Later
 * than at onlining the frame's owner alone calls it, and zone_update_watermarks() after.
 */
void generic_online_page(struct mm *mm, unsigned long pfn, unsigned int order);

/**
 * mhp_plug_range() - a driver's frames of an added block became memory
 * @range: whole pageblocks, PageOffline and unmapped
 * Maps them; in an online block they are then released to the allocator.
 * mhp_unplug_prepare() - the opposite: take them (contig), mark PageOffline and
 * skippable, unmap. In an offline block: unmap only. After it returns 0 the
 * frames may be taken away. Both: thread context, hotplug lock taken inside, no
 * allocation. mhp_unplug_cancel() puts back what the device did not take.
 */
int __must_check mhp_plug_range(struct mm *mm, const struct pfn_range *range,
				struct mm_failure *why);
int __must_check mhp_unplug_prepare(struct mm *mm, const struct pfn_range *range,
				    const struct evacuate_policy *policy, struct mm_failure *why);
void mhp_unplug_cancel(struct mm *mm, const struct pfn_range *range);

/* Frames in use in a pageblock that only evacuation can free (occupancy), 0..512. */
unsigned int pageblock_used(const struct mm *mm, unsigned long pfn);

/* What memory notifiers get as data. */
struct memory_notify {
	struct mm *mm;
	unsigned long start_pfn;
	unsigned long nr_pages;
};

/* Listen to MEM_* events; GOING_* may return a negative errno (veto). */
int register_memory_notifier(struct mm *mm, struct notifier_block *nb);
void unregister_memory_notifier(struct mm *mm, struct notifier_block *nb);

/*
 * A listener that has refused GOING_OFFLINE would not any more: every owner's unblocked()
 * is called. Context: any thread, also a listener that is being called.
 */
void memory_listener_relents(struct mm *mm);

/* Zone that "online" picks for this block by the contiguous-zone default rule. */
enum zone_type zone_for_block(struct mm *mm, unsigned long block, enum mhp_online_type type);

/*
 * The zones a block can go to: its own when it is online, else first the one that
 * "online" picks, then the other. Return: how many, 0 if there is no such block.
 */
unsigned int memory_block_valid_zones(struct mm *mm, unsigned long block,
				      enum zone_type zones[NR_ZONES]);
const char *online_type_name(enum mhp_online_type type);

/* Block id -> state, ABSENT if it was never added. No lock; may be stale at once. */
enum memory_block_state memory_block_state(const struct mm *mm, unsigned long block);
const char *memory_block_state_name(enum memory_block_state state);
/* Next present block id at or above @block; PFN_NONE at the end. No lock; may be gone at once. */
unsigned long next_memory_block(const struct mm *mm, unsigned long block);

#endif
