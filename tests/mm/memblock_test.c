/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memblock keeps ranges sorted, disjoint and merged, in whatever order they are added. Also
 * allocations, limits, and a comparison with a byte-per-page model.
 */
#include "kernel/ktest.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/memblock.h"
#include "mm/page.h"

#define MODEL_PAGES 512
#define MODEL_BASE  0x80000000UL

static struct memblock mb;

static int memblock_test_init(struct ktest *test)
{
	(void)test;
	memset(&mb, 0, sizeof(mb));
	return 0;
}

static void expect_sorted(struct ktest *test, const struct memblock_type *t)
{
	for (unsigned int i = 0; i < t->nr; i++) {
		const struct memblock_region *r = &t->region[i];

		KTEST_EXPECT_GT(test, r->size, 0);
		KTEST_EXPECT_EQ(test, (r->base | r->size) % PAGE_SIZE, 0);
		if (!i)
			continue;
		KTEST_EXPECT_GE(test, r->base, r[-1].base + r[-1].size);
		if (r->base == r[-1].base + r[-1].size)
			KTEST_EXPECT_NE(test, r->type, r[-1].type);
	}
}

/* Ranges merge in any order, and partial pages do not count as memory. */
static void add_merges_and_rounds_in(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x3000, 0x1000), 0);
	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x1000, 0x1000), 0);
	KTEST_EXPECT_EQ(test, mb.memory.nr, 2);
	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x1800, 0x17ff), 0);
	KTEST_EXPECT_EQ(test, mb.memory.nr, 2);
	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x2000, 0x1000), 0);
	KTEST_EXPECT_EQ(test, mb.memory.nr, 1);
	KTEST_EXPECT_EQ(test, memblock_total(&mb), 0x3000);
	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x9001, 0xffe), 0);
	KTEST_EXPECT_EQ(test, mb.memory.nr, 1);
	expect_sorted(test, &mb.memory);
}

/* A range over many others takes only the gaps; the earlier ranges keep their types. */
static void reserve_keeps_the_first_type(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, memblock_reserve(&mb, 0x2800, 0x10, PGTY_FIRMWARE), 0);
	KTEST_EXPECT_EQ(test, memblock_reserve(&mb, 0x5000, 0x1000, PGTY_IMAGE), 0);
	KTEST_EXPECT_EQ(test, memblock_reserve(&mb, 0x1000, 0x6000, PGTY_BOOT), 0);
	KTEST_ASSERT_EQ(test, mb.reserved.nr, 5);
	KTEST_EXPECT_EQ(test, mb.reserved.region[1].type, PGTY_FIRMWARE);
	KTEST_EXPECT_EQ(test, mb.reserved.region[1].base, 0x2000);
	KTEST_EXPECT_EQ(test, mb.reserved.region[3].type, PGTY_IMAGE);
	expect_sorted(test, &mb.reserved);
}

/* An allocation gets the lowest free range, aligned, below the limit, never frame 0. */
static void alloc_takes_the_lowest(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0, 0x100000), 0);
	KTEST_EXPECT_EQ(test, memblock_reserve(&mb, 0x1000, 0x1000, PGTY_IMAGE), 0);
	KTEST_EXPECT_EQ(test, memblock_alloc_from(&mb, 1, 1, PGTY_BOOT), 0x2000);
	KTEST_EXPECT_EQ(test, memblock_alloc_from(&mb, 0x3000, 0x8000, PGTY_BOOT), 0x8000);
	KTEST_EXPECT_EQ(test, memblock_alloc_from(&mb, 0x1000, 0x1000, PGTY_BOOT), 0x3000);
	mb.limit = 0x10000;
	KTEST_EXPECT_EQ(test, memblock_alloc_from(&mb, 0x8000, 0x1000, PGTY_BOOT), 0);
	mb.limit = 0;
	KTEST_EXPECT_EQ(test, memblock_alloc_from(&mb, 0x8000, 0x1000, PGTY_BOOT), 0xb000);
	KTEST_EXPECT_EQ(test, memblock_alloc_from(&mb, 0x100000, 0x1000, PGTY_BOOT), 0);
	KTEST_EXPECT_EQ(test, memblock_alloc_from(&mb, 0, 0x1000, PGTY_BOOT), 0);
}

/* A reservation across two memory ranges and the hole between them is seen in both. */
static void next_free_sees_reservations_across_holes(struct ktest *test)
{
	phys_addr_t base = 0;
	u64 size = 0;

	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x10000, 0x4000), 0);
	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x20000, 0x4000), 0);
	KTEST_EXPECT_EQ(test, memblock_reserve(&mb, 0x12000, 0x10000, PGTY_BOOT), 0);
	KTEST_ASSERT_TRUE(test, memblock_next_free(&mb, 0, &base, &size));
	KTEST_EXPECT_EQ(test, base, 0x10000);
	KTEST_EXPECT_EQ(test, size, 0x2000);
	KTEST_ASSERT_TRUE(test, memblock_next_free(&mb, base + size, &base, &size));
	KTEST_EXPECT_EQ(test, base, 0x22000);
	KTEST_EXPECT_EQ(test, size, 0x2000);
	KTEST_EXPECT_FALSE(test, memblock_next_free(&mb, base + size, &base, &size));
}

