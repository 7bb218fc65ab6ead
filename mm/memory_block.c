/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adding and removing memory blocks. A block brings its own metadata: page descriptors and
 * free bits lie in the first frames that are plugged, so adding a block takes from the
 * reserve at most half a page (the section object), a root, and the page tables that the
 * first block of a larger range needs.
 *
 * Removing first hides the block from look-ups, then waits until every hart has passed a
 * quiescent point, then unmaps memmap and direct map. So a walker never meets a missing
 * memmap.
 *
 * Compare with: Linux mm/memory_hotplug.c add_memory_resource(), try_remove_memory();
 * memmap_on_memory.
 */
#include "arch/machine.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "mm/hotplug.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"

#define DESCRIPTOR_PAGES (MHP_HEADER_PAGES - 1) /* the last header page holds the free bits */
#define DESCRIPTOR_ORDER 7
static_assert(1UL << DESCRIPTOR_ORDER == DESCRIPTOR_PAGES, "a buddy holds a memmap");
static_assert(DESCRIPTOR_PAGES * PAGE_SIZE == PAGES_PER_SECTION * sizeof(struct page),
	      "the header holds all descriptors");

static int check_add(struct mm *mm, unsigned long block, struct memory_owner *owner,
		     u64 plugged, struct mm_failure *why)
{
	const unsigned long pfn = block << SECTION_PFN_SHIFT;
	const u64 foreign = plugged & ~section_range_mask(pfn, &owner->region);
	phys_addr_t start, end;

	arch_mappable_range(&start, &end);
	if (block >= (unsigned long)NR_SECTION_ROOTS * SECTIONS_PER_ROOT ||
	    pfn_to_phys(pfn) < start || pfn_to_phys(pfn + PAGES_PER_SECTION) > end)
		return mm_fail(why, MM_REASON_OUT_OF_RANGE, pfn);
	if (pfn_to_section(mm, pfn))
		return mm_fail(why, MM_REASON_EXISTS, pfn);
	if (!plugged)
		return mm_fail(why, MM_REASON_HOLE, pfn);
	if (foreign)
		return mm_fail(why, MM_REASON_HOLE, pfn + __ffs(foreign) * PAGEBLOCK_NR_PAGES);
	return 0;
}

/* Map the plugged pageblocks; the caller unmaps the section if this fails. */
static int map_pageblocks(struct mem_section *ms, u64 mask)
{
	int err = 0;

	for_each_run(run, mask) {
		const struct pfn_range range = run_range(ms, run);

		err = err ? err : map_direct(ms->mm, &range);
	}
	return err;
}

/*
 * Choose where the descriptors go: into the block itself or, if several owners have frames
 * in the block, into other online memory, so that the owners can leave in any order.
 */
static int place_metadata(struct mem_section *ms, u64 plugged)
{
	unsigned long bits;

	if (!(~ms->hole & ~section_range_mask(ms->start_pfn, &ms->owner->region))) {
		ms->flags |= SECTION_SELF_HOSTED;
		ms->host_pfn = pb_pfn(ms, __ffs(plugged));
		ms->free_bits = phys_to_virt(pfn_to_phys(ms->host_pfn + DESCRIPTOR_PAGES));
		return 0;
	}
	bits = meta_page_alloc(ms->mm, PGTY_KERNEL);
	if (bits == PFN_NONE)
		return -ENOMEM;
	ms->free_bits = phys_to_virt(pfn_to_phys(bits));
	ms->host_pfn = mm_inject_fail(ms->mm) ? PFN_NONE :
					      alloc_pages(ms->mm, GFP_KERNEL | GFP_NOWARN,
							  DESCRIPTOR_ORDER, PGTY_KERNEL);
	if (ms->host_pfn != PFN_NONE) {
		page_set_owner(ms->mm, ms->host_pfn, OWNER_METADATA);
		return 0;
	}
	meta_page_free(ms->mm, bits);
	return -ENOMEM;
}

/* Free metadata that does not lie in the block itself. */
static void free_metadata(struct mem_section *ms)
{
	if (ms->flags & SECTION_SELF_HOSTED)
		return;
	free_pages(ms->mm, ms->host_pfn, DESCRIPTOR_ORDER);
	meta_page_free(ms->mm, phys_to_pfn(virt_to_phys(ms->free_bits)));
}

static void drop_memmap(struct mem_section *ms)
{
	arch_unpoison_range(pfn_to_page(ms->start_pfn), MEMMAP_SIZE);
	arch_vmemmap_unmap(ms->start_pfn, PAGES_PER_SECTION);
	free_metadata(ms);
}

/* Map the memmap and let look-ups find the section; on failure, free the metadata. */
static int publish_section(struct mem_section *ms)
{
	int err = mm_inject_fail(ms->mm) ? -ENOMEM :
					   arch_vmemmap_map(ms->start_pfn, PAGES_PER_SECTION,
							    pfn_to_phys(ms->host_pfn));

	if (err) {
		free_metadata(ms);
		return err;
	}
	err = section_link(ms->mm, ms);
	if (err)
		drop_memmap(ms);
	else
		arch_poison_range(pfn_to_page(ms->start_pfn), MEMMAP_SIZE);
	return err;
}

