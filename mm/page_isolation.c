/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Isolation: one bit per pageblock that takes its free frames out of the search
 * index and the zone's free count. Frames freed meanwhile stay there, and the free
 * wakes the waiters. The migrate type does not change, so clearing the bit ends the
 * isolation.
 *
 * An order-10 chunk that the border of the range cuts is filed as two of order 9; they
 * merge again by themselves. Cost: a few instructions per pageblock.
 * Compare with: Linux mm/page_isolation.c.
 */
#include "mm/internal.h"
#include "mm/page_isolation.h"

/* Is it a uniform chunk with an owner, which may change the word without the lock? */
static bool owned_chunk(u64 w)
{
	const unsigned int type = PAGE_WORD_TYPE(pb_const(w));

	return !(w & PB_VALID) && (type == PGTY_CACHED || type_is_alloc(type));
}

/* Which pageblocks of @mask have the isolate bit? */
static u64 isolated_mask(const struct mem_section *ms, u64 mask)
{
	u64 hit = 0;

	if (!ms->zone->nr_isolated)
		return 0;
	for (; mask; mask &= mask - 1) {
		const unsigned int b = __ffs(mask) % PAGEBLOCKS_PER_SECTION;

		hit |= ((pb_word(ms, b) / PB_ISOLATE) & 1) << b;
	}
	return hit;
}

static void set_isolate(struct mem_section *ms, u64 mask)
{
	struct zone *zone = ms->zone;
	unsigned long free = 0;

	index_unfile_mask(ms, mask);
	WRITE_ONCE(zone->nr_isolated, zone->nr_isolated + hweight64(mask));
	for (; mask; mask &= mask - 1) {
		struct pageblock *pb = &ms->pb[__ffs(mask)];
		const u64 w = READ_ONCE(pb->word);

		free += pb_free(w);
		if (owned_chunk(w))
			__atomic_fetch_or(&pb->word, PB_ISOLATE, __ATOMIC_ACQ_REL);
		else
			WRITE_ONCE(pb->word, w | PB_ISOLATE | PB_INDEX_MASK);
	}
	WRITE_ONCE(zone->free, zone->free - free);
	WRITE_ONCE(zone->free_isolated, zone->free_isolated + free);
}
static_assert(PB_INDEX_MASK == (u64)PB_INDEX_NONE << PB_INDEX_SHIFT, "or'ing sets none");

static void clear_isolate(struct mem_section *ms, u64 mask)
{
	struct zone *zone = ms->zone;
	unsigned long free = 0;
	u64 whole = 0, part = 0;

	WRITE_ONCE(zone->nr_isolated, zone->nr_isolated - hweight64(mask));
	for (; mask; mask &= mask - 1) {
		const unsigned int b = __ffs(mask);
		struct pageblock *pb = &ms->pb[b];
		const u64 w = READ_ONCE(pb->word);

		free += pb_free(w);
		if (owned_chunk(w))
			__atomic_fetch_and(&pb->word, ~PB_ISOLATE, __ATOMIC_ACQ_REL);
		else
			WRITE_ONCE(pb->word, w & ~PB_ISOLATE);
		if (pb_all_free(w))
			whole |= BIT(b);
		else if (pb_free(w))
			part |= BIT(b);
	}
	WRITE_ONCE(zone->free_isolated, zone->free_isolated - free);
	WRITE_ONCE(zone->free, zone->free + free);
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
		if (whole & ms->mt[mt])
			index_file_free_mask(ms, whole & ms->mt[mt]);
	for (; part; part &= part - 1)
		index_file(ms, __ffs(part));
}

/**
 * section_mask() - make a mask of the pageblocks in one section that a range touches
 * @pfn: first frame
 * @end: exclusive, above @pfn
 * @next: set to the first frame of the next section, or beyond
 */
u64 section_mask(unsigned long pfn, unsigned long end, unsigned long *next)
{
	const unsigned long section_end = (pfn | (PAGES_PER_SECTION - 1)) + 1;
	const unsigned int first = pageblock_index(pfn);
	const unsigned int last = pageblock_index(min(end, section_end) - 1);

	*next = section_end;
	return GENMASK(last, first);
}

static void trace_isolate(const struct mem_section *ms, u64 mask, unsigned int to)
{
	trace_emit(TRACE_PAGEBLOCK_ISOLATE, .pfn = pb_pfn(ms, __ffs(mask)),
		   .count = hweight64(mask) << PAGEBLOCK_ORDER, .before = !to, .after = to);
}

/* End the isolation of [pfn, end); every pageblock of it is isolated. */
static void unisolate_until(struct mm *mm, unsigned long pfn, unsigned long end)
{
	unsigned long next;

	for (; pfn < end; pfn = next) {
		struct mem_section *ms = pfn_to_section(mm, pfn);
		const u64 mask = section_mask(pfn, end, &next);

		spin_lock(&ms->zone->lock);
		VM_BUG_ON(isolated_mask(ms, mask) != mask);
		clear_isolate(ms, mask);
		trace_isolate(ms, mask, 0);
		watch_events(ms, mask);
		spin_unlock(&ms->zone->lock);
	}
}

