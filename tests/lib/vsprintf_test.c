/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatted text: a table of C's examples and corner cases. tests/fuzz/fuzz_vsprintf.c
 * compares with glibc on the host; this suite also runs in the guest.
 */
#include "kernel/ktest.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

static char buf[128];

/* vsnprintf() without the compiler's format checks, because some formats are odd. */
static int print(char *to, size_t size, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vsnprintf(to, size, fmt, ap);
	va_end(ap);
	return ret;
}

/* Expect this text and its length; a buffer that is too small gets the start. */
#define EXPECT_TEXT(test, want, ...)                                                \
	do {                                                                        \
		char _small[6];                                                     \
		KTEST_EXPECT_EQ(test, print(buf, sizeof(buf), __VA_ARGS__),         \
				strlen(want));                                      \
		KTEST_EXPECT_STREQ(test, buf, want);                                \
		KTEST_EXPECT_EQ(test, print(_small, 6, __VA_ARGS__), strlen(want)); \
		buf[5] = '\0';                                                      \
		KTEST_EXPECT_STREQ(test, _small, buf);                              \
		KTEST_EXPECT_EQ(test, print(NULL, 0, __VA_ARGS__), strlen(want));   \
	} while (0)

static void integers(struct ktest *test)
{
	EXPECT_TEXT(test, "0 -1 42", "%d %i %u", 0, -1, 42U);
	EXPECT_TEXT(test, "-2147483648", "%d", INT_MIN);
	EXPECT_TEXT(test, "-9223372036854775808", "%lld", (long long)INT64_MIN);
	EXPECT_TEXT(test, "18446744073709551615", "%lu", ULONG_MAX);
	EXPECT_TEXT(test, "ff FF 0xff 0XFF 377 0377", "%x %X %#x %#X %o %#o", 255U, 255U,
		    255U, 255U, 255U, 255U);
	EXPECT_TEXT(test, "0 0 0", "%#x %#o %o", 0U, 0U, 0U);
	EXPECT_TEXT(test, "-1 65535 -1 255", "%hd %hu %hhd %hhu", (short)-1,
		    (unsigned short)-1, (signed char)-1, (unsigned char)-1);
	EXPECT_TEXT(test, "7 -7 7", "%zu %td %ju", (size_t)7, (ptrdiff_t)-7,
		    (uintmax_t)7);
	EXPECT_TEXT(test, "1777777777777777777777", "%lo", ULONG_MAX);
}

static void fields(struct ktest *test)
{
	EXPECT_TEXT(test, "|   42|42   |00042|", "|%5d|%-5d|%05d|", 42, 42, 42);
	EXPECT_TEXT(test, "|  042|042  |  042|", "|%5.3d|%-5.3d|%05.3d|", 42, 42, 42);
	EXPECT_TEXT(test, "|+1| 1|-1|+0|", "|%+d|% d|%+ d|%+d|", 1, 1, -1, 0);
	EXPECT_TEXT(test, "|-0042|0x0000ff|  0xff|", "|%05d|%#08x|%#6x|", -42, 255U,
		    255U);
	EXPECT_TEXT(test, "||+|  |0|", "|%.0d|%+.0d|%2.0d|%#.0o|", 0, 0, 0, 0U);
	EXPECT_TEXT(test, "|42 |  042|42|", "|%*d|%*.*d|%.*d|", -3, 42, 5, 3, 42, -1, 42);
}

static void strings(struct ktest *test)
{
	EXPECT_TEXT(test, "|text| text|text |te|", "|%s|%5s|%-5s|%.2s|", "text", "text",
		    "text", "text");
	EXPECT_TEXT(test, "|a|  b|c  |", "|%c|%3c|%-3c|", 'a', 'b', 'c');
	EXPECT_TEXT(test, "100%", "%d%%", 100);
	/* %.*s must not look beyond the precision: no terminator there. */
	EXPECT_TEXT(test, "ab", "%.*s", 2, ((const char[]){'a', 'b'}));
	EXPECT_TEXT(test, "", "%s", "");
}

static void pointers(struct ktest *test)
{
	EXPECT_TEXT(test, "0x1234", "%p", (void *)0x1234);
	EXPECT_TEXT(test, "|  0x12|0x12  |", "|%6p|%-6p|", (void *)0x12, (void *)0x12);
	EXPECT_TEXT(test, "(nil)", "%p", (void *)NULL);
	EXPECT_TEXT(test, "(null)|", "%s|%.3s", (char *)NULL, (char *)NULL);
}

/* Invalid formats: they print as they stand and take no argument. */
static void unknown(struct ktest *test)
{
	EXPECT_TEXT(test, "%y1", "%y%d", 1);
	EXPECT_TEXT(test, "a%-5.2lqb", "a%-5.2lqb");
	EXPECT_TEXT(test, "%n", "%n");
	EXPECT_TEXT(test, "x%", "x%");
	EXPECT_TEXT(test, "%5", "%5");
}

static void too_long(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, print(buf, sizeof(buf), "%99999999999d", 1), -EOVERFLOW);
	KTEST_EXPECT_EQ(test, print(buf, sizeof(buf), "%.99999999999d", 1), -EOVERFLOW);
	KTEST_EXPECT_EQ(test, print(buf, sizeof(buf), "%*s", INT_MIN, ""), -EOVERFLOW);
}

static void scnprintf_tells_what_is_there(struct ktest *test)
{
	char small[4] = "---";

	KTEST_EXPECT_EQ(test, scnprintf(small, 0, "%s", "abcdef"), 0);
	KTEST_EXPECT_STREQ(test, small, "---");
	KTEST_EXPECT_EQ(test, scnprintf(small, 4, "%s", "abcdef"), 3);
	KTEST_EXPECT_STREQ(test, small, "abc");
	KTEST_EXPECT_EQ(test, scnprintf(small, 4, "%s", "ab"), 2);
}

/* Padding longer than any piece of text, between two strings. */
static void pieces_follow_each_other(struct ktest *test)
{
	char text[64];

	KTEST_EXPECT_EQ(test, snprintf(text, sizeof(text), "%s%40d%s", "", 7, "!"), 41);
	KTEST_EXPECT_EQ(test, strlen(text), 41);
	KTEST_EXPECT_EQ(test, text[38], ' ');
	KTEST_EXPECT_EQ(test, text[39], '7');
	KTEST_EXPECT_EQ(test, text[40], '!');
}

static const struct ktest_case vsprintf_cases[] = {
	KTEST_CASE(integers),
	KTEST_CASE(fields),
	KTEST_CASE(strings),
	KTEST_CASE(pointers),
	KTEST_CASE(unknown),
	KTEST_CASE(too_long),
	KTEST_CASE(scnprintf_tells_what_is_there),
	KTEST_CASE(pieces_follow_each_other),
	{}};
static struct ktest_suite vsprintf_suite = {.name = "vsprintf", .cases = vsprintf_cases};
KTEST_SUITE(vsprintf_suite);
