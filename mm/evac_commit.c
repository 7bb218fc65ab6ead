/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hand-over: the free frames of emptied, isolated ranges become allocated, or
 * PageOffline. A whole pageblock costs one store; at the borders of a range this takes
 * single frames. A section's part takes one hold of zone->lock and, if its frames are
 * all free, leaves one trace record.
 */
#include "lib/bitmap.h"
#include "mm/internal.h"

/* What the frames become: the word of whole pageblocks, and that of single frames. */
struct becoming {
	u32 whole;
	u32 single;
	u64 owner;
	enum page_type type;
};

/* Take a wholly free pageblock: usually one store that replaces the constant. */
static inline void take_pageblock(struct mem_section *ms, unsigned int b,
				  const struct becoming *to)
{
	struct pageblock *pb = &ms->pb[b];

	WRITE_ONCE(pb->owner, to->owner);
	if (likely(!type_is_counted(to->type))) {
		pb_write(pb, pb_word_uniform(READ_ONCE(pb->word), to->whole));
		return;
	}
	bits_clear_run(pb_bits(ms, b), 0, PAGEBLOCK_NR_PAGES);
	chunk_write(pb_pfn(ms, b), PAGEBLOCK_ORDER, to->whole);
	pageblock_set_valid(ms, b, 0);
}

/* Take the free frames among [off, off + nr) of a pageblock. Return: how many. */
static unsigned int take_frames(struct mem_section *ms, unsigned int b, unsigned int off,
				unsigned int nr, const struct becoming *to)
{
	const u64 word = to->single | (u64)type_is_counted(to->type) << 32;
	struct pageblock *pb = &ms->pb[b];
	u64 *bits = pb_bits(ms, b);
	unsigned int taken = 0;

	if (pb_all_free(READ_ONCE(pb->word)))
		pageblock_materialise(ms, b);
	if (!(READ_ONCE(pb->word) & PB_VALID))
		return 0;
	for (unsigned int i = find_next_bit(bits, off + nr, off); i < off + nr;) {
		const unsigned int end = min(find_next_zero_bit(bits, off + nr, i), off + nr);

		frames_write(pb_pfn(ms, b) + i, end - i, word, 0);
		bits_clear_run(bits, i, end - i);
		taken += end - i;
		i = find_next_bit(bits, off + nr, end);
	}
	pb_write(pb, READ_ONCE(pb->word) - taken);
	return taken;
}

/* Make a pageblock uniform if all of its frames are PageOffline without a flag. */
static void offline_rest(struct mem_section *ms, unsigned int b, const struct becoming *to)
{
	const u64 w = pb_word(ms, b);

	if (to->type != PGTY_OFFLINE || !(w & PB_VALID) || pb_free(w))
		return;
	for (unsigned int i = 0; i < PAGEBLOCK_NR_PAGES; i++)
		if (frame_word(w, pb_pfn(ms, b) + i) != to->single)
			return;
	offline_verify(ms, pb_pfn(ms, b), PAGEBLOCK_NR_PAGES, true);
	WRITE_ONCE(ms->pb[b].owner, to->owner);
	pageblock_make_uniform(ms, b, to->whole);
}

/* Take one section's part of a range, all of it isolated. Return: frames taken. */
static unsigned long take_section(struct mem_section *ms, unsigned long pfn, unsigned long end,
				  const struct becoming *to)
{
	struct zone *zone = ms->zone;
	unsigned long taken = 0;

	VM_BUG_ON(!spin_is_held(&zone->lock));
	while (pfn < end) {
		const unsigned int b = pageblock_index(pfn);
		const unsigned int off = pfn % PAGEBLOCK_NR_PAGES;
		const unsigned int nr = min(end - pfn, PAGEBLOCK_NR_PAGES - off);

		VM_BUG_ON(!(pb_word(ms, b) & PB_ISOLATE));
		if (unlikely(page_poison))
			poison_check(ms->mm, pfn, nr);
		if (nr == PAGEBLOCK_NR_PAGES && pb_all_free(pb_word(ms, b))) {
			take_pageblock(ms, b, to);
			taken += nr;
		} else {
			taken += take_frames(ms, b, off, nr, to);
			offline_rest(ms, b, to);
		}
		pfn += nr;
	}
	WRITE_ONCE(zone->free_isolated, zone->free_isolated - taken);
	if (to->type == PGTY_OFFLINE)
		WRITE_ONCE(zone->managed, zone->managed - taken);
	return taken;
}

static bool frame_is_free(const struct mem_section *ms, unsigned long pfn)
{
	const unsigned int b = pageblock_index(pfn), off = pfn % PAGEBLOCK_NR_PAGES;
	const u64 w = pb_word(ms, b);

	return w & PB_VALID ? pb_bits(ms, b)[off / 64] >> off % 64 & 1 : pb_all_free(w);
}

/* Trace what take_section() is about to take: one record for each run of free frames. */
static __cold void trace_section(const struct mem_section *ms, unsigned long pfn,
				 unsigned long end, const struct becoming *to)
{
	for (unsigned long run; pfn < end; pfn += run) {
		const bool is_free = frame_is_free(ms, pfn);

		for (run = 1; pfn + run < end && frame_is_free(ms, pfn + run) == is_free;)
			run++;
		if (is_free)
			trace_emit(TRACE_FRAMES, .pfn = pfn, .count = run, .before = PGTY_BUDDY,
				   .after = to->type, .flags = PAGE_WORD_FLAGS(to->single));
	}
}

static void take_range(struct mm *mm, const struct pfn_range *range, const struct becoming *to)
{
	const unsigned long end = range->start_pfn + range->nr_pages;
	unsigned long pfn = range->start_pfn, stop;

	for (; pfn < end; pfn = stop) {
		struct mem_section *ms = pfn_to_section(mm, pfn);

		stop = min((pfn | (PAGES_PER_SECTION - 1)) + 1, end);
		spin_lock(&ms->zone->lock);
		if (unlikely(READ_ONCE(this_hart()->trace_mask) & BIT(TRACE_FRAMES)))
			trace_section(ms, pfn, stop, to);
		take_section(ms, pfn, stop, to);
		spin_unlock(&ms->zone->lock);
	}
}

/**
 * evac_commit() - hand the emptied ranges over, as the policy says
 * @e: the evacuation, verified
 */
void evac_commit(struct evac *e)
{
	const struct evacuate_policy *p = e->policy;
	struct becoming to = { .type = p->end == EVAC_END_OFFLINE ? PGTY_OFFLINE : p->type };
	const u32 flags = p->end == EVAC_END_ALLOC ? p->page_flags : 0;
	struct evac_cursor at = {};

	if (p->end == EVAC_END_FREE)
		return;
	to.owner = to.type == PGTY_OFFLINE ? OFFLINE_OWNER : 0;
	while (evac_next_range(e, &at)) {
		const unsigned long pfn = at.range.start_pfn;
		const unsigned int zone = pfn_to_section(e->mm, pfn)->zone->type;

		to.single = page_word(to.type, flags, 0, zone);
		to.whole = to.type == PGTY_OFFLINE
				   ? to.single
				   : page_word(to.type, flags, PAGEBLOCK_ORDER, zone);
		take_range(e->mm, &at.range, &to);
	}
}
