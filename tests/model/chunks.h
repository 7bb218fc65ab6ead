/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MODEL_CHUNKS_H
#define _TESTS_MODEL_CHUNKS_H

/* The chunks that the steps have allocated: the files of steps and request.c share them. */
#include "arch/machine.h"
#include "kernel/timer.h"
#include "tests/model/request.h"

#define MAX_CHUNKS 200

/* No request of a model takes longer unless something is broken. */
#define STEP_NS (100 * NSEC_PER_SEC)

struct chunk {
	unsigned long pfn; /* for the page of a slot, where it was last seen */
	unsigned int order;
	enum fm_frame kind;
	enum page_type type;
	unsigned int slot; /* the chunk's slot, if @kind is SLOT, HELD or PINNED */
};

extern struct chunk chunks[MAX_CHUNKS];
extern unsigned int nr_chunks;
extern struct page_slot slots[MAX_CHUNKS];

static inline bool any_isolated(unsigned long pfn, unsigned long nr)
{
	return fm_first_isolated(pfn, nr) != PFN_NONE;
}

/* Return the content of a slot's page, which has to move with the page. */
static inline u64 *content(unsigned long pfn)
{
	return phys_to_virt(pfn_to_phys(pfn));
}

/* Check that a new chunk has nothing of its last user: no owner, and no count but its own. */
void frame_check_newborn(unsigned long pfn, enum page_type type);

void step_contig(struct choices *c);
void step_compact(struct choices *c);
void step_search(struct choices *c);
void step_scarce(struct choices *c);

#endif
