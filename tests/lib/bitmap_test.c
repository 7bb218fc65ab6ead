/* SPDX-License-Identifier: BSD-2-Clause */
/* Bits of a word, and bitmaps against an array of bytes. */
#include "kernel/ktest.h"
#include "lib/bitmap.h"
#include "lib/bitops.h"
#include "lib/string.h"

/* Return @x through a volatile, so that the compiler cannot fold it. */
static u64 opaque(u64 x)
{
	volatile u64 hidden = x;

	return hidden;
}

static void single_bits(struct ktest *test)
{
	for (unsigned int n = 0; n < 64; n++) {
		u64 bit = opaque(1ULL << n);
		u64 above = prng_u64(&test->prng) & ~(bit - 1);
		u64 below = prng_u64(&test->prng) & (bit - 1);

		KTEST_EXPECT_EQ(test, __ffs(bit), n);
		KTEST_EXPECT_EQ(test, __ffs(above | bit), n);
		KTEST_EXPECT_EQ(test, __fls(bit), n);
		KTEST_EXPECT_EQ(test, __fls(below | bit), n);
		KTEST_EXPECT_EQ(test, rounddown_pow_of_two(below | bit), bit);
		KTEST_EXPECT_EQ(test, roundup_pow_of_two(bit), bit);
		KTEST_EXPECT_EQ(test, order_of(bit), n);
		if (n && n < 63)
			KTEST_EXPECT_EQ(test, order_of(bit + 1), n + 1);
	}
	KTEST_EXPECT_EQ(test, order_of(opaque(1)), 0);
}

static void constants_fold(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, __ffs(0x50), __ffs(opaque(0x50)));
	KTEST_EXPECT_EQ(test, __fls(0x50), __fls(opaque(0x50)));
	KTEST_EXPECT_EQ(test, order_of(513), 10);
}

static void weights(struct ktest *test)
{
	for (int round = 0; round < 200; round++) {
		u64 x = prng_u64(&test->prng) & prng_u64(&test->prng);
		unsigned int bits = 0;

		for (u64 rest = x; rest; rest &= rest - 1)
			bits++;
		KTEST_ASSERT_EQ(test, hweight64(x), bits);
	}
	KTEST_EXPECT_EQ(test, hweight64(opaque(0)), 0);
	KTEST_EXPECT_EQ(test, hweight64(opaque(~0ULL)), 64);
}

#define BITS 200 /* not a whole number of words: the tail must not change */

static u64 map[BITMAP_WORDS(BITS + 64)];
static u8 model[BITS + 64];

static void compare(struct ktest *test)
{
	for (unsigned long i = 0; i < BITS + 64; i++)
		KTEST_ASSERT_EQ(test, test_bit(i, map), model[i]);
}

static unsigned long model_next(unsigned long size, unsigned long start, u8 value)
{
	while (start < size && model[start] != value)
		start++;
	return min(start, size);
}

static void ask_everything(struct ktest *test, unsigned long start)
{
	unsigned long size = BITS - prng_below(&test->prng, 70);
	unsigned long last = size;

	for (unsigned long i = 0; i < size; i++)
		last = model[i] ? i : last;
	KTEST_ASSERT_EQ(test, find_next_bit(map, size, start),
			model_next(size, start, 1));
	KTEST_ASSERT_EQ(test, find_next_zero_bit(map, size, start),
			model_next(size, start, 0));
	KTEST_ASSERT_EQ(test, find_last_bit(map, size), last);
}

static void random_ranges(struct ktest *test)
{
	for (int round = 0; round < 3000; round++) {
		unsigned long start = prng_below(&test->prng, BITS);
		unsigned long len = prng_below(&test->prng, BITS - start + 1);
		u8 value = prng_u64(&test->prng) & 1;

		len = value ? min(len, 60UL) : len;
		for (unsigned long i = start; i < start + len; i++)
			if (value)
				__set_bit(i, map);
			else
				__clear_bit(i, map);
		memset(model + start, value, len);
		compare(test);
		ask_everything(test, prng_below(&test->prng, BITS - 40));
	}
}

static void one_at_a_time(struct ktest *test)
{
	__set_bit(3, map);
	KTEST_EXPECT_TRUE(test, __test_and_clear_bit(3, map));
	KTEST_EXPECT_FALSE(test, __test_and_clear_bit(3, map));
}

static void no_size_no_bit(struct ktest *test)
{
	memset(map, 0xff, sizeof(map));
	KTEST_EXPECT_EQ(test, find_next_bit(map, 0, 0), 0);
	KTEST_EXPECT_EQ(test, find_last_bit(map, 0), 0);
	KTEST_EXPECT_EQ(test, find_next_zero_bit(map, BITS, 0), BITS);
	KTEST_EXPECT_EQ(test, find_next_bit(map, 5, 9), 5);
}

static const struct ktest_case bitops_cases[] = {
	KTEST_CASE(single_bits), KTEST_CASE(constants_fold), KTEST_CASE(weights), {}};
static struct ktest_suite bitops_suite = {.name = "bitops", .cases = bitops_cases};
KTEST_SUITE(bitops_suite);

/* Clear the map and its model. */
static int clear(struct ktest *test)
{
	(void)test;
	memset(map, 0, sizeof(map));
	memset(model, 0, sizeof(model));
	return 0;
}

static const struct ktest_case bitmap_cases[] = {KTEST_CASE(random_ranges),
						 KTEST_CASE(one_at_a_time),
						 KTEST_CASE(no_size_no_bit),
						 {}};
static struct ktest_suite bitmap_suite = {
	.name = "bitmap", .init = clear, .cases = bitmap_cases};
KTEST_SUITE(bitmap_suite);
