/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _DRIVERS_VIRTIO_VMEM_PLAN_H
#define _DRIVERS_VIRTIO_VMEM_PLAN_H

/*
 * What a virtio-mem driver knows of its region, and which part of it to plug or
 * unplug next. Pure: no device, no locks, no allocation, so that tests can ask it
 * anything.
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

/* What a memory block of the region is to the driver. */
enum vmem_block_state {
	VMEM_BLOCK_ABSENT,  /* not added: mm knows nothing of it */
	VMEM_BLOCK_ADDED,   /* added by this driver, removed when its last granule goes */
	VMEM_BLOCK_SHARED,  /* with boot memory or another device: not this driver's to remove */
	NR_VMEM_BLOCK_STATES
};

/**
 * struct vmem_block - one memory block; bit b of a mask is its pageblock b
 * @plugged: memory, and mm's
 * @held: plugged at the device, and not mm's
 * @skip: could not be emptied in this round
 * @stays: the block as a whole could not be emptied in this round
 * @used: frames in use, as vmem_map_scan() found them
 * @state: enum vmem_block_state
 * @refusals: how often in a row mm did not take what was plugged of it
 * @host: ADDED: the pageblock with the block's metadata
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

/* So often mm may refuse a block; then nothing is plugged of it until they are forgotten. */
#define VMEM_MAX_REFUSALS 5

/* A run of pageblocks: what one request asks for. */
struct vmem_run {
	unsigned long start;
	unsigned long nr;
};

/**
 * struct vmem_map - one region
 * @start, @end: pageblocks that can be used at all, whole granules
 * @usable_end: what the device lets us plug now, whole granules
 * @granule: in pageblocks, a power of two up to 64
 * @max_run: most pageblocks of one request, whole granules
 * @nr_plugged, @nr_held: sums over the blocks
 * @first_block: memory block id of block[0]
 * @used: frames in use in pageblocks (@mask) of the memory block that starts at pageblock
 *	@start; 0 where nothing would have to move
 * @ctx: for @used
 * @ids: scratch of nr_blocks: what vmem_plan_blocks() chose
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

/* Which blocks or granules to take first. */
enum vmem_effort {
	VMEM_FREE, /* only what is empty: nothing has to move */
	VMEM_ANY,  /* the emptiest first */
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

/* A run's pageblocks go from one state to the other; they are in the former. */
void vmem_mark_held(struct vmem_map *map, const struct vmem_run *run); /* from unplugged */
void vmem_mark_gone(struct vmem_map *map, const struct vmem_run *run); /* held to unplugged */
void vmem_mark_plugged(struct vmem_map *map, unsigned long i, u64 mask); /* held to plugged */
void vmem_mark_taken(struct vmem_map *map, unsigned long i, u64 mask);	 /* plugged to held */

/* Whatever mm refused may be tried again. */
void vmem_forget_refusals(struct vmem_map *map);

/* What could be plugged at most, in pageblocks, what is plugged included. */
unsigned long vmem_capacity(const struct vmem_map *map);

/**
 * vmem_plan_plug() - where the next pageblocks should come from
 * @want: whole granules
 * @runs: filled, at most @max, disjoint, each at most max_run
 *
 * Blocks that are there already are filled first, lowest first; then new blocks,
 * lowest first. What is adjacent becomes one run, across memory blocks.
 * Return: number of runs; 0 if there is no room.
 */
unsigned int vmem_plan_plug(const struct vmem_map *map, unsigned long want,
			    struct vmem_run *runs, unsigned int max);

/**
 * vmem_plan_held() - runs of held pageblocks, from the top
 * @want: at most so many pageblocks, whole granules
 */
unsigned int vmem_plan_held(const struct vmem_map *map, unsigned long want,
			    struct vmem_run *runs, unsigned int max);

/* Start a round of unplugging: nothing is skipped, occupancy is counted anew. */
void vmem_map_scan(struct vmem_map *map);

/**
 * vmem_plan_blocks() - whole memory blocks to remove
 * @want: pageblocks; the chosen blocks have no more together
 * @effort: see enum vmem_effort
 *
 * Emptiest first, highest address for ties. Blocks that stay, or have a
 * pageblock in @skip, are left out. Needs vmem_map_scan().
 * Return: number of ids in map->ids, ascending.
 */
unsigned long vmem_plan_blocks(struct vmem_map *map, unsigned long want,
			       enum vmem_effort effort);

/**
 * vmem_plan_granules() - granules to unplug out of blocks that stay
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
