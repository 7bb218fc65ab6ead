/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames_change(): changes the type of all matching frames in a range. Releasing
 * PageOffline frames, handing over the frames that an evacuation has emptied, and giving
 * frames to their owners all go through this pass. It takes zone->lock once for each section,
 * stores one word for each uniform pageblock, and emits one trace record for each run of
 * frames.
 */
#include "kernel/trace/trace.h"
#include "lib/bitmap.h"
#include "mm/frames.h"
#include "mm/hotplug.h"
#include "mm/page_isolation.h"
#include "mm/pageblock.h"
#include "mm/pageblock_index.h"
#include "mm/poison.h"

/**
 * struct change - a change of frames, worked out for one section
 * @from: see frames_change()
 * @to: see frames_change()
 * @frame: word and count of a single frame
 * @whole: word of a whole pageblock
 */
struct change {
	enum page_type from, to;
	u64 frame;
	u32 whole;
};

/* The sums of a section's change. zone->free already has what change_run() frees. */
struct sums {
	unsigned long nr;	/* frames that changed */
	u64 free;		/* pageblocks that became free as a whole, not isolated */
	u64 isolated;		/* the same, isolated */
};

static inline bool type_changes(u32 word, const struct change *c)
{
	return c->from == PGTY_NONE || PAGE_WORD_TYPE(word) == c->from;
}

/* Does the frame at @pfn change? Sets @next to the first frame after it that may differ. */
static bool frame_changes(const struct mem_section *ms, unsigned long pfn, const struct change *c,
			  unsigned long *next)
{
	const unsigned int b = pageblock_index(pfn), off = pfn % PAGEBLOCK_NR_PAGES;
	const u64 w = pb_read(&ms->pb[b]);
	bool free;

	*next = w & PB_VALID ? pfn + 1 : pageblock_end(pfn);
	if (!(w & PB_VALID) || c->from != PGTY_BUDDY)
		return type_changes(frame_word(w, pfn), c);
	free = test_bit(off, pb_bits(ms, b));
	*next = pb_pfn(ms, b) +
		(free ? find_next_zero_bit(pb_bits(ms, b), PAGEBLOCK_NR_PAGES, off)
		      : find_next_bit(pb_bits(ms, b), PAGEBLOCK_NR_PAGES, off));
	return free;
}

/* Trace what is about to change: one record for each run of frames. */
static __cold void trace_change(const struct mem_section *ms, const struct pfn_range *r,
				const struct change *c)
{
	unsigned long next, start = r->start_pfn;

	for (unsigned long pfn = start; pfn < range_end(r); pfn = next) {
		const bool changes = frame_changes(ms, pfn, c, &next);

		next = min(next, range_end(r));
		if (changes && next < range_end(r))
			continue;
		if (changes)
			pfn = next;
		if (pfn > start)
			trace_emit(TRACE_FRAMES, .pfn = start, .count = pfn - start,
				   .before = c->from, .after = c->to,
				   .flags = PAGE_WORD_FLAGS(c->frame));
		start = next;
	}
}

static inline void trace_run(const struct mem_section *ms, const struct pfn_range *r,
			     const struct change *c)
{
	if (unlikely(READ_ONCE(this_hart()->trace_mask) & BIT(TRACE_FRAMES)))
		trace_change(ms, r, c);
}

/* Make a pageblock uniform if all of its frames are PageOffline, with the same flags. */
static void join_offline(struct mem_section *ms, unsigned int b, const struct change *c)
{
	const unsigned long pfn = pb_pfn(ms, b);
	const u64 w = pb_read(&ms->pb[b]);

	if (pb_free(w))
		return;
	for (unsigned int i = 0; i < PAGEBLOCK_NR_PAGES; i++)
		if (frame_word(w, pfn + i) != c->whole)
			return;
	offline_check(ms, pfn, PAGEBLOCK_NR_PAGES, true);
	pageblock_set_owner(&ms->pb[b], OFFLINE_OWNER);
	pageblock_make_uniform(ms, b, c->whole);
}

