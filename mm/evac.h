/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_EVAC_H
#define _MM_EVAC_H

/*
 * evacuate(): the only way to empty ranges of frames. Offlining, contiguous allocation,
 * unplugging and compaction differ only in their policy. Private to mm/ and its tests;
 * callers of mm/ set struct evac_limits.
 *
 *   isolate all -> drain -> classify (final) -> [wait, classify] -> migrate -> verify -> commit
 *        \____________________ on failure: undo, everything restored __________________/
 */
#include "kernel/trace/hold.h"
#include "kernel/trace/trace.h"
#include "mm/evacuate.h"

/* The state that the frames get once all of them are empty. */
enum evacuate_end {
	EVAC_END_ALLOC,	  /* contig: allocated with policy->type; isolation ends */
	EVAC_END_OFFLINE, /* memory block: out of the allocator, without a user */
	EVAC_END_FREE,	  /* compaction: back to the allocator */
};

/* Policy flags. */
#define EVAC_SKIP_SKIPPABLE \
	BIT(0) /* step over skippable PageOffline frames; not for ALLOC */
#define EVAC_BEST_EFFORT BIT(1) /* leave what cannot move; only for EVAC_END_FREE */
#define EVAC_ISOLATED	 BIT(2) /* the caller isolates, drains and unisolates */
#define EVAC_QUIET	 BIT(3) /* contig: no log line: the caller tries other ranges */
#define EVAC_BEGINS	 BIT(4) /* the limits were set just now: the request is not late yet */
#define EVAC_SAME_ZONE	 BIT(5) /* no page of zone Normal moves to zone Movable */

/**
 * struct evacuate_policy - everything in which evacuations differ
 * @end: what the frames become
 * @type: for EVAC_END_ALLOC: PGTY_OFFLINE for unplugging, or any allocated type
 * @page_flags: for PGTY_OFFLINE: PG_OFFLINE_SKIPPABLE or 0; else 0
 * @flags: EVAC_*
 * @limits: what the caller of mm/ has set
 */
struct evacuate_policy {
	enum evacuate_end end;
	enum page_type type;
	u32 page_flags;
	u32 flags;
	struct evac_limits limits;
};

/**
 * evacuate() - empty ranges, all of them or none
 * @ranges: disjoint, ascending, each within one zone; of any alignment for
 *	    EVAC_END_ALLOC; evacuate() judges only frames inside of them
 * @nr_ranges: length of @ranges; all are isolated before anything is judged or moved
 * @why: filled on failure
 *
 * A hopeless range fails in the classify phase, with nothing migrated.
 * Context: thread, may sleep; takes mm->hotplug_lock. evacuate_locked() is for callers
 * that already hold it.
 * Return: 0; -EINVAL and MM_REASON_BAD_POLICY for a policy that contradicts itself; or
 * the negative errno of why->reason, with everything undone except pages that moved.
 */
int __must_check evacuate(struct mm *mm, const struct pfn_range *ranges, unsigned int nr_ranges,
			  const struct evacuate_policy *policy, struct mm_failure *why);
int __must_check evacuate_locked(struct mm *mm, const struct pfn_range *ranges,
				 unsigned int nr_ranges, const struct evacuate_policy *policy,
				 struct mm_failure *why);
/*
 * evacuate_locked() for blocks that leave together. It empties those blocks of @list,
 * linked by ->next, that are isolated and GOING_OFFLINE. Policy and result: see
 * evacuate_locked().
 */
int __must_check evacuate_blocks(struct mm *mm, const struct mem_section *list,
				 const struct evacuate_policy *policy, struct mm_failure *why);

/*
 * Take the hotplug lock within @limits; if these are NULL, wait for it without a limit.
 * Return: 0; or a negative errno, with @why set.
 */
int hotplug_lock(struct mm *mm, const struct evac_limits *limits, struct mm_failure *why)
	__acquires_if(0, mm->hotplug_lock);

/* alloc_contig_range() and alloc_contig_pages() with any policy that ends in ALLOC. */
int __must_check take_contig_range(struct mm *mm, unsigned long start, unsigned long end,
				   const struct evacuate_policy *policy, struct mm_failure *why);
unsigned long __must_check take_contig_pages(struct mm *mm, unsigned long nr,
					     const struct evacuate_policy *policy,
					     struct mm_failure *why);

/* --- an evacuation in progress: evacuate.c, evac_scan.c, migrate.c ------------------- */

#define EVAC_VECTOR 512 /* pages that are collected before they are moved */

/**
 * struct migrate_vector - pages that move together
 * @entry: the pages
 * @pfn: first the targets of single frames, then the sources to free
 *
 * 16 KiB of memory that ebb has from boot: a request that empties memory must not allocate
 * memory for itself.
 */
struct migrate_vector {
	struct migrate_entry entry[EVAC_VECTOR];
	unsigned long pfn[EVAC_VECTOR];
};

/* The position of a walk over an evacuation's target; see evac_next_range(). */
struct evac_cursor {
	struct pfn_range range;
	unsigned int nr; /* ranges, or halves of blocks, up to this one */
	const struct mem_section *block;
};

/* An evacuation, on its thread's stack. */
struct evac {
	struct mm *mm;
	const struct pfn_range *ranges; /* the ranges to empty; NULL: @blocks */
	unsigned int nr_ranges;
	const struct mem_section *blocks; /* list: empty the GOING_OFFLINE blocks */
	struct pfn_range span;		  /* from the first frame to the last */
	enum evac_phase phase;
	const struct evacuate_policy *policy;
	struct mm_failure *why;
	bool empty;	 /* classify found nothing in the way */
	bool must_wait;	 /* classify found a page that only its user can free or unpin */
	u32 owners_gone; /* mm->owners_gone at the start of classify */
	struct evac_cursor at; /* how far evac_find_blocker() has come */
	unsigned long at_pfn;
};

/* Is a move or a phase recorded, or a hold point set? */
static inline bool evac_announcing(void)
{
	const u64 events = BIT(TRACE_EVAC_PHASE) | BIT(TRACE_EVAC_MOVE);

	return (READ_ONCE(this_hart()->trace_mask) & events) | READ_ONCE(hold_event);
}

static inline bool evac_cancelled(const struct evac_limits *limits)
{
	return limits->cancelled && limits->cancelled(limits->cookie);
}

void evac_announce(const struct evac *e, enum trace_event_id event,
		   const struct trace_args *args);
int evac_stop(struct evac *e);
int evac_fail(struct evac *e, enum mm_reason reason, unsigned long pfn,
		 const struct page_state *st);
bool evac_next_range(const struct evac *e, struct evac_cursor *at);
int evac_classify(struct evac *e);
int evac_migrate(struct evac *e);
void evac_restart_search(struct evac *e);
int evac_find_blocker(struct evac *e, struct pfn_range *chunk);
bool evac_can_wait(const struct evac *e, enum page_type type);
/*
 * Move the first @nr entries to movable frames outside of isolated blocks, and set their
 * results. Return: pages moved.
 */
unsigned int migrate_pages(struct evac *evac, struct migrate_vector *vec, unsigned int nr);
extern u32 movable_types; /* bit t: type t has movable_ops */
extern const struct movable_ops slot_movable_ops;

#endif
