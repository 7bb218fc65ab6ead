/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command "bench" runs groups of rows, and checks that the machine counts instructions.
 */
#include "tests/bench/bench.h"
#include "kernel/hart.h"
#include "kernel/timer.h"
#include "kernel/ktest.h"
#include "kernel/console/shell.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/memory_hotplug.h"

void bench_row(struct sink *out, const char *id, u64 value_milli, const char *unit)
{
	sink_printf(out, "bench: %s %lu.%03lu %s\n", id, value_milli / 1000, value_milli % 1000,
		    unit);
}

#define LATE_MS 10

static u64 sleep_insn(void)
{
	const u64 start = arch_instret();

	msleep(LATE_MS);
	return arch_instret() - start;
}

/*
 * Nothing else runs here: if the first sleep costs more than the second, the difference
 * is work that the row has deferred.
 */
u64 bench_since(u64 start)
{
	const u64 insn = arch_instret() - start;
	const u64 first = sleep_insn(), second = sleep_insn();

	return insn + (first > second ? first - second : 0);
}

int bench_fail(struct sink *out, const char *id, const char *why)
{
	sink_printf(out, "bench: %s FAILED %s\n", id, why);
	return -EIO;
}

/* Bytes per page that an added block reserves for itself. */
static int bench_metadata(struct sink *out)
{
	u64 bytes = MHP_HEADER_PAGES * PAGE_SIZE + PAGE_SIZE / 2;

	bench_row(out, "page_meta_bytes", bytes * 1000 / PAGES_PER_SECTION, "byte");
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(struct sink *out);
	bool counts; /* needs exact instruction counts, one hart */
} groups[] = {
	{ "meta", bench_metadata, false }, { "alloc", bench_alloc, true },
	{ "general", bench_general, true }, { "contig", bench_contig, true },
	{ "hotplug", bench_hotplug, true }, { "device", bench_device, true },
	{ "growth", bench_growth, true },   { "irqs", bench_irqs, true },
};

static int run_group(unsigned int i, struct sink *out)
{
	int err;

	if (groups[i].counts && (nr_harts() != 1 || !arch_instret_exact()))
		return bench_fail(out, groups[i].name, "needs one hart and -icount shift=0");
	err = groups[i].fn(out);
	if (err == 0 && mm_check(&kernel_mm, out) != 0)
		err = bench_fail(out, groups[i].name, "mm check found differences afterwards");
	return err;
}

static int run_groups(int argc, char **argv, struct sink *out)
{
	unsigned int i;
	int arg;

	for (arg = 1; arg < argc; arg++) {
		int err = -ENOENT;

		for (i = 0; i < ARRAY_SIZE(groups); i++)
			if (strcmp(groups[i].name, argv[arg]) == 0)
				err = run_group(i, out);
		if (err == -ENOENT)
			return COMMAND_USAGE;
		if (err)
			return err;
	}
	return 0;
}
static int cmd_bench(int argc, char **argv, struct sink *out)
{
	int err;

	if (argc < 2)
		return COMMAND_USAGE;
	if (!ktest_begin(out))
		return -EBUSY;
	msleep(2 * LATE_MS); /* for work that the boot or the last command has deferred */
	err = run_groups(argc, argv, out);
	ktest_end();
	return err;
}
COMMAND(bench, "bench meta|alloc|general|contig|hotplug|growth|device|irqs...",
	"measure rows of the budget table (make bench)",
	"bench alloc", cmd_bench);
