/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Building a struct mm from boot memory: make early sections and their memmap, type
 * reserved ranges, free the rest. Everything comes from the memblock's ranges, which
 * may have holes, odd sizes and any alignment. Only pageblocks with frames that differ
 * get descriptors; each other pageblock costs one word.
 *
 * Compare with: Linux mm/mm_init.c, memblock_free_all().
 */
#include "arch/machine.h"
#include "kernel/printk.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/frames.h"
#include "mm/hotplug.h"
#include "mm/memblock.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/slab.h"
#include "mm/zone.h"

struct mm kernel_mm;

#define EARLY_OBJECT_SIZE (PAGE_SIZE / 2)
#define EARLY_STATE	  ((u64)MIGRATE_MOVABLE << PB_MT_SHIFT)

void mm_init(struct mm *mm, const char *name)
{
	memset(mm, 0, sizeof(*mm));
	for (unsigned int i = 0; i < NR_SECTION_ROOTS; i++)
		mm->root[i] = &empty_section_root;
	if (!pcp_none.none)
		pcp_init(&pcp_none);
	for (unsigned int i = 0; i < ARRAY_SIZE(mm->pcp); i++)
		mm->pcp[i] = &pcp_none;
	mutex_init(&mm->hotplug_lock, "hotplug");
	INIT_LIST_HEAD(&mm->owners);
	INIT_LIST_HEAD(&mm->section_pool);
	notifier_chain_init(&mm->notifiers, "memory notifiers");
	spin_lock_init(&mm->reserve_lock, "mm reserve");
	for (unsigned int z = 0; z < NR_ZONES; z++)
		zone_init(&mm->zone[z], mm, z);
	mm->default_online_type = default_online_type();
	mm->name = name;
}

static unsigned long first_section(const struct memblock_region *r)
{
	return r->base >> SECTION_SHIFT;
}

static unsigned long last_section(const struct memblock_region *r)
{
	return (r->base + r->size - 1) >> SECTION_SHIFT;
}

/* Count the sections that boot memory touches, each once. */
static unsigned long count_sections(const struct memblock_type *memory)
{
	unsigned long nr = 0, next = 0;

	for (unsigned int i = 0; i < memory->nr; i++) {
		unsigned long first = max(first_section(&memory->region[i]), next);

		next = last_section(&memory->region[i]) + 1;
		if (first < next)
			nr += next - first;
	}
	return nr;
}

static int early_root(struct mm *mm, struct memblock *mb, unsigned long nr)
{
	phys_addr_t page;

	if (mm->root[nr / SECTIONS_PER_ROOT] != &empty_section_root)
		return 0;
	page = memblock_alloc_from(mb, PAGE_SIZE, PAGE_SIZE, PGTY_BOOT);
	if (!page)
		return -ENOMEM;
	memset(phys_to_virt(page), 0, PAGE_SIZE);
	mm->root[nr / SECTIONS_PER_ROOT] = phys_to_virt(page);
	return 0;
}

/* Make an early section: look-ups find it, its memmap is mapped, its frames are holes. */
static int early_section(struct mm *mm, struct memblock *mb, unsigned long nr,
			 struct mem_section *ms)
{
	phys_addr_t meta;

	if (nr >= (unsigned long)NR_SECTION_ROOTS * SECTIONS_PER_ROOT)
		return -E2BIG;
	meta = memblock_alloc_from(mb, MHP_HEADER_PAGES * PAGE_SIZE, PAGE_SIZE, PGTY_MEMMAP);
	if (!meta || early_root(mm, mb, nr))
		return -ENOMEM;
	memset(ms, 0, sizeof(*ms));
	ms->mm = mm;
	ms->start_pfn = nr << SECTION_PFN_SHIFT;
	ms->flags = SECTION_PRESENT | SECTION_EARLY;
	ms->host_pfn = phys_to_pfn(meta);
	ms->free_bits = phys_to_virt(meta + (MHP_HEADER_PAGES - 1) * PAGE_SIZE);
	ms->online_type = MMOP_ONLINE_KERNEL;
	pageblocks_init(ms, ~0UL, page_word(PGTY_HOLE, 0, 0, ZONE_NORMAL), EARLY_STATE);
	if (section_link(mm, ms))
		return -ENOMEM;
	return arch_vmemmap_map(ms->start_pfn, PAGES_PER_SECTION, meta);
}

static int early_sections(struct mm *mm, struct memblock *mb)
{
	const unsigned long nr = count_sections(&mb->memory);
	phys_addr_t objects;
	unsigned long next = 0;
	char *object;

	objects = memblock_alloc_from(mb, nr * EARLY_OBJECT_SIZE, PAGE_SIZE, PGTY_BOOT);
	if (!objects)
		return -ENOMEM;
	object = phys_to_virt(objects);
	for (unsigned int i = 0; i < mb->memory.nr; i++) {
		next = max(next, first_section(&mb->memory.region[i]));
		for (; next <= last_section(&mb->memory.region[i]); next++) {
			int err = early_section(mm, mb, next, (void *)object);

			if (err)
				return err;
			object += EARLY_OBJECT_SIZE;
		}
	}
	return 0;
}

