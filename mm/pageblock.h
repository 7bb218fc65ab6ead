/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_PAGEBLOCK_H
#define _MM_PAGEBLOCK_H

/*
 * Pageblocks: how to read a pageblock's word, and the steps that change its state. See
 * pageblock.c for the theory.
 *
 * The word, 64 bits, written under zone->lock and read without it:
 *
 *	 63      52 51    48 47                        16 15  14  13 12   10 9      0
 *	+----------+--------+----------------------------+---+---+---+-------+--------+
 *	| sequence | index  |          constant          | W | V | I |  mt   |  free  |
 *	+----------+--------+----------------------------+---+---+---+-------+--------+
 *
 *   free      free frames in the buddy allocator, 0..512
 *   mt        migrate type (preserved across isolation)
 *   I         isolate
 *   V         valid: the 512 descriptors and the 64 bytes of free bits are valid
 *   W         watch: tell the owner when a frame of it is freed, unpinned, un-isolated
 *   constant  the descriptor word of all frames, when not valid (see page_word())
 *   index     the order of its largest free chunk, as the index has it in the section's
 *	       avail[] masks; 15 if the pageblock is not in the index
 *   sequence  counts changes of "valid", for readers without a lock
 *
 * When not valid: constant type Buddy <=> free == 512, and the free bits are not
 * maintained. A pageblock word never stands for frames of a counted type. It may stand
 * for a chunk of order 9 or 10: the chunk's head is the (first) pageblock's first frame,
 * its owner word is pageblock.owner of the first.
 *
 * Callers name a pageblock by (section, index). Unless a comment says otherwise, all
 * functions here need zone->lock of the section's zone; the hotplug lock protects
 * sections without a zone (not online).
 *
 * Writers of a word: any holder of zone->lock. Without the lock, only the owner of a
 * uniform chunk (the hart that has it cached, or its user) may change the word: by compare
 * and swap, and only type and flags of the constant. So under the lock a plain store is
 * right for words that say "valid", Buddy or Offline; for owned chunks the isolate and
 * watch bits change by atomic operations.
 */
#include "mm/descriptor.h"
#include "mm/freebits.h"
#include "mm/section.h"

#define PB_FREE_MASK   0x3ffUL
#define PB_MT_SHIFT    10
#define PB_MT_MASK     (7UL << PB_MT_SHIFT)
#define PB_ISOLATE     BIT(13)
#define PB_VALID       BIT(14)
#define PB_WATCH       BIT(15)
#define PB_CONST_SHIFT 16
#define PB_INDEX_SHIFT 48
#define PB_INDEX_MASK  (0xfUL << PB_INDEX_SHIFT)
#define PB_INDEX_NONE  15
#define PB_SEQ_SHIFT   52
#define PB_SEQ_MASK    (0xfffUL << PB_SEQ_SHIFT)

#define PB_STATE_MASK (PB_SEQ_MASK | PB_VALID) /* readers re-check these */

/* Frees into such a pageblock bypass the caches: a thread or a driver waits for them. */
#define PB_AWAITED (PB_ISOLATE | PB_WATCH)

/*
 * Read a word, with the lock or without. Acquire, pairs with pb_write(): a reader of
 * "valid" sees the descriptors that were written before it.
 */
static inline u64 pb_read(const struct pageblock *pb)
{
	return __atomic_load_n(&pb->word, __ATOMIC_ACQUIRE);
}

/*
 * pb_read() without acquire, for a caller that owns a frame of the pageblock: the frame's
 * descriptor was written before the caller got the frame.
 */
static inline u64 pb_read_owned(const struct pageblock *pb)
{
	return READ_ONCE(pb->word);
}

/* Release: see pb_read(). */
__only_for("pageblock words")
static inline void pb_write(struct pageblock *pb, u64 word)
{
	STORE_RELEASE(pb->word, word);
}

