/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pageblocks: the steps that change their state.
 *
 * A pageblock is 512 frames, 2 MiB. Its state is kept in five places that must agree: its
 * word, its free bits, the descriptors of its frames, its place in the search index, and
 * the counters of its zone. Every function in this file takes a pageblock, or a range of
 * them, from one consistent state to another under zone->lock, and emits the trace records
 * from which a replay can reconstruct the change. Other files only read, or call these
 * functions. The exceptions are frames.c and buddy.c (see below), and the owner of a
 * uniform chunk, which may change the chunk's type without the lock (pageblock.h).
 *
 * A pageblock has one of two forms. While all of its frames have the same descriptor, it
 * is *uniform*: the word holds that one descriptor for all of them, the constant, and the
 * 512 descriptors in the memmap are stale. Before any frame gets a different descriptor,
 * the pageblock becomes *valid*: this file fills the 512 descriptors with the constant, then
 * sets PB_VALID in the word with a release store. Readers without a lock load the
 * word, then the descriptor, then the word again; the sequence number in the word tells
 * them if the form changed in between, even if it changed back.
 *
 *	uniform  --materialise-->  valid        512 descriptors written, one store
 *	uniform  <--make_uniform-- valid        one store; the descriptors become stale
 *
 * So changing a whole pageblock costs one store, whatever its frames were before: frames.c
 * plugs, unplugs, onlines and allocates ranges this way. Single chunks go through buddy.c,
 * which writes bits and descriptors and then calls pageblock_add_free() or
 * pageblock_sub_free() to update word, index and counters.
 *
 * Compare with: Linux mm/page_alloc.c (pageblock_flags), mm/page_isolation.c.
 */
#include "kernel/trace/trace.h"
#include "lib/errno.h"
#include "mm/page_isolation.h"
#include "mm/pageblock.h"
#include "mm/pageblock_index.h"
#include "mm/poison.h"

/* --- counters ------------------------------------------------------------------- */

/* count_free() for a pageblock that is isolated or watched. */
static __cold void count_awaited(struct mem_section *ms, unsigned int b, u64 w, long delta)
{
	struct zone *zone = ms->zone;

	if (w & PB_ISOLATE)
		WRITE_ONCE(zone->free_isolated, zone->free_isolated + delta);
	else
		WRITE_ONCE(zone->free, zone->free + delta);
	if (delta > 0)
		wake_waiters(ms, b);
}

/* Count @delta more free frames in a pageblock with word @w. */
static inline void count_free(struct mem_section *ms, unsigned int b, u64 w, long delta)
{
	struct zone *zone = ms->zone;

	VM_BUG_ON(!spin_is_held(&zone->lock));
	if (likely(!(w & PB_AWAITED)))
		WRITE_ONCE(zone->free, zone->free + delta);
	else
		count_awaited(ms, b, w, delta);
}

/* --- the two forms -------------------------------------------------------------- */

/*
 * Make the word say "valid", with @free free frames, not in the index. The caller has
 * already written descriptors and bits.
 */
static void set_valid(struct mem_section *ms, unsigned int b, unsigned int free)
{
	struct pageblock *pb = &ms->pb[b];
	const u64 w = pb_read(pb);

	pb_write(pb, (w & (PB_MT_MASK | PB_ISOLATE | PB_WATCH)) | free | PB_VALID |
			     PB_INDEX_MASK | ((w >> PB_SEQ_SHIFT) + 1) << PB_SEQ_SHIFT);
	trace_emit(TRACE_PAGEBLOCK_VALID, .pfn = pb_pfn(ms, b), .count = PAGEBLOCK_NR_PAGES,
		   .after = 1);
}

/**
 * pageblock_materialise() - write the 512 descriptors that a constant replaces
 * @ms: section
 * @b: pageblock, uniform, of single frames; if free, it leaves the index
 *
 * Never allocates and never fails; the state of each frame stays the same.
 */
void pageblock_materialise(struct mem_section *ms, unsigned int b)
{
	const unsigned long pfn = pb_pfn(ms, b);
	const u64 w = pb_read(&ms->pb[b]);
	u64 *bits = pb_bits(ms, b);

	VM_BUG_ON((w & PB_VALID) || PAGE_WORD_ORDER(pb_const(w)));
	if (pb_free(w))
		index_remove(ms, b);
	else
		offline_check(ms, pfn, PAGEBLOCK_NR_PAGES, false);
	frames_write(pfn, PAGEBLOCK_NR_PAGES, pb_const(w), 0);
	for (unsigned int i = 0; i < PB_WORDS; i++)
		WRITE_ONCE(bits[i], pb_free(w) ? ~0ULL : 0);
	set_valid(ms, b, pb_free(w));
}

