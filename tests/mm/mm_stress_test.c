/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several harts use one memory: some allocate and free, one takes and frees
 * contiguous ranges so that pages move, and walkers take references on random frames.
 * At the end nothing is lost and every counter is correct.
 */
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "tests/mm/test_mm.h"

#define NR_CHUNKS 48
#define NR_SLOTS  200
#define ROUNDS	  400

/* Shared by the threads of a case. */
struct stress {
	struct test_mm *t;
	unsigned long lo, nr; /* where ranges are taken and frames are referenced */
	bool stop;
	u64 tries, got_offline, got_counted, moved, taken;
	struct page_slot slots[NR_SLOTS];
	u32 next_seed;
};

static struct stress stress;

static void my_prng(struct prng *prng)
{
	prng_init(prng, __atomic_fetch_add(&stress.next_seed, 1, __ATOMIC_RELAXED));
}

/* Allocate chunks of all orders, and free them later. Return: how many owner words changed. */
static int churn(void *unused)
{
	/* No Slab: code that names a frame in the way would take the owner word for a slab. */
	static const u8 types[] = { PGTY_KERNEL, PGTY_PGTABLE };
	unsigned long pfn[NR_CHUNKS];
	u8 order[NR_CHUNKS];
	struct mm *mm = stress.t->mm;
	struct prng prng;
	int bad = 0;

	(void)unused;
	my_prng(&prng);
	for (unsigned int i = 0; i < NR_CHUNKS; i++)
		pfn[i] = PFN_NONE;
	for (unsigned int round = 0; round < ROUNDS * 10; round++) {
		const unsigned int i = prng_below(&prng, NR_CHUNKS);

		if (pfn[i] != PFN_NONE) {
			bad += page_owner(mm, pfn[i]) != (uintptr_t)&pfn[i];
			free_pages(mm, pfn[i], order[i]);
			pfn[i] = PFN_NONE;
		} else {
			/* Mostly small orders. */
			order[i] = prng_below(&prng, prng_below(&prng, 8) ? 4 : 11);
			pfn[i] = alloc_pages(mm, prng_below(&prng, 3) | GFP_NOWARN, order[i],
					     types[prng_below(&prng, 2)]);
			if (pfn[i] != PFN_NONE)
				page_set_owner(mm, pfn[i], (uintptr_t)&pfn[i]);
		}
		cond_resched();
	}
	for (unsigned int i = 0; i < NR_CHUNKS; i++)
		if (pfn[i] != PFN_NONE)
			free_pages(mm, pfn[i], order[i]);
	return bad;
}

/* Take and release ranges of movable pages and free frames: most can be emptied. */
static int take_ranges(void *unused)
{
	struct mm *mm = stress.t->mm;
	struct prng prng;
	int bad = 0;

	(void)unused;
	my_prng(&prng);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
		const unsigned long nr = 1 + prng_below(&prng, 3000);
		const unsigned long pfn = stress.lo + prng_below(&prng, stress.nr - nr);
		struct mm_failure why;

		policy.flags = EVAC_QUIET;
		if (take_contig_range(mm, pfn, pfn + nr, &policy, &why)) {
			/*
			 * Kernel data may be in the way; the failure must name it. On a
			 * loaded host a hart may be late for the drain; that failure
			 * names no frame.
			 */
			bad += why.reason == MM_REASON_HARTS_BUSY ?
				       why.pfn != PFN_NONE :
				       why.pfn < pfn || why.pfn >= pfn + nr;
			continue;
		}
		stress.taken++;
		stress.moved += why.migrated;
		yield();
		for (unsigned long i = 0; i < nr; i++)
			bad += page_type(mm, pfn + i) != PGTY_OFFLINE;
		release_offline_range(mm, pfn, nr);
		zone_update_watermarks(mm);
	}
	WRITE_ONCE(stress.stop, true);
	return bad;
}

/* Try, as a hostile walker, to take references on frames that this thread does not own. */
static int grab_frames(void *unused)
{
	struct mm *mm = stress.t->mm;
	struct prng prng;
	int bad = 0;

	(void)unused;
	my_prng(&prng);
	while (!READ_ONCE(stress.stop)) {
		pfn_walk_begin();
		for (unsigned int i = 0; i < 64; i++) {
			const unsigned long pfn = stress.lo + prng_below(&prng, stress.nr);
			const bool got = page_try_get(mm, pfn);
			struct page_state st;

			if (!page_state_get(mm, pfn, &st)) {
				bad++;
				continue;
			}
			__atomic_fetch_add(&stress.tries, 1, __ATOMIC_RELAXED);
			if (st.type == PGTY_OFFLINE)
				__atomic_fetch_add(&stress.got_offline, 1, __ATOMIC_RELAXED);
			/*
			 * While the walker holds the frame, the frame keeps its type
			 * and has a count.
			 */
			if (got) {
				bad += st.type != PGTY_DRIVER || st.count < 1;
				__atomic_fetch_add(&stress.got_counted, 1, __ATOMIC_RELAXED);
				page_put(mm, pfn);
			} else {
				bad += st.type == PGTY_OFFLINE && st.count;
			}
			bad += st.type == PGTY_NONE || st.type >= NR_PAGE_TYPES;
		}
		pfn_walk_end();
		cond_resched();
	}
	return bad;
}

