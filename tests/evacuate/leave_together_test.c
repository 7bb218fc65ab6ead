/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several memory blocks that leave together: all are isolated, announced and judged
 * before the first page of any moves; and blocks that wait to leave do not block other
 * requests, nor do those block them.
 */
#include "kernel/timer.h"
#include "lib/errno.h"
#include "mm/page_alloc.h"
#include "tests/mm/test_mm.h"

#define ALL	 (~0UL)
#define PB	 PAGEBLOCK_NR_PAGES
#define NR_SLOTS 10U

/* Four blocks, the first three online, and pages that can move in the first two. */
struct together {
	struct window *w;
	unsigned long blocks[3];
	struct page_slot slot[2 * NR_SLOTS];
	unsigned long at[2 * NR_SLOTS];
	unsigned int nr;
	struct mm_failure why;
	struct evacuate_policy policy;
};

static void slot_at(struct ktest *test, struct together *g, unsigned long pfn)
{
	struct page_slot *slot = &g->slot[g->nr];

	KTEST_ASSERT_EQ(test, alloc_pages_at(g->w->mm, pfn, 0, PGTY_DRIVER), 0);
	slot->pfn = pfn;
	page_set_owner(g->w->mm, pfn, (uintptr_t)slot);
	g->at[g->nr++] = pfn;
}

static struct together *together_open(struct ktest *test)
{
	struct together *g = ktest_alloc(test, sizeof(*g));
	struct window *w = window_open_owned(test);

	g->w = w;
	for (unsigned long n = 1; n <= 4; n++)
		window_add(test, w, n, ALL);
	for (unsigned long n = 1; n <= 3; n++) {
		KTEST_ASSERT_EQ(test, window_online(w, n, MMOP_ONLINE_KERNEL), 0);
		g->blocks[n - 1] = w->block + n;
	}
	for (unsigned long i = 0; i < NR_SLOTS; i++) {
		slot_at(test, g, window_pfn(w, 1) + 2 * PB + 3 * i);
		slot_at(test, g, window_pfn(w, 2) + 7 * PB + 5 * i);
	}
	g->policy = test_policy(EVAC_END_OFFLINE, PGTY_OFFLINE);
	return g;
}

static void slots_close(struct ktest *test, struct together *g)
{
	for (unsigned int i = 0; i < g->nr; i++)
		KTEST_EXPECT_EQ(test, slot_free(g->w->mm, &g->slot[i]), 0);
}

static void expect_unmoved(struct ktest *test, const struct together *g)
{
	for (unsigned int i = 0; i < g->nr; i++)
		KTEST_EXPECT_EQ(test, slot_pfn(&g->slot[i]), g->at[i]);
}

static int leave(struct together *g)
{
	return offline_and_remove_memory(g->w->mm, g->blocks, 3, &g->policy.limits,
					 &g->why);
}

/* A listener that hears the blocks' events, and may refuse a block. */
struct ear {
	struct notifier_block nb;
	const struct together *g;
	unsigned int heard[NR_MEM_EVENTS];
	unsigned long refuses; /* first frame of a block */
	unsigned int not_isolated, moved;
};

static int hear(struct notifier_block *nb, unsigned long event, void *data)
{
	struct ear *ear = container_of(nb, struct ear, nb);
	const struct memory_notify *n = data;

	ear->heard[event]++;
	if (event == MEM_GOING_OFFLINE)
		for (unsigned int i = 0; i < ear->g->nr; i++)
			ear->moved += slot_pfn(&ear->g->slot[i]) != ear->g->at[i];
	if (event == MEM_GOING_OFFLINE || event == MEM_CANCEL_OFFLINE)
		for (unsigned long pfn = n->start_pfn; pfn < n->start_pfn + n->nr_pages; pfn += PB)
			ear->not_isolated += !test_mm_isolated(n->mm, pfn);
	return event == MEM_GOING_OFFLINE && n->start_pfn == ear->refuses ? -EBUSY : 0;
}

static void listen(struct ktest *test, struct together *g, struct ear *ear, int priority)
{
	*ear = (struct ear){ .nb = { .fn = hear, .priority = priority, .name = "ear" }, .g = g };
	KTEST_ASSERT_EQ(test, register_memory_notifier(g->w->mm, &ear->nb), 0);
}

