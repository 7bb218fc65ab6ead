/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a walker looks sections up. A walker is a reader that keeps nothing in place: it
 * has neither the hotplug lock nor a frame of the section. It loads the section once and
 * the zone once; if it needs the zone's lock, it loads the zone again under that lock.
 * docs/reference/locking.md has the rule.
 *
 * Compare with: Linux pfn_to_online_page() and SPARSEMEM's subsections under RCU.
 */
#include "kernel/trace/hold.h"
#include "mm/hotplug.h"

struct mem_section *walk_next_section(const struct mm *mm, unsigned long nr)
{
	VM_BUG_ON(!this_hart()->spin_depth);
	return next_section(mm, nr);
}

struct zone *section_zone(const struct mem_section *ms)
{
	walk_announce(ms->start_pfn, WALK_ZONE);
	return READ_ONCE(ms->zone);
}

/*
 * The section left the zone while the walker waited for the zone's lock. If it is in
 * another zone now, it went offline and online again. That happens at most once: its
 * next offlining waits for a grace period, and no grace period ends inside a bracket.
 */
static __noinline __cold struct zone *lock_again(const struct mem_section *ms,
						 struct zone *zone) __no_lock_analysis
{
	spin_unlock(&zone->lock);
	return section_lock_zone(ms);
}

struct zone *section_lock_zone(const struct mem_section *ms) __no_lock_analysis
{
	struct zone *zone = READ_ONCE(ms->zone);

	if (unlikely(!zone))
		return NULL;
	walk_announce(ms->start_pfn, WALK_LOCK);
	spin_lock(&zone->lock);
	return likely(READ_ONCE(ms->zone) == zone) ? zone : lock_again(ms, zone);
}