/* Type the frames of one range that lie within one memory range. */
static void early_frames(struct mm *mm, const struct memblock_region *memory,
			 const struct memblock_region *r, enum page_type type)
{
	phys_addr_t base = max(memory->base, r->base);
	phys_addr_t end = min(memory->base + memory->size, r->base + r->size);
	struct pfn_range range;

	if (base >= end)
		return;
	range = (struct pfn_range){ phys_to_pfn(base), (end - base) >> PAGE_SHIFT };
	frames_change(mm, &range, PGTY_NONE, type, 0);
	/* Page tables from early boot count as allocated, like later ones. */
	if (type_is_alloc(type))
		zone_count(mm_zone(mm, ZONE_NORMAL), 0, 0, range.nr_pages);
}

static void count_present(struct mm *mm, const struct memblock_region *r)
{
	const struct pfn_range range = { phys_to_pfn(r->base), r->size >> PAGE_SHIFT };
	struct pfn_range part;

	for_each_section_part(part, &range)
		pfn_to_section(mm, part.start_pfn)->present += part.nr_pages;
}

/* Type all frames: holes stay holes, memory is PageOffline until its release. */
static void type_frames(struct mm *mm, const struct memblock *mb)
{
	for (unsigned int i = 0; i < mb->memory.nr; i++) {
		const struct memblock_region *m = &mb->memory.region[i];

		early_frames(mm, m, m, PGTY_OFFLINE);
		for (unsigned int r = 0; r < mb->reserved.nr; r++)
			early_frames(mm, m, &mb->reserved.region[r],
				     mb->reserved.region[r].type);
		count_present(mm, m);
	}
}

static void online_early_section(struct mem_section *ms)
{
	struct zone *zone = mm_zone(ms->mm, ZONE_NORMAL);

	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++) {
		u64 word = pb_read(&ms->pb[b]);

		if (!(word & PB_VALID) && PAGE_WORD_TYPE(pb_const(word)) == PGTY_HOLE)
			ms->hole |= BIT(b);
	}
	ms->unmapped = ms->hole;
	ms->boot = ~ms->hole;
	section_attach_zone(ms, zone);
	zone_grow(zone, ms);
	zone->present += ms->present;
	ms->mm->present_early += ms->present;
	__atomic_fetch_or(&ms->flags, SECTION_ONLINE, __ATOMIC_RELEASE);
	memory_block_set_state(ms, MEM_BLOCK_ONLINE);
}

int mm_populate(struct mm *mm, struct memblock *mb)
{
	struct mem_section *ms;
	phys_addr_t base = 0;
	u64 size = 0;
	int err = early_sections(mm, mb);

	if (err) {
		pr_err("mm: the metadata of %lu MiB of memory %s\n",
		       (unsigned long)(memblock_total(mb) >> 20),
		       err == -E2BIG ? "lies outside the addressable range"
				     : "does not fit into its free part");
		return err;
	}
	type_frames(mm, mb);
	for_each_section(ms, mm)
		online_early_section(ms);
	while (memblock_next_free(mb, base + size, &base, &size))
		release_offline_range(mm, phys_to_pfn(base), size >> PAGE_SHIFT);
	zone_update_watermarks(mm);
	return 0;
}

void mm_depopulate(struct mm *mm)
{
	struct mem_section *ms;

	while ((ms = next_section(mm, 0)) != NULL) {
		section_unlink(mm, ms);
		arch_unpoison_range(pfn_to_page(ms->start_pfn), MEMMAP_SIZE);
		arch_vmemmap_unmap(ms->start_pfn, PAGES_PER_SECTION);
		if (!(ms->flags & SECTION_EARLY))
			arch_unmap_direct(pfn_to_phys(ms->start_pfn), SECTION_SIZE);
	}
	for (unsigned int i = 0; i < NR_SECTION_ROOTS; i++)
		mm->root[i] = &empty_section_root;
}

int mm_boot(void)
{
	struct zone *normal = mm_zone(&kernel_mm, ZONE_NORMAL);
	int err;

	mm_init(&kernel_mm, "kernel");
	memblock.mapped = 1;
	err = mm_populate(&kernel_mm, &memblock);
	if (err)
		return err;
	pgtable_use_allocator();
	mm_reserve_refill(&kernel_mm);
	err = kmem_init();
	if (err)
		return err;
	pr_info("mm: %lu KiB of memory, %lu KiB free, %lu KiB metadata for each block\n",
		normal->present << (PAGE_SHIFT - 10), zone_free_pages(normal) << (PAGE_SHIFT - 10),
		MHP_HEADER_PAGES << (PAGE_SHIFT - 10));
	return 0;
}

int mm_hart_init(struct mm *mm, unsigned int hart)
{
	const unsigned int order = order_of(DIV_ROUND_UP(sizeof(struct pcp), PAGE_SIZE));
	unsigned long pfn;

	if (mm->pcp[hart] != &pcp_none)
		return 0;
	pfn = alloc_pages(mm, GFP_KERNEL, order, PGTY_KERNEL);
	if (pfn == PFN_NONE)
		return -ENOMEM;
	pcp_init(phys_to_virt(pfn_to_phys(pfn)));
	mm->pcp[hart] = phys_to_virt(pfn_to_phys(pfn));
	pcp_set_limits(mm);
	return 0;
}
