/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A waiting evacuation blocks no other request: while it sleeps, other blocks are
 * plugged, onlined, offlined and removed, other ranges are taken, and everything is
 * checked. Requests for frames or blocks that it has isolated or claimed fail at once,
 * and the failure names them.
 */
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/mm/test_mm.h"

#define ALL	(~0UL)
#define PB	PAGEBLOCK_NR_PAGES

enum kind { OFFLINE, REMOVE, CONTIG };

static const struct kind_param {
	enum kind kind;
	const char *name;
} kinds[] = { { OFFLINE, "offline" }, { REMOVE, "remove" }, { CONTIG, "contig" } };

static void describe_kind(const struct kind_param *p, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, p->name, KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(kind, kinds, describe_kind)

/* A request that waits for the page at @held, in block @n of the window. */
struct request {
	struct window *w;
	enum kind kind;
	unsigned long n, held;
	struct evacuate_policy policy;
	struct mm_failure why;
	struct thread *thread;
	u32 cancel;
};

static bool is_cancelled(void *cookie)
{
	return READ_ONCE(*(u32 *)cookie);
}

/* Run the request; REMOVE also removes the next block, which is offline. */
static int run_request(void *arg)
{
	struct request *r = arg;
	const unsigned long blocks[] = { r->w->block + r->n, r->w->block + r->n + 1 };
	struct mm *mm = r->w->mm;

	if (r->kind == OFFLINE)
		return offline_memory_block(mm, blocks[0], &r->policy.limits, &r->why);
	if (r->kind == REMOVE)
		return offline_and_remove_memory(mm, blocks, 2, &r->policy.limits,
						 &r->why);
	return take_contig_range(mm, r->held - 3 * PB, r->held + 3 * PB, &r->policy,
				 &r->why);
}

/* Start a request; return when it sleeps. */
static struct request *start(struct ktest *test, struct window *w, enum kind kind, unsigned long n)
{
	struct request *r = ktest_alloc(test, sizeof(*r));
	struct zone *zone = window_zone(w, ZONE_MOVABLE);
	const u32 before = READ_ONCE(zone->nr_free_waiters);

	*r = (struct request){ .w = w, .kind = kind, .n = n };
	r->held = window_pfn(w, n) + 11 * PB + 7;
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, r->held, 0, PGTY_SLAB), 0);
	r->policy = test_policy(kind == CONTIG ? EVAC_END_ALLOC : EVAC_END_OFFLINE, PGTY_KERNEL);
	r->policy.limits.wait = true;
	r->policy.flags = EVAC_QUIET;
	r->policy.limits.deadline_ns = evac_clock_ns() + STEP_NS;
	r->policy.limits.cancelled = is_cancelled;
	r->policy.limits.cookie = &r->cancel;
	r->thread = thread_create("waiter", run_request, r);
	KTEST_ASSERT_NOT_NULL(test, r->thread);
	for (unsigned int ms = 0; READ_ONCE(zone->nr_free_waiters) == before && ms < 20000; ms++)
		msleep(1);
	KTEST_ASSERT_EQ(test, READ_ONCE(zone->nr_free_waiters), before + 1);
	return r;
}

static int end(struct ktest *test, struct request *r)
{
	int err = 1;

	KTEST_ASSERT_EQ(test, thread_join(r->thread, ktime_ns() + STEP_NS, &err), 0);
	if (!err && r->kind == CONTIG)
		free_contig_range(r->w->mm, r->held - 3 * PB, 6 * PB);
	return err;
}

/* Free the page: the request succeeds. */
static void finish(struct ktest *test, struct request *r)
{
	free_pages(r->w->mm, r->held, 0);
	KTEST_EXPECT_EQ(test, end(test, r), 0);
	KTEST_EXPECT_EQ(test, r->why.reason, MM_REASON_NONE);
}

/* Cancel the request: everything is as before. */
static void cancel(struct ktest *test, struct request *r)
{
	WRITE_ONCE(r->cancel, 1);
	KTEST_EXPECT_EQ(test, end(test, r), -EINTR);
	KTEST_EXPECT_EQ(test, r->why.pfn, r->held);
	KTEST_EXPECT_EQ(test, window_state(r->w, r->n), MEM_BLOCK_ONLINE);
	free_pages(r->w->mm, r->held, 0);
}

