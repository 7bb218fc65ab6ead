/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compaction while all harts keep allocating: no page is lost, and none stays in the range
 * or leaves its zone. The model checks which other pages move or stay.
 */
#include "arch/machine.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/kernel/test_threads.h"
#include "tests/mm/test_mm.h"

#define PB	 PAGEBLOCK_NR_PAGES
#define NR_SLOTS 160U
#define AREA	 (16 * PB)
#define ROUNDS	 150U

/* Movable pages in an area of block 1; each is filled with the number of its slot. */
struct compaction {
	struct window *w;
	struct pfn_range area;
	struct page_slot slot[NR_SLOTS];
	u32 stop, next_seed;
};

static struct compaction compaction;

static u64 *content(const struct page_slot *slot)
{
	return phys_to_virt(pfn_to_phys(slot_pfn(slot)));
}

static void fill(const struct page_slot *slot, u64 number)
{
	for (unsigned long i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		content(slot)[i] = number;
}

static bool is_whole(const struct page_slot *slot, u64 number)
{
	const u64 *word = content(slot);
	u64 differ = 0;

	for (unsigned long i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		differ |= word[i] ^ number;
	return !differ;
}

static bool within(const struct pfn_range *r, unsigned long pfn)
{
	return pfn - r->start_pfn < r->nr_pages;
}

/* Online two blocks in zone Movable: the area is in the first, the second has room. */
static struct compaction *open_area(struct ktest *test)
{
	struct compaction *c = &compaction;
	struct window *w = window_open_owned(test);

	*c = (struct compaction){ .w = w, .area = { window_pfn(w, 1) + 8 * PB, AREA } };
	for (unsigned long n = 1; n <= 2; n++)
		window_add_online(test, w, n, MMOP_ONLINE_MOVABLE);
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		slot_at(test, w->mm, &c->slot[i], c->area.start_pfn + i * (AREA / NR_SLOTS), 0);
		fill(&c->slot[i], i);
	}
	return c;
}

static void close_area(struct ktest *test, struct compaction *c)
{
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		KTEST_EXPECT_EQ(test, slot_free(c->w->mm, &c->slot[i]), 0);
	window_check(test, c->w);
	KTEST_EXPECT_EQ(test, window_free(test, c->w, ZONE_MOVABLE),
			2 * (PAGES_PER_SECTION - MHP_HEADER_PAGES));
	for (unsigned long n = 1; n <= 2; n++) {
		KTEST_EXPECT_EQ(test, window_offline(c->w, n), 0);
		KTEST_EXPECT_EQ(test, window_remove(c->w, n), 0);
	}
}

static int compact(struct compaction *c, const struct pfn_range *range, struct mm_failure *why)
{
	struct evacuate_policy p = test_policy(EVAC_END_FREE, PGTY_KERNEL);

	p.flags = EVAC_BEST_EFFORT;
	return evacuate(c->w->mm, range, 1, &p, why);
}

/* Expect the page in its zone, with its content. */
static void expect_whole(struct ktest *test, struct compaction *c, unsigned int i)
{
	struct page_state st;

	KTEST_ASSERT_TRUE(test, page_state_get(c->w->mm, slot_pfn(&c->slot[i]), &st));
	KTEST_EXPECT_EQ(test, st.type, PGTY_DRIVER);
	KTEST_EXPECT_EQ(test, st.zone, ZONE_MOVABLE);
	KTEST_EXPECT_TRUE(test, is_whole(&c->slot[i], i));
}

/* Allocate and free chunks that may lie in the area, until the test stops this hart. */
static int allocate(void *arg)
{
	struct compaction *c = arg;
	struct mm *mm = c->w->mm;
	unsigned long pfn[16];
	u8 order[16];
	struct prng prng;
	int bad = 0;

	prng_init(&prng, __atomic_add_fetch(&c->next_seed, 1, __ATOMIC_RELAXED));
	for (unsigned int i = 0; i < ARRAY_SIZE(pfn); i++)
		pfn[i] = PFN_NONE;
	for (bool stop = false; !stop; cond_resched()) {
		const unsigned int i = prng_below(&prng, ARRAY_SIZE(pfn));

		stop = READ_ONCE(c->stop);
		if (pfn[i] != PFN_NONE) {
			bad += page_owner(mm, pfn[i]) != (uintptr_t)&pfn[i];
			free_pages(mm, pfn[i], order[i]);
			pfn[i] = PFN_NONE;
			continue;
		}
		order[i] = prng_below(&prng, 5);
		pfn[i] = alloc_pages(mm, GFP_MOVABLE | GFP_NOWARN, order[i], PGTY_KERNEL);
		if (pfn[i] != PFN_NONE)
			page_set_owner(mm, pfn[i], (uintptr_t)&pfn[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(pfn); i++)
		if (pfn[i] != PFN_NONE)
			free_pages(mm, pfn[i], order[i]);
	return bad;
}

/*
 * Compact parts of both blocks repeatedly: no page is lost, and none ends up in the range
 * that it left.
 */
static void while_harts_allocate(struct ktest *test)
{
	struct compaction *c = open_area(test);
	unsigned long moved = 0, busy = 0;
	struct crew crew;

	c->next_seed = prng_below(&test->prng, 1U << 30);
	crew_start(test, &crew, allocate, c);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		const unsigned long nr = PB * (1 + prng_below(&test->prng, 8));
		const unsigned int i = prng_below(&test->prng, NR_SLOTS);
		const struct pfn_range range = {
			max(ALIGN_DOWN(slot_pfn(&c->slot[i]), PB), window_pfn(c->w, 1) + PB), nr,
		};
		struct mm_failure why = { .pfn = PFN_NONE };
		int err;

		if (!within(&(struct pfn_range){ window_pfn(c->w, 1), 2 * PAGES_PER_SECTION - nr },
			    range.start_pfn))
			continue;
		err = compact(c, &range, &why);
		/* On a loaded host a hart may be late for the drain. */
		busy += err && why.reason == MM_REASON_HARTS_BUSY;
		KTEST_EXPECT_TRUE(test, !err || why.reason == MM_REASON_HARTS_BUSY);
		moved += why.migrated;
		KTEST_EXPECT_TRUE(test, err || !within(&range, slot_pfn(&c->slot[i])));
		yield();
	}
	WRITE_ONCE(c->stop, 1);
	KTEST_EXPECT_EQ(test, crew_join(test, &crew), 0);
	ktest_info(test, "%lu pages moved, harts were late %lu times", moved, busy);
	KTEST_EXPECT_GT(test, moved, 0);
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		expect_whole(test, c, i);
	close_area(test, c);
}

static const struct ktest_case compaction_cases[] = {
	KTEST_CASE(while_harts_allocate),
	{},
};
static struct ktest_suite compaction_suite = { .name = "compaction", .cases = compaction_cases };
KTEST_SUITE(compaction_suite);

static struct ktest_suite real_compaction_suite = { .name = "real_compaction",
						    .init = window_in_kernel_mm,
						    .cases = compaction_cases };
KTEST_SUITE(real_compaction_suite);