static int isolate_section(struct mem_section *ms, u64 mask, struct mm_failure *why)
{
	u64 already;

	spin_lock(&ms->zone->lock);
	already = isolated_mask(ms, mask);
	if (!already) {
		set_isolate(ms, mask);
		trace_isolate(ms, mask, 1);
	}
	spin_unlock(&ms->zone->lock);
	if (already)
		return mm_fail(why, MM_REASON_ALREADY_ISOLATED, pb_pfn(ms, __ffs(already)));
	return 0;
}

int isolate_range(struct mm *mm, const struct pfn_range *range, struct mm_failure *why)
{
	const unsigned long end = range->start_pfn + range->nr_pages;
	unsigned long pfn, next;

	for (pfn = range->start_pfn; pfn < end; pfn = next) {
		struct mem_section *ms = pfn_to_section(mm, pfn);
		const u64 mask = section_mask(pfn, end, &next);
		int err;

		if (ms && ms->zone)
			err = isolate_section(ms, mask, why);
		else
			err = mm_fail(why, MM_REASON_NOT_PRESENT, pfn);
		if (err) {
			unisolate_until(mm, range->start_pfn, pfn);
			return err;
		}
	}
	return 0;
}

void unisolate_range(struct mm *mm, const struct pfn_range *range)
{
	unisolate_until(mm, range->start_pfn, range->start_pfn + range->nr_pages);
}

bool pageblock_isolated(const struct mm *mm, unsigned long pfn)
{
	const struct mem_section *ms;
	bool isolated;

	pfn_walk_begin();
	ms = walk_section(mm, pfn);
	isolated = ms && (pb_read(&ms->pb[pageblock_index(pfn)]) & PB_ISOLATE);
	pfn_walk_end();
	return isolated;
}

/* The first frame of [pfn, end), all in one valid pageblock, with its free bit clear. */
static unsigned long next_clear_bit(const u64 *bits, unsigned long pfn, unsigned long end)
{
	while (pfn < end) {
		const unsigned int off = pfn % PAGEBLOCK_NR_PAGES;
		const u64 used = ~READ_ONCE(bits[off / 64]) >> off % 64;

		if (used)
			return min(pfn + __ffs(used), end);
		pfn += 64 - off % 64;
	}
	return end;
}

/* next_used() for a range within one section. */
unsigned long section_next_used(const struct mem_section *ms, unsigned long pfn,
				unsigned long end)
{
	for (unsigned int b = pageblock_index(pfn); pfn < end; b++) {
		const unsigned long stop = (pfn | (PAGEBLOCK_NR_PAGES - 1)) + 1;
		const u64 w = pb_read(&ms->pb[b]);

		if (!pb_all_free(w)) {
			if (w & PB_VALID)
				pfn = next_clear_bit(pb_bits(ms, b), pfn, min(stop, end));
			if (pfn < stop)
				break;
		}
		pfn = stop;
	}
	return min(pfn, end);
}

/**
 * next_used() - find the next frame that is not free in the buddy allocator
 * @mm: memory
 * @pfn: where to start
 * @end: exclusive
 *
 * Takes no lock: frames may be freed meanwhile, but in isolated pageblocks a free frame
 * stays free.
 * Return: @end if all are free.
 */
unsigned long next_used(const struct mm *mm, unsigned long pfn, unsigned long end)
{
	while (pfn < end) {
		const unsigned long stop = min((pfn | (PAGES_PER_SECTION - 1)) + 1, end);

		pfn = section_next_used(pfn_to_section(mm, pfn), pfn, stop);
		if (pfn < stop)
			return pfn;
	}
	return end;
}

/* Is the range all free, or a movable chunk with its owner's reference only? */
bool free_or_loose(const struct mm *mm, const struct pfn_range *range)
{
	const unsigned long end = range->start_pfn + range->nr_pages;
	struct page_state st;

	return next_used(mm, range->start_pfn, end) == end ||
	       (page_state_isolated(mm, range->start_pfn, &st) && movable_types >> st.type & 1 &&
		!(st.flags & (PG_PINNED | PG_CLAIMED)) && st.count == 1);
}

bool wait_isolated_free(struct zone *zone, const struct pfn_range *range, u64 deadline_ns)
{
	bool met;

	/*
	 * Register under the lock that frees and unpins take, before checking the
	 * condition. A free after this sees the waiter; a free before it is seen by the
	 * check below.
	 */
	spin_lock(&zone->lock);
	WRITE_ONCE(zone->nr_free_waiters, zone->nr_free_waiters + 1);
	spin_unlock(&zone->lock);
	met = wait_event_until(&zone->freed, free_or_loose(zone->mm, range), deadline_ns);
	spin_lock(&zone->lock);
	WRITE_ONCE(zone->nr_free_waiters, zone->nr_free_waiters - 1);
	spin_unlock(&zone->lock);
	return met;
}