/* Count @nr more free frames in a valid pageblock with word @w; its place in the index stays. */
static inline void pb_count_freed(struct pageblock *pb, u64 w, unsigned int nr)
{
	WRITE_ONCE(pb->word, w + nr);
}

static inline unsigned int pb_free(u64 w)
{
	return w & PB_FREE_MASK;
}

static inline unsigned int pb_mt(u64 w)
{
	return (w & PB_MT_MASK) >> PB_MT_SHIFT;
}

static inline unsigned int pb_index(u64 w)
{
	return (w & PB_INDEX_MASK) >> PB_INDEX_SHIFT;
}

static inline u32 pb_const(u64 w)
{
	return (u32)(w >> PB_CONST_SHIFT);
}

/* Is it uniform Buddy? A valid pageblock becomes that when its last used frame is freed. */
static inline bool pb_all_free(u64 w)
{
	return pb_free(w) == PAGEBLOCK_NR_PAGES;
}

/* The bits of a word that a change of its frames keeps. */
#define PB_KEPT (PB_MT_MASK | PB_ISOLATE | PB_WATCH | PB_SEQ_MASK)

/* The other bits of the word of a uniform pageblock that is not in the index. */
static inline u64 pb_frames(u32 constant)
{
	const u64 free = PAGE_WORD_TYPE(constant) == PGTY_BUDDY ? PAGEBLOCK_NR_PAGES : 0;

	return free | (u64)constant << PB_CONST_SHIFT | PB_INDEX_MASK;
}

/* The word of a uniform pageblock that had word @old. */
static inline u64 pb_uniform(u64 old, u32 constant)
{
	const u64 seq = old & PB_VALID ? 1UL << PB_SEQ_SHIFT : 0;

	return ((old & PB_KEPT) + seq) | pb_frames(constant);
}
static_assert(PB_INDEX_MASK == (u64)PB_INDEX_NONE << PB_INDEX_SHIFT, "or'ing sets none");

static inline u64 *pb_bits(const struct mem_section *ms, unsigned int b)
{
	return ms->free_bits + b * PB_WORDS;
}

static inline unsigned long pb_pfn(const struct mem_section *ms, unsigned int b)
{
	return ms->start_pfn + ((unsigned long)b << PAGEBLOCK_ORDER);
}

/* The frames of a run of pageblocks; @run is its mask. */
static inline struct pfn_range run_range(const struct mem_section *ms, u64 run)
{
	return (struct pfn_range){ pb_pfn(ms, __ffs(run)), hweight64(run) * PAGEBLOCK_NR_PAGES };
}

/* The first pageblock of a run, and the pageblock after its last. */
static inline struct pageblock *run_start(struct mem_section *ms, u64 run)
{
	return &ms->pb[__ffs(run)];
}

static inline struct pageblock *run_end(struct mem_section *ms, u64 run)
{
	const u64 behind = run + (run & -run);

	return &ms->pb[behind ? __ffs(behind) : PAGEBLOCKS_PER_SECTION];
}

/* A frame's word in a pageblock with word @w; a uniform pageblock has one for all frames. */
static inline u32 frame_word(u64 w, unsigned long pfn)
{
	return w & PB_VALID ? READ_ONCE(pfn_to_page(pfn)->word) : pb_const(w);
}

/* The pageblock of a pfn; the caller keeps the section. */
__only_for("pageblocks of kept sections")
static inline struct pageblock *pfn_pageblock(const struct mm *mm, unsigned long pfn)
{
	return &pfn_to_section(mm, pfn)->pb[pageblock_index(pfn)];
}

/* The owner word of a uniform chunk; no lock. */
static inline u64 pageblock_owner(const struct pageblock *pb)
{
	return READ_ONCE(pb->owner);
}

/*
 * Set the owner word; only the chunk's user may do so. Release: a reader may follow the
 * word as a pointer.
 */
static inline void pageblock_set_owner(struct pageblock *pb, u64 owner)
{
	STORE_RELEASE(pb->owner, owner);
}

