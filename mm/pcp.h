/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_PCP_H
#define _MM_PCP_H

/*
 * Each hart's stacks of free chunks, see pcp.c.
 */
#include "mm/mm.h"
#include "mm/pageblock.h"

#define PCP_SMALL_ORDER 3 /* up to this order, full stacks limit the pages: no count */
#define PCP_MAX_CHUNKS	336 /* of one migrate type, all orders (pcp.c) */

/*
 * Entries lie in [base, top). The slot below base has PFN_NONE, so that a pop needs no
 * other check. A push stops at limit, which is base until the stack is armed.
 */
struct pcp_stack {
	unsigned long *top;
	unsigned long *limit;
	unsigned long *base;
	u32 cap;   /* most entries allowed; other harts write it at any time */
	u32 batch; /* for refill and flush */
};

/* Rows of pcp.small: the three lowest gfp bits. The upper rows stay empty. */
#define PCP_ROWS 8

/**
 * struct pcp - free chunks of one hart, touched by that hart alone
 * @block: pfn >> PAGEBLOCK_ORDER of the last order-0..3 free
 * @pb: its pageblock; see drain_all_pages()
 * @state: what the fast path requires of its word: the bits from PB_MT_SHIFT on
 * @row: the stacks of its migrate type
 * @armed: bit mt * 16 + order: the stack was used since the last drain
 * @high_pages: pages in stacks above PCP_SMALL_ORDER
 * @high_limit: most pages allowed there
 * @share: share of memory that the limits are for, in frames
 * @small: by migrate type * 16 + order; the stacks of other orders are always empty, so
 *	   that the fast paths need no check of order and GFP_ZERO
 * @high: by migrate type * 16 + order, for the other orders
 * @none: always PFN_NONE; the base of an always-empty stack points after it
 *
 * Lock keys:
 *   (c) constant after mm_hart_init()
 *   (o) the hart itself alone; of the stacks, @cap and @batch are (a)
 *   (h) mm->hotplug_lock
 *   (a) WRITE_ONCE() under mm->hotplug_lock, READ_ONCE() by the hart
 */
struct pcp {
	unsigned long block;			/* (o) */
	struct pageblock *pb;			/* (o) */
	u64 state;				/* (o) */
	struct pcp_stack *row;			/* (o) */
	u64 armed;				/* (o) */
	unsigned long high_pages;		/* (o) */
	unsigned long high_limit;		/* (a) */
	unsigned long share;			/* (h) */
	struct pcp_stack small[PCP_ROWS * 16];	/* (o) */
	struct pcp_stack high[(NR_MIGRATE_STORED + 1) * 16]; /* (o) */
	unsigned long none;			/* (c) */
	unsigned long slots[NR_MIGRATE_STORED][PCP_MAX_CHUNKS + NR_PAGE_ORDERS]; /* (o) */
};
static_assert(sizeof(struct pcp) <= 4 * PAGE_SIZE, "see mm_hart_init()");

/* Bits of a pageblock word from PB_MT_SHIFT on: migrate type, isolate, valid, watch. */
#define PCP_STATE_MASK 63UL

static inline struct pcp_stack *pcp_stack(struct pcp *pcp, unsigned int mt,
					  unsigned int order)
{
	return (order <= PCP_SMALL_ORDER ? pcp->small : pcp->high) + (mt * 16 + order);
}

/* The stack of a small order; for any other order below 16, an always-empty stack. */
static inline struct pcp_stack *pcp_small_stack(struct pcp *pcp, unsigned long mt,
						unsigned int order)
{
	return &pcp->small[mt << 4 | (order & 15)];
}

/* Always empty: the caches of harts that have none of their own. mm_init() sets it up. */
extern struct pcp pcp_none;

/* Push a chunk above PCP_SMALL_ORDER that already has type Cached. */
static inline void pcp_push_high(struct pcp *pcp, struct pcp_stack *st, unsigned long pfn,
				 unsigned int order)
{
	*st->top++ = pfn;
	pcp->high_pages += 1UL << order;
	pcp->armed |= 1UL << (st - pcp->high);
}

/*
 * Let free_pages() take the fast path for this pageblock instead of the previous pageblock.
 * Return: false if it cannot: the pageblock is uniform or awaited, or the hart has no cache.
 */
static inline bool pcp_remember(struct pcp *pcp, struct pageblock *pb, unsigned long pfn)
{
	const u64 w = pb_read(pb);

	if (unlikely((w & (PB_VALID | PB_AWAITED)) != PB_VALID || pcp == &pcp_none))
		return false;
	pcp->block = pfn >> PAGEBLOCK_ORDER;
	pcp->pb = pb;
	pcp->state = PB_VALID >> PB_MT_SHIFT | pb_mt(w);
	pcp->row = &pcp->small[pb_mt(w) * 16];
	return true;
}

void pcp_init(struct pcp *pcp);
void pcp_set_limits(struct mm *mm);
unsigned long pcp_refill(struct zone *zone, unsigned int mt, unsigned int order);
bool pcp_push(struct mm *mm, struct pageblock *pb, unsigned long pfn, unsigned int order);

#endif
