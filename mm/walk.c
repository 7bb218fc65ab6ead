/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a walker looks sections up: a reader that keeps nothing, neither the hotplug lock
 * nor a frame of the section. It looks once, loads the zone once, and where it needs the
 * zone's lock the look is repeated under it. docs/reference/locking.md has the rule.
 *
 * Compare with: Linux pfn_to_online_page() and SPARSEMEM's subsections under RCU.
 */
#include "mm/hold.h"
#include "mm/hotplug.h"
#include "mm/internal.h"

void (*hold_walk)(unsigned long pfn, enum walk_step step);

/**
 * walk_announce() - a walker's steps pass here, behind each look that may be overtaken
 * @pfn: frame that it looks at, or its section's first
 * @step: what it does next
 */
void walk_announce(unsigned long pfn, enum walk_step step)
{
	void (*fn)(unsigned long pfn, enum walk_step step) = READ_ONCE(hold_walk);

	VM_BUG_ON(!this_hart()->spin_depth);
	if (unlikely(fn != NULL))
		fn(pfn, step);
}

struct mem_section *walk_section(const struct mm *mm, unsigned long pfn)
{
	VM_BUG_ON(!this_hart()->spin_depth);
	return pfn_to_section(mm, pfn);
}

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

struct zone *section_lock_zone(const struct mem_section *ms) __no_lock_analysis
{
	struct zone *zone;

	/*
	 * Another zone: it went offline and online again. No more than once: its next
	 * offlining waits for a grace period, and none ends in a bracket.
	 */
	while ((zone = section_zone(ms)) != NULL) {
		walk_announce(ms->start_pfn, WALK_LOCK);
		spin_lock(&zone->lock);
		if (likely(READ_ONCE(ms->zone) == zone))
			break;
		spin_unlock(&zone->lock);
	}
	return zone;
}
