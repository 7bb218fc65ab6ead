/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Growing: give pageblocks that the device has plugged to mm, never before the device
 * has acknowledged them.
 *
 * Compare with: Linux virtio_mem_sbm_plug_request().
 */
#define pr_fmt(fmt) "virtio_mem: " fmt
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/printk.h"
#include "lib/bitops.h"
#include "lib/errno.h"

/* Give mm more memory in a block that it already has, run by run. */
static int give_to_block(struct virtio_mem *vm, unsigned long i)
{
	const unsigned long base = vmem_block_start(&vm->map, i);
	u64 mask = vm->map.block[i].held;
	struct mm_failure why = { .pfn = PFN_NONE };
	int ret;

	while (mask) {
		const unsigned int bit = __ffs(mask);
		const u64 rest = mask >> bit;
		const unsigned int nr = rest == ~0UL ? 64 : __ffz(rest);
		const u64 run = (~0UL >> (64 - nr)) << bit;
		const struct pfn_range range = { pb_to_pfn(base + bit), pb_to_pfn(nr) };

		ret = mhp_plug_range(vm->mm, &range, &why);
		if (ret) {
			vmem_trouble(vm, vm->map.first_block + i, &why);
			return ret;
		}
		vmem_mark_plugged(&vm->map, i, run);
		mask &= ~run;
	}
	return 0;
}

void vmem_block_added(struct virtio_mem *vm, unsigned long i)
{
	const unsigned long pfn = pb_to_pfn(vmem_block_start(&vm->map, i));
	struct vmem_block *b = &vm->map.block[i];
	const struct mem_section *s;

	pfn_walk_begin();
	s = walk_section(vm->mm, pfn);
	if (s && (s->flags & SECTION_SELF_HOSTED) && s->owner == &vm->owner) {
		WRITE_ONCE(b->state, VMEM_BLOCK_ADDED);
		b->host = (u8)pageblock_index(s->host_pfn);
	} else {
		WRITE_ONCE(b->state, VMEM_BLOCK_SHARED);
	}
	pfn_walk_end();
}

/* Add a new memory block to mm, with the held pageblocks as its first memory. */
static int give_new_block(struct virtio_mem *vm, unsigned long i)
{
	const unsigned long id = vm->map.first_block + i;
	const u64 mask = vm->map.block[i].held;
	struct mm_failure why = { .pfn = PFN_NONE };
	const int ret = add_memory(vm->mm, id, &vm->owner, mask, &why);

	if (ret == -EEXIST) {
		vmem_block_added(vm, i);
		return give_to_block(vm, i);
	}
	if (ret) {
		vmem_trouble(vm, id, &why);
		return ret;
	}
	vmem_block_added(vm, i);
	vmem_mark_plugged(&vm->map, i, mask);
	return 0;
}

static int give_block(struct virtio_mem *vm, unsigned long i)
{
	if (vm->map.block[i].state == VMEM_BLOCK_ABSENT)
		return give_new_block(vm, i);
	return give_to_block(vm, i);
}

/* Unplug the held pageblocks of block @i, because mm does not take them. */
static int unplug_refused(struct virtio_mem *vm, unsigned long i)
{
	const unsigned long base = vmem_block_start(&vm->map, i);
	const u64 bytes = pb_to_bytes(hweight64(vm->map.block[i].held));
	char text[160];
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, text, sizeof(text));
	vmem_mm_trouble_print(vm, &buffer.sink);
	for (u64 mask; (mask = vm->map.block[i].held) != 0;) {
		const unsigned int bit = __ffs(mask);
		const u64 rest = mask >> bit;
		const struct vmem_run run = { base + bit, rest == ~0UL ? 64 : __ffz(rest) };
		const int ret = vmem_request(vm, VIRTIO_MEM_REQ_UNPLUG, &run, 1);

		if (ret)
			return ret;
		vmem_mark_gone(&vm->map, &run);
	}
	pr_err_ratelimited(&vm->vdev->log, "%s: %s; %s are unplugged again", vm->name, text,
			   vmem_size_text(bytes).text);
	return 0;
}

/* Give block @i to mm; after VMEM_MAX_REFUSALS refusals, unplug what mm does not take. */
static int give_or_unplug(struct virtio_mem *vm, unsigned long i)
{
	struct vmem_block *b = &vm->map.block[i];
	int ret = give_block(vm, i);

	if (!ret) {
		b->refusals = 0;
		return 0;
	}
	if (b->refusals < VMEM_MAX_REFUSALS && ++b->refusals < VMEM_MAX_REFUSALS)
		return ret;
	return unplug_refused(vm, i);
}

int vmem_give_held(struct virtio_mem *vm)
{
	int first = 0;

	for (unsigned long i = 0; i < vm->map.nr_blocks && vm->map.nr_held; i++) {
		if (!vm->map.block[i].held)
			continue;
		const int ret = give_or_unplug(vm, i);

		if (ret && !first)
			first = ret;
	}
	return first;
}

/* Send one batch of PLUG requests, and take what they brought. */
static int plug_batch(struct virtio_mem *vm, unsigned int nr)
{
	const int asked = vmem_request(vm, VIRTIO_MEM_REQ_PLUG, vm->runs, nr);
	int given;

	for (unsigned int i = 0; i < nr; i++) {
		if (vm->slot[i].answer == VMEM_ACK)
			vmem_mark_held(&vm->map, &vm->slot[i].run);
	}
	given = vmem_give_held(vm);
	return asked ? asked : given;
}

int vmem_grow(struct virtio_mem *vm, unsigned long want)
{
	const unsigned long target = vm->map.nr_plugged + want;

	while (vm->map.nr_plugged < target) {
		const unsigned int nr = vmem_plan_plug(&vm->map, target - vm->map.nr_plugged,
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