/* The next run of changing frames in [off, end) of a valid pageblock; empty if there is none. */
static struct pfn_range next_run(const struct mem_section *ms, unsigned int b, unsigned int off,
				 unsigned int end, const struct change *c)
{
	const unsigned long pfn = pb_pfn(ms, b);
	unsigned int stop = end;

	if (c->from == PGTY_BUDDY) {
		off = min(find_next_bit(pb_bits(ms, b), end, off), (unsigned long)end);
		stop = min(find_next_zero_bit(pb_bits(ms, b), end, off), (unsigned long)end);
	} else if (c->from == PGTY_OFFLINE && c->to == PGTY_OFFLINE) {
		while (off < end && page_type_own(pfn + off) != PGTY_OFFLINE)
			off++;
		for (stop = off; stop < end && page_type_own(pfn + stop) == PGTY_OFFLINE;)
			stop++;
	}
	return (struct pfn_range){ pfn + off, stop - off };
}

/* Change a whole uniform pageblock; a chunk with a count gets its own descriptors. */
static unsigned int change_whole(struct mem_section *ms, unsigned int b, const struct change *c)
{
	if (type_is_counted(c->to)) {
		pageblock_set_counted(ms, b, PAGEBLOCK_ORDER, c->whole);
	} else {
		pageblock_set_owner(&ms->pb[b], c->to == PGTY_OFFLINE ? OFFLINE_OWNER : 0);
		pageblock_make_uniform(ms, b, c->whole);
	}
	return PAGEBLOCK_NR_PAGES;
}

/* Change a run of frames of a valid pageblock: descriptors, bits and word. */
static void change_run(struct mem_section *ms, const struct pfn_range *run,
		       const struct change *c)
{
	const unsigned int b = pageblock_index(run->start_pfn);
	const unsigned int off = run->start_pfn % PAGEBLOCK_NR_PAGES;
	struct pageblock *pb = &ms->pb[b];
	const u64 w = pb_read(pb);
	u64 *bits = pb_bits(ms, b);

	if (c->to == PGTY_BUDDY && pb_free(w) + run->nr_pages == PAGEBLOCK_NR_PAGES) {
		pageblock_make_free(ms, b, run->nr_pages);
	} else if (c->to == PGTY_BUDDY) {
		frames_write(run->start_pfn, run->nr_pages, c->frame, 0);
		bits_set_run(bits, off, run->nr_pages);
		pageblock_add_free(ms, b, run->nr_pages, bits_max_order(bits));
	} else if (run->nr_pages == PAGEBLOCK_NR_PAGES) {
		change_whole(ms, b, c);
	} else {
		frames_write(run->start_pfn, run->nr_pages, c->frame, 0);
		if (c->from != PGTY_BUDDY)
			return;
		bits_clear_run(bits, off, run->nr_pages);
		pb_write(pb, w - run->nr_pages);
	}
}

static void check_part(const struct mem_section *ms, const struct pfn_range *part, u64 w,
		       const struct change *c)
{
	if (c->from != PGTY_BUDDY) {
		offline_check(ms, part->start_pfn, part->nr_pages, c->to == PGTY_BUDDY);
		BUG_ON(c->from == PGTY_NONE &&
		       (part->nr_pages == PAGEBLOCK_NR_PAGES ? pb_free(w) != 0 : pb_all_free(w)));
		return;
	}
	VM_BUG_ON(!(w & PB_ISOLATE));
	if (unlikely(page_poison))
		poison_check(ms->mm, part->start_pfn, part->nr_pages);
}

/* Change a part of a pageblock, or all of it frame by frame. Return: frames that changed. */
static unsigned int change_part(struct mem_section *ms, const struct pfn_range *part,
				const struct change *c)
{
	const unsigned int b = pageblock_index(part->start_pfn);
	const unsigned int first = part->start_pfn % PAGEBLOCK_NR_PAGES;
	const unsigned int end = first + part->nr_pages;
	const u64 w = pb_read(&ms->pb[b]);
	unsigned int nr = 0;

	check_part(ms, part, w, c);
	if (!(w & PB_VALID)) {
		if (!type_changes(pb_const(w), c))
			return 0;
		if (part->nr_pages == PAGEBLOCK_NR_PAGES && c->to != PGTY_BUDDY)
			return change_whole(ms, b, c);
		pageblock_materialise(ms, b);
	}
	for (unsigned int off = first; off < end;) {
		const struct pfn_range run = next_run(ms, b, off, end, c);

		if (run.nr_pages)
			change_run(ms, &run, c);
		nr += run.nr_pages;
		off = range_end(&run) - pb_pfn(ms, b);
	}
	if (c->from == PGTY_BUDDY && c->to == PGTY_OFFLINE)
		join_offline(ms, b, c);
	return nr;
}