/*
 * Give one constant descriptor to all 512 frames of a pageblock that is not in the index.
 * No frame is referenced at this point: a frame of a counted type was freed before.
 */
void pageblock_make_uniform(struct mem_section *ms, unsigned int b, u32 constant)
{
	struct pageblock *pb = &ms->pb[b];
	const u64 w = pb_read(pb);

	VM_BUG_ON(type_is_counted(PAGE_WORD_TYPE(constant)));
	pb_write(pb, pb_uniform(w, constant));
	if (w & PB_VALID)
		trace_emit(TRACE_PAGEBLOCK_VALID, .pfn = pb_pfn(ms, b),
			   .count = PAGEBLOCK_NR_PAGES, .before = 1);
}

#define for_words(i, nr) _Pragma("GCC unroll 8") for (unsigned int i = 0; i < (nr); i++)

/* Change @nr words, at most eight, after one fence; with @test, only if all of them match. */
static __always_inline bool change_words(struct pageblock *pb, unsigned int nr,
					 const struct words_change *c, bool test)
{
	u64 w[8], words = 0, owners = 0;

	for_words(i, nr) w[i] = READ_ONCE(pb[i].word);
	if (test)
		for_words(i, nr) words |= w[i] ^ c->want;
	if (test && c->canary)
		for_words(i, nr) owners |= pb[i].owner ^ c->canary;
	if (test && ((words & c->test) | owners))
		return false;
	for_words(i, nr) WRITE_ONCE(pb[i].owner, c->owner);
	/* See pb_read(). */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for_words(i, nr) WRITE_ONCE(pb[i].word, (w[i] & c->keep) + c->add);
	return true;
}

/**
 * pageblocks_change() - change the words of many uniform pageblocks, in one pass
 * @ms: section
 * @mask: pageblocks
 * @c: the change; it must not need any descriptor written
 *
 * The caller settles the counts and the index, and traces.
 * Return: the pageblocks that changed, as a mask.
 */
u64 pageblocks_change(struct mem_section *ms, u64 mask, const struct words_change *c)
{
	const struct words_change ch = *c;
	u64 stay = 0;

	for_each_run(run, mask) {
		struct pageblock *pb = run_start(ms, run);
		struct pageblock *const end = run_end(ms, run);

		for (unsigned int nr; pb < end; pb += nr) {
			nr = pb + 8 <= end && change_words(pb, 8, &ch, true) ? 8 : 1;
			if (nr == 1 && !change_words(pb, 1, &ch, true))
				stay |= BIT(pb - ms->pb);
		}
	}
	return mask & ~stay;
}

/* pageblocks_change() without a test: the caller knows that all of @mask may change. */
void pageblocks_set(struct mem_section *ms, u64 mask, u64 keep, u64 add, u64 owner)
{
	const struct words_change c = { .keep = keep, .add = add, .owner = owner };

	for_each_run(run, mask) {
		struct pageblock *pb = run_start(ms, run);
		struct pageblock *const end = run_end(ms, run);

		for (; pb + 8 <= end; pb += 8)
			change_words(pb, 8, &c, false);
		for (; pb < end; pb++)
			change_words(pb, 1, &c, false);
	}
}

/* The constant descriptor word for a pageblock that is about to be wholly free. */
static u32 buddy_constant(const struct mem_section *ms, unsigned int b)
{
	u32 flags = page_poison ? PG_POISON : 0;

	if (page_poison && (pb_read(&ms->pb[b]) & PB_VALID))
		for (unsigned long i = 0; i < PAGEBLOCK_NR_PAGES; i++)
			flags &= PAGE_WORD_FLAGS(pfn_to_page(pb_pfn(ms, b) + i)->word);
	return page_word(PGTY_BUDDY, flags, 0, ms->zone->type);
}

/**
 * pageblock_split_free() - let the last frames of a uniform pageblock become free
 * @ms: section
 * @b: pageblock, isolated, not free
 * @nr: the number of its first frames, which get @word
 * @word: page_word() of a type without a count
 */
