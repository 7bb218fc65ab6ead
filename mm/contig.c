/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contiguous allocation on top of evacuate(): searching for a range, and freeing one.
 * Compare with: Linux mm/page_alloc.c alloc_contig_range(), alloc_contig_pages(),
 * free_contig_range().
 */
#include "kernel/printk.h"
#include "kernel/sink.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/contig.h"
#include "mm/evac.h"
#include "mm/free.h"
#include "mm/memory_hotplug.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/vmstat.h"

static struct evacuate_policy contig_policy(const struct evac_limits *limits)
{
	return (struct evacuate_policy){
		.end = EVAC_END_ALLOC,
		.type = PGTY_KERNEL,
		.flags = limits ? 0 : EVAC_BEGINS,
		.limits = limits ? *limits : evac_limits(EVAC_FOR_CONTIG, 1),
	};
}

static void __cold report(struct mm *mm, unsigned long nr, const struct evacuate_policy *policy,
			  const struct mm_failure *why)
{
	char text[256];
	struct sink_buffer buffer;

	if (policy->flags & EVAC_QUIET)
		return;
	sink_buffer_init(&buffer, text, sizeof(text));
	mm_failure_print(why, &buffer.sink);
	pr_warn_ratelimited(&mm->contig_log, "contig: %lu frame%s failed: %s\n", nr,
			    str_plural(nr), text);
}

/* A function for other files, inlined in alloc_contig_range(). */
__always_inline int take_contig_range(struct mm *mm, unsigned long start, unsigned long end,
				      const struct evacuate_policy *policy,
				      struct mm_failure *why)
{
	const struct pfn_range range = { .start_pfn = start, .nr_pages = end - start };
	int err;

	if (start >= end || policy->end != EVAC_END_ALLOC)
		return mm_fail(why, MM_REASON_MISALIGNED, start);
	err = evacuate(mm, &range, 1, policy, why);
	vm_event_inc(mm, err ? VM_CONTIG_FAIL : VM_CONTIG_SUCCESS, 1);
	if (unlikely(err)) {
		mm_failure_name(mm, why);
		report(mm, range.nr_pages, policy, why);
	} else if (policy->type == PGTY_OFFLINE) {
		zone_update_watermarks(mm);
	}
	return err;
}

int alloc_contig_range(struct mm *mm, unsigned long start, unsigned long end,
		       const struct evac_limits *limits, struct mm_failure *why)
{
	const struct evacuate_policy policy = contig_policy(limits);

	return take_contig_range(mm, start, end, &policy, why);
}

/* --- searching for a range -------------------------------------------------- */

/* The demands of the search on a candidate range. */
enum candidate {
	CANDIDATE_FREE,	   /* all of its frames are free */
	CANDIDATE_MOVABLE, /* no pageblock word rules it out */
};

/* Judge a range within one section by its pageblock words. */
static bool section_candidate(const struct mem_section *ms, const struct pfn_range *r,
			      enum candidate want)
{
	const unsigned long end = range_end(r);
	struct pfn_range part;

	if (want == CANDIDATE_FREE && section_next_used(ms, r->start_pfn, end) != end)
		return false;
	for_each_pageblock_part(part, r) {
		const u64 w = pb_read(&ms->pb[pageblock_index(part.start_pfn)]);

		if (w & PB_ISOLATE)
			return false;
		if (want == CANDIDATE_MOVABLE && !(w & PB_VALID) && !pb_all_free(w))
			return false;
	}
	return true;
}

/* Judge a range without a lock, section by section; evacuate() makes the final decision. */
static bool candidate_ok(const struct zone *zone, const struct pfn_range *range,
			 enum candidate want)
{
	struct pfn_range part;
	bool ok = true;

	for_each_section_part(part, range) {
		const struct mem_section *ms;

		pfn_walk_begin();
		ms = walk_section(zone->mm, part.start_pfn);
		ok = ms && (READ_ONCE(ms->flags) & SECTION_ONLINE) && section_zone(ms) == zone &&
		     section_candidate(ms, &part, want);
		pfn_walk_end();
		if (!ok)
			break;
	}
	return ok;
}

/* Has the deadline passed, or was the request cancelled? Then no other range is tried. */
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
	const unsigned long start = READ_ONCE(zone->start_pfn);
	const unsigned long end = start + READ_ONCE(zone->spanned);

	for (unsigned int want = CANDIDATE_FREE; want <= CANDIDATE_MOVABLE; want++) {
		unsigned long pfn = ALIGN_UP(start, step);

		while (pfn + nr <= end) {
			if (candidate_ok(zone, &(struct pfn_range){ pfn, nr }, want) &&
			    take_contig_range(mm, pfn, pfn + nr, policy, why) == 0)
				return pfn;
			if (search_is_over(why))
				return PFN_NONE;
			if (memory_block_state(mm, pfn >> SECTION_PFN_SHIFT) == MEM_BLOCK_ABSENT)
				pfn = ALIGN_UP(section_end(pfn), step);
			else
				pfn += step;
		}
	}
	return PFN_NONE;
}

unsigned long take_contig_pages(struct mm *mm, unsigned long nr,
				const struct evacuate_policy *policy,
				struct mm_failure *why)
{
	struct evacuate_policy each = *policy;
	unsigned long pfn;

	each.flags |= EVAC_QUIET;
	mm_fail(why, MM_REASON_NO_RANGE, PFN_NONE);
	if (!nr)
		return PFN_NONE;
	pfn = try_zone(mm, mm_zone(mm, ZONE_NORMAL), nr, &each, why);
	if (pfn == PFN_NONE && !search_is_over(why))
		pfn = try_zone(mm, mm_zone(mm, ZONE_MOVABLE), nr, &each, why);
	if (pfn == PFN_NONE)
		report(mm, nr, policy, why);
	return pfn;
}

unsigned long alloc_contig_pages(struct mm *mm, unsigned long nr,
				 const struct evac_limits *limits, struct mm_failure *why)
{
	const struct evacuate_policy policy = contig_policy(limits);

	return take_contig_pages(mm, nr, &policy, why);
}

/* --- freeing a range -------------------------------------------------------- */

/*
 * Free a pageblock, or a part of it; to free a part, first split a chunk that covers the
 * whole pageblock.
 */
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
	    type_is_alloc(PAGE_WORD_TYPE(word)))
		pageblock_split(ms, b);
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
	const struct pfn_range range = { start, nr };
	struct pfn_range part;

	for_each_pageblock_part(part, &range) {
		struct mem_section *ms = pfn_to_section(mm, part.start_pfn);

		if (!ms || !ms->zone)
			bad_free(mm, part.start_pfn, 0, "is in no online section");
		free_part(mm, ms, part.start_pfn, part.nr_pages);
	}
}
