/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the tests that the kernel's command line asks for, when the kernel is ready. */
#include "arch/boot.h"
#include "kernel/init.h"
#include "kernel/ktest.h"
#include "kernel/param.h"
#include "kernel/printk.h"

enum test_end { TEST_END_POWEROFF, TEST_END_NONE, TEST_END_REBOOT };
static const char *const test_end_words[] = { "poweroff", "none", "reboot", NULL };
static u32 test_end;
PARAM_ENUM("kunit_shutdown", test_end, test_end_words,
	   "what happens after tests from the command line");

static int run_boot_tests(void)
{
	const struct ktest_options *options = ktest_boot_options();
	enum ktest_status status;

	if (options == NULL)
		return 0;
	status = ktest_run(options, console_sink());
	if (test_end == TEST_END_POWEROFF)
		arch_exit(status);
	if (test_end == TEST_END_REBOOT)
		arch_reboot();
	return 0;
}
INITCALL(ready, run_boot_tests);
