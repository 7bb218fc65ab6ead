/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_FREEBITS_H
#define _MM_FREEBITS_H

/*
 * The free bits of one pageblock, 8 words: see freebits.c. Callers name a chunk by its
 * offset in the pageblock and its order, 0..8. The order is mostly constant or small,
 * so the short functions are inline. Callers hold zone->lock; some readers do not, so
 * each word changes by a single store.
 */
#include "lib/bitops.h"
#include "mm/page.h"

#define PB_WORDS (PAGEBLOCK_NR_PAGES / 64)

/* 2^order bits within a word; order <= 6. */
static inline u64 bits_chunk_mask(unsigned int off, unsigned int order)
{
	return (~0ULL >> (64 - (1U << order))) << (off % 64);
}

static inline void bits_set(u64 *bits, unsigned int off, unsigned int order)
{
	bits += off / 64;
	if (order <= 6) {
		WRITE_ONCE(*bits, *bits | bits_chunk_mask(off, order));
		return;
	}
	for (unsigned int i = 0; i < 1U << (order - 6); i++)
		WRITE_ONCE(bits[i], ~0ULL);
}

static inline void bits_clear(u64 *bits, unsigned int off, unsigned int order)
{
	bits += off / 64;
	if (order <= 6) {
		WRITE_ONCE(*bits, *bits & ~bits_chunk_mask(off, order));
		return;
	}
	for (unsigned int i = 0; i < 1U << (order - 6); i++)
		WRITE_ONCE(bits[i], 0);
}

static inline bool bits_all_set(const u64 *bits, unsigned int off, unsigned int order)
{
	u64 all = ~0ULL;

	bits += off / 64;
	if (order <= 6)
		return !(~*bits & bits_chunk_mask(off, order));
	for (unsigned int i = 0; i < 1U << (order - 6); i++)
		all &= bits[i];
	return all == ~0ULL;
}

static inline bool bits_none_set(const u64 *bits, unsigned int off, unsigned int order)
{
	u64 any = 0;

	bits += off / 64;
	if (order <= 6)
		return !(*bits & bits_chunk_mask(off, order));
	for (unsigned int i = 0; i < 1U << (order - 6); i++)
		any |= bits[i];
	return any == 0;
}

/* By order: the bits that a chunk twice as large has in one word; 0 for PB_INDEX_NONE. */
extern const u64 bits_doubled[16];

/*
 * May the chunk with bit @off, in a word of the free bits, be larger than order @k? Only
 * if all bits of the next larger chunk are set, or all bits of the word. Always true for
 * PB_INDEX_NONE.
 */
static inline bool bits_may_exceed(u64 word, unsigned long off, unsigned int k)
{
	const u64 all = bits_doubled[k];

	return (word >> (off & -(2UL << k)) % 64 & all) == all;
}

/* The first clear bit at or after @off; PAGEBLOCK_NR_PAGES if there is none. No lock. */
static inline unsigned int bits_next_clear(const u64 *bits, unsigned int off)
{
	for (; off < PAGEBLOCK_NR_PAGES; off = ALIGN_UP(off + 1, 64)) {
		const u64 used = ~READ_ONCE(bits[off / 64]) >> off % 64;

		if (used)
			return off + __ffs(used);
	}
	return off;
}

void bits_set_run(u64 *bits, unsigned int off, unsigned int nr);
void bits_clear_run(u64 *bits, unsigned int off, unsigned int nr);
unsigned int bits_find(const u64 *bits, unsigned int order);
unsigned int bits_max_order(const u64 *bits);
void bits_count(const u64 *bits, unsigned long nr[NR_PAGE_ORDERS]);
unsigned int bits_coalesce(const u64 *bits, unsigned int off, unsigned int order);

#endif
