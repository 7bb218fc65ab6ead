/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/ logs each failure once, and the memory that stays unused. */
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/vsprintf.h"
#include "tests/kernel/log.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

/* mm logs one line for many failures in a row, and none if the caller says so. */
static void failure_is_logged_once(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	u64 start;

	log_mark();
	msleep(1001); /* let the interval of any earlier failure end */
	t->zone->wmark[WMARK_MIN] += 2 * t->nr;
	KTEST_EXPECT_EQ(test, alloc_pages(t->mm, GFP_NOWARN, 10, PGTY_SLAB), PFN_NONE);
	KTEST_EXPECT_EQ(test, times_logged("no memory: order 10 for Slab"), 0);
	start = ktime_ns();
	for (unsigned int i = 0; i < 5; i++)
		KTEST_EXPECT_EQ(test, alloc_pages(t->mm, 0, 10, PGTY_SLAB), PFN_NONE);
	KTEST_EXPECT_GE(test, times_logged("no memory: order 10 for Slab"), 1);
	KTEST_EXPECT_LE(test, times_logged("no memory: order 10 for Slab"),
			1 + (ktime_ns() - start) / NSEC_PER_SEC);
	t->zone->wmark[WMARK_MIN] -= 2 * t->nr;
}

static void memory_beyond_the_table(struct ktest *test)
{
	struct window *w = window_open_raw(test, SECTION_SIZE);
	const phys_addr_t end = (phys_addr_t)NR_SECTION_ROOTS << ROOT_PFN_SHIFT
							      << PAGE_SHIFT;

	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, pfn_to_phys(w->base), SECTION_SIZE),
			0);
	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, end, 5UL << 20), 0);
	log_mark();
	KTEST_EXPECT_EQ(test, mm_populate(w->mm, &w->mb), -E2BIG);
	KTEST_EXPECT_TRUE(test,
			  times_logged("metadata of 133 MiB of memory lies outside"));
}

/* Count the log's lines that say that @what failed for block @n. */
static unsigned int times_failed(const struct window *w, unsigned long n,
				 const char *what)
{
	char words[64];

	snprintf(words, sizeof(words), "memory%lu: %s failed", w->block + n, what);
	return times_logged(words);
}

static int veto(struct notifier_block *nb, unsigned long event, void *data)
{
	(void)nb;
	(void)data;
	return event == MEM_GOING_ONLINE ? -EPERM : 0;
}

/* The log has a line for a request that failed, and none for a request that made no sense. */
static void log_has_what_failed(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct notifier_block nb = { .fn = veto, .name = "no" };
	const unsigned long pfn = window_pfn(w, 1) + 20 * PB;

	KTEST_ASSERT_EQ(test, register_memory_notifier(w->mm, &nb), 0);
	w->mm->default_online_type = MMOP_ONLINE_MOVABLE;
	log_mark();
	window_add(test, w, 1, ~0UL);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_OFFLINE);
	KTEST_EXPECT_EQ(test, times_failed(w, 1, "online"), 1);
	unregister_memory_notifier(w->mm, &nb);

	KTEST_EXPECT_EQ(test, window_offline(w, 1), -EINVAL);
	KTEST_EXPECT_EQ(test, times_failed(w, 1, "offline"), 0);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_SLAB), 0);
	KTEST_EXPECT_EQ(test, window_offline(w, 1), -EBUSY);
	KTEST_EXPECT_EQ(test, times_failed(w, 1, "offline"), 1);
	free_pages(w->mm, pfn, 0);
}

static const struct ktest_case mm_log_cases[] = {
	KTEST_CASE(failure_is_logged_once),
	KTEST_CASE(memory_beyond_the_table),
	KTEST_CASE(log_has_what_failed),
	{},
};
static struct ktest_suite mm_log_suite = { .name = "mm_log", .cases = mm_log_cases };
KTEST_SUITE(mm_log_suite);
