/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_MEMORY_HOTPLUG_H
#define _MM_MEMORY_HOTPLUG_H

/*
 * Memory hotplug: owners of ranges, memory blocks, onlining and offlining.
 * A memory block is one section, 128 MiB; its id is pfn / PAGES_PER_SECTION.
 *
 *   ABSENT -add-> OFFLINE -online-> GOING_ONLINE -> ONLINE
 *   ONLINE -offline-> GOING_OFFLINE -> OFFLINE -remove-> ABSENT
 *
 * Compare with: Linux mm/memory_hotplug.c, drivers/base/memory.c.
 */
#include "mm/evacuate.h"

/*
 * In all functions here, @why is filled on failure, and @limits is NULL for the defaults
 * of the request: see EVAC_LIMITS.
 */

/* Metadata of a self-hosted block: 128 frames of descriptors, 1 of free bits. */
#define MHP_HEADER_PAGES 129UL

/**
 * struct memory_owner - the owner of a range of physical memory
 * @name: e.g. "vm0", for messages
 * @region: all frames that it may ever bring
 * @online_page: called at onlining for naturally aligned chunks (order <= 10) that
 *	cover the block once, all PageOffline. Gives the chunk to the allocator with
 *	generic_online_page(), or leaves it PageOffline. NULL: all go to the allocator
 * @unblocked: called when a failed unplug or removal is worth another try: the frame
 *	in the way was freed or unpinned, another request ended, or a listener no longer
 *	refuses. Any context, even with zone->lock held: sets a flag and wakes. May be
 *	NULL
 * @describe: writes one line about a frame ("granule 17, unplugged"), no locks; may be
 *	NULL
 * @unit_pages: the auto-movable policy puts this many frames into one zone together;
 *	units start at the region's first block. 0: each block is a unit (Linux: a dynamic
 *	group); region.nr_pages: the region is one, as a DIMM is (Linux: a static group)
 * @present: present frames of its online blocks, by zone; mm/ maintains it
 * @plugged: frames of the region that are memory now, in any block; mm/ maintains it
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
	unsigned long plugged;
};

/**
 * register_memory_owner() - claim a region
 *
 * Frames of the region that lie in boot sections (holes until now) become PageOffline
 * and skippable, so that the owner can plug memory there. The blocks of these sections are
 * never added, offlined or removed. Allocates nothing: page tables come with each block.
 * Return: 0; -EEXIST overlaps another owner or boot memory; -E2BIG cannot be
 * addressed.
 */
int __must_check register_memory_owner(struct mm *mm, struct memory_owner *owner,
				       struct mm_failure *why);

/*
 * Give up a region. Clears PG_offline_skippable on the owner's offline frames first, so
 * that its partly plugged blocks refuse to go offline. Cannot fail: blocks that are still
 * added stay, without an owner. Returns when no hart can read @owner any more, however
 * long a hart takes; waits for that without the hotplug lock.
 */
void unregister_memory_owner(struct mm *mm, struct memory_owner *owner);

/* Find the owner of a frame by range, or NULL; it stays until the walk bracket ends. */
struct memory_owner *memory_owner_of(struct mm *mm, unsigned long pfn) __must_hold(walk_bracket);

/**
 * add_memory() - make a memory block known: metadata, memmap, direct map
 * @block: id
 * @owner: registered; the block overlaps its region and no boot memory
 * @plugged: bit b: pageblock b is memory now, so map it; at least one bit. The metadata
 *	     (MHP_HEADER_PAGES) goes to the start of the first run of plugged pageblocks.
 *	     Frames outside of the owner's region are holes.
 *
 * All other frames start as PageOffline, frozen, skippable where unplugged. Then onlines
 * the block with the default online type, unless that is "offline"; a failure to online
 * is not a failure to add.
 * A block with all of its memory in @owner's region needs no memory beyond the fixed
 * reserve.
 * Context: thread; takes the hotplug lock.
 * Return: 0; or a negative errno, with nothing changed.
 */
int __must_check add_memory(struct mm *mm, unsigned long block, struct memory_owner *owner,
			    u64 plugged, struct mm_failure *why);

int __must_check online_memory_block(struct mm *mm, unsigned long block,
				     enum mhp_online_type type, struct mm_failure *why);
int __must_check offline_memory_block(struct mm *mm, unsigned long block,
				      const struct evac_limits *limits,
				      struct mm_failure *why);
/**
 * offline_memory_blocks() - offline all of these blocks, or none
 * @blocks: ids, each once
 *
 * Isolates all blocks, asks the listeners, and judges all frames before the first page
 * moves: if a block cannot leave, no block has gone offline, why->migrated is 0, and
 * why->pfn lies in the block that stands in the way, which the log names. With
 * limits->wait it does not hold the hotplug lock while it waits.
 * Context: thread; takes the hotplug lock.
 */
int __must_check offline_memory_blocks(struct mm *mm, const unsigned long *blocks,
				       unsigned int nr, const struct evac_limits *limits,
				       struct mm_failure *why);

/**
 * try_remove_memory() - remove an offline block's metadata and mappings
 *
 * Frees the memmap after a grace period.
 * Context: thread; takes the hotplug lock.
 * Return: 0; or, with nothing changed: -ENOENT if there is no such block; -EBUSY if it is
 * not offline, or boot memory lies in it; -ETIMEDOUT if a hart does not end its walk.
 */
int __must_check try_remove_memory(struct mm *mm, unsigned long block, struct mm_failure *why);

