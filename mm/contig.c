/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contiguous allocation on top of evacuate(), the search for a place, and the two
 * ways back: freeing, and the release of PageOffline frames.
 * Compare with: Linux mm/page_alloc.c alloc_contig_range(), alloc_contig_pages().
 */
#include "kernel/printk.h"
#include "kernel/sink.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "mm/contig.h"
#include "mm/internal.h"
#include "mm/vmstat.h"

/* Passes after the first, and time, when the caller has no policy of its own. */
#define CONTIG_RETRIES	   3
#define CONTIG_DEADLINE_NS NSEC_PER_SEC

static struct evacuate_policy default_policy(void)
{
	return (struct evacuate_policy){
		.name = "contig",
		.end = EVAC_END_ALLOC,
		.type = PGTY_KERNEL,
		.max_retries = CONTIG_RETRIES,
		.deadline_ns = evac_clock_ns() + CONTIG_DEADLINE_NS,
	};
}

static void report(unsigned long nr, const struct evacuate_policy *policy,
		   const struct mm_failure *why)
{
	char text[256];
	struct sink_buffer buffer;

	if (policy->flags & EVAC_QUIET)
		return;
	sink_buffer_init(&buffer, text, sizeof(text));
	mm_failure_print(why, &buffer.sink);
	pr_warn("%s: %lu frames failed: %s\n", policy->name, nr, text);
}

int alloc_contig_range(struct mm *mm, unsigned long start, unsigned long end,
		       const struct evacuate_policy *policy, struct mm_failure *why)
{
	const struct pfn_range range = { .start_pfn = start, .nr_pages = end - start };
	struct mm_failure last;
	struct evacuate_policy own;
	int err;

	why = why ? why : &last;

	if (!policy) {
		own = default_policy();
		policy = &own;
	}
	if (start >= end || policy->end != EVAC_END_ALLOC)
		return mm_fail(why, MM_REASON_MISALIGNED, start);
	err = evacuate(mm, &range, 1, policy, why);
	if (!err && policy->type == PGTY_OFFLINE)
		zone_update_watermarks(mm);
	vm_event_inc(mm, err ? VM_CONTIG_FAIL : VM_CONTIG_SUCCESS, 1);
	if (err) {
		mm_failure_name(mm, why);
		report(end - start, policy, why);
	}
	return err;
}

/* --- searching a place ----------------------------------------------------- */

/* How good a candidate is asked to be. */
enum candidate {
	CANDIDATE_FREE,	   /* every pageblock has as many free frames as are wanted of it */
	CANDIDATE_MOVABLE, /* nothing that a pageblock word alone calls hopeless */
};

/* A look at the pageblock words only; evacuate() has the last word. */
static bool candidate_ok(const struct mm *mm, unsigned long pfn, unsigned long end,
			 const struct zone *zone, enum candidate want)
{
	while (pfn < end) {
		const struct mem_section *ms = pfn_to_section(mm, pfn);
		const unsigned int off = pfn % PAGEBLOCK_NR_PAGES;
		const unsigned long nr = min(end - pfn, PAGEBLOCK_NR_PAGES - off);
		u64 w;

		if (!ms || ms->zone != zone || !(ms->flags & SECTION_ONLINE))
			return false;
		w = pb_read(&ms->pb[pageblock_index(pfn)]);
		if (w & PB_ISOLATE)
			return false;
		if (want == CANDIDATE_FREE ? next_used(mm, pfn, pfn + nr) != pfn + nr
					   : !(w & PB_VALID) && !pb_all_free(w))
			return false;
		pfn += nr;
	}
	return true;
}

/* Its time is up or nobody wants it any more: no other place is tried. */
static bool search_is_over(const struct mm_failure *why)
{
	return why->reason == MM_REASON_DEADLINE || why->reason == MM_REASON_CANCELLED ||
	       why->reason == MM_REASON_LOCKED;
}

static unsigned long try_zone(struct mm *mm, const struct zone *zone, unsigned long nr,
			      const struct evacuate_policy *policy, struct mm_failure *why)
{
	const unsigned long step = IS_POWER_OF_2(nr) ? nr : min(PAGEBLOCK_NR_PAGES,
								roundup_pow_of_two(nr));
	const unsigned long end = zone->start_pfn + zone->spanned;

	for (unsigned int want = CANDIDATE_FREE; want <= CANDIDATE_MOVABLE; want++) {
		unsigned long pfn = ALIGN_UP(zone->start_pfn, step);

		while (pfn + nr <= end) {
			if (candidate_ok(mm, pfn, pfn + nr, zone, want) &&
			    alloc_contig_range(mm, pfn, pfn + nr, policy, why) == 0)
				return pfn;
			if (search_is_over(why))
				return PFN_NONE;
			if (!pfn_to_section(mm, pfn))
				pfn = ALIGN_UP((pfn | (PAGES_PER_SECTION - 1)) + 1, step);
			else
				pfn += step;
		}
	}
	return PFN_NONE;
}

unsigned long alloc_contig_pages(struct mm *mm, unsigned long nr,
				 const struct evacuate_policy *policy, struct mm_failure *why)
{
	struct evacuate_policy each = policy ? *policy : default_policy();
	const struct evacuate_policy whole = each;
	struct mm_failure last;
	unsigned long pfn;

	each.flags |= EVAC_QUIET;
	why = why ? why : &last;
	mm_fail(why, MM_REASON_NO_RANGE, PFN_NONE);
	if (!nr)
		return PFN_NONE;
	pfn = try_zone(mm, mm_zone(mm, ZONE_NORMAL), nr, &each, why);
	if (pfn == PFN_NONE && !search_is_over(why))
		pfn = try_zone(mm, mm_zone(mm, ZONE_MOVABLE), nr, &each, why);
	if (pfn == PFN_NONE)
		report(nr, &whole, why);
	return pfn;
}

