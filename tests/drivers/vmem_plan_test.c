/* SPDX-License-Identifier: BSD-2-Clause */
/* The plan alone, on hand-made maps: which memory to plug and unplug next. */
#include "drivers/virtio/mem/vmem_plan.h"
#include "kernel/ktest.h"
#include "lib/bitops.h"
#include "lib/string.h"

#define BLOCKS	 8
#define PBS	 PAGEBLOCKS_PER_SECTION
#define FIRST	 16UL /* memory block id of block 0 */
#define BASE	 (FIRST * PBS)
#define RUNS	 16
#define ALL	 (~0UL)

/* A map with its storage, mm's answers, and the frames in use of each pageblock. */
struct plan {
	struct vmem_map map;
	struct memory_block_info info[BLOCKS];
	struct vmem_block block[BLOCKS];
	unsigned long ids[BLOCKS];
	u16 used[BLOCKS * PBS];
	struct vmem_run run[RUNS];
};

static struct memory_block_info plan_info(void *ctx, unsigned long block)
{
	const struct plan *p = ctx;

	return p->info[block - FIRST];
}

static unsigned long plan_next(void *ctx, unsigned long block)
{
	const struct plan *p = ctx;

	for (; block < FIRST + BLOCKS; block++)
		if (p->info[block - FIRST].state != MEM_BLOCK_ABSENT)
			return block;
	return PFN_NONE;
}

static u32 plan_used(void *ctx, unsigned long start, u64 mask)
{
	const struct plan *p = ctx;
	u32 sum = 0;

	for (; mask; mask &= mask - 1)
		sum += p->used[start - BASE + __ffs(mask)];
	return sum;
}

static struct plan *plan_make(struct ktest *test, unsigned int granule)
{
	struct plan *p = ktest_alloc(test, sizeof(*p));

	p->map = (struct vmem_map){
		.start = BASE,
		.end = BASE + BLOCKS * PBS,
		.usable_end = BASE + BLOCKS * PBS,
		.granule = granule,
		.max_run = ALIGN_DOWN(65535UL, (unsigned long)granule),
		.first_block = FIRST,
		.nr_blocks = BLOCKS,
		.info = plan_info,
		.next = plan_next,
		.used = plan_used,
		.ctx = p,
		.block = p->block,
		.ids = p->ids,
	};
	return p;
}

/* Add block @i with these pageblocks plugged; the first of them has the block's metadata. */
static void have(struct plan *p, unsigned long i, u64 mask)
{
	p->info[i] = (struct memory_block_info){ .state = MEM_BLOCK_ONLINE,
						 .removable = true,
						 .plugged = mask,
						 .header = mask & -mask };
}

static void expect_run(struct ktest *test, const struct vmem_run *run, unsigned long start,
		       unsigned long nr)
{
	KTEST_EXPECT_EQ(test, run->start - BASE, start);
	KTEST_EXPECT_EQ(test, run->nr, nr);
}

/* Masks for ranges that begin or end within a block, and for whole blocks. */
static void masks(struct ktest *test)
{
	struct plan *p = plan_make(test, 1);

	KTEST_EXPECT_EQ(test, vmem_mask(&p->map, 0, BASE, BASE + PBS), ALL);
	KTEST_EXPECT_EQ(test, vmem_mask(&p->map, 0, BASE + 1, BASE + PBS), ALL << 1);
	KTEST_EXPECT_EQ(test, vmem_mask(&p->map, 0, BASE, BASE + 1), 1);
	KTEST_EXPECT_EQ(test, vmem_mask(&p->map, 1, BASE + 63, BASE + 66), 3);
	KTEST_EXPECT_EQ(test, vmem_mask(&p->map, 2, BASE, BASE + 128), 0);
	KTEST_EXPECT_EQ(test, vmem_mask(&p->map, 1, 0, ~0UL), ALL);
}

/* Growing an empty region by 1 GiB takes one run. */
static void grow_empty(struct ktest *test)
{
	struct plan *p = plan_make(test, 1);

	KTEST_ASSERT_EQ(test, vmem_plan_plug(&p->map, 512, p->run, RUNS), 1);
	expect_run(test, &p->run[0], 0, 512);
	KTEST_EXPECT_EQ(test, vmem_plan_plug(&p->map, 10000, p->run, RUNS), 1);
	expect_run(test, &p->run[0], 0, 512);
}

