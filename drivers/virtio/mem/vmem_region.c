/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a virtio-mem device's configuration, which is untrusted, and tells mm about its
 * region: bounds and owner.
 *
 * Spec: virtio 1.2, section 5.15.4. Compare with: Linux virtio_mem_init_hotplug().
 */
#define pr_fmt(fmt) "virtio_mem: " fmt
#include "drivers/virtio/mem/virtio_mem.h"
#include "arch/machine.h"
#include "kernel/printk.h"
#include "kernel/trace/trace.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "mm/layout.h"
#include "mm/slab.h"

/* --- the configuration ------------------------------------------------------- */

#define BLOCK_MAX (1UL << SECTION_SHIFT) /* a memory block holds whole device blocks */

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
	if (!fault && vm->config.block_size && !same_region(&config, &vm->config))
		fault = "the region moved";
	if (fault) {
		virtio_broken(vm->vdev, "configuration: %s", fault);
		return -EPROTO;
	}
	vm->config = config;
	return 0;
}

/* Return the end of the usable region, rounded down to whole granules. */
static unsigned long usable_end(const struct virtio_mem *vm)
{
	const phys_addr_t end = vm->config.addr + vm->config.usable_region_size;
	const unsigned long pb = ALIGN_DOWN(end / PAGEBLOCK_SIZE, (u64)vm->map.granule);

	return max(vm->map.start, min(pb, vm->map.end));
}

/* Warn if driver and device disagree about the plugged size, once for each size. */
static void check_plugged(struct virtio_mem *vm)
{
	const u64 ours = pb_to_bytes(vmem_nr_at_device(vm));
	const u64 theirs = vm->config.plugged_size;

	if (vm->unsure)
		return; /* the driver will ask the device anyway */
	if (theirs != ours && vm->last_report.mismatch != theirs)
		pr_warn_ratelimited(&vm->vdev->log,
			"%s: the device has %lu MiB plugged, the driver %lu MiB",
			vm->name, theirs >> 20, ours >> 20);
	vm->last_report.mismatch = theirs == ours ? ~0UL : theirs;
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
		   .count = (u32)(vm->config.plugged_size >> PAGE_SHIFT),
		   .flags = (u8)vm->id);
	check_plugged(vm);
	return 0;
}

/* --- the region --------------------------------------------------------------- */

static struct memory_block_info vmem_ask_mm(void *ctx, unsigned long block)
{
	const struct virtio_mem *vm = ctx;

	return memory_block_info(vm->mm, block, &vm->owner);
}

static unsigned long vmem_next_in_mm(void *ctx, unsigned long block)
{
	const struct virtio_mem *vm = ctx;

	return next_memory_block(vm->mm, block);
}

static void vmem_describe(struct memory_owner *owner, unsigned long pfn, struct sink *out)
{
	const struct virtio_mem *vm = container_of(owner, struct virtio_mem, owner);
	const struct vmem_map *map = &vm->map;
	const unsigned long pb = pfn_to_pb(pfn), i = vmem_index(map, pb);
	const u64 bit = BIT(pageblock_index(pfn));
	const char *state = "unplugged";

	if (pb < map->start || pb >= map->end)
		return;
	if (vmem_info(map, i).plugged & bit)
		state = "plugged";
	else if (map->block[i].reserved & bit)
		state = "plugged at the device, not in use";
	sink_printf(out, "%s granule %lu, %s", vm->name, (pb - map->start) / map->granule, state);
}

/* Count the frames in use for the plan: only those that would have to move. */
static u32 vmem_used(void *ctx, unsigned long start, u64 mask)
{
	const struct virtio_mem *vm = ctx;

	return pageblocks_used(vm->mm, pb_to_block(start), mask);
}

/* Set the bounds: whole granules of the region that paging can reach. */
static int set_bounds(struct virtio_mem *vm)
{
	const u64 granule = max(vm->config.block_size, (u64)PAGEBLOCK_SIZE);
	phys_addr_t start = vm->config.addr, end = start + vm->config.region_size;
	phys_addr_t low, high;

	arch_mappable_range(&low, &high);
	if (start < low || end > high)
		pr_warn("%s: only 0x%lx-0x%lx can be mapped, the rest is not used",
			vm->name, low, high - 1);
	start = ALIGN_UP(max(start, low), granule);
	end = ALIGN_DOWN(min(end, high), granule);
	if (start >= end) {
		pr_err("%s: no granule of %lu KiB fits its region", vm->name, granule >> 10);
		return -EINVAL;
	}
	vm->map.start = start / PAGEBLOCK_SIZE;
	vm->map.end = end / PAGEBLOCK_SIZE;
	vm->map.granule = (unsigned int)(granule / PAGEBLOCK_SIZE);
	vm->map.max_run = UINT16_MAX * vm->config.block_size / PAGEBLOCK_SIZE;
	return 0;
}

static size_t blocks_bytes(const struct vmem_map *map)
{
	return map->nr_blocks * sizeof(map->block[0]);
}

static size_t ids_bytes(const struct vmem_map *map)
{
	return map->nr_blocks * sizeof(map->ids[0]);
}

int vmem_make_map(struct virtio_mem *vm)
{
	struct vmem_map *map = &vm->map;
	int ret = set_bounds(vm);

	if (ret)
		return ret;
	map->first_block = map->start / PAGEBLOCKS_PER_SECTION;
	map->nr_blocks = DIV_ROUND_UP(map->end, PAGEBLOCKS_PER_SECTION) - map->first_block;
	map->info = vmem_ask_mm;
	map->next = vmem_next_in_mm;
	map->used = vmem_used;
	map->ctx = vm;
	map->block = alloc_pages_virt(vm->mm, GFP_KERNEL | GFP_ZERO, blocks_bytes(map));
	map->ids = alloc_pages_virt(vm->mm, GFP_KERNEL, ids_bytes(map));
	if (map->block && map->ids)
		return 0;
	pr_err("%s: no memory for the state of %lu memory blocks", vm->name, map->nr_blocks);
	return -ENOMEM;
}

void vmem_free_map(struct virtio_mem *vm)
{
	free_pages_virt(vm->mm, vm->map.ids, ids_bytes(&vm->map));
	free_pages_virt(vm->mm, vm->map.block, blocks_bytes(&vm->map));
}

int vmem_own_region(struct virtio_mem *vm)
{
	struct mm_failure why;
	int ret;

	vm->owner.name = vm->name;
	vm->owner.region.start_pfn = pb_to_pfn(vm->map.start);
	vm->owner.region.nr_pages = pb_to_pfn(vm->map.end - vm->map.start);
	/*
	 * There is no online_page: mm knows which pageblocks are plugged, and onlines those.
	 */
	vm->owner.describe = vmem_describe;
	vm->owner.unblocked = vmem_unblocked;
	ret = register_memory_owner(vm->mm, &vm->owner, &why);
	if (ret) {
		DEFINE_SINK_BUFFER(text, 200);

		mm_failure_print(&why, &text.sink);
		pr_err("%s: its region cannot be used: %s", vm->name, text.text);
	}
	return ret;
}
