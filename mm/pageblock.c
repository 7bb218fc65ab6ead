/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pageblocks: the two forms of a pageblock's state, and the steps between them.
 *
 *	uniform  --materialise-->  valid        512 descriptors written, one store
 *	uniform  <--make_uniform-- valid        one store; descriptors are stale then
 *
 * Every change of a whole pageblock's word goes through this file or
 * pageblock_index.c. Compare with: Linux mm/page_alloc.c (pageblock_flags).
 */
#include "mm/internal.h"

/* How many frames from @pfn on, up to @end, have equal descriptors? */
static unsigned long like_the_first(unsigned long pfn, unsigned long end)
{
	const u64 *p = (const u64 *)pfn_to_page(pfn), *const stop = p + 2 * (end - pfn);
	const u64 word = p[0], owner = p[1];

	while ((p += 2) < stop && p[0] == word && p[1] == owner)
		;
	return end - pfn - (unsigned long)(stop - p) / 2;
}

/* Slow path of offline_verify(): not a whole uniform pageblock, or something is wrong. */
void offline_verify_frames(const struct mem_section *ms, unsigned long pfn, unsigned long nr,
			   bool release)
{
	const struct pageblock *pb = &ms->pb[pageblock_index(pfn)];
	const bool valid = READ_ONCE(pb->word) & PB_VALID;
	const unsigned long end = pfn + nr;

	for (; pfn < end; pfn = valid ? pfn + like_the_first(pfn, end) : end) {
		const struct page *page = pfn_to_page(pfn);
		const enum page_type type = PAGE_WORD_TYPE(frame_word(pb->word, pfn));
		const u64 owner = valid ? page->owner : pb->owner;

		if (release && type != PGTY_OFFLINE)
			panic("%s: release of pfn 0x%lx: it is %s, not Offline", ms->mm->name, pfn,
			      page_type_name(type));
		if (!EBB_DEBUG || type != PGTY_OFFLINE)
			continue;
		if (valid && page->count != OFFLINE_COUNT)
			panic("%s: pfn 0x%lx is Offline, its count is 0x%x instead of 0x%x",
			      ms->mm->name, pfn, page->count, OFFLINE_COUNT);
		if (owner != OFFLINE_OWNER)
			panic("%s: pfn 0x%lx is Offline, its %sowner is 0x%lx instead of 0x%lx",
			      ms->mm->name, pfn, valid ? "" : "pageblock's ",
			      (unsigned long)owner, OFFLINE_OWNER);
	}
}

/*
 * Write the descriptors of @nr frames: @word, with a count in its upper half, and
 * @owner. Word and count are one store, so that a reader without a lock never sees the
 * new type with a stale count.
 */
void frames_write(unsigned long pfn, unsigned long nr, u64 word, u64 owner)
{
	u64 *p = (u64 *)pfn_to_page(pfn);
	u64 *const end = p + 2 * nr;

	if (PAGE_WORD_TYPE(word) == PGTY_OFFLINE) {
		word |= (u64)OFFLINE_COUNT << 32;
		owner = OFFLINE_OWNER;
	}
#define FRAME(i) (WRITE_ONCE(p[2 * (i)], word), WRITE_ONCE(p[2 * (i) + 1], owner))
	for (; p + 16 <= end; p += 16) {
		FRAME(0), FRAME(1), FRAME(2), FRAME(3);
		FRAME(4), FRAME(5), FRAME(6), FRAME(7);
	}
	for (; p < end; p += 2)
		FRAME(0);
#undef FRAME
}

/*
 * Write the descriptors of one chunk: tails first, then the head with its count, so a
 * reader that sees the head also sees valid tails.
 */
void chunk_write(unsigned long pfn, unsigned int order, u32 word)
{
	if (order)
		frames_write(pfn + 1, (1UL << order) - 1, word | PG_TAIL << 8, 0);
	page_born(pfn_to_page(pfn), word);
}

/*
 * Make the word say "valid", with @free free frames, not filed. The caller has written
 * descriptors and bits before.
 */
void pageblock_set_valid(struct mem_section *ms, unsigned int b, unsigned int free)
{
	struct pageblock *pb = &ms->pb[b];
	const u64 keep = READ_ONCE(pb->word) & (PB_MT_MASK | PB_ISOLATE | PB_WATCH);
	const u64 seq = (READ_ONCE(pb->word) >> PB_SEQ_SHIFT) + 1;

	pb_write(pb, keep | free | PB_VALID | (u64)PB_INDEX_NONE << PB_INDEX_SHIFT |
			     seq << PB_SEQ_SHIFT);
	trace_emit(TRACE_PAGEBLOCK_VALID, .pfn = pb_pfn(ms, b), .count = PAGEBLOCK_NR_PAGES,
		   .after = 1);
}

