/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buddy allocator's core: takes aligned chunks of 2^order frames out of the free
 * memory of a zone, and puts them back.
 *
 * There are no free lists. Each pageblock has 512 free bits, one for each frame, and a free
 * chunk is an aligned run of set bits. Splitting a chunk therefore means clearing some bits
 * of a run, and coalescing needs no work at all: once the buddy's bits, at
 * pfn ^ (1 << order), are set too, the two runs are one. The index (pageblock_index.c)
 * knows only the order of each pageblock's largest free chunk. That is enough to choose a
 * pageblock; this file then looks for the chunk in its bits.
 *
 * Each frame is in one of two states here:
 *
 *	free	its descriptor word says Buddy, its bit is set, and the free count of its
 *		pageblock includes it
 *	taken	its descriptor has the type that the caller asked for, and its bit is clear
 *
 * A pageblock with all of its 512 frames free is uniform: its word says Buddy for all of
 * them, and its bits and descriptors are stale. Taking a part of it first makes it valid
 * (pageblock_materialise()); freeing its last used frame makes it uniform again. Chunks of
 * orders 9 and 10 are one or two whole pageblocks: pageblock_take_chunk() and
 * pageblock_make_free() change their words, and write descriptors only for a type with a
 * count. For smaller chunks this file writes bits and descriptors, and pageblock.c then
 * brings word, index and counters up to date.
 *
 * Callers hold zone->lock from the look at the free state to the end of the change. They
 * have chosen the zone and the migrate type, checked the watermarks, and, before a free,
 * checked that the chunk is allocated and has no users. Isolated pageblocks are not in the
 * index, so buddy_alloc() never takes from one; a caller of buddy_take(), which takes a
 * chunk by address, checks the isolate bit itself. A chunk may be freed into an isolated
 * pageblock; it then stays there.
 *
 * Readers without the lock look at words, descriptors and bits at any moment, so each of
 * these changes by a single store. They may see a frame with "Buddy" in its descriptor
 * and its bit still clear, and must treat what they see as a hint. A walker's
 * page_try_get() may also raise the count of a frame for a moment, so
 * buddy_free_singles() compares type and count by a single load, and leaves a frame that
 * does not match to its caller.
 *
 * Compare with: Linux mm/page_alloc.c, __free_one_page().
 */
#include "kernel/trace/trace.h"
#include "mm/buddy.h"
#include "mm/pageblock.h"
#include "mm/pageblock_index.h"
#include "mm/poison.h"

/* For at most this many frames, coalescing each is cheaper than searching all free bits. */
#define COALESCE_FRAMES 8UL

/* The descriptor word of a free frame. */
static u32 buddy_word(const struct zone *zone)
{
	return page_word(PGTY_BUDDY, page_poison ? PG_POISON : 0, 0, zone->type);
}

static void take_part(struct mem_section *ms, unsigned long pfn, unsigned int order,
		      u32 word)
{
	const unsigned int b = pageblock_index(pfn);

	if (!(pb_read(&ms->pb[b]) & PB_VALID))
		pageblock_materialise(ms, b);
	if (unlikely(page_poison))
		poison_check(ms->mm, pfn, 1UL << order);
	bits_clear(pb_bits(ms, b), pfn % PAGEBLOCK_NR_PAGES, order);
	chunk_write(pfn, order, word);
	pageblock_sub_free(ms, b, 1U << order);
}

/**
 * buddy_take() - take one given chunk, all of which is free
 * @ms: section
 * @pfn: first frame, aligned to @order
 * @order: 0..10
 * @word: the chunk's new descriptor word: type, flags, order, zone
 */
void buddy_take(struct mem_section *ms, unsigned long pfn, unsigned int order, u32 word)
{
	if (order < PAGEBLOCK_ORDER) {
		take_part(ms, pfn, order, word);
	} else {
		if (unlikely(page_poison))
			poison_check(ms->mm, pfn, 1UL << order);
		pageblock_take_chunk(ms, pageblock_index(pfn), order, word);
	}
	trace_emit(TRACE_FRAMES, .pfn = pfn, .count = 1U << order, .before = PGTY_BUDDY,
		   .after = PAGE_WORD_TYPE(word), .flags = PAGE_WORD_FLAGS(word));
}

/**
 * buddy_alloc() - take the best fitting free chunk of a migrate type
 * @zone: zone, locked
 * @from: migrate type and SEARCH_*
 * @order: 0..10
 * @type: the chunk's new type
 *
 * Return: the chunk's first frame, or PFN_NONE.
 */
unsigned long buddy_alloc(struct zone *zone, unsigned int from, unsigned int order,
			  enum page_type type)
{
	unsigned int b, off = 0;
	struct mem_section *ms = index_find(zone, from, order, &b);