/* The change of the words of uniform pageblocks; @isolated: PB_ISOLATE, if they have it. */
static struct words_change words_change(const struct change *c, u64 isolated)
{
	const u64 type = 0xffUL << PB_CONST_SHIFT;

	return (struct words_change){
		.test = PB_VALID | (c->from ? type | PB_ISOLATE : PB_FREE_MASK),
		.want = (u64)c->from << PB_CONST_SHIFT | (c->from ? isolated : 0),
		.canary = c->from == PGTY_OFFLINE ? OFFLINE_OWNER : 0,
		.keep = PB_KEPT,
		.add = pb_frames(c->whole),
		.owner = c->to == PGTY_OFFLINE ? OFFLINE_OWNER : 0,
	};
}

/* Change whole pageblocks: one store for each that is uniform, and of type @c->from. */
static void change_blocks(struct mem_section *ms, const struct pfn_range *blocks,
			  const struct change *c, struct sums *sums)
{
	const bool slow = (page_poison && c->from == PGTY_BUDDY) || type_is_counted(c->to);
	const u64 mask = range_mask(blocks);
	const u64 isolated = pb_read(&ms->pb[__ffs(mask)]) & PB_ISOLATE;
	const struct words_change words = words_change(c, isolated);
	const u64 changed = slow ? 0 : pageblocks_change(ms, mask, &words);

	for (u64 left = mask & ~changed; left; left &= left - 1) {
		const struct pfn_range all = run_range(ms, left & -left);

		sums->nr += change_part(ms, &all, c);
	}
	VM_BUG_ON(c->from == PGTY_BUDDY && changed && !isolated);
	sums->nr += hweight64(changed) * PAGEBLOCK_NR_PAGES;
	sums->free = isolated ? 0 : changed;
	sums->isolated = isolated ? changed : 0;
}

/* Settle the zone's counts and the index. */
static void settle(struct mem_section *ms, const struct change *c, const struct sums *sums)
{
	const long nr = sums->nr;

	if (c->to == PGTY_BUDDY) {
		zone_count(ms->zone, hweight64(sums->free) * PAGEBLOCK_NR_PAGES,
			   hweight64(sums->isolated) * PAGEBLOCK_NR_PAGES, nr);
		index_add_free_mask(ms, sums->free);
	} else if (c->from == PGTY_BUDDY) {
		zone_count(ms->zone, 0, -nr, c->to == PGTY_OFFLINE ? -nr : 0);
	}
}

/* Change the whole pageblocks of a range, and the parts of pageblocks at its borders. */
static void change_borders(struct mem_section *ms, const struct pfn_range *r,
			   const struct change *c, struct sums *sums)
{
	const unsigned long end = range_end(r);
	const unsigned long first = min(ALIGN_UP(r->start_pfn, PAGEBLOCK_NR_PAGES), end);
	const unsigned long last = max(ALIGN_DOWN(end, PAGEBLOCK_NR_PAGES), first);

	if (first < last)
		change_blocks(ms, &(struct pfn_range){ first, last - first }, c, sums);
	if (r->start_pfn < first)
		sums->nr += change_part(ms, &(struct pfn_range){ r->start_pfn,
								 first - r->start_pfn }, c);
	if (last < end)
		sums->nr += change_part(ms, &(struct pfn_range){ last, end - last }, c);
}

/* Change the part of a range that lies in one section. */
static void change_section(struct mem_section *ms, const struct pfn_range *r,
			   const struct change *c)
{
	struct sums sums = {};

	trace_run(ms, r, c);
	if (IS_ALIGNED(r->start_pfn | r->nr_pages, PAGEBLOCK_NR_PAGES))
		change_blocks(ms, r, c, &sums);
	else
		change_borders(ms, r, c, &sums);
	settle(ms, c, &sums);
	if (c->to == PGTY_BUDDY && unlikely(ms->zone->nr_watched))
		tell_watchers(ms, range_mask(r));
}

static struct change change_for(const struct zone *zone, enum page_type from,
				enum page_type to, unsigned int flags)
{
	const u32 word = page_word(to, flags, 0, zone ? zone->type : ZONE_NORMAL);
	const bool chunks = from == PGTY_BUDDY && to != PGTY_OFFLINE;

	return (struct change){
		.from = from,
		.to = to,
		.frame = word | (u64)type_is_counted(to) << 32,
		.whole = word | (chunks ? PAGEBLOCK_ORDER << 16 : 0),
	};
}

