/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares lib/kstrtox.c with strtoull(), which accepts more (spaces, a minus before an
 * unsigned number, trailing junk): texts that only strtoull() may accept are excluded
 * first. Compares kstrtosize() with a 128-bit calculation.
 */
#include "tests/fuzz/fuzz.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/kstrtox.h"

/* Return the result that ebb's parser must give: 0 and @val, -EINVAL or -EOVERFLOW. */
static int expect_unsigned(const char *s, int base, u64 *val)
{
	char *end;

	if (!*s || strspn(s, " \t\n\v\f\r-") ||
	    (*s == '+' && strspn(s + 1, "+- \t\n\v\f\r")))
		return -EINVAL;
	errno = 0;
	*val = strtoull(s, &end, base);
	if (end == s || *end)
		return -EINVAL;
	return errno == ERANGE ? -EOVERFLOW : 0;
}

static void check_numbers(const char *s, int base)
{
	u64 want = 0, got = 0x5555;
	unsigned int ugot = 0x5555;
	int expect = expect_unsigned(s, base, &want);
	int err = kstrtou64(s, (unsigned int)base, &got);

	CHECK(err == expect, "'%s' base %d: %d, expected %d", s, base, err, expect);
	CHECK(got == (err ? 0x5555 : want), "'%s' base %d: %lu, expected %lu", s, base,
	      got, want);
	if (!expect && want > UINT_MAX)
		expect = -EOVERFLOW;
	err = kstrtouint(s, (unsigned int)base, &ugot);
	CHECK(err == expect, "'%s' as unsigned int: %d", s, err);
	CHECK(ugot == (err ? 0x5555 : want), "'%s' as unsigned int: %u", s, ugot);
}

static void check_size(const char *s)
{
	static const char suffixes[] = "kKmMgGtTpPeE";
	unsigned __int128 want;
	u64 got = 0x5555;
	const char *hit;
	char *end;
	int err = kstrtosize(s, &got), expect = 0;

	errno = 0;
	want = strtoull(s, &end, 0);
	hit = *end ? strchr(suffixes, *end) : NULL;
	if (hit)
		want <<= ((hit - suffixes) / 2 + 1) * 10;
	if (*s < '0' || *s > '9' || end[hit != NULL])
		expect = -EINVAL;
	else if (errno == ERANGE || want > UINT64_MAX)
		expect = -EOVERFLOW;
	CHECK(err == expect, "'%s': %d, expected %d", s, err, expect);
	CHECK(got == (err ? 0x5555 : (u64)want), "'%s': %lu", s, got);
}

static void check_bool(const char *s)
{
	static const char *const words[] = {"0", "n", "no",  "f", "false", "off",
					    "1", "y", "yes", "t", "true",  "on"};
	bool got = false;
	int err = kstrtobool(s, &got);

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcasecmp(s, words[i]) == 0) {
			CHECK(!err && got == (i >= 6), "'%s': %d %d", s, err, got);
			return;
		}
	}
	CHECK(err == -EINVAL && !got, "'%s': %d %d", s, err, got);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const int bases[] = {0, 10, 16, 8, 2, 36, 7};
	char *s;

	if (!size)
		return 0;
	s = malloc(size);
	memcpy(s, data + 1, size - 1);
	s[size - 1] = '\0';
	check_numbers(s, bases[data[0] % ARRAY_SIZE(bases)]);
	check_size(s);
	check_bool(s);
	free(s);
	return 0;
}
