/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_PERSON_PAGE_H
#define _KERNEL_PERSON_PAGE_H

/*
 * Private to kernel/: the pages of kernel_mm that belong to a person at a console. Commands
 * may free, pin and unpin these pages; all other frames are the kernel's own.
 */
#include "mm/page_alloc.h"

/* The most movable pages that consoles can have at a time. */
#define PERSON_MOVABLE_PAGES 1024

/* Stands for any order. */
#define PERSON_ANY_ORDER (~0U)

/**
 * struct person_alloc - a person's request for a chunk
 * @order: 0..MAX_PAGE_ORDER
 * @gfp: GFP_KERNEL, GFP_MOVABLE or GFP_RECLAIMABLE
 * @at: first pfn, aligned to the order; PFN_NONE: anywhere
 */
struct person_alloc {
	unsigned int order;
	u32 gfp;
	unsigned long at;
};

/*
 * PERSON_RESULTS(X): X(NAME, errno, "meaning") - the results of a request about a page.
 */
#define PERSON_RESULTS(X)                                                        \
	X(DONE, 0, "it is done")                                                 \
	X(NO_BLOCK, ENXIO, "the frame lies in no online memory block")           \
	X(NOT_YOURS, EPERM, "the frame is the kernel's own, or free")            \
	X(TAIL, EINVAL, "only the head of a chunk frees it")                     \
	X(OTHER_ORDER, EINVAL, "the chunk has another order")                    \
	X(PINNED, EBUSY, "it is pinned: not to be freed")                        \
	X(PINNED_ALREADY, EBUSY, "it is pinned: not to be pinned twice")         \
	X(NOT_PINNED, EINVAL, "it is not pinned: nothing to unpin")              \
	X(MOVING, EBUSY, "it is being moved to another frame right now")

enum person_result {
#define X(name, errno, meaning) PERSON_##name,
	PERSON_RESULTS(X)
#undef X
};

/**
 * person_page_alloc() - allocate a chunk that belongs to a person
 * @r: the request
 * @pfn: set to its first frame
 *
 * Context: thread, no spinlock held; the same for all functions here. Waits while another
 * console's request is in progress.
 * Return: 0; -ENOMEM there is no free chunk; -EBUSY the frames at r->at are not free;
 * -EINVAL they lie in no online memory block; -ENOSPC PERSON_MOVABLE_PAGES are in use.
 */
int person_page_alloc(const struct person_alloc *r, unsigned long *pfn);

/**
 * person_page_free() - free a chunk
 * @pfn: any number; freed if it is the head of a person's chunk
 * @order: of the chunk, or PERSON_ANY_ORDER
 * @st: set to the frame's state before the call, unless the result is PERSON_NO_BLOCK
 */
enum person_result person_page_free(unsigned long pfn, unsigned int order,
				    struct page_state *st);

/* Pin or unpin the chunk of frame @pfn, any number; @st as above. */
enum person_result person_page_set_pinned(unsigned long pfn, bool pinned, struct page_state *st);

#endif
