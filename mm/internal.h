/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_INTERNAL_H
#define _MM_INTERNAL_H

/*
 * What the files of mm/ share among themselves and with their tests: pageblock
 * words, the search index, the free bits, the harts' caches.
 *
 * Callers name a pageblock by (section, index). Unless a comment says otherwise, all
 * functions here need zone->lock of the section's zone; the hotplug lock protects
 * sections without a zone (not online).
 *
 * Writers of a pageblock word: any holder of zone->lock. Without the lock, only the
 * owner of a uniform chunk (the hart that has it cached, or its user) may change the
 * word: by compare and swap, and only type and flags of the constant. So under the lock a
 * plain store is right for words that say "valid", Buddy or Offline; for owned chunks
 * the isolate and watch bits change by atomic operations.
 */
#include "kernel/panic.h"
#include "kernel/trace/trace.h"
#include "lib/bitops.h"
#include "mm/freebits.h"
#include "mm/evac.h"
#include "mm/page_alloc.h"
#include "mm/pcp.h"

/* --- pageblock words ------------------------------------------------------- */

#define PB_STATE_MASK ((0xfffUL << PB_SEQ_SHIFT) | PB_VALID) /* readers re-check these */

static inline u64 pb_read(const struct pageblock *pb)
{
	return __atomic_load_n(&pb->word, __ATOMIC_ACQUIRE);
}

/*
 * Read a word without ordering, under zone->lock. The owner of a chunk may change the
 * chunk's word at the same time.
 */
static inline u64 pb_word(const struct mem_section *ms, unsigned int b)
{
	return READ_ONCE(ms->pb[b].word);
}

/* Release, pairs with pb_read(): a reader of "valid" sees all writes before it. */
static inline void pb_write(struct pageblock *pb, u64 word)
{
	STORE_RELEASE(pb->word, word);
}

/* Frees into such a pageblock bypass the caches: a thread or a driver waits for them. */
#define PB_AWAITED (PB_ISOLATE | PB_WATCH)

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

/* Uniform Buddy: a valid pageblock whose last frame is freed becomes uniform. */
static inline bool pb_all_free(u64 w)
{
	return pb_free(w) == PAGEBLOCK_NR_PAGES;
}

/* A uniform, unfiled word; keeps migrate type, isolate bit, watch bit and sequence. */
static inline u64 pb_word_uniform(u64 old, u32 constant)
{
	const u64 keep = PB_MT_MASK | PB_ISOLATE | PB_WATCH | (0xfffUL << PB_SEQ_SHIFT);
	const u64 free = PAGE_WORD_TYPE(constant) == PGTY_BUDDY ? PAGEBLOCK_NR_PAGES : 0;
	const u64 seq = old & PB_VALID ? 1UL << PB_SEQ_SHIFT : 0;

	return ((old & keep) + seq) | free | (u64)constant << PB_CONST_SHIFT |
	       (u64)PB_INDEX_NONE << PB_INDEX_SHIFT;
}

static inline u64 *pb_bits(const struct mem_section *ms, unsigned int b)
{
	return ms->free_bits + b * PB_WORDS;
}

static inline unsigned long pb_pfn(const struct mem_section *ms, unsigned int b)
{
	return ms->start_pfn + ((unsigned long)b << PAGEBLOCK_ORDER);
}

/* A frame's word in a pageblock with word @w; a uniform tail reads as its head. */
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

/*
 * A PageOffline frame uses only the type word of its descriptor. A debug build fills the
 * other words with a canary when it sets the type (in a uniform pageblock, only the
 * pageblock's owner word), and checks the canary when it clears the type and in
 * mm_check(). A count with the top bit set cannot be taken, just as 0 cannot.
 */
#define OFFLINE_COUNT (EBB_DEBUG ? 0xc0ff11e5U : 0U)
#define OFFLINE_OWNER (EBB_DEBUG ? 0x0ff11e0ff11e0ff1UL : 0UL)
static_assert(!EBB_DEBUG || (s32)OFFLINE_COUNT < 0, "page_try_get() must not take it");

void offline_verify_frames(const struct mem_section *ms, unsigned long pfn, unsigned long nr,
			   bool release);

