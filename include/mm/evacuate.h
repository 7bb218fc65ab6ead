/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_EVACUATE_H
#define _MM_EVACUATE_H

/*
 * evacuate(): the one way to empty ranges of frames. Offlining, contiguous
 * allocation, compaction and the drivers differ by policy alone.
 *
 *   isolate all -> drain once -> classify (final) -> migrate -> [wait] -> verify -> commit
 *        \________________________ on failure: undo, everything restored ______/
 *
 * Compare with: Linux offline_pages() and alloc_contig_range(), which have two
 * such loops; seeds 003 and 004 ask for one.
 */
#include "mm/mm.h"

/* What the frames become when all of them are empty. */
enum evacuate_end {
	EVAC_END_ALLOC,	  /* contig: allocated with policy->type; isolation ends */
	EVAC_END_OFFLINE, /* memory block: out of the allocator, for nobody */
	EVAC_END_FREE,	  /* compaction: back to the allocator */
};

/* Policy flags. */
#define EVAC_SKIP_SKIPPABLE BIT(0) /* step over skippable PageOffline frames; not for ALLOC */
#define EVAC_WAIT_FREE	    BIT(1) /* until the deadline, wait for frees, unpins and puts */
#define EVAC_BEST_EFFORT    BIT(2) /* what cannot move stays; for EVAC_END_FREE alone */
#define EVAC_ISOLATED	    BIT(3) /* the caller has isolated and drained, and ends that himself */
#define EVAC_QUIET	    BIT(4) /* contig: not in the log: the caller has other ways */
#define EVAC_WATCH	    BIT(5) /* unplug: its owner's unblocked() says when to try again */

/**
 * struct evacuate_policy - all that differs between the callers
 * @name: for traces and messages: "offline", "contig", "compaction"
 * @end: what the frames become
 * @type: for EVAC_END_ALLOC: PGTY_OFFLINE for drivers that unplug, or any allocated type
 * @page_flags: for PGTY_OFFLINE: PG_OFFLINE_SKIPPABLE or 0; else 0
 * @flags: EVAC_*
 * @max_retries: passes after the first
 * @deadline_ns: on evac_clock_ns(); never 0
 * @cancelled: asked between steps; true ends it with CANCELLED; may be NULL
 * @cookie: for @cancelled
 */
struct evacuate_policy {
	const char *name;
	enum evacuate_end end;
	enum page_type type;
	u32 page_flags;
	u32 flags;
	u32 max_retries;
	u64 deadline_ns;
	bool (*cancelled)(void *cookie);
	void *cookie;
};

/**
 * evac_clock_ns() - the clock of deadlines: ktime_ns(), but it stands still while the
 * calling thread is at a hold point
 *
 * So a request of several evacuations keeps its one deadline, however long it is held.
 */
u64 evac_clock_ns(void);

/**
 * evacuate() - empty ranges, all of them or none
 * @ranges: disjoint, ascending, each within one zone; frames, any alignment for
 *	    EVAC_END_ALLOC; only their own frames are judged
 * @nr_ranges: how many; all are isolated before anything is judged or moved
 * @why: filled on failure (may be NULL)
 *
 * A hopeless range fails in the classify phase, with nothing migrated.
 * Context: thread, may sleep; takes mm->hotplug_lock (the caller holds it
 * already if it is one of mm/'s own: see evacuate_locked()).
 * Return: 0; -EINVAL and MM_REASON_BAD_POLICY for a policy that contradicts itself; or
 * the negative errno of why->reason, everything as before but for pages that were moved.
 */
int __must_check evacuate(struct mm *mm, const struct pfn_range *ranges, unsigned int nr_ranges,
			  const struct evacuate_policy *policy, struct mm_failure *why);
int __must_check evacuate_locked(struct mm *mm, const struct pfn_range *ranges,
				 unsigned int nr_ranges, const struct evacuate_policy *policy,
				 struct mm_failure *why);

/*
 * Migration: a vector of {pfn, order, kind} and four operations per kind. The
 * kind is the page type. No list links, no reference count tricks.
 */
struct migrate_entry {
	unsigned long pfn;
	unsigned long dst; /* PFN_NONE until a target was found */
	u8 order;
	u8 kind; /* enum page_type */
	s16 result; /* 0 moved, -EAGAIN, -EBUSY, -ENOENT owner gone meanwhile, -EIO */
	u32 seq; /* free for the kind's claim() */
};

/**
 * struct movable_ops - how one page type moves
 * @claim: exactly one mover wins; from then on the page is neither freed nor
 *	   moved by others. 0, -EBUSY (pinned or lost), -ENOENT (freed meanwhile)
 * @copy: fill dst with the content (or tell a device); 0 or a negative errno
 * @commit: switch the slot from pfn to dst; cannot fail. The core frees the source
 * @abort: the claim is given back, nothing changed
 */
struct movable_ops {
	int (*claim)(struct mm *mm, struct migrate_entry *e);
	int (*copy)(struct mm *mm, struct migrate_entry *e);
	void (*commit)(struct mm *mm, struct migrate_entry *e);
	void (*abort)(struct mm *mm, struct migrate_entry *e);
};

/* One per page type; -EEXIST if there is one. Boot or test set-up only. */
int set_movable_ops(enum page_type type, const struct movable_ops *ops);

/*
 * The first kind: PGTY_DRIVER pages, each known to one slot. The owner word of
 * such a page is the address of its slot.
 */
struct page_slot {
	u64 pfn; /* PFN_NONE when empty; bit 63: held by its owner or a mover: use slot_pfn() */
};

/*
 * Allocate a movable page for @slot, -ENOMEM; free it, -ENOENT if the slot is empty,
 * -EBUSY while the page is pinned or being moved. Its owner serialises the two.
 */
int __must_check slot_alloc(struct mm *mm, struct page_slot *slot, unsigned int order);
int slot_free(struct mm *mm, struct page_slot *slot);
/*
 * Pin the slot's page, which page_unpin() undoes; -EBUSY if it is not at @pfn any more,
 * pinned already or being moved. Its owner keeps it from being freed meanwhile.
 */
int __must_check slot_pin(struct mm *mm, struct page_slot *slot, unsigned long pfn);
/* Where the page is now; stable until the next quiescent point unless pinned. */
unsigned long slot_pfn(const struct page_slot *slot);

#endif
