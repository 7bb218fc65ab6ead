/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks around each case of every suite: the kernel's own memory is consistent, and as
 * many pages are free after the case as before. A leak is a failure.
 *
 * The harts' page caches are drained for the count. Page tables count as free, because the
 * machine may keep them after their last mapping. A case during which the amount of memory
 * changes (also by a driver in the background) is not compared.
 */
#include "kernel/ktest.h"
#include "kernel/timer.h"
#include "mm/mm.h"
#include "mm/page_alloc.h"
#include "mm/vmstat.h"

#define DRAIN_NS (60 * NSEC_PER_SEC)

struct counts {
	unsigned long free;
	unsigned long managed;
};

static struct counts before;

/* Runs nest when the runner tests itself: only the outer case is checked. */
static unsigned int depth;

static bool kernel_mm_is_up(void)
{
	return kernel_mm.name != NULL;
}

static struct counts count_pages(struct ktest *test)
{
	struct counts counts = { 0, 0 };
	unsigned long types[NR_PAGE_TYPES];

	KTEST_EXPECT_EQ(test, drain_all_pages(&kernel_mm, DRAIN_NS), 0);
	for (unsigned int i = 0; i < NR_ZONES; i++) {
		const struct zone *zone = &kernel_mm.zone[i];

		counts.free += READ_ONCE(zone->free) + READ_ONCE(zone->free_isolated);
		counts.managed += READ_ONCE(zone->managed);
	}
	mm_census(&kernel_mm, types);
	counts.free += types[PGTY_PGTABLE];
	return counts;
}

static void note_pages(struct ktest *test)
{
	if (depth++ == 0 && kernel_mm_is_up())
		before = count_pages(test);
}

static void compare_pages(struct ktest *test)
{
	struct counts after;

	if (--depth != 0 || !kernel_mm_is_up())
		return;
	after = count_pages(test);
	if (after.managed == before.managed && after.free != before.free)
		KTEST_FAIL(test, "%ld pages of the kernel's memory are missing (%lu were free, "
			   "%lu are)", (long)(before.free - after.free), before.free,
			   after.free);
	if (mm_check(&kernel_mm, ktest_sink(test)) != 0)
		KTEST_FAIL(test, "the kernel's memory is not sound, see above");
}

static const struct ktest_hook kernel_mm_hook = {
	.name = "kernel_mm",
	.before = note_pages,
	.after = compare_pages,
};
KTEST_HOOK(kernel_mm_hook);
