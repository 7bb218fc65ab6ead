/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/freebits.c against loops that look at one bit at a time. */
#include "kernel/ktest.h"
#include "lib/string.h"
#include "mm/pageblock.h"
#include "tests/fake/bit_ranges.h"

#define NR PAGEBLOCK_NR_PAGES

static bool naive_all(const u64 *bits, unsigned int off, unsigned int order)
{
	for (unsigned int i = off; i < off + (1U << order); i++)
		if (!test_bit(i, bits))
			return false;
	return true;
}

static unsigned int naive_find(const u64 *bits, unsigned int order)
{
	for (unsigned int off = 0; off < NR; off += 1U << order)
		if (naive_all(bits, off, order))
			return off;
	return NR;
}

static unsigned int naive_max(const u64 *bits)
{
	for (int order = PAGEBLOCK_ORDER; order >= 0; order--)
		if (naive_find(bits, order) < NR)
			return order;
	return PB_INDEX_NONE;
}

/* Make a pattern of any density: set or clear chunks of random orders. */
static void random_bits(struct prng *prng, u64 *bits)
{
	const unsigned int steps = prng_below(prng, 60);

	for (unsigned int i = 0; i < PB_WORDS; i++)
		bits[i] = prng_below(prng, 2) ? ~0ULL : 0;
	for (unsigned int i = 0; i < steps; i++) {
		const unsigned int order = prng_below(prng, 9);
		const unsigned int off = prng_below(prng, NR >> order) << order;

		if (prng_below(prng, 2))
			bits_set(bits, off, order);
		else
			bits_clear(bits, off, order);
	}
}

static void finds_are_right(struct ktest *test)
{
	u64 bits[PB_WORDS];

	for (unsigned int round = 0; round < 2000; round++) {
		random_bits(&test->prng, bits);
		for (unsigned int order = 0; order < PAGEBLOCK_ORDER; order++)
			KTEST_ASSERT_EQ(test, bits_find(bits, order), naive_find(bits, order));
		KTEST_ASSERT_EQ(test, bits_max_order(bits), naive_max(bits));
	}
}

static void chunks_are_set_and_cleared(struct ktest *test)
{
	for (unsigned int order = 0; order < PAGEBLOCK_ORDER; order++) {
		for (unsigned int off = 0; off < NR; off += 1U << order) {
			u64 bits[PB_WORDS] = {}, want[PB_WORDS] = {};

			bits_set(bits, off, order);
			bitmap_set(want, off, 1U << order);
			KTEST_ASSERT_MEMEQ(test, bits, want, sizeof(bits));
			KTEST_ASSERT_TRUE(test, bits_all_set(bits, off, order));
			KTEST_ASSERT_FALSE(test, bits_none_set(bits, off, order));
			bits_clear(bits, off, order);
			KTEST_ASSERT_TRUE(test, bits_none_set(bits, off, order));
			KTEST_ASSERT_EQ(test, bitmap_weight(bits, 0, NR), 0);
		}
	}
}

static void runs_are_set_and_cleared(struct ktest *test)
{
	for (unsigned int round = 0; round < 2000; round++) {
		const unsigned int off = prng_below(&test->prng, NR);
		const unsigned int nr = 1 + prng_below(&test->prng, NR - off);
		u64 bits[PB_WORDS], want[PB_WORDS];

		random_bits(&test->prng, bits);
		memcpy(want, bits, sizeof(want));
		bits_set_run(bits, off, nr);
		bitmap_set(want, off, nr);
		KTEST_ASSERT_MEMEQ(test, bits, want, sizeof(bits));
		bits_clear_run(bits, off, nr);
		bitmap_clear(want, off, nr);
		KTEST_ASSERT_MEMEQ(test, bits, want, sizeof(bits));
	}
}

static void coalescing_stops_at_used_buddies(struct ktest *test)
{
	u64 bits[PB_WORDS];

	for (unsigned int round = 0; round < 2000; round++) {
		const unsigned int order = prng_below(&test->prng, 9);
		const unsigned int off = prng_below(&test->prng, NR >> order) << order;
		unsigned int want = order;

		random_bits(&test->prng, bits);
		bits_set(bits, off, order);
		while (want < PAGEBLOCK_ORDER &&
		       naive_all(bits, off & ~((2U << want) - 1), want + 1))
			want++;
		KTEST_ASSERT_EQ(test, bits_coalesce(bits, off, order), want);
	}
}

/* If one more bit makes a chunk larger than the largest, bits_may_exceed() says so. */
static void growth_is_noticed(struct ktest *test)
{
	u64 bits[PB_WORDS];

	for (unsigned int round = 0; round < 4000; round++) {
		const unsigned int off = prng_below(&test->prng, NR);
		unsigned int largest;
		bool grows, may;

		random_bits(&test->prng, bits);
		/* Half of the rounds complete a chunk. */
		if (round % 2) {
			const unsigned int order = prng_below(&test->prng, 9);

			bits_set(bits, off & ~((1U << order) - 1), order);
		}
		bits_clear(bits, off, 0);
		largest = naive_max(bits);
		bits_set(bits, off, 0);
		grows = largest == PB_INDEX_NONE || naive_max(bits) > largest;
		may = bits_may_exceed(bits[off / 64], off, largest);
		if (largest < 6 || largest == PB_INDEX_NONE)
			KTEST_ASSERT_EQ(test, may, grows);
		else
			KTEST_ASSERT_TRUE(test, may || !grows);
	}
}

static const struct ktest_case freebits_cases[] = {
	KTEST_CASE(finds_are_right),
	KTEST_CASE(chunks_are_set_and_cleared),
	KTEST_CASE(runs_are_set_and_cleared),
	KTEST_CASE(coalescing_stops_at_used_buddies),
	KTEST_CASE(growth_is_noticed),
	{},
};
static struct ktest_suite freebits_suite = { .name = "freebits", .cases = freebits_cases };
KTEST_SUITE(freebits_suite);
