/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that empty ranges: contig, compaction, the search for a place. */
#include "tests/model/chunks.h"

#include "lib/string.h"
#include "mm/contig.h"

void frame_expect_emptied(void)
{
	for (unsigned int i = 0; i < nr_chunks; i++)
		CHECK(!fm.target[fm_pageblock(chunks[i].pfn)], "%#lx is still there",
		      chunks[i].pfn);
}

/* --- contiguous ranges ----------------------------------------------------- */

static struct pfn_range any_part(struct choices *c)
{
	const unsigned long pfn = fm_any_frame(c), nr = 1 + take_bytes(c, 2) % 5000;

	return (struct pfn_range){ pfn, min(nr, fm.base + fm.nr - pfn) };
}

static struct verdict predict_contig(const struct request *rq)
{
	struct verdict v = fm_judge_contig(rq->range.start_pfn, rq->range.nr_pages);

	v.moves = v.err ? 0 : PFN_NONE;
	return v;
}

static int make_contig(const struct request *rq, struct mm_failure *why)
{
	const struct pfn_range *r = &rq->range;

	return take_contig_range(fm.mm, r->start_pfn, range_end(r), &rq->policy, why);
}

static void follow_contig(const struct request *rq)
{
	const unsigned long pfn = rq->range.start_pfn, nr = rq->range.nr_pages;
	const bool skippable = rq->policy.page_flags & PG_OFFLINE_SKIPPABLE;
	unsigned long part = 0;

	CHECK(fm_all(pfn, nr, FM_FREE) && !frame_was_cancelled(), "%#lx+%lu: not empty",
	      pfn, nr);
	if (rq->policy.type == PGTY_OFFLINE) {
		fm_paint(pfn, nr, skippable ? FM_SKIPPABLE : FM_OFFLINE);
		return;
	}
	for (unsigned long i = 0; i < nr; i++)
		frame_check_newborn(pfn + i, rq->policy.type);
	/*
	 * Free the range in two parts; a type with a count has larger chunks, which are
	 * freed whole.
	 */
	if (!type_is_counted(rq->policy.type))
		part = nr / 3;
	free_contig_range(fm.mm, pfn, part);
	free_contig_range(fm.mm, pfn + part, nr - part);
}

const struct request_kind contig_request = { "contig", predict_contig, make_contig,
					     NULL,     follow_contig,  NULL };

void step_contig(struct choices *c)
{
	struct request rq = { .kind = &contig_request, .policy = frame_policy(c) };
	const unsigned int kind = take_below(c, 4);

	rq.range = any_part(c);
	rq.policy.type = kind			? PGTY_OFFLINE
			 : rq.range.nr_pages & 1 ? PGTY_DRIVER
						 : PGTY_KERNEL;
	rq.policy.page_flags = kind > 1 ? PG_OFFLINE_SKIPPABLE : 0;
	request_make(&rq);
}

/* --- compaction ------------------------------------------------------------ */

static struct verdict predict_compact(const struct request *rq)
{
	struct verdict v = fm_judge_range(rq->range.start_pfn, rq->range.nr_pages);

	v.moves = v.err ? 0 : PFN_NONE;
	return v;
}

static int make_compact(const struct request *rq, struct mm_failure *why)
{
	return evacuate(fm.mm, &rq->range, 1, &rq->policy, why);
}

/* Check that every movable page has moved or found no target; all other pages stay. */
static void follow_compact(const struct request *rq)
{
	for (unsigned int i = 0; i < nr_chunks && !fm.copy_failed; i++)
		CHECK(chunks[i].kind != FM_SLOT ||
			      chunks[i].pfn - rq->range.start_pfn >= rq->range.nr_pages ||
			      !fm_can_alloc(GFP_MOVABLE, chunks[i].order),
		      "%#lx stays, and there is a place", chunks[i].pfn);
}

const struct request_kind compact_request = { "compaction", predict_compact, make_compact,
					      NULL,	    follow_compact,  NULL };

void step_compact(struct choices *c)
{
	struct request rq = { .kind = &compact_request, .policy = frame_policy(c) };

	rq.range = any_part(c);
	rq.policy.end = EVAC_END_FREE;
	rq.policy.type = PGTY_NONE;
	rq.policy.flags |= EVAC_BEST_EFFORT;
	request_make(&rq);
}

/* --- the search ------------------------------------------------------------ */

/* Return the first place of a zone's search where all frames are free, or PFN_NONE. */
static unsigned long first_free_place(unsigned int z, unsigned long nr)
{
	const struct zone *zone = &fm.mm->zone[z];
	const unsigned long step =
		IS_POWER_OF_2(nr) ? nr : min(PAGEBLOCK_NR_PAGES, roundup_pow_of_two(nr));

	for (unsigned long pfn = ALIGN_UP(zone->start_pfn, step);
	     pfn + nr <= zone->start_pfn + zone->spanned; pfn += step)
		if (fm_all(pfn, nr, FM_FREE) && !any_isolated(pfn, nr) &&
		    !fm_judge_range(pfn, nr).err && fm.zone[fm_section(pfn)] == z)
			return pfn;
	return PFN_NONE;
}

/*
 * The search must try free places before those that it must empty, and zone Normal before
 * Movable.
 */
void step_search(struct choices *c)
{
	struct evacuate_policy policy = frame_policy(c);
	const unsigned long nr = 1 + take_bytes(c, 2) % 5000;
	struct mm_failure why;
	unsigned long pfn, place;

	CHECK(drain_all_pages(fm.mm, STEP_NS) == 0, "drain");
	place = first_free_place(ZONE_NORMAL, nr);
	pfn = take_contig_pages(fm.mm, nr, &policy, &why);
	memset(fm.target, 1, sizeof(fm.target));
	frame_follow_slots(false);
	if (frame_was_cancelled())
		place = pfn;
	CHECK(place == PFN_NONE || pfn == PFN_NONE || !why.migrated,
	      "%#lx is free, and %lu moved", place, (unsigned long)why.migrated);
	CHECK(place == PFN_NONE || pfn == place, "%#lx, and the first free place is %#lx",
	      pfn, place);
	if (pfn != PFN_NONE) {
		CHECK(fm_all(pfn, nr, FM_FREE), "%#lx+%lu: not empty", pfn, nr);
		free_contig_range(fm.mm, pfn, nr);
	} else if (!frame_was_cancelled()) {
		CHECK(first_free_place(ZONE_MOVABLE, nr) == PFN_NONE, "there is one");
	}
}

/* Raise the watermarks until nearly nothing can be allocated, or reset them. */
void step_scarce(struct choices *c)
{
	const unsigned int how = take_byte(c);

	zone_update_watermarks(fm.mm);
	for (unsigned int z = 0; z < NR_ZONES && how & 1; z++) {
		const unsigned long free = fm_zone_free(z);

		fm.mm->zone[z].wmark[WMARK_MIN] = free - min(free, how / 2UL);
	}
}