static void run_threads(struct ktest *test, int (*const fn[])(void *), unsigned int nr)
{
	struct thread *thread[8];
	int bad;

	for (unsigned int i = 0; i < nr; i++) {
		thread[i] = thread_create("stress", fn[i], NULL);
		KTEST_ASSERT_NOT_NULL(test, thread[i]);
	}
	for (unsigned int i = 0; i < nr; i++) {
		KTEST_ASSERT_EQ(test,
				thread_join(thread[i], ktime_ns() + 240 * NSEC_PER_SEC, &bad),
				0);
		KTEST_EXPECT_EQ(test, bad, 0);
	}
}

static void start(struct ktest *test)
{
	stress = (struct stress){
		.t = test_mm_normal(test, 2),
		.next_seed = prng_u64(&test->prng),
	};
	stress.lo = stress.t->base;
	stress.nr = stress.t->nr;
}

static void allocate_on_all_harts(struct ktest *test)
{
	static int (*const fn[])(void *) = { churn, churn, churn, churn };
	unsigned long free;

	start(test);
	free = test_mm_free(test, stress.t);
	run_threads(test, fn, ARRAY_SIZE(fn));
	KTEST_EXPECT_EQ(test, test_mm_free(test, stress.t), free);
}

static void ranges_move_pages(struct ktest *test)
{
	static int (*const fn[])(void *) = { take_ranges, churn, grab_frames, grab_frames };
	unsigned long free;

	start(test);
	free = test_mm_free(test, stress.t);
	/* The slots' pages lie in the area where ranges are taken. */
	stress.nr = 16 * PAGEBLOCK_NR_PAGES;
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		slot_at(test, stress.t->mm, &stress.slots[i],
			stress.lo + i * (stress.nr / NR_SLOTS), 0);
	run_threads(test, fn, ARRAY_SIZE(fn));
	ktest_info(test, "%lu ranges, %lu pages moved, %lu tries, %lu at offline frames, %lu held",
		   (unsigned long)stress.taken, (unsigned long)stress.moved,
		   (unsigned long)stress.tries, (unsigned long)stress.got_offline,
		   (unsigned long)stress.got_counted);
	KTEST_EXPECT_GT(test, stress.taken, 0);
	KTEST_EXPECT_GT(test, stress.moved, 0);
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		const unsigned long pfn = slot_pfn(&stress.slots[i]);

		KTEST_EXPECT_EQ(test, page_owner(stress.t->mm, pfn),
				(uintptr_t)&stress.slots[i]);
		KTEST_EXPECT_EQ(test, slot_free(stress.t->mm, &stress.slots[i]), 0);
	}
	KTEST_EXPECT_EQ(test, test_mm_free(test, stress.t), free);
}

/* Free and allocate the slots' pages while they move: each page stays intact. */
static int churn_slots(void *unused)
{
	struct mm *mm = stress.t->mm;
	struct prng prng;
	int bad = 0;

	(void)unused;
	my_prng(&prng);
	while (!READ_ONCE(stress.stop)) {
		struct page_slot *slot = &stress.slots[prng_below(&prng, NR_SLOTS)];
		int err = slot_free(mm, slot);

		if (err == 0 || err == -ENOENT)
			bad += slot_alloc(mm, slot, 0) != 0;
		else
			bad += err != -EBUSY;
		cond_resched();
	}
	return bad;
}

static void owners_race_with_movers(struct ktest *test)
{
	static int (*const fn[])(void *) = { take_ranges, churn_slots, grab_frames };
	unsigned long free, lowest = ~0UL;

	start(test);
	free = test_mm_free(test, stress.t);
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		KTEST_ASSERT_EQ(test, slot_alloc(stress.t->mm, &stress.slots[i], 0), 0);
		lowest = min(lowest, slot_pfn(&stress.slots[i]));
	}
	/* The ranges lie in the memory from which the slots' pages come. */
	stress.lo = ALIGN_DOWN(lowest, PAGEBLOCK_NR_PAGES);
	stress.nr = 4 * PAGEBLOCK_NR_PAGES;
	run_threads(test, fn, ARRAY_SIZE(fn));
	ktest_info(test, "%lu ranges, %lu pages moved, %lu held", (unsigned long)stress.taken,
		   (unsigned long)stress.moved, (unsigned long)stress.got_counted);
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		if (slot_pfn(&stress.slots[i]) != PFN_NONE)
			KTEST_EXPECT_EQ(test, slot_free(stress.t->mm, &stress.slots[i]), 0);
	KTEST_EXPECT_EQ(test, test_mm_free(test, stress.t), free);
}

static const struct ktest_case stress_cases[] = {
	KTEST_CASE_SLOW(allocate_on_all_harts),
	KTEST_CASE_SLOW(ranges_move_pages),
	KTEST_CASE_SLOW(owners_race_with_movers),
	{},
};
static struct ktest_suite stress_suite = { .name = "mm_stress", .cases = stress_cases };
KTEST_SUITE(stress_suite);
