/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio-mem device's region as mm sees it: its owner, its bounds, and the initial
 * states of its memory blocks.
 *
 * Compare with: Linux virtio_mem_init_hotplug().
 */
#define pr_fmt(fmt) "virtio_mem: " fmt
#include "drivers/virtio/mem/virtio_mem.h"
#include "arch/machine.h"
#include "kernel/printk.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "mm/page_alloc.h"

void *vmem_zalloc(struct mm *mm, size_t bytes)
{
	const unsigned int order = order_of(DIV_ROUND_UP(bytes, PAGE_SIZE));
	unsigned long pfn;

	if (order > MAX_PAGE_ORDER)
		return NULL;
	pfn = alloc_pages(mm, GFP_KERNEL | GFP_ZERO, order, PGTY_KERNEL);
	return pfn == PFN_NONE ? NULL : phys_to_virt(pfn_to_phys(pfn));
}

void vmem_free(struct mm *mm, void *ptr, size_t bytes)
{
	if (ptr)
		free_pages(mm, phys_to_pfn(virt_to_phys(ptr)),
			   order_of(DIV_ROUND_UP(bytes, PAGE_SIZE)));
}

static void vmem_describe(struct memory_owner *owner, unsigned long pfn, struct sink *out)
{
	const struct virtio_mem *vm = container_of(owner, struct virtio_mem, owner);
	const struct vmem_map *map = &vm->map;
	const unsigned long pb = pfn_to_pb(pfn);
	const struct vmem_block *b;
	const char *state = "unplugged";

	if (pb < map->start || pb >= map->end)
		return;
	b = &map->block[vmem_index(map, pb)];
	if (b->plugged & BIT(pageblock_index(pfn)))
		state = "plugged";
	else if (b->held & BIT(pageblock_index(pfn)))
		state = "plugged at the device, not in use";
	sink_printf(out, "%s granule %lu, %s", vm->name, (pb - map->start) / map->granule, state);
}

/* Occupancy for the plan: counts only frames that have to be moved. */
static u32 vmem_used(void *ctx, unsigned long start, u64 mask)
{
	const struct virtio_mem *vm = ctx;
	u32 sum = 0;

	if (memory_block_state(vm->mm, start / PAGEBLOCKS_PER_SECTION) != MEM_BLOCK_ONLINE)
		return 0;
	for (; mask; mask &= mask - 1)
		sum += pageblock_used(vm->mm, pb_to_pfn(start + __ffs(mask)));
	return sum;
}

/* Set the bounds: whole granules of the region that paging can reach. */
static int set_bounds(struct virtio_mem *vm)
{
	const u64 granule = max(vm->fixed.block_size, (u64)PAGEBLOCK_SIZE);
	phys_addr_t start = vm->fixed.addr, end = start + vm->fixed.region_size;
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
	vm->map.max_run = UINT16_MAX * vm->fixed.block_size / PAGEBLOCK_SIZE;
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
	map->used = vmem_used;
	map->ctx = vm;
	map->block = vmem_zalloc(vm->mm, blocks_bytes(map));
	map->ids = vmem_zalloc(vm->mm, ids_bytes(map));
	if (map->block && map->ids)
		return 0;
	pr_err("%s: no memory for the state of %lu memory blocks", vm->name, map->nr_blocks);
	return -ENOMEM;
}

void vmem_free_map(struct virtio_mem *vm)
{
	vmem_free(vm->mm, vm->map.ids, ids_bytes(&vm->map));
	vmem_free(vm->mm, vm->map.block, blocks_bytes(&vm->map));
}

/*
 * Find the state of memory block @i of the region. A previous driver of this device has
 * plugged the mapped parts of the region; take them over, in blocks that it added and in
 * blocks shared with boot memory.
 */
static void find_block(struct virtio_mem *vm, unsigned long i)
{
	const unsigned long pfn = pb_to_pfn(vmem_block_start(&vm->map, i));
	const struct mem_section *s;
	u64 mask = 0;

	pfn_walk_begin();
	s = walk_section(vm->mm, pfn);
	if (s)
		mask = vmem_mask(&vm->map, i, vm->map.start, vm->map.end) & ~READ_ONCE(s->unmapped);
	pfn_walk_end();
	if (!s)
		return;
	vmem_block_added(vm, i);
	WRITE_ONCE(vm->map.nr_held, vm->map.nr_held + hweight64(mask));
	vmem_mark_plugged(&vm->map, i, mask);
}

int vmem_own_region(struct virtio_mem *vm)
{
	struct mm_failure why = { .pfn = PFN_NONE };
	int ret;

	vm->owner.name = vm->name;
	vm->owner.region.start_pfn = pb_to_pfn(vm->map.start);
	vm->owner.region.nr_pages = pb_to_pfn(vm->map.end - vm->map.start);
	/* No online_page: mm knows which pageblocks are mapped, and onlines those. */
	vm->owner.describe = vmem_describe;
	vm->owner.unblocked = vmem_unblocked;
	ret = register_memory_owner(vm->mm, &vm->owner, &why);
	if (ret) {
		char text[120];
		struct sink_buffer buffer;

		sink_buffer_init(&buffer, text, sizeof(text));
		mm_failure_print(&why, &buffer.sink);
		pr_err("%s: its region cannot be used: %s", vm->name, text);
		return ret;
	}
	for (unsigned long i = 0; i < vm->map.nr_blocks; i++)
		find_block(vm, i);
	return 0;
}