/* 300 MiB -> 1 GiB: the rest of block 2 and the blocks after it are one run. */
static void grow_tail(struct ktest *test)
{
	struct plan *p = plan_make(test, 1);

	have(p, 0, ALL);
	have(p, 1, ALL);
	have(p, 2, (1UL << 22) - 1);
	KTEST_ASSERT_EQ(test, vmem_plan_plug(&p->map, 362, p->run, RUNS), 1);
	expect_run(test, &p->run[0], 150, 362);
}

/* The plan fills partial blocks first, even high ones, lowest holes first; then new blocks. */
static void grow_partial_first(struct ktest *test)
{
	struct plan *p = plan_make(test, 1);

	have(p, 1, ALL & ~0xf0UL);
	have(p, 6, 1);
	KTEST_ASSERT_EQ(test, vmem_plan_plug(&p->map, 10, p->run, RUNS), 2);
	expect_run(test, &p->run[0], 64 + 4, 4);
	expect_run(test, &p->run[1], 6 * 64 + 1, 6);
	KTEST_ASSERT_EQ(test, vmem_plan_plug(&p->map, 4 + 63 + 70, p->run, RUNS), 4);
	expect_run(test, &p->run[2], 0, 64);
	expect_run(test, &p->run[3], 128, 6);
}

/* The plan merges runs that it found separately if they turn out to be adjacent. */
static void grow_merges(struct ktest *test)
{
	struct plan *p = plan_make(test, 1);

	have(p, 2, ALL << 10);
	have(p, 5, ALL);
	p->map.start = BASE + 5;
	p->map.usable_end = BASE + 4 * PBS;
	KTEST_ASSERT_EQ(test, vmem_plan_plug(&p->map, 1000, p->run, RUNS), 2);
	expect_run(test, &p->run[0], 3 * PBS, PBS);
	expect_run(test, &p->run[1], 5, 2 * PBS + 10 - 5);
}

/* If the runs of a full list have become adjacent, the list has room for the next run. */
static void full_list_is_merged(struct ktest *test)
{
	struct plan *p = plan_make(test, 1);

	have(p, 0, 1);
	have(p, 2, ALL << 63);
	have(p, 3, ALL);
	KTEST_ASSERT_EQ(test, vmem_plan_plug(&p->map, 10000, p->run, 2), 2);
	expect_run(test, &p->run[0], 1, 63 + 64 + 63);
	expect_run(test, &p->run[1], 4 * PBS, 4 * PBS);
}

/* The plan goes neither beyond the usable region nor below its start. */
static void grow_bounds(struct ktest *test)
{
	struct plan *p = plan_make(test, 4);

	p->map.start += 12;
	p->map.usable_end = BASE + 20;
	KTEST_ASSERT_EQ(test, vmem_plan_plug(&p->map, 400, p->run, RUNS), 1);
	expect_run(test, &p->run[0], 12, 8);
	p->map.usable_end = p->map.start;
	KTEST_EXPECT_EQ(test, vmem_plan_plug(&p->map, 400, p->run, RUNS), 0);
}

/* A request's count has 16 bits: a long run becomes several requests. */
static void max_run(struct ktest *test)
{
	struct plan *p = plan_make(test, 2);

	p->map.max_run = 126;
	KTEST_ASSERT_EQ(test, vmem_plan_plug(&p->map, 300, p->run, RUNS), 3);
	for (unsigned int i = 0; i < 3; i++)
		KTEST_EXPECT_LE(test, p->run[i].nr, 126);
	KTEST_EXPECT_EQ(test, vmem_plan_plug(&p->map, 300, p->run, 2), 2);
}

/*
 * The plan leaves out reserved pageblocks of an absent block; vmem_plan_reserved() finds
 * them from the top.
 */
static void reserved(struct ktest *test)
{
	struct plan *p = plan_make(test, 1);
	const struct vmem_run run = { BASE + 60, 8 };

	vmem_reserve(&p->map, &run);
	KTEST_EXPECT_EQ(test, p->map.nr_reserved, 8);
	KTEST_EXPECT_EQ(test, p->block[0].reserved, 0xfUL << 60);
	KTEST_EXPECT_EQ(test, p->block[1].reserved, 0xf);
	KTEST_ASSERT_EQ(test, vmem_plan_reserved(&p->map, 100, p->run, RUNS), 1);
	expect_run(test, &p->run[0], 60, 8);
	KTEST_ASSERT_EQ(test, vmem_plan_reserved(&p->map, 3, p->run, RUNS), 1);
	expect_run(test, &p->run[0], 65, 3);
	KTEST_ASSERT_EQ(test, vmem_plan_plug(&p->map, 64, p->run, RUNS), 1);
	expect_run(test, &p->run[0], 128, 64);
	vmem_unreserve(&p->map, &run);
	KTEST_EXPECT_EQ(test, p->map.nr_reserved, 0);
}

