/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MM_LIST_BUDDY_H
#define _TESTS_MM_LIST_BUDDY_H

/*
 * The textbook buddy allocator: a list of free chunks per order, linked through a table
 * of frames. It is the oracle for mm/buddy.c: the free bits must agree with it after
 * every step. It is also the baseline in the bench.
 */
#include "mm/page.h"

/* One frame: meaningful for the heads of free chunks only. */
struct list_page {
	u32 next, prev; /* frames, counted from base; LIST_END at the ends */
	u32 free;	/* head of a free chunk */
	u32 order;
};

/**
 * struct list_buddy - an allocator over a run of frames
 * @base: first pfn, aligned to the largest order
 * @nr: frames
 * @page: one entry for each frame
 * @head: first free chunk per order
 * @nr_free: free chunks per order
 */
struct list_buddy {
	unsigned long base;
	unsigned long nr;
	struct list_page *page;
	u32 head[NR_PAGE_ORDERS];
	unsigned long nr_free[NR_PAGE_ORDERS];
};

/* Return the bytes of the table for @nr frames. */
static inline unsigned long list_buddy_bytes(unsigned long nr)
{
	return nr * sizeof(struct list_page);
}

/* Start with nothing free. @table: list_buddy_bytes(nr), need not be zeroed. */
void list_buddy_init(struct list_buddy *lb, unsigned long base, unsigned long nr, void *table);

/* Allocate any chunk of an order. Return: its pfn, PFN_NONE if there is none. */
unsigned long list_buddy_alloc(struct list_buddy *lb, unsigned int order);

/* Allocate exactly this chunk. Return: false if not all of it is free. */
bool list_buddy_take(struct list_buddy *lb, unsigned long pfn, unsigned int order);

/* Free a chunk, and merge it with its buddies as far as possible. */
void list_buddy_free(struct list_buddy *lb, unsigned long pfn, unsigned int order);

#endif
