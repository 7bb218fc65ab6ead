/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares lib/string.c with the simplest code, over all small sizes and alignments. On
 * the host the functions are ebb_NAME, and the test also compares with libc's results.
 */
#include "kernel/ktest.h"
#include "lib/errno.h"
#include "lib/string.h"

#define AREA 320 /* room for two iterations of the unrolled loops, misaligned */

static u8 area[AREA] __aligned(8);
static u8 model[AREA] __aligned(8);

static void fill(struct ktest *test)
{
	for (size_t i = 0; i < AREA; i++)
		area[i] = model[i] = (u8)prng_u64(&test->prng);
}

/* Lengths at which the loops change. */
static const size_t lengths[] = {0,  1,	 2,  3,	 4,  7,	 8,   9,   15,	16,  17,
				 23, 24, 31, 32, 63, 64, 127, 128, 129, 140, 263};

static void memset_all(struct ktest *test)
{
	for (size_t start = 0; start < 9; start++) {
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			fill(test);
			for (size_t n = 0; n < lengths[i]; n++)
				model[start + n] = 0xa5;
			KTEST_ASSERT_PTR_EQ(
				test, STRING_FN(memset)(area + start, 0x7a5, lengths[i]),
				area + start);
			KTEST_ASSERT_MEMEQ(test, area, model, AREA);
		}
	}
}

static void memcpy_all(struct ktest *test)
{
	static u8 from[AREA] __aligned(8);

	for (size_t at = 0; at < 8 * 8 * ARRAY_SIZE(lengths); at++) {
		size_t d = at % 8, s = at / 8 % 8, len = lengths[at / 64];

		fill(test);
		for (size_t i = 0; i < AREA; i++)
			from[i] = (u8)~area[i];
		for (size_t i = 0; i < len; i++)
			model[d + i] = from[s + i];
		KTEST_ASSERT_PTR_EQ(test, STRING_FN(memcpy)(area + d, from + s, len),
				    area + d);
		KTEST_ASSERT_MEMEQ(test, area, model, AREA);
	}
}

static void memmove_overlap(struct ktest *test)
{
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t len = min(lengths[i], (size_t)200);

		for (size_t d = 0; d < 40; d += 1 + d % 3) {
			size_t s = prng_below(&test->prng, 40);

			fill(test);
			for (size_t n = 0; n < len; n++)
				model[d + n] = area[s + n];
			STRING_FN(memmove)(area + d, area + s, len);
			KTEST_ASSERT_MEMEQ(test, area, model, AREA);
		}
	}
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

/* Equal areas with one changed byte, at every place and alignment. */
static void memcmp_all(struct ktest *test)
{
	for (size_t start = 0; start < 8; start++) {
		for (size_t shift = 0; shift < 2; shift++) {
			for (size_t at = 0; at < 40; at++) {
				const u8 *a = area + start;
				u8 *b = model + start + shift;

				fill(test);
				STRING_FN(memcpy)(b, a, 40);
				KTEST_ASSERT_EQ(test, STRING_FN(memcmp)(a, b, 40), 0);
				b[at] ^= 0x81;
				KTEST_ASSERT_EQ(test, sign(STRING_FN(memcmp)(a, b, 40)),
						a[at] < b[at] ? -1 : 1);
				KTEST_ASSERT_EQ(test, STRING_FN(memcmp)(a, b, at), 0);
			}
		}
	}
}

static void memchr_both(struct ktest *test)
{
	for (size_t start = 0; start < 8; start++) {
		for (size_t at = 0; at < 40; at++) {
			u8 *p = area + start;

			STRING_FN(memset)(area, 0xee, AREA);
			KTEST_ASSERT_NULL(test, memchr_inv(p, 0xee, 40));
			p[at] = 0x11;
			KTEST_ASSERT_PTR_EQ(test, memchr_inv(p, 0x1ee, 40), p + at);
			KTEST_ASSERT_NULL(test, memchr_inv(p, 0xee, at));
			KTEST_ASSERT_PTR_EQ(test, STRING_FN(memchr)(p, 0x11, 40), p + at);
			KTEST_ASSERT_NULL(test, STRING_FN(memchr)(p, 0x11, at));
		}
	}
}