	if (!ms)
		return PFN_NONE;
	if (!pb_all_free(pb_read(&ms->pb[b])))
		off = bits_find(pb_bits(ms, b), order);
	buddy_take(ms, pb_pfn(ms, b) + off, order, page_word(type, 0, order, zone->type));
	return pb_pfn(ms, b) + off;
}

/* Take all 64 frames of one word of free bits. */
static void take_word(unsigned long pfn, u64 word, unsigned long *pfns)
{
	u64 *p = (u64 *)pfn_to_page(pfn);

	for (u64 *const end = p + 128; p < end; p += 8, pfns += 4, pfn += 4) {
		WRITE_ONCE(p[0], word);
		WRITE_ONCE(p[1], 0);
		pfns[0] = pfn;
		WRITE_ONCE(p[2], word);
		WRITE_ONCE(p[3], 0);
		pfns[1] = pfn + 1;
		WRITE_ONCE(p[4], word);
		WRITE_ONCE(p[5], 0);
		pfns[2] = pfn + 2;
		WRITE_ONCE(p[6], word);
		WRITE_ONCE(p[7], 0);
		pfns[3] = pfn + 3;
	}
}

/* Take up to @nr frames of one word of free bits, bit by bit. Return: how many. */
static unsigned int take_bits(u64 *bits, unsigned long pfn, u64 word, unsigned int nr,
			      unsigned long *pfns)
{
	u64 left = *bits;
	unsigned int got = 0;

	for (; left && got < nr; left &= left - 1) {
		const unsigned long at = pfn + __ffs(left);
		u64 *p = (u64 *)pfn_to_page(at);

		WRITE_ONCE(p[0], word);
		WRITE_ONCE(p[1], 0);
		pfns[got++] = at;
	}
	WRITE_ONCE(*bits, left);
	return got;
}

/* Take 1 to @nr single frames of a pageblock that has free frames. */
static __noinline unsigned int take_singles(struct mem_section *ms, unsigned int b,
					    unsigned int nr, unsigned long *pfns, u64 word)
{
	unsigned long pfn = pb_pfn(ms, b);
	u64 *bits = pb_bits(ms, b);
	unsigned int got = 0;

	if (!(pb_read(&ms->pb[b]) & PB_VALID))
		pageblock_materialise(ms, b);
	if (unlikely(page_poison))
		poison_check(ms->mm, pfn, PAGEBLOCK_NR_PAGES);
	for (u64 *const end = bits + PB_WORDS; bits < end && got < nr; bits++, pfn += 64) {
		if (!*bits)
			continue;
		if (*bits != ~0ULL || (nr < 64 && !got)) {
			got += take_bits(bits, pfn, word, nr - got, pfns + got);
		} else if (nr - got >= 64) {
			WRITE_ONCE(*bits, 0);
			take_word(pfn, word, pfns + got);
			got += 64;
		} else {
			break; /* do not split a whole word: the caller accepts fewer frames */
		}
	}
	pageblock_sub_free(ms, b, got);
	return got;
}

/* Emit one record per run of neighbours. @before: PGTY_NONE if their types differed. */
static __cold void trace_singles(const unsigned long *pfns, unsigned long nr,
				 enum page_type before, enum page_type after)
{
	for (unsigned long i = 0, run; i < nr; i += run) {
		for (run = 1; i + run < nr && pfns[i + run] == pfns[i] + run;)
			run++;
		trace_emit(TRACE_FRAMES, .pfn = pfns[i], .count = run, .before = before,
			   .after = after);
	}
}

/**
 * buddy_alloc_singles() - take frames of order 0, a word of free bits at a time
 * @zone: zone, locked
 * @from: migrate type and SEARCH_*
 * @nr: how many
 * @pfns: filled, ascending within a pageblock
 * @type: the frames' new type
 *
 * Return: the number of frames taken, 0..@nr. It may be less than the number of free
 * frames, but is 0 only if none is free.
 */
unsigned int buddy_alloc_singles(struct zone *zone, unsigned int from, unsigned int nr,
				 unsigned long *pfns, enum page_type type)
{
	const u64 word = page_word(type, 0, 0, zone->type) | (u64)type_is_counted(type) << 32;
	unsigned int got = 0;

	while (got < nr) {
		unsigned int b;
		struct mem_section *ms = index_find(zone, from, 0, &b);

		if (!ms)
			break;
		got += take_singles(ms, b, nr - got, pfns + got, word);
		if (nr - got < 64)
			break;
	}
	if (unlikely(READ_ONCE(this_hart()->trace_mask)))
		trace_singles(pfns, got, PGTY_BUDDY, type);
	return got;
}

