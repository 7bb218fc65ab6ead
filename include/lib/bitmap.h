/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_BITMAP_H
#define _LIB_BITMAP_H

/*
 * Bitmaps of u64 words; bit n is bit n % 64 of word n / 64. No function here is atomic:
 * the caller locks. Sizes and starts are in bits. A search returns the size if it finds
 * nothing; bits beyond the size do not count.
 */
#include "lib/types.h"

#define BITMAP_BITS	      64UL
#define BITMAP_WORDS(nr_bits) (((nr_bits) + BITMAP_BITS - 1) / BITMAP_BITS)

static inline bool test_bit(unsigned long nr, const u64 *map)
{
	return (map[nr / BITMAP_BITS] >> (nr % BITMAP_BITS)) & 1;
}

/*
 * Set or clear a bit. One writer at a time; a search at the same time finds the word as it
 * was before or after.
 */
static inline void __set_bit(unsigned long nr, u64 *map)
{
	WRITE_ONCE(map[nr / BITMAP_BITS], map[nr / BITMAP_BITS] | 1ULL << (nr % BITMAP_BITS));
}

static inline void __clear_bit(unsigned long nr, u64 *map)
{
	WRITE_ONCE(map[nr / BITMAP_BITS],
		   map[nr / BITMAP_BITS] & ~(1ULL << (nr % BITMAP_BITS)));
}

static inline bool __test_and_clear_bit(unsigned long nr, u64 *map)
{
	bool was = test_bit(nr, map);

	__clear_bit(nr, map);
	return was;
}

/* Find the first set (or clear) bit at or after @start; @size if there is none. */
unsigned long find_next_bit(const u64 *map, unsigned long size, unsigned long start);
unsigned long find_next_zero_bit(const u64 *map, unsigned long size, unsigned long start);

/* Find the last set bit below @size; @size if there is none. */
unsigned long find_last_bit(const u64 *map, unsigned long size);

#endif