/**
 * pageblock_materialise() - write the 512 descriptors that a constant stands for
 * @ms: section
 * @b: pageblock, uniform, of single frames
 *
 * Never allocates and never fails; the state of each frame stays the same.
 */
void pageblock_materialise(struct mem_section *ms, unsigned int b)
{
	const struct pageblock *pb = &ms->pb[b];
	const u32 constant = pb_const(READ_ONCE(pb->word));
	const unsigned int free = pb_free(READ_ONCE(pb->word));
	const unsigned long pfn = pb_pfn(ms, b);
	u64 *bits = pb_bits(ms, b);

	VM_BUG_ON((READ_ONCE(pb->word) & PB_VALID) || PAGE_WORD_ORDER(constant));
	if (PAGE_WORD_TYPE(constant) == PGTY_OFFLINE)
		offline_verify(ms, pfn, PAGEBLOCK_NR_PAGES, false);
	frames_write(pfn, PAGEBLOCK_NR_PAGES, constant, 0);
	for (unsigned int i = 0; i < PB_WORDS; i++)
		WRITE_ONCE(bits[i], free ? ~0ULL : 0);
	pageblock_set_valid(ms, b, free);
}

/**
 * pageblock_make_uniform() - give all 512 frames one constant descriptor
 * @ms: section
 * @b: pageblock, not filed
 * @constant: page_word(); Buddy makes it wholly free; no type with a count
 *
 * No frame is referenced at this point: a frame of a counted type was freed before.
 */
void pageblock_make_uniform(struct mem_section *ms, unsigned int b, u32 constant)
{
	struct pageblock *pb = &ms->pb[b];
	const bool was_valid = READ_ONCE(pb->word) & PB_VALID;

	VM_BUG_ON(type_is_counted(PAGE_WORD_TYPE(constant)));
	pb_write(pb, pb_word_uniform(READ_ONCE(pb->word), constant));
	if (was_valid)
		trace_emit(TRACE_PAGEBLOCK_VALID, .pfn = pb_pfn(ms, b),
			   .count = PAGEBLOCK_NR_PAGES, .before = 1);
}

/* Retag a pageblock and file its free chunks under the new type. */
void pageblock_set_migratetype(struct mem_section *ms, unsigned int b, unsigned int mt)
{
	struct pageblock *pb = &ms->pb[b];
	const unsigned int old = pb_mt(READ_ONCE(pb->word));

	if (old == mt)
		return;
	index_unfile(ms, b);
	ms->mt[old] &= ~BIT(b);
	ms->mt[mt] |= BIT(b);
	__atomic_fetch_xor(&pb->word, (u64)(old ^ mt) << PB_MT_SHIFT, __ATOMIC_ACQ_REL);
	trace_emit(TRACE_PAGEBLOCK_TYPE, .pfn = pb_pfn(ms, b), .count = PAGEBLOCK_NR_PAGES,
		   .before = old, .after = mt);
	index_file(ms, b);
}

/* The old state is stale; the records leave `before` empty. */
static void trace_init_range(unsigned long pfn, u32 nr, u32 constant, u64 state)
{
	trace_emit(TRACE_PAGEBLOCK_TYPE, .pfn = pfn, .count = nr, .after = pb_mt(state),
		   .flags = 1);
	trace_emit(TRACE_PAGEBLOCK_ISOLATE, .pfn = pfn, .count = nr,
		   .after = !!(state & PB_ISOLATE), .flags = 1);
	trace_emit(TRACE_PAGEBLOCK_VALID, .pfn = pfn, .count = nr, .flags = 1);
	trace_emit(TRACE_FRAMES, .pfn = pfn, .count = nr, .after = PAGE_WORD_TYPE(constant),
		   .flags = PAGE_WORD_FLAGS(constant));
}

/* Only PageOffline frames may have PG_offline_skippable. */
static bool flags_fit(u32 word)
{
	return !(PAGE_WORD_FLAGS(word) & PG_OFFLINE_SKIPPABLE) ||
	       PAGE_WORD_TYPE(word) == PGTY_OFFLINE;
}

/**
 * pageblock_init_range() - set the first state of pageblocks in a section without a zone
 * @ms: section
 * @first: pageblock
 * @nr: pageblocks
 * @constant: page_word() that holds for all their frames; not Buddy
 * @state: migrate type << PB_MT_SHIFT, or'ed with PB_ISOLATE or not
 *
 * Increments the sequences, so that a reader that saw the old state reads again.
 */
