/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Growing and shrinking a virtio-mem region.
 *
 * Growing gives mm pageblocks only after the device has acknowledged that it plugged them.
 *
 * Shrinking takes pageblocks from mm, then unplugs them. Whole empty blocks go first, then
 * empty granules, then blocks and granules that must be emptied. The driver skips what it
 * cannot empty, and keeps the reason for the status. Shrinking allocates nothing, so that
 * memory can leave when none is free.
 *
 * Compare with: Linux virtio_mem_sbm_plug_request(), virtio_mem_sbm_unplug_request().
 */
#define pr_fmt(fmt) "virtio_mem: " fmt
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/printk.h"
#include "lib/bitops.h"
#include "lib/errno.h"

static struct pfn_range run_range(const struct vmem_run *run)
{
	return (struct pfn_range){ pb_to_pfn(run->start), pb_to_pfn(run->nr) };
}

/* --- reserved pageblocks go to mm ------------------------------------------- */

/* Give mm a reserved run in blocks that it has. On failure the run stays reserved. */
static int give_run(struct virtio_mem *vm, const struct vmem_run *run)
{
	const struct pfn_range range = run_range(run);
	struct mm_failure why;
	const int ret = plug_memory(vm->mm, &range, &why);

	if (ret)
		vmem_note_failure(vm, pb_to_block(run->start), &why);
	else
		vmem_unreserve(&vm->map, run);
	return ret;
}

/* Give mm more memory in a block that it already has, run by run. */
static int give_to_block(struct virtio_mem *vm, unsigned long i)
{
	const unsigned long base = vmem_block_start(&vm->map, i);
	int ret = 0;

	for_each_run(part, vm->map.block[i].reserved) {
		ret = give_run(vm, &(struct vmem_run){ base + __ffs(part), hweight64(part) });
		if (ret)
			break;
	}
	return ret;
}

/* Add a new memory block to mm, with the reserved pageblocks as its first memory. */
static int give_new_block(struct virtio_mem *vm, unsigned long i)
{
	const unsigned long id = vm->map.first_block + i;
	const u64 mask = vm->map.block[i].reserved;
	struct mm_failure why;
	const int ret = add_memory(vm->mm, id, &vm->owner, mask, &why);

	if (ret == -EEXIST)
		return give_to_block(vm, i);
	if (ret)
		vmem_note_failure(vm, id, &why);
	else
		vmem_unreserve_mask(&vm->map, i, mask);
	return ret;
}

/* Unplug the reserved pageblocks of block @i, because mm does not take them. */
static int unplug_refused(struct virtio_mem *vm, unsigned long i)
{
	const unsigned long base = vmem_block_start(&vm->map, i);
	const u64 bytes = pb_to_bytes(hweight64(vm->map.block[i].reserved));
	DEFINE_SINK_BUFFER(why, 256);

	vmem_print_mm_failure(vm, &why.sink);
	for_each_run(part, vm->map.block[i].reserved) {
		const struct vmem_run run = { base + __ffs(part), hweight64(part) };
		const int ret = vmem_request(vm, VIRTIO_MEM_REQ_UNPLUG, &run, 1);

		if (ret)
			return ret;
		vmem_unreserve(&vm->map, &run);
	}
	pr_err_ratelimited(&vm->vdev->log, "%s: %s; %s are unplugged again", vm->name,
			   why.text, vmem_size_text(bytes).text);
	return 0;
}

/* Give block @i to mm; after VMEM_MAX_REFUSALS refusals, unplug what mm does not take. */
static int give_or_unplug(struct virtio_mem *vm, unsigned long i)
{
	struct vmem_block *b = &vm->map.block[i];
	const int ret = vmem_info(&vm->map, i).state == MEM_BLOCK_ABSENT ? give_new_block(vm, i)
									  : give_to_block(vm, i);

	if (!ret) {
		b->refusals = 0;
		return 0;
	}
	if (b->refusals < VMEM_MAX_REFUSALS && ++b->refusals < VMEM_MAX_REFUSALS)
		return ret;
	return unplug_refused(vm, i);
}