/* Add @nr blocks, and online all but the last in zone Movable. */
static struct window *open_blocks(struct ktest *test, unsigned long nr)
{
	struct window *w = window_open_owned(test);

	for (unsigned long n = 1; n <= nr; n++) {
		window_add(test, w, n, ALL);
		if (n < nr)
			KTEST_ASSERT_EQ(test, window_online(w, n, MMOP_ONLINE_MOVABLE), 0);
	}
	return w;
}

/*
 * Add, use and remove memory, and take and free ranges; everything stays consistent.
 */
static void come_and_go(struct ktest *test, struct window *w, unsigned long n)
{
	const unsigned long block = w->block + n, pfn = window_pfn(w, n);
	const struct pfn_range part = { pfn + 32 * PB, 8 * PB };
	struct mm *mm = w->mm;

	window_add(test, w, n, ALL >> 8);
	KTEST_ASSERT_EQ(test, window_online(w, n, MMOP_ONLINE_MOVABLE), 0);
	KTEST_EXPECT_EQ(test, alloc_pages_at(mm, pfn + 20 * PB, 9, PGTY_KERNEL), 0);
	free_pages(mm, pfn + 20 * PB, 9);
	KTEST_EXPECT_EQ(test, unplug_memory(mm, &part, NULL, NO_WHY), 0);
	KTEST_EXPECT_EQ(test, plug_memory(mm, &part, NO_WHY), 0);
	KTEST_EXPECT_EQ(test,
			alloc_contig_range(mm, pfn + 9 * PB, pfn + 12 * PB, NULL, NO_WHY),
			0);
	free_contig_range(mm, pfn + 9 * PB, 3 * PB);
	window_check(test, w);
	KTEST_EXPECT_EQ(test, offline_and_remove_memory(mm, &block, 1, NULL, NO_WHY), 0);
}

static void others_come_and_go(struct ktest *test)
{
	const struct kind_param *p = test->param_value;
	struct window *w = open_blocks(test, 2);
	struct request *r = start(test, w, p->kind, 1);

	for (unsigned int i = 0; i < 3; i++)
		come_and_go(test, w, 3);
	finish(test, r);
	KTEST_EXPECT_EQ(test, window_state(w, 1), p->kind == OFFLINE ? MEM_BLOCK_OFFLINE :
						  p->kind == REMOVE  ? MEM_BLOCK_ABSENT :
								       MEM_BLOCK_ONLINE);
	KTEST_EXPECT_EQ(test, window_state(w, 2), p->kind == REMOVE ? MEM_BLOCK_ABSENT :
								      MEM_BLOCK_OFFLINE);
	window_check(test, w);
}

/* Expect that a request was refused, and that the failure names a frame in @r's block. */
static void expect_refused(struct ktest *test, const struct request *r, int err,
			   const struct mm_failure *why)
{
	KTEST_EXPECT_NE(test, err, 0);
	KTEST_EXPECT_TRUE(test, why->reason == MM_REASON_ALREADY_ISOLATED ||
				why->reason == MM_REASON_WRONG_STATE ||
				why->reason == MM_REASON_NOT_OFFLINE);
	if (why->reason != MM_REASON_WRONG_STATE)
		KTEST_EXPECT_EQ(test, why->pfn >> SECTION_PFN_SHIFT,
				r->held >> SECTION_PFN_SHIFT);
}

