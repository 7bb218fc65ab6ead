/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wall time of one alloc and free, four harts against one, orders 0, 5 and 10.
 * Interleaved runs; the median and the spread are shown, never gated on one run.
 */
#include "tests/bench/bench.h"
#include "kernel/hart.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/sort.h"
#include "lib/vsprintf.h"

#define RUNS	   7
#define PAIRS	   100000 /* a run takes tens of milliseconds: starting and joining do not show */
#define JOIN_NS	   (60ULL * 1000 * 1000 * 1000)
#define MANY_HARTS 4

static int worker(void *arg)
{
	unsigned int order = (unsigned int)(uintptr_t)arg;
	unsigned int i;

	for (i = 0; i < PAIRS; i++) {
		unsigned long pfn = alloc_pages(&kernel_mm, GFP_KERNEL | GFP_NOWARN, order,
						PGTY_KERNEL);

		if (pfn == PFN_NONE)
			return -ENOMEM;
		free_pages(&kernel_mm, pfn, order);
		if (i % 64 == 0)
			cond_resched();
	}
	return 0;
}

/* Wall nanoseconds per pair with @harts harts at work; 0 on failure. */
static u64 time_pairs(unsigned int harts, unsigned int order)
{
	struct thread *thread[MANY_HARTS];
	u64 start = ktime_ns();
	unsigned int i, bad = 0;
	int result;

	for (i = 0; i < harts; i++)
		thread[i] = thread_create_on(i, "bench", worker, (void *)(uintptr_t)order);
	for (i = 0; i < harts; i++)
		if (!thread[i] || thread_join(thread[i], start + JOIN_NS, &result) || result)
			bad++;
	return bad ? 0 : (ktime_ns() - start) / PAIRS;
}

static int ratio_cmp(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static int one_order(struct sink *out, unsigned int order, u64 *worst)
{
	u64 ratio[RUNS], one, many;
	char id[32];

	for (unsigned int run = 0; run < RUNS; run++) {
		one = time_pairs(1, order);
		many = time_pairs(MANY_HARTS, order);
		if (one == 0 || many == 0)
			return bench_fail(out, "contention_4", "an allocation or a hart failed");
		ratio[run] = many * 1000 / one;
	}
	sort(ratio, RUNS, sizeof(ratio[0]), ratio_cmp);
	snprintf(id, sizeof(id), "contention_4_order%u", order);
	bench_row(out, id, ratio[RUNS / 2], "ratio");
	sink_printf(out, "bench-spread: %s %lu.%03lu %lu.%03lu\n", id, ratio[0] / 1000,
		    ratio[0] % 1000, ratio[RUNS - 1] / 1000, ratio[RUNS - 1] % 1000);
	*worst = max(*worst, ratio[RUNS / 2]);
	return 0;
}

int bench_contention(struct sink *out)
{
	static const unsigned int orders[] = { 0, 5, 10 };
	u64 worst = 0;
	int err = 0;

	if (nr_harts() < MANY_HARTS)
		return bench_fail(out, "contention_4", "needs four harts");
	for (unsigned int i = 0; i < ARRAY_SIZE(orders) && !err; i++)
		err = one_order(out, orders[i], &worst);
	if (err == 0)
		bench_row(out, "contention_4", worst, "ratio");
	return err;
}
