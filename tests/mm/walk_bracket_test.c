/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block that a walker has found stays until the walk ends: the removal of a block waits
 * for the walker, or fails. The test forces the race: the walker stops between its look-up
 * and the use of the result. (pfn_walkers_test.c has many walkers that do not stop.)
 */
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "mm/hotplug.h"
#include "tests/kernel/test_threads.h"
#include "tests/mm/test_mm.h"

struct walk {
	struct mm *mm;
	unsigned long pfn;
	u64 ns; /* how long the walker stops; 0: until the test lets it go */
	u32 found, removed, let_go;
};

/* Walk and stop. Return: the number of looks at which the section or its block was gone. */
static int walk_slowly(void *arg)
{
	struct walk *walk = arg;
	const struct mem_section *ms;
	const u64 until = walk->ns ? ktime_ns() + walk->ns : WAIT_FOREVER;
	int bad = 0;

	pfn_walk_begin();
	ms = pfn_to_section(walk->mm, walk->pfn);
	STORE_RELEASE(walk->found, 1);
	for (; ms && ktime_ns() < until && !READ_ONCE(walk->let_go); arch_cpu_relax())
		bad += READ_ONCE(ms->start_pfn) !=
			       ALIGN_DOWN(walk->pfn, PAGES_PER_SECTION) ||
		       READ_ONCE(walk->removed);
	pfn_walk_end();
	return ms ? bad : -ENOENT;
}

/* Remove block 1 while a walker stops for @ms; 0: until the removal has given up. */
static void remove_under_walker(struct ktest *test, struct window *w, unsigned int ms,
				int wanted)
{
	struct walk *walk = ktest_alloc(test, sizeof(*walk));
	struct thread *thread;
	int bad = 0, err;

	*walk = (struct walk){ w->mm, window_pfn(w, 1) + 77, ms * NSEC_PER_MSEC, 0, 0, 0 };
	thread = thread_create_on(online_hart(hart_rank() ? 0 : 1), "walker", walk_slowly, walk);
	KTEST_ASSERT_NOT_NULL(test, thread);
	while (!READ_ONCE(walk->found))
		arch_cpu_relax();
	err = window_remove(w, 1);
	if (err == 0)
		WRITE_ONCE(walk->removed, 1);
	WRITE_ONCE(walk->let_go, 1);
	KTEST_ASSERT_EQ(test, thread_join(thread, ktime_ns() + 60 * NSEC_PER_SEC, &bad),
			0);
	KTEST_EXPECT_EQ(test, bad, 0);
	KTEST_EXPECT_EQ(test, err, wanted);
}

static void a_walker_keeps_what_it_found(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	if (nr_online_harts() < 2)
		ktest_skip(test, "a walker does not yield its hart: this needs two harts");
	window_add_online(test, w, 1, MMOP_ONLINE_KERNEL);
	KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
	remove_under_walker(test, w, 0, -ETIMEDOUT);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_OFFLINE);
	remove_under_walker(test, w, 50, 0);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ABSENT);
	window_check(test, w);
}

static const struct ktest_case bracket_cases[] = {
	KTEST_CASE(a_walker_keeps_what_it_found), {}
};
static struct ktest_suite bracket_suite = { .name = "walk_bracket",
					    .cases = bracket_cases };
KTEST_SUITE(bracket_suite);
