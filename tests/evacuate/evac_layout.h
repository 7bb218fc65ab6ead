/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_EVACUATE_EVAC_LAYOUT_H
#define _TESTS_EVACUATE_EVAC_LAYOUT_H

/*
 * A random layout of a window's frames, for evac_model_test.c: blocks that are partly
 * plugged, in both zones, with chunks of all orders, types and states; and a byte
 * per frame that says what was put there.
 */
#include "tests/mm/test_mm.h"

#define PB	  PAGEBLOCK_NR_PAGES
#define NR_SLOTS  240U
#define NR_FREED  400U
#define NR_FRAMES (WINDOW_BLOCKS * PAGES_PER_SECTION)

/* From MEMMAP on they stand in the way of contig, whoever asks. */
enum what { FREE, MOVABLE, HELD, MEMMAP, FIXED, PINNED, TAKEN, SKIPPABLE, HOLE };

/* The memory and what was done to it; frames are counted from the window's first one. */
struct model {
	struct ktest *test;
	struct window *w;
	u8 *what;
	bool online[WINDOW_BLOCKS];
	u8 zone[WINDOW_BLOCKS];
	u64 unplugged[WINDOW_BLOCKS];
	unsigned int last; /* block that is added */
	bool owner;
	bool scarce; /* targets: pages of order 0 alone, whose number decides */
	unsigned int nr_slots, nr_freed;
	struct page_slot slot[NR_SLOTS];
	u8 order[NR_SLOTS];
	u8 kind[NR_SLOTS]; /* MOVABLE, HELD, PINNED */
	struct freed {
		unsigned long pfn;
		unsigned int order;
	} freed[NR_FREED]; /* by any hart, after the layout */
};

unsigned long below(struct model *m, unsigned long n);
void paint(struct model *m, unsigned long frame, unsigned long nr, enum what to);

/* Add up to three blocks, most of them online. */
void add_blocks(struct model *m);
/* Online block @n, in one of the zones. */
void go_online(struct model *m, unsigned int n);
/* A frame of the added blocks. */
unsigned long somewhere(struct model *m);
/* A movable page around frame @at, if that is free. */
void put_slot(struct model *m, unsigned long at, enum what kind);
/* From nearly nothing to a lot of what stands in the way. */
void lay_out(struct model *m);
/* What lay_out() allocated for it: chunks that rest in the harts' caches. */
void free_on_all_harts(struct model *m);
/* Nobody can restore what is offline from now on. */
void owner_leaves(struct model *m);

#endif
