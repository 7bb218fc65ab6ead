/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owners of ranges of physical memory. A look-up finds an owner by range; descriptors
 * do not store it. A region may share blocks with boot memory; its frames there are
 * holes until the owner registers, and PageOffline from then on.
 */
#include "arch/machine.h"
#include "kernel/panic.h"
#include "lib/bitops.h"
#include "lib/string.h"
#include "mm/frames.h"
#include "mm/hotplug.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"

struct memory_owner *memory_owner_of(struct mm *mm, unsigned long pfn)
{
	struct memory_owner *owner;

	VM_BUG_ON(!this_hart()->spin_depth);
	list_for_each_entry(owner, &mm->owners, list)
		if (pfn - owner->region.start_pfn < owner->region.nr_pages)
			return owner;
	return NULL;
}

u64 owned_mask(const struct mem_section *ms)
{
	const struct memory_owner *o;
	u64 mask = 0;

	list_for_each_entry(o, &ms->mm->owners, list)
		mask |= section_range_mask(ms->start_pfn, &o->region);
	return mask;
}

void section_count_plugged(struct mem_section *ms, u64 mask, int sign)
{
	struct memory_owner *o;

	list_for_each_entry(o, &ms->mm->owners, list) {
		const long nr = hweight64(mask & section_range_mask(ms->start_pfn, &o->region));

		WRITE_ONCE(o->plugged, o->plugged + sign * nr * (long)PAGEBLOCK_NR_PAGES);
	}
}

struct memory_block_info memory_block_info(const struct mm *mm, unsigned long block,
					   const struct memory_owner *owner)
{
	struct memory_block_info info = { .state = MEM_BLOCK_ABSENT };
	const struct mem_section *ms;

	pfn_walk_begin();
	ms = walk_section(mm, block << SECTION_PFN_SHIFT);
	if (ms) {
		info.state = READ_ONCE(ms->state);
		info.plugged = section_range_mask(ms->start_pfn, &owner->region) &
			       ~READ_ONCE(ms->unmapped);
		info.header = section_header(ms);
		info.removable = info.header && READ_ONCE(ms->owner) == owner;
	}
	pfn_walk_end();
	return info;
}

static int check_range(const struct memory_owner *owner, struct mm_failure *why)
{
	const struct pfn_range *r = &owner->region;
	phys_addr_t start, end;

	if (!r->nr_pages || !IS_ALIGNED(r->start_pfn | r->nr_pages, PAGEBLOCK_NR_PAGES))
		return mm_fail(why, MM_REASON_MISALIGNED, r->start_pfn);
	arch_mappable_range(&start, &end);
	if (range_end(r) < r->start_pfn || r->start_pfn < phys_to_pfn(start) ||
	    range_end(r) > phys_to_pfn(end) ||
	    range_end(r) >> ROOT_PFN_SHIFT >= NR_SECTION_ROOTS)
		return mm_fail(why, MM_REASON_OUT_OF_RANGE, r->start_pfn);
	return 0;
}

/* Refuse boot memory in the region; accept blocks that an earlier owner left. */
static int check_sections(struct mm *mm, const struct memory_owner *owner,
			  struct mm_failure *why)
{
	struct mem_section *ms;

	for_each_section_in(ms, mm, &owner->region) {
		const u64 boot = section_range_mask(ms->start_pfn, &owner->region) & ms->boot;

		if (boot)
			return mm_fail(why, MM_REASON_EXISTS, pb_pfn(ms, __ffs(boot)));
	}
	return 0;
}

/* Retype whole pageblocks of a section, none of them free. */
static void set_pageblocks(struct mem_section *ms, u64 mask, enum page_type type,
			   unsigned int flags)
{
	for_each_run(run, mask) {
		const struct pfn_range range = run_range(ms, run);

		frames_change(ms->mm, &range, PGTY_NONE, type, flags);
	}
}

void section_account(struct mem_section *ms, long pages)
{
	WRITE_ONCE(ms->zone->present, ms->zone->present + pages);
	if (ms->owner)
		ms->owner->present[ms->zone->type] += pages;
}

static void section_add_present(struct mem_section *ms, long pages)
{
	ms->present += pages;
	if (ms->zone)
		section_account(ms, pages);
}

