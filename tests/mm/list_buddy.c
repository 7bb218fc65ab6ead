/* SPDX-License-Identifier: BSD-2-Clause */
/* The plain list-based buddy allocator: see the header. */
#include "tests/mm/list_buddy.h"

#define LIST_END (~0U)

static void list_push(struct list_buddy *lb, u32 at, unsigned int order)
{
	struct list_page *page = &lb->page[at];

	page->next = lb->head[order];
	page->prev = LIST_END;
	page->free = 1;
	page->order = order;
	if (page->next != LIST_END)
		lb->page[page->next].prev = at;
	lb->head[order] = at;
	lb->nr_free[order]++;
}

static void list_remove(struct list_buddy *lb, u32 at)
{
	struct list_page *page = &lb->page[at];

	if (page->next != LIST_END)
		lb->page[page->next].prev = page->prev;
	if (page->prev != LIST_END)
		lb->page[page->prev].next = page->next;
	else
		lb->head[page->order] = page->next;
	page->free = 0;
	lb->nr_free[page->order]--;
}

void list_buddy_init(struct list_buddy *lb, unsigned long base, unsigned long nr, void *table)
{
	lb->base = base;
	lb->nr = nr;
	lb->page = table;
	for (unsigned long i = 0; i < nr; i++)
		lb->page[i] = (struct list_page){ .next = LIST_END, .prev = LIST_END };
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		lb->head[order] = LIST_END;
		lb->nr_free[order] = 0;
	}
}

/* Split a chunk that is on no list: keep [at, at + 2^order), list the rest. */
static void split(struct list_buddy *lb, u32 chunk, unsigned int have, u32 at,
		  unsigned int order)
{
	while (have > order) {
		const u32 half = 1U << --have;

		if (at & half) {
			list_push(lb, chunk, have);
			chunk += half;
		} else {
			list_push(lb, chunk + half, have);
		}
	}
}

unsigned long list_buddy_alloc(struct list_buddy *lb, unsigned int order)
{
	for (unsigned int have = order; have < NR_PAGE_ORDERS; have++) {
		const u32 chunk = lb->head[have];

		if (chunk == LIST_END)
			continue;
		list_remove(lb, chunk);
		split(lb, chunk, have, chunk, order);
		return lb->base + chunk;
	}
	return PFN_NONE;
}

bool list_buddy_take(struct list_buddy *lb, unsigned long pfn, unsigned int order)
{
	const u32 at = pfn - lb->base;

	for (unsigned int have = order; have < NR_PAGE_ORDERS; have++) {
		const u32 chunk = at & ~((1U << have) - 1);

		if (!lb->page[chunk].free || lb->page[chunk].order != have)
			continue;
		list_remove(lb, chunk);
		split(lb, chunk, have, at, order);
		return true;
	}
	return false;
}

void list_buddy_free(struct list_buddy *lb, unsigned long pfn, unsigned int order)
{
	u32 at = pfn - lb->base;

	for (; order < MAX_PAGE_ORDER; order++) {
		const u32 buddy = at ^ (1U << order);

		if (buddy >= lb->nr || !lb->page[buddy].free || lb->page[buddy].order != order)
			break;
		list_remove(lb, buddy);
		at &= buddy;
	}
	list_push(lb, at, order);
}