/**
 * offline_verify() - verify PageOffline frames before they get another type
 * @ms: section
 * @pfn: first frame
 * @nr: frames, of one pageblock
 * @release: every frame must be PageOffline; if false, ignore the other frames
 *
 * Panics if a frame must be PageOffline and is not, and in a debug build if a canary has
 * changed.
 */
static inline void offline_verify(const struct mem_section *ms, unsigned long pfn,
				  unsigned long nr, bool release)
{
	const struct pageblock *pb = &ms->pb[pageblock_index(pfn)];
	const u64 w = READ_ONCE(pb->word);

	if ((EBB_DEBUG || release) &&
	    ((w & (PB_VALID | 0xffUL << PB_CONST_SHIFT)) != (u64)PGTY_OFFLINE << PB_CONST_SHIFT ||
	     pb->owner != OFFLINE_OWNER))
		offline_verify_frames(ms, pfn, nr, release);
}

/* Write the descriptors of chunks and of single frames; they count once it is valid. */
void chunk_write(unsigned long pfn, unsigned int order, u32 word);
void frames_write(unsigned long pfn, unsigned long nr, u64 word, u64 owner);

/* Masks of the counted types, and of the types that alloc_pages() gives out. */
#define X_NONE	  0U
#define X_COUNTED 1U
#define X_NO	  0U
#define X_YES	  1U
#define X(name, str, count, ...) | X_##count << PGTY_##name
enum { PGTY_COUNTED = (0U PAGE_TYPES(X)) };
#undef X
#define X(name, str, count, alloc, ...) | X_##alloc << PGTY_##name
enum { PGTY_ALLOC = (0U PAGE_TYPES(X)) };
#undef X
#undef X_NONE
#undef X_COUNTED
#undef X_NO
#undef X_YES
static_assert(NR_PAGE_TYPES <= 31, "a mask has a bit for each type");

static inline unsigned int type_is_counted(unsigned int type)
{
	return (PGTY_COUNTED >> type) & 1;
}

/* @type: any number. */
static inline bool type_is_alloc(unsigned int type)
{
	return type < NR_PAGE_TYPES && ((PGTY_ALLOC >> type) & 1);
}

/*
 * Plain types are given out and have no count. The fast paths of allocating and freeing
 * test for them by one compare, with this range; all other types, and those added to the
 * table later, take paths that test the masks.
 */
#define PGTY_FIRST_PLAIN PGTY_PGTABLE
#define PGTY_LAST_PLAIN	 PGTY_KERNEL
#define PGTY_PLAIN	 ((2U << PGTY_LAST_PLAIN) - (1U << PGTY_FIRST_PLAIN))
static_assert((PGTY_ALLOC & PGTY_PLAIN) == PGTY_PLAIN, "plain types are given out");
static_assert(!(PGTY_COUNTED & PGTY_PLAIN), "plain types have no count");
static_assert(!(PGTY_COUNTED & ~PGTY_ALLOC), "what has a count begins with it when allocated");
static_assert(!(PGTY_ALLOC & (1U << PGTY_NONE | 1U << PGTY_BUDDY | 1U << PGTY_CACHED |
			      1U << PGTY_OFFLINE)), "these are the allocator's own");

/*
 * Write the head of a chunk that gets allocated: first clear the owner word, then store
 * type and count at once. A reader that sees the type sees no stale owner or count.
 */
static inline void page_born(struct page *page, u32 word)
{
	const u64 count = type_is_counted(PAGE_WORD_TYPE(word));

	WRITE_ONCE(page->owner, 0);
	STORE_RELEASE(*(u64 *)page, word | count << 32);
}

/* pageblock.c: change a pageblock's form, and set what holds for all of it. */
void pageblock_materialise(struct mem_section *ms, unsigned int b);
void pageblock_make_uniform(struct mem_section *ms, unsigned int b, u32 constant);
void pageblock_set_valid(struct mem_section *ms, unsigned int b, unsigned int free);

/*
 * Retype a whole uniform chunk that the caller owns, without a lock; neither type has a
 * count. @w: the word as the caller read it. Another hart may set the isolate bit at the
 * same time: then both changes take effect.
 */
