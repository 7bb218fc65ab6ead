/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read and check the configuration of a virtio-mem device: it is untrusted.
 *
 * Spec: virtio 1.2, section 5.15.4.
 */
#define pr_fmt(fmt) "virtio_mem: " fmt
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/printk.h"
#include "kernel/trace/trace.h"
#include "lib/errno.h"
#include "mm/layout.h"

#define BLOCK_MAX (1UL << SECTION_SHIFT) /* of the device; a memory block holds whole ones */

/* Limits for the launcher, so that it starts no device that this driver refuses. */
static const struct layout_row limits[] __table("ebb_layout") = {
	{ "VIRTIO_MEM_BLOCK_MAX", BLOCK_MAX },
};

static const struct virtio_config_field config_fields[] = {
	{ offsetof(struct virtio_mem_config, block_size), 8 },
	{ offsetof(struct virtio_mem_config, addr), 8 },
	{ offsetof(struct virtio_mem_config, region_size), 8 },
	{ offsetof(struct virtio_mem_config, usable_region_size), 8 },
	{ offsetof(struct virtio_mem_config, plugged_size), 8 },
	{ offsetof(struct virtio_mem_config, requested_size), 8 },
	{ 0, 0 },
};

/* Check that the configuration makes sense. Return: NULL, or what is wrong. */
static const char *config_fault(const struct virtio_mem_config *c)
{
	if (!IS_POWER_OF_2(c->block_size) || c->block_size < PAGE_SIZE)
		return "the block size is not a power of two of at least 4 KiB";
	if (c->block_size > BLOCK_MAX)
		return "blocks larger than 128 MiB are not supported: start it with smaller blocks";
	if (!IS_ALIGNED(c->addr | c->region_size, c->block_size))
		return "the region is not aligned to its block size";
	if (c->region_size == 0 || c->addr + c->region_size < c->addr)
		return "the region is empty or wraps around";
	if (c->usable_region_size > c->region_size)
		return "the usable size exceeds the region";
	if (c->plugged_size > c->region_size)
		return "the plugged size exceeds the region";
	return NULL;
}

static bool same_region(const struct virtio_mem_config *a, const struct virtio_mem_config *b)
{
	return a->block_size == b->block_size && a->addr == b->addr &&
	       a->region_size == b->region_size;
}

int vmem_read_config(struct virtio_mem *vm)
{
	struct virtio_mem_config config = {};
	const char *fault;
	const int ret = virtio_read_config(vm->vdev, config_fields, &config);

	if (ret == -EAGAIN)
		return -ESTALE;
	if (ret) {
		virtio_broken(vm->vdev, "has too short a configuration");
		return ret;
	}
	fault = config_fault(&config);
	if (!fault && vm->fixed.block_size && !same_region(&config, &vm->fixed))
		fault = "the region moved";
	if (fault) {
		virtio_broken(vm->vdev, "configuration: %s", fault);
		return -EPROTO;
	}
	vm->config = config;
	return 0;
}

/* The end of the usable region, in whole granules from its start. */
static unsigned long usable_end(const struct virtio_mem *vm)
{
	const phys_addr_t end = vm->fixed.addr + vm->config.usable_region_size;
	const unsigned long pb = ALIGN_DOWN(end / PAGEBLOCK_SIZE, (u64)vm->map.granule);

	return max(vm->map.start, min(pb, vm->map.end));
}

/* Warn if driver and device disagree about the plugged size, once for each size. */
static void check_plugged(struct virtio_mem *vm)
{
	const u64 ours = pb_to_bytes(vm->map.nr_plugged + vm->map.nr_held);
	const u64 theirs = vm->config.plugged_size;

	if (vm->unsure)
		return; /* the driver asks the device anyway */
	if (theirs != ours && vm->said.mismatch != theirs)
		pr_warn_ratelimited(&vm->vdev->log,
				    "%s: the device has %lu MiB plugged, the driver %lu MiB",
				    vm->name, theirs >> 20, ours >> 20);
	vm->said.mismatch = theirs == ours ? ~0UL : theirs;
}

int vmem_refresh_config(struct virtio_mem *vm)
{
	const u64 granule = pb_to_bytes(vm->map.granule);
	const u64 requested = vm->config.requested_size;
	const int ret = vmem_read_config(vm);

	if (ret)
		return ret;
	if (vm->config.requested_size != requested)
		vmem_forget_refusals(&vm->map);
	vm->map.usable_end = usable_end(vm);
	vm->target = vm->config.requested_size / granule * vm->map.granule;
	trace_emit(TRACE_VMEM_CONFIG, .pfn = vm->config.requested_size >> PAGE_SHIFT,
		   .count = (u32)(vm->config.plugged_size >> PAGE_SHIFT), .flags = (u8)vm->id);
	check_plugged(vm);
	return 0;
}
