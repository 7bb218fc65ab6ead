/* SPDX-License-Identifier: BSD-2-Clause */
/* Strict parsing: a text that is not accepted leaves the result unchanged. */
#include "kernel/ktest.h"
#include "lib/ctype.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"

struct number {
	const char *text;
	unsigned int base;
	int err;
	u64 val;
};

static const struct number numbers[] = {
	{ "0", 0, 0, 0 },
	{ "18446744073709551615", 0, 0, UINT64_MAX },
	{ "18446744073709551616", 0, -EOVERFLOW, 0 },
	{ "99999999999999999999999", 10, -EOVERFLOW, 0 },
	{ "99999999999999999999999x", 10, -EINVAL, 0 },
	{ "0xffffffffffffffff", 0, 0, UINT64_MAX },
	{ "0x10000000000000000", 16, -EOVERFLOW, 0 },
	{ "0XaB", 16, 0, 0xab },
	{ "ab", 16, 0, 0xab },
	{ "017", 0, 0, 15 },
	{ "017", 10, 0, 17 },
	{ "018", 0, -EINVAL, 0 },
	{ "+7", 0, 0, 7 },
	{ "z", 36, 0, 35 },
	{ "-1", 0, -EINVAL, 0 },
	{ "++7", 0, -EINVAL, 0 },
	{ "", 0, -EINVAL, 0 },
	{ "+", 0, -EINVAL, 0 },
	{ "0x", 0, -EINVAL, 0 },
	{ "0xg", 0, -EINVAL, 0 },
	{ " 1", 0, -EINVAL, 0 },
	{ "1 ", 0, -EINVAL, 0 },
	{ "1\n", 0, -EINVAL, 0 },
	{ "12", 2, -EINVAL, 0 },
};

static void name_number(const struct number *n, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, *n->text ? n->text : "(empty)", KTEST_DESC_SIZE);
	for (; *desc; desc++)
		if (!isprint(*desc))
			*desc = '.'; /* a description must be a single line */
}

KTEST_ARRAY_PARAM(number, numbers, name_number);

static void unsigned_number(struct ktest *test)
{
	const struct number *n = test->param_value;
	u64 val = 0x5555;

	KTEST_EXPECT_EQ(test, kstrtou64(n->text, n->base, &val), n->err);
	KTEST_EXPECT_EQ(test, val, n->err ? 0x5555 : n->val);
}

static void narrower(struct ktest *test)
{
	unsigned int ui = 5;

	KTEST_EXPECT_EQ(test, kstrtouint("4294967295", 0, &ui), 0);
	KTEST_EXPECT_EQ(test, ui, UINT_MAX);
	KTEST_EXPECT_EQ(test, kstrtouint("4294967296", 0, &ui), -EOVERFLOW);
	KTEST_EXPECT_EQ(test, ui, UINT_MAX);
}

static const struct number sizes[] = {
	{ "0", 0, 0, 0 },
	{ "4096", 0, 0, 4096 },
	{ "128M", 0, 0, 128UL << 20 },
	{ "1g", 0, 0, SZ_1G },
	{ "0x10k", 0, 0, 0x4000 },
	{ "16383P", 0, 0, 16383ULL << 50 },
	{ "16384P", 0, -EOVERFLOW, 0 },
	{ "15E", 0, 0, 15ULL << 60 },
	{ "16e", 0, -EOVERFLOW, 0 },
	{ "0x1e", 0, 0, 0x1e },
	{ "2T", 0, 0, 2ULL << 40 },
	{ "1.5G", 0, -EINVAL, 0 },
	{ "0xy", 0, -EINVAL, 0 },
	{ "512M@0x80000000", 0, -EINVAL, 0 },
	{ "99999999999999999999x", 0, -EINVAL, 0 },
	{ "1GB", 0, -EINVAL, 0 },
	{ "G", 0, -EINVAL, 0 },
	{ "-1M", 0, -EINVAL, 0 },
	{ "1 M", 0, -EINVAL, 0 },
	{ "", 0, -EINVAL, 0 },
};

KTEST_ARRAY_PARAM(size, sizes, name_number);

static void size_text(struct ktest *test)
{
	const struct number *n = test->param_value;
	u64 val = 0x5555;

	KTEST_EXPECT_EQ(test, kstrtosize(n->text, &val), n->err);
	KTEST_EXPECT_EQ(test, val, n->err ? 0x5555 : n->val);
}

static void bool_words(struct ktest *test)
{
	static const char *const yes[] = { "1", "y", "YES", "t", "True", "on", "ON" };
	static const char *const no[] = { "0", "n", "No", "F", "false", "off", "OFF" };
	static const char *const bad[] = {
		"", "2", "o", "of", "offf", "yes ", "truefalse"
	};
	bool val;

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		val = false;
		KTEST_EXPECT_EQ(test, kstrtobool(yes[i], &val), 0);
		KTEST_EXPECT_TRUE(test, val);
		KTEST_EXPECT_EQ(test, kstrtobool(no[i], &val), 0);
		KTEST_EXPECT_FALSE(test, val);
		KTEST_EXPECT_EQ(test, kstrtobool(bad[i], &val), -EINVAL);
		KTEST_EXPECT_FALSE(test, val);
	}
}

static const struct ktest_case kstrtox_cases[] = {
	KTEST_CASE_PARAM(unsigned_number, number_gen_params),
	KTEST_CASE(narrower),
	KTEST_CASE_PARAM(size_text, size_gen_params),
	KTEST_CASE(bool_words),
	{}
};
static struct ktest_suite kstrtox_suite = { .name = "kstrtox", .cases = kstrtox_cases };
KTEST_SUITE(kstrtox_suite);