/**
 * offline_and_remove_memory() - offline and remove all of these blocks, or none
 * @blocks: ids, each once; online or offline
 *
 * Works like offline_memory_blocks(). If a hart does not end its walk, the memory cannot
 * leave; the function then brings the blocks online again, with their previous online
 * type.
 */
int __must_check offline_and_remove_memory(struct mm *mm, const unsigned long *blocks,
					   unsigned int nr,
					   const struct evac_limits *limits,
					   struct mm_failure *why);

/**
 * release_offline_range() - give PageOffline frames to the allocator
 *
 * No other function does so. It serves frames withheld at onlining, frames never plugged
 * before, and frames taken by contig. Raises the managed count; the frames become free
 * (isolated if their pageblock is). They must be mapped.
 * Context: thread. Panics if a frame is not PageOffline in an online or
 * going-online section.
 */
void release_offline_range(struct mm *mm, unsigned long start, unsigned long nr);

/**
 * mark_offline_frames() - say whether an owner can restore its offline frames
 * @range: any frames of blocks that are online or going online; only PageOffline frames
 *	change
 * @flags: PG_OFFLINE_SKIPPABLE: the owner withholds them again at the next onlining; or 0
 *
 * For online_page callbacks: frames that they withhold are not skippable unless they call
 * this.
 * Context: hotplug lock held, as in those callbacks.
 */
void mark_offline_frames(struct mm *mm, const struct pfn_range *range, unsigned int flags);

/*
 * Release one chunk by release_offline_range(), for online_page callbacks and drivers. After
 * onlining, only the frames' owner may call it, and must then call
 * zone_update_watermarks().
 */
void generic_online_page(struct mm *mm, unsigned long pfn, unsigned int order);

/**
 * plug_memory() - turn an owner's frames in an added block into memory
 * @range: whole pageblocks, PageOffline and unmapped
 *
 * Maps them and, in an online block, gives them to the allocator.
 * Context: thread; takes the hotplug lock.
 */
int __must_check plug_memory(struct mm *mm, const struct pfn_range *range,
			     struct mm_failure *why);

/**
 * unplug_memory() - take an owner's frames out of use
 * @range: whole pageblocks that are memory, without a block's own metadata
 *
 * In an online block it takes them from the allocator and marks them PageOffline and
 * skippable; then it unmaps them. The device may take them afterwards; if it does not,
 * plug_memory() brings them back. It does not wait, and allocates nothing except the
 * targets of migration.
 * Context: thread; takes the hotplug lock.
 */
int __must_check unplug_memory(struct mm *mm, const struct pfn_range *range,
			       const struct evac_limits *limits, struct mm_failure *why);

/**
 * struct memory_block_info - a memory block as an owner of frames in it sees it
 * @state: if MEM_BLOCK_ABSENT, all the rest is 0
 * @removable: the owner added it, and no other owner has frames in it
 * @plugged: bit b: pageblock b is in the owner's region, and memory
 * @header: the bit of the pageblock with the block's own metadata, which leaves only with
 *	    the block; 0 if the metadata lies elsewhere
 */
struct memory_block_info {
	enum memory_block_state state;
	bool removable;
	u64 plugged;
	u64 header;
};

/* Get a block's state in mm, for its owner. No lock; only the owner changes @plugged. */
struct memory_block_info memory_block_info(const struct mm *mm, unsigned long block,
					   const struct memory_owner *owner);

/*
 * Count the frames in use that only evacuation can free (occupancy), in the pageblocks @mask
 * of a memory block; 0 if it is not online. No lock. Pageblocks that are free as a whole cost
 * nothing.
 */
unsigned int pageblocks_used(const struct mm *mm, unsigned long block, u64 mask);

/*
 * Write "memory36: offline failed: pfn 0x90a40 is Slab ...", the line for the log and
 * for a user.
 */
void memory_block_print_failure(unsigned long block, const char *what,
				const struct mm_failure *why, struct sink *out);

/* The data for memory notifiers. */
struct memory_notify {
	struct mm *mm;
	unsigned long start_pfn;
	unsigned long nr_pages;
};

/* Listen to MEM_* events; GOING_* may return a negative errno (veto). */
int register_memory_notifier(struct mm *mm, struct notifier_block *nb);
void unregister_memory_notifier(struct mm *mm, struct notifier_block *nb);

/*
 * Call every owner's unblocked(): a listener that refused GOING_OFFLINE would now agree.
 * Context: any thread, even inside a listener's callback.
 */
void memory_listener_relents(struct mm *mm);

/* Return the zone that onlining with @type picks for a block, by the online_policy. */
enum zone_type zone_for_block(struct mm *mm, unsigned long block, enum mhp_online_type type);

/*
 * List the zones that a block can go to: its own when it is online, else first the zone
 * that "online" picks, then the other. Return: how many; 0 if there is no such block.
 */
unsigned int memory_block_valid_zones(struct mm *mm, unsigned long block,
				      enum zone_type zones[NR_ZONES]);
const char *online_type_name(enum mhp_online_type type);

/* Get the state of a block id, ABSENT if there is no block. No lock; may be stale at once. */
enum memory_block_state memory_block_state(const struct mm *mm, unsigned long block);
const char *memory_block_state_name(enum memory_block_state state);
/* Find the first present block id at or above @block, or PFN_NONE. No lock; may be stale. */
unsigned long next_memory_block(const struct mm *mm, unsigned long block);

/* Visit each present block id at or above @first. */
#define for_each_memory_block(mm, block, first)                              \
	for (unsigned long block = next_memory_block(mm, first); block != PFN_NONE; \
	     block = next_memory_block(mm, block + 1))

#endif
