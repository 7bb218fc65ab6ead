/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware's console, through the SBI call for a buffer and through the SBI call for a
 * character. The scenario firmware_console checks the output.
 */
#include "kernel/ktest.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

#include "arch/riscv/arch.h"

/* Write a text that is longer than the console's buffer, so the console writes it in parts. */
static void write_as(struct ktest *test, const char *way, u32 firmware_console)
{
	const u32 usual = early_info.firmware_console;
	char *text = ktest_alloc(test, 512), x[301];

	memset(x, 'x', sizeof(x) - 1);
	x[sizeof(x) - 1] = '\0';
	snprintf(text, 512, "\nearly console: %s\n%s: 0%s1\n", way, way, x);
	early_info.firmware_console = firmware_console;
	arch_early_write(text, strlen(text));
	early_info.firmware_console = usual;
}

static void both_ways(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, early_info.firmware_console, 1);
	write_as(test, "lines", 1);
	write_as(test, "characters", 0);
}

static const struct ktest_case cases[] = {
	KTEST_CASE(both_ways),
	{},
};

static struct ktest_suite suite = { .name = "early_console", .cases = cases };
KTEST_SUITE(suite);
