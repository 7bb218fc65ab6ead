/* SPDX-License-Identifier: BSD-2-Clause */
/* Compaction of a whole memory, and the indexes that say how fragmented it is. */
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/compaction.h"
#include "mm/page_alloc.h"
#include "tests/mm/test_mm.h"

#define PB	PAGEBLOCK_NR_PAGES
#define NR_PBS	32U
#define ROUNDS	100U

/* Pages of slots that are scattered over NR_PBS pageblocks. */
struct scattered {
	struct test_mm *t;
	struct page_slot slot[NR_PBS * PB];
	unsigned int nr;
};

static u64 *content(const struct page_slot *slot)
{
	return phys_to_virt(pfn_to_phys(slot_pfn(slot)));
}

static struct scattered *scatter_into(struct ktest *test)
{
	struct scattered *s = test_mm_table(test, sizeof(*s));

	s->t = test_mm_normal(test, 1);
	s->nr = 0;
	return s;
}

/* Put a page at each @step-th frame of pageblock @b. */
static void scatter(struct ktest *test, struct scattered *s, unsigned int b, unsigned int step)
{
	for (unsigned int i = 0; i < PB; i += step) {
		struct page_slot *slot = &s->slot[s->nr];

		slot_at(test, s->t->mm, slot, s->t->base + b * PB + i, 0);
		*content(slot) = s->nr++;
	}
}

/* Every page has its content, and nothing is lost. */
static void gather(struct ktest *test, struct scattered *s)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < s->nr; i++)
		wrong += *content(&s->slot[i]) != i;
	KTEST_EXPECT_EQ(test, wrong, 0);
	test_mm_check(test, s->t);
	slots_gone(test, s->t, s->slot, s->nr);
}

/* Pageblocks of the zone that are free as a whole. */
static unsigned long whole(struct ktest *test, struct scattered *s)
{
	unsigned long nr[NR_MIGRATE_TYPES][NR_PAGE_ORDERS], sum = 0;

	KTEST_EXPECT_EQ(test, drain_all_pages(s->t->mm, STEP_NS), 0);
	zone_count_free(s->t->zone, nr);
	for (unsigned int mt = 0; mt < NR_MIGRATE_TYPES; mt++)
		sum += nr[mt][PAGEBLOCK_ORDER] + 2 * nr[mt][MAX_PAGE_ORDER];
	return sum;
}

static int compact(struct scattered *s, struct compaction_result *result,
		   struct mm_failure *why)
{
	const struct evac_limits limits = evac_limits(EVAC_FOR_COMPACT, 1);

	return compact_memory(s->t->mm, &limits, result, why);
}

/* Pages of random density: as many pageblocks become free as the pages leave room for. */
static void pages_fill_few_pageblocks(struct ktest *test)
{
	struct scattered *s = scatter_into(test);
	unsigned long before, surplus;
	struct compaction_result result;
	struct mm_failure why;

	for (unsigned int b = 0; b < NR_PBS; b++)
		scatter(test, s, b, 2 + prng_below(&test->prng, 60));
	before = whole(test, s);
	surplus = NR_PBS - DIV_ROUND_UP(s->nr, PB);
	KTEST_EXPECT_EQ(test, compact(s, &result, &why), 0);
	KTEST_EXPECT_GE(test, result.emptied, surplus);
	KTEST_EXPECT_GE(test, whole(test, s), before + surplus);
	/* There is nothing left to do, so a second request moves nothing. */
	KTEST_EXPECT_EQ(test, compact(s, &result, &why), 0);
	KTEST_EXPECT_EQ(test, result.moved, 0);
	gather(test, s);
}

/* A pageblock with a frame that cannot move would not become free: its pages stay. */
static void unmovable_pageblocks_are_left_alone(struct ktest *test)
{
	struct scattered *s = scatter_into(test);
	struct compaction_result result;
	struct mm_failure why;

	for (unsigned int b = 0; b < 4; b++) {
		scatter(test, s, b, 8);
		KTEST_ASSERT_EQ(test, alloc_pages_at(s->t->mm, s->t->base + b * PB + 1, 0,
						     PGTY_KERNEL), 0);
	}
	KTEST_EXPECT_EQ(test, compact(s, &result, &why), 0);
	KTEST_EXPECT_EQ(test, result.moved, 0);
	KTEST_EXPECT_EQ(test, result.emptied, 0);
	for (unsigned int b = 0; b < 4; b++)
		free_pages(s->t->mm, s->t->base + b * PB + 1, 0);
	gather(test, s);
}

/* A pageblock with a pinned page is left alone, and does not keep others from being emptied. */
static void pinned_pageblocks_are_left_alone(struct ktest *test)
{
	struct scattered *s = scatter_into(test);
	const unsigned long pinned = s->t->base + PB;
	struct compaction_result result;
	struct mm_failure why;

	scatter(test, s, 0, 4);
	scatter(test, s, 1, 64);
	scatter(test, s, 2, 64);
	KTEST_ASSERT_EQ(test, page_pin(s->t->mm, pinned), 0);
	KTEST_EXPECT_EQ(test, compact(s, &result, &why), 0);
	KTEST_EXPECT_EQ(test, result.moved, PB / 64);
	KTEST_EXPECT_EQ(test, result.emptied, 1);
	KTEST_EXPECT_EQ(test, page_type(s->t->mm, pinned), PGTY_DRIVER);
	KTEST_EXPECT_EQ(test, page_unpin(s->t->mm, pinned), 0);
	gather(test, s);
}

