/* SPDX-License-Identifier: BSD-2-Clause */
/* The command that runs the in-kernel tests. */
#include "kernel/ktest.h"
#include "kernel/console/shell.h"
#include "lib/errno.h"
#include "lib/string.h"

/* "ut all", "ut list" or "ut buddy.*", followed by any kunit.* or ktest.* words. */
static int cmd_ut(int argc, char **argv, struct sink *out)
{
	struct ktest_options options = { 0 };
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "list") == 0)
			options.action = "list";
		else if (strchr(argv[i], '=')) {
			if (ktest_param(argv[i], &options) < 0) {
				sink_printf(out, "ut: not an option: %s\n", argv[i]);
				return -EINVAL;
			}
		} else if (strcmp(argv[i], "all") != 0)
			options.filter_glob = argv[i];
	}
	if (argc < 2)
		return COMMAND_USAGE;
	return (int)ktest_run(&options, out);
}
COMMAND(ut, "ut all | list | GLOB [ktest.seed=N ktest.repeat=N ktest.shuffle kunit.filter=...]",
	"run in-kernel tests: SUITE or SUITE.CASE globs, KTAP out",
	"ut buddy.* ktest.seed=7", cmd_ut);
