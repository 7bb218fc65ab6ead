/* SPDX-License-Identifier: BSD-2-Clause */
/* The command that runs the in-kernel tests. */
#include "tests/runner/ktest_private.h"
#include "kernel/console/shell.h"
#include "lib/errno.h"
#include "lib/string.h"

/* "ut" alone lists; "ut all" or "ut buddy.*", followed by any kunit.* or ktest.* words, runs. */
static int cmd_ut(int argc, char **argv, struct sink *out)
{
	struct ktest_options options = { .action = argc < 2 ? "list" : NULL };
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
	return (int)ktest_run(&options, out);
}
static void each_suite(word_offer_fn offer, void *arg)
{
	for (struct ktest_suite *const *s = __start_ktest_suites; s < __stop_ktest_suites; s++)
		offer(arg, (*s)->name);
}
WORD_LIST(SUITE, each_suite);

COMMAND(ut, "ut [all | list | SUITE] [ktest.seed=N ktest.repeat=N ktest.shuffle kunit.filter=...]",
	"list the in-kernel tests, or run those of a glob, SUITE or SUITE.CASE: KTAP out",
	"ut buddy.* ktest.seed=7", cmd_ut);
