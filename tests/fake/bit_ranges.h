/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_FAKE_BIT_RANGES_H
#define _TESTS_FAKE_BIT_RANGES_H

/* Set, clear and count ranges of bits, one bit at a time, for the models. */
#include "lib/bitmap.h"

static inline void bitmap_set(u64 *map, unsigned long start, unsigned long len)
{
	for (; len; len--)
		__set_bit(start++, map);
}

static inline void bitmap_clear(u64 *map, unsigned long start, unsigned long len)
{
	for (; len; len--)
		__clear_bit(start++, map);
}

static inline unsigned long bitmap_weight(const u64 *map, unsigned long start,
					  unsigned long len)
{
	unsigned long weight = 0;

	for (; len; len--)
		weight += test_bit(start++, map);
	return weight;
}

#endif
