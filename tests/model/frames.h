/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MODEL_FRAMES_H
#define _TESTS_MODEL_FRAMES_H

/*
 * The model of frames: a byte for each frame, three for each pageblock, one for each section.
 * Also questions about these bytes, from which predictions are made, and the steps that need
 * only frames (frame_steps.c, evac_steps.c).
 */
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/evac.h"
#include "mm/frames.h"
#include "mm/hotplug.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "tests/model/model.h"

#define FM_SECTIONS   6UL
#define FM_FRAMES     (FM_SECTIONS * PAGES_PER_SECTION)
#define FM_PAGEBLOCKS (FM_SECTIONS * PAGEBLOCKS_PER_SECTION)

enum fm_frame {
	FM_ABSENT, /* in no online block */
	FM_FREE,
	FM_FIXED,     /* taken at boot */
	FM_KERNEL,    /* a step has allocated it; it cannot move */
	FM_META,      /* mm/ has taken it for itself */
	FM_SLOT,      /* of a movable page */
	FM_HELD,      /* of a movable page with a second reference, which cannot move */
	FM_PINNED,    /* of a movable page that is pinned */
	FM_OFFLINE,   /* PageOffline */
	FM_SKIPPABLE, /* PageOffline with PG_offline_skippable */
	FM_MEMMAP,    /* a block's own metadata */
	FM_HOLE
};

/**
 * struct frame_model - the model's picture of a memory
 * @mm: that memory
 * @base: its first frame
 * @nr: the number of frames from there on that the steps use
 * @frame: enum fm_frame
 * @isolated: by pageblock: a step has isolated it
 * @unmapped: by pageblock: nothing is plugged there
 * @target: by pageblock: this step empties it, so nothing may move there
 * @zone: by section; NR_ZONES: it is not online
 * @copies_fail: number of copies of movable pages that fail from now on
 * @copy_failed: a copy has failed in this step
 * @inject: as mm.inject: fail the Nth step from now; 0: none
 */
struct frame_model {
	struct mm *mm;
	unsigned long base, nr;
	u8 *frame;
	u8 isolated[FM_PAGEBLOCKS];
	u8 unmapped[FM_PAGEBLOCKS];
	u8 target[FM_PAGEBLOCKS];
	u8 zone[FM_SECTIONS];
	unsigned int copies_fail;
	bool copy_failed;
	u32 inject;
};

extern struct frame_model fm;

/**
 * struct verdict - how a request ends according to the model
 * @err, @reason, @pfn: 0 or an errno; for a failure, its reason and its frame
 * @moves: pages below this frame move before the end, and a move can fail; 0: no page moves
 * @steps: the number of steps before the end that ask whether they should fail (mm.inject)
 */
struct verdict {
	int err;
	enum mm_reason reason;
	unsigned long pfn, moves;
	unsigned int steps;
};

/* Start the model of @mm as it is; @frames has room for FM_FRAMES. */
void fm_start(struct mm *mm, unsigned long base, unsigned long sections, u8 *frames);

static inline unsigned long fm_pageblock(unsigned long pfn)
{
	return (pfn - fm.base) >> PAGEBLOCK_ORDER;
}

static inline unsigned long fm_section(unsigned long pfn)
{
	return (pfn - fm.base) >> SECTION_PFN_SHIFT;
}

void fm_paint(unsigned long pfn, unsigned long nr, enum fm_frame to);
bool fm_all(unsigned long pfn, unsigned long nr, enum fm_frame what);

/* Return the first pageblock of a range that a step has isolated, or PFN_NONE. */
unsigned long fm_first_isolated(unsigned long pfn, unsigned long nr);

/*
 * Find the first frame of an online range that an evacuation cannot empty, and the reason.
 * @offline: for an offlining or else for a contiguous allocation.
 */
struct verdict fm_judge(unsigned long pfn, unsigned long nr, bool offline);

/*
 * fm_judge_range(): is the range online, of one zone, and not isolated?
 * fm_judge_contig(): if so, fm_judge() for a contiguous allocation.
 */
struct verdict fm_judge_range(unsigned long pfn, unsigned long nr);
struct verdict fm_judge_contig(unsigned long pfn, unsigned long nr);

struct verdict fm_fail(enum mm_reason reason, unsigned long pfn);

static inline struct verdict fm_ok(void)
{
	return fm_fail(MM_REASON_NONE, PFN_NONE);
}

/* Make a verdict a failure; @moves and @steps stay. */
static inline void fm_becomes(struct verdict *v, enum mm_reason reason, unsigned long pfn)
{
	v->err = mm_reason_errno(reason);
	v->reason = reason;
	v->pfn = pfn;
}

/* Can mm/ allocate a chunk outside of fm.target, with empty caches and by the watermarks? */
bool fm_can_alloc(u32 gfp, unsigned int order);

/* Return the free frames of a zone that are neither isolated nor in fm.target. */
unsigned long fm_zone_free(unsigned int zone);

/* Make the target empty; add the pageblocks of a range to it. */
static inline void fm_clear_target(void)
{
	memset(fm.target, 0, sizeof(fm.target));
}
void fm_add_target(unsigned long pfn, unsigned long nr);

/* Return the end of the run of sections at @pfn in the same zone, or in none; at most @end. */
unsigned long fm_run_end(unsigned long pfn, unsigned long end);

/* Compare every frame and all counters with the memory; quick where a pageblock is uniform. */
void fm_check(void);

/* Note that @nr more steps have asked whether they should fail; see mm_inject_fail(). */
static inline void fm_use_steps(unsigned int nr)
{
	fm.inject -= min(fm.inject, nr);
}

/* --- frame_steps.c --------------------------------------------------------- */

#define NR_FRAME_STEPS 13 /* the numbers that old inputs of the fuzzers use */
#define NR_ALL_STEPS   17

/* Set the first state of a model: no chunk is allocated. */
void frame_steps_start(void);

/* Make a step on frames: number @which, below NR_ALL_STEPS, with random choices. */
void frame_step(struct choices *c, unsigned int which);

/* End all isolations, and free everything that the steps have allocated or taken. */
void frame_give_back(void);

/*
 * Call after frame_give_back(): empty the caches and reset the migrate types, for the
 * next input.
 */
void frame_settle(void);

/* Choose a random frame, mostly near the frames of other steps. */
unsigned long fm_any_frame(struct choices *c);

/* Check that no page is left in fm.target. */
void frame_expect_emptied(void);

/*
 * Free chunks that do not move: each of @of harts frees its share; when all harts have
 * done so, the model follows.
 */
void frame_free_share(unsigned int rank, unsigned int of);
void frame_follow_freed(void);

#endif