/* Give the owner its frames of one section; former holes now belong to it. */
static void adopt_section(struct mem_section *ms, struct memory_owner *owner)
{
	const u64 mask = section_range_mask(ms->start_pfn, &owner->region);
	const u64 was_hole = mask & ms->hole;

	if (!(ms->flags & SECTION_EARLY) && !ms->owner) {
		STORE_RELEASE(ms->owner, owner);
		if (ms->zone)
			owner->present[ms->zone->type] += ms->present;
	}
	owner->plugged += hweight64(mask & ~ms->unmapped) * PAGEBLOCK_NR_PAGES;
	WRITE_ONCE(ms->hole, ms->hole & ~mask);
	section_add_present(ms, hweight64(was_hole) * PAGEBLOCK_NR_PAGES);
	if (ms->flags & SECTION_ONLINE)
		set_pageblocks(ms, mask & ms->unmapped, PGTY_OFFLINE, PG_OFFLINE_SKIPPABLE);
}

/* Insert by address. Walkers read the list without a lock: fill in, publish with release. */
static void link_owner(struct mm *mm, struct memory_owner *owner)
{
	struct memory_owner *next;

	list_for_each_entry(next, &mm->owners, list)
		if (next->region.start_pfn > owner->region.start_pfn)
			break;
	owner->list.next = &next->list;
	owner->list.prev = next->list.prev;
	__atomic_store_n(&next->list.prev->next, &owner->list, __ATOMIC_RELEASE);
	next->list.prev = &owner->list;
}

static int register_locked(struct mm *mm, struct memory_owner *owner, struct mm_failure *why)
{
	const struct pfn_range *r = &owner->region;
	struct memory_owner *other;
	struct mem_section *ms;
	int err;

	err = check_range(owner, why);
	if (err)
		return err;
	list_for_each_entry(other, &mm->owners, list)
		if (r->start_pfn < range_end(&other->region) &&
		    other->region.start_pfn < range_end(r))
			return mm_fail(why, MM_REASON_EXISTS,
				       max(r->start_pfn, other->region.start_pfn));
	err = check_sections(mm, owner, why);
	if (err)
		return err;

	memset(owner->present, 0, sizeof(owner->present));
	owner->plugged = 0;
	link_owner(mm, owner);
	for_each_section_in(ms, mm, r)
		adopt_section(ms, owner);
	mm_reserve_refill(mm);
	return 0;
}

int register_memory_owner(struct mm *mm, struct memory_owner *owner, struct mm_failure *why)
{
	int err;

	mutex_lock(&mm->hotplug_lock);
	err = register_locked(mm, owner, why);
	mutex_unlock(&mm->hotplug_lock);
	return err;
}

/* Drop the owner's unplugged frames; in early sections, they become holes. */
static void abandon_section(struct mem_section *ms, struct memory_owner *owner)
{
	const u64 unplugged = section_range_mask(ms->start_pfn, &owner->region) & ms->unmapped;

	if (ms->flags & SECTION_EARLY) {
		set_pageblocks(ms, unplugged, PGTY_HOLE, 0);
		WRITE_ONCE(ms->hole, ms->hole | unplugged);
		section_add_present(ms, -(long)(hweight64(unplugged) * PAGEBLOCK_NR_PAGES));
	}
	if (ms->owner == owner)
		WRITE_ONCE(ms->owner, NULL);
}

void unregister_memory_owner(struct mm *mm, struct memory_owner *owner)
{
	const struct pfn_range *r = &owner->region;
	struct mem_section *ms;

	mutex_lock(&mm->hotplug_lock);
	mark_offline_frames(mm, r, 0);
	/* An evacuation that waits now classifies these frames again. */
	WRITE_ONCE(mm->owners_gone, mm->owners_gone + 1);
	for_each_section_in(ms, mm, r)
		abandon_section(ms, owner);
	WRITE_ONCE(owner->list.prev->next, owner->list.next);
	owner->list.next->prev = owner->list.prev;
	mutex_unlock(&mm->hotplug_lock);
	/*
	 * A walker may still be reading this owner, and the caller may free it next. Each
	 * drain that times out names the hart that has not answered.
	 */
	while (drain_all_pages(mm, MHP_GRACE_NS))
		;
}

void memory_listener_relents(struct mm *mm)
{
	struct memory_owner *owner;

	pfn_walk_begin();
	list_for_each_entry(owner, &mm->owners, list)
		if (owner->unblocked)
			owner->unblocked(owner);
	pfn_walk_end();
}