static void free_part(struct mem_section *ms, unsigned long pfn, unsigned int order)
{
	const unsigned int b = pageblock_index(pfn);
	const unsigned int off = pfn % PAGEBLOCK_NR_PAGES;
	const u64 w = pb_read(&ms->pb[b]);
	u64 *bits = pb_bits(ms, b);

	VM_BUG_ON(!(w & PB_VALID) || !bits_none_set(bits, off, order));
	frames_write(pfn, 1UL << order, buddy_word(ms->zone), 0);
	if (pb_free(w) + (1U << order) == PAGEBLOCK_NR_PAGES) {
		pageblock_make_free(ms, b, 1U << order);
		return;
	}
	bits_set(bits, off, order);
	pageblock_add_free(ms, b, 1U << order,
			   w & PB_ISOLATE ? 0 : bits_coalesce(bits, off, order));
}

/* The order of the largest chunk that contains any of @nr neighbours just freed. */
static unsigned int largest_freed(const u64 *bits, unsigned int off, unsigned int nr)
{
	unsigned int order = 0;

	if (nr > COALESCE_FRAMES)
		return bits_max_order(bits);
	for (; nr; nr--, off++)
		if (bits[off / 64] & 1UL << (off ^ 1) % 64)
			order = max(order, bits_coalesce(bits, off, 0));
	return order;
}

/*
 * Account for @nr neighbours that were just freed. Their descriptors already say Buddy; the
 * bit of a single frame may already be set.
 */
static void settle_run(struct mem_section *ms, unsigned int b, unsigned int off, unsigned int nr)
{
	u64 *bits = pb_bits(ms, b);
	const u64 w = pb_read(&ms->pb[b]);

	if (pb_free(w) + nr == PAGEBLOCK_NR_PAGES) {
		pageblock_make_free(ms, b, nr);
		return;
	}
	bits_set_run(bits, off, nr);
	pageblock_add_free(ms, b, nr, w & PB_ISOLATE ? 0 : largest_freed(bits, off, nr));
}

/* buddy_free_singles() for leading neighbours in one pageblock, ascending or descending. */
static __noinline unsigned long free_run(struct mem_section *ms, const unsigned long *pfns,
					 unsigned long nr, u32 word, unsigned int types)
{
	const unsigned long *p = pfns, off = *p % PAGEBLOCK_NR_PAGES;
	const long step = nr > 1 && p[1] < *p ? -1 : 1;
	const unsigned long *const end = p + min(nr, step < 0 ? off + 1 : PAGEBLOCK_NR_PAGES - off);
	const u64 free_word = buddy_word(ms->zone);
	u64 *desc = (u64 *)pfn_to_page(*p);
	unsigned long next = *p, low;

	if (!(pb_read(&ms->pb[pageblock_index(next)]) & PB_VALID))
		return 0;
	for (; p < end && *p == next && READ_ONCE(desc[0]) - word <= types; p++) {
		WRITE_ONCE(desc[0], free_word);
		desc += 2 * step;
		next += step;
	}
	nr = p - pfns;
	if (!nr)
		return 0;
	low = min(*pfns, next + 1);
	trace_emit(TRACE_FRAMES, .pfn = low, .count = nr,
		   .before = types ? PGTY_NONE : PAGE_WORD_TYPE(word), .after = PGTY_BUDDY);
	settle_run(ms, pageblock_index(low), low % PAGEBLOCK_NR_PAGES, nr);
	return nr;
}

/* free_run() for a list of long runs, each at the start of another pageblock of the section. */
static __noinline unsigned long free_runs(struct mem_section *ms, const unsigned long *pfns,
					  unsigned long nr, u32 word, unsigned int types)
{
	unsigned long done = free_run(ms, pfns, nr, word, types), n = done;

	while (n > COALESCE_FRAMES && done < nr && pfns[done] % PAGEBLOCK_NR_PAGES == 0 &&
	       pfns[done] - ms->start_pfn < PAGES_PER_SECTION) {
		n = free_run(ms, pfns + done, nr - done, word, types);
		done += n;
	}
	return done;
}

/**
 * buddy_free_singles() - free the leading frames of a list
 * @zone: zone, locked
 * @pfns: frames of order 0
 * @nr: length of @pfns
 * @word: page_word() that each frame must have, with a count of 0
 * @types: how many types above @word's also match
 *
 * Stops at the first frame that is not in the zone or does not match. A frame beside its
 * predecessor begins a run. For any other frame, in a valid pageblock that no thread and no
 * driver waits for, three stores are enough in most cases: its descriptor, its bit, and the
 * count in the word of its pageblock.
 * Return: how many frames it freed; 0 if the first frame stops it.
 */