/*
 * Trace the frames of a block that become free: the pageblocks of @mask, without the
 * block's metadata at the start of pageblock @header.
 */
static void trace_online(const struct mem_section *ms, u64 mask, u64 header,
			 const struct change *c)
{
	for_each_run(run, mask) {
		struct pfn_range r = run_range(ms, run);

		if (run & header) {
			r.start_pfn += MHP_HEADER_PAGES;
			r.nr_pages -= MHP_HEADER_PAGES;
		}
		trace_change(ms, &r, c);
	}
}

/* The first frames of a block's header become metadata, the others free. */
static void split_header(struct mem_section *ms)
{
	const struct change to_memmap =
		change_for(ms->zone, PGTY_OFFLINE, PGTY_MEMMAP, 0);

	trace_run(ms, &(struct pfn_range){ ms->host_pfn, MHP_HEADER_PAGES }, &to_memmap);
	pageblock_split_free(ms, pageblock_index(ms->host_pfn), MHP_HEADER_PAGES,
			     to_memmap.whole);
}

/**
 * frames_online() - free the PageOffline frames of a block that comes online
 * @ms: its section, isolated
 * @mask: pageblocks, all of them uniform and PageOffline. If one of them starts with the
 *	block's own metadata, the frames of the metadata become PGTY_MEMMAP
 *
 * Ends the isolation of the whole section, in the same pass. Settles all counts.
 * Context: hotplug lock held; takes zone->lock.
 */
void frames_online(struct mem_section *ms, u64 mask)
{
	const u64 header = mask & section_header(ms);
	const struct change c = change_for(ms->zone, PGTY_OFFLINE, PGTY_BUDDY, 0);
	struct words_change words = words_change(&c, PB_ISOLATE);
	u64 whole;

	words.keep &= ~PB_ISOLATE;
	spin_lock(&ms->zone->lock);
	if (unlikely(READ_ONCE(this_hart()->trace_mask) & BIT(TRACE_FRAMES))) {
		trace_online(ms, mask & (header - 1), 0, &c);
		trace_online(ms, mask & -header, header, &c);
	}
	if (header)
		split_header(ms);
	whole = pageblocks_change(ms, mask & ~header, &words);
	/* The unchanged pageblocks have lost their canary: offline_check() reports it. */
	for (u64 left = mask & ~header & ~whole; left; left &= left - 1) {
		const struct pfn_range all = run_range(ms, left & -left);

		(void)change_part(ms, &all, &c);
	}
	zone_count(ms->zone, hweight64(whole) * PAGEBLOCK_NR_PAGES, 0,
		   hweight64(mask) * PAGEBLOCK_NR_PAGES -
			   (header ? MHP_HEADER_PAGES : 0));
	index_add_free_mask(ms, whole);
	pageblocks_end_isolation(ms, ~0UL, whole);
	spin_unlock(&ms->zone->lock);
}

/*
 * Make the header of a leaving block PageOffline together with the rest of its pageblock,
 * if that rest is free: one word then says so for all frames, and no descriptor needs to be
 * written.
 */
static void join_header(struct mem_section *ms, unsigned int b, const struct change *c,
			struct sums *sums)
{
	const struct pfn_range header = { ms->host_pfn, MHP_HEADER_PAGES };
	const unsigned int free = pb_free(pb_read(&ms->pb[b]));
	struct change was = *c;

	if (free != PAGEBLOCK_NR_PAGES - MHP_HEADER_PAGES || page_poison)
		return;
	was.from = PGTY_MEMMAP;
	trace_run(ms, &header, &was);
	pageblock_set_owner(&ms->pb[b], OFFLINE_OWNER);
	pageblock_make_uniform(ms, b, c->whole);
	sums->nr += free;
}

/**
 * frames_offline() - let the free frames of a leaving block become PageOffline
 * @ms: its section, isolated; nothing is left in it but free frames, those that are
 *	offline already, holes, and the block's own metadata
 *
 * Settles the free and managed counts.
 * Context: hotplug lock held; takes zone->lock.
 */
void frames_offline(struct mem_section *ms)
{
	const struct pfn_range all = { ms->start_pfn, PAGES_PER_SECTION };
	const struct change c = change_for(ms->zone, PGTY_BUDDY, PGTY_OFFLINE, 0);
	struct sums sums = {};

	spin_lock(&ms->zone->lock);
	trace_run(ms, &all, &c);
	if (section_header(ms))
		join_header(ms, pageblock_index(ms->host_pfn), &c, &sums);
	change_blocks(ms, &all, &c, &sums);
	settle(ms, &c, &sums);
	spin_unlock(&ms->zone->lock);
}

