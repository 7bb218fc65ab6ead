/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compaction on request. It chooses whole pageblocks, and leaves the rest to evacuate():
 *
 *	survey -> a group of the emptiest pageblocks -> evacuate() them together -> next group
 *
 * The survey adds up the frames in use of all pageblocks that are partly free and have only
 * pages that can move now. These frames fit into a smaller number of pageblocks; the other
 * pageblocks, the emptiest, can be emptied. The pageblocks of a group are isolated together,
 * so no page moves into a pageblock of its own group. A page may move into a pageblock that
 * a later group would have had, and that is then too full; the next survey corrects this.
 * Linux's two scanners move pages from a zone's bottom to its top, however full the
 * pageblocks are.
 *
 * Compare with: Linux mm/compaction.c.
 */
#include "kernel/thread.h"
#include "lib/errno.h"
#include "mm/buddy.h"
#include "mm/compaction.h"
#include "mm/descriptor.h"
#include "mm/evac.h"
#include "mm/hotplug.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/vmstat.h"
#include "mm/zone.h"

#define COMPACT_DRAIN_NS NSEC_PER_SEC
#define GROUP	   64U /* pageblocks that are emptied together */
#define ROUNDS	   4U  /* surveys of a zone, at most */
#define NR_CLASSES 64U /* by frames in use */
#define CLASS(used) ((used) * NR_CLASSES / PAGEBLOCK_NR_PAGES)

/* The compaction of one zone: the pageblocks of the lowest classes become empty. */
struct plan {
	struct zone *zone;
	const struct evacuate_policy *policy;
	struct compaction_result *result;
	struct pfn_range group[GROUP];
	unsigned long in_use; /* frames, in the group */
	unsigned long nr_in[NR_CLASSES];
	unsigned int cutoff; /* empty all classes below this one, */
	unsigned long equal; /* and this many pageblocks of it */
};

/* The frames in use, if the pageblock is partly free and they can all move now; else 0. */
static unsigned int movable_in(const struct mem_section *ms, unsigned int b)
	__must_hold(walk_bracket)
{
	const u64 w = pb_read(&ms->pb[b]);
	unsigned long nr[NR_PAGE_TYPES] = { 0 };
	struct pageblock_look look;

	if (!(w & PB_VALID) || (w & PB_ISOLATE) || !pb_free(w) || pb_all_free(w))
		return 0;
	look = pageblock_look(ms, b, nr);
	if (look.pinned || (look.types & ~(movable_types | BIT(PGTY_BUDDY))))
		return 0;
	return PAGEBLOCK_NR_PAGES - pb_free(w);
}

/*
 * Find the zone's next pageblock with a movable_in() above 0, from the pageblock at *@pfn
 * on, and set *@pfn to it. Return: its frames in use; 0 if there is none.
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

/* Choose the emptiest pageblocks, as many as the others have room for. */
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

/* Is a pageblock with @used frames in use among those to empty? */
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
 * The most free frames that a group may have. While it is isolated, they are not available,
 * so the zone keeps three quarters of its free frames, and stays above its high watermark.
 */
static unsigned long most_isolated(const struct zone *zone)
{
	const unsigned long free = zone_free_pages(zone);
	const unsigned long high = READ_ONCE(zone->wmark[WMARK_HIGH]);

	return free > high ? min(free / 4, free - high) : 0;
}

/* Collect the next group, from *@pfn on. Return: its length. */
static unsigned int next_group(struct plan *plan, unsigned long *pfn)
{
	const unsigned long most = most_isolated(plan->zone);
	unsigned long free = PAGEBLOCK_NR_PAGES;
	unsigned int nr = 0, used;

	plan->in_use = 0;
	while (nr < GROUP && free <= most && (used = next_movable(plan->zone, pfn)) != 0) {
		if (is_chosen(plan, used)) {
			plan->group[nr++] = (struct pfn_range){ *pfn, PAGEBLOCK_NR_PAGES };
			plan->in_use += used;
			free += PAGEBLOCK_NR_PAGES - used;
		}
		*pfn += PAGEBLOCK_NR_PAGES;
	}
	return nr;
}

/* Did the group cause the failure: did a block leave, or is a pageblock isolated already? */
static bool is_of_the_group(const struct mm_failure *why)
{
	return why->reason == MM_REASON_NOT_PRESENT || why->reason == MM_REASON_ZONE_MIX ||
	       why->reason == MM_REASON_ALREADY_ISOLATED;
}

/* Empty pageblocks of the group; a block may have left meanwhile. Return: 0, or an errno. */
static int empty_ranges(struct plan *plan, const struct pfn_range *r, unsigned int nr,
			struct mm_failure *why)
{
	struct mm *mm = plan->zone->mm;
	int err = hotplug_lock(mm, &plan->policy->limits, why);

	if (err)
		return err;
	err = evacuate_locked(mm, r, nr, plan->policy, why);
	plan->result->moved += why->migrated;
	for (unsigned int i = 0; i < nr && !err; i++)
		plan->result->emptied +=
			next_used(mm, r[i].start_pfn, range_end(&r[i])) == range_end(&r[i]);
	mutex_unlock(&mm->hotplug_lock);
	return err;
}

/* Empty the group; if a part of it is gone, pageblock by pageblock. See empty_ranges(). */
static int empty_group(struct plan *plan, unsigned int nr, struct mm_failure *why)
{
	int err = empty_ranges(plan, plan->group, nr, why);

	vm_event_inc(plan->zone->mm, VM_COMPACT_ISOLATED, err ? 0 : plan->in_use);
	if (!err || !is_of_the_group(why))
		return err;
	for (unsigned int i = 0; i < nr; i++) {
		err = empty_ranges(plan, &plan->group[i], 1, why);
		if (err && !is_of_the_group(why))
			return err;
	}
	return 0;
}

/* Empty the pageblocks that one survey chooses. */
static int compact_once(struct plan *plan, struct mm_failure *why)
{
	unsigned long pfn = 0;
	unsigned int nr;
	int err = 0;

	survey(plan);
	while (!err && (nr = next_group(plan, &pfn)) != 0)
		err = empty_group(plan, nr, why);
	return err;
}

static int compact_zone(struct zone *zone, const struct evacuate_policy *policy,
			struct compaction_result *result, struct mm_failure *why)
{
	unsigned long before;
	int err;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct plan plan = { .zone = zone, .policy = policy, .result = result };

		before = result->emptied;
		err = compact_once(&plan, why);
		if (err || result->emptied == before)
			return err;
	}
	return 0;
}

int compact_memory(struct mm *mm, const struct evac_limits *limits,
		   struct compaction_result *result, struct mm_failure *why)
{
	const struct evacuate_policy policy = {
		.end = EVAC_END_FREE,
		.flags = EVAC_BEST_EFFORT | EVAC_SAME_ZONE,
		.limits = *limits,
	};
	int err = drain_all_pages(mm, COMPACT_DRAIN_NS);

	*result = (struct compaction_result){};
	if (err)
		return mm_fail(why, MM_REASON_HARTS_BUSY, PFN_NONE);
	for (unsigned int z = 0; z < NR_ZONES && !err; z++)
		err = compact_zone(&mm->zone[z], &policy, result, why);
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
