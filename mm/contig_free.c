/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two ways to give ranges back: freeing what contig allocated, and releasing
 * PageOffline frames to the allocator. The caller owns the frames, so their sections stay.
 * Compare with: Linux mm/page_alloc.c free_contig_range(), mm/memory_hotplug.c
 * generic_online_page().
 */
#include "mm/contig.h"
#include "mm/internal.h"

/* Split a chunk that covers its pageblock into single frames. */
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
	    type_is_alloc(PAGE_WORD_TYPE(word)))
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

/* Free PageOffline frames within one pageblock: a part of it, or all of a valid one. */
static void release_part(struct mem_section *ms, unsigned long pfn, unsigned int nr)
{
	const unsigned int b = pageblock_index(pfn);

	offline_verify(ms, pfn, nr, true);
	if (!(pb_word(ms, b) & PB_VALID))
		pageblock_materialise(ms, b);
	buddy_free_run(ms, pfn, nr);
}

/*
 * Release whole pageblocks of a section: one store for each uniform one, and the index
 * at the end, once per migrate type. Isolated pageblocks are not filed.
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
	if (unlikely(ms->zone->nr_watched))
		watch_events(ms, section_mask(pfn, end, &end));
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