/**
 * frames_change() - let the frames of one type in a range become another type
 * @mm: memory
 * @range: frames
 * @from: PGTY_OFFLINE or PGTY_BUDDY: frames of other types stay as they are; PGTY_NONE:
 *	all frames change, and none of them is free
 * @to: PGTY_BUDDY releases PageOffline frames, and panics if one of the frames is not
 *	PageOffline; no type with a count, unless @from is PGTY_BUDDY
 * @flags: PG_OFFLINE_SKIPPABLE, if @to is PGTY_OFFLINE; or 0
 *
 * Free frames that become allocated lie in isolated pageblocks; they form one chunk for
 * each whole pageblock, and single frames at the borders. Skips sections without a zone,
 * unless @from is PGTY_NONE. Settles the free and managed counts.
 * Context: the caller holds the hotplug lock or owns the frames; takes zone->lock for each
 * section.
 */
void frames_change(struct mm *mm, const struct pfn_range *range, enum page_type from,
		   enum page_type to, unsigned int flags) __no_lock_analysis
{
	struct pfn_range part;

	BUG_ON(!page_flags_fit(to, flags));
	for_each_section_part(part, range) {
		struct mem_section *ms = pfn_to_section(mm, part.start_pfn);
		struct zone *zone = ms ? ms->zone : NULL;
		const struct change change = change_for(zone, from, to, flags);

		if (!zone && to == PGTY_BUDDY)
			panic("%s: release of pfn 0x%lx: no online memory", mm->name,
			      part.start_pfn);
		if (!zone && from != PGTY_NONE)
			continue;
		if (zone)
			spin_lock(&zone->lock);
		change_section(ms, &part, &change);
		if (zone)
			spin_unlock(&zone->lock);
	}
}

/**
 * frames_take_free() - let the frames of a range become another type if all are free
 * @mm: memory
 * @range: frames
 * @to: type; see frames_change()
 * @flags: PG_OFFLINE_SKIPPABLE, if @to is PGTY_OFFLINE; or 0
 *
 * Takes the zone's lock once, isolates nothing and drains nothing: no frame of a pageblock
 * that is free as a whole is in a hart's cache. Declines what goes beyond one section or needs
 * a look at each frame: parts of pageblocks, types with a count, poisoned frames.
 * Context: hotplug lock held; takes zone->lock.
 * Return: true if the frames are the caller's now; false if nothing has changed.
 */
bool frames_take_free(struct mm *mm, const struct pfn_range *range, enum page_type to,
		      unsigned int flags)
{
	struct mem_section *ms = pfn_to_section(mm, range->start_pfn);
	struct zone *const zone = ms ? ms->zone : NULL;
	const long nr = range->nr_pages;
	u64 mask;
	bool all;

	if (!zone || !(ms->flags & SECTION_ONLINE) ||
	    range_end(range) > ms->start_pfn + PAGES_PER_SECTION ||
	    !IS_ALIGNED(range->start_pfn | nr, PAGEBLOCK_NR_PAGES) ||
	    type_is_counted(to) || page_poison)
		return false;
	mask = range_mask(range);
	spin_lock(&zone->lock);
	all = !(mask & ~index_free_mask(ms));
	if (all) {
		const struct change c = change_for(zone, PGTY_BUDDY, to, flags);

		index_remove_free_mask(ms, mask);
		trace_run(ms, range, &c);
		pageblocks_set(ms, mask, PB_KEPT, pb_frames(c.whole),
			       to == PGTY_OFFLINE ? OFFLINE_OWNER : 0);
		zone_count(zone, -nr, 0, to == PGTY_OFFLINE ? -nr : 0);
	}
	spin_unlock(&zone->lock);
	return all;
}

void release_offline_range(struct mm *mm, unsigned long start, unsigned long nr)
{
	frames_change(mm, &(struct pfn_range){ start, nr }, PGTY_OFFLINE, PGTY_BUDDY, 0);
}

void mark_offline_frames(struct mm *mm, const struct pfn_range *range, unsigned int flags)
{
	assert_mutex_held(&mm->hotplug_lock);
	BUG_ON(flags & ~PG_OFFLINE_SKIPPABLE);
	frames_change(mm, range, PGTY_OFFLINE, PGTY_OFFLINE, flags);
}
