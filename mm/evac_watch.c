/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watched pageblocks: an unplug failed because of a frame in them, and the driver must
 * hear when the frame may no longer be in the way. The watch bit sends frees straight
 * to the buddy allocator, as the isolate bit does, so the fast path of freeing pays
 * nothing. The first free, unpin, put, end of an isolation or offlining clears the bit
 * and tells the owner of the frame's region, which tries again.
 *
 * Everything here runs under zone->lock. Compare with: Linux virtio-mem, which polls.
 */
#include "mm/hotplug.h"
#include "mm/internal.h"

void watch_event(struct mem_section *ms, unsigned int b)
{
	struct memory_owner *owner;

	VM_BUG_ON(!spin_is_held(&ms->zone->lock));
	if (!pageblock_unwatch(ms, b))
		return;
	pfn_walk_begin();
	owner = memory_owner_of(ms->mm, pb_pfn(ms, b));
	if (owner && owner->unblocked)
		owner->unblocked(owner);
	pfn_walk_end();
}

void watch_events(struct mem_section *ms, u64 mask)
{
	if (likely(!ms->zone->nr_watched))
		return;
	for (; mask; mask &= mask - 1)
		watch_event(ms, __ffs(mask));
}

/* Can a free, an unpin or the end of another use remove this reason? */
static bool can_change(enum mm_reason reason)
{
	switch (reason) {
	case MM_REASON_UNMOVABLE:
	case MM_REASON_PINNED:
	case MM_REASON_CLAIM_LOST:
	case MM_REASON_NOT_FREE:
	case MM_REASON_NOT_SKIPPABLE:
	case MM_REASON_SKIPPABLE_TAKEN:
	case MM_REASON_ALREADY_ISOLATED:
	case MM_REASON_WRONG_STATE:
		return true;
	default:
		return false;
	}
}

static bool owner_listens(struct mm *mm, unsigned long pfn)
{
	const struct memory_owner *owner;
	bool listens;

	pfn_walk_begin();
	owner = memory_owner_of(mm, pfn);
	listens = owner && owner->unblocked;
	pfn_walk_end();
	return listens;
}

/*
 * Set the bit, then look at the frame, with a fence between: a change of the frame, with
 * or without the lock, is either seen here or sees the bit.
 */
void watch_blocker(struct mm *mm, const struct mm_failure *why)
{
	struct pfn_range frame;
	struct mem_section *ms;
	struct zone *zone;

	assert_mutex_held(&mm->hotplug_lock);
	if (why->pfn == PFN_NONE || !can_change(why->reason) ||
	    !owner_listens(mm, why->pfn))
		return;
	frame = (struct pfn_range){ why->pfn, 1 };
	ms = pfn_to_section(mm, why->pfn);
	zone = ms ? ms->zone : NULL;
	if (!zone)
		return;
	spin_lock(&zone->lock);
	pageblock_watch(ms, pageblock_index(why->pfn));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if ((why->reason == MM_REASON_UNMOVABLE || why->reason == MM_REASON_PINNED) &&
	    free_or_loose(mm, &frame))
		watch_event(ms, pageblock_index(why->pfn));
	spin_unlock(&zone->lock);
}

void unwatch_range(struct mm *mm, const struct pfn_range *range)
{
	struct pfn_range part;

	for_each_section_part(part, range) {
		struct mem_section *ms = pfn_to_section(mm, part.start_pfn);

		if (!ms || !ms->zone || !READ_ONCE(ms->zone->nr_watched))
			continue;
		spin_lock(&ms->zone->lock);
		for (u64 mask = range_mask(&part); mask; mask &= mask - 1)
			(void)pageblock_unwatch(ms, __ffs(mask));
		spin_unlock(&ms->zone->lock);
	}
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
