/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MM_GRANULE_OWNER_H
#define _TESTS_MM_GRANULE_OWNER_H

/*
 * An owner that decides about each frame: a bitmap says which frames of a block stay
 * PageOffline when the block goes online; the owner gives the rest to the allocator in
 * chunks of its choice.
 */
#include "lib/bitmap.h"
#include "tests/mm/hotplug_window.h"

/**
 * struct granule_owner - the owner of the window's block 1
 * @owner: registered by granule_open()
 * @w: the window
 * @withheld: bit f: frame f of the block stays offline
 * @flags: of these frames: PG_OFFLINE_SKIPPABLE if the owner can restore them, else 0
 * @max_order: the largest order of the chunks that it gives to the allocator
 * @chunks: how many of each order it gave
 */
struct granule_owner {
	struct memory_owner owner;
	struct window *w;
	u64 withheld[PAGES_PER_SECTION / 64];
	u32 flags;
	unsigned int max_order;
	unsigned long chunks[NR_PAGE_ORDERS];
};

/*
 * Open a window and add its block 1, which belongs to the owner; nothing is withheld, and
 * the block is not online.
 */
struct granule_owner *granule_open(struct ktest *test);

/*
 * Expect that the online block's header is Memmap, that its withheld frames are Offline with
 * the owner's flags, and that all its other frames are free.
 */
void granule_expect(struct ktest *test, struct granule_owner *g);

/* Return the number of frames that the owner withholds. */
unsigned long granule_withheld(const struct granule_owner *g);

/* Withhold @nr frames from frame @first of the block on, at the next onlining. */
void granule_withhold(struct granule_owner *g, unsigned long first, unsigned long nr);

#endif
