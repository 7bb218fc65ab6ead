/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Isolation: one bit per pageblock that takes its free frames out of the search
 * index and the zone's free count. Frames freed meanwhile stay there, and the free
 * wakes the waiters. The migrate type does not change, so clearing the bit ends the
 * isolation. pageblock.c sets and clears the bits; this file does it for ranges, searches
 * them for frames in use, and waits for those.
 *
 * An order-10 chunk that the border of the range cuts becomes two of order 9; they
 * merge again by themselves. Cost: a few instructions per pageblock.
 * Compare with: Linux mm/page_isolation.c.
 */
#include "mm/internal.h"
#include "mm/page_isolation.h"

static int isolate_section(struct mem_section *ms, u64 mask, struct mm_failure *why)
{
	const u64 already = pageblocks_isolate(ms, mask);

	return already ? mm_fail(why, MM_REASON_ALREADY_ISOLATED, pb_pfn(ms, __ffs(already))) : 0;
}

int isolate_range(struct mm *mm, const struct pfn_range *range, struct mm_failure *why)
{
	struct pfn_range part;

	for_each_section_part(part, range) {
		struct mem_section *ms = pfn_to_section(mm, part.start_pfn);
		int err;

		if (ms && ms->zone)
			err = isolate_section(ms, range_mask(&part), why);
		else
			err = mm_fail(why, MM_REASON_NOT_PRESENT, part.start_pfn);
		if (err) {
			const unsigned long done = part.start_pfn - range->start_pfn;

			unisolate_range(mm, &(struct pfn_range){ range->start_pfn, done });
			return err;
		}
	}
	return 0;
}

void unisolate_range(struct mm *mm, const struct pfn_range *range)
{
	struct pfn_range part;

	for_each_section_part(part, range)
		pageblocks_unisolate(pfn_to_section(mm, part.start_pfn), range_mask(&part));
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
		const unsigned long stop = pageblock_end(pfn);
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
		const unsigned long stop = min(section_end(pfn), end);

		pfn = section_next_used(pfn_to_section(mm, pfn), pfn, stop);
		if (pfn < stop)
			return pfn;
	}
	return end;
}

/* Is the range all free, or a movable chunk with its owner's reference only? */
bool free_or_loose(const struct mm *mm, const struct pfn_range *range)
{
	const unsigned long end = range_end(range);
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