static inline void pageblock_cas_type(struct pageblock *pb, u64 w, enum page_type to)
{
	const u64 type = 0xffUL << PB_CONST_SHIFT;

	while (!__atomic_compare_exchange_n(&pb->word, &w, (w & ~type) | (u64)to << PB_CONST_SHIFT,
					    true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
}
void pageblock_set_migratetype(struct mem_section *ms, unsigned int b, unsigned int mt);
void pageblock_init_range(struct mem_section *ms, unsigned int first, unsigned int nr,
			  u32 constant, u64 state);
void section_attach_zone(struct mem_section *ms, struct zone *zone);
void section_detach_zone(struct mem_section *ms);
void frames_set(struct mm *mm, unsigned long pfn, unsigned long nr, u32 word, u64 owner);

/* --- search index: pageblock_index.c ---------------------------------------- */

void index_file(struct mem_section *ms, unsigned int b);
void index_unfile(struct mem_section *ms, unsigned int b);
void index_move(struct mem_section *ms, unsigned int b, unsigned int order);
void index_unfile_mask(struct mem_section *ms, u64 mask);
void index_file_free_mask(struct mem_section *ms, u64 mask);
struct mem_section *index_find(struct zone *zone, unsigned int mt, unsigned int order,
			       unsigned int *b);
struct mem_section *index_find_largest(struct zone *zone, unsigned int mt,
				       unsigned int order, unsigned int *b);

/* --- buddy.c: chunks in and out of the free bits ------------------------------ */

unsigned long buddy_alloc(struct zone *zone, unsigned int mt, unsigned int order,
			  enum page_type type);
unsigned int buddy_alloc_singles(struct zone *zone, unsigned int mt, unsigned int nr,
				 unsigned long *pfns, enum page_type type);
bool buddy_range_free(const struct mem_section *ms, unsigned long pfn, unsigned int order);
void buddy_take(struct mem_section *ms, unsigned long pfn, unsigned int order, u32 word);
void buddy_free(struct mem_section *ms, unsigned long pfn, unsigned int order);
void buddy_free_run(struct mem_section *ms, unsigned long pfn, unsigned int nr);
unsigned long buddy_free_singles(struct mem_section *ms, const unsigned long *pfns,
				 unsigned long nr, u32 word, unsigned int types);

/* --- page_alloc.c, free.c -------------------------------------------------------- */

void zone_init(struct zone *zone, struct mm *mm, enum zone_type type);
unsigned long alloc_pages_slow(struct mm *mm, u32 gfp, unsigned int order,
			       enum page_type type);
unsigned long alloc_uncached(struct mm *mm, u32 gfp, unsigned int order, enum page_type type);
unsigned long rmqueue(struct zone *zone, unsigned int mt, unsigned int order,
		      enum page_type type);
bool zone_watermark_ok(const struct zone *zone, unsigned long nr, u32 gfp);
bool claim_pageblock(struct zone *zone, unsigned int mt, unsigned int order);
unsigned int gfp_migratetype(u32 gfp);
void free_pages_slow(struct mm *mm, unsigned long pfn, unsigned int order);
void free_checked(struct mm *mm, unsigned long pfn, unsigned int order);
void free_dead_chunk(struct mm *mm, unsigned long pfn, unsigned int order);
void bad_free(struct mm *mm, unsigned long pfn, unsigned int order, const char *what)
	__noreturn __cold;
int page_change_flags(unsigned long head, u32 set, u32 clear);
bool page_state_isolated(const struct mm *mm, unsigned long pfn, struct page_state *st);
int page_claim(struct mm *mm, unsigned long pfn, enum page_type type, unsigned int order);
void page_unclaim(unsigned long pfn);
u64 page_owner_claimed(unsigned long pfn);
void page_set_owner_claimed(unsigned long pfn, u64 owner);
enum page_type page_type_own(unsigned long pfn);
unsigned long plain_movable_run(const struct mm *mm, unsigned long pfn, unsigned long end,
				u32 types);

/* --- page_isolation.c ------------------------------------------------------------ */

u64 section_mask(unsigned long pfn, unsigned long end, unsigned long *next);
bool free_or_loose(const struct mm *mm, const struct pfn_range *range);
unsigned long section_next_used(const struct mem_section *ms, unsigned long pfn,
				unsigned long end);
unsigned long next_used(const struct mm *mm, unsigned long pfn, unsigned long end);

/* --- poison.c: page_poison=1 -------------------------------------------------- */

extern bool page_poison;
void poison_fill(struct mm *mm, unsigned long pfn, unsigned long nr);
void poison_check(struct mm *mm, unsigned long pfn, unsigned long nr);

#endif
