/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _DRIVERS_VIRTIO_VMEM_PLAN_H
#define _DRIVERS_VIRTIO_VMEM_PLAN_H

/*
 * A virtio-mem driver's knowledge of its region, and the choice of the part to plug or unplug
 * next. All functions are pure: they use no device or lock and allocate nothing, so tests can
 * call them with any state.
 *
 * Units: pageblocks of 2 MiB, by absolute number (pfn >> 9). A granule is the
 * smallest part that is plugged: max(device block, pageblock). It has 1 to 64 pageblocks and
 * is aligned to its size in physical memory, so it never crosses the border of a memory block.
 *
 * Every pageblock of the region is in one of three states:
 *
 *              PLUG acked                     given to mm
 *   unplugged -----------> reserved (plugged at ----------> plugged
 *        ^                 the device, but not  <----------
 *        |  UNPLUG acked   mm's)                 taken from mm
 *        +--------------------+
 *
 * mm knows which pageblocks are plugged, and the plan asks it: memory_block_info(). The
 * driver keeps only what mm does not know: which pageblocks are reserved.
 */
#include "mm/memory_hotplug.h"

/**
 * struct vmem_block - one memory block; bit b of a mask is its pageblock b
 * @reserved: plugged at the device, but not mm's
 * @skip: could not be emptied in this round
 * @stays: the block as a whole could not be emptied in this round
 * @used: frames in use, as vmem_map_scan() found them
 * @refusals: how many times in a row mm has refused the block's plugged memory
 */
struct vmem_block {
	u64 reserved;
	u64 skip;
	u32 used;
	u8 refusals;
	bool stays;
};

/* After this many refusals, the plan leaves a block out until vmem_forget_refusals(). */
#define VMEM_MAX_REFUSALS 5

/* A run of pageblocks, for one request. */
struct vmem_run {
	unsigned long start;
	unsigned long nr;
};

/**
 * struct vmem_map - one region
 * @start, @end: the part of the region that the driver can use, whole granules
 * @usable_end: the end of the part that the device allows the driver to plug now, whole
 *  granules
 * @granule: in pageblocks, a power of two up to 64
 * @max_run: the most pageblocks of one request, whole granules
 * @nr_reserved: sum over the blocks; other threads also read it
 * @first_block: memory block id of block[0]
 * @info: ask mm about a memory block, by its id
 * @next: find the id of mm's first memory block at or above an id; PFN_NONE if there is none
 * @used: count the frames in use in pageblocks (@mask) of the memory block that starts at
 *	pageblock @start; 0 if no frame would have to move
 * @ctx: the argument of all three
 * @ids: nr_blocks entries; the ids that vmem_plan_blocks() chose
 */
struct vmem_map {
	unsigned long start;
	unsigned long end;
	unsigned long usable_end;
	unsigned int granule;
	unsigned long max_run;
	unsigned long nr_reserved;
	unsigned long first_block;
	unsigned long nr_blocks;
	struct memory_block_info (*info)(void *ctx, unsigned long block);
	unsigned long (*next)(void *ctx, unsigned long block);
	u32 (*used)(void *ctx, unsigned long start, u64 mask);
	void *ctx;
	struct vmem_block *block;
	unsigned long *ids;
};

/* The blocks or granules to choose from. */
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

/* Return the id of the memory block that a pageblock lies in. */
static inline unsigned long pb_to_block(unsigned long pb)
{
	return pb / PAGEBLOCKS_PER_SECTION;
}

/* Return the index of the memory block that a pageblock of the region lies in. */
static inline unsigned long vmem_index(const struct vmem_map *map, unsigned long pb)
{
	return pb_to_block(pb) - map->first_block;
}

/* Return the first pageblock of memory block @i. */
static inline unsigned long vmem_block_start(const struct vmem_map *map, unsigned long i)
{
	return (map->first_block + i) * PAGEBLOCKS_PER_SECTION;
}

/* Return the pageblocks of memory block @i that lie in [start, end). */
u64 vmem_mask(const struct vmem_map *map, unsigned long i, unsigned long start,
	      unsigned long end);

/* Return the part of @run in block @i. */
u64 vmem_run_mask(const struct vmem_map *map, unsigned long i, const struct vmem_run *run);

/* Ask mm about memory block @i. */
static inline struct memory_block_info vmem_info(const struct vmem_map *map, unsigned long i)
{
	return map->info(map->ctx, map->first_block + i);
}

/* Index of mm's first memory block at or above @i; nr_blocks or more if there is none. */
static inline unsigned long vmem_next(const struct vmem_map *map, unsigned long i)
{
	return map->next(map->ctx, map->first_block + i) - map->first_block;
}

/* For each memory block of the region that mm has. The others cost nothing. */
#define for_each_vmem_block(i, map)                                     \
	for (unsigned long i = vmem_next(map, 0); i < (map)->nr_blocks; \
	     i = vmem_next(map, i + 1))

/* Mark pageblocks as reserved: the device has plugged them, or mm has given them up. */
void vmem_reserve(struct vmem_map *map, const struct vmem_run *run);
/*
 * Mark pageblocks as no longer reserved: the device has unplugged them, or mm has taken them.
 */
void vmem_unreserve(struct vmem_map *map, const struct vmem_run *run);
/* Do the same for the pageblocks in @mask of block @i. */
void vmem_reserve_mask(struct vmem_map *map, unsigned long i, u64 mask);
void vmem_unreserve_mask(struct vmem_map *map, unsigned long i, u64 mask);

/* Forget mm's refusals, so that every block may be tried again. */
void vmem_forget_refusals(struct vmem_map *map);

/**
 * vmem_plan_plug() - choose the next pageblocks to plug
 * @want: whole granules
 * @runs: gets at most @max disjoint runs, each of at most max_run pageblocks
 *
 * Fills blocks that mm has first, then new blocks; in both cases the lowest first. Adjacent
 * pageblocks become one run, also across memory blocks.
 * Return: number of runs; 0 if there is no room.
 */
unsigned int vmem_plan_plug(const struct vmem_map *map, unsigned long want,
			    struct vmem_run *runs, unsigned int max);

/**
 * vmem_plan_reserved() - list runs of reserved pageblocks, from the top
 * @want: at most this many pageblocks, whole granules
 */
unsigned int vmem_plan_reserved(const struct vmem_map *map, unsigned long want,
				struct vmem_run *runs, unsigned int max);

/* Start a round of unplugging: skip nothing, and count the frames in use again. */
void vmem_map_scan(struct vmem_map *map);

/**
 * vmem_plan_blocks() - choose whole memory blocks to remove
 * @want: the most pageblocks that the chosen blocks may have together
 * @effort: see enum vmem_effort
 *
 * Chooses the emptiest first, and the highest of equally empty blocks. Leaves out blocks that
 * stay or have a pageblock in @skip. Needs vmem_map_scan().
 * Return: number of ids in map->ids, ascending.
 */
unsigned long vmem_plan_blocks(struct vmem_map *map, unsigned long want,
			       enum vmem_effort effort);

/**
 * vmem_plan_granules() - choose granules to unplug from blocks that stay
 * @want: whole granules
 *
 * Chooses the emptiest first (in 1/64 of a granule), and the highest of equally empty
 * granules, but never the granule with the metadata of a block. Runs come from the top.
 * Return: number of runs.
 */
unsigned int vmem_plan_granules(const struct vmem_map *map, unsigned long want,
				enum vmem_effort effort, struct vmem_run *runs,
				unsigned int max);

#endif
