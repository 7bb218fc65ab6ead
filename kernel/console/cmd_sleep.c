/* SPDX-License-Identifier: BSD-2-Clause */
/* sleep: a slow command, for tests of what happens meanwhile. */
#include "kernel/console/shell.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"

static int cmd_sleep(int argc, char **argv, struct sink *out)
{
	const u64 start = ktime_ns();
	unsigned int ms;

	(void)out;
	if (argc != 2 || kstrtouint(argv[1], 10, &ms))
		return COMMAND_USAGE;
	while (ktime_ns() - start < ms * NSEC_PER_MSEC) {
		msleep(1);
		if (command_interrupted(NULL))
			return -EINTR;
	}
	return 0;
}
COMMAND(sleep, "sleep MS", "for tests: wait so many milliseconds, or for Ctrl-C", cmd_sleep);
