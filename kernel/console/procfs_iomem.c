/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc/iomem: the sources of physical memory: boot memory, the kernel's image in it, and each
 * owner's region with the blocks that were added to it.
 *
 * Compare with: Linux kernel/resource.c.
 */
#include "arch/machine_info.h"
#include "kernel/console/shell.h"
#include "lib/string.h"
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

/* A copy of an owner's region: the owner may leave during the print. */
struct region {
	unsigned long pfn, end_pfn;
	char name[16];
};

/*
 * Find the first region at or above @pfn; owners are in address order. Return: false if there
 * is none.
 */
static bool next_region(unsigned long pfn, struct region *r)
{
	const struct memory_owner *owner;
	bool found = false;

	pfn_walk_begin();
	list_for_each_entry(owner, &kernel_mm.owners, list) {
		if (owner->region.start_pfn < pfn)
			continue;
		r->pfn = owner->region.start_pfn;
		r->end_pfn = r->pfn + owner->region.nr_pages;
		(void)strscpy(r->name, owner->name, sizeof(r->name));
		found = true;
		break;
	}
	pfn_walk_end();
	return found;
}

/* Print a region, and in it each run of present blocks. */
static void owner_region(struct sink *out, const struct region *r)
{
	line(out, 0, pfn_to_phys(r->pfn), pfn_to_phys(r->end_pfn), r->name);
	for_each_memory_block(&kernel_mm, block, r->pfn / PAGES_PER_SECTION) {
		const unsigned long first = max(block * PAGES_PER_SECTION, r->pfn);

		if (first >= r->end_pfn)
			break;
		while (next_memory_block(&kernel_mm, block + 1) == block + 1)
			block++;
		line(out, 1, pfn_to_phys(first),
		     pfn_to_phys(min((block + 1) * PAGES_PER_SECTION, r->end_pfn)),
		     "System RAM (virtio_mem)");
	}
}

/*
 * Print the file without a lock, because the reader may be slow: each line is true when it is
 * made.
 */
static int show_iomem(unsigned long, struct sink *out)
{
	const struct memblock_type *ram = &memblock.memory;
	struct region r;
	bool more = next_region(0, &r);
	unsigned int i = 0;

	while (i < ram->nr || more) {
		if (more && (i == ram->nr || pfn_to_phys(r.pfn) < ram->region[i].base)) {
			owner_region(out, &r);
			more = next_region(r.pfn + 1, &r);
		} else {
			boot_memory(out, &ram->region[i++]);
		}
	}
	return 0;
}
PSEUDO_FILE(iomem, "/proc/iomem", show_iomem, NULL);
