/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random lives of blocks against a model that knows, for each block, its state and
 * what is plugged: every request succeeds exactly when the model says so, and the
 * managed count is the model's sum after every step.
 */
#include "lib/bitops.h"
#include "lib/errno.h"
#include "mm/page_alloc.h"
#include "tests/mm/hotplug_window.h"

#define NR_STEPS 250U
#define PB	 PAGEBLOCK_NR_PAGES

/* One block as the model sees it. @used: an allocated frame, or PFN_NONE. */
struct model_block {
	enum memory_block_state state;
	enum zone_type zone;
	u64 plugged;
	u64 host; /* the metadata's pageblock */
	unsigned long used;
};

struct model {
	struct ktest *test;
	struct window *w;
	struct model_block block[WINDOW_BLOCKS];
	unsigned long n;
	struct model_block *b;
};

static u64 random_mask(struct model *m)
{
	const unsigned int first = prng_below(&m->test->prng, PAGEBLOCKS_PER_SECTION);
	const unsigned int nr = 1 + prng_below(&m->test->prng, PAGEBLOCKS_PER_SECTION - first);

	return GENMASK(first + nr - 1, first);
}

static struct pfn_range mask_range(const struct model *m, u64 mask)
{
	return (struct pfn_range){ window_pfn(m->w, m->n) + __ffs(mask) * PB,
				   hweight64(mask) * PB };
}

static void do_add(struct model *m)
{
	const u64 plugged = random_mask(m) | random_mask(m);
	int err = add_memory(m->w->mm, m->w->block + m->n, &m->w->owner, plugged, NO_WHY);

	KTEST_ASSERT_EQ(m->test, err, m->b->state == MEM_BLOCK_ABSENT ? 0 : -EEXIST);
	if (!err)
		*m->b = (struct model_block){ .state = MEM_BLOCK_OFFLINE, .plugged = plugged,
					      .host = BIT(__ffs(plugged)), .used = PFN_NONE };
}

static void do_online(struct model *m)
{
	const enum zone_type zone = prng_below(&m->test->prng, NR_ZONES);
	int err = online_memory_block(
		m->w->mm, m->w->block + m->n,
		zone == ZONE_MOVABLE ? MMOP_ONLINE_MOVABLE : MMOP_ONLINE_KERNEL, NO_WHY);

	KTEST_ASSERT_EQ(m->test, err == 0, m->b->state == MEM_BLOCK_OFFLINE);
	if (!err) {
		m->b->state = MEM_BLOCK_ONLINE;
		m->b->zone = zone;
	}
}

static void do_offline(struct model *m)
{
	const bool can = m->b->state == MEM_BLOCK_ONLINE && m->b->used == PFN_NONE;
	int err = offline_memory_block(m->w->mm, m->w->block + m->n, NULL, NO_WHY);

	KTEST_ASSERT_EQ(m->test, err == 0, can);
	if (!err)
		m->b->state = MEM_BLOCK_OFFLINE;
}

static void do_remove(struct model *m)
{
	const unsigned long block = m->w->block + m->n;
	const bool both = prng_below(&m->test->prng, 2);
	bool can = m->b->state == MEM_BLOCK_OFFLINE;
	int err;

	if (both)
		can |= m->b->state == MEM_BLOCK_ONLINE && m->b->used == PFN_NONE;
	err = both ? offline_and_remove_memory(m->w->mm, &block, 1, NULL, NO_WHY)
		   : try_remove_memory(m->w->mm, block, NO_WHY);
	KTEST_ASSERT_EQ(m->test, err == 0, can);
	if (!err)
		m->b->state = MEM_BLOCK_ABSENT;
}

static void do_plug(struct model *m)
{
	const u64 mask = random_mask(m);
	const struct pfn_range range = mask_range(m, mask);
	const bool can = m->b->state != MEM_BLOCK_ABSENT && !(mask & m->b->plugged);
	int err = mhp_plug_range(m->w->mm, &range, NO_WHY);

	KTEST_ASSERT_EQ(m->test, err == 0, can);
	if (!err)
		m->b->plugged |= mask;
}

static void do_unplug(struct model *m)
{
	const u64 mask = random_mask(m);
	const struct pfn_range range = mask_range(m, mask);
	const bool can = m->b->state != MEM_BLOCK_ABSENT && !(mask & ~m->b->plugged) &&
			 !(mask & m->b->host) &&
			 (m->b->used == PFN_NONE ||
			  m->b->used - range.start_pfn >= range.nr_pages);
	int err = mhp_unplug_prepare(m->w->mm, &range, NULL, NO_WHY);

	KTEST_ASSERT_EQ(m->test, err == 0, can);
	if (err)
		return;
	if (prng_below(&m->test->prng, 4))
		m->b->plugged &= ~mask;
	else
		mhp_unplug_cancel(m->w->mm, &range);
}

