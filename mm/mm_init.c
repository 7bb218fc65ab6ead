/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Building a struct mm from boot memory: make early sections and their memmap, type
 * reserved ranges, free the rest. Everything comes from the memblock's ranges, which
 * may have holes, odd sizes and any alignment. Only pageblocks with frames that differ
 * get descriptors; any other pageblock costs one word.
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

#define EARLY_STATE ((u64)MIGRATE_MOVABLE << PB_MT_SHIFT)

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

/* Make an early section and let look-ups find it; it has no memmap yet. */
static int early_section(struct mm *mm, unsigned long nr)
{
	struct mem_section *ms;

	if (nr >= (unsigned long)NR_SECTION_ROOTS * SECTIONS_PER_ROOT)
		return -E2BIG;
	ms = section_alloc(mm);
	if (!ms)
		return -ENOMEM;
	ms->mm = mm;
	ms->start_pfn = nr << SECTION_PFN_SHIFT;
	ms->flags = SECTION_PRESENT | SECTION_EARLY;
	ms->online_type = MMOP_ONLINE_KERNEL;
	return section_link(mm, ms);
}

static void count_present(struct mm *mm, const struct memblock_region *r)
{
	const struct pfn_range range = { phys_to_pfn(r->base), r->size >> PAGE_SHIFT };
	struct pfn_range part;

	for_each_section_part(part, &range)
		pfn_to_section(mm, part.start_pfn)->present += part.nr_pages;
}

static bool is_all_memory(const struct mem_section *ms)
{
	return ms->present == PAGES_PER_SECTION;
}

/*
 * Map the memmap of an early section. Its frames are PageOffline if all of them are memory,
 * else holes until they are typed.
 */
static int early_memmap(struct mem_section *ms, struct memblock *mb)
{
	const enum page_type type = is_all_memory(ms) ? PGTY_OFFLINE : PGTY_HOLE;
	const phys_addr_t meta = memblock_alloc_from(mb, MHP_HEADER_PAGES * PAGE_SIZE, PAGE_SIZE,
						     PGTY_MEMMAP);

	if (!meta)
		return -ENOMEM;
	ms->host_pfn = phys_to_pfn(meta);
	ms->free_bits = phys_to_virt(meta + (MHP_HEADER_PAGES - 1) * PAGE_SIZE);
	pageblocks_init(ms, ~0UL, page_word(type, 0, 0, ZONE_NORMAL), EARLY_STATE);
	return arch_vmemmap_map(ms->start_pfn, PAGES_PER_SECTION, meta);
}

/* Make the sections that boot memory touches, each once. */
static int early_sections(struct mm *mm, struct memblock *mb)
{
	struct mem_section *ms;
	unsigned long nr = 0;
	int err = 0;

	mm->boot = mb;
	for (unsigned int i = 0; i < mb->memory.nr; i++) {
		const struct memblock_region *r = &mb->memory.region[i];
		const unsigned long last = (r->base + r->size - 1) >> SECTION_SHIFT;

		for (nr = max(nr, r->base >> SECTION_SHIFT); nr <= last && !err; nr++)
			err = early_section(mm, nr);
	}
	mm->boot = NULL;
	/*
	 * Section objects of added blocks share no page with early ones: a half page that
	 * is left over stays unused.
	 */
	INIT_LIST_HEAD(&mm->section_pool);
	for (unsigned int i = 0; i < mb->memory.nr && !err; i++)
		count_present(mm, &mb->memory.region[i]);
	for_each_section(ms, mm)
		err = err ? err : early_memmap(ms, mb);
	return err;
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
	if (type == PGTY_PGTABLE)
		mm->nr_pgtable += range.nr_pages;
}

/* Type the frames of a memory range; early_memmap() has typed whole sections. */
static void type_memory(struct mm *mm, const struct memblock_region *r)
{
	const struct pfn_range range = { phys_to_pfn(r->base), r->size >> PAGE_SHIFT };
	struct pfn_range part;

	for_each_section_part(part, &range)
		if (!is_all_memory(pfn_to_section(mm, part.start_pfn)))
			frames_change(mm, &part, PGTY_NONE, PGTY_OFFLINE, 0);
}

/* Type all frames: holes stay holes, memory is PageOffline until its release. */
static void type_frames(struct mm *mm, const struct memblock *mb)
{
	for (unsigned int i = 0; i < mb->memory.nr; i++) {
		const struct memblock_region *m = &mb->memory.region[i];

		type_memory(mm, m);
		for (unsigned int r = 0; r < mb->reserved.nr; r++)
			early_frames(mm, m, &mb->reserved.region[r],
				     mb->reserved.region[r].type);
	}
}

static void online_early_section(struct mem_section *ms)
{
	struct zone *zone = mm_zone(ms->mm, ZONE_NORMAL);

	for (unsigned int b = 0; !is_all_memory(ms) && b < PAGEBLOCKS_PER_SECTION; b++) {
		u64 word = pb_read(&ms->pb[b]);

		if (!(word & PB_VALID) && PAGE_WORD_TYPE(pb_const(word)) == PGTY_HOLE)
			ms->hole |= BIT(b);
	}
	ms->unmapped = ms->hole;
	ms->boot = ~ms->hole;
	section_attach_zone(ms, zone, 0);
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
	err = mm_hart_init(&kernel_mm, 0);
	if (err)
		return err;
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
