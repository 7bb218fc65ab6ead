/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cost of showing a large memory: the commands and files that show all blocks write
 * to a sink that discards their text.
 */
#include "tests/bench/bench.h"
#include "kernel/console/shell.h"

static void discard(struct sink *sink, const char *text, size_t len)
{
	(void)sink, (void)text, (void)len;
}

int look_rows(struct sink *out)
{
	static const struct {
		const char *id, *line;
	} looks[] = {
		{ "meminfo_64g", "cat /proc/meminfo" },
		{ "buddyinfo_64g", "cat /proc/buddyinfo" },
		{ "map_64g", "map -n" },
		{ "lsmem_64g", "lsmem -a" },
		{ "census_64g", "mm census" },
	};
	struct sink nowhere = { .write = discard };

	for (unsigned int i = 0; i < ARRAY_SIZE(looks); i++) {
		const u64 start = arch_instret();

		if (console_run_line(looks[i].line, &nowhere))
			return bench_fail(out, looks[i].id, "the command failed");
		bench_row(out, looks[i].id, (arch_instret() - start) * 1000, "insn");
	}
	return 0;
}
