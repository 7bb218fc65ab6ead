/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Searching bitmaps, a word at a time.
 */
#include "lib/bitmap.h"
#include "lib/bitops.h"

/* Find a bit that differs from @invert's (0: find a set bit; all ones: find a clear bit). */
static inline unsigned long find_next(const u64 *map, unsigned long size,
				      unsigned long start, u64 invert)
{
	while (start < size) {
		u64 hits = (READ_ONCE(map[start / BITMAP_BITS]) ^ invert) >>
			   (start % BITMAP_BITS);

		if (hits)
			return min(start + __ffs(hits), size);
		start = ALIGN_DOWN(start, BITMAP_BITS) + BITMAP_BITS;
	}
	return size;
}

unsigned long find_next_bit(const u64 *map, unsigned long size, unsigned long start)
{
	return find_next(map, size, start, 0);
}

unsigned long find_next_zero_bit(const u64 *map, unsigned long size, unsigned long start)
{
	return find_next(map, size, start, ~0ULL);
}

unsigned long find_last_bit(const u64 *map, unsigned long size)
{
	unsigned long word = BITMAP_WORDS(size);
	u64 mask = ~0ULL >> (word * BITMAP_BITS - size); /* the last word may end early */

	for (; word-- > 0; mask = ~0ULL)
		if (map[word] & mask)
			return word * BITMAP_BITS + __fls(map[word] & mask);
	return size;
}