void pageblock_init_range(struct mem_section *ms, unsigned int first, unsigned int nr,
			  u32 constant, u64 state)
{
	const u64 mask = (nr == 64 ? ~0UL : BIT(nr) - 1) << first;
	const u64 owner = PAGE_WORD_TYPE(constant) == PGTY_OFFLINE ? OFFLINE_OWNER : 0;

	BUG_ON(ms->zone || PAGE_WORD_TYPE(constant) == PGTY_BUDDY || !flags_fit(constant));
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
		ms->mt[mt] = mt == pb_mt(state) ? ms->mt[mt] | mask : ms->mt[mt] & ~mask;
	for (unsigned int b = first; b < first + nr; b++) {
		const u64 seq = (pb_word(ms, b) >> PB_SEQ_SHIFT) + 1;

		WRITE_ONCE(ms->pb[b].owner, owner);
		pb_write(&ms->pb[b], pb_word_uniform(state | seq << PB_SEQ_SHIFT, constant));
	}
	trace_init_range(pb_pfn(ms, first), nr << PAGEBLOCK_ORDER, constant, state);
}

/**
 * section_attach_zone() - put a section into a zone
 * @ms: section, no frame of it free
 * @zone: its zone
 *
 * Context: hotplug lock held; takes zone->lock.
 */
void section_attach_zone(struct mem_section *ms, struct zone *zone)
{
	spin_lock(&zone->lock);
	BUG_ON(ms->zone);
	WRITE_ONCE(ms->zone, zone);
	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++) {
		BUG_ON(pb_free(pb_word(ms, b)));
		zone->nr_isolated += !!(pb_word(ms, b) & PB_ISOLATE);
	}
	spin_unlock(&zone->lock);
}

/* Take a section out of its zone; no frame is free. Context: as section_attach_zone(). */
void section_detach_zone(struct mem_section *ms)
{
	struct zone *zone = ms->zone;

	spin_lock(&zone->lock);
	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++) {
		BUG_ON(pb_free(pb_word(ms, b)));
		offline_verify(ms, pb_pfn(ms, b), PAGEBLOCK_NR_PAGES, false);
		zone->nr_isolated -= !!(pb_word(ms, b) & PB_ISOLATE);
	}
	watch_events(ms, ~0UL);
	/* Under the lock, because section_lock_zone() reads the zone again under it. */
	WRITE_ONCE(ms->zone, NULL);
	spin_unlock(&zone->lock);
}

/* Set the frames [off, off + nr) of one pageblock; none of them is free. */
static void pageblock_set_frames(struct mem_section *ms, unsigned int b, unsigned int off,
				 unsigned int nr, const struct page *desc)
{
	BUG_ON(pb_all_free(pb_word(ms, b)));
	offline_verify(ms, pb_pfn(ms, b) + off, nr, false);
	if (nr == PAGEBLOCK_NR_PAGES) {
		BUG_ON(pb_free(pb_word(ms, b)));
		WRITE_ONCE(ms->pb[b].owner, desc->owner);
		pageblock_make_uniform(ms, b, desc->word);
		return;
	}
	if (!(pb_word(ms, b) & PB_VALID))
		pageblock_materialise(ms, b);
	frames_write(pb_pfn(ms, b) + off, nr, desc->word, desc->owner);
}

/**
 * frames_set() - set the descriptors of single frames that are not free
 * @mm: memory
 * @pfn: first frame
 * @nr: frames; all in present sections, none of them free
 * @word: page_word(), order 0, no type with a count; PG_OFFLINE_SKIPPABLE on Offline only
 * @owner: owner word
 *
 * Makes whole pageblocks uniform and partial ones valid. The caller keeps the counters.
 * Context: the caller holds the hotplug lock or owns the frames; takes zone->lock per
 * pageblock.
 */
void frames_set(struct mm *mm, unsigned long pfn, unsigned long nr, u32 word, u64 owner)
{
	const bool offline = PAGE_WORD_TYPE(word) == PGTY_OFFLINE;
	const struct page desc = { .word = word, .owner = offline ? OFFLINE_OWNER : owner };
	const unsigned long end = pfn + nr;

	BUG_ON(!flags_fit(word));
	trace_emit(TRACE_FRAMES, .pfn = pfn, .count = nr, .after = PAGE_WORD_TYPE(word),
		   .flags = PAGE_WORD_FLAGS(word));
	while (pfn < end) {
		struct mem_section *ms = pfn_to_section(mm, pfn);
		const unsigned int b = pageblock_index(pfn);
		const unsigned int off = pfn % PAGEBLOCK_NR_PAGES;
		const unsigned int part = min(end - pfn, PAGEBLOCK_NR_PAGES - off);
		struct zone *zone = ms->zone;

		if (zone) {
			spin_lock(&zone->lock);
			pageblock_set_frames(ms, b, off, part, &desc);
			spin_unlock(&zone->lock);
		} else {
			pageblock_set_frames(ms, b, off, part, &desc);
		}
		pfn += part;
	}
}
