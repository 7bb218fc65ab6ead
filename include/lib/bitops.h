/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_BITOPS_H
#define _LIB_BITOPS_H

/*
 * Counting and finding bits in one 64-bit word. rv64imac has no instruction for any of
 * this, and gcc's builtins would call libgcc; these functions are inline and cost a
 * multiplication and a look-up in a table of bytes. Constants fold at compile time.
 */
#include "lib/types.h"

/* Positions in the de Bruijn sequences that the multiplications below select. */
extern const u8 bitops_ctz_table[64];
extern const u8 bitops_fls_table[64];

#define BITOPS_CTZ_DEBRUIJN 0x03f79d71b4cb0a89ULL
#define BITOPS_FLS_DEBRUIJN 0x03f79d71b4cb0a89ULL

/**
 * __ffs() - get the number of the lowest set bit, 0..63
 * @x: not 0
 */
static inline unsigned int __ffs(u64 x)
{
	if (__builtin_constant_p(x))
		return (unsigned int)__builtin_ctzll(x);
	return bitops_ctz_table[((x & (0 - x)) * BITOPS_CTZ_DEBRUIJN) >> 58];
}

/**
 * __fls() - get the number of the highest set bit, 0..63
 * @x: not 0
 */
static inline unsigned int __fls(u64 x)
{
	if (__builtin_constant_p(x))
		return 63 - (unsigned int)__builtin_clzll(x);
	x |= x >> 1;
	x |= x >> 2;
	x |= x >> 4;
	x |= x >> 8;
	x |= x >> 16;
	x |= x >> 32;
	return bitops_fls_table[(x * BITOPS_FLS_DEBRUIJN) >> 58];
}

/* hweight64() - count the set bits. */
static inline unsigned int hweight64(u64 x)
{
	x -= (x >> 1) & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (unsigned int)((x * 0x0101010101010101ULL) >> 56);
}

/*
 * order_of() - get the least order with (1 << order) >= @n; @n is not 0 (Linux: order_base_2).
 */
static inline unsigned int order_of(u64 n)
{
	return n > 1 ? __fls(n - 1) + 1 : 0;
}

/* roundup_pow_of_two() - get the least power of two not below @n; 1 <= @n <= 1 << 63. */
static inline u64 roundup_pow_of_two(u64 n)
{
	return 1ULL << order_of(n);
}

/* rounddown_pow_of_two() - get the greatest power of two not above @n; @n is not 0. */
static inline u64 rounddown_pow_of_two(u64 n)
{
	return 1ULL << __fls(n);
}

#endif