/* Set up direct map, metadata, memmap and look-up, in this order, all or none. */
static int build_section(struct mem_section *ms, u64 plugged)
{
	int err = map_pageblocks(ms, plugged);

	if (!err)
		err = place_metadata(ms, plugged);
	if (!err)
		err = publish_section(ms);
	if (err) {
		arch_unmap_direct(pfn_to_phys(ms->start_pfn), SECTION_SIZE);
		tables_reclaim();
	}
	return err;
}

static struct mem_section *add_section(struct mm *mm, unsigned long block,
				       struct memory_owner *owner, u64 plugged)
{
	struct mem_section *ms = section_alloc(mm);

	if (!ms)
		return NULL;
	ms->mm = mm;
	ms->owner = owner;
	ms->start_pfn = block << SECTION_PFN_SHIFT;
	ms->flags = SECTION_PRESENT;
	ms->host_pfn = PFN_NONE;
	ms->hole = ~owned_mask(ms);
	ms->unmapped = ~plugged;
	ms->present = hweight64(~ms->hole) * PAGEBLOCK_NR_PAGES;
	if (build_section(ms, plugged)) {
		section_free(mm, ms);
		return NULL;
	}
	section_count_plugged(ms, plugged, 1);
	memory_block_set_state(ms, MEM_BLOCK_OFFLINE);
	return ms;
}

int add_memory(struct mm *mm, unsigned long block, struct memory_owner *owner, u64 plugged,
	       struct mm_failure *why)
{
	struct mm_failure online_why = { .pfn = PFN_NONE };
	/* Users change the default without the lock. */
	const enum mhp_online_type type = READ_ONCE(mm->default_online_type);
	struct mem_section *ms = NULL;
	int err, online = 0;

	mutex_lock(&mm->hotplug_lock);
	err = check_add(mm, block, owner, plugged, why);
	if (!err) {
		ms = add_section(mm, block, owner, plugged);
		if (!ms)
			err = mm_fail(why, MM_REASON_NO_MEMORY, block << SECTION_PFN_SHIFT);
	}
	if (ms && type != MMOP_OFFLINE)
		online = online_section(ms, type, &online_why);
	if (ms)
		mm_reserve_refill(mm);
	mutex_unlock(&mm->hotplug_lock);
	/* The block stays added; the user can try again to bring it online. */
	if (online)
		memory_block_report(mm, block, "online", &online_why);
	return err;
}

/* --- removing ------------------------------------------------------------------- */

/* Destroy a section after the grace period, when no walker can see it any more. */
static void destroy_section(struct mem_section *ms)
{
	struct mm *mm = ms->mm;
	const unsigned long pfn = ms->start_pfn;

	section_count_plugged(ms, ~ms->unmapped, -1);
	drop_memmap(ms);
	/* Unplugged parts are holes in this range; one TLB shoot-down covers all of it. */
	arch_unmap_direct(pfn_to_phys(pfn), SECTION_SIZE);
	memory_block_set_state(ms, MEM_BLOCK_ABSENT);
	section_free(mm, ms);
	section_root_put(mm, pfn);
}

int remove_sections(struct mm *mm, struct mem_section *list, struct mm_failure *why)
{
	struct mem_section *ms, *next;

	for (ms = list; ms; ms = ms->next) {
		if (ms->state != MEM_BLOCK_REMOVING)
			memory_block_set_state(ms, MEM_BLOCK_REMOVING);
		section_unlink(mm, ms);
	}
	if (mm_inject_fail(mm) || drain_all_pages(mm, MHP_GRACE_NS)) {
		for (ms = list; ms; ms = ms->next) {
			/* The root still exists, so this cannot fail. */
			BUG_ON(section_link(mm, ms));
			memory_block_set_state(ms, MEM_BLOCK_OFFLINE);
		}
		return mm_fail(why, MM_REASON_HARTS_BUSY, PFN_NONE);
	}
	for (ms = list; ms; ms = next) {
		next = ms->next;
		destroy_section(ms);
	}
	tables_reclaim();
	return 0;
}

int try_remove_memory(struct mm *mm, unsigned long block, struct mm_failure *why)
{
	struct mem_section *ms;
	int err;

	mutex_lock(&mm->hotplug_lock);
	ms = find_block(mm, block, why);
	if (!ms) {
		err = mm_reason_errno(MM_REASON_NOT_PRESENT);
	} else if (ms->flags & SECTION_EARLY) {
		err = mm_fail(why, MM_REASON_SHARED_BLOCK, ms->start_pfn);
	} else if (ms->state != MEM_BLOCK_OFFLINE) {
		err = mm_fail(why, MM_REASON_NOT_OFFLINE, ms->start_pfn);
	} else {
		ms->next = NULL;
		err = remove_sections(mm, ms, why);
	}
	mutex_unlock(&mm->hotplug_lock);
	return err;
}
