/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory blocks through their whole life on a private memory: what each step
 * does to the counters, spans and frames, and that failures leave nothing behind.
 */
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/mm/hotplug_window.h"

#define ALL    (~0UL)
#define HEADER MHP_HEADER_PAGES

/* What must be the same after a round trip. */
struct totals {
	struct {
		unsigned long start, spanned, present, managed, free, isolated;
	} zone[NR_ZONES];
	unsigned int reserve;
	unsigned long max_pfn;
};

static struct totals take_totals(const struct window *w)
{
	struct totals t = { .reserve = w->mm.nr_reserve, .max_pfn = w->mm.max_pfn };

	for (unsigned int z = 0; z < NR_ZONES; z++) {
		const struct zone *zone = &w->mm.zone[z];

		t.zone[z].start = zone->start_pfn;
		t.zone[z].spanned = zone->spanned;
		t.zone[z].present = zone->present;
		t.zone[z].managed = zone->managed;
		t.zone[z].free = zone->free;
		t.zone[z].isolated = zone->nr_isolated;
	}
	return t;
}

#define expect_same_totals(test, w, before)                                              \
	do {                                                                             \
		const struct totals _now = take_totals(w);                               \
		KTEST_EXPECT_MEMEQ(test, &_now, &(before), sizeof(_now));                \
		window_check(test, w);                                                   \
	} while (0)

static enum memory_block_state state_of(const struct window *w, unsigned long n)
{
	return memory_block_state(&w->mm, w->block + n);
}

static int online(struct window *w, unsigned long n, enum mhp_online_type type)
{
	struct mm_failure why;

	return online_memory_block(&w->mm, w->block + n, type, &why);
}

static int offline(struct window *w, unsigned long n)
{
	struct mm_failure why;

	return offline_memory_block(&w->mm, w->block + n, NULL, &why);
}

static int remove_block(struct window *w, unsigned long n)
{
	struct mm_failure why;

	return remove_memory(&w->mm, w->block + n, &why);
}

