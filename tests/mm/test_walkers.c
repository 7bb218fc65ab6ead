/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walkers on every hart grab at random frames while blocks are added, onlined,
 * offlined and removed: they never get a PageOffline frame, never lose one that
 * they have, and never touch a memmap that is gone.
 */
#include "kernel/hart.h"
#include "kernel/panic.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "tests/mm/hotplug_window.h"

#define NR_SLOTS    1000U
#define NR_TRIES    100000UL
#define NR_WALKERS  4U
#define MIN_CYCLES  12UL
#define PLUGGED	    0x00000000ffffffffUL /* half of each block stays PageOffline */
#define WALK_BATCH  16U
#define STRESS_NS   (60 * NSEC_PER_SEC)

/* Shared by the walkers; each counts for itself. */
static struct walk {
	struct window *w;
	struct page_slot slots[NR_SLOTS];
	struct thread *thread[NR_WALKERS];
	u32 stop;
	struct walker {
		struct walk *walk;
		struct prng prng;
		unsigned long tries, offline, absent, grabbed, wrong;
	} walker[NR_WALKERS];
} walk;

/* A third driver pages, a third of the blocks that come and go, a third anything. */
static unsigned long pick_frame(struct walker *me)
{
	const struct window *w = me->walk->w;

	switch (prng_below(&me->prng, 3)) {
	case 0:
		return slot_pfn(&me->walk->slots[prng_below(&me->prng, NR_SLOTS)]);
	case 1:
		return window_pfn(w, 1) + prng_below(&me->prng, 2 * PAGES_PER_SECTION);
	default:
		return window_pfn(w, 0) + prng_below(&me->prng,
						     WINDOW_BLOCKS * PAGES_PER_SECTION);
	}
}

static void try_frame(struct walker *me, unsigned long pfn)
{
	struct mm *mm = &me->walk->w->mm;
	struct page_state st;

	WRITE_ONCE(me->tries, me->tries + 1);
	if (!page_state_get(mm, pfn, &st)) {
		me->absent++;
		return;
	}
	me->offline += st.type == PGTY_OFFLINE;
	if (!page_try_get(mm, pfn))
		return;
	me->grabbed++;
	/* While we hold a reference it is a counted page, and stays one. */
	if (!page_state_get(mm, pfn, &st) || st.type != PGTY_DRIVER || st.count < 2)
		me->wrong++;
	page_put(mm, pfn);
}

static int walker_run(void *arg)
{
	struct walker *me = arg;

	while (!READ_ONCE(me->walk->stop)) {
		pfn_walk_begin();
		for (unsigned int i = 0; i < WALK_BATCH; i++)
			try_frame(me, pick_frame(me));
		pfn_walk_end();
		cond_resched();
	}
	return 0;
}

static void start_walkers(struct ktest *test)
{
	const unsigned int harts = nr_harts();

	walk.stop = 0;
	for (unsigned int i = 0; i < NR_WALKERS; i++) {
		struct walker *me = &walk.walker[i];

		*me = (struct walker){ .walk = &walk };
		prng_init(&me->prng, prng_u64(&test->prng));
		walk.thread[i] = thread_create_on(harts > 1 ? 1 + i % (harts - 1) : 0, "walker",
						  walker_run, me);
		KTEST_ASSERT_NOT_NULL(test, walk.thread[i]);
	}
}

static bool walkers_busy(void)
{
	for (unsigned int i = 0; i < NR_WALKERS; i++)
		if (READ_ONCE(walk.walker[i].tries) < NR_TRIES)
			return true;
	return false;
}

static void join_walkers(void *unused)
{
	(void)unused;
	WRITE_ONCE(walk.stop, 1);
	for (unsigned int i = 0; i < NR_WALKERS; i++) {
		if (walk.thread[i] && thread_join(walk.thread[i], ktime_ns() + STRESS_NS, NULL))
			panic("a walker does not end");
		walk.thread[i] = NULL;
	}
}

/* One block through its life while the walkers run. */
static void cycle_block(struct ktest *test, struct window *w, unsigned long n)
{
	const unsigned long block = w->block + n;

	window_add(test, w, n, PLUGGED);
	yield();
	KTEST_ASSERT_EQ(test, online_memory_block(&w->mm, block, n % 2 ? MMOP_ONLINE_MOVABLE :
						  MMOP_ONLINE_KERNEL, NULL), 0);
	yield();
	KTEST_ASSERT_EQ(test, offline_and_remove_memory(&w->mm, &block, 1, NULL, NULL), 0);
}

static void blocks_come_and_go_under_walkers(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	unsigned long offline = 0, grabbed = 0, tries = 0, cycles = 0;
	u64 start;

	walk.w = w;
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		KTEST_ASSERT_EQ(test, slot_alloc(&w->mm, &walk.slots[i], 0), 0);
	/* One block stays online, so that PageOffline frames are always about. */
	window_add(test, w, 1, PLUGGED);
	KTEST_ASSERT_EQ(test, online_memory_block(&w->mm, w->block + 1, MMOP_ONLINE_MOVABLE,
						  NULL), 0);
	start = ktime_ns();
	start_walkers(test);
	ktest_add_action(test, join_walkers, NULL);
	for (; cycles < MIN_CYCLES || walkers_busy(); cycles++)
		cycle_block(test, w, 2 + cycles % (WINDOW_BLOCKS - 2));
	ktest_release_action(test, join_walkers, NULL);

	for (unsigned int i = 0; i < NR_WALKERS; i++) {
		KTEST_EXPECT_EQ(test, walk.walker[i].wrong, 0);
		tries += walk.walker[i].tries;
		offline += walk.walker[i].offline;
		grabbed += walk.walker[i].grabbed;
	}
	ktest_info(test, "%lu tries, %lu offline, %lu grabbed, %lu blocks came and went, %llu ms",
		   tries, offline, grabbed, cycles,
		   (unsigned long long)((ktime_ns() - start) / NSEC_PER_MSEC));
	KTEST_EXPECT_GE(test, offline * 10, tries);
	KTEST_EXPECT_GE(test, grabbed * 10, tries);
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		struct page_state st;

		KTEST_ASSERT_TRUE(test, page_state_get(&w->mm, slot_pfn(&walk.slots[i]), &st));
		KTEST_EXPECT_EQ(test, st.type, PGTY_DRIVER);
		KTEST_EXPECT_EQ(test, st.count, 1);
		KTEST_EXPECT_EQ(test, slot_free(&w->mm, &walk.slots[i]), 0);
	}
	window_check(test, w);
}

static const struct ktest_case walker_cases[] = {
	KTEST_CASE_SLOW(blocks_come_and_go_under_walkers),
	{}
};

static struct ktest_suite walker_suite = {
	.name = "pfn_walkers",
	.cases = walker_cases,
};
KTEST_SUITE(walker_suite);
