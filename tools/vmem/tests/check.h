/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_TESTS_CHECK_H
#define _VMEM_TESTS_CHECK_H

/*
 * Test cases of the memory device: TEST(suite, name) { CHECK(...); }. The kernel's macros need
 * services of the kernel, which a host tool lacks.
 */
#include "lib/types.h"

struct test {
	const char *suite, *name;
	void (*fn)(void);
	struct test *next;
};

void test_register(struct test *test);
void test_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define TEST(suite_, name_)                                                          \
	static void test_##suite_##_##name_(void);                                   \
	__attribute__((constructor)) static void add_##suite_##_##name_(void)        \
	{                                                                            \
		static struct test test = {#suite_, #name_, test_##suite_##_##name_, \
					   NULL};                                    \
		test_register(&test);                                                \
	}                                                                            \
	static void test_##suite_##_##name_(void)

#define CHECK(condition)                                                 \
	do {                                                             \
		if (!(condition))                                        \
			test_fail(__FILE__, __LINE__, "%s", #condition); \
	} while (0)

#define CHECK_EQ(a, b)                                                                   \
	do {                                                                             \
		unsigned long long check_a = (unsigned long long)(a);                    \
		unsigned long long check_b = (unsigned long long)(b);                    \
		if (check_a != check_b)                                                  \
			test_fail(__FILE__, __LINE__, "%s is %#llx, not %#llx (%s)", #a, \
				  check_a, check_b, #b);                                 \
	} while (0)

#endif