/*
 * Two reservations of different types touch. The first begins in the second range of
 * memory, in the hole before it, or in the first range.
 */
static void next_free_sees_neighbours_behind_a_range(struct ktest *test)
{
	static const struct {
		phys_addr_t first, second; /* where the two begin; the second ends at 0x24000 */
	} rows[] = { { 0x21000, 0x22000 }, { 0x20000, 0x21000 }, { 0x18000, 0x22000 },
		     { 0x13000, 0x18000 }, { 0x13000, 0x22000 } };
	phys_addr_t base = 0, last = 0;
	u64 size = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(&mb, 0, sizeof(mb));
		KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x10000, 0x4000), 0);
		KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x20000, 0x8000), 0);
		KTEST_EXPECT_EQ(test, memblock_reserve(&mb, rows[i].first,
						       rows[i].second - rows[i].first,
						       PGTY_FIRMWARE), 0);
		KTEST_EXPECT_EQ(test, memblock_reserve(&mb, rows[i].second,
						       0x24000 - rows[i].second, PGTY_IMAGE), 0);
		for (base = size = 0; memblock_next_free(&mb, base + size, &base, &size);
		     last = base + size)
			KTEST_EXPECT_TRUE(test, base + size <= rows[i].first || base >= 0x24000);
		KTEST_EXPECT_EQ(test, last, 0x28000);
	}
}

static void limit_keeps_the_first_bytes(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x10000, 0x4000), 0);
	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x20000, 0x4000), 0);
	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x30000, 0x4000), 0);
	memblock_enforce_limit(&mb, 0x6800);
	KTEST_EXPECT_EQ(test, mb.memory.nr, 2);
	KTEST_EXPECT_EQ(test, memblock_total(&mb), 0x6000);
	memblock_enforce_limit(&mb, SZ_1G);
	KTEST_EXPECT_EQ(test, memblock_total(&mb), 0x6000);
	memblock_enforce_limit(&mb, 0);
	KTEST_EXPECT_EQ(test, memblock_total(&mb), 0);
}

/* A full array refuses another range and does not change. */
static void full_array_is_refused(struct ktest *test)
{
	struct memblock_type before;

	for (unsigned long i = 0; i < MEMBLOCK_MAX_REGIONS; i++)
		KTEST_ASSERT_EQ(test, memblock_add(&mb, 0x10000 * (i + 1), 0x3000), 0);
	memcpy(&before, &mb.memory, sizeof(before));
	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x1000, 0x1000), -ENOSPC);
	KTEST_EXPECT_EQ(test, memblock_add(&mb, ~0UL - 0x10000, ~0UL), -ENOSPC);
	KTEST_EXPECT_EQ(test, memcmp(&before, &mb.memory, sizeof(before)), 0);
	KTEST_EXPECT_EQ(test, memblock_add(&mb, 0x10000, 0x1000), 0);
	KTEST_EXPECT_EQ(test, memcmp(&before, &mb.memory, sizeof(before)), 0);
}

/* Compare random adds with a byte per page; now and then start again with no memory. */
static void random_against_model(struct ktest *test)
{
	u8 *model = ktest_alloc(test, MODEL_PAGES);

	for (unsigned int step = 0; step < 400; step++) {
		unsigned long at = prng_below(&test->prng, MODEL_PAGES - 40);
		unsigned long nr = 1 + prng_below(&test->prng, 40);
		phys_addr_t base = MODEL_BASE + at * PAGE_SIZE;
		u64 total = 0;

		if (step % 20 == 0) {
			mb.memory.nr = 0;
			memset(model, 0, MODEL_PAGES);
		}
		KTEST_ASSERT_EQ(test, memblock_add(&mb, base, nr * PAGE_SIZE), 0);
		memset(model + at, 1, nr);
		for (unsigned int i = 0; i < MODEL_PAGES; i++)
			total += model[i] * PAGE_SIZE;
		KTEST_ASSERT_EQ(test, memblock_total(&mb), total);
		expect_sorted(test, &mb.memory);
		for (unsigned int i = 0; i < mb.memory.nr; i++) {
			const struct memblock_region *r = &mb.memory.region[i];
			u8 *m = model + (r->base - MODEL_BASE) / PAGE_SIZE;

			KTEST_ASSERT_NULL(test, memchr(m, 0, r->size / PAGE_SIZE));
		}
	}
}

static const struct ktest_case memblock_cases[] = {
	KTEST_CASE(add_merges_and_rounds_in),
	KTEST_CASE(reserve_keeps_the_first_type),
	KTEST_CASE(alloc_takes_the_lowest),
	KTEST_CASE(next_free_sees_reservations_across_holes),
	KTEST_CASE(next_free_sees_neighbours_behind_a_range),
	KTEST_CASE(limit_keeps_the_first_bytes),
	KTEST_CASE(full_array_is_refused),
	KTEST_CASE(random_against_model),
	{}
};

static struct ktest_suite memblock_suite = {
	.name = "memblock",
	.init = memblock_test_init,
	.cases = memblock_cases,
};
KTEST_SUITE(memblock_suite);
