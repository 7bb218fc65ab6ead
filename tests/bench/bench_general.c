/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The general paths of the allocator: frees in random order, a live set that churns,
 * several orders at once, counted types. All random numbers are drawn before the
 * measurement starts.
 */
#include "tests/bench/bench.h"
#include "kernel/ktest_prng.h"
#include "lib/errno.h"
#include "lib/string.h"

#define LIVE_PAGES  65536U
#define LIVE_CHUNKS 16384U
#define MIX_ORDERS  5 /* orders 0 to 4 */
#define PAIRS	    1000

/* @pfn: the live chunks. @pick: indices of chunks, in random order. */
struct live {
	unsigned long pfn[LIVE_PAGES];
	u32 pick[LIVE_PAGES];
	u8 order[LIVE_PAGES];
};
#define LIVE_ORDER 8 /* of a chunk that holds struct live */
static_assert(sizeof(struct live) <= PAGE_SIZE << LIVE_ORDER, "it fits");

/* Fill @live->pick with a random permutation of the numbers below @nr. */
static void shuffle(struct live *live, struct prng *prng, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		live->pick[i] = i;
	for (u32 i = nr - 1; i; i--) {
		const u32 j = prng_below(prng, i + 1), old = live->pick[i];

		live->pick[i] = live->pick[j];
		live->pick[j] = old;
	}
}

/* Allocate chunk @i of the live set. */
static bool take(struct live *live, u32 i)
{
	live->pfn[i] = alloc_pages(&kernel_mm, GFP_MOVABLE, live->order[i], PGTY_KERNEL);
	return live->pfn[i] != PFN_NONE;
}

/* Allocate the first @nr chunks. If one fails, free the others and return false. */
static bool fill(struct live *live, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		if (take(live, i))
			continue;
		while (i--)
			free_pages(&kernel_mm, live->pfn[i], live->order[i]);
		return false;
	}
	return true;
}

static void empty(struct live *live, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		free_pages(&kernel_mm, live->pfn[i], live->order[i]);
}

/* Free single pages in random order, one call each; they were allocated in order. */
static int bench_random_free(struct sink *out, struct live *live)
{
	u64 start;

	if (!fill(live, LIVE_PAGES))
		return bench_fail(out, "rand_free", "no memory");
	start = arch_instret();
	for (u32 i = 0; i < LIVE_PAGES; i++)
		free_pages(&kernel_mm, live->pfn[live->pick[i]], 0);
	bench_row(out, "rand_free", bench_since(start) * 1000 / LIVE_PAGES, "insn");
	return 0;
}

/* Free single pages in random order with one call. */
static int bench_shuffled_bulk(struct sink *out, struct live *live)
{
	u64 start;

	if (alloc_pages_bulk(&kernel_mm, GFP_MOVABLE, PGTY_KERNEL, LIVE_PAGES,
			     live->pfn) < LIVE_PAGES)
		return bench_fail(out, "bulk_free_shuffled", "no memory");
	for (u32 i = LIVE_PAGES - 1; i; i--) {
		const u32 j = live->pick[i] % (i + 1);
		const unsigned long pfn = live->pfn[i];

		live->pfn[i] = live->pfn[j];
		live->pfn[j] = pfn;
	}
	start = arch_instret();
	free_pages_bulk(&kernel_mm, live->pfn, LIVE_PAGES);
	bench_row(out, "bulk_free_shuffled", bench_since(start) * 1000 / LIVE_PAGES,
		  "insn");
	return 0;
}

/* Churn a live set: free a random chunk, then allocate one of the same order in its place. */
static int bench_churn(struct sink *out, struct live *live, const char *id, u32 nr)
{
	u64 start = 0;

	if (!fill(live, nr))
		return bench_fail(out, id, "no memory");
	for (u32 round = 0; round < 2;
	     round++) { /* the first round scatters the chunks */
		start = arch_instret();
		for (u32 i = 0; i < nr; i++) {
			const u32 at = live->pick[i];

			free_pages(&kernel_mm, live->pfn[at], live->order[at]);
			if (!take(live, at))
				return bench_fail(out, id, "no memory");
		}
	}
	bench_row(out, id, bench_since(start) * 1000 / nr, "insn");
	empty(live, nr);
	return 0;
}

/* Measure pairs of order 0 with a page type that has a reference count. */
static int bench_counted(struct sink *out)
{
	u64 start = 0;

	for (unsigned int i = 0; i < 2 * PAIRS; i++) {
		unsigned long pfn;

		if (i == PAIRS)
			start = arch_instret();
		pfn = alloc_pages(&kernel_mm, GFP_MOVABLE, 0, PGTY_DRIVER);
		if (pfn == PFN_NONE)
			return bench_fail(out, "pair_counted", "no memory");
		free_pages(&kernel_mm, pfn, 0);
	}
	bench_row(out, "pair_counted", bench_since(start) * 1000 / PAIRS, "insn");
	return 0;
}

static int run(struct sink *out, struct live *live)
{
	struct prng prng = { .state = 1 };
	int err;

	memset(live, 0, sizeof(*live));
	shuffle(live, &prng, LIVE_PAGES);
	err = bench_random_free(out, live);
	if (err == 0)
		err = bench_shuffled_bulk(out, live);
	if (err == 0)
		err = bench_churn(out, live, "churn_0", LIVE_PAGES);
	shuffle(live, &prng, LIVE_CHUNKS);
	for (u32 i = 0; i < LIVE_CHUNKS; i++)
		live->order[i] = prng_below(&prng, MIX_ORDERS);
	if (err == 0)
		err = bench_churn(out, live, "mix_0_4", LIVE_CHUNKS);
	return err ? err : bench_counted(out);
}

int bench_general(struct sink *out)
{
	unsigned long table =
		alloc_pages(&kernel_mm, GFP_KERNEL, LIVE_ORDER, PGTY_KERNEL);
	int err;

	if (table == PFN_NONE)
		return bench_fail(out, "rand_free", "no memory");
	err = run(out, phys_to_virt(pfn_to_phys(table)));
	free_pages(&kernel_mm, table, LIVE_ORDER);
	return err;
}
