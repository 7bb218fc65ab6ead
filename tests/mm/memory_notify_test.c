/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory notifiers: six events, in order of priority, a veto, and the symmetric
 * roll-back: a listener that heard a start hears exactly one end.
 */
#include "kernel/sink.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "tests/mm/hotplug_window.h"

#define ALL (~0UL)

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
	KTEST_ASSERT_EQ(test, register_memory_notifier(w->mm, &watch->nb), 0);
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
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE), 0);
	KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
	for (unsigned int e = 0; e < NR_MEM_EVENTS; e++) {
		const bool cancel = e == MEM_CANCEL_ONLINE || e == MEM_CANCEL_OFFLINE;

		KTEST_EXPECT_EQ(test, low->heard[e], !cancel);
		KTEST_EXPECT_EQ(test, high->heard[e], !cancel);
	}
	KTEST_EXPECT_FALSE(test, low->wrong);
	KTEST_EXPECT_FALSE(test, high->wrong);
	unregister_memory_notifier(w->mm, &low->nb);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE), 0);
	KTEST_EXPECT_EQ(test, low->heard[MEM_ONLINE], 1);
	KTEST_EXPECT_EQ(test, high->heard[MEM_ONLINE], 2);
}

/* Three listeners, the middle one refuses: only the listener that agreed hears the end. */
static void veto_is_symmetric(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct watch *l = ktest_alloc(test, 3 * sizeof(*l));
	struct mm_failure why;
	struct window_totals before;

	for (int i = 0; i < 3; i++)
		watch_start(test, w, &l[i], 10 - i);
	l[1].nb.name = "naysayer";
	window_add(test, w, 1, ALL);
	before = window_totals(w);
	l[1].veto[MEM_GOING_ONLINE] = -EBUSY;
	KTEST_EXPECT_EQ(test, online_memory_block(w->mm, w->block + 1, MMOP_ONLINE, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_VETO);
	KTEST_EXPECT_STREQ(test, why.detail, "naysayer");
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_OFFLINE);
	window_expect_totals(test, w, &before);

	l[1].veto[MEM_GOING_ONLINE] = 0;
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE), 0);
	before = window_totals(w);
	l[1].veto[MEM_GOING_OFFLINE] = -EBUSY;
	KTEST_EXPECT_EQ(test, window_offline(w, 1), -EBUSY);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ONLINE);
	window_expect_totals(test, w, &before);

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

/* An error from any event at any place in the order: one of three listeners fails. */
struct injection {
	enum mem_event event;
	unsigned int place;
};

static const char *const event_names[NR_MEM_EVENTS] = {
	[MEM_GOING_ONLINE] = "going-online",   [MEM_CANCEL_ONLINE] = "cancel-online",
	[MEM_ONLINE] = "online",	       [MEM_GOING_OFFLINE] = "going-offline",
	[MEM_CANCEL_OFFLINE] = "cancel-offline", [MEM_OFFLINE] = "offline",
};

#define AT_ALL_PLACES(event) { event, 0 }, { event, 1 }, { event, 2 }

static const struct injection injections[] = {
	AT_ALL_PLACES(MEM_GOING_ONLINE),  AT_ALL_PLACES(MEM_CANCEL_ONLINE),
	AT_ALL_PLACES(MEM_ONLINE),	  AT_ALL_PLACES(MEM_GOING_OFFLINE),
	AT_ALL_PLACES(MEM_CANCEL_OFFLINE), AT_ALL_PLACES(MEM_OFFLINE),
};

static void describe_injection(const struct injection *i, char desc[KTEST_DESC_SIZE])
{
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, desc, KTEST_DESC_SIZE);
	sink_printf(&buffer.sink, "%s place %u", event_names[i->event], i->place);
}

KTEST_ARRAY_PARAM(injection, injections, describe_injection)

/*
 * A listener that heard a start heard one end; the one that refuses and those behind it
 * hear none.
 */
static void expect_symmetric(struct ktest *test, const struct watch *l, const struct injection *i)
{
	for (unsigned int n = 0; n < 3; n++) {
		const unsigned int *h = l[n].heard;
		const bool vetoed = n == i->place;
		/* The case makes the refused request twice. */
		const unsigned int online = vetoed && i->event == MEM_GOING_ONLINE ? 2 : 0;
		const unsigned int offline = vetoed && i->event == MEM_GOING_OFFLINE ? 2 : 0;

		KTEST_EXPECT_EQ(test, h[MEM_GOING_ONLINE] - online,
				h[MEM_ONLINE] + h[MEM_CANCEL_ONLINE]);
		KTEST_EXPECT_EQ(test, h[MEM_GOING_OFFLINE] - offline,
				h[MEM_OFFLINE] + h[MEM_CANCEL_OFFLINE]);
		KTEST_EXPECT_FALSE(test, l[n].wrong);
	}
}

/* Only starts can be refused: with the errno, and nothing changed. Ends cannot. */
static void errors_at_any_event_and_priority(struct ktest *test)
{
	const struct injection *i = test->param_value;
	const bool on = i->event == MEM_GOING_ONLINE, off = i->event == MEM_GOING_OFFLINE;
	struct window *w = window_open_owned(test);
	struct watch *l = ktest_alloc(test, 4 * sizeof(*l));
	struct window_totals before;
	unsigned long pfn = window_pfn(w, 1) + 4321;

	for (int n = 0; n < 3; n++)
		watch_start(test, w, &l[n], 100 - n * 150);
	l[i->place].veto[i->event] = -ENOMEM;
	window_add(test, w, 1, ALL);
	before = window_totals(w);
	/* For the cancels: a fourth, the last in the order, refuses each start once. */
	watch_start(test, w, &l[3], -1000);
	l[3].veto[MEM_GOING_ONLINE] = -EBUSY;
	KTEST_EXPECT_EQ(test, window_online(w, 1, MMOP_ONLINE_KERNEL), on ? -ENOMEM : -EBUSY);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_OFFLINE);
	window_expect_totals(test, w, &before);
	unregister_memory_notifier(w->mm, &l[3].nb);
	KTEST_EXPECT_EQ(test, window_online(w, 1, MMOP_ONLINE_KERNEL), on ? -ENOMEM : 0);
	l[i->place].veto[MEM_GOING_ONLINE] = 0;
	if (on)
		KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_KERNEL), 0);

	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_KERNEL), 0);
	KTEST_EXPECT_EQ(test, window_offline(w, 1), off ? -ENOMEM : -EBUSY);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ONLINE);
	free_pages(w->mm, pfn, 0);
	window_check(test, w);
	KTEST_EXPECT_EQ(test, window_offline(w, 1), off ? -ENOMEM : 0);
	l[i->place].veto[MEM_GOING_OFFLINE] = 0;
	if (off)
		KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
	window_expect_totals(test, w, &before);
	for (unsigned int n = 0; n < i->place; n++)
		KTEST_EXPECT_GT(test, l[n].heard[i->event], 0);
	expect_symmetric(test, l, i);
}

static const struct ktest_case notify_cases[] = {
	KTEST_CASE(notifiers_hear_in_order),
	KTEST_CASE(veto_is_symmetric),
	KTEST_CASE_PARAM(errors_at_any_event_and_priority, injection_gen_params),
	{}
};

static struct ktest_suite notify_suite = {
	.name = "memory_notify",
	.cases = notify_cases,
};
KTEST_SUITE(notify_suite);
