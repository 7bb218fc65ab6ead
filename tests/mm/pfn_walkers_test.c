/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walkers try to take references on random frames while blocks are added, onlined, offlined
 * and removed, and while a driver takes frames by contig and frees them. They never get a
 * PageOffline frame, never lose a frame that they hold, and never access a memmap that was
 * freed; the set of PageOffline frames is the same afterwards.
 */
#include "kernel/hart.h"
#include "kernel/panic.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "tests/kernel/test_threads.h"
#include "tests/mm/test_mm.h"

#define NR_SLOTS    1000U
#define NR_TRIES    100000UL
#define NR_WALKERS  4U
#define MIN_CYCLES  12UL
#define PLUGGED	    0x00000000ffffffffUL /* half of each block stays PageOffline */
#define PLUGGED_NR  (PAGES_PER_SECTION / 2)
#define WALK_BATCH  64U
#define STRESS_NS   (240 * NSEC_PER_SEC)

/* Shared by the walkers; each has its own counts. */
static struct walk {
	struct window *w;
	struct page_slot slots[NR_SLOTS];
	struct thread *thread[NR_WALKERS];
	struct notifier_block nb;
	u32 passing; /* the block that comes and goes */
	u32 stop;
	struct walker {
		struct walk *walk;
		struct prng prng;
		unsigned long tries, offline, passing, grabbed, wrong;
	} walker[NR_WALKERS];
} walk;

/*
 * Pick a frame: a third are driver pages, a third lie in the block that stays or in the
 * block that comes and goes, a third are random.
 */
static unsigned long pick_frame(struct walker *me)
{
	const struct window *w = me->walk->w;

	switch (prng_below(&me->prng, 3)) {
	case 0:
		return slot_pfn(&me->walk->slots[prng_below(&me->prng, NR_SLOTS)]);
	case 1:
		return window_pfn(w, prng_below(&me->prng, 2) ? READ_ONCE(walk.passing) : 1) +
		       prng_below(&me->prng, PAGES_PER_SECTION);
	default:
		return window_pfn(w, 0) + prng_below(&me->prng,
						     WINDOW_BLOCKS * PAGES_PER_SECTION);
	}
}

