/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_BITMAP_H
#define _LIB_BITMAP_H

/*
 * Bitmaps of u64 words; bit n is bit n % 64 of word n / 64. Nothing here is
 * atomic: the caller locks. Sizes, starts and lengths are in bits. Finders
 * return the size if they find nothing; bits beyond the size are never looked at.
 */
#include "lib/types.h"

#define BITMAP_BITS		      64
#define BITMAP_WORDS(nr_bits)	      (((nr_bits) + BITMAP_BITS - 1) / BITMAP_BITS)
#define DECLARE_BITMAP(name, nr_bits) u64 name[BITMAP_WORDS(nr_bits)]

static inline bool test_bit(unsigned long nr, const u64 *map)
{
	return (map[nr / BITMAP_BITS] >> (nr % BITMAP_BITS)) & 1;
}

static inline void __set_bit(unsigned long nr, u64 *map)
{
	map[nr / BITMAP_BITS] |= 1ULL << (nr % BITMAP_BITS);
}

static inline void __clear_bit(unsigned long nr, u64 *map)
{
	map[nr / BITMAP_BITS] &= ~(1ULL << (nr % BITMAP_BITS));
}

static inline bool __test_and_set_bit(unsigned long nr, u64 *map)
{
	bool was = test_bit(nr, map);

	__set_bit(nr, map);
	return was;
}

static inline bool __test_and_clear_bit(unsigned long nr, u64 *map)
{
	bool was = test_bit(nr, map);

	__clear_bit(nr, map);
	return was;
}

/* Sets, or clears, @len bits from @start on. */
void bitmap_set(u64 *map, unsigned long start, unsigned long len);
void bitmap_clear(u64 *map, unsigned long start, unsigned long len);

/* All @len bits from @start on are set, or clear (true if @len is 0). */
bool bitmap_all_set(const u64 *map, unsigned long start, unsigned long len);
bool bitmap_all_clear(const u64 *map, unsigned long start, unsigned long len);

/* Number of set bits among @len bits from @start on. */
unsigned long bitmap_weight(const u64 *map, unsigned long start, unsigned long len);

/* First set, or clear, bit at or after @start; @size if none. */
unsigned long find_next_bit(const u64 *map, unsigned long size, unsigned long start);
unsigned long find_next_zero_bit(const u64 *map, unsigned long size, unsigned long start);

/* Last set bit below @size; @size if none. */
unsigned long find_last_bit(const u64 *map, unsigned long size);

static inline unsigned long find_first_bit(const u64 *map, unsigned long size)
{
	return find_next_bit(map, size, 0);
}

static inline unsigned long find_first_zero_bit(const u64 *map, unsigned long size)
{
	return find_next_zero_bit(map, size, 0);
}

/**
 * bitmap_find_zero_run() - first run of clear bits that starts at a multiple
 * @map: the bitmap
 * @size: bits in @map
 * @start: first bit to consider
 * @len: bits wanted, at least 1
 * @align: the run starts at a multiple of this, a power of two
 *
 * Return: the run's first bit; @size if there is none.
 * Compare with: Linux bitmap_find_next_zero_area().
 */
unsigned long bitmap_find_zero_run(const u64 *map, unsigned long size,
				   unsigned long start, unsigned long len,
				   unsigned long align);

#define for_each_set_bit(bit, map, size)                          \
	for ((bit) = find_next_bit(map, size, 0); (bit) < (size); \
	     (bit) = find_next_bit(map, size, (bit) + 1))

#define for_each_clear_bit(bit, map, size)                             \
	for ((bit) = find_next_zero_bit(map, size, 0); (bit) < (size); \
	     (bit) = find_next_zero_bit(map, size, (bit) + 1))

#endif
