/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_DESCRIPTOR_H
#define _MM_DESCRIPTOR_H

/*
 * Page descriptors inside mm/: sets of types, the canary of PageOffline frames, and how a
 * chunk's descriptors are written. page.h has what everybody may read; page.c claims
 * chunks for their movers.
 */
#include "kernel/panic.h"
#include "mm/mm.h"

/*
 * A PageOffline frame uses only the type word of its descriptor. A debug build fills the
 * other words with a canary when it sets the type (in a uniform pageblock, only the
 * pageblock's owner word), and checks the canary when it clears the type and in
 * mm_check(). page_try_get() refuses a count with the top bit set, as it refuses 0.
 */
#define OFFLINE_COUNT (EBB_DEBUG ? 0xc0ff11e5U : 0U)
#define OFFLINE_OWNER (EBB_DEBUG ? 0x0ff11e0ff11e0ff1UL : 0UL)
static_assert(!EBB_DEBUG || (s32)OFFLINE_COUNT < 0, "page_try_get() must not take it");

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
 * Plain types: alloc_pages() gives them out, and they have no count. The fast paths of
 * allocating and freeing test for this range with one comparison.
 */
#define PGTY_FIRST_PLAIN PGTY_PGTABLE
#define PGTY_LAST_PLAIN	 PGTY_KERNEL
#define PGTY_PLAIN	 ((2U << PGTY_LAST_PLAIN) - (1U << PGTY_FIRST_PLAIN))
static_assert((PGTY_ALLOC & PGTY_PLAIN) == PGTY_PLAIN, "plain types are given out");
static_assert(!(PGTY_COUNTED & PGTY_PLAIN), "plain types have no count");
/* A second range: types with a count. The two ranges hold all types of alloc_pages(). */
#define PGTY_FIRST_COUNTED PGTY_DRIVER
#define PGTY_LAST_COUNTED  PGTY_HUGE
static_assert((2U << PGTY_LAST_COUNTED) - (1U << PGTY_FIRST_COUNTED) == PGTY_COUNTED,
	      "they have a count");
static_assert(PGTY_ALLOC == (PGTY_PLAIN | PGTY_COUNTED), "both fast paths know all types");
static_assert(!(PGTY_ALLOC & (1U << PGTY_NONE | 1U << PGTY_BUDDY | 1U << PGTY_CACHED |
			      1U << PGTY_OFFLINE)), "these are the allocator's own");

/*
 * Write the head of a chunk that is being allocated: first clear the owner word, then write
 * type and count by one store. A reader that sees the type sees no stale owner or count.
 */
static inline void head_write(struct page *page, u32 word)
{
	const u64 count = type_is_counted(PAGE_WORD_TYPE(word));

	WRITE_ONCE(page->owner, 0);
	STORE_RELEASE(*(u64 *)page, word | count << 32);
}

static inline bool type_is_plain(unsigned int type)
{
	return type - PGTY_FIRST_PLAIN <= PGTY_LAST_PLAIN - PGTY_FIRST_PLAIN;
}

/*
 * Give the head of a cached chunk, which has a count of 0, a new type; see head_write(). A
 * walker or a mover that saw the chunk before it was freed may still try to change its count
 * or word, and fails. Return: false, with nothing changed, if the type is in neither range.
 */
static __always_inline bool head_alloc(struct page *page, enum page_type type)
{
	if (likely(type_is_plain(type))) {
		/* Unordered: no lockless reader follows a plain type's owner word. */
		WRITE_ONCE(page->owner, 0);
		WRITE_ONCE(page->word, READ_ONCE(page->word) + type - PGTY_CACHED);
		return true;
	}
	if (unlikely(type - PGTY_FIRST_COUNTED > PGTY_LAST_COUNTED - PGTY_FIRST_COUNTED))
		return false;
	WRITE_ONCE(page->owner, 0);
	STORE_RELEASE(*(u64 *)page,
		      READ_ONCE(*(u64 *)page) + (1UL << 32) + type - PGTY_CACHED);
	return true;
}

/*
 * Make the head of a chunk Cached if the chunk has this order, no flag and no other user;
 * @word is the word of the head. The word and the count of a counted type change
 * together, so that no mover can claim it in between. Return: false, with nothing
 * changed, if any of that does not hold.
 */
static __always_inline bool head_free(struct page *page, u32 word, unsigned int order)
{
	/*
	 * Order and flags are part of the comparison: a wrong order or flag makes the
	 * value too large.
	 */
	const u32 type = (word << 8) - (order << 24);
	/* Signed: bit 31 is clear, and riscv extends the sign at no cost. */
	const s64 cached = (s32)((word & ~0xffU) | PGTY_CACHED);
	s64 old = (s32)word | 1L << 32;

	if (likely(type - (PGTY_FIRST_PLAIN << 8) <= (PGTY_LAST_PLAIN - PGTY_FIRST_PLAIN) << 8)) {
		WRITE_ONCE(page->word, cached);
		return true;
	}
	return type - (PGTY_FIRST_COUNTED << 8) <=
		       (PGTY_LAST_COUNTED - PGTY_FIRST_COUNTED) << 8 &&
	       __atomic_compare_exchange_n((s64 *)page, &old, cached, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* Only PageOffline frames may have PG_offline_skippable. */
static inline bool page_flags_fit(enum page_type type, unsigned int flags)
{
	return !(flags & PG_OFFLINE_SKIPPABLE) || type == PGTY_OFFLINE;
}

/*
 * Write the descriptors of chunks and of single frames. Readers use them once the
 * pageblock is valid.
 */
void chunk_write(unsigned long pfn, unsigned int order, u32 word);
void frames_write(unsigned long pfn, unsigned long nr, u64 word, u64 owner);

/* page.c: flags, claims and owner words of chunks. */
int page_change_flags(unsigned long head, u32 set, u32 clear);
bool page_state_isolated(const struct mm *mm, unsigned long pfn, struct page_state *st);
int page_claim(struct mm *mm, unsigned long pfn, enum page_type type, unsigned int order);
void page_unclaim(unsigned long pfn);
unsigned long next_plain_run(const struct mem_section *ms, unsigned long *pfn,
			     unsigned long end, u32 types);
unsigned int pageblock_count(const struct mem_section *ms, unsigned int b, u32 types);

/* The owner word of a counted chunk that the caller has claimed or just allocated. */
static inline u64 page_owner_claimed(unsigned long pfn)
{
	return READ_POINTER(pfn_to_page(pfn)->owner);
}

/* Set the owner word. Release: a mover reads the word and follows it as a pointer. */
static inline void page_set_owner_claimed(unsigned long pfn, u64 owner)
{
	STORE_RELEASE(pfn_to_page(pfn)->owner, owner);
}

/* The type in a frame's own descriptor, in a valid pageblock. */
static inline enum page_type page_type_own(unsigned long pfn)
{
	return PAGE_WORD_TYPE(READ_ONCE(pfn_to_page(pfn)->word));
}

#endif