unsigned long buddy_free_singles(struct zone *zone, const unsigned long *pfns,
				 unsigned long nr, u32 word, unsigned int types)
{
	const u64 free_word = buddy_word(zone), first_word = word, more = types;
	const u64 slow = zone->nr_free_waiters ? PB_AWAITED : PB_WATCH;
	const bool traced = READ_ONCE(this_hart()->trace_mask) & BIT(TRACE_FRAMES);
	const struct mm *const mm = zone->mm;
	unsigned long done, n, counted = 0, isolated = 0, last = PFN_NONE - 2;

	for (done = 0; done < nr; done += n) {
		const unsigned long pfn = pfns[done];
		struct mem_section *ms = pfn_to_section(mm, pfn);
		u64 *desc = (u64 *)pfn_to_page(pfn), *bits, w;
		struct pageblock *pb;

		if (!ms || ms->zone != zone)
			break;
		pb = &ms->pb[pageblock_index(pfn)];
		w = pb_read_owned(pb);
		if ((w & (PB_VALID | slow)) != PB_VALID || pfn - last + 1 <= 2 || traced) {
			n = free_runs(ms, pfns + done, nr - done, word, types);
			if (!n)
				break;
			last = pfns[done + n - 1];
			continue;
		}
		/* A walker's page_try_get() may have raised the count and lowered it again. */
		if (READ_ONCE(desc[0]) - first_word > more)
			break;
		WRITE_ONCE(desc[0], free_word);
		bits = ms->free_bits + pfn % PAGES_PER_SECTION / 64;
		WRITE_ONCE(*bits, *bits | 1UL << pfn % 64);
		if (likely(!bits_may_exceed(*bits, pfn, pb_index(w)))) {
			pb_count_freed(pb, w, 1);
			counted++;
		} else if (w & PB_ISOLATE && pb_free(w) < PAGEBLOCK_NR_PAGES - 1) {
			pb_count_freed(pb, w, 1);
			isolated++;
		} else {
			settle_run(ms, pageblock_index(pfn), pfn % PAGEBLOCK_NR_PAGES, 1);
		}
		last = pfn;
		n = 1;
	}
	zone_count(zone, counted, isolated, 0);
	return done;
}

/* The type of an allocated chunk. */
static enum page_type head_type(const struct mem_section *ms, unsigned long pfn)
{
	return PAGE_WORD_TYPE(frame_word(pb_read(&ms->pb[pageblock_index(pfn)]), pfn));
}

/**
 * buddy_free() - free a chunk
 * @ms: section
 * @pfn: first frame, aligned to @order; none of its frames is free
 * @order: 0..10
 *
 * The chunk joins the free frames of its pageblock, isolated or not, and coalesces.
 */
void buddy_free(struct mem_section *ms, unsigned long pfn, unsigned int order)
{
	const unsigned int b = pageblock_index(pfn);

	trace_emit(TRACE_FRAMES, .pfn = pfn, .count = 1U << order,
		   .before = head_type(ms, pfn), .after = PGTY_BUDDY);
	if (order < PAGEBLOCK_ORDER) {
		free_part(ms, pfn, order);
		return;
	}
	pageblock_make_free(ms, b, PAGEBLOCK_NR_PAGES);
	if (order > PAGEBLOCK_ORDER)
		pageblock_make_free(ms, b + 1, PAGEBLOCK_NR_PAGES);
}

/* --- the search for frames in use -------------------------------------------------- */

/* The first pageblock from @pb on that is not free as a whole; @last + 1 if all are free. */
static const struct pageblock *skip_free(const struct pageblock *pb, const struct pageblock *last)
{
	/* A free count is at most 512, so the bit of value 512 means that all are free. */
	while (pb + 4 <= last && pb_read_owned(pb) & pb_read_owned(pb + 1) &
				 pb_read_owned(pb + 2) & pb_read_owned(pb + 3) & PAGEBLOCK_NR_PAGES)
		pb += 4;
	while (pb <= last && pb_all_free(pb_read_owned(pb)))
		pb++;
	return pb;
}

/* next_used() for a range within one section. Return: @end, if all of it is free. */
unsigned long section_next_used(const struct mem_section *ms, unsigned long pfn,
				unsigned long end)
{
	const struct pageblock *const last = &ms->pb[pageblock_index(end - 1)];
	const struct pageblock *pb = &ms->pb[pageblock_index(pfn)];

	while ((pb = skip_free(pb, last)) <= last) {
		const unsigned int b = pb - ms->pb;
		const u64 w = pb_read(pb++);

		pfn = max(pfn, pb_pfn(ms, b));
		if (w & PB_VALID)
			pfn = pb_pfn(ms, b) +
			      bits_next_clear(pb_bits(ms, b), pfn % PAGEBLOCK_NR_PAGES);
		if (pfn < pb_pfn(ms, b + 1))
			return min(pfn, end);
	}
	return end;
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
