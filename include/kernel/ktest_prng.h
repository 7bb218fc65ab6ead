/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_KTEST_PRNG_H
#define _KERNEL_KTEST_PRNG_H

/*
 * Repeatable pseudo-random numbers for tests: xorshift64* (S. Vigna, "An
 * experimental exploration of Marsaglia's xorshift generators, scrambled").
 * Not for secrets. One generator belongs to one thread.
 */
#include "lib/types.h"

struct prng {
	u64 state; /* never 0 */
};

/* Start a generator; equal seeds give equal sequences, every seed is good. */
static inline void prng_init(struct prng *prng, u64 seed)
{
	/* One round of splitmix64, so that neighbouring seeds start differently. */
	seed += 0x9e3779b97f4a7c15ULL;
	seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ULL;
	seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebULL;
	seed ^= seed >> 31;
	prng->state = seed ? seed : 1;
}

/* Return the next 64 bits. */
static inline u64 prng_u64(struct prng *prng)
{
	u64 x = prng->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	prng->state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

/* Return a number below @limit (not 0); the bias is below limit / 2^32. */
static inline u64 prng_below(struct prng *prng, u64 limit)
{
	if (limit <= UINT32_MAX)
		return ((prng_u64(prng) >> 32) * limit) >> 32;
	return prng_u64(prng) % limit;
}

#endif