int vmem_give_reserved(struct virtio_mem *vm)
{
	int first = 0;

	for (unsigned long i = 0; i < vm->map.nr_blocks && vm->map.nr_reserved; i++) {
		const int ret = vm->map.block[i].reserved ? give_or_unplug(vm, i) : 0;

		first = first ? first : ret;
	}
	return first;
}

/* Send one batch of PLUG requests, and give mm the memory that they brought. */
static int plug_batch(struct virtio_mem *vm, unsigned int nr)
{
	const int asked = vmem_request(vm, VIRTIO_MEM_REQ_PLUG, vm->runs, nr);
	int given;

	for (unsigned int i = 0; i < nr; i++) {
		if (vm->slot[i].answer == VMEM_ACK)
			vmem_reserve(&vm->map, &vm->runs[i]);
	}
	given = vmem_give_reserved(vm);
	return asked ? asked : given;
}

int vmem_grow(struct virtio_mem *vm, unsigned long want)
{
	const unsigned long target = vmem_nr_plugged(vm) + want;

	while (vmem_nr_plugged(vm) < target) {
		const unsigned int nr = vmem_plan_plug(&vm->map, target - vmem_nr_plugged(vm),
						       vm->runs, vm->nr_slots);
		int ret;

		if (!nr)
			return -ENOSPC;
		if (vmem_interrupted(vm))
			return -EAGAIN;
		ret = plug_batch(vm, nr);
		if (ret)
			return ret;
	}
	return 0;
}

/* --- reserved pageblocks go to the device ------------------------------------ */

/* The use of memory that the device refuses to unplug. */
enum refused {
	REFUSED_RESERVE,  /* keep it for the next round */
	REFUSED_PUT_BACK, /* return it to the block that it came from */
};

/* Send UNPLUG for reserved runs. */
static int unplug_runs(struct virtio_mem *vm, unsigned int nr, enum refused refused)
{
	const int ret = vmem_request(vm, VIRTIO_MEM_REQ_UNPLUG, vm->runs, nr);

	for (unsigned int i = 0; i < nr; i++) {
		if (vm->slot[i].answer == VMEM_ACK)
			vmem_unreserve(&vm->map, &vm->runs[i]);
		/*
		 * After an error or no answer, the device may have unplugged the run, or may
		 * yet do so.
		 */
		else if (refused == REFUSED_PUT_BACK && vm->slot[i].answer < VMEM_ERROR)
			(void)give_run(vm, &vm->runs[i]);
	}
	return ret;
}

int vmem_unplug_reserved(struct virtio_mem *vm, unsigned long want)
{
	want = min(want, vm->map.nr_reserved);
	while (want) {
		const unsigned long before = vm->map.nr_reserved;
		const unsigned int nr = vmem_plan_reserved(&vm->map, want, vm->runs, vm->nr_slots);
		const int ret = unplug_runs(vm, nr, REFUSED_RESERVE);

		want -= min(want, before - vm->map.nr_reserved);
		if (ret)
			return ret;
	}
	return 0;
}

/* --- whole memory blocks -------------------------------------------------- */

static bool shrink_cancelled(void *cookie)
{
	return vmem_interrupted(cookie);
}

/* Return the limits of a request that begins now; vmem_interrupted() ends it early. */
static struct evac_limits shrink_limits(struct virtio_mem *vm, enum evac_request request,
					unsigned long parts)
{
	struct evac_limits limits = evac_limits(request, (unsigned int)parts);

	limits.cancelled = shrink_cancelled;
	limits.cookie = vm;
	return limits;
}

/* Return the memory block of the frame that @why names, else @fallback. */
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

/*
 * Remember the plugged pageblocks of blocks that are about to leave mm, because mm then
 * forgets them. None of these blocks has a reserved pageblock yet.
 */
static void note_plugged(struct vmem_map *map, unsigned long nr)
{
	for (unsigned long n = 0; n < nr; n++) {
		const unsigned long i = map->ids[n] - map->first_block;

		map->block[i].reserved = vmem_info(map, i).plugged;
	}
}

/*
 * Count the pageblocks of blocks that have left mm as reserved; if the blocks have not @left,
 * undo note_plugged().
 */
