/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compaction: a best-effort evacuate() that frees the frames. Movable pages leave the
 * range for a place outside it, in their own zone; other pages stay, without affecting
 * the rest; and all harts go on allocating meanwhile.
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

/* Pages that move, in an area of block 1; each is full of its number. */
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

/* Two online blocks of zone Movable: the area in the first, room in the second. */
static struct compaction *open_area(struct ktest *test)
{
	struct compaction *c = &compaction;
	struct window *w = window_open_owned(test);

	*c = (struct compaction){ .w = w, .area = { window_pfn(w, 1) + 8 * PB, AREA } };
	for (unsigned long n = 1; n <= 2; n++) {
		window_add(test, w, n, ~0UL);
		KTEST_ASSERT_EQ(test, window_online(w, n, MMOP_ONLINE_MOVABLE), 0);
	}
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		const unsigned long pfn = c->area.start_pfn + i * (AREA / NR_SLOTS);

		KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_DRIVER), 0);
		c->slot[i].pfn = pfn;
		page_set_owner(w->mm, pfn, (uintptr_t)&c->slot[i]);
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

	p.name = "compaction";
	p.flags = EVAC_BEST_EFFORT;
	return evacuate(c->w->mm, range, 1, &p, why);
}

static void expect_moved(struct ktest *test, struct compaction *c, unsigned int i)
{
	const unsigned long pfn = slot_pfn(&c->slot[i]);
	struct page_state st;

	KTEST_EXPECT_FALSE(test, within(&c->area, pfn));
	KTEST_ASSERT_TRUE(test, page_state_get(c->w->mm, pfn, &st));
	KTEST_EXPECT_EQ(test, st.type, PGTY_DRIVER);
	KTEST_EXPECT_EQ(test, st.zone, ZONE_MOVABLE);
	KTEST_EXPECT_TRUE(test, is_whole(&c->slot[i], i));
}

/* The area becomes one run of free frames. */
static void all_of_it_moves(struct ktest *test)
{
	struct compaction *c = open_area(test);
	const long managed = window_managed(c->w, ZONE_MOVABLE);
	const long free = window_free(test, c->w, ZONE_MOVABLE);
	struct mm *mm = c->w->mm;
	struct mm_failure why;

	KTEST_ASSERT_EQ(test, compact(c, &c->area, &why), 0);
	KTEST_EXPECT_EQ(test, why.migrated, NR_SLOTS);
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		expect_moved(test, c, i);
	KTEST_EXPECT_EQ(test, window_free(test, c->w, ZONE_MOVABLE), free);
	KTEST_EXPECT_EQ(test, window_managed(c->w, ZONE_MOVABLE), managed);
	for (unsigned long pfn = c->area.start_pfn; within(&c->area, pfn); pfn += 2 * PB) {
		KTEST_EXPECT_FALSE(test, test_mm_isolated(mm, pfn));
		KTEST_ASSERT_EQ(test, alloc_pages_at(mm, pfn, MAX_PAGE_ORDER, PGTY_KERNEL), 0);
		free_pages(mm, pfn, MAX_PAGE_ORDER);
	}
	close_area(test, c);
}

/* A pinned page, kernel data, a driver's offline frames: each where it was, the rest gone. */
static void what_cannot_move_stays(struct ktest *test)
{
	struct compaction *c = open_area(test);
	struct evacuate_policy take = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	const unsigned long pinned = slot_pfn(&c->slot[50]), data = c->area.start_pfn + 3 * PB + 1;
	const unsigned long off = c->area.start_pfn + 9 * PB + 1;
	struct mm_failure why;
	struct page_state st;

	take.page_flags = PG_OFFLINE_SKIPPABLE;
	KTEST_ASSERT_EQ(test, page_pin(c->w->mm, pinned), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(c->w->mm, data, 0, PGTY_KERNEL), 0);
	KTEST_ASSERT_EQ(test, take_contig_range(c->w->mm, off, off + 40, &take, NO_WHY),
			0);
	zone_update_watermarks(c->w->mm);
	KTEST_EXPECT_EQ(test, compact(c, &c->area, &why), 0);
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		if (i != 50)
			expect_moved(test, c, i);
	KTEST_EXPECT_EQ(test, slot_pfn(&c->slot[50]), pinned);
	KTEST_EXPECT_EQ(test, page_type(c->w->mm, data), PGTY_KERNEL);
	for (unsigned long pfn = off; pfn < off + 40; pfn++) {
		KTEST_ASSERT_TRUE(test, page_state_get(c->w->mm, pfn, &st));
		KTEST_ASSERT_EQ(test, st.type, PGTY_OFFLINE);
		KTEST_ASSERT_EQ(test, st.flags, PG_OFFLINE_SKIPPABLE);
	}
	KTEST_EXPECT_EQ(test, page_unpin(c->w->mm, pinned), 0);
	free_pages(c->w->mm, data, 0);
	for (unsigned long pfn = off; pfn < off + 40; pfn++)
		generic_online_page(c->w->mm, pfn, 0);
	zone_update_watermarks(c->w->mm);
	close_area(test, c);
}

/* Each hart allocates and frees chunks that may lie in the area, until the test stops it. */
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
 * Parts of both blocks, repeatedly; no page is lost, and none ends up in the range that
 * it left.
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
		KTEST_EXPECT_TRUE(test, is_whole(&c->slot[i], i));
	close_area(test, c);
}

static const struct ktest_case compaction_cases[] = {
	KTEST_CASE(all_of_it_moves),
	KTEST_CASE(what_cannot_move_stays),
	KTEST_CASE(while_harts_allocate),
	{},
};
static struct ktest_suite compaction_suite = { .name = "compaction", .cases = compaction_cases };
KTEST_SUITE(compaction_suite);

static struct ktest_suite real_compaction_suite = { .name = "real_compaction",
						    .init = window_in_kernel_mm,
						    .cases = compaction_cases };
KTEST_SUITE(real_compaction_suite);