/* --- giving back ------------------------------------------------------------- */

/* A part of a chunk that covers its pageblock: single frames from now on. */
static void split_pageblock(struct mem_section *ms, unsigned int b)
{
	const u32 word = pb_const(pb_word(ms, b));

	spin_lock(&ms->zone->lock);
	pageblock_make_uniform(ms, b, page_word(PAGE_WORD_TYPE(word), PAGE_WORD_FLAGS(word), 0,
						PAGE_WORD_ZONE(word)));
	pageblock_materialise(ms, b);
	spin_unlock(&ms->zone->lock);
}

static void free_part(struct mm *mm, struct mem_section *ms, unsigned long pfn,
		      unsigned long nr)
{
	const unsigned int b = pageblock_index(pfn);
	const u64 w = pb_read(&ms->pb[b]);
	const u32 word = frame_word(w, pfn);

	if (nr == PAGEBLOCK_NR_PAGES && PAGE_WORD_ORDER(word) == PAGEBLOCK_ORDER) {
		free_pages(mm, pfn, PAGEBLOCK_ORDER);
		return;
	}
	if (!(w & PB_VALID) && PAGE_WORD_ORDER(word) == PAGEBLOCK_ORDER &&
	    PAGE_WORD_TYPE(word) >= PGTY_FIRST_ALLOC && PAGE_WORD_TYPE(word) <= PGTY_LAST_ALLOC)
		split_pageblock(ms, b);
	while (nr) {
		unsigned long pfns[64];
		const unsigned long part = min(nr, ARRAY_SIZE(pfns));

		for (unsigned long i = 0; i < part; i++)
			pfns[i] = pfn + i;
		free_pages_bulk(mm, pfns, part);
		pfn += part;
		nr -= part;
	}
}

void free_contig_range(struct mm *mm, unsigned long start, unsigned long nr)
{
	const unsigned long end = start + nr;

	for (unsigned long pfn = start, stop; pfn < end; pfn = stop) {
		struct mem_section *ms = pfn_to_section(mm, pfn);

		stop = min((pfn | (PAGEBLOCK_NR_PAGES - 1)) + 1, end);
		if (!ms || !ms->zone)
			bad_free(mm, pfn, 0, "is in no online section");
		free_part(mm, ms, pfn, stop - pfn);
	}
}

/* PageOffline frames within one pageblock, not all of it, become free. */
static void release_part(struct mem_section *ms, unsigned long pfn, unsigned int nr)
{
	const unsigned int b = pageblock_index(pfn);

	offline_verify(ms, pfn, nr, true);
	if (!(pb_word(ms, b) & PB_VALID))
		pageblock_materialise(ms, b);
	buddy_free_run(ms, pfn, nr);
}

/*
 * Whole uniform pageblocks of a section: a store each, and the index at the end.
 * Blocks of different migrate types or isolation are taken apart by the caller's mask.
 */
static void release_pageblocks(struct mem_section *ms, unsigned int first, unsigned int end)
{
	const u32 constant = page_word(PGTY_BUDDY, 0, 0, ms->zone->type);
	struct zone *zone = ms->zone;
	u64 whole = 0;

	for (unsigned int b = first; b < end; b++) {
		const u64 w = pb_word(ms, b);

		if (w & PB_VALID) {
			release_part(ms, pb_pfn(ms, b), PAGEBLOCK_NR_PAGES);
			continue;
		}
		offline_verify(ms, pb_pfn(ms, b), PAGEBLOCK_NR_PAGES, true);
		pageblock_make_uniform(ms, b, constant);
		if (w & PB_ISOLATE) {
			WRITE_ONCE(zone->free_isolated, zone->free_isolated + PAGEBLOCK_NR_PAGES);
		} else {
			WRITE_ONCE(zone->free, zone->free + PAGEBLOCK_NR_PAGES);
			whole |= BIT(b);
		}
	}
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
		if (whole & ms->mt[mt])
			index_file_free_mask(ms, whole & ms->mt[mt]);
}

static void release_section(struct mem_section *ms, unsigned long pfn, unsigned long end)
{
	const unsigned long first = min(ALIGN_UP(pfn, PAGEBLOCK_NR_PAGES), end);
	const unsigned long last = max(ALIGN_DOWN(end, PAGEBLOCK_NR_PAGES), first);

	WRITE_ONCE(ms->zone->managed, ms->zone->managed + (end - pfn));
	trace_emit(TRACE_FRAMES, .pfn = pfn, .count = end - pfn, .before = PGTY_OFFLINE,
		   .after = PGTY_BUDDY);
	if (pfn < first)
		release_part(ms, pfn, first - pfn);
	if (first < last)
		release_pageblocks(ms, pageblock_index(first), pageblock_index(last - 1) + 1);
	if (last < end)
		release_part(ms, last, end - last);
}

void release_offline_range(struct mm *mm, unsigned long start, unsigned long nr)
{
	const unsigned long end = start + nr;

	for (unsigned long pfn = start, stop; pfn < end; pfn = stop) {
		struct mem_section *ms = pfn_to_section(mm, pfn);

		stop = min((pfn | (PAGES_PER_SECTION - 1)) + 1, end);
		if (!ms || !ms->zone)
			panic("%s: release of pfn 0x%lx: no online memory", mm->name, pfn);
		spin_lock(&ms->zone->lock);
		release_section(ms, pfn, stop);
		spin_unlock(&ms->zone->lock);
	}
}