/* add, online, offline, remove: each step's state and counters, and nothing left. */
static void whole_life(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct zone *movable = window_zone(w, ZONE_MOVABLE);
	const struct totals before = take_totals(w);

	window_add(test, w, 1, ALL);
	KTEST_EXPECT_EQ(test, state_of(w, 1), MEM_BLOCK_OFFLINE);
	KTEST_EXPECT_EQ(test, movable->present, 0);
	KTEST_EXPECT_EQ(test, page_type(&w->mm, window_pfn(w, 1)), PGTY_NONE);
	window_check(test, w);

	KTEST_ASSERT_EQ(test, online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	KTEST_EXPECT_EQ(test, state_of(w, 1), MEM_BLOCK_ONLINE);
	KTEST_EXPECT_EQ(test, movable->present, PAGES_PER_SECTION);
	KTEST_EXPECT_EQ(test, movable->managed, PAGES_PER_SECTION - HEADER);
	KTEST_EXPECT_EQ(test, movable->free, PAGES_PER_SECTION - HEADER);
	KTEST_EXPECT_EQ(test, movable->spanned, PAGES_PER_SECTION);
	KTEST_EXPECT_EQ(test, movable->nr_isolated, 0);
	KTEST_EXPECT_EQ(test, page_type(&w->mm, window_pfn(w, 1)), PGTY_MEMMAP);
	KTEST_EXPECT_EQ(test, page_type(&w->mm, window_pfn(w, 1) + HEADER), PGTY_BUDDY);
	window_check(test, w);

	KTEST_ASSERT_EQ(test, offline(w, 1), 0);
	KTEST_EXPECT_EQ(test, state_of(w, 1), MEM_BLOCK_OFFLINE);
	KTEST_EXPECT_EQ(test, movable->spanned, 0);
	KTEST_EXPECT_EQ(test, page_type(&w->mm, window_pfn(w, 1)), PGTY_NONE);
	window_check(test, w);

	KTEST_ASSERT_EQ(test, remove_block(w, 1), 0);
	KTEST_EXPECT_EQ(test, state_of(w, 1), MEM_BLOCK_ABSENT);
	expect_same_totals(test, w, before);
}

/* Twenty rounds drift nowhere: neither metadata nor the reserve leaks. */
static void many_rounds_leak_nothing(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	const struct totals before = take_totals(w);

	for (unsigned int i = 0; i < 20; i++) {
		const unsigned long n = 1 + prng_below(&test->prng, WINDOW_BLOCKS - 1);

		window_add(test, w, n, ALL);
		KTEST_ASSERT_EQ(test, online(w, n, i % 2 ? MMOP_ONLINE_KERNEL :
							   MMOP_ONLINE_MOVABLE), 0);
		KTEST_ASSERT_EQ(test, offline(w, n), 0);
		KTEST_ASSERT_EQ(test, remove_block(w, n), 0);
	}
	expect_same_totals(test, w, before);
}

static void wrong_states_are_refused(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct mm_failure why;
	struct totals before;

	KTEST_EXPECT_EQ(test, online(w, 1, MMOP_ONLINE), -ENOENT);
	KTEST_EXPECT_EQ(test, offline(w, 1), -ENOENT);
	KTEST_EXPECT_EQ(test, remove_block(w, 1), -ENOENT);
	KTEST_EXPECT_EQ(test, online(w, ~0UL >> 1, MMOP_ONLINE), -ENOENT);
	window_add(test, w, 1, ALL);
	KTEST_EXPECT_EQ(test, offline(w, 1), -EINVAL);
	KTEST_EXPECT_EQ(test, online(w, 1, MMOP_OFFLINE), -EINVAL);
	KTEST_ASSERT_EQ(test, online(w, 1, MMOP_ONLINE), 0);
	before = take_totals(w);
	KTEST_EXPECT_EQ(test, online(w, 1, MMOP_ONLINE_KERNEL), -EINVAL);
	KTEST_EXPECT_EQ(test, remove_block(w, 1), -EINVAL);
	/* Boot memory never goes. */
	KTEST_EXPECT_EQ(test, offline(w, 0), -EBUSY);
	KTEST_EXPECT_EQ(test, remove_block(w, 0), -EBUSY);
	KTEST_EXPECT_EQ(test, add_memory(&w->mm, w->block, &w->owner, ALL, &why), -EEXIST);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_EXISTS);
	expect_same_totals(test, w, before);
}

static void bad_adds_are_refused(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	const struct totals before = take_totals(w);
	struct mm_failure why;

	KTEST_EXPECT_EQ(test, add_memory(&w->mm, w->block + 1, &w->owner, 0, &why), -EINVAL);
	KTEST_EXPECT_EQ(test, add_memory(&w->mm, w->block + WINDOW_BLOCKS, &w->owner, ALL, &why),
			-EINVAL);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_HOLE);
	KTEST_EXPECT_EQ(test, add_memory(&w->mm, 0, &w->owner, ALL, &why), -E2BIG);
	KTEST_EXPECT_EQ(test, add_memory(&w->mm, ~0UL >> 10, &w->owner, ALL, &why), -E2BIG);
	expect_same_totals(test, w, before);
	window_add(test, w, 2, ALL);
	KTEST_EXPECT_EQ(test, add_memory(&w->mm, w->block + 2, &w->owner, ALL, &why), -EEXIST);
	KTEST_EXPECT_EQ(test, remove_block(w, 2), 0);
	expect_same_totals(test, w, before);
}

/* Seed 001: from GOING_ONLINE on all frames are PageOffline or Memmap, and isolated. */
struct watch {
	struct notifier_block nb;
	unsigned int heard[NR_MEM_EVENTS];
	int veto[NR_MEM_EVENTS];
	bool wrong;
	struct watch *after; /* must have heard the same starting event before */
};

static int watch_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct watch *watch = container_of(nb, struct watch, nb);
	const struct memory_notify *range = data;
	const struct mem_section *s = pfn_to_section(range->mm, range->start_pfn);

	if (event == MEM_GOING_ONLINE)
		watch->wrong |= page_type(range->mm, range->start_pfn) != PGTY_NONE ||
				s->zone->free_isolated || !(s->pb[1].word & PB_ISOLATE);
	if (event == MEM_GOING_ONLINE || event == MEM_GOING_OFFLINE)
		watch->wrong |= watch->after && watch->after->heard[event] <= watch->heard[event];
	if (event == MEM_GOING_OFFLINE)
		watch->wrong |= !(s->pb[1].word & PB_ISOLATE);
	watch->heard[event]++;
	return watch->veto[event];
}


