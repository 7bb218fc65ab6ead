/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The place of an allocation: movable pages at the top of added memory, kernel data at
 * the bottom of boot memory. The harts have no caches here, so each request searches.
 */
#include "lib/errno.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES
#define NR_BLOCKS \
	5U /* of the window: 0 is boot memory, 1 to 3 are Normal, 4 is Movable */
#define NR_CHUNKS 400
#define QUIET	  (GFP_ATOMIC | GFP_NOWARN | GFP_NODRAIN)

/* Open blocks: 0 is boot memory, 2 is partly plugged, 4 is in zone Movable. */
static struct window *open_blocks(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	window_add_online(test, w, 1, MMOP_ONLINE);
	window_add(test, w, 2, 0x0ff00ffffff0f7ffUL);
	KTEST_ASSERT_EQ(test, window_online(w, 2, MMOP_ONLINE), 0);
	window_add_online(test, w, 3, MMOP_ONLINE);
	window_add_online(test, w, 4, MMOP_ONLINE_MOVABLE);
	return w;
}

/* --- the rules, a second time, as a search of all pageblocks ------------------------- */

/* Return the order of the largest free chunk in which pageblock @b has a part. */
static unsigned int largest_chunk(const struct mem_section *ms, unsigned int b,
				  unsigned int order)
{
	const unsigned int own = pb_index(pb_read(&ms->pb[b]));

	/* A pair serves an order-10 request from its lower half, others from either half. */
	if (b & 1 && order < MAX_PAGE_ORDER && pb_all_free(pb_read(&ms->pb[b])) &&
	    pb_index(pb_read(&ms->pb[b ^ 1])) == MAX_PAGE_ORDER)
		return MAX_PAGE_ORDER;
	return own;
}

/*
 * Measure how well a pageblock serves: smaller is better, PB_INDEX_NONE: not at all.
 */
static unsigned int fit(const struct mem_section *ms, unsigned int b, unsigned int mt,
			unsigned int order, bool claim)
{
	const unsigned int k = largest_chunk(ms, b, order);

	if (pb_mt(pb_read(&ms->pb[b])) != mt || k == PB_INDEX_NONE || k < order)
		return PB_INDEX_NONE;
	if (!claim)
		return k;
	/* Any whole free pageblock is best, then ever smaller chunks. */
	return PAGEBLOCK_ORDER - min(k, (unsigned int)PAGEBLOCK_ORDER);
}

#define DOWN  BIT(0)
#define CLAIM BIT(1)

/* Return the first frame of the pageblock in these blocks that serves best, or PFN_NONE. */
static unsigned long best(struct window *w, const u8 blocks[2], unsigned int mt,
			  unsigned int order, unsigned int how)
{
	const unsigned int first = blocks[0], last = blocks[1];
	unsigned int least = PB_INDEX_NONE;
	unsigned long found = PFN_NONE;

	for (unsigned int i = 0; i < (last - first + 1) * PAGEBLOCKS_PER_SECTION; i++) {
		const unsigned long at =
			how & DOWN ? (last + 1) * PAGEBLOCKS_PER_SECTION - 1 - i
				   : first * PAGEBLOCKS_PER_SECTION + i;
		const struct mem_section *ms = pfn_to_section(w->mm, w->base + at * PB);
		const unsigned int b = at % PAGEBLOCKS_PER_SECTION;
		const unsigned int f =
			ms ? fit(ms, b, mt, order, how & CLAIM) : PB_INDEX_NONE;

		if (f < least) {
			least = f;
			found = w->base + at * PB;
		}
	}
	return found;
}

/* Return the pageblock that serves a request, among blocks of zone Normal. */
static unsigned long expected_in(struct window *w, const u8 blocks[2], unsigned int mt,
				 unsigned int order)
{
	static const u8 others[][2] = {
		[MIGRATE_UNMOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE },
		[MIGRATE_MOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE },
		[MIGRATE_RECLAIMABLE] = { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE },
	};
	const unsigned int down = mt == MIGRATE_MOVABLE ? DOWN : 0;
	unsigned long pfn = best(w, blocks, mt, order, down);

	for (unsigned int i = 0; i < 2 && pfn == PFN_NONE; i++) {
		pfn = best(w, blocks, others[mt][i], order, down | CLAIM);
		if (pfn != PFN_NONE &&
		    pb_free(pb_read(pfn_pageblock(w->mm, pfn))) < PB / 2)
			pfn = PFN_NONE;
	}
	for (unsigned int i = 0; i < 2 && pfn == PFN_NONE; i++)
		pfn = best(w, blocks, others[mt][i], order, down);
	return pfn;
}

