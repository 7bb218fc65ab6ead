/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The free bits of one pageblock: 8 words, a set bit is a free frame. A free chunk of
 * order k is 2^k set bits at a multiple of 2^k, so splitting and coalescing need no
 * bookkeeping: the bits say it all. Pure functions; callers lock.
 *
 * Orders here are 0..8; a pageblock with all 512 frames free does not keep free bits.
 */
#include "mm/pageblock.h"

/* Bits where a chunk of order k can start within a word. */
static const u64 start_mask[] = {
	~0ULL,
	0x5555555555555555ULL,
	0x1111111111111111ULL,
	0x0101010101010101ULL,
	0x0001000100010001ULL,
	0x0000000100000001ULL,
	0x0000000000000001ULL,
};

const u64 bits_doubled[16] = { 0x3, 0xf, 0xff, 0xffff, 0xffffffff, [5 ... 14] = ~0ULL };

/* The start bits of free chunks of @order in one word; order <= 6. */
static inline u64 chunk_starts(u64 word, unsigned int order)
{
	for (unsigned int k = 0; k < order; k++)
		word &= word >> (1U << k);
	return word & start_mask[order];
}

/* The part of word @i that the run [off, off + nr) covers. */
static u64 run_mask(unsigned int i, unsigned int off, unsigned int nr)
{
	const unsigned int first = max(off, i * 64) - i * 64;
	const unsigned int last = min(off + nr, i * 64 + 64) - i * 64 - 1;

	return GENMASK(last, first);
}

/* Set the bits of any run of frames, free or not; @nr is at least 1. */
void bits_set_run(u64 *bits, unsigned int off, unsigned int nr)
{
	for (unsigned int i = off / 64; i * 64 < off + nr; i++)
		WRITE_ONCE(bits[i], bits[i] | run_mask(i, off, nr));
}

void bits_clear_run(u64 *bits, unsigned int off, unsigned int nr)
{
	for (unsigned int i = off / 64; i * 64 < off + nr; i++)
		WRITE_ONCE(bits[i], bits[i] & ~run_mask(i, off, nr));
}

/* A mask: bit i is set if word i is all free. */
static inline u64 full_words(const u64 *bits)
{
	u64 full = 0;

	for (unsigned int i = 0; i < PB_WORDS; i++)
		full |= (u64)(bits[i] == ~0ULL) << i;
	return full;
}

/**
 * bits_find() - find the lowest free chunk of an order
 * @bits: of a pageblock
 * @order: 0..8
 *
 * Return: the chunk's offset in the pageblock; PAGEBLOCK_NR_PAGES if there is none.
 */
unsigned int bits_find(const u64 *bits, unsigned int order)
{
	u64 starts;

	if (order >= 6) {
		starts = chunk_starts(full_words(bits), order - 6);
		return starts ? __ffs(starts) * 64 : PAGEBLOCK_NR_PAGES;
	}
	for (unsigned int i = 0; i < PB_WORDS; i++) {
		starts = bits[i] ? chunk_starts(bits[i], order) : 0;
		if (starts)
			return i * 64 + __ffs(starts);
	}
	return PAGEBLOCK_NR_PAGES;
}

/* The order of the largest chunk in one non-zero word, or @order if that is larger. */
static unsigned int word_max_order(u64 word, unsigned int order)
{
	u64 starts = chunk_starts(word, order);

	while (starts && order < 6) {
		starts &= starts >> (1U << order);
		starts &= start_mask[order + 1];
		if (!starts)
			break;
		order++;
	}
	return order;
}

/**
 * bits_max_order() - find the order of the largest free chunk
 * @bits: of a pageblock
 *
 * Return: 0..9; PB_INDEX_NONE if nothing is free.
 */
unsigned int bits_max_order(const u64 *bits)
{
	const u64 full = full_words(bits);
	unsigned int best = 0;
	u64 any = 0;

	if (full)
		return 6 + word_max_order(full, 0);
	for (unsigned int i = 0; i < PB_WORDS; i++) {
		any |= bits[i];
		if (bits[i])
			best = word_max_order(bits[i], best);
	}
	return any ? best : PB_INDEX_NONE;
}

/* Count the largest chunks among the set bits of one word; a bit stands for 2^@unit frames. */
static void word_count(u64 starts, unsigned int unit, unsigned long nr[NR_PAGE_ORDERS])
{
	for (unsigned int k = 0; starts; k++) {
		const u64 larger = starts & starts >> (1U << k) & start_mask[k + 1];

		nr[unit + k] += hweight64(starts) - 2 * hweight64(larger);
		starts = larger;
	}
}

/**
 * bits_count() - count the free chunks by order, as a list of each order would have them
 * @bits: of a pageblock
 * @nr: by order; the counts are added to it
 */
void bits_count(const u64 *bits, unsigned long nr[NR_PAGE_ORDERS])
{
	const u64 full = full_words(bits);

	for (unsigned int i = 0; i < PB_WORDS; i++)
		if (bits[i] && !(full & BIT(i)))
			word_count(bits[i], 0, nr);
	word_count(full, 6, nr);
}

/**
 * bits_coalesce() - find the order to which a free chunk has grown
 * @bits: of a pageblock, the chunk's bits set
 * @off: the chunk's offset, aligned to @order
 * @order: the chunk's order
 *
 * Walks up while the buddy, off ^ (1 << order), is free as well.
 * Return: @order..9.
 */
unsigned int bits_coalesce(const u64 *bits, unsigned int off, unsigned int order)
{
	const u64 word = bits[off / 64];

	for (; order < 6; order++) {
		const u64 buddy = bits_chunk_mask(off ^ (1U << order), order);

		if ((word & buddy) != buddy)
			return order;
		off &= ~(1U << order);
	}
	while (order < PAGEBLOCK_ORDER && bits_all_set(bits, off ^ (1U << order), order)) {
		off &= ~(1U << order);
		order++;
	}
	return order;
}
