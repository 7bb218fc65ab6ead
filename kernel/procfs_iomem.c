/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc/iomem: who brought which physical memory. Boot memory, the kernel's
 * image in it, and each owner's region with the blocks that were added to it.
 *
 * Compare with: Linux kernel/resource.c.
 */
#include "arch/machine_info.h"
#include "kernel/shell.h"
#include "mm/memblock.h"
#include "mm/memory_hotplug.h"

static void line(struct sink *out, unsigned int depth, phys_addr_t start, phys_addr_t end,
		 const char *name)
{
	sink_printf(out, "%*s%08lx-%08lx : %s\n", (int)(2 * depth), "", start, end - 1, name);
}

static void boot_memory(struct sink *out, const struct memblock_region *r)
{
	const struct mem_range *image = &machine_info()->kernel;

	line(out, 0, r->base, r->base + r->size, "System RAM");
	if (image->start >= r->base && image->start < r->base + r->size)
		line(out, 1, image->start, image->start + image->size, "Kernel image");
}

/* An owner's region, and in it each run of blocks that are there. */
static void owner_region(struct sink *out, const struct memory_owner *owner)
{
	const unsigned long end_pfn = owner->region.start_pfn + owner->region.nr_pages;
	unsigned long block = owner->region.start_pfn / PAGES_PER_SECTION;

	line(out, 0, pfn_to_phys(owner->region.start_pfn), pfn_to_phys(end_pfn), owner->name);
	for (block = next_memory_block(&kernel_mm, block);
	     block != PFN_NONE && block * PAGES_PER_SECTION < end_pfn;
	     block = next_memory_block(&kernel_mm, block + 1)) {
		const unsigned long first = max(block * PAGES_PER_SECTION,
						owner->region.start_pfn);

		while (next_memory_block(&kernel_mm, block + 1) == block + 1)
			block++;
		line(out, 1, pfn_to_phys(first),
		     pfn_to_phys(min((block + 1) * PAGES_PER_SECTION, end_pfn)),
		     "System RAM (virtio_mem)");
	}
}

/* The next owner above @pfn, or NULL: regions are disjoint. */
static const struct memory_owner *next_owner(unsigned long pfn)
{
	const struct memory_owner *owner, *best = NULL;

	list_for_each_entry(owner, &kernel_mm.owners, list)
		if (owner->region.start_pfn >= pfn &&
		    (!best || owner->region.start_pfn < best->region.start_pfn))
			best = owner;
	return best;
}

static int show_iomem(unsigned long, struct sink *out)
{
	const struct memblock_type *ram = &memblock.memory;
	const struct memory_owner *owner;
	unsigned long pfn = 0;
	unsigned int i = 0;

	mutex_lock(&kernel_mm.hotplug_lock);
	owner = next_owner(0);
	while (i < ram->nr || owner) {
		if (owner && (i == ram->nr ||
			      pfn_to_phys(owner->region.start_pfn) < ram->region[i].base)) {
			owner_region(out, owner);
			pfn = owner->region.start_pfn + 1;
			owner = next_owner(pfn);
		} else {
			boot_memory(out, &ram->region[i++]);
		}
	}
	mutex_unlock(&kernel_mm.hotplug_lock);
	return 0;
}
PSEUDO_FILE(iomem, "/proc/iomem", show_iomem, NULL);