static unsigned long expected(struct window *w, unsigned int mt, unsigned int order)
{
	static const u8 boot[] = { 0, 0 }, added[] = { 1, 3 }, in_movable[] = { 4, 4 };
	unsigned long pfn = PFN_NONE;

	if (mt == MIGRATE_MOVABLE) {
		pfn = best(w, in_movable, mt, order, DOWN);
		pfn = pfn == PFN_NONE ? expected_in(w, added, mt, order) : pfn;
	}
	pfn = pfn == PFN_NONE ? expected_in(w, boot, mt, order) : pfn;
	return pfn == PFN_NONE ? expected_in(w, added, mt, order) : pfn;
}

/* --- cases -------------------------------------------------------------------------- */

/* The chunks that a case has allocated. */
struct held {
	unsigned int nr;
	unsigned long pfn[NR_CHUNKS];
	u8 order[NR_CHUNKS];
};

/* Allocate a chunk of a random type and order, and compare its place with the rules. */
static bool place_one(struct ktest *test, struct window *w, struct held *h)
{
	const unsigned int mt = prng_below(&test->prng, NR_MIGRATE_STORED);
	const unsigned int order =
		prng_below(&test->prng, 4) ? prng_below(&test->prng, 11) : 10;
	const unsigned long where = expected(w, mt, order);
	const unsigned long pfn = alloc_pages(w->mm, QUIET | mt, order, PGTY_KERNEL);

	KTEST_EXPECT_EQ(test, pfn == PFN_NONE ? pfn : ALIGN_DOWN(pfn, PB), where);
	if (pfn == PFN_NONE)
		return false;
	h->pfn[h->nr] = pfn;
	h->order[h->nr++] = order;
	return true;
}

static void free_one(struct ktest *test, struct window *w, struct held *h)
{
	const unsigned int i = prng_below(&test->prng, h->nr);

	free_pages(w->mm, h->pfn[i], h->order[i]);
	h->nr--;
	h->pfn[i] = h->pfn[h->nr];
	h->order[i] = h->order[h->nr];
}

/* Isolate a random pageblock of added memory, or end its isolation. */
static void turn_isolation(struct ktest *test, struct window *w)
{
	struct mem_section *ms =
		pfn_to_section(w->mm, window_pfn(w, 1 + prng_below(&test->prng, 4)));
	const u64 bit = BIT(prng_below(&test->prng, PAGEBLOCKS_PER_SECTION));

	if (pb_read(&ms->pb[__ffs(bit)]) & PB_ISOLATE)
		pageblocks_unisolate(ms, bit);
	else
		KTEST_EXPECT_EQ(test, pageblocks_isolate(ms, bit), 0);
}

static void end_isolation(struct window *w)
{
	for (unsigned int n = 1; n < NR_BLOCKS; n++) {
		struct mem_section *ms = pfn_to_section(w->mm, window_pfn(w, n));

		for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++)
			if (pb_read(&ms->pb[b]) & PB_ISOLATE)
				pageblocks_unisolate(ms, BIT(b));
	}
}

/*
 * Requests of all types and orders among free, partly free, isolated and unplugged
 * pageblocks, in five sections and two zones: each is served where the rules say.
 */
static void each_request_has_its_place(struct ktest *test)
{
	struct window *w = open_blocks(test);
	struct held *h = ktest_alloc(test, sizeof(*h));
	bool full = false;

	h->nr = 0;
	for (unsigned int step = 0; step < 1500; step++) {
		const unsigned int dice = prng_below(&test->prng, 100);

		if (dice < 5)
			turn_isolation(test, w);
		else if (h->nr &&
			 (dice < (step % 500 < 300 ? 25 : 75) || h->nr == NR_CHUNKS))
			free_one(test, w, h);
		else
			full |= !place_one(test, w, h);
	}
	/* At least one request finds no place, whatever the seed. */
	while (!full) {
		if (h->nr == NR_CHUNKS)
			free_one(test, w, h);
		full = !place_one(test, w, h);
	}
	window_check(test, w);
	end_isolation(w);
	while (h->nr)
		free_one(test, w, h);
}

