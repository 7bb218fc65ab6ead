/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A window in the kernel's own memory. A private mm is discarded with everything that a
 * case left in it; this window is emptied, frame by frame if an owner withheld frames.
 */
#include "tests/mm/kernel_window.h"
#include "mm/page_alloc.h"

#define PB PAGEBLOCK_NR_PAGES

static struct ktest *window_test;
static enum mhp_online_type usual_type;

int window_in_kernel_mm(struct ktest *test)
{
	test->priv = &kernel_mm;
	return 0;
}

bool wants_kernel_window(const struct ktest *test)
{
	return test->priv == &kernel_mm;
}

static struct memory_owner *owner_within(struct window *w)
{
	struct memory_owner *owner;

	list_for_each_entry(owner, &w->mm->owners, list)
		if (owner->region.start_pfn - window_pfn(w, 1) <
		    (WINDOW_BLOCKS - 1) * PAGES_PER_SECTION)
			return owner;
	return NULL;
}

/* Free the unplugged and the withheld frames of a pageblock of an online block. */
static void release_pageblock(struct window *w, unsigned long pfn)
{
	const struct pfn_range range = { pfn, PB };

	if (plug_memory(w->mm, &range, NO_WHY) == 0)
		return;
	for (unsigned long i = 0; i < PB; i++)
		if (page_type(w->mm, pfn + i) == PGTY_OFFLINE)
			release_offline_range(w->mm, pfn + i, 1);
}

static void block_leaves(struct window *w, unsigned long n)
{
	if (window_state(w, n) == MEM_BLOCK_ONLINE) {
		for (unsigned long pfn = window_pfn(w, n); pfn < window_pfn(w, n + 1); pfn += PB)
			release_pageblock(w, pfn);
		zone_update_watermarks(w->mm);
		KTEST_EXPECT_EQ(window_test, window_offline(w, n), 0);
	}
	if (window_state(w, n) == MEM_BLOCK_OFFLINE)
		KTEST_EXPECT_EQ(window_test, window_remove(w, n), 0);
}

static void kernel_window_close(void *ctx)
{
	struct window *w = ctx;
	struct memory_owner *owner;

	while ((owner = owner_within(w)))
		unregister_memory_owner(w->mm, owner);
	for (unsigned long n = 1; n < WINDOW_BLOCKS; n++)
		block_leaves(w, n);
	w->mm->default_online_type = usual_type;
}

void kernel_window_open(struct ktest *test, struct window *w)
{
	window_test = test;
	w->mm = &kernel_mm;
	usual_type = kernel_mm.default_online_type;
	kernel_mm.default_online_type = MMOP_OFFLINE;
	ktest_add_action(test, kernel_window_close, w);
}
