/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compaction on request. It chooses whole pageblocks, and leaves the rest to evacuate():
 *
 *	survey -> a group of the emptiest pageblocks -> evacuate() them together -> next group
 *
 * The survey counts what is in use in every pageblock that is partly free and has only
 * movable pages: all of that fits into a number of pageblocks, and the others, the emptiest,
 * can be emptied. The pageblocks of a group are isolated together, so no page moves into a
 * pageblock of its own group. The allocator's best fit fills the fullest pageblocks first.
 * Linux's two scanners move pages from a zone's bottom to its top, however full the
 * pageblocks are.
 *
 * Compare with: Linux mm/compaction.c.
 */
#include "kernel/thread.h"
#include "lib/errno.h"
#include "mm/compaction.h"
#include "mm/descriptor.h"
#include "mm/evac.h"
#include "mm/buddy.h"
#include "mm/hotplug.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/vmstat.h"
#include "mm/zone.h"

#define COMPACT_DRAIN_NS NSEC_PER_SEC
#define GROUP	   64U /* pageblocks that are emptied together */
#define NR_CLASSES 64U /* by frames in use */
#define CLASS(used) ((used) * NR_CLASSES / PAGEBLOCK_NR_PAGES)

/* The compaction of one zone: the pageblocks of the lowest classes become empty. */
struct plan {
	struct zone *zone;
	const struct evacuate_policy *policy;
	struct compaction_result *result;
	unsigned long nr_in[NR_CLASSES];
	unsigned int cutoff; /* all classes below, */
	unsigned long equal; /* and this many pageblocks of this class */
};

/* Frames in use if the pageblock is partly free and all of them can move, else 0. */
static unsigned int movable_in(const struct mem_section *ms, unsigned int b)
	__must_hold(walk_bracket)
{
	const u64 w = pb_read(&ms->pb[b]);
	const unsigned int used = PAGEBLOCK_NR_PAGES - pb_free(w);

	if (!(w & PB_VALID) || (w & PB_ISOLATE) || used == PAGEBLOCK_NR_PAGES)
		return 0;
	return pageblock_count(ms, b, movable_types) == used ? used : 0;
}

/*
 * Find the next such pageblock of the zone, from the pageblock at *@pfn on, and set *@pfn to
 * it. Return: its frames in use; 0 if there is none.
 */
static unsigned int next_movable(const struct zone *zone, unsigned long *pfn)
{
	const struct mem_section *ms;
	unsigned int used = 0;

	do {
		pfn_walk_begin();
		ms = walk_next_section(zone->mm, *pfn >> SECTION_PFN_SHIFT);
		if (ms)
			*pfn = max(*pfn, ms->start_pfn);
		if (ms && (!(READ_ONCE(ms->flags) & SECTION_ONLINE) || section_zone(ms) != zone))
			*pfn = section_end_pfn(ms);
		while (ms && *pfn < section_end_pfn(ms)) {
			used = movable_in(ms, pageblock_index(*pfn));
			if (used)
				break;
			*pfn += PAGEBLOCK_NR_PAGES;
		}
		pfn_walk_end();
		cond_resched();
	} while (ms && !used);
	return used;
}

/* Find out which pageblocks the others have room for. */
static void survey(struct plan *plan)
{
	unsigned long nr = 0, sum = 0, pfn = 0, surplus;
	unsigned int used;

	for (; (used = next_movable(plan->zone, &pfn)) != 0; pfn += PAGEBLOCK_NR_PAGES) {
		plan->nr_in[CLASS(used)]++;
		sum += used;
		nr++;
	}
	surplus = nr - DIV_ROUND_UP(sum, PAGEBLOCK_NR_PAGES);
	while (surplus > plan->nr_in[plan->cutoff])
		surplus -= plan->nr_in[plan->cutoff++];
	plan->equal = surplus;
}

/* Is it among the pageblocks to empty? */
static bool is_chosen(struct plan *plan, unsigned int used)
{
	if (CLASS(used) != plan->cutoff)
		return CLASS(used) < plan->cutoff;
	if (!plan->equal)
		return false;
	plan->equal--;
	return true;
}

/*
 * Collect the next group, from *@pfn on. What is free in its pageblocks is not available
 * while they are isolated: at most a quarter of the zone's free frames, and a pageblock.
 */