static void watch_start(struct ktest *test, struct window *w, struct watch *watch, int priority)
{
	memset(watch, 0, sizeof(*watch));
	watch->nb.fn = watch_event;
	watch->nb.priority = priority;
	watch->nb.name = "watch";
	KTEST_ASSERT_EQ(test, register_memory_notifier(&w->mm, &watch->nb), 0);
}

static void notifiers_hear_in_order(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct watch *low = ktest_alloc(test, sizeof(*low));
	struct watch *high = ktest_alloc(test, sizeof(*high));

	watch_start(test, w, low, -5);
	watch_start(test, w, high, 100);
	low->after = high;
	window_add(test, w, 1, ALL);
	KTEST_ASSERT_EQ(test, online(w, 1, MMOP_ONLINE), 0);
	KTEST_ASSERT_EQ(test, offline(w, 1), 0);
	for (unsigned int e = 0; e < NR_MEM_EVENTS; e++) {
		const bool cancel = e == MEM_CANCEL_ONLINE || e == MEM_CANCEL_OFFLINE;

		KTEST_EXPECT_EQ(test, low->heard[e], !cancel);
		KTEST_EXPECT_EQ(test, high->heard[e], !cancel);
	}
	KTEST_EXPECT_FALSE(test, low->wrong);
	KTEST_EXPECT_FALSE(test, high->wrong);
	unregister_memory_notifier(&w->mm, &low->nb);
	KTEST_ASSERT_EQ(test, online(w, 1, MMOP_ONLINE), 0);
	KTEST_EXPECT_EQ(test, low->heard[MEM_ONLINE], 1);
	KTEST_EXPECT_EQ(test, high->heard[MEM_ONLINE], 2);
}

/* Three listeners, the middle one says no: who said yes is told the end, nobody else. */
static void veto_is_symmetric(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct watch *l = ktest_alloc(test, 3 * sizeof(*l));
	struct mm_failure why;
	struct totals before;

	for (int i = 0; i < 3; i++)
		watch_start(test, w, &l[i], 10 - i);
	l[1].nb.name = "naysayer";
	window_add(test, w, 1, ALL);
	before = take_totals(w);
	l[1].veto[MEM_GOING_ONLINE] = -EBUSY;
	KTEST_EXPECT_EQ(test, online_memory_block(&w->mm, w->block + 1, MMOP_ONLINE, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_VETO);
	KTEST_EXPECT_STREQ(test, why.detail, "naysayer");
	KTEST_EXPECT_EQ(test, state_of(w, 1), MEM_BLOCK_OFFLINE);
	expect_same_totals(test, w, before);

	l[1].veto[MEM_GOING_ONLINE] = 0;
	KTEST_ASSERT_EQ(test, online(w, 1, MMOP_ONLINE), 0);
	before = take_totals(w);
	l[1].veto[MEM_GOING_OFFLINE] = -EBUSY;
	KTEST_EXPECT_EQ(test, offline(w, 1), -EBUSY);
	KTEST_EXPECT_EQ(test, state_of(w, 1), MEM_BLOCK_ONLINE);
	expect_same_totals(test, w, before);

	for (unsigned int going = MEM_GOING_ONLINE; going <= MEM_GOING_OFFLINE; going += 3) {
		KTEST_EXPECT_EQ(test, l[0].heard[going + 1], 1);
		KTEST_EXPECT_EQ(test, l[1].heard[going + 1], 0);
		KTEST_EXPECT_EQ(test, l[2].heard[going + 1], 0);
	}
	KTEST_EXPECT_EQ(test, l[2].heard[MEM_GOING_ONLINE], 1);
	KTEST_EXPECT_EQ(test, l[2].heard[MEM_GOING_OFFLINE], 0);
}
static_assert(MEM_GOING_OFFLINE == MEM_GOING_ONLINE + 3 &&
	      MEM_CANCEL_ONLINE == MEM_GOING_ONLINE + 1, "the loop above");

/* A partly plugged block: unplugged frames stay skippable and come back the same. */
static void partly_plugged_round_trip(struct ktest *test)
{
	const u64 plugged = 0x00ff00f0UL;
	struct window *w = window_open_owned(test);
	struct zone *movable = window_zone(w, ZONE_MOVABLE);
	const unsigned long nr = hweight64(plugged) * PAGEBLOCK_NR_PAGES - HEADER;

	window_add(test, w, 2, plugged);
	for (unsigned int round = 0; round < 3; round++) {
		KTEST_ASSERT_EQ(test, online(w, 2, MMOP_ONLINE_MOVABLE), 0);
		KTEST_EXPECT_EQ(test, movable->managed, nr);
		KTEST_EXPECT_EQ(test, movable->free, nr);
		KTEST_EXPECT_EQ(test, movable->present, PAGES_PER_SECTION);
		for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++) {
			struct page_state st;
			unsigned long pfn = window_pfn(w, 2) + b * PAGEBLOCK_NR_PAGES + 300;

			KTEST_ASSERT_TRUE(test, page_state_get(&w->mm, pfn, &st));
			KTEST_EXPECT_EQ(test, st.type,
					plugged & BIT(b) ? PGTY_BUDDY : PGTY_OFFLINE);
			KTEST_EXPECT_EQ(test, st.flags & PG_OFFLINE_SKIPPABLE,
					plugged & BIT(b) ? 0 : PG_OFFLINE_SKIPPABLE);
		}
		window_check(test, w);
		KTEST_ASSERT_EQ(test, offline(w, 2), 0);
	}
	KTEST_EXPECT_EQ(test, remove_block(w, 2), 0);
}

