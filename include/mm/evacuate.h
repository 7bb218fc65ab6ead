/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_EVACUATE_H
#define _MM_EVACUATE_H

/*
 * The interface that all requests to empty frames share: limits, a clock, and how pages
 * move. Offlining (memory_hotplug.h), contiguous allocation (contig.h) and unplugging all
 * go through evacuate(), mm/evac.h.
 *
 * Compare with: Linux offline_pages() and alloc_contig_range(), which have a loop each.
 */
#include "lib/time.h"
#include "mm/mm.h"

/**
 * struct evac_limits - the limits at which a request gives up; its caller sets every member
 * @deadline_ns: on evac_clock_ns(); never 0
 * @retries: passes of migration after the first
 * @wait: until the deadline, wait for frees, unpins and puts; unplugging never waits
 * @cancelled: called between steps; true ends the request with CANCELLED; may be NULL
 * @cookie: for @cancelled
 */
struct evac_limits {
	u64 deadline_ns;
	u32 retries;
	bool wait;
	bool (*cancelled)(void *cookie);
	void *cookie;
};

/*
 * The limits of each kind of request: passes after the first, seconds for each part (memory
 * block, range), and why. A pass fails only for pages that were claimed or had no target
 * at that moment, so a few passes are enough.
 */
#define EVAC_LIMITS(X)                                                                         \
	X(OFFLINE, 5, 10, "a block has no substitute, and nothing else tries it again")        \
	X(USER_OFFLINE, 5, 30, "a user is waiting: enough for a full block, but bearable")     \
	X(CONTIG, 3, 1, "the search goes on with another range")                               \
	X(USER_CONTIG, 5, 1, "a user is waiting, and has named the range")                     \
	X(UNPLUG_BLOCK, 3, 10, "the driver takes another block, and comes back next round")    \
	X(UNPLUG, 3, 2, "the same, and a granule has fewer pages to move than a block")        \
	X(COMPACT, 0, 30, "a user is waiting, and can ask for the rest again")

enum evac_request {
#define X(name, retries, seconds, reason) EVAC_FOR_##name,
	EVAC_LIMITS(X)
#undef X
	NR_EVAC_REQUESTS
};

/**
 * evac_clock_ns() - read the clock of deadlines: ktime_ns(), but stopped while the
 * calling thread is at a hold point
 *
 * So the time that a request spends at hold points does not count against its deadline.
 */
u64 evac_clock_ns(void);

/* Return the limits for a request of this kind that begins now and has @parts parts. */
static inline struct evac_limits evac_limits(enum evac_request request, unsigned int parts)
{
	static const struct {
		u32 retries, seconds;
	} table[] = {
#define X(name, retries, seconds, reason) { retries, seconds },
		EVAC_LIMITS(X)
#undef X
	};

	return (struct evac_limits){
		.deadline_ns =
			evac_clock_ns() + parts * table[request].seconds * NSEC_PER_SEC,
		.retries = table[request].retries,
	};
}

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
};

/**
 * struct movable_ops - the operations that move pages of one type
 * @claim: let exactly one mover win; until the claim ends, no other thread frees or
 *	   moves the page. 0, -EBUSY (pinned or lost), -ENOENT (freed meanwhile)
 * @copy: fill dst with the content (or tell a device); 0 or a negative errno
 * @commit: switch the slot from pfn to dst; cannot fail. The core frees the source
 * @abort: end the claim, with nothing changed
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
	u64 pfn; /* PFN_NONE: empty; bit 63: locked by owner or mover. Use slot_pfn() */
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
/*
 * Return the page's current frame; it is stable until the next quiescent point, or while
 * pinned.
 */
unsigned long slot_pfn(const struct page_slot *slot);

#endif
