/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The target of an evacuation: ranges, or memory blocks that leave together. This file
 * walks over either and isolates ranges; blocks come isolated.
 */
#include "mm/hotplug.h"
#include "mm/internal.h"
#include "mm/page_isolation.h"

/* A part of a leaving block: the frames before its own metadata (0), or after it (1). */
static struct pfn_range block_part(const struct mem_section *s, unsigned int part)
{
	const bool hosted = s->flags & SECTION_SELF_HOSTED;
	const unsigned long header = hosted ? s->host_pfn : section_end_pfn(s);
	const unsigned long behind = hosted ? header + MHP_HEADER_PAGES : header;

	if (part == 0)
		return (struct pfn_range){ s->start_pfn, header - s->start_pfn };
	return (struct pfn_range){ behind, section_end_pfn(s) - behind };
}

/* Advance within the list; blocks that were already offline have nothing to empty. */
static bool next_block_part(const struct evac *e, struct evac_cursor *at)
{
	do {
		if (at->nr++ % 2 == 0)
			at->block = at->block ? at->block->next : e->blocks;
		if (!at->block)
			return false;
		at->range.nr_pages = 0;
		if (at->block->state == MEM_BLOCK_GOING_OFFLINE)
			at->range = block_part(at->block, (at->nr - 1) % 2);
	} while (!at->range.nr_pages);
	return true;
}

/**
 * evac_next_range() - step to the next range to empty
 * @e: the evacuation
 * @at: zeroed before the first step; the step sets at->range
 *
 * Return: false after the last range.
 */
bool evac_next_range(const struct evac *e, struct evac_cursor *at)
{
	if (!e->ranges)
		return next_block_part(e, at);
	if (at->nr == e->nr_ranges)
		return false;
	at->range = e->ranges[at->nr++];
	return true;
}

/* Check one range: all of it is online and in one zone. */
static int check_range(struct evac *e, const struct pfn_range *r)
{
	const struct zone *zone = NULL;
	struct pfn_range part;

	for_each_section_part(part, r) {
		const struct mem_section *ms = pfn_to_section(e->mm, part.start_pfn);

		if (!ms || !ms->zone || !(ms->flags & SECTION_ONLINE))
			return evac_blocked(e, MM_REASON_NOT_PRESENT, part.start_pfn, NULL);
		if (zone && ms->zone != zone)
			return evac_blocked(e, MM_REASON_ZONE_MIX, part.start_pfn, NULL);
		zone = ms->zone;
	}
	return 0;
}

/* Check that all is online and each range lies in one zone; note the span of them all. */
int evac_check(struct evac *e)
{
	struct evac_cursor at = {};
	int err = 0;

	e->span.start_pfn = PFN_NONE;
	while (!err && evac_next_range(e, &at)) {
		const unsigned long end = at.range.start_pfn + at.range.nr_pages;

		if (e->span.start_pfn == PFN_NONE)
			e->span.start_pfn = at.range.start_pfn;
		e->span.nr_pages = end - e->span.start_pfn;
		err = check_range(e, &at.range);
	}
	return err;
}

/*
 * The pageblocks of range @i, without the one that it may share with the previous
 * range. Return: false if none is left.
 */
static bool own_pageblocks(const struct evac *e, unsigned int i, struct pfn_range *blocks)
{
	const struct pfn_range *r = &e->ranges[i];
	unsigned long start = ALIGN_DOWN(r->start_pfn, PAGEBLOCK_NR_PAGES);
	const unsigned long end = ALIGN_UP(r->start_pfn + r->nr_pages, PAGEBLOCK_NR_PAGES);

	if (i > 0 && start < ALIGN_UP(r[-1].start_pfn + r[-1].nr_pages, PAGEBLOCK_NR_PAGES))
		start += PAGEBLOCK_NR_PAGES;
	*blocks = (struct pfn_range){ .start_pfn = start, .nr_pages = end - start };
	return start < end;
}

static void unisolate_ranges(struct evac *e, unsigned int nr)
{
	struct pfn_range blocks;

	for (unsigned int i = 0; i < nr; i++)
		if (own_pageblocks(e, i, &blocks))
			unisolate_range(e->mm, &blocks);
}

/* Isolate every range, or none and name a frame that another request has isolated. */
int evac_isolate(struct evac *e)
{
	struct pfn_range blocks;

	for (unsigned int i = 0; i < e->nr_ranges; i++) {
		struct mm_failure why;

		if (!own_pageblocks(e, i, &blocks) ||
		    isolate_range(e->mm, &blocks, &why) == 0)
			continue;
		unisolate_ranges(e, i);
		return evac_blocked(e, why.reason, why.pfn, NULL);
	}
	return 0;
}

void evac_unisolate(struct evac *e)
{
	unisolate_ranges(e, e->nr_ranges);
}