/* The driver leaves: its partly plugged block refuses to go, and names the frame. */
static void owner_gone_block_stays(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct mm_failure why;

	window_add(test, w, 2, 0xfUL);
	KTEST_ASSERT_EQ(test, online(w, 2, MMOP_ONLINE_MOVABLE), 0);
	unregister_memory_owner(&w->mm, &w->owner);
	window_check(test, w);
	KTEST_EXPECT_EQ(test, offline_memory_block(&w->mm, w->block + 2, NULL, &why), -EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NOT_SKIPPABLE);
	KTEST_EXPECT_EQ(test, why.pfn, window_pfn(w, 2) + 4 * PAGEBLOCK_NR_PAGES);
	KTEST_EXPECT_EQ(test, state_of(w, 2), MEM_BLOCK_ONLINE);
	/* He comes back: the block is his again, and can leave. */
	KTEST_ASSERT_EQ(test, register_memory_owner(&w->mm, &w->owner, NULL), 0);
	window_check(test, w);
	KTEST_EXPECT_EQ(test, offline(w, 2), 0);
	KTEST_EXPECT_EQ(test, remove_block(w, 2), 0);
}

static void used_page_is_named(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct mm_failure why;
	unsigned long pfn;
	struct totals before;

	window_add(test, w, 1, ALL);
	KTEST_ASSERT_EQ(test, online(w, 1, MMOP_ONLINE_KERNEL), 0);
	pfn = window_pfn(w, 1) + 7777;
	KTEST_ASSERT_EQ(test, alloc_pages_at(&w->mm, pfn, 0, PGTY_KERNEL), 0);
	before = take_totals(w);
	KTEST_EXPECT_EQ(test, offline_memory_block(&w->mm, w->block + 1, NULL, &why), -EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_UNMOVABLE);
	KTEST_EXPECT_EQ(test, why.pfn, pfn);
	KTEST_EXPECT_EQ(test, why.type, PGTY_KERNEL);
	KTEST_EXPECT_EQ(test, why.migrated, 0);
	KTEST_EXPECT_EQ(test, state_of(w, 1), MEM_BLOCK_ONLINE);
	expect_same_totals(test, w, before);
	free_pages(&w->mm, pfn, 0);
	KTEST_EXPECT_EQ(test, offline(w, 1), 0);
}

