/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shrinking: take pageblocks from mm, then unplug them. Whole empty blocks go first, then
 * empty granules, then blocks and granules that must be emptied. The driver skips what it
 * cannot empty, and keeps the reason for the status.
 *
 * Nothing here allocates: memory must be able to leave without new memory.
 *
 * Compare with: Linux virtio_mem_sbm_unplug_request().
 */
#define pr_fmt(fmt) "virtio_mem: " fmt
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/printk.h"
#include "kernel/timer.h"
#include "lib/bitops.h"
#include "lib/errno.h"

static bool shrink_cancelled(void *cookie)
{
	return vmem_interrupted(cookie);
}

/* The limits of a request that begins now; a changed configuration ends it early. */
static struct evac_limits shrink_limits(struct virtio_mem *vm, enum evac_request request,
					unsigned long parts)
{
	struct evac_limits limits = evac_limits(request, (unsigned int)parts);

	limits.cancelled = shrink_cancelled;
	limits.cookie = vm;
	return limits;
}

/* What to do with memory that the device refuses to take. */
enum refused {
	REFUSED_HOLD,	  /* keep it for the next round */
	REFUSED_PUT_BACK, /* give it back to the block it came from */
};

/* Give frames back to mm that mm has prepared for unplug. */
static void put_back(struct virtio_mem *vm, const struct vmem_run *run)
{
	struct vmem_map *map = &vm->map;

	for (unsigned long i = vmem_index(map, run->start);
	     i < map->nr_blocks && vmem_block_start(map, i) < run->start + run->nr; i++) {
		const u64 mask = vmem_run_mask(map, i, run);
		const struct pfn_range range = {
			pb_to_pfn(vmem_block_start(map, i) + __ffs(mask)),
			pb_to_pfn(hweight64(mask)),
		};

		mhp_unplug_cancel(vm->mm, &range);
		vmem_mark_plugged(map, i, mask);
	}
}

/* Send UNPLUG for held runs. */
static int unplug_runs(struct virtio_mem *vm, unsigned int nr, enum refused refused)
{
	const int ret = vmem_request(vm, VIRTIO_MEM_REQ_UNPLUG, vm->runs, nr);

	for (unsigned int i = 0; i < nr; i++) {
		const struct vmem_slot *slot = &vm->slot[i];

		if (slot->answer == VMEM_ACK)
			vmem_mark_gone(&vm->map, &slot->run);
		/* Without a clear answer the device may have done it, or do it later. */
		else if (refused == REFUSED_PUT_BACK && slot->answer < VMEM_ERROR)
			put_back(vm, &slot->run);
	}
	return ret;
}

int vmem_drop_held(struct virtio_mem *vm, unsigned long want)
{
	want = min(want, vm->map.nr_held);
	while (want) {
		const unsigned long before = vm->map.nr_held;
		const unsigned int nr = vmem_plan_held(&vm->map, want, vm->runs, vm->nr_slots);
		const int ret = unplug_runs(vm, nr, REFUSED_HOLD);

		want -= min(want, before - vm->map.nr_held);
		if (ret)
			return ret;
	}
	return 0;
}

/* --- whole memory blocks -------------------------------------------------- */

/* The memory block to blame: that of the named frame, else @fallback. */
static unsigned long failed_block(const struct mm_failure *why, unsigned long fallback)
{
	return why->pfn == PFN_NONE ? fallback : why->pfn >> SECTION_PFN_SHIFT;
}

/* Skip the block that stood in the way, or all blocks if the failure names none. */
static void skip_blocks(struct vmem_map *map, unsigned long nr, const struct mm_failure *why)
{
	const unsigned long bad = failed_block(why, PFN_NONE);

	for (unsigned long n = 0; n < nr; n++) {
		if (map->ids[n] == bad) {
			map->block[bad - map->first_block].stays = true;
			return;
		}
	}
	for (unsigned long n = 0; n < nr; n++)
		map->block[map->ids[n] - map->first_block].stays = true;
}

/* Mark blocks that have left mm as held: the device has them plugged until it says no. */
static void blocks_removed(struct virtio_mem *vm, unsigned long nr)
{
	struct vmem_map *map = &vm->map;

	for (unsigned long n = 0; n < nr; n++) {
		const unsigned long i = map->ids[n] - map->first_block;

		vmem_mark_taken(map, i, map->block[i].plugged);
		WRITE_ONCE(map->block[i].state, VMEM_BLOCK_ABSENT);
	}
}

/* Errors after which another block or granule may still work. */
static bool is_local(const struct mm_failure *why)
{
	return why->reason != MM_REASON_CANCELLED && why->reason != MM_REASON_HARTS_BUSY;
}

static int failure_errno(const struct mm_failure *why)
{
	return why->reason == MM_REASON_CANCELLED ? -EAGAIN : -ETIMEDOUT;
}

static int shrink_blocks(struct virtio_mem *vm, unsigned long want, enum vmem_effort effort)
{
	for (;;) {
		const unsigned long nr = vmem_plan_blocks(&vm->map, want, effort);
		const struct evac_limits limits =
			shrink_limits(vm, EVAC_FOR_UNPLUG_BLOCK, nr);
		struct mm_failure why = { .pfn = PFN_NONE };
		unsigned long before;
		int ret;

		if (!nr)
			return 0;
		if (vmem_interrupted(vm))
			return -EAGAIN;
		ret = offline_and_remove_memory(vm->mm, vm->map.ids, (unsigned int)nr,
						&limits, &why);
		if (ret) {
			vmem_trouble(vm, failed_block(&why, vm->map.ids[0]), &why);
			if (!is_local(&why))
				return failure_errno(&why);
			skip_blocks(&vm->map, nr, &why);
			continue;
		}
		before = vm->map.nr_plugged;
		blocks_removed(vm, nr);
		before -= vm->map.nr_plugged;
		ret = vmem_drop_held(vm, before);
		if (ret)
			return ret;
		want -= before;
	}
}