void pageblock_split_free(struct mem_section *ms, unsigned int b, unsigned int nr,
			  u32 word)
{
	const unsigned int free = PAGEBLOCK_NR_PAGES - nr;
	u64 *bits = pb_bits(ms, b);

	offline_check(ms, pb_pfn(ms, b), PAGEBLOCK_NR_PAGES, true);
	frames_write(pb_pfn(ms, b), nr, word, 0);
	/* Without PG_POISON: offline frames have not been poisoned. */
	frames_write(pb_pfn(ms, b) + nr, free, page_word(PGTY_BUDDY, 0, 0, ms->zone->type), 0);
	for (unsigned int i = 0; i < PB_WORDS; i++)
		WRITE_ONCE(bits[i], i < nr / 64	  ? 0
				    : i > nr / 64 ? ~0ULL
						  : ~0ULL << nr % 64);
	set_valid(ms, b, free);
	count_free(ms, b, pb_read(&ms->pb[b]), free);
}

/* Split an allocated chunk that covers its pageblock into single frames; no lock held. */
void pageblock_split(struct mem_section *ms, unsigned int b)
{
	const u32 word = pb_const(pb_read(&ms->pb[b]));

	spin_lock(&ms->zone->lock);
	pageblock_make_uniform(ms, b, page_word(PAGE_WORD_TYPE(word), PAGE_WORD_FLAGS(word), 0,
				      PAGE_WORD_ZONE(word)));
	pageblock_materialise(ms, b);
	spin_unlock(&ms->zone->lock);
}

/* --- frames leave and enter the allocator, see buddy.c --------------------------- */

/**
 * pageblock_sub_free() - account for frames that left the free bits
 * @ms: section
 * @b: pageblock, valid, not isolated; bits and descriptors already say so
 * @nr: frames
 */
void pageblock_sub_free(struct mem_section *ms, unsigned int b, unsigned int nr)
{
	struct pageblock *pb = &ms->pb[b];
	const u64 w = pb_read(pb);

	pb_write(pb, w - nr);
	count_free(ms, b, w, -(long)nr);
	index_update(ms, b, bits_max_order(pb_bits(ms, b)));
}

/**
 * pageblock_add_free() - account for frames that entered the free bits
 * @ms: section
 * @b: pageblock, valid, with frames in use left; bits and descriptors already say so
 * @nr: frames
 * @order: the largest chunk that the free produced
 */
void pageblock_add_free(struct mem_section *ms, unsigned int b, unsigned int nr,
			unsigned int order)
{
	struct pageblock *pb = &ms->pb[b];
	const u64 w = pb_read(pb) + nr;

	pb_write(pb, w);
	count_free(ms, b, w, nr);
	if (w & PB_ISOLATE)
		return;
	if (pb_index(w) == PB_INDEX_NONE || order > pb_index(w))
		index_update(ms, b, order);
}

/* Free the last @nr frames of a pageblock, so that all of it becomes free: O(1). */
void pageblock_make_free(struct mem_section *ms, unsigned int b, unsigned int nr)
{
	const u64 w = pb_read(&ms->pb[b]);

	if (!(w & PB_ISOLATE))
		index_remove(ms, b);
	pageblock_make_uniform(ms, b, buddy_constant(ms, b));
	count_free(ms, b, w, nr);
	if (!(w & PB_ISOLATE))
		index_add(ms, b);
}

/* Write a chunk of a counted type, which needs its own descriptors at once. */
void pageblock_set_counted(struct mem_section *ms, unsigned int b, unsigned int order,
			      u32 word)
{
	chunk_write(pb_pfn(ms, b), order, word);
	for (unsigned int i = 0; i < 1U << (order - PAGEBLOCK_ORDER); i++) {
		bits_clear_run(pb_bits(ms, b + i), 0, PAGEBLOCK_NR_PAGES);
		set_valid(ms, b + i, 0);
	}
}

/* Take a free chunk of one pageblock or two. @word: its new descriptor word. */
void pageblock_take_chunk(struct mem_section *ms, unsigned int b, unsigned int order, u32 word)
{
	const unsigned int nr = 1U << (order - PAGEBLOCK_ORDER);

	index_remove_mask(ms, (BIT(nr) - 1) << b);
	WRITE_ONCE(ms->pb[b].owner, 0);
	if (type_is_counted(PAGE_WORD_TYPE(word))) {
		pageblock_set_counted(ms, b, order, word);
	} else {
		pageblock_make_uniform(ms, b, word);
		if (nr == 2)
			pageblock_make_uniform(ms, b + 1, word | PG_TAIL << 8);
	}
	for (unsigned int i = 0; i < nr; i++)
		count_free(ms, b + i, pb_read(&ms->pb[b + i]), -(long)PAGEBLOCK_NR_PAGES);
}