/* Is the canary of a uniform pageblock intact, if it has one? */
static inline bool canary_intact(const struct pageblock *pb, u64 w)
{
	return PAGE_WORD_TYPE(pb_const(w)) != PGTY_OFFLINE || pageblock_owner(pb) == OFFLINE_OWNER;
}

void offline_check(const struct mem_section *ms, unsigned long pfn, unsigned long nr,
		   bool release);

/**
 * pageblock_set_type() - give a whole uniform chunk that the caller owns another type
 * @pb: its (first) pageblock
 * @from: the type that it has
 * @to: the new type; neither type has a count. An allocated type starts without an owner
 *
 * Takes no lock. Another hart may set or clear the isolate and watch bits at the same time:
 * the atomic addition leaves them alone. It cannot fail, because only the caller may change
 * the type.
 */
static inline void pageblock_set_type(struct pageblock *pb, enum page_type from,
				      enum page_type to)
{
	if (to != PGTY_CACHED)
		WRITE_ONCE(pb->owner, 0);
	__atomic_fetch_add(&pb->word, (u64)(s32)(to - from) << PB_CONST_SHIFT, __ATOMIC_ACQ_REL);
}
int pageblock_change_flags(struct pageblock *pb, enum page_type type, u32 set, u32 clear);

/**
 * struct words_change - a change of uniform pageblocks: word and owner word
 * @test: bits of the word to compare with @want; if they differ, the pageblock stays as
 *	it is
 * @want: the value that they must have
 * @canary: owner word that the pageblock must have; 0: any
 * @keep: bits of the word that stay
 * @add: added to them
 * @owner: the new owner word
 */
struct words_change {
	u64 test, want, canary;
	u64 keep, add, owner;
};

void pageblocks_set(struct mem_section *ms, u64 mask, u64 keep, u64 add, u64 owner);
u64 pageblocks_change(struct mem_section *ms, u64 mask, const struct words_change *c);
void pageblock_add_free(struct mem_section *ms, unsigned int b, unsigned int nr,
			unsigned int order);
void pageblock_sub_free(struct mem_section *ms, unsigned int b, unsigned int nr);
void pageblock_make_free(struct mem_section *ms, unsigned int b, unsigned int nr);
void pageblock_take_chunk(struct mem_section *ms, unsigned int b, unsigned int order, u32 word);
void pageblock_materialise(struct mem_section *ms, unsigned int b);
void pageblock_make_uniform(struct mem_section *ms, unsigned int b, u32 constant);
void pageblock_set_counted(struct mem_section *ms, unsigned int b, unsigned int order, u32 word);
void pageblock_split_free(struct mem_section *ms, unsigned int b, unsigned int nr,
			  u32 word);
void pageblock_split(struct mem_section *ms, unsigned int b);

u64 pageblocks_isolate(struct mem_section *ms, u64 mask);
void pageblocks_unisolate(struct mem_section *ms, u64 mask);
void pageblocks_end_isolation(struct mem_section *ms, u64 mask, u64 done);
void pageblock_watch(struct mem_section *ms, unsigned int b);
bool pageblock_unwatch(struct mem_section *ms, unsigned int b);
void pageblock_set_migratetype(struct mem_section *ms, unsigned int b, unsigned int mt);

void pageblocks_init(struct mem_section *ms, u64 mask, u32 constant, u64 state);
void section_attach_zone(struct mem_section *ms, struct zone *zone,
			 unsigned int isolated);
void section_detach_zone(struct mem_section *ms);
/* Settle the counters of a zone for a change of many pageblocks; zone->lock held. */
static inline void zone_count(struct zone *zone, long free, long free_isolated, long managed)
{
	WRITE_ONCE(zone->free, zone->free + free);
	WRITE_ONCE(zone->free_isolated, zone->free_isolated + free_isolated);
	WRITE_ONCE(zone->managed, zone->managed + managed);
}

#endif
