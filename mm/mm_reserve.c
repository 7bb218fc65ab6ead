/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fixed reserve: at most MM_RESERVE_PAGES frames for section objects, roots and
 * page tables when the allocator has nothing left. So adding memory needs no memory;
 * each add refills the reserve afterwards.
 *
 * A frame in the reserve is allocated and of type Kernel.
 */
#include "arch/machine.h"
#include "lib/string.h"
#include "mm/hotplug.h"
#include "mm/internal.h"
#include "mm/memblock.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"

#define META_GFP (GFP_KERNEL | GFP_ATOMIC | GFP_NOWARN | GFP_NODRAIN)

static u32 allocator_up; /* kernel_mm has frames; set once at boot */

static unsigned long reserve_pop(struct mm *mm)
{
	unsigned long pfn = PFN_NONE;

	spin_lock(&mm->reserve_lock);
	if (mm->nr_reserve)
		pfn = mm->reserve[--mm->nr_reserve];
	spin_unlock(&mm->reserve_lock);
	return pfn;
}

/* Return: whether there was room. */
static u32 reserve_push(struct mm *mm, unsigned long pfn)
{
	u32 room;

	spin_lock(&mm->reserve_lock);
	room = mm->nr_reserve < MM_RESERVE_PAGES;
	if (room)
		mm->reserve[mm->nr_reserve++] = pfn;
	spin_unlock(&mm->reserve_lock);
	return room;
}

/* Give an allocated single frame another allocated type. */
static void page_retype(struct mm *mm, unsigned long pfn, enum page_type type)
{
	frames_set(mm, pfn, 1, page_word(type, 0, 0, pfn_to_section(mm, pfn)->zone->type), 0);
}

unsigned long meta_page_alloc(struct mm *mm, enum page_type type)
{
	unsigned long pfn;

	if (mm_inject_fail(mm))
		return PFN_NONE;
	pfn = reserve_pop(mm);
	if (pfn == PFN_NONE)
		pfn = alloc_pages(mm, META_GFP, 0, type);
	else if (type != PGTY_KERNEL)
		page_retype(mm, pfn, type);
	return pfn;
}

static phys_addr_t zeroed_page(unsigned long pfn)
{
	if (pfn == PFN_NONE)
		return 0;
	memset(phys_to_virt(pfn_to_phys(pfn)), 0, PAGE_SIZE);
	return pfn_to_phys(pfn);
}

void meta_page_free(struct mm *mm, unsigned long pfn)
{
	if (READ_ONCE(mm->nr_reserve) < MM_RESERVE_PAGES) {
		if (page_type(mm, pfn) != PGTY_KERNEL)
			page_retype(mm, pfn, PGTY_KERNEL);
		if (reserve_push(mm, pfn))
			return;
	}
	free_pages(mm, pfn, 0);
}

void mm_reserve_refill(struct mm *mm)
{
	while (READ_ONCE(mm->nr_reserve) < MM_RESERVE_PAGES) {
		unsigned long pfn = alloc_pages(mm, GFP_KERNEL | GFP_NOWARN | GFP_NODRAIN, 0,
						PGTY_KERNEL);

		if (pfn == PFN_NONE)
			return;
		if (!reserve_push(mm, pfn))
			free_pages(mm, pfn, 0);
	}
}

void mm_reserve_drop(struct mm *mm)
{
	unsigned long pfn;

	while ((pfn = reserve_pop(mm)) != PFN_NONE)
		free_pages(mm, pfn, 0);
}

void pgtable_use_allocator(void)
{
	allocator_up = 1;
}

phys_addr_t pgtable_alloc_page(void)
{
	unsigned long pfn;

	if (!allocator_up)
		return memblock_alloc(PAGE_SIZE, PAGE_SIZE);
	pfn = alloc_pages(&kernel_mm, META_GFP, 0, PGTY_PGTABLE);
	if (pfn == PFN_NONE)
		pfn = meta_page_alloc(&kernel_mm, PGTY_PGTABLE);
	return zeroed_page(pfn);
}

void pgtable_free_page(phys_addr_t paddr)
{
	/* Page tables from before the allocator are boot memory and stay so. */
	if (page_type(&kernel_mm, phys_to_pfn(paddr)) == PGTY_PGTABLE)
		meta_page_free(&kernel_mm, phys_to_pfn(paddr));
}
