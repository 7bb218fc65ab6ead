/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lines that a kernel without tests prints if a boot parameter or a command asks for
 * tests.
 */
#include "kernel/console/test_image.h"
#include "arch/boot.h"
#include "kernel/init.h"
#include "kernel/panic.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/console/shell.h"
#include "lib/string.h"

/* Commands that tests/ adds, and what to type instead of them. */
static const char *const instead[][2] = {
	{ "ut", "make ut T='SUITE.*'" },
	{ "bench", "make bench" },
};

/* The boot parameters that start tests; the runner's other parameters only shape a run. */
static const char *const starters[] = {
	"kunit.filter_glob", "kunit.filter", "kunit.action", "kunit.enable",
};

static bool only_tests; /* a parameter asked for tests: the machine has nothing else to do */
static bool in_vain;	/* autorun asked for tests */
static bool boot_ended;

static bool has_tests(void)
{
	return command_find(instead[0][0]) != NULL;
}

/*
 * Check whether an unknown boot parameter belongs to the runner. If so, say once what to type.
 */
static bool tests_param(const char *name)
{
	static bool said;

	if ((!str_has_prefix(name, "kunit") && !str_has_prefix(name, "ktest.")) || has_tests())
		return false;
	if (!said)
		pr_warn("command line: %.64s: this kernel has no tests in it; type: %s", name,
			instead[0][1]);
	said = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(starters); i++)
		only_tests |= strcmp(name, starters[i]) == 0;
	return true;
}
PARAM_UNKNOWN(tests_param);

bool test_image_command(const char *name, struct sink *out)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(instead); i++) {
		if (strcmp(name, instead[i][0]) != 0)
			continue;
		sink_printf(out, "%s: this kernel has no tests in it; type: %s\n", name,
			    instead[i][1]);
		in_vain |= !boot_ended;
		return true;
	}
	return false;
}

void test_image_boot_ended(void)
{
	boot_ended = true;
}

int test_image_exit_status(void)
{
	return only_tests || in_vain ? EXIT_STATUS_HARNESS : 0;
}

static int end_without_tests(void)
{
	if (only_tests)
		arch_exit(EXIT_STATUS_HARNESS);
	return 0;
}
INITCALL(ready, end_without_tests);
