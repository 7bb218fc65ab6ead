/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Isolation and watching: two bits of a pageblock, and the threads that wait for its
 * frames.
 *
 * The isolate bit takes a pageblock's free frames out of the search index and the zone's
 * free count. Frames freed into it stay there. The migrate type does not change, so
 * clearing the bit ends the isolation. An order-10 chunk that the border of a range cuts
 * becomes two of order 9; they merge again by themselves. pageblock.c sets and clears the
 * bits; this file does it for ranges. Cost: a few instructions per pageblock.
 *
 * The watch bit is set when an unplug has failed because of a frame, and the driver wants
 * to hear when that frame may no longer be in the way. The first free, unpin, put, end of
 * an isolation or offlining clears the bit and tells the owner of the frame's region, which
 * tries again.
 *
 * Both bits send frees straight to the buddy allocator, so the fast path of freeing pays
 * nothing for them. There, a free wakes the threads in wait_isolated_free() and tells the
 * watcher.
 *
 * Compare with: Linux mm/page_isolation.c; virtio-mem polls there.
 */
#include "mm/buddy.h"
#include "mm/evac.h"
#include "mm/memory_hotplug.h"
#include "mm/page_isolation.h"
#include "mm/pageblock.h"

int isolate_range(struct mm *mm, const struct pfn_range *range, struct mm_failure *why)
{
	struct pfn_range part;

	for_each_section_part(part, range) {
		struct mem_section *ms = pfn_to_section(mm, part.start_pfn);
		const bool online = ms && ms->zone;
		const u64 already = online ? pageblocks_isolate(ms, range_mask(&part)) : 0;
		int err = 0;

		if (!online)
			err = mm_fail(why, MM_REASON_NOT_PRESENT, part.start_pfn);
		else if (already)
			err = mm_fail(why, MM_REASON_ALREADY_ISOLATED, pb_pfn(ms, __ffs(already)));
		if (err) {
			const unsigned long done = part.start_pfn - range->start_pfn;

			unisolate_range(mm, &(struct pfn_range){ range->start_pfn, done });
			return err;
		}
	}
	return 0;
}

void unisolate_range(struct mm *mm, const struct pfn_range *range)
{
	struct pfn_range part;

	for_each_section_part(part, range)
		pageblocks_unisolate(pfn_to_section(mm, part.start_pfn), range_mask(&part));
}

/* --- the threads that wait for a frame ---------------------------------------------- */

/* Tell the owner, if it watches the pageblock, and stop watching. */
static void tell_watcher(struct mem_section *ms, unsigned int b)
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

void wake_waiters(struct mem_section *ms, unsigned int b)
{
	if (ms->zone->nr_free_waiters)
		wake_up_all(&ms->zone->freed);
	if (unlikely(ms->zone->nr_watched))
		tell_watcher(ms, b);
}

void tell_watchers(struct mem_section *ms, u64 mask)
{
	if (likely(!ms->zone->nr_watched))
		return;
	for (; mask; mask &= mask - 1)
		tell_watcher(ms, __ffs(mask));
}

/* Is the range all free, or a movable chunk with its owner's reference only? */
static bool free_or_movable(const struct mm *mm, const struct pfn_range *range)
{
	const unsigned long end = range_end(range);
	struct page_state st;

	return next_used(mm, range->start_pfn, end) == end ||
	       (page_state_isolated(mm, range->start_pfn, &st) && movable_types >> st.type & 1 &&
		!(st.flags & (PG_PINNED | PG_CLAIMED)) && st.count == 1);
}

bool wait_isolated_free(struct zone *zone, const struct pfn_range *range, u64 deadline_ns)
{
	bool met;

	/*
	 * Register before checking the condition, under the lock that every free and
	 * unpin takes. A later free sees the waiter; the check below sees an earlier free.
	 */
	spin_lock(&zone->lock);
	WRITE_ONCE(zone->nr_free_waiters, zone->nr_free_waiters + 1);
	spin_unlock(&zone->lock);
	met = wait_event_until(&zone->freed, free_or_movable(zone->mm, range), deadline_ns);
	spin_lock(&zone->lock);
	WRITE_ONCE(zone->nr_free_waiters, zone->nr_free_waiters - 1);
	spin_unlock(&zone->lock);
	return met;
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
 * Set the bit, then look at the frame, with a fence between. For a change of the frame,
 * with or without the lock, either the look sees the change, or its author sees the bit.
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
	    free_or_movable(mm, &frame))
		tell_watcher(ms, pageblock_index(why->pfn));
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