/* A block that cannot be emptied: who heard going-offline hears cancel-offline once. */
static void failed_offline_is_cancelled(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct watch *watch = ktest_alloc(test, sizeof(*watch));
	const unsigned long pfn = window_pfn(w, 1) + 4321;

	watch_start(test, w, watch, 0);
	window_add(test, w, 1, ALL);
	KTEST_ASSERT_EQ(test, online(w, 1, MMOP_ONLINE_KERNEL), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(&w->mm, pfn, 0, PGTY_KERNEL), 0);
	KTEST_EXPECT_EQ(test, offline(w, 1), -EBUSY);
	KTEST_EXPECT_EQ(test, watch->heard[MEM_GOING_OFFLINE], 1);
	KTEST_EXPECT_EQ(test, watch->heard[MEM_CANCEL_OFFLINE], 1);
	KTEST_EXPECT_EQ(test, watch->heard[MEM_OFFLINE], 0);
	free_pages(&w->mm, pfn, 0);
	KTEST_EXPECT_EQ(test, offline(w, 1), 0);
	KTEST_EXPECT_EQ(test, watch->heard[MEM_CANCEL_OFFLINE], 1);
	KTEST_EXPECT_EQ(test, watch->heard[MEM_OFFLINE], 1);
	unregister_memory_notifier(&w->mm, &watch->nb);
}

/* Onlined when nobody is there who could restore it: nothing of it is skippable. */
static void ownerless_block_is_not_skippable(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct page_state st;

	window_add(test, w, 2, 0xfUL);
	unregister_memory_owner(&w->mm, &w->owner);
	KTEST_ASSERT_EQ(test, online(w, 2, MMOP_ONLINE_MOVABLE), 0);
	KTEST_EXPECT_EQ(test, window_zone(w, ZONE_MOVABLE)->managed,
			4 * PAGEBLOCK_NR_PAGES - HEADER);
	KTEST_ASSERT_TRUE(test, page_state_get(&w->mm, window_pfn(w, 3) - 1, &st));
	KTEST_EXPECT_EQ(test, st.type, PGTY_OFFLINE);
	KTEST_EXPECT_EQ(test, st.flags, 0);
	KTEST_EXPECT_EQ(test, offline(w, 2), -EBUSY);
	window_check(test, w);
}

/* Adding takes nothing from what is there: with no free page left it still works. */
static void adding_needs_no_memory(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	unsigned long left;

	while (alloc_pages(&w->mm, GFP_KERNEL | GFP_ATOMIC | GFP_NOWARN | GFP_NODRAIN, 0,
			   PGTY_KERNEL) != PFN_NONE)
		;
	left = window_zone(w, ZONE_NORMAL)->free;
	w->mm.default_online_type = MMOP_ONLINE_KERNEL;
	window_add(test, w, 1, ALL);
	KTEST_EXPECT_EQ(test, state_of(w, 1), MEM_BLOCK_ONLINE);
	KTEST_EXPECT_GE(test, window_zone(w, ZONE_NORMAL)->free,
			left + PAGES_PER_SECTION - HEADER - MM_RESERVE_PAGES);
	KTEST_EXPECT_EQ(test, w->mm.nr_reserve, MM_RESERVE_PAGES);
	window_check(test, w);
}

/* Blocks behind each other into an exhausted memory: the reserve is enough for all. */
static void reserve_lasts_for_many_blocks(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	while (alloc_pages(&w->mm, GFP_KERNEL | GFP_ATOMIC | GFP_NOWARN | GFP_NODRAIN, 0,
			   PGTY_KERNEL) != PFN_NONE)
		;
	w->mm.default_online_type = MMOP_ONLINE_MOVABLE;
	for (unsigned long n = 1; n < WINDOW_BLOCKS; n++)
		window_add(test, w, n, ALL);
	KTEST_EXPECT_EQ(test, w->mm.nr_reserve,
			MM_RESERVE_PAGES - DIV_ROUND_UP(WINDOW_BLOCKS - 1, 2));
	window_check(test, w);
}

/*
 * Every step of add and online fails once: nothing is left behind, then it works.
 * With a neighbour in the block the metadata is online memory: more steps.
 */
static const bool neighbours[] = { false, true };