/* Return string number @nr of all strings over {a, b, 0xff} of up to 4 letters. */
static const char *word(unsigned int nr, char buf[5])
{
	char *p = buf;

	for (; nr; nr /= 4)
		if (nr % 4)
			*p++ = "\0ab\xff"[nr % 4];
	*p = '\0';
	return buf;
}

#define NR_WORDS 256

static void compare_all(struct ktest *test)
{
	char x[5], y[5];

	for (unsigned int i = 0; i < NR_WORDS * NR_WORDS; i++) {
		const char *a = word(i / NR_WORDS, x);
		const char *b = word(i % NR_WORDS, y);
		size_t n = 0;
		const char *hit = NULL;

		while (a[n] && a[n] == b[n])
			n++;
		KTEST_ASSERT_EQ(test, sign(STRING_FN(strcmp)(a, b)),
				sign((u8)a[n] - (u8)b[n]));
		KTEST_ASSERT_EQ(test, sign(STRING_FN(strncmp)(a, b, n + 1)),
				sign((u8)a[n] - (u8)b[n]));
		KTEST_ASSERT_EQ(test, STRING_FN(strncmp)(a, b, n), 0);
		for (const char *s = a; !hit && *s; s++)
			if (!STRING_FN(strncmp)(s, b, STRING_FN(strlen)(b)))
				hit = s;
		KTEST_ASSERT_PTR_EQ(test, STRING_FN(strstr)(a, b), *b ? hit : a);
		KTEST_ASSERT_EQ(test, str_has_prefix(a, b), b[n] ? 0 : n);
	}
}

static void find_and_measure(struct ktest *test)
{
	const char *s = "abcabc";

	KTEST_EXPECT_EQ(test, STRING_FN(strlen)(""), 0);
	KTEST_EXPECT_EQ(test, STRING_FN(strlen)(s), 6);
	KTEST_EXPECT_EQ(test, STRING_FN(strnlen)(s, 0), 0);
	KTEST_EXPECT_EQ(test, STRING_FN(strnlen)(s, 6), 6);
	KTEST_EXPECT_EQ(test, STRING_FN(strnlen)(s, SIZE_MAX), 6);
	KTEST_EXPECT_PTR_EQ(test, STRING_FN(strchr)(s, 'b'), s + 1);
	KTEST_EXPECT_PTR_EQ(test, STRING_FN(strchr)(s, '\0'), s + 6);
	KTEST_EXPECT_NULL(test, STRING_FN(strchr)(s, 'x'));
}

static void strscpy_cuts(struct ktest *test)
{
	char buf[8] = "-------";

	KTEST_EXPECT_EQ(test, strscpy(buf, "abc", 0), -E2BIG);
	KTEST_EXPECT_STREQ(test, buf, "-------");
	KTEST_EXPECT_EQ(test, strscpy(buf, "abc", 4), 3);
	KTEST_EXPECT_STREQ(test, buf, "abc");
	KTEST_EXPECT_EQ(test, buf[4], '-');
	KTEST_EXPECT_EQ(test, strscpy(buf, "wxyz", 4), -E2BIG);
	KTEST_EXPECT_STREQ(test, buf, "wxy");
	KTEST_EXPECT_EQ(test, buf[4], '-');
	KTEST_EXPECT_EQ(test, strscpy(buf, "x", 1), -E2BIG);
	KTEST_EXPECT_STREQ(test, buf, "");
}

static const struct ktest_case string_cases[] = {KTEST_CASE(memset_all),
						 KTEST_CASE(memcpy_all),
						 KTEST_CASE(memmove_overlap),
						 KTEST_CASE(memcmp_all),
						 KTEST_CASE(memchr_both),
						 KTEST_CASE(compare_all),
						 KTEST_CASE(find_and_measure),
						 KTEST_CASE(strscpy_cuts),
						 {}};
static struct ktest_suite string_suite = {.name = "string", .cases = string_cases};
KTEST_SUITE(string_suite);