static unsigned long blocks_left(struct vmem_map *map, unsigned long nr, bool left)
{
	unsigned long sum = 0;

	for (unsigned long n = 0; n < nr; n++) {
		struct vmem_block *b = &map->block[map->ids[n] - map->first_block];

		b->reserved = left ? b->reserved : 0;
		sum += hweight64(b->reserved);
	}
	WRITE_ONCE(map->nr_reserved, map->nr_reserved + sum);
	return sum;
}

/* Check whether another block or granule may still work after this failure. */
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
	while (want) {
		const unsigned long nr = vmem_plan_blocks(&vm->map, want, effort);
		const struct evac_limits limits = shrink_limits(vm, EVAC_FOR_UNPLUG_BLOCK, nr);
		struct mm_failure why;
		unsigned long left;
		int ret;

		if (!nr)
			return 0;
		if (vmem_interrupted(vm))
			return -EAGAIN;
		note_plugged(&vm->map, nr);
		ret = offline_and_remove_memory(vm->mm, vm->map.ids, (unsigned int)nr, &limits,
						&why);
		left = blocks_left(&vm->map, nr, !ret);
		if (ret) {
			vmem_note_failure(vm, failed_block(&why, vm->map.ids[0]), &why);
			if (!is_local(&why))
				return failure_errno(&why);
			skip_blocks(&vm->map, nr, &why);
			continue;
		}
		ret = vmem_unplug_reserved(vm, left);
		if (ret)
			return ret;
		want -= left;
	}
	return 0;
}

/* --- granules of blocks that stay ----------------------------------------- */

/* Skip the granule that holds a pageblock, in this round. */
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
	const struct pfn_range range = run_range(run);
	const struct evac_limits limits = shrink_limits(vm, EVAC_FOR_UNPLUG, 1);
	struct mm_failure why;

	if (unplug_memory(vm->mm, &range, &limits, &why)) {
		vmem_note_failure(vm, failed_block(&why, pb_to_block(run->start)), &why);
		skip_run(&vm->map, run, why.pfn);
		return is_local(&why) ? -EBUSY : failure_errno(&why);
	}
	vmem_reserve(&vm->map, run);
	return 0;
}

/*
 * Take the planned runs from mm, and keep in vm->runs only those that mm gave up.
 * Return: their number; sets @error if it makes no sense to continue.
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
	const unsigned long target = vmem_nr_plugged(vm) - want;

	while (vmem_nr_plugged(vm) > target) {
		const unsigned int nr = vmem_plan_granules(
			&vm->map, vmem_nr_plugged(vm) - target, effort, vm->runs, vm->nr_slots);
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
	const unsigned long goal = vmem_nr_at_device(vm) - want;
	unsigned long have = 0;
	int ret = vmem_unplug_reserved(vm, want);

	vmem_map_scan(&vm->map);
	for (unsigned int s = 0; s < ARRAY_SIZE(steps) && !ret; s++) {
		have = vmem_nr_at_device(vm);
		if (have <= goal)
			return 0;
		ret = steps[s].fn(vm, have - goal, steps[s].effort);
	}
	if (ret)
		return ret;
	if (vmem_nr_at_device(vm) <= goal)
		return 0;
	/*
	 * The last step may have removed the only obstacle to a block that an earlier step
	 * could not empty. mm no longer watches the obstacle's pageblock, so only this starts
	 * another round.
	 */
	if (vmem_nr_at_device(vm) < have)
		vmem_unblocked(&vm->owner);
	return -EBUSY;
}

void vmem_drop_offline(struct virtio_mem *vm)
{
	struct vmem_map *map = &vm->map;
	struct mm_failure why;

	for_each_vmem_block(i, map) {
		const struct memory_block_info info = vmem_info(map, i);
		const unsigned long id = map->first_block + i;

		if (!info.removable || info.state != MEM_BLOCK_OFFLINE)
			continue;
		if (try_remove_memory(vm->mm, id, &why))
			pr_warn("%s: memory%lu stays offline without a driver", vm->name, id);
		else
			vmem_reserve_mask(map, i, info.plugged);
	}
	/* If unsure, the next driver must ask the device what it has plugged. */
	if (map->nr_reserved && (vm->unsure || vmem_unplug_reserved(vm, map->nr_reserved)))
		pr_warn("%s: %lu MiB stay plugged and unused", vm->name,
			pb_to_bytes(map->nr_reserved) >> 20);
}