/* Try to take a reference, whatever the frame is, and even if its block is absent. */
static void try_frame(struct walker *me, unsigned long pfn)
{
	struct mm *mm = me->walk->w->mm;
	const struct mem_section *ms = pfn_to_section(mm, pfn);
	const unsigned int state = ms ? READ_ONCE(ms->state) : MEM_BLOCK_ABSENT;
	const struct page *page = pfn_to_online_page(mm, pfn);
	struct page_state st;

	me->passing += state == MEM_BLOCK_GOING_ONLINE || state == MEM_BLOCK_GOING_OFFLINE;
	me->offline += page_state_get(mm, pfn, &st) && st.type == PGTY_OFFLINE;
	WRITE_ONCE(me->tries, me->tries + 1);
	if (!page_try_get(mm, pfn)) {
		/*
		 * The frame's block may be gone by now, but the memmap is still
		 * readable.
		 */
		if (page)
			(void)READ_ONCE(*(const u32 *)page);
		return;
	}
	me->grabbed++;
	/* While the walker holds a reference, the frame stays a counted page. */
	me->wrong += !page_state_get(mm, pfn, &st) || st.type != PGTY_DRIVER || st.count < 2;
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
	const unsigned int harts = nr_online_harts();

	walk.stop = 0;
	for (unsigned int i = 0; i < NR_WALKERS; i++) {
		struct walker *me = &walk.walker[i];

		*me = (struct walker){ .walk = &walk };
		prng_init(&me->prng, prng_u64(&test->prng));
		walk.thread[i] = thread_create_on(
			online_hart(harts > 1 ? 1 + i % (harts - 1) : 0), "walker", walker_run,
			me);
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

/* Yield between the steps of hotplug: with a single hart, the walkers run here. */
static int let_walkers_run(struct notifier_block *nb, unsigned long event, void *data)
{
	(void)nb, (void)event, (void)data;
	yield();
	return 0;
}

/*
 * Remove a block. It may fail because a walker holds a page for a moment, or because a loaded
 * host has stopped a hart: then try again, up to 1000 times in all.
 */
static int leave(struct window *w, unsigned long block)
{
	int err = -EBUSY;

	for (unsigned int i = 0; i < 1000 && (err == -EBUSY || err == -ETIMEDOUT); i++) {
		err = offline_and_remove_memory(w->mm, &block, 1, NULL, NO_WHY);
		yield();
	}
	return err;
}

/*
 * Expect that in block @n exactly the unplugged frames and @nr frames at @at are
 * PageOffline.
 */
static void check_offline_frames(struct ktest *test, struct window *w, unsigned long n,
				 unsigned long at, unsigned long nr)
{
	unsigned long wrong = 0;

	for (unsigned long i = 0; i < PAGES_PER_SECTION; i++)
		wrong += (page_type(w->mm, window_pfn(w, n) + i) == PGTY_OFFLINE) !=
			 (i >= PLUGGED_NR || i - at < nr);
	KTEST_EXPECT_EQ(test, wrong, 0);
}

/* Add, online, offline and remove a block while the walkers run. */
static void cycle_block(struct ktest *test, struct window *w, unsigned long n)
{
	WRITE_ONCE(walk.passing, n);
	window_add(test, w, n, PLUGGED);
	yield();
	KTEST_ASSERT_EQ(test, window_online(w, n, n % 2 ? MMOP_ONLINE_MOVABLE :
						   MMOP_ONLINE_KERNEL), 0);
	yield();
	check_offline_frames(test, w, n, 0, 0);
	KTEST_ASSERT_EQ(test, leave(w, w->block + n), 0);
}

/* Take frames of block 1, from a driver's page on; make them PageOffline, then free them. */
static unsigned long cycle_frames(struct ktest *test, struct window *w)
{
	const struct evacuate_policy p = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	const unsigned long pfn = slot_pfn(&walk.slots[prng_below(&test->prng, NR_SLOTS)]);
	const unsigned long at = pfn - window_pfn(w, 1);
	const unsigned long nr = min(1 + prng_below(&test->prng, 1100), PLUGGED_NR - at);

	if (at >= PLUGGED_NR || take_contig_range(w->mm, pfn, pfn + nr, &p, NO_WHY))
		return 0;
	yield();
	check_offline_frames(test, w, 1, at, nr);
	release_offline_range(w->mm, pfn, nr);
	zone_update_watermarks(w->mm);
	return 1;
}

/* Check the counts of each walker, and that the walkers have dropped all references. */
static void check_walkers(struct ktest *test, struct window *w)
{
	for (unsigned int i = 0; i < NR_WALKERS; i++) {
		const struct walker *me = &walk.walker[i];

		ktest_info(test, "walker %u: %lu tries, %lu offline, %lu in passing blocks, "
				 "%lu grabbed", i, me->tries, me->offline, me->passing,
			   me->grabbed);
		KTEST_EXPECT_EQ(test, me->wrong, 0);
		KTEST_EXPECT_GE(test, me->tries, NR_TRIES);
		KTEST_EXPECT_GE(test, me->offline * 10, me->tries);
		KTEST_EXPECT_GE(test, me->grabbed * 10, me->tries);
		KTEST_EXPECT_NE(test, me->passing, 0);
	}
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		struct page_state st;

		KTEST_ASSERT_TRUE(test, page_state_get(w->mm, slot_pfn(&walk.slots[i]), &st));
		KTEST_EXPECT_EQ(test, st.type, PGTY_DRIVER);
		KTEST_EXPECT_EQ(test, st.count, 1);
		KTEST_EXPECT_EQ(test, slot_free(w->mm, &walk.slots[i]), 0);
	}
	check_offline_frames(test, w, 1, 0, 0);
}

static void blocks_come_and_go_under_walkers(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	unsigned long cycles = 0, taken = 0;
	u64 start;

	walk.w = w;
	walk.nb = (struct notifier_block){ .fn = let_walkers_run };
	KTEST_ASSERT_EQ(test, notifier_register(&w->mm->notifiers, &walk.nb), 0);
	/* One block stays online, so that there are always PageOffline frames. */
	window_add(test, w, 1, PLUGGED);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		KTEST_ASSERT_EQ(test, slot_alloc(w->mm, &walk.slots[i], 0), 0);
	start = ktime_ns();
	start_walkers(test);
	ktest_add_action(test, join_walkers, NULL);
	for (; cycles < MIN_CYCLES || walkers_busy(); cycles++) {
		cycle_block(test, w, 2 + cycles % (WINDOW_BLOCKS - 2));
		taken += cycle_frames(test, w);
	}
	ktest_release_action(test, join_walkers, NULL);
	ktest_info(test, "%lu blocks came and went, %lu ranges were taken, %lu ms", cycles, taken,
		   (unsigned long)((ktime_ns() - start) / NSEC_PER_MSEC));
	KTEST_EXPECT_NE(test, taken, 0);
	check_walkers(test, w);
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
