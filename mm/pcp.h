/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_PCP_H
#define _MM_PCP_H

/*
 * Each hart's stacks of free chunks, see pcp.c.
 */
#include "mm/mm.h"
#include "mm/pageblock.h"

#define PCP_SMALL_ORDER 3 /* up to this order, only the stacks' sizes limit the pages */
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

/* Rows of pcp.stack, by the three lowest gfp bits. Rows of no migrate type stay empty. */
#define PCP_ROWS 8

/* Bits of a pageblock word from PB_MT_SHIFT on: migrate type, isolate, valid, watch. */
#define PCP_STATES 64

/**
 * struct pcp - free chunks of one hart, touched by that hart alone
 * @row: by the state of a pageblock: the stacks of its migrate type, or always-empty ones
 *	 if it is not valid or is awaited
 * @block: pfn >> PAGEBLOCK_ORDER of a recent free
 * @pb: its pageblock; see drain_all_pages()
 * @armed: bit mt * 16 + order: the stack was used since the last drain
 * @high_pages: pages in stacks above PCP_SMALL_ORDER
 * @high_limit: most pages allowed there
 * @share: share of memory from which the limits are computed, in frames
 * @stack: by migrate type * 16 + order; the stacks of other rows and orders are always
 *	   empty, so that the fast paths need no check of GFP_ZERO
 * @none: always PFN_NONE; the base of an always-empty stack points just after it
 *
 * Lock keys:
 *   (c) constant after mm_hart_init()
 *   (o) the hart itself alone; of the stacks, @cap and @batch are (a)
 *   (h) mm->hotplug_lock
 *   (a) WRITE_ONCE() under mm->hotplug_lock, READ_ONCE() by the hart
 */
struct pcp {
	struct pcp_stack *row[PCP_STATES];	/* (c) */
	unsigned long block;			/* (o) */
	struct pageblock *pb;			/* (o) */
	u64 armed;				/* (o) */
	unsigned long high_pages;		/* (o) */
	unsigned long high_limit;		/* (a) */
	unsigned long share;			/* (h) */
	struct pcp_stack stack[PCP_ROWS * 16];	/* (o) */
	unsigned long none;			/* (c) */
	unsigned long slots[NR_MIGRATE_STORED][PCP_MAX_CHUNKS + NR_PAGE_ORDERS]; /* (o) */
};
static_assert(sizeof(struct pcp) <= 4 * PAGE_SIZE, "see mm_hart_init()");

static inline struct pcp_stack *pcp_stack(struct pcp *pcp, int mt, int order)
{
	return &pcp->stack[mt << 4 | order];
}

/* An always empty cache, which harts without a cache share. mm_init() sets it up. */
extern struct pcp pcp_none;

/*
 * Remember the pageblock, so that the next free into it needs no look-up. Only for a
 * pageblock that is not awaited, and a hart that has a cache.
 */
static inline void pcp_remember(struct pcp *pcp, struct pageblock *pb, unsigned long pfn)
{
	pcp->block = pfn >> PAGEBLOCK_ORDER;
	pcp->pb = pb;
}

/* The pageblock of a chunk in the hart's cache: mostly that of its last free. */
static inline struct pageblock *pcp_pageblock(const struct mm *mm, const struct pcp *pcp,
					      unsigned long pfn)
{
	return likely(pcp->block == pfn >> PAGEBLOCK_ORDER) ? pcp->pb : pfn_pageblock(mm, pfn);
}

void pcp_init(struct pcp *pcp);
void pcp_set_limits(struct mm *mm);
unsigned long pcp_refill(struct zone *zone, unsigned int from, unsigned int order);
bool pcp_arm(struct pcp *pcp, unsigned int mt, unsigned int order);
bool pcp_push(struct mm *mm, struct pageblock *pb, unsigned long pfn, unsigned int order);

#endif
