/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests on parts of blocks, and of owners that register. */
#include "tests/model/blocks.h"

/* --- plugging parts -------------------------------------------------------- */

/*
 * Judge whether every pageblock of a range exists, is no hole, and is plugged if and only if
 * @plugged.
 */
static struct verdict judge_range(const struct pfn_range *r, bool plugged)
{
	struct pfn_range part;

	if (!r->nr_pages || !IS_ALIGNED(r->start_pfn | r->nr_pages, PAGEBLOCK_NR_PAGES))
		return fm_fail(MM_REASON_MISALIGNED, r->start_pfn);
	for_each_section_part(part, r) {
		const unsigned long pfn = part.start_pfn;
		const struct block_model *b = &blocks[fm_section(pfn)];
		const u64 mask = range_mask(&part);
		const u64 other = mask & (plugged ? ~b->plugged : b->plugged);
		const unsigned long start = ALIGN_DOWN(pfn, PAGES_PER_SECTION);

		if (b->state == MEM_BLOCK_ABSENT)
			return fm_fail(MM_REASON_NOT_PRESENT, pfn);
		if (mask & b->hole)
			return fm_fail(MM_REASON_HOLE,
				       start + __ffs(mask & b->hole) *
						       PAGEBLOCK_NR_PAGES);
		if (other)
			return fm_fail(MM_REASON_WRONG_STATE,
				       start + __ffs(other) * PAGEBLOCK_NR_PAGES);
	}
	return fm_ok();
}

/* Make the range plugged or unplugged; in online blocks its frames become @what. */
static void set_range(const struct pfn_range *r, bool plugged, enum fm_frame what)
{
	struct pfn_range part;

	for_each_section_part(part, r) {
		const unsigned long n = fm_section(part.start_pfn);
		const u64 mask = range_mask(&part);

		blocks_set_plugged(n, plugged ? blocks[n].plugged | mask
					      : blocks[n].plugged & ~mask);
		if (fm.zone[n] == NR_ZONES)
			continue;
		fm_paint(part.start_pfn, part.nr_pages, what);
		blocks_check_marks();
	}
}

static struct verdict predict_plug(const struct request *rq)
{
	struct verdict v = judge_range(&rq->range, false);

	v.steps = !v.err;
	if (v.steps && fm.inject == 1)
		fm_becomes(&v, MM_REASON_NO_MEMORY, rq->range.start_pfn);
	return v;
}

static int make_plug(const struct request *rq, struct mm_failure *why)
{
	return plug_memory(fm.mm, &rq->range, why);
}

static void follow_plug(const struct request *rq)
{
	set_range(&rq->range, true, FM_FREE);
}

const struct request_kind plug_request = { "plug_memory", predict_plug, make_plug,
					   NULL,	  follow_plug,	NULL };

/* A range with the metadata of a block cannot be unplugged without the block. */
static struct verdict judge_headers(const struct pfn_range *r)
{
	for (unsigned long n = 0; n < FM_SECTIONS; n++) {
		const unsigned long host =
			block_pfn(n) + blocks[n].header * PAGEBLOCK_NR_PAGES;

		if (blocks[n].state != MEM_BLOCK_ABSENT &&
		    blocks[n].header < PAGEBLOCKS_PER_SECTION && host >= r->start_pfn &&
		    host < range_end(r))
			return fm_fail(MM_REASON_METADATA, host);
	}
	return fm_ok();
}

/* An unplug empties the parts of the range in each zone one after the other. */
static struct verdict predict_unplug(const struct request *rq)
{
	const unsigned long start = rq->range.start_pfn, end = range_end(&rq->range);
	struct verdict v = judge_range(&rq->range, true);

	if (!v.err)
		v = judge_headers(&rq->range);
	if (v.err)
		return v;
	for (unsigned long pfn = start, next; pfn < end; pfn = next) {
		struct verdict run;

		next = fm_run_end(pfn, end);
		if (fm.zone[fm_section(pfn)] == NR_ZONES)
			continue;
		run = fm_judge_contig(pfn, next - pfn);
		run.moves = run.err && v.moves ? pfn : 0;
		if (run.err)
			return run;
		v.moves = PFN_NONE;
	}
	return v;
}

static int make_unplug(const struct request *rq, struct mm_failure *why)
{
	return unplug_memory(fm.mm, &rq->range, &rq->policy.limits, why);
}

static void follow_unplug(const struct request *rq)
{
	frame_expect_emptied();
	set_range(&rq->range, false, FM_SKIPPABLE);
}

const struct request_kind unplug_request = { "unplug_memory", predict_unplug,
					     make_unplug,     NULL,
					     follow_unplug,   NULL };

/* --- owners ---------------------------------------------------------------- */

/* Set the frames of the pageblocks @mask to @what, if the block is online. */
static void paint_mask(unsigned long n, u64 mask, enum fm_frame what)
{
	for (; fm.zone[n] != NR_ZONES && mask; mask &= mask - 1)
		fm_paint(block_pfn(n) + __ffs(mask) * PAGEBLOCK_NR_PAGES,
			 PAGEBLOCK_NR_PAGES, what);
}

/* Registering takes no memory: no step of it can fail. */
static struct verdict predict_owner(const struct request *)
{
	return (struct verdict){ .pfn = PFN_NONE };
}

static int make_owner(const struct request *rq, struct mm_failure *why)
{
	return register_memory_owner(fm.mm, &owners[rq->owner].owner, why);
}

static void follow_owner(const struct request *rq)
{
	owners[rq->owner].registered = true;
	for (unsigned long n = 0; n < FM_SECTIONS; n++) {
		const u64 mask = blocks_owner_mask(rq->owner, n);
		struct block_model *b = &blocks[n];

		if (!mask || b->state == MEM_BLOCK_ABSENT)
			continue;
		if (n && b->owner == NOBODY)
			b->owner = rq->owner;
		b->hole &= ~mask;
		paint_mask(n, mask & ~b->plugged, FM_SKIPPABLE);
	}
}

const struct request_kind owner_request = {
	"register_memory_owner", predict_owner, make_owner, NULL, follow_owner, NULL
};

void model_owner_leaves(unsigned int i)
{
	const struct pfn_range *r = &owners[i].owner.region;

	owners[i].registered = false;
	for (unsigned long p = r->start_pfn; p < r->start_pfn + r->nr_pages; p++)
		if (fm.frame[p - fm.base] == FM_SKIPPABLE)
			fm_paint(p, 1, FM_OFFLINE);
	for (unsigned long n = 0; n < FM_SECTIONS; n++)
		if (blocks[n].owner == (int)i)
			blocks[n].owner = NOBODY;
	blocks[0].hole |= blocks_owner_mask(i, 0) & ~blocks[0].plugged;
	paint_mask(0, blocks_owner_mask(i, 0) & ~blocks[0].plugged, FM_HOLE);
}