/* The plan removes empty blocks from the top, as many as fit into the wanted size. */
static void remove_empty(struct ktest *test)
{
	struct plan *p = plan_make(test, 1);

	for (unsigned long i = 0; i < 8; i++)
		have(p, i, i == 5 ? 0xff : ALL);
	p->used[6 * PBS + 3] = 1;
	vmem_map_scan(&p->map);
	KTEST_ASSERT_EQ(test, vmem_plan_blocks(&p->map, 150, VMEM_FREE), 3);
	KTEST_EXPECT_EQ(test, p->ids[0], FIRST + 4);
	KTEST_EXPECT_EQ(test, p->ids[1], FIRST + 5);
	KTEST_EXPECT_EQ(test, p->ids[2], FIRST + 7);
	p->block[7].stays = true;
	/* A partial block goes before a full block, so that few partial blocks are left. */
	KTEST_EXPECT_EQ(test, vmem_plan_blocks(&p->map, 64, VMEM_FREE), 1);
	KTEST_EXPECT_EQ(test, p->ids[0], FIRST + 5);
	KTEST_EXPECT_EQ(test, vmem_plan_blocks(&p->map, 7, VMEM_FREE), 0);
}

/* The emptiest block goes first; among equals, the highest. */
static void remove_emptiest(struct ktest *test)
{
	struct plan *p = plan_make(test, 1);

	for (unsigned long i = 0; i < 6; i++) {
		have(p, i, ALL);
		p->used[i * PBS + 10] = i == 2 ? 3 : 100;
	}
	vmem_map_scan(&p->map);
	KTEST_ASSERT_EQ(test, vmem_plan_blocks(&p->map, 130, VMEM_ANY), 2);
	KTEST_EXPECT_EQ(test, p->ids[0], FIRST + 2);
	KTEST_EXPECT_EQ(test, p->ids[1], FIRST + 5);
	KTEST_EXPECT_EQ(test, vmem_plan_blocks(&p->map, 130, VMEM_FREE), 0);
	p->info[2].removable = false;
	KTEST_ASSERT_EQ(test, vmem_plan_blocks(&p->map, 64, VMEM_ANY), 1);
	KTEST_EXPECT_EQ(test, p->ids[0], FIRST + 5);
}

/*
 * Granules of a block: the granule with the metadata stays; empty granules go first, from
 * the top, then the emptiest.
 */
static void granules(struct ktest *test)
{
	struct plan *p = plan_make(test, 1);

	have(p, 0, ALL);
	for (unsigned int b = 0; b < PBS; b++)
		p->used[b] = b < 60 ? 400 : 0;
	p->used[20] = 8;
	p->used[21] = 8;
	vmem_map_scan(&p->map);
	KTEST_ASSERT_EQ(test, vmem_plan_granules(&p->map, 10, VMEM_FREE, p->run, RUNS), 1);
	expect_run(test, &p->run[0], 60, 4);
	KTEST_ASSERT_EQ(test, vmem_plan_granules(&p->map, 5, VMEM_ANY, p->run, RUNS), 2);
	expect_run(test, &p->run[0], 60, 4);
	expect_run(test, &p->run[1], 21, 1);
	p->block[0].skip = BIT(63) | BIT(21);
	KTEST_ASSERT_EQ(test, vmem_plan_granules(&p->map, 5, VMEM_ANY, p->run, RUNS), 2);
	expect_run(test, &p->run[0], 59, 4);
	expect_run(test, &p->run[1], 20, 1);
}

/* The plan can unplug all but the metadata's granule, whatever the granule's size. */
static void granules_all(struct ktest *test)
{
	for (unsigned int granule = 1; granule <= 32; granule *= 2) {
		struct plan *p = plan_make(test, granule);

		have(p, 3, ALL);
		vmem_map_scan(&p->map);
		KTEST_ASSERT_EQ(test, vmem_plan_granules(&p->map, 64, VMEM_ANY, p->run, RUNS), 1);
		expect_run(test, &p->run[0], 192 + granule, 64 - granule);
		p->info[3].removable = false;
		p->info[3].header = 0;
		KTEST_ASSERT_EQ(test, vmem_plan_granules(&p->map, 64, VMEM_ANY, p->run, RUNS), 1);
		expect_run(test, &p->run[0], 192, 64);
	}
}

/* Return the number of pageblocks in a plan's runs. */
static unsigned long total(const struct vmem_run *run, unsigned int nr)
{
	unsigned long sum = 0;

	while (nr--)
		sum += run[nr].nr;
	return sum;
}

