/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _DRIVERS_VIRTIO_VMEM_PLAN_H
#define _DRIVERS_VIRTIO_VMEM_PLAN_H

/*
 * What a virtio-mem driver knows about its region, and which part of it to plug or
 * unplug next. Pure functions: no device, no locks, no allocation, so tests can call
 * them with any state.
 *
 * Units: pageblocks of 2 MiB, by absolute number (pfn >> 9). A granule is the
 * smallest part that is plugged: max(device block, pageblock), 1 to 64 pageblocks,
 * aligned to itself in physical memory, so that it never crosses a memory block.
 *
 * Every pageblock of the region is in one of three states:
 *
 *              PLUG acked                 given to mm
 *   unplugged -----------> held (plugged at  ----------> plugged
 *        ^                 the device, but  <----------
 *        |  UNPLUG acked   not mm's)         taken from mm
 *        +--------------------+
 */
#include "lib/types.h"
#include "mm/page.h"

/* A memory block of the region, from the driver's side. */
enum vmem_block_state {
	VMEM_BLOCK_ABSENT,  /* not added: mm knows nothing of it */
	VMEM_BLOCK_ADDED,   /* added by this driver, removed when its last granule goes */
	VMEM_BLOCK_SHARED,  /* shared with boot memory or another device: this driver
			     * must not remove it */
	NR_VMEM_BLOCK_STATES
};

/**
 * struct vmem_block - one memory block; bit b of a mask is its pageblock b
 * @plugged: plugged at the device, and given to mm
 * @held: plugged at the device, but not given to mm
 * @skip: could not be emptied in this round
 * @stays: the block as a whole could not be emptied in this round
 * @used: frames in use, as vmem_map_scan() found them
 * @state: enum vmem_block_state
 * @refusals: how often in a row mm did not take plugged memory of the block
 * @host: if ADDED: the pageblock with the block's metadata
 */
struct vmem_block {
	u64 plugged;
	u64 held;
	u64 skip;
	u32 used;
	u8 state;
	u8 host;
	u8 refusals;
	bool stays;
};

/* After this many refusals, the plan leaves a block alone until the refusals are forgotten. */
#define VMEM_MAX_REFUSALS 5

/* A run of pageblocks, for one request. */
struct vmem_run {
	unsigned long start;
	unsigned long nr;
};

/**
 * struct vmem_map - one region
 * @start, @end: the part of the region that the driver can use, whole granules
 * @usable_end: the end of what the device allows to be plugged now, whole granules
 * @granule: in pageblocks, a power of two up to 64
 * @max_run: the most pageblocks of one request, whole granules
 * @nr_plugged, @nr_held: sums over the blocks; other threads read them, too
 * @first_block: memory block id of block[0]
 * @used: frames in use in pageblocks (@mask) of the memory block that starts at pageblock
 *	@start; 0 if no frame would have to move
 * @ctx: @used's argument
 * @ids: nr_blocks entries; the ids that vmem_plan_blocks() chose
 */
struct vmem_map {
	unsigned long start;
	unsigned long end;
	unsigned long usable_end;
	unsigned int granule;
	unsigned long max_run;
	unsigned long nr_plugged;
	unsigned long nr_held;
	unsigned long first_block;
	unsigned long nr_blocks;
	u32 (*used)(void *ctx, unsigned long start, u64 mask);
	void *ctx;
	struct vmem_block *block;
	unsigned long *ids;
};

/* Which blocks or granules to choose. */
enum vmem_effort {
	VMEM_FREE, /* only empty ones: no frame has to move */
	VMEM_ANY,  /* all, the emptiest first */
};

static inline unsigned long pb_to_pfn(unsigned long pb)
{
	return pb << PAGEBLOCK_ORDER;
}

static inline unsigned long pfn_to_pb(unsigned long pfn)
{
	return pfn >> PAGEBLOCK_ORDER;
}

static inline u64 pb_to_bytes(unsigned long pb)
{
	return (u64)pb * PAGEBLOCK_SIZE;
}

/* Index of the memory block that a pageblock of the region lies in. */
static inline unsigned long vmem_index(const struct vmem_map *map, unsigned long pb)
{
	return pb / PAGEBLOCKS_PER_SECTION - map->first_block;
}

/* First pageblock of memory block @i. */
static inline unsigned long vmem_block_start(const struct vmem_map *map, unsigned long i)
{
	return (map->first_block + i) * PAGEBLOCKS_PER_SECTION;
}

/* Those pageblocks of memory block @i that lie in [start, end). */
u64 vmem_mask(const struct vmem_map *map, unsigned long i, unsigned long start,
	      unsigned long end);

/* The part of @run in block @i. */
u64 vmem_run_mask(const struct vmem_map *map, unsigned long i, const struct vmem_run *run);

/* Move pageblocks from one state to the other; they must be in the first. */
void vmem_mark_held(struct vmem_map *map, const struct vmem_run *run); /* from unplugged */
void vmem_mark_gone(struct vmem_map *map, const struct vmem_run *run); /* held to unplugged */
void vmem_mark_plugged(struct vmem_map *map, unsigned long i, u64 mask); /* held to plugged */
void vmem_mark_taken(struct vmem_map *map, unsigned long i, u64 mask);	 /* plugged to held */

/* Forget mm's refusals, so that every block may be tried again. */
void vmem_forget_refusals(struct vmem_map *map);

/* The most pageblocks that could be plugged, those already plugged included. */
unsigned long vmem_capacity(const struct vmem_map *map);

/**
 * vmem_plan_plug() - where the next pageblocks should come from
 * @want: whole granules
 * @runs: filled, at most @max, disjoint, each at most max_run
 *
 * Fills existing blocks first, then new blocks, the lowest first in both. Adjacent
 * pageblocks become one run, also across memory blocks.
 * Return: number of runs; 0 if there is no room.
 */
unsigned int vmem_plan_plug(const struct vmem_map *map, unsigned long want,
			    struct vmem_run *runs, unsigned int max);

/**
 * vmem_plan_held() - runs of held pageblocks, from the top
 * @want: the most pageblocks, whole granules
 */
unsigned int vmem_plan_held(const struct vmem_map *map, unsigned long want,
			    struct vmem_run *runs, unsigned int max);

/* Start a round of unplugging: skip nothing, and count the frames in use again. */
void vmem_map_scan(struct vmem_map *map);

/**
 * vmem_plan_blocks() - whole memory blocks to remove
 * @want: the most pageblocks that the chosen blocks may have together
 * @effort: see enum vmem_effort
 *
 * Emptiest first, highest address for ties. Leaves out blocks that stay or have a
 * pageblock in @skip. Needs vmem_map_scan().
 * Return: number of ids in map->ids, ascending.
 */
unsigned long vmem_plan_blocks(struct vmem_map *map, unsigned long want,
			       enum vmem_effort effort);

/**
 * vmem_plan_granules() - granules to unplug from blocks that stay
 * @want: whole granules
 *
 * Emptiest first (in 1/64 of a granule), highest address for ties; never the
 * granule with the metadata of a block. Runs come from the top.
 * Return: number of runs.
 */
unsigned int vmem_plan_granules(const struct vmem_map *map, unsigned long want,
				enum vmem_effort effort, struct vmem_run *runs,
				unsigned int max);

#endif