/**
 * pageblock_change_flags() - set and clear flags of a uniform chunk that is allocated
 * @pb: its (first) pageblock
 * @type: type that it must still have
 * @set: PG_*
 * @clear: PG_*
 *
 * Takes no lock; see the rules for writers in pageblock.h.
 * Return: 0; -EBUSY if a flag of @set is already set; -EINVAL if it has become something
 * else.
 */
int pageblock_change_flags(struct pageblock *pb, enum page_type type, u32 set, u32 clear)
{
	const unsigned int shift = PB_CONST_SHIFT + 8;
	u64 w = pb_read(pb);

	do {
		if ((w & PB_VALID) || PAGE_WORD_TYPE(pb_const(w)) != type)
			return -EINVAL;
		if (PAGE_WORD_FLAGS(pb_const(w)) & set)
			return -EBUSY;
	} while (!__atomic_compare_exchange_n(&pb->word, &w,
					      (w | (u64)set << shift) & ~((u64)clear << shift),
					      false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return 0;
}

/* --- isolate, watch, migrate type ------------------------------------------------ */

/* Is it a uniform chunk in use? Its owner may change the word without the lock. */
static bool owned_chunk(u64 w)
{
	const unsigned int type = PAGE_WORD_TYPE(pb_const(w));

	return !(w & PB_VALID) && (type == PGTY_CACHED || type_is_alloc(type));
}

/* A mask of the first pageblock of @mask that has the isolate bit; 0 if none has it. */
static u64 isolated_mask(const struct mem_section *ms, u64 mask)
{
	if (!ms->zone->nr_isolated)
		return 0;
	for (mask &= ~index_free_mask(ms); mask; mask &= mask - 1)
		if (pb_read(&ms->pb[__ffs(mask) % PAGEBLOCKS_PER_SECTION]) & PB_ISOLATE)
			return mask & -mask;
	return 0;
}

static void trace_isolate(const struct mem_section *ms, u64 mask, unsigned int to)
{
	trace_emit(TRACE_PAGEBLOCK_ISOLATE, .pfn = pb_pfn(ms, __ffs(mask)),
		   .count = hweight64(mask) << PAGEBLOCK_ORDER, .before = !to, .after = to);
}

/* Set (@on) or clear the isolate bit of pageblocks; their free frames move to the other count. */
static void change_isolate(struct mem_section *ms, u64 mask, bool on)
{
	const struct words_change all_free = {
		.test = PB_FREE_MASK | PB_ISOLATE,
		.want = PAGEBLOCK_NR_PAGES | PB_ISOLATE,
		.keep = ~(PB_ISOLATE | PB_INDEX_MASK),
		.add = PB_INDEX_MASK,
	};
	const long nr = hweight64(mask);
	u64 whole = on ? mask & index_free_mask(ms) : mask, part = 0;
	long free;

	if (on) {
		/* Those of @whole were in the index: wholly free and not isolated. */
		index_remove_mask(ms, mask);
		pageblocks_set(ms, whole, all_free.keep, PB_INDEX_MASK | PB_ISOLATE, 0);
	} else {
		whole = pageblocks_change(ms, whole, &all_free);
	}
	free = hweight64(whole) * PAGEBLOCK_NR_PAGES;
	for (mask &= ~whole; mask; mask &= mask - 1) {
		struct pageblock *pb = &ms->pb[__ffs(mask)];
		const u64 w = pb_read(pb);

		VM_BUG_ON(!on && !(w & PB_ISOLATE));
		free += pb_free(w);
		if (owned_chunk(w))
			__atomic_fetch_xor(&pb->word, PB_ISOLATE, __ATOMIC_ACQ_REL);
		else
			WRITE_ONCE(pb->word, (w ^ PB_ISOLATE) | PB_INDEX_MASK);
		if (pb_free(w))
			part |= mask & -mask;
	}
	WRITE_ONCE(ms->zone->nr_isolated, ms->zone->nr_isolated + (on ? nr : -nr));
	zone_count(ms->zone, on ? -free : free, on ? free : -free, 0);
	if (on)
		return;
	if (whole)
		index_add_free_mask(ms, whole);
	for (; part; part &= part - 1)
		index_add(ms, __ffs(part));
}

/**
 * pageblocks_isolate() - set the isolate bit of pageblocks, all or none
 * @ms: section with a zone
 * @mask: pageblocks
 *
 * Their free frames leave the index and the zone's free count. Takes zone->lock.
 * Return: the first that is already isolated, as a mask; 0 if all of @mask got the bit.
 */
u64 pageblocks_isolate(struct mem_section *ms, u64 mask)
{
	u64 already;

	spin_lock(&ms->zone->lock);
	already = isolated_mask(ms, mask);
	if (!already) {
		change_isolate(ms, mask, true);
		trace_isolate(ms, mask, 1);
	}
	spin_unlock(&ms->zone->lock);
	return already;
}

/**
 * pageblocks_end_isolation() - clear the isolate bit of adjacent pageblocks that have it
 * @ms: section with a zone, locked
 * @mask: pageblocks
 * @done: those of them for which words, index and free count have already changed
 */
void pageblocks_end_isolation(struct mem_section *ms, u64 mask, u64 done)
{
	WRITE_ONCE(ms->zone->nr_isolated, ms->zone->nr_isolated - hweight64(done));
	change_isolate(ms, mask & ~done, false);
	trace_isolate(ms, mask, 0);
	if (unlikely(ms->zone->nr_watched))
		tell_watchers(ms, mask);
}

/* Clear the isolate bit of adjacent pageblocks that all have it. Takes zone->lock. */
void pageblocks_unisolate(struct mem_section *ms, u64 mask)
{
	spin_lock(&ms->zone->lock);
	pageblocks_end_isolation(ms, mask, 0);
	spin_unlock(&ms->zone->lock);
}

/* Set the watch bit. Atomic: the hart that owns the chunk may change the word meanwhile. */
void pageblock_watch(struct mem_section *ms, unsigned int b)
{
	if (!(__atomic_fetch_or(&ms->pb[b].word, PB_WATCH, __ATOMIC_ACQ_REL) & PB_WATCH))
		WRITE_ONCE(ms->zone->nr_watched, ms->zone->nr_watched + 1);
}

/* Clear the watch bit. Return: whether it was set. */
bool pageblock_unwatch(struct mem_section *ms, unsigned int b)
{
	if (!(__atomic_fetch_and(&ms->pb[b].word, ~PB_WATCH, __ATOMIC_ACQ_REL) & PB_WATCH))
		return false;
	WRITE_ONCE(ms->zone->nr_watched, ms->zone->nr_watched - 1);
	return true;
}

/* Retag a pageblock, and move its free chunks in the index to the new type. */
void pageblock_set_migratetype(struct mem_section *ms, unsigned int b, unsigned int mt)
{
	const unsigned int old = pb_mt(pb_read(&ms->pb[b]));

	if (old == mt)
		return;
	index_remove(ms, b);
	ms->mt[old] &= ~BIT(b);
	ms->mt[mt] |= BIT(b);
	__atomic_fetch_xor(&ms->pb[b].word, (u64)(old ^ mt) << PB_MT_SHIFT, __ATOMIC_ACQ_REL);
	trace_emit(TRACE_PAGEBLOCK_TYPE, .pfn = pb_pfn(ms, b), .count = PAGEBLOCK_NR_PAGES,
		   .before = old, .after = mt);
	index_add(ms, b);
}

/* --- sections come to a zone and leave it ---------------------------------------- */

#define TRACED_AT_INIT                                                \
	(BIT(TRACE_PAGEBLOCK_TYPE) | BIT(TRACE_PAGEBLOCK_ISOLATE) | \
	 BIT(TRACE_PAGEBLOCK_VALID) | BIT(TRACE_FRAMES))

/* Trace the first state. The old one is stale, so the records leave `before` empty. */
static __cold void trace_init(const struct mem_section *ms, u64 run, u32 constant, u64 state)
{
	const unsigned long pfn = pb_pfn(ms, __ffs(run));
	const u32 nr = hweight64(run) << PAGEBLOCK_ORDER;

	trace_emit(TRACE_PAGEBLOCK_TYPE, .pfn = pfn, .count = nr, .after = pb_mt(state),
		   .flags = 1);
	trace_emit(TRACE_PAGEBLOCK_ISOLATE, .pfn = pfn, .count = nr,
		   .after = !!(state & PB_ISOLATE), .flags = 1);
	trace_emit(TRACE_PAGEBLOCK_VALID, .pfn = pfn, .count = nr, .flags = 1);
	trace_emit(TRACE_FRAMES, .pfn = pfn, .count = nr, .after = PAGE_WORD_TYPE(constant),
		   .flags = PAGE_WORD_FLAGS(constant));
}

/**
 * pageblocks_init() - set the first state of pageblocks in a section without a zone
 * @ms: section
 * @mask: pageblocks
 * @constant: page_word() that holds for all their frames; not Buddy
 * @state: migrate type << PB_MT_SHIFT, or'ed with PB_ISOLATE or not
 *
 * Increments the sequences, so that a reader that saw the old state reads again.
 */
void pageblocks_init(struct mem_section *ms, u64 mask, u32 constant, u64 state)
{
	const enum page_type type = PAGE_WORD_TYPE(constant);

	BUG_ON(ms->zone || type == PGTY_BUDDY ||
	       !page_flags_fit(type, PAGE_WORD_FLAGS(constant)));
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
		ms->mt[mt] = mt == pb_mt(state) ? ms->mt[mt] | mask : ms->mt[mt] & ~mask;
	pageblocks_set(ms, mask, PB_SEQ_MASK, (state | pb_frames(constant)) + (1UL << PB_SEQ_SHIFT),
		       type == PGTY_OFFLINE ? OFFLINE_OWNER : 0);
	if (likely(!(READ_ONCE(this_hart()->trace_mask) & TRACED_AT_INIT)))
		return;
	for_each_run(run, mask)
		trace_init(ms, run, constant, state);
}

/**
 * section_attach_zone() - put a section into a zone
 * @ms: section; all pageblocks have their first state, or none has free frames
 * @zone: its zone
 * @isolated: pageblocks with the isolate bit
 *
 * Context: hotplug lock held; takes zone->lock.
 */
void section_attach_zone(struct mem_section *ms, struct zone *zone, unsigned int isolated)
{
	spin_lock(&zone->lock);
	BUG_ON(ms->zone);
	WRITE_ONCE(ms->zone, zone);
	zone->nr_isolated += isolated;
	spin_unlock(&zone->lock);
}

/* Are all pageblocks uniform, PageOffline with the canary, and isolated? */
static bool all_offline(const struct mem_section *ms)
{
	const u64 want = (u64)PGTY_OFFLINE << PB_CONST_SHIFT | PB_ISOLATE;
	u64 words = 0, owners = 0;

	for (const struct pageblock *pb = ms->pb; pb < ms->pb + PAGEBLOCKS_PER_SECTION;
	     pb += 8) {
		for_words(i, 8) words |= READ_ONCE(pb[i].word) ^ want;
		for_words(i, 8) owners |= READ_ONCE(pb[i].owner) ^ OFFLINE_OWNER;
	}
	return !(words &
		 (PB_VALID | PB_ISOLATE | PB_FREE_MASK | 0xffUL << PB_CONST_SHIFT)) &&
	       !owners;
}

/* Check the frames of a section that is about to leave its zone. Return: isolated pageblocks. */
static unsigned long check_leaving(const struct mem_section *ms)
{
	unsigned long isolated = 0;

	if (all_offline(ms))
		return PAGEBLOCKS_PER_SECTION;
	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++) {
		const u64 w = pb_read(&ms->pb[b]);

		BUG_ON(pb_free(w));
		if (EBB_DEBUG && ((w & PB_VALID) || !canary_intact(&ms->pb[b], w)))
			offline_check(ms, pb_pfn(ms, b), PAGEBLOCK_NR_PAGES, false);
		isolated += !!(w & PB_ISOLATE);
	}
	return isolated;
}

/* Take a section out of its zone; no frame is free. Context: as section_attach_zone(). */
void section_detach_zone(struct mem_section *ms)
{
	struct zone *zone = ms->zone;

	spin_lock(&zone->lock);
	zone->nr_isolated -= check_leaving(ms);
	tell_watchers(ms, ~0UL);
	/* Under the lock, because section_lock_zone() reads the zone again under it. */
	WRITE_ONCE(ms->zone, NULL);
	spin_unlock(&zone->lock);
}
