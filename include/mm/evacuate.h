/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_EVACUATE_H
#define _MM_EVACUATE_H

/*
 * evacuate(): the only way to empty ranges of frames. Offlining, contiguous
 * allocation, compaction and the drivers differ only in their policy.
 *
 *   isolate all -> drain -> classify (final) -> [wait, classify] -> migrate -> verify -> commit
 *        \____________________ on failure: undo, everything restored __________________/
 *
 * Compare with: Linux offline_pages() and alloc_contig_range(), which have two
 * such loops; seeds 003 and 004 ask for one.
 */
#include "mm/mm.h"

/* What the frames become once all of them are empty. */
enum evacuate_end {
	EVAC_END_ALLOC,	  /* contig: allocated with policy->type; isolation ends */
	EVAC_END_OFFLINE, /* memory block: out of the allocator, without a user */
	EVAC_END_FREE,	  /* compaction: back to the allocator */
};

/* Policy flags. */
#define EVAC_SKIP_SKIPPABLE BIT(0) /* step over skippable PageOffline frames; not for ALLOC */
#define EVAC_WAIT_FREE	    BIT(1) /* until the deadline, wait for frees, unpins and puts */
#define EVAC_BEST_EFFORT    BIT(2) /* leave what cannot move; only for EVAC_END_FREE */
#define EVAC_ISOLATED	    BIT(3) /* the caller isolates, drains and unisolates */
#define EVAC_QUIET	    BIT(4) /* contig: no log line: the caller has other ways */
#define EVAC_WATCH	    BIT(5) /* unplug: unblocked() tells the owner to try again */

/**
 * struct evacuate_policy - everything in which callers differ
 * @name: for traces and messages: "offline", "contig", "compaction"
 * @end: what the frames become
 * @type: for EVAC_END_ALLOC: PGTY_OFFLINE for drivers that unplug, or any allocated type
 * @page_flags: for PGTY_OFFLINE: PG_OFFLINE_SKIPPABLE or 0; else 0
 * @flags: EVAC_*
 * @max_retries: passes after the first
 * @deadline_ns: on evac_clock_ns(); never 0
 * @cancelled: called between steps; true ends the request with CANCELLED; may be NULL
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
 * evac_clock_ns() - read the clock of deadlines: ktime_ns(), but stopped while the
 * calling thread is at a hold point
 *
 * So a request with several evacuations keeps its one deadline however long it is held.
 */
u64 evac_clock_ns(void);

/**
 * evacuate() - empty ranges, all of them or none
 * @ranges: disjoint, ascending, each within one zone; frames, any alignment for
 *	    EVAC_END_ALLOC; evacuate() judges only frames inside of them
 * @nr_ranges: length of @ranges; all are isolated before anything is judged or moved
 * @why: filled on failure (may be NULL)
 *
 * A hopeless range fails in the classify phase, with nothing migrated.
 * Context: thread, may sleep; takes mm->hotplug_lock. evacuate_locked() is for callers
 * inside mm/ that already hold it.
 * Return: 0; -EINVAL and MM_REASON_BAD_POLICY for a policy that contradicts itself; or
 * the negative errno of why->reason, with everything undone except pages that moved.
 */
int __must_check evacuate(struct mm *mm, const struct pfn_range *ranges, unsigned int nr_ranges,
			  const struct evacuate_policy *policy, struct mm_failure *why);
int __must_check evacuate_locked(struct mm *mm, const struct pfn_range *ranges,
				 unsigned int nr_ranges, const struct evacuate_policy *policy,
				 struct mm_failure *why);

/*
 * Migration: a vector of {pfn, order, kind} and four operations per kind. The kind is
 * the page type. It needs no list links and no reference count tricks.
 */
struct migrate_entry {
	unsigned long pfn;
	unsigned long dst; /* PFN_NONE until there is a target */
	u8 order;
	u8 kind; /* enum page_type */
	s16 result; /* 0 moved, -EAGAIN, -EBUSY, -ENOENT owner gone meanwhile, -EIO */
	u32 seq; /* free for the kind's claim() */
};

/**
 * struct movable_ops - how one page type moves
 * @claim: let exactly one mover win; until the claim ends, no other thread frees or
 *	   moves the page. 0, -EBUSY (pinned or lost), -ENOENT (freed meanwhile)
 * @copy: fill dst with the content (or tell a device); 0 or a negative errno
 * @commit: switch the slot from pfn to dst; cannot fail. The core frees the source
 * @abort: give the claim back, with nothing changed
 */
struct movable_ops {
	int (*claim)(struct mm *mm, struct migrate_entry *e);
	int (*copy)(struct mm *mm, struct migrate_entry *e);
	void (*commit)(struct mm *mm, struct migrate_entry *e);
	void (*abort)(struct mm *mm, struct migrate_entry *e);
};

/* Set a page type's operations; -EEXIST if it has others. Boot or test set-up only. */
int set_movable_ops(enum page_type type, const struct movable_ops *ops);

/*
 * The first kind: PGTY_DRIVER pages, each known to exactly one slot. The owner word of
 * such a page is the address of its slot.
 */
struct page_slot {
	u64 pfn; /* PFN_NONE: empty; bit 63: held by owner or mover. Use slot_pfn() */
};

/*
 * slot_alloc() allocates a movable page for @slot, or returns -ENOMEM. slot_free() frees
 * it; -ENOENT if the slot is empty, -EBUSY while the page is pinned or being moved. The
 * slot's owner serialises the two.
 */
int __must_check slot_alloc(struct mm *mm, struct page_slot *slot, unsigned int order);
int slot_free(struct mm *mm, struct page_slot *slot);
/*
 * Pin the slot's page; page_unpin() undoes it. -EBUSY if the page is no longer at @pfn,
 * is already pinned or is being moved. The slot's owner must not free it meanwhile.
 */
int __must_check slot_pin(struct mm *mm, struct page_slot *slot, unsigned long pfn);
/* Where the page is now; stable until the next quiescent point unless pinned. */
unsigned long slot_pfn(const struct page_slot *slot);

#endif
