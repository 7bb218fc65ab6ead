/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an evacuation is to empty: ranges, or memory blocks that leave together. The
 * walk over either, and the isolation of ranges. Blocks come isolated.
 */
#include "mm/hotplug.h"
#include "mm/internal.h"
#include "mm/page_isolation.h"

/* Of a block that leaves: what lies before its own metadata (0), and behind that (1). */
static struct pfn_range block_part(const struct mem_section *s, unsigned int part)
{
	const bool hosted = s->flags & SECTION_SELF_HOSTED;
	const unsigned long header = hosted ? s->host_pfn : section_end_pfn(s);
	const unsigned long behind = hosted ? header + MHP_HEADER_PAGES : header;

	if (part == 0)
		return (struct pfn_range){ s->start_pfn, header - s->start_pfn };
	return (struct pfn_range){ behind, section_end_pfn(s) - behind };
}

/* Blocks of the list that were offline already have nothing to be emptied. */
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
 * evac_next_range() - walk over what is to be emptied
 * @e: the evacuation
 * @at: zeroed at the start; at->range is the range then
 *
 * Return: false behind the last.
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

/* One range: all of it online and in one zone. */
static int check_range(struct evac *e, const struct pfn_range *r)
{
	const unsigned long end = r->start_pfn + r->nr_pages;
	const struct zone *zone = NULL;

	for (unsigned long pfn = r->start_pfn; pfn < end;
	     pfn = (pfn | (PAGES_PER_SECTION - 1)) + 1) {
		const struct mem_section *ms = pfn_to_section(e->mm, pfn);

		if (!ms || !ms->zone || !(ms->flags & SECTION_ONLINE))
			return evac_blocked(e, MM_REASON_NOT_PRESENT, pfn, NULL);
		if (zone && ms->zone != zone)
			return evac_blocked(e, MM_REASON_ZONE_MIX, pfn, NULL);
		zone = ms->zone;
	}
	return 0;
}

/* All online, each range in one zone; also notes the span of them all. */
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
 * The pageblocks of one range, less those that the range before shares with it:
 * ranges are ascending. False if nothing is left.
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

/* Isolate every range, or none and say which frame another request has. */
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
