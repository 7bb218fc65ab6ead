/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of blocks that come and go, and their owners, by the model: see blocks.c. */
#include "tests/model/blocks.h"

/* --- plugging parts -------------------------------------------------------- */

/* Every pageblock of a range is there, no hole, and plugged or not. */
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

/* The range is plugged or not from now on; its frames in online blocks are this. */
static void set_range(const struct pfn_range *r, bool plugged, enum fm_frame what)
{
	struct pfn_range part;

	for_each_section_part(part, r) {
		const unsigned long n = fm_section(part.start_pfn);
		const u64 mask = range_mask(&part);

		blocks_set_plugged(n, plugged ? blocks[n].plugged | mask
					      : blocks[n].plugged & ~mask);
		if (fm.zone[n] != NR_ZONES)
			fm_paint(part.start_pfn, part.nr_pages, what);
	}
}

struct verdict model_plug(const struct pfn_range *r)
{
	struct verdict v = judge_range(r, false);

	if (!v.err && blocks_fail())
		v = fm_fail(MM_REASON_NO_MEMORY, r->start_pfn);
	if (!v.err)
		set_range(r, true, FM_FREE);
	return v;
}

/* Blocks of one zone, or of none, are taken together: where their run ends. */
static unsigned long run_end(unsigned long pfn, unsigned long end)
{
	unsigned long next = pfn;

	while (next < end && fm.zone[fm_section(next)] == fm.zone[fm_section(pfn)])
		next = min((next | (PAGES_PER_SECTION - 1)) + 1, end);
	return next;
}

struct verdict model_unplug(const struct pfn_range *r, int ret,
			    const struct mm_failure *why)
{
	const unsigned long end = r->start_pfn + r->nr_pages;
	struct verdict v = judge_range(r, true);
	unsigned long next = end;
	bool late = false;

	for (unsigned long n = 0; n < FM_SECTIONS && !v.err; n++) {
		const unsigned long host =
			block_pfn(n) + blocks[n].header * PAGEBLOCK_NR_PAGES;

		if (blocks[n].state != MEM_BLOCK_ABSENT &&
		    blocks[n].header < PAGEBLOCKS_PER_SECTION && host >= r->start_pfn &&
		    host < end)
			v = fm_fail(MM_REASON_METADATA, host);
	}
	if (v.err)
		return v;
	for (unsigned long pfn = r->start_pfn; pfn < end && !v.err && !late; pfn = next) {
		next = run_end(pfn, end);
		if (fm.zone[fm_section(pfn)] == NR_ZONES)
			continue;
		v = fm_judge_contig(pfn, next - pfn);
		/* What is cancelled may name no frame: it was in this run or a later one. */
		late = !v.err && blocks_late(ret, why) &&
		       (why->pfn == PFN_NONE || why->pfn < next);
	}
	if (late && why->pfn == PFN_NONE)
		next = end;
	fm_set_target(r->start_pfn, next - r->start_pfn);
	frame_follow_slots(!v.err && !late);
	if (late) {
		frame_expect_late_failure(why);
		v = fm_fail(why->reason, why->pfn);
	}
	if (!v.err) {
		frame_expect_emptied();
		set_range(r, false, FM_SKIPPABLE);
	}
	return v;
}

/* --- owners ---------------------------------------------------------------- */

/* Those pageblocks of an online block become this. */
static void paint_mask(unsigned long n, u64 mask, enum fm_frame what)
{
	for (; fm.zone[n] != NR_ZONES && mask; mask &= mask - 1)
		fm_paint(block_pfn(n) + __ffs(mask) * PAGEBLOCK_NR_PAGES,
			 PAGEBLOCK_NR_PAGES, what);
}

struct verdict model_owner_comes(unsigned int i)
{
	if (blocks_fail())
		return fm_fail(MM_REASON_NO_MEMORY, owners[i].owner.region.start_pfn);
	owners[i].registered = true;
	for (unsigned long n = 0; n < FM_SECTIONS; n++) {
		const u64 mask = blocks_owner_mask(i, n);
		struct block_model *b = &blocks[n];

		if (!mask || b->state == MEM_BLOCK_ABSENT)
			continue;
		if (n && b->owner == NOBODY)
			b->owner = i;
		b->hole &= ~mask;
		paint_mask(n, mask & ~b->plugged, FM_SKIPPABLE);
	}
	return fm_ok();
}

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