/* The pages of zone Normal stay in it, even where zone Movable is free. */
static void pages_stay_in_their_zone(struct ktest *test)
{
	struct test_mm *t = test_mm_movable(test);
	struct zone *movable = mm_zone(t->mm, ZONE_MOVABLE);
	struct page_slot slots[NR_PBS];
	const struct evac_limits limits = evac_limits(EVAC_FOR_COMPACT, 1);
	struct compaction_result result;
	struct mm_failure why;
	unsigned long free;

	for (unsigned int i = 0; i < NR_PBS; i++)
		slot_at(test, t->mm, &slots[i], window_pfn(t->w, 0) + (i + 16) * PB + i, 0);
	KTEST_ASSERT_EQ(test, drain_all_pages(t->mm, STEP_NS), 0);
	free = zone_free_pages(movable);
	KTEST_EXPECT_EQ(test, compact_memory(t->mm, &limits, &result, &why), 0);
	KTEST_EXPECT_GE(test, result.emptied, NR_PBS - 1);
	KTEST_ASSERT_EQ(test, drain_all_pages(t->mm, STEP_NS), 0);
	KTEST_EXPECT_EQ(test, zone_free_pages(movable), free);
	slots_gone(test, t, slots, NR_PBS);
}

static bool always(void *)
{
	return true;
}

static void cancelled(struct ktest *test)
{
	struct scattered *s = scatter_into(test);
	struct evac_limits limits = evac_limits(EVAC_FOR_COMPACT, 1);
	struct compaction_result result;
	struct mm_failure why;

	scatter(test, s, 0, 4);
	scatter(test, s, 1, 64);
	limits.cancelled = always;
	KTEST_EXPECT_EQ(test, compact_memory(s->t->mm, &limits, &result, &why), -EINTR);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_CANCELLED);
	KTEST_EXPECT_EQ(test, result.moved, 0);
	KTEST_EXPECT_EQ(test, s->t->zone->nr_isolated, 0);
	gather(test, s);
}

/* Three free frames and a free chunk of order 4, and what Linux's formulas say of them. */
static void indexes(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long max = t->zone->managed;
	unsigned long *pfns = test_mm_table(test, max * sizeof(*pfns)), nr;
	struct extfrag index[NR_PAGE_ORDERS];

	nr = alloc_pages_bulk(t->mm, GFP_ATOMIC | GFP_NOWARN, PGTY_KERNEL, max, pfns);
	for (unsigned long i = 0; i < nr; i++) {
		const unsigned long at = pfns[i] - t->base;

		if (at == 1 || at == 3 || at == 5 || (at >= 32 && at < 48)) {
			free_pages(t->mm, pfns[i], 0);
			pfns[i--] = pfns[--nr];
		}
	}
	KTEST_ASSERT_EQ(test, test_mm_free(test, t), 19);
	zone_extfrag(t->zone, index);
	KTEST_EXPECT_EQ(test, index[0].unusable, 0);
	KTEST_EXPECT_EQ(test, index[1].unusable, 3 * 1000 / 19);
	KTEST_EXPECT_EQ(test, index[4].unusable, 3 * 1000 / 19);
	KTEST_EXPECT_EQ(test, index[5].unusable, 1000);
	KTEST_EXPECT_EQ(test, index[4].fragmentation, -1000);
	KTEST_EXPECT_EQ(test, index[5].fragmentation, 1000 - (1000 + 19 * 1000 / 32) / 4);
	KTEST_EXPECT_EQ(test, index[10].fragmentation, 1000 - (1000 + 19 * 1000 / 1024) / 4);
	free_pages_bulk(t->mm, pfns, nr);
}

/* Without free memory, no frame is usable, and there is nothing to defragment. */
static void indexes_of_nothing(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct extfrag index[NR_PAGE_ORDERS];

	zone_extfrag(mm_zone(t->mm, ZONE_MOVABLE), index);
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++) {
		KTEST_EXPECT_EQ(test, index[k].unusable, 1000);
		KTEST_EXPECT_EQ(test, index[k].fragmentation, 0);
	}
}

/* --- blocks come and go meanwhile -------------------------------------------------- */

struct coming {
	struct window *w;
	u32 stop;
};

/* Remove block 2 and bring it back, until the case stops it. Return: how often it failed. */
static int come_and_go(void *arg)
{
	struct coming *c = arg;
	const unsigned long block = c->w->block + 2;
	int failed = 0;

	while (!READ_ONCE(c->stop)) {
		if (offline_and_remove_memory(c->w->mm, &block, 1, NULL, NO_WHY))
			failed++;
		else
			failed += add_memory(c->w->mm, block, &c->w->owner, ~0ULL, NO_WHY) != 0;
		cond_resched();
	}
	return failed;
}