/* Take one frame in the block, or give it back. */
static void do_use(struct model *m)
{
	const unsigned int pb = prng_below(&m->test->prng, PAGEBLOCKS_PER_SECTION);
	const unsigned long pfn = window_pfn(m->w, m->n) + pb * PB + 200;
	const bool can = m->b->state == MEM_BLOCK_ONLINE && (m->b->plugged & BIT(pb));

	if (m->b->state == MEM_BLOCK_ONLINE && m->b->used != PFN_NONE) {
		free_pages(m->w->mm, m->b->used, 0);
		m->b->used = PFN_NONE;
		return;
	}
	if (m->b->state != MEM_BLOCK_ONLINE)
		return;
	KTEST_ASSERT_EQ(m->test, alloc_pages_at(m->w->mm, pfn, 0, PGTY_KERNEL) == 0, can);
	if (can)
		m->b->used = pfn;
}

static void expect_model(struct model *m, unsigned long boot_managed)
{
	unsigned long managed[NR_ZONES] = { boot_managed, 0 };

	for (unsigned long n = 1; n < WINDOW_BLOCKS; n++) {
		const struct model_block *b = &m->block[n];

		KTEST_ASSERT_EQ(m->test, memory_block_state(m->w->mm, m->w->block + n), b->state);
		if (b->state == MEM_BLOCK_ONLINE)
			managed[b->zone] += hweight64(b->plugged) * PB - MHP_HEADER_PAGES;
	}
	for (unsigned int z = 0; z < NR_ZONES; z++)
		KTEST_ASSERT_EQ(m->test, m->w->mm->zone[z].managed, managed[z]);
	window_check(m->test, m->w);
	KTEST_ASSERT_FALSE(m->test, ktest_failed(m->test));
}

static void random_lives_follow_the_model(struct ktest *test)
{
	static void (*const ops[])(struct model *) = { do_add, do_online, do_offline, do_remove,
						       do_plug, do_unplug, do_use, do_online,
						       do_unplug, do_plug };
	struct model *m = ktest_alloc(test, sizeof(*m));
	unsigned long boot_managed;

	m->test = test;
	m->w = window_open_owned(test);
	boot_managed = m->w->mm->zone[ZONE_NORMAL].managed;
	for (unsigned int step = 0; step < NR_STEPS; step++) {
		m->n = 1 + prng_below(&test->prng, WINDOW_BLOCKS - 1);
		m->b = &m->block[m->n];
		ops[prng_below(&test->prng, ARRAY_SIZE(ops))](m);
		expect_model(m, boot_managed);
	}
}

/* The region ends within a block: what lies behind is a hole for ever. */
static void region_ends_within_a_block(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	const struct zone *movable = window_zone(w, ZONE_MOVABLE);
	struct page_state st;

	w->owner.region.nr_pages = PAGES_PER_SECTION + 10 * PB;
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	KTEST_EXPECT_EQ(test, add_memory(w->mm, w->block + 2, &w->owner, BIT(10), NO_WHY),
			-EINVAL);
	window_add(test, w, 2, 0x3);
	KTEST_ASSERT_EQ(
		test,
		online_memory_block(w->mm, w->block + 2, MMOP_ONLINE_MOVABLE, NO_WHY), 0);
	KTEST_EXPECT_EQ(test, movable->present, 10 * PB);
	KTEST_EXPECT_EQ(test, movable->managed, 2 * PB - MHP_HEADER_PAGES);
	KTEST_ASSERT_TRUE(test, page_state_get(w->mm, window_pfn(w, 2) + 10 * PB, &st));
	KTEST_EXPECT_EQ(test, st.type, PGTY_HOLE);
	KTEST_EXPECT_EQ(
		test,
		mhp_plug_range(w->mm,
			       &(struct pfn_range){ window_pfn(w, 2) + 9 * PB, 2 * PB },
			       NO_WHY),
		-EINVAL);
	window_check(test, w);
	KTEST_ASSERT_EQ(test, offline_memory_block(w->mm, w->block + 2, NULL, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, try_remove_memory(w->mm, w->block + 2, NO_WHY), 0);
	window_check(test, w);
}

/* A grace period that does not end: the block stays, offline, and can go later. */
static void remove_without_grace_is_undone(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	const unsigned long block = w->block + 1;
	struct mm_failure why;

	window_add(test, w, 1, ~0UL);
	w->mm->inject = 1;
	KTEST_EXPECT_EQ(test, try_remove_memory(w->mm, block, &why), -ETIMEDOUT);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_HARTS_BUSY);
	KTEST_EXPECT_EQ(test, memory_block_state(w->mm, block), MEM_BLOCK_OFFLINE);
	window_check(test, w);
	KTEST_ASSERT_EQ(
		test, online_memory_block(w->mm, block, MMOP_ONLINE_MOVABLE, NO_WHY), 0);
	w->mm->inject = 1;
	KTEST_EXPECT_EQ(test, offline_and_remove_memory(w->mm, &block, 1, NULL, &why),
			-ETIMEDOUT);
	KTEST_EXPECT_EQ(test, memory_block_state(w->mm, block), MEM_BLOCK_ONLINE);
	window_check(test, w);
	KTEST_EXPECT_EQ(test, offline_and_remove_memory(w->mm, &block, 1, NULL, &why), 0);
}

static const struct ktest_case random_cases[] = {
	KTEST_CASE_SLOW(random_lives_follow_the_model),
	KTEST_CASE(region_ends_within_a_block),
	KTEST_CASE(remove_without_grace_is_undone),
	{}
};

static struct ktest_suite random_suite = {
	.name = "hotplug_model",
	.cases = random_cases,
};
KTEST_SUITE(random_suite);