/* --- granules of blocks that stay ----------------------------------------- */

/* Skip the whole granule that holds a pageblock in this round. */
static void skip_granule(struct vmem_map *map, unsigned long pb)
{
	const unsigned long start = ALIGN_DOWN(pb, (unsigned long)map->granule);
	const unsigned long i = vmem_index(map, start);

	map->block[i].skip |= vmem_mask(map, i, start, start + map->granule);
}

/* Skip the granule that holds the frame in the way, or all of the run. */
static void skip_run(struct vmem_map *map, const struct vmem_run *run, unsigned long pfn)
{
	const unsigned long pb = pfn == PFN_NONE ? 0 : pfn_to_pb(pfn);

	if (pb >= run->start && pb < run->start + run->nr) {
		skip_granule(map, pb);
		return;
	}
	for (unsigned long g = run->start; g < run->start + run->nr; g += map->granule)
		skip_granule(map, g);
}

/* Take all of a run from mm, or take nothing and skip what was in the way. */
static int take_run(struct virtio_mem *vm, const struct vmem_run *run)
{
	const struct pfn_range range = { pb_to_pfn(run->start), pb_to_pfn(run->nr) };
	const struct evac_limits limits = shrink_limits(vm, EVAC_FOR_UNPLUG, 1);
	struct vmem_map *map = &vm->map;
	struct mm_failure why = { .pfn = PFN_NONE };

	if (mhp_unplug_prepare(vm->mm, &range, &limits, &why)) {
		vmem_trouble(vm, failed_block(&why, run->start / PAGEBLOCKS_PER_SECTION), &why);
		skip_run(map, run, why.pfn);
		return is_local(&why) ? -EBUSY : failure_errno(&why);
	}
	for (unsigned long i = vmem_index(map, run->start);
	     i < map->nr_blocks && vmem_block_start(map, i) < run->start + run->nr; i++)
		vmem_mark_taken(map, i, vmem_run_mask(map, i, run));
	return 0;
}

/*
 * Take the planned runs and keep in vm->runs those that it took.
 * Return: how many; sets @error if it makes no sense to go on.
 */
static unsigned int take_runs(struct virtio_mem *vm, unsigned int nr, int *error)
{
	unsigned int taken = 0;

	for (unsigned int i = 0; i < nr && !*error; i++) {
		const struct vmem_run run = vm->runs[i];
		const int ret = take_run(vm, &run);

		if (!ret)
			vm->runs[taken++] = run;
		else if (ret != -EBUSY)
			*error = ret;
	}
	return taken;
}

static int shrink_granules(struct virtio_mem *vm, unsigned long want, enum vmem_effort effort)
{
	const unsigned long target = vm->map.nr_plugged - want;

	while (vm->map.nr_plugged > target) {
		const unsigned int nr = vmem_plan_granules(
			&vm->map, vm->map.nr_plugged - target, effort, vm->runs, vm->nr_slots);
		unsigned int taken;
		int error = 0, ret;

		if (!nr)
			return 0;
		if (vmem_interrupted(vm))
			return -EAGAIN;
		taken = take_runs(vm, nr, &error);
		ret = taken ? unplug_runs(vm, taken, REFUSED_PUT_BACK) : 0;
		if (ret || error)
			return ret ? ret : error;
	}
	return 0;
}

/* --- a round -------------------------------------------------------------- */

int vmem_shrink(struct virtio_mem *vm, unsigned long want)
{
	static const struct {
		int (*fn)(struct virtio_mem *vm, unsigned long want, enum vmem_effort effort);
		enum vmem_effort effort;
	} steps[] = {
		{ shrink_blocks, VMEM_FREE },
		{ shrink_granules, VMEM_FREE },
		{ shrink_blocks, VMEM_ANY },
		{ shrink_granules, VMEM_ANY },
	};
	const unsigned long goal = vm->map.nr_plugged + vm->map.nr_held - want;
	int ret = vmem_drop_held(vm, want);

	vmem_map_scan(&vm->map);
	for (unsigned int s = 0; s < ARRAY_SIZE(steps) && !ret; s++) {
		const unsigned long have = vm->map.nr_plugged + vm->map.nr_held;

		if (have <= goal)
			return 0;
		ret = steps[s].fn(vm, have - goal, steps[s].effort);
	}
	if (ret)
		return ret;
	return vm->map.nr_plugged + vm->map.nr_held > goal ? -EBUSY : 0;
}

void vmem_drop_offline(struct virtio_mem *vm)
{
	struct vmem_map *map = &vm->map;
	struct mm_failure why;

	for (unsigned long i = 0; i < map->nr_blocks; i++) {
		const unsigned long id = map->first_block + i;

		if (map->block[i].state != VMEM_BLOCK_ADDED ||
		    memory_block_state(vm->mm, id) != MEM_BLOCK_OFFLINE)
			continue;
		if (try_remove_memory(vm->mm, id, &why)) {
			pr_warn("%s: memory%lu stays offline without a driver", vm->name, id);
			continue;
		}
		vmem_mark_taken(map, i, map->block[i].plugged);
		WRITE_ONCE(map->block[i].state, VMEM_BLOCK_ABSENT);
	}
	/* If unsure, the next driver must ask the device what it has plugged. */
	if (map->nr_held && (vm->unsure || vmem_drop_held(vm, map->nr_held)))
		pr_warn("%s: %lu MiB stay plugged and unused", vm->name,
			pb_to_bytes(map->nr_held) >> 20);
}