/* Allocate single frames until none is left; expect them from these blocks, in this order. */
static void expect_blocks(struct ktest *test, struct window *w, u32 gfp, const u8 *blocks,
			  unsigned int nr)
{
	unsigned int at = 0;
	unsigned long pfn;

	while ((pfn = alloc_pages(w->mm, QUIET | gfp, 0, PGTY_KERNEL)) != PFN_NONE) {
		const unsigned long block = (pfn - w->base) / PAGES_PER_SECTION;

		while (at < nr && blocks[at] != block)
			at++;
		KTEST_ASSERT_LT(test, at, nr);
	}
	KTEST_EXPECT_EQ(test, at, nr - 1);
}

/*
 * Kernel data fills boot memory, then the pageblocks of the blocks' headers, which are of
 * its type, then added memory from the bottom.
 */
static void kernel_data_fills_boot_memory_first(struct ktest *test)
{
	static const u8 blocks[] = { 0, 1, 2, 3, 1, 2, 3 };

	expect_blocks(test, open_blocks(test), GFP_KERNEL, blocks, ARRAY_SIZE(blocks));
}

/*
 * Movable pages fill zone Movable, then added memory from the top: free pageblocks without a
 * free buddy, pairs, and the pageblocks of the headers; last comes boot memory.
 */
static void movable_pages_fill_added_memory_first(struct ktest *test)
{
	static const u8 blocks[] = { 4, 3, 2, 1, 3, 2, 1, 3, 2, 1, 0 };

	expect_blocks(test, open_blocks(test), GFP_MOVABLE, blocks, ARRAY_SIZE(blocks));
}

/* As long as boot memory has any free frame, kernel data pins no added memory. */
static void last_boot_frames_serve_kernel_data(struct ktest *test)
{
	struct window *w = open_blocks(test);
	unsigned long pfn, nr = 0;

	while ((pfn = alloc_pages(w->mm, QUIET, 0, PGTY_KERNEL)) < window_pfn(w, 1))
		nr++;
	free_pages(w->mm, pfn, 0);
	KTEST_ASSERT_GT(test, nr, PB);
	/* Every 16th frame becomes free, in Movable pageblocks: none can be claimed. */
	for (unsigned long i = 0; i < 8 * PB; i++) {
		pfn = w->base + 8 * PB + i;
		spin_lock(&w->mm->zone[ZONE_NORMAL].lock);
		pageblock_set_migratetype(pfn_to_section(w->mm, pfn),
					  pageblock_index(pfn), MIGRATE_MOVABLE);
		spin_unlock(&w->mm->zone[ZONE_NORMAL].lock);
		if (i % 16 == 0)
			free_pages(w->mm, pfn, 0);
	}
	for (unsigned long i = 0; i < 8 * PB / 16; i++)
		KTEST_EXPECT_LT(test, alloc_pages(w->mm, QUIET, 0, PGTY_KERNEL),
				window_pfn(w, 1));
	KTEST_EXPECT_GE(test, alloc_pages(w->mm, QUIET, 0, PGTY_KERNEL),
			window_pfn(w, 1));
}

/* Kernel data and movable pages start at opposite ends of one memory. */
static void types_grow_towards_each_other(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	unsigned long low = 0, high = PFN_NONE;

	for (unsigned int i = 0; i < 7 * PB; i++) {
		const unsigned long kernel = alloc_pages(w->mm, QUIET, 0, PGTY_KERNEL);
		const unsigned long movable =
			alloc_pages(w->mm, QUIET | GFP_MOVABLE, 0, PGTY_KERNEL);

		low = max(low, ALIGN_DOWN(kernel, PB));
		if (movable >=
		    w->base + PB) /* the first pageblock is not whole: the best fit */
			high = min(high, ALIGN_DOWN(movable, PB));
	}
	KTEST_EXPECT_LT(test, low, high);
}

static const struct ktest_case placement_cases[] = {
	KTEST_CASE(each_request_has_its_place),
	KTEST_CASE(kernel_data_fills_boot_memory_first),
	KTEST_CASE(movable_pages_fill_added_memory_first),
	KTEST_CASE(last_boot_frames_serve_kernel_data),
	KTEST_CASE(types_grow_towards_each_other),
	{},
};
static struct ktest_suite placement_suite = { .name = "placement",
					      .cases = placement_cases };
KTEST_SUITE(placement_suite);