static void describe_neighbour(const bool *neighbour, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, *neighbour ? "two owners" : "self-hosted", KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(neighbour, neighbours, describe_neighbour)

static void open_for_injection(struct ktest *test, struct window *w)
{
	struct memory_owner *other = ktest_alloc(test, sizeof(*other));

	if (*(const bool *)test->param_value) {
		w->owner.region.nr_pages = PAGES_PER_SECTION / 2;
		other->region = w->owner.region;
		other->region.start_pfn += PAGES_PER_SECTION / 2;
		KTEST_ASSERT_EQ(test, register_memory_owner(&w->mm, other, NULL), 0);
	}
	KTEST_ASSERT_EQ(test, register_memory_owner(&w->mm, &w->owner, NULL), 0);
	w->mm.default_online_type = MMOP_ONLINE_MOVABLE;
}

static void injected_failures_leave_nothing(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	struct totals before;
	struct mm_failure why;
	unsigned int step = 1;

	open_for_injection(test, w);
	before = take_totals(w);
	for (;; step++) {
		int err;

		w->mm.inject = step;
		err = add_memory(&w->mm, w->block + 1, &w->owner, 0xf0f0UL, &why);
		if (w->mm.inject) {
			KTEST_EXPECT_EQ(test, err, 0);
			break;
		}
		if (err) {
			KTEST_EXPECT_EQ(test, err, -ENOMEM);
			KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NO_MEMORY);
			KTEST_EXPECT_EQ(test, state_of(w, 1), MEM_BLOCK_ABSENT);
		} else {
			/* To fail to online is not to fail to add. */
			KTEST_EXPECT_EQ(test, state_of(w, 1), MEM_BLOCK_OFFLINE);
			KTEST_ASSERT_EQ(test, remove_block(w, 1), 0);
		}
		expect_same_totals(test, w, before);
		KTEST_ASSERT_FALSE(test, ktest_failed(test));
	}
	w->mm.inject = 0;
	KTEST_EXPECT_GE(test, step, 6);
	KTEST_EXPECT_EQ(test, state_of(w, 1), MEM_BLOCK_ONLINE);
	window_check(test, w);
}

/* A walker that found a section before is waited for; afterwards nothing is found. */
static void removed_block_is_not_found(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct page_state st;

	window_add(test, w, 3, ALL);
	KTEST_EXPECT_EQ(test, next_memory_block(&w->mm, w->block + 1), w->block + 3);
	KTEST_EXPECT_EQ(test, next_memory_block(&w->mm, w->block + 4), PFN_NONE);
	KTEST_EXPECT_EQ(test, remove_block(w, 3), 0);
	pfn_walk_begin();
	KTEST_EXPECT_FALSE(test, page_state_get(&w->mm, window_pfn(w, 3), &st));
	KTEST_EXPECT_FALSE(test, page_try_get(&w->mm, window_pfn(w, 3)));
	pfn_walk_end();
	KTEST_EXPECT_EQ(test, next_memory_block(&w->mm, w->block + 1), PFN_NONE);
	KTEST_EXPECT_NULL(test, pfn_to_section(&w->mm, window_pfn(w, 3)));
}

static const struct ktest_case hotplug_cases[] = {
	KTEST_CASE(whole_life),
	KTEST_CASE(many_rounds_leak_nothing),
	KTEST_CASE(wrong_states_are_refused),
	KTEST_CASE(bad_adds_are_refused),
	KTEST_CASE(notifiers_hear_in_order),
	KTEST_CASE(veto_is_symmetric),
	KTEST_CASE(partly_plugged_round_trip),
	KTEST_CASE(owner_gone_block_stays),
	KTEST_CASE(used_page_is_named),
	KTEST_CASE(failed_offline_is_cancelled),
	KTEST_CASE(ownerless_block_is_not_skippable),
	KTEST_CASE(adding_needs_no_memory),
	KTEST_CASE(reserve_lasts_for_many_blocks),
	KTEST_CASE_PARAM(injected_failures_leave_nothing, neighbour_gen_params),
	KTEST_CASE(removed_block_is_not_found),
	{}
};

static struct ktest_suite hotplug_suite = {
	.name = "memory_hotplug",
	.cases = hotplug_cases,
};
KTEST_SUITE(hotplug_suite);
