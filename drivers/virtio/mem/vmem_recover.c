/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recover a device that answered nonsense, or nothing: reset it, so that no earlier answer can
 * arrive any more, and ask it what it has plugged. The cases in which driver and device
 * differ:
 *
 *   driver \ device   plugged                  unplugged
 *   mm's              -                        report, plug again: its content is lost
 *   reserved          unplug it                it is gone
 *   unplugged         reserve and unplug it    -
 *
 * Spec: virtio 1.2, section 5.15.6 (STATE).
 */
#define pr_fmt(fmt) "virtio_mem: " fmt
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/printk.h"
#include "lib/errno.h"

int vmem_restart(struct virtio_mem *vm)
{
	int ret;

	vm->unsure = true;
	vm->silent = false;
	vm->nr_open = 0;
	for (unsigned int i = 0; i < vm->nr_slots; i++)
		vm->slot[i].open = false;
	ret = virtio_restart(vm->vdev);
	if (!ret)
		ret = virtio_device_ready(vm->vdev);
	return ret ? -EIO : 0;
}

/* --- what the driver believes ------------------------------------------------- */

enum belief {
	BELIEF_UNPLUGGED,
	BELIEF_RESERVED, /* plugged at the device, but not given to mm */
	BELIEF_MM,	 /* plugged, and given to mm */
};

static enum belief belief_of(const struct vmem_map *map, unsigned long pb)
{
	const unsigned long i = vmem_index(map, pb);
	const u64 bit = BIT(pb % PAGEBLOCKS_PER_SECTION);

	if (map->block[i].reserved & bit)
		return BELIEF_RESERVED;
	return vmem_info(map, i).plugged & bit ? BELIEF_MM : BELIEF_UNPLUGGED;
}

/* Find the run of granules from @start on with the same belief, at most @max pageblocks. */
static struct vmem_run same_belief(const struct vmem_map *map, unsigned long start,
				   unsigned long max)
{
	const enum belief belief = belief_of(map, start);
	struct vmem_run run = { start, map->granule };

	while (run.nr + map->granule <= max && belief_of(map, start + run.nr) == belief)
		run.nr += map->granule;
	return run;
}

/* --- what the device says ----------------------------------------------------- */

/* Ask for the state of @bytes at @addr. Return: enum virtio_mem_state, or an errno. */
static int ask(struct virtio_mem *vm, phys_addr_t addr, u64 bytes)
{
	const int ret = vmem_request_one(vm, VIRTIO_MEM_REQ_STATE, addr,
					 bytes / vm->config.block_size);

	return ret ? ret : vm->slot[0].state;
}

/* Replug memory that mm has and may touch at any time. Return: -EIO, or 0. */
static int plug_again(struct virtio_mem *vm, phys_addr_t addr, u64 bytes)
{
	const int ret = vmem_request_one(vm, VIRTIO_MEM_REQ_PLUG, addr,
					 bytes / vm->config.block_size);

	pr_err_ratelimited(&vm->vdev->log,
			   "%s: the device unplugged 0x%lx-0x%lx, which is in use: %s",
			   vm->name, addr, addr + bytes - 1,
			   ret ? "it refuses to plug it again"
			       : "plugged again, but the contents are lost");
	if (ret)
		vm->unsure = true;
	return ret == -EIO ? ret : 0;
}

/* Settle a run of which the device has everything plugged (@plugged) or nothing. */
static int settle_run(struct virtio_mem *vm, const struct vmem_run *run, bool plugged)
{
	switch (belief_of(&vm->map, run->start)) {
	case BELIEF_MM:
		if (!plugged)
			return plug_again(vm, pfn_to_phys(pb_to_pfn(run->start)),
					  pb_to_bytes(run->nr));
		break;
	case BELIEF_RESERVED:
		if (!plugged)
			vmem_unreserve(&vm->map, run);
		break;
	case BELIEF_UNPLUGGED:
		if (plugged)
			vmem_reserve(&vm->map, run);
		break;
	}
	return 0;
}

/* Make a partly plugged granule wholly plugged or wholly unplugged, block by block. */
static int mend_granule(struct virtio_mem *vm, const struct vmem_run *granule)
{
	const bool wanted = belief_of(&vm->map, granule->start) == BELIEF_MM;
	const u64 block = vm->config.block_size;
	phys_addr_t addr = pfn_to_phys(pb_to_pfn(granule->start));
	const phys_addr_t end = addr + pb_to_bytes(granule->nr);

	for (; addr < end; addr += block) {
		int ret = ask(vm, addr, block);

		if (ret >= 0 && wanted != (ret == VIRTIO_MEM_STATE_PLUGGED))
			ret = wanted ? plug_again(vm, addr, block) :
				       vmem_request_one(vm, VIRTIO_MEM_REQ_UNPLUG, addr, 1);
		if (ret < 0)
			return ret;
	}
	return settle_run(vm, granule, wanted);
}

/* Ask about the whole region, in steps; after a mixed answer, halve the step. */
static int ask_all(struct virtio_mem *vm)
{
	const struct vmem_map *map = &vm->map;
	unsigned long at = map->start, step = map->max_run;

	while (at < map->usable_end) {
		const struct vmem_run run = same_belief(map, at, min(step, map->usable_end - at));
		int ret;

		if (READ_ONCE(vm->stopping))
			return -EAGAIN;
		ret = ask(vm, pfn_to_phys(pb_to_pfn(run.start)), pb_to_bytes(run.nr));
		if (ret == VIRTIO_MEM_STATE_MIXED && run.nr > map->granule) {
			step = ALIGN_UP(run.nr / 2, (unsigned long)map->granule);
			continue;
		}
		if (ret == VIRTIO_MEM_STATE_MIXED)
			ret = mend_granule(vm, &run);
		else if (ret >= 0)
			ret = settle_run(vm, &run, ret == VIRTIO_MEM_STATE_PLUGGED);
		if (ret < 0)
			return ret;
		at += run.nr;
		step = min(step * 2, map->max_run);
	}
	return 0;
}

int vmem_reconcile(struct virtio_mem *vm)
{
	int ret;

	vm->unsure = false;
	ret = ask_all(vm);
	if (ret) {
		vm->unsure = true;
		return ret;
	}
	return vmem_unplug_reserved(vm, vm->map.nr_reserved);
}