/* Move a slot to frame @pfn, or to any frame, once no mover holds its page. */
static int renew(struct mm *mm, struct page_slot *slot, unsigned long pfn)
{
	int err;

	while ((err = slot_free(mm, slot)) == -EBUSY)
		yield();
	if (err || alloc_pages_at(mm, pfn, 0, PGTY_DRIVER))
		return err ? err : slot_alloc(mm, slot, 0);
	WRITE_ONCE(slot->pfn, pfn);
	page_set_owner(mm, pfn, (uintptr_t)slot);
	return 0;
}

/* The blocks of a group may be gone when its turn comes, and right after it was emptied. */
static void blocks_come_and_go(struct ktest *test)
{
	struct page_slot *slots = ktest_alloc(test, NR_PBS * sizeof(*slots));
	struct coming c = { .w = window_open_owned(test) };
	const struct evac_limits limits = evac_limits(EVAC_FOR_COMPACT, 1);
	const unsigned long start = window_pfn(c.w, 1), both = 2 * PAGES_PER_SECTION;
	struct compaction_result result;
	struct thread *thread;
	struct mm_failure why;
	int failed;

	for (unsigned long n = 1; n <= 2; n++)
		window_add_online(test, c.w, n, MMOP_ONLINE_MOVABLE);
	c.w->mm->default_online_type = MMOP_ONLINE_MOVABLE;
	for (unsigned int i = 0; i < NR_PBS; i++)
		slot_at(test, c.w->mm, &slots[i], window_pfn(c.w, 1) + (i + 8) * PB + i, 0);
	thread = thread_create("comes", come_and_go, &c);
	KTEST_ASSERT_NOT_NULL(test, thread);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < NR_PBS; i++)
			KTEST_ASSERT_EQ(test, renew(c.w->mm, &slots[i],
						    start + prng_below(&test->prng, both)), 0);
		KTEST_EXPECT_EQ(test, compact_memory(c.w->mm, &limits, &result, &why), 0);
		yield();
	}
	WRITE_ONCE(c.stop, 1);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, &failed), 0);
	for (unsigned int i = 0; i < NR_PBS; i++)
		KTEST_EXPECT_EQ(test, slot_free(c.w->mm, &slots[i]), 0);
	window_check(test, c.w);
}

/* A compaction in its own thread, which waits for the hotplug lock. */
struct waiting {
	struct mm *mm;
	bool waits, go_on;
	struct compaction_result result;
};

/* Called while compaction waits for the lock: the case takes the lock again first. */
static bool wait_for_the_case(void *cookie)
{
	struct waiting *w = cookie;

	WRITE_ONCE(w->waits, true);
	while (!READ_ONCE(w->go_on))
		msleep(1);
	return false;
}

static int compact_later(void *arg)
{
	struct waiting *w = arg;
	struct evac_limits limits = evac_limits(EVAC_FOR_COMPACT, 1);
	struct mm_failure why;

	limits.cancelled = wait_for_the_case;
	limits.cookie = w;
	return compact_memory(w->mm, &limits, &w->result, &why);
}

/* The block of a group leaves after the group was chosen, before it is emptied. */
static void a_chosen_block_leaves(struct ktest *test) __no_lock_analysis
{
	struct test_mm *t = test_mm_movable(test);
	const unsigned long block = t->base >> SECTION_PFN_SHIFT;
	struct waiting w = { .mm = t->mm };
	struct page_slot slots[8];
	struct thread *thread;
	int err = 1;

	for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++)
		slot_at(test, t->mm, &slots[i], t->base + i * PB, 0);
	mutex_lock(&t->mm->hotplug_lock);
	thread = thread_create("later", compact_later, &w);
	while (thread && !READ_ONCE(w.waits))
		msleep(1);
	mutex_unlock(&t->mm->hotplug_lock);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_EXPECT_EQ(test, offline_and_remove_memory(t->mm, &block, 1, NULL, NO_WHY), 0);
	WRITE_ONCE(w.go_on, true);
	KTEST_ASSERT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, &err), 0);
	KTEST_EXPECT_EQ(test, err, 0);
	KTEST_EXPECT_EQ(test, w.result.moved, 0);
	slots_gone(test, t, slots, ARRAY_SIZE(slots));
}

static const struct ktest_case cases[] = {
	KTEST_CASE(pages_fill_few_pageblocks),
	KTEST_CASE(unmovable_pageblocks_are_left_alone),
	KTEST_CASE(pinned_pageblocks_are_left_alone),
	KTEST_CASE(pages_stay_in_their_zone),
	KTEST_CASE(cancelled),
	KTEST_CASE(indexes),
	KTEST_CASE(indexes_of_nothing),
	KTEST_CASE(a_chosen_block_leaves),
	KTEST_CASE(blocks_come_and_go),
	{},
};
static struct ktest_suite suite = { .name = "compact_memory", .cases = cases };
KTEST_SUITE(suite);
