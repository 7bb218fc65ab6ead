/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bitmaps, a word at a time. Ranges are cut into (word, mask) steps by one
 * iterator, so that the edges are in one place.
 */
#include "lib/bitmap.h"
#include "lib/bitops.h"
#include "lib/compiler.h"

/* The part of a range that lies in one word. */
struct step {
	unsigned long word;
	u64 mask; /* 0: the range is used up */
};

static inline struct step step_of(unsigned long start, unsigned long end)
{
	struct step s = {.word = start / BITMAP_BITS, .mask = 0};

	if (start >= end)
		return s;
	s.mask = ~0ULL << (start % BITMAP_BITS);
	if (end - s.word * BITMAP_BITS < BITMAP_BITS)
		s.mask &= ~(~0ULL << (end % BITMAP_BITS));
	return s;
}

static inline struct step step_next(struct step s, unsigned long end)
{
	return step_of((s.word + 1) * BITMAP_BITS, end);
}

#define for_each_step(s, start, end) \
	for (struct step s = step_of(start, end); s.mask; s = step_next(s, end))

void bitmap_set(u64 *map, unsigned long start, unsigned long len)
{
	for_each_step(s, start, start + len) map[s.word] |= s.mask;
}

void bitmap_clear(u64 *map, unsigned long start, unsigned long len)
{
	for_each_step(s, start, start + len) map[s.word] &= ~s.mask;
}

bool bitmap_all_set(const u64 *map, unsigned long start, unsigned long len)
{
	for_each_step(s, start, start + len) if (~map[s.word] & s.mask) return false;
	return true;
}

bool bitmap_all_clear(const u64 *map, unsigned long start, unsigned long len)
{
	for_each_step(s, start, start + len) if (map[s.word] & s.mask) return false;
	return true;
}

unsigned long bitmap_weight(const u64 *map, unsigned long start, unsigned long len)
{
	unsigned long weight = 0;

	for_each_step(s, start, start + len) weight += hweight64(map[s.word] & s.mask);
	return weight;
}

/* Finds a bit that differs from those of @invert (0, or all ones to find a clear one). */
static inline unsigned long find_next(const u64 *map, unsigned long size,
				      unsigned long start, u64 invert)
{
	for_each_step(s, start, size)
	{
		u64 hits = (map[s.word] ^ invert) & s.mask;

		if (hits)
			return s.word * BITMAP_BITS + __ffs(hits);
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

	while (word-- > 0) {
		u64 hits = map[word] & step_of(word * BITMAP_BITS, size).mask;

		if (hits)
			return word * BITMAP_BITS + __fls(hits);
	}
	return size;
}

unsigned long bitmap_find_zero_run(const u64 *map, unsigned long size,
				   unsigned long start, unsigned long len,
				   unsigned long align)
{
	while (start < size) {
		unsigned long run = ALIGN_UP(find_next_zero_bit(map, size, start), align);
		unsigned long taken;

		if (run >= size || len > size - run)
			break;
		taken = find_next_bit(map, run + len, run);
		if (taken == run + len)
			return run;
		start = taken + 1;
	}
	return size;
}