/* A request for frames or blocks of the waiter fails at once, with nothing changed. */
static void overlaps_are_refused(struct ktest *test)
{
	const struct kind_param *p = test->param_value;
	struct window *w = open_blocks(test, 5);
	struct request *r = start(test, w, p->kind, p->kind == REMOVE ? 4 : 1);
	const unsigned long mine = w->block + r->n;
	const unsigned long both[] = { w->block + 2, mine };
	const struct pfn_range part = { ALIGN_DOWN(r->held, PB), PB };
	struct mm_failure why;

	expect_refused(test, r, offline_memory_block(w->mm, mine, NULL, &why), &why);
	expect_refused(test, r, online_memory_block(w->mm, mine, MMOP_ONLINE, &why), &why);
	expect_refused(test, r, try_remove_memory(w->mm, mine, &why), &why);
	expect_refused(test, r, offline_and_remove_memory(w->mm, both, 2, NULL, &why), &why);
	KTEST_EXPECT_EQ(test, why.pfn >> SECTION_PFN_SHIFT, mine);
	KTEST_EXPECT_EQ(test, window_state(w, 2), MEM_BLOCK_ONLINE);
	expect_refused(test, r,
		       alloc_contig_range(w->mm, r->held - PB, r->held, NULL, &why), &why);
	expect_refused(test, r, unplug_memory(w->mm, &part, NULL, &why), &why);
	KTEST_EXPECT_EQ(test, window_online(w, 5, MMOP_ONLINE), p->kind == REMOVE ? -EINVAL : 0);
	KTEST_EXPECT_EQ(test, window_remove(w, 5), -EBUSY);
	window_check(test, w);
	cancel(test, r);
	KTEST_EXPECT_EQ(test, window_state(w, 5), p->kind == REMOVE ? MEM_BLOCK_OFFLINE :
								      MEM_BLOCK_ONLINE);
	KTEST_EXPECT_EQ(test, window_zone(w, ZONE_MOVABLE)->nr_isolated, 0);
	window_check(test, w);
}

/* Waiters of each kind in one zone end in a different order than they started. */
static void waiters_side_by_side(struct ktest *test)
{
	struct window *w = open_blocks(test, 4);
	struct zone *movable = window_zone(w, ZONE_MOVABLE);
	struct request *r[3];

	r[0] = start(test, w, CONTIG, 1);
	r[1] = start(test, w, OFFLINE, 2);
	r[2] = start(test, w, REMOVE, 3);
	come_and_go(test, w, 5);
	finish(test, r[1]);
	KTEST_EXPECT_EQ(test, READ_ONCE(movable->nr_free_waiters), 2);
	come_and_go(test, w, 5);
	cancel(test, r[0]);
	come_and_go(test, w, 5);
	finish(test, r[2]);
	KTEST_EXPECT_EQ(test, movable->nr_free_waiters, 0);
	window_check(test, w);
}

/* Movable pages stay until the pages that cannot move are gone. */
static void nothing_moves_before_the_wait(struct ktest *test)
{
	struct window *w = open_blocks(test, 3);
	const unsigned long at = window_pfn(w, 1) + 5 * PB;
	struct page_slot slot;
	struct request *r;

	slot_at(test, w->mm, &slot, at, 0);
	r = start(test, w, OFFLINE, 1);
	KTEST_EXPECT_EQ(test, slot_pfn(&slot), at);
	cancel(test, r);
	KTEST_EXPECT_EQ(test, r->why.migrated, 0);
	KTEST_EXPECT_EQ(test, slot_pfn(&slot), at);
	r = start(test, w, OFFLINE, 1);
	/* The movable page is pinned meanwhile: the request also waits for it. */
	KTEST_ASSERT_EQ(test, page_pin(w->mm, at), 0);
	free_pages(w->mm, r->held, 0);
	msleep(20);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_GOING_OFFLINE);
	KTEST_EXPECT_EQ(test, page_unpin(w->mm, at), 0);
	KTEST_EXPECT_EQ(test, end(test, r), 0);
	KTEST_EXPECT_EQ(test, r->why.migrated, 1);
	KTEST_EXPECT_NE(test, slot_pfn(&slot), at);
	KTEST_EXPECT_EQ(test, slot_free(w->mm, &slot), 0);
	window_check(test, w);
}

/*
 * The request does not wait for frames that only a plug could bring back, even if its
 * range also has frames that it would wait for.
 */