static unsigned int next_group(struct plan *plan, unsigned long *pfn, struct pfn_range *group)
{
	const unsigned long most = zone_free_pages(plan->zone) / 4;
	unsigned long free = 0;
	unsigned int nr = 0, used;

	while (nr < GROUP && free <= most && (used = next_movable(plan->zone, pfn)) != 0) {
		if (is_chosen(plan, used)) {
			group[nr++] = (struct pfn_range){ *pfn, PAGEBLOCK_NR_PAGES };
			free += PAGEBLOCK_NR_PAGES - used;
		}
		*pfn += PAGEBLOCK_NR_PAGES;
	}
	return nr;
}

static bool gives_up(const struct mm_failure *why)
{
	return why->reason == MM_REASON_DEADLINE || why->reason == MM_REASON_CANCELLED ||
	       why->reason == MM_REASON_LOCKED;
}

/*
 * Empty the group, of which blocks may have left since it was chosen. Return: 0 unless the
 * whole request has to end.
 */
static int empty_group(struct plan *plan, const struct pfn_range *group, unsigned int nr,
		       struct mm_failure *why)
{
	struct mm *mm = plan->zone->mm;
	int err = hotplug_lock(mm, &plan->policy->limits, why);

	if (err)
		return err;
	err = evacuate_locked(mm, group, nr, plan->policy, why);
	plan->result->moved += why->migrated;
	vm_event_inc(mm, VM_COMPACT_ISOLATED, why->migrated);
	for (unsigned int i = 0; i < nr && !err; i++) {
		const unsigned long end = range_end(&group[i]);

		plan->result->emptied += next_used(mm, group[i].start_pfn, end) == end;
	}
	mutex_unlock(&mm->hotplug_lock);
	return err && gives_up(why) ? err : 0;
}

static int compact_zone(struct plan *plan, struct mm_failure *why)
{
	struct pfn_range group[GROUP];
	unsigned long pfn = 0;
	unsigned int nr;
	int err = 0;

	survey(plan);
	while (!err && (nr = next_group(plan, &pfn, group)) != 0)
		err = empty_group(plan, group, nr, why);
	return err;
}

int compact_memory(struct mm *mm, const struct evac_limits *limits,
		   struct compaction_result *result, struct mm_failure *why)
{
	const struct evacuate_policy policy = {
		.end = EVAC_END_FREE,
		.flags = EVAC_BEST_EFFORT,
		.limits = *limits,
	};
	int err = drain_all_pages(mm, COMPACT_DRAIN_NS);

	*result = (struct compaction_result){};
	if (err)
		return mm_fail(why, MM_REASON_HARTS_BUSY, PFN_NONE);
	for (unsigned int z = 0; z < NR_ZONES && !err; z++) {
		struct plan plan = { .zone = &mm->zone[z], .policy = &policy, .result = result };

		err = compact_zone(&plan, why);
	}
	return err;
}

/* --- how fragmented a zone is ---------------------------------------------------- */

/* The free chunks of a zone. */
struct chunks {
	unsigned long nr, frames;
};

static struct extfrag extfrag_of(const struct chunks *all, unsigned long fitting,
				 unsigned int order)
{
	struct extfrag index = { .unusable = 1000 };

	if (!all->nr)
		return index;
	index.unusable = (all->frames - (fitting << order)) * 1000 / all->frames;
	index.fragmentation = -1000;
	if (!fitting)
		index.fragmentation =
			1000 - (1000 + all->frames * 1000 / (1UL << order)) / all->nr;
	return index;
}

void zone_extfrag(struct zone *zone, struct extfrag index[NR_PAGE_ORDERS])
{
	unsigned long nr[NR_MIGRATE_TYPES][NR_PAGE_ORDERS], fitting = 0;
	unsigned long sum[NR_PAGE_ORDERS] = { 0 };
	struct chunks all = { 0 };

	zone_count_free(zone, nr);
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++) {
		for (unsigned int mt = 0; mt < NR_MIGRATE_TYPES; mt++)
			sum[k] += nr[mt][k];
		all.nr += sum[k];
		all.frames += sum[k] << k;
	}
	for (unsigned int k = NR_PAGE_ORDERS; k-- > 0;) {
		fitting = 2 * fitting + sum[k];
		index[k] = extfrag_of(&all, fitting, k);
	}
}