/*
 * Check that no two runs overlap, that all lie in the region, and that none has a plugged
 * or reserved pageblock.
 */
static void check_plug_runs(struct ktest *test, const struct plan *p, unsigned int nr)
{
	for (unsigned int r = 0; r < nr; r++) {
		const struct vmem_run *run = &p->run[r];

		KTEST_ASSERT_GE(test, run->start, p->map.start);
		KTEST_ASSERT_LE(test, run->start + run->nr, p->map.usable_end);
		KTEST_ASSERT_EQ(test, (run->start | run->nr) % p->map.granule, 0);
		for (unsigned long i = 0; i < BLOCKS; i++)
			KTEST_ASSERT_EQ(test,
					vmem_run_mask(&p->map, i, run) &
						(p->info[i].plugged |
						 p->block[i].reserved),
					0);
		for (unsigned int o = 0; o < r; o++)
			KTEST_ASSERT_TRUE(test,
					  p->run[o].start >= run->start + run->nr ||
						  run->start >=
							  p->run[o].start + p->run[o].nr);
	}
}

/* Random maps: plans are legal, and as large as the request and the region allow. */
static void random_maps(struct ktest *test)
{
	for (unsigned int turn = 0; turn < 500; turn++) {
		const unsigned int granule = 1U << prng_below(&test->prng, 6);
		struct plan *p = turn == 0 ? plan_make(test, granule) : test->priv;
		const unsigned long want = granule * (1 + prng_below(&test->prng, 512 / granule));
		unsigned long room = 0;
		unsigned int nr;

		test->priv = p;
		memset(p->block, 0, sizeof(p->block));
		memset(p->info, 0, sizeof(p->info));
		p->map.granule = granule;
		p->map.max_run = ALIGN_DOWN(65535UL, (unsigned long)granule);
		p->map.nr_reserved = 0;
		for (unsigned long i = 0; i < BLOCKS; i++) {
			u64 mask = 0;

			for (unsigned int b = 0; b < PBS; b += granule)
				if (prng_below(&test->prng, 4))
					mask |= (ALL >> (64 - granule)) << b;
			if (mask && prng_below(&test->prng, 3))
				have(p, i, mask);
			room += PBS - hweight64(p->info[i].plugged);
		}
		nr = vmem_plan_plug(&p->map, want, p->run, RUNS);
		check_plug_runs(test, p, nr);
		KTEST_ASSERT_LE(test, total(p->run, nr), min(want, room));
		if (nr < RUNS)
			KTEST_ASSERT_EQ(test, total(p->run, nr), min(want, room));
	}
}

static struct memory_block_info full_block(void *ctx, unsigned long block)
{
	const struct vmem_block *b = ctx;

	return (struct memory_block_info){ .state = MEM_BLOCK_ONLINE,
					   .removable = true,
					   .plugged = ~b[block - 16].reserved };
}

static unsigned long any_block(void *, unsigned long block)
{
	return block;
}

/* The plan does not remove a block that has reserved pageblocks. */
static void block_with_reserved_stays(struct ktest *test)
{
	struct vmem_block block[2] = { {}, { .reserved = 1UL << 63 } };
	unsigned long ids[2];
	struct vmem_map map = { .info = full_block,
				.next = any_block,
				.ctx = block,
				.block = block,
				.ids = ids,
				.nr_blocks = 2,
				.first_block = 16,
				.granule = 1 };

	for (unsigned int effort = VMEM_FREE; effort <= VMEM_ANY; effort++) {
		KTEST_EXPECT_EQ(test, vmem_plan_blocks(&map, 128, effort), 1);
		KTEST_EXPECT_EQ(test, ids[0], 16);
	}
}

static const struct ktest_case vmem_plan_cases[] = {
	KTEST_CASE(masks),
	KTEST_CASE(grow_empty),
	KTEST_CASE(grow_tail),
	KTEST_CASE(grow_partial_first),
	KTEST_CASE(grow_merges),
	KTEST_CASE(full_list_is_merged),
	KTEST_CASE(grow_bounds),
	KTEST_CASE(max_run),
	KTEST_CASE(reserved),
	KTEST_CASE(remove_empty),
	KTEST_CASE(remove_emptiest),
	KTEST_CASE(granules),
	KTEST_CASE(granules_all),
	KTEST_CASE(random_maps),
	KTEST_CASE(block_with_reserved_stays),
	{},
};

static struct ktest_suite vmem_plan_suite = { .name = "vmem_plan", .cases = vmem_plan_cases };
KTEST_SUITE(vmem_plan_suite);
