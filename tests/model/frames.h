/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MODEL_FRAMES_H
#define _TESTS_MODEL_FRAMES_H

/*
 * The model of frames: a byte for each frame, three for a pageblock, one for a section;
 * questions about them, of which predictions are made; and the steps that need nothing but
 * frames (frame_steps.c, evac_steps.c).
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

/*
 * What a frame is. FIXED: the boot's own. META: what mm/ has taken for itself. SLOT: a
 * movable page; HELD: another reference keeps it where it is.
 */
enum fm_frame {
	FM_ABSENT,
	FM_FREE,
	FM_FIXED,
	FM_KERNEL,
	FM_META,
	FM_SLOT,
	FM_HELD,
	FM_PINNED,
	FM_OFFLINE,
	FM_SKIPPABLE,
	FM_MEMMAP,
	FM_HOLE
};

/**
 * struct frame_model - what a memory is, by the model
 * @mm: that memory
 * @base: its first frame
 * @nr: frames in use from there on: all steps stay below
 * @frame: enum fm_frame
 * @isolated: by pageblock: a step has isolated it
 * @unmapped: by pageblock: nothing is plugged there
 * @target: by pageblock: being emptied by this step, so nothing may move there
 * @zone: by section; NR_ZONES: it is not online
 * @copies_fail: number of copies of movable pages that fail from now on
 * @copy_failed: a copy has failed in this step
 * @inject: what mm.inject says: the step that asks as number @inject fails; 0: none
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
 * struct verdict - how a request ends, by the model
 * @err, @reason, @pfn: 0 or an errno; of a failure why, and at which frame
 * @moves: before that, pages below this frame move, which can fail: 0: none does
 * @steps: before that, this number of steps ask whether they are to fail (mm.inject)
 */
struct verdict {
	int err;
	enum mm_reason reason;
	unsigned long pfn, moves;
	unsigned int steps;
};

/* The model of @mm as it is; @frames has room for FM_FRAMES. */
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

/* The first pageblock of a range that a step has isolated; PFN_NONE. */
unsigned long fm_first_isolated(unsigned long pfn, unsigned long nr);

/*
 * Where an evacuation of a range must fail, and why; reason NONE if nowhere. All of
 * the range is online. @offline: a block goes; else contig.
 */
struct verdict fm_judge(unsigned long pfn, unsigned long nr, bool offline);

/* What comes before it: is the range there, of one zone, and not isolated? And both. */
struct verdict fm_judge_range(unsigned long pfn, unsigned long nr);
struct verdict fm_judge_contig(unsigned long pfn, unsigned long nr);

struct verdict fm_fail(enum mm_reason reason, unsigned long pfn);

static inline struct verdict fm_ok(void)
{
	return fm_fail(MM_REASON_NONE, PFN_NONE);
}

/* The same, but for this reason it fails. */
static inline void fm_becomes(struct verdict *v, enum mm_reason reason, unsigned long pfn)
{
	v->err = mm_reason_errno(reason);
	v->reason = reason;
	v->pfn = pfn;
}

/* Can a chunk be had, by the watermarks? Outside of fm.target; caches are drained. */
bool fm_can_alloc(u32 gfp, unsigned int order);

/* Free frames of a zone that are neither isolated nor in fm.target. */
unsigned long fm_zone_free(unsigned int zone);

/* No pageblock is being emptied; and those of a range are, too. */
static inline void fm_clear_target(void)
{
	memset(fm.target, 0, sizeof(fm.target));
}
void fm_add_target(unsigned long pfn, unsigned long nr);

/* Sections of one zone, or of none, go together: where the run at @pfn ends, at most @end. */
unsigned long fm_run_end(unsigned long pfn, unsigned long end);

/* Model and memory agree: every frame, all counters. Quick where whole pageblocks agree. */
void fm_check(void);

/* So many steps have asked whether they are to fail. */
static inline void fm_use_steps(unsigned int nr)
{
	fm.inject -= min(fm.inject, nr);
}

/* --- frame_steps.c --------------------------------------------------------- */

#define NR_FRAME_STEPS 13 /* that a fuzzer's old inputs have */
#define NR_ALL_STEPS   17

/* No chunk is allocated; the first state of a model. */
void frame_steps_start(void);

/* One step on frames: @which is below NR_ALL_STEPS, the rest is chosen. */
void frame_step(struct choices *c, unsigned int which);

/* Nothing is isolated, allocated or taken any more. */
void frame_give_back(void);

/* With all given back: the same caches and migrate types for every input. */
void frame_settle(void);

/* A frame, mostly near others. */
unsigned long fm_any_frame(struct choices *c);

/* No page is left in what a step has emptied. */
void frame_expect_emptied(void);

/*
 * Chunks that do not move, freed: those of one of @of harts by that hart; and, when all
 * harts have done it, in the model.
 */
void frame_free_share(unsigned int rank, unsigned int of);
void frame_follow_freed(void);

#endif