/* A page that only its user can free, in the first, the second or the last block. */
static void one_is_hopeless(struct ktest *test)
{
	struct together *g = together_open(test);
	struct window *w = g->w;
	struct ear *ear = ktest_alloc(test, sizeof(*ear));
	const struct window_totals before = window_totals(w);
	struct window_totals now;

	listen(test, g, ear, 0);
	for (unsigned long n = 1; n <= 3; n++) {
		const unsigned long pfn = window_pfn(w, n) + 40 * PB + 1;

		KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_KERNEL), 0);
		KTEST_EXPECT_EQ(test, leave(g), -EBUSY);
		KTEST_EXPECT_EQ(test, g->why.reason, MM_REASON_UNMOVABLE);
		KTEST_EXPECT_EQ(test, g->why.pfn, pfn);
		KTEST_EXPECT_EQ(test, g->why.phase, EVAC_CLASSIFY);
		KTEST_EXPECT_EQ(test, g->why.migrated, 0);
		KTEST_EXPECT_EQ(test, vm_event_read(w->mm, VM_PGMIGRATE_SUCCESS), 0);
		expect_unmoved(test, g);
		KTEST_EXPECT_EQ(test, ear->heard[MEM_GOING_OFFLINE], 3 * n);
		KTEST_EXPECT_EQ(test, ear->heard[MEM_CANCEL_OFFLINE], 3 * n);
		free_pages(w->mm, pfn, 0);
		KTEST_EXPECT_EQ(test, drain_all_pages(w->mm, STEP_NS), 0);
		now = window_totals(w);
		KTEST_EXPECT_MEMEQ(test, &now, &before, sizeof(now));
		window_check(test, w);
	}
	/* No block went offline and online again. */
	KTEST_EXPECT_EQ(test, ear->heard[MEM_OFFLINE] + ear->heard[MEM_GOING_ONLINE], 0);
	KTEST_EXPECT_EQ(test, ear->not_isolated, 0);
	slots_close(test, g);
	KTEST_EXPECT_EQ(test, leave(g), 0);
	KTEST_EXPECT_EQ(test, ear->heard[MEM_OFFLINE], 3);
	unregister_memory_notifier(w->mm, &ear->nb);
}

/* Both blocks' pages move in one go, to the block that stays. */
static void all_move_once(struct ktest *test)
{
	struct together *g = together_open(test);

	KTEST_EXPECT_EQ(test,
			offline_memory_blocks(g->w->mm, g->blocks, 2, &g->policy.limits,
					      &g->why),
			0);
	KTEST_EXPECT_EQ(test, g->why.migrated, g->nr);
	for (unsigned int i = 0; i < g->nr; i++)
		KTEST_EXPECT_TRUE(test, slot_pfn(&g->slot[i]) < window_pfn(g->w, 1) ||
					slot_pfn(&g->slot[i]) >= window_pfn(g->w, 3));
	window_check(test, g->w);
	/* An offline block cannot go offline again, and the failure changes no other block. */
	KTEST_EXPECT_EQ(test,
			offline_memory_blocks(g->w->mm, g->blocks + 1, 2,
					      &g->policy.limits, &g->why),
			-EINVAL);
	KTEST_EXPECT_EQ(test, g->why.pfn, window_pfn(g->w, 2));
	KTEST_EXPECT_EQ(test, window_state(g->w, 3), MEM_BLOCK_ONLINE);
	slots_close(test, g);
	KTEST_EXPECT_EQ(test, leave(g), 0);
	window_check(test, g->w);
}

/*
 * A listener refuses the third block: the first two get their cancel event while still
 * isolated.
 */
static void veto_is_asked_before_moving(struct ktest *test)
{
	struct together *g = together_open(test);
	struct ear *first = ktest_alloc(test, sizeof(*first));
	struct ear *last = ktest_alloc(test, sizeof(*last));

	listen(test, g, first, 1);
	listen(test, g, last, -1);
	last->refuses = window_pfn(g->w, 3);
	KTEST_EXPECT_EQ(test, leave(g), -EBUSY);
	KTEST_EXPECT_EQ(test, g->why.reason, MM_REASON_VETO);
	KTEST_EXPECT_EQ(test, g->why.pfn, window_pfn(g->w, 3));
	KTEST_EXPECT_STREQ(test, g->why.detail, "ear");
	expect_unmoved(test, g);
	KTEST_EXPECT_EQ(test, first->heard[MEM_GOING_OFFLINE], 3);
	KTEST_EXPECT_EQ(test, first->heard[MEM_CANCEL_OFFLINE], 3);
	KTEST_EXPECT_EQ(test, last->heard[MEM_GOING_OFFLINE], 3);
	KTEST_EXPECT_EQ(test, last->heard[MEM_CANCEL_OFFLINE], 2);
	for (unsigned int n = 1; n <= 3; n++)
		KTEST_EXPECT_EQ(test, window_state(g->w, n), MEM_BLOCK_ONLINE);
	window_check(test, g->w);
	last->refuses = 0;
	KTEST_EXPECT_EQ(test, leave(g), 0);
	KTEST_EXPECT_EQ(test, first->heard[MEM_OFFLINE], 3);
	KTEST_EXPECT_EQ(test, first->moved + last->moved, 0);
	KTEST_EXPECT_EQ(test, first->not_isolated + last->not_isolated, 0);
	unregister_memory_notifier(g->w->mm, &first->nb);
	unregister_memory_notifier(g->w->mm, &last->nb);
	slots_close(test, g);
}

static const struct ktest_case together_cases[] = {
	KTEST_CASE(one_is_hopeless),
	KTEST_CASE(all_move_once),
	KTEST_CASE(veto_is_asked_before_moving),
	{},
};
static struct ktest_suite together_suite = { .name = "leave_together", .cases = together_cases };
KTEST_SUITE(together_suite);