static void unplugged_is_hopeless(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	const unsigned long hole = window_pfn(w, 1) + 20 * PB;
	struct mm_failure why;

	window_add(test, w, 1, ~BIT(20));
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, hole - 5, 0, PGTY_SLAB), 0);
	policy.limits.wait = true;
	KTEST_EXPECT_EQ(test,
			take_contig_range(w->mm, hole - PB, hole + 1, &policy, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_SKIPPABLE_TAKEN);
	KTEST_EXPECT_EQ(test, why.pfn, hole);
	KTEST_EXPECT_EQ(test, why.phase, EVAC_CLASSIFY);
	/*
	 * When the owner is gone, no driver can bring the frames back: offlining the block
	 * does not wait, either.
	 */
	unregister_memory_owner(w->mm, &w->owner);
	policy = test_policy(EVAC_END_OFFLINE, PGTY_OFFLINE);
	policy.limits.wait = true;
	KTEST_EXPECT_EQ(test,
			offline_memory_block(w->mm, w->block + 1, &policy.limits, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NOT_SKIPPABLE);
	KTEST_EXPECT_EQ(test, why.phase, EVAC_CLASSIFY);
	free_pages(w->mm, hole - 5, 0);
	window_check(test, w);
}

/* The driver leaves while a request waits to offline its block: the request fails then. */
static void owner_leaves_meanwhile(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct request *r;

	window_add(test, w, 1, ~BIT(20));
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	r = start(test, w, OFFLINE, 1);
	unregister_memory_owner(w->mm, &w->owner);
	KTEST_EXPECT_EQ(test, end(test, r), -EBUSY);
	KTEST_EXPECT_EQ(test, r->why.reason, MM_REASON_NOT_SKIPPABLE);
	KTEST_EXPECT_EQ(test, r->why.pfn, window_pfn(w, 1) + 20 * PB);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ONLINE);
	window_check(test, w);
	free_pages(w->mm, r->held, 0);

	/* The driver comes back, and owns the block again. */
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	finish(test, start(test, w, OFFLINE, 1));
	window_check(test, w);
}

/* Memory that is plugged into a block during its offlining goes offline with the block. */
static void plugged_meanwhile(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	const struct pfn_range part = { window_pfn(w, 1) + 16 * PB, 16 * PB };
	struct zone *movable = window_zone(w, ZONE_MOVABLE);
	struct request *r;

	window_add(test, w, 1, 0xffff);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	r = start(test, w, OFFLINE, 1);
	KTEST_EXPECT_EQ(test, plug_memory(w->mm, &part, NO_WHY), 0);
	KTEST_EXPECT_EQ(test, movable->free, 0);
	window_check(test, w);
	finish(test, r);
	KTEST_EXPECT_EQ(test, movable->managed, 0);
	KTEST_EXPECT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	KTEST_EXPECT_EQ(test, movable->managed, 32 * PB - MHP_HEADER_PAGES);
	window_check(test, w);
}

/*
 * Another request holds the lock when the wait ends: the waiter waits for the lock instead
 * of giving up.
 */
static void the_lock_is_taken_again(struct ktest *test)
{
	struct window *w = open_blocks(test, 2);
	struct request *r = start(test, w, OFFLINE, 1);

	mutex_lock(&w->mm->hotplug_lock);
	free_pages(w->mm, r->held, 0);
	msleep(200);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_GOING_OFFLINE);
	mutex_unlock(&w->mm->hotplug_lock);
	KTEST_EXPECT_EQ(test, end(test, r), 0);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	r = start(test, w, OFFLINE, 1);
	mutex_lock(&w->mm->hotplug_lock);
	WRITE_ONCE(r->cancel, 1);
	msleep(200);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_GOING_OFFLINE);
	mutex_unlock(&w->mm->hotplug_lock);
	cancel(test, r);
	window_check(test, w);
}

static const struct ktest_case unlocked_cases[] = {
	KTEST_CASE_PARAM(others_come_and_go, kind_gen_params),
	KTEST_CASE_PARAM(overlaps_are_refused, kind_gen_params),
	KTEST_CASE(waiters_side_by_side),
	KTEST_CASE(nothing_moves_before_the_wait),
	KTEST_CASE(unplugged_is_hopeless),
	KTEST_CASE(owner_leaves_meanwhile),
	KTEST_CASE(plugged_meanwhile),
	KTEST_CASE(the_lock_is_taken_again),
	{},
};
static struct ktest_suite unlocked_suite = { .name = "wait_unlocked", .cases = unlocked_cases };
KTEST_SUITE(unlocked_suite);
