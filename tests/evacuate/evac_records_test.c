/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An evacuation's trace records: each phase, verdict and move with its fields, and the
 * changes of frames and pageblocks. Scenarios replay all other records.
 */
#include "kernel/trace/hold.h"
#include "kernel/trace/trace.h"
#include "lib/errno.h"
#include "tests/kernel/trace_only.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES
/* A deadline that passes during the wait. */
#define SHORT_NS ((time_is_virtual() ? 100 : 3000) * NSEC_PER_MSEC)

static struct trace_record records[512];
static unsigned int nr_records;

static void trace_off(void *unused)
{
	(void)unused;
	(void)trace_set("*", TRACE_OFF);
	trace_clear();
}

static void record(struct ktest *test)
{
	if (ebb_trace.nr_records == 0)
		ktest_skip(test, "there are no trace rings");
	ktest_add_action(test, trace_off, NULL);
	trace_clear();
	(void)trace_set("*", TRACE_ON);
}

static void stop(void)
{
	(void)trace_set("*", TRACE_OFF);
	for (nr_records = 0; nr_records < ARRAY_SIZE(records); nr_records++)
		if (!trace_take(&records[nr_records]))
			break;
}

/* Count the records of this event with this frame, count and change. */
static unsigned int times(enum trace_event_id event, const struct trace_args *want)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < nr_records; i++) {
		const struct trace_record *r = &records[i];

		nr += r->event == event && r->pfn == want->pfn &&
		      r->count == want->count && r->before == want->before &&
		      r->after == want->after;
	}
	return nr;
}
#define TIMES(event, ...) times(event, &(struct trace_args){ __VA_ARGS__ })

/* A request takes three pageblocks, the first in part; a chunk in the first has to move. */
static void each_step_is_recorded(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long start = t->base + 4, nr = 3 * PB - 4;
	struct page_slot slot;
	unsigned long got = 0;

	slot_at(test, t->mm, &slot, t->base, 3);
	record(test);
	KTEST_EXPECT_EQ(test, alloc_contig_range(t->mm, start, start + nr, NULL, NO_WHY),
			0);
	stop();
	KTEST_EXPECT_EQ(test,
			TIMES(TRACE_PAGEBLOCK_ISOLATE, .pfn = t->base, .count = 3 * PB,
			      .before = 0, .after = 1),
			1);
	KTEST_EXPECT_EQ(test,
			TIMES(TRACE_PAGEBLOCK_ISOLATE, .pfn = t->base, .count = 3 * PB,
			      .before = 1, .after = 0),
			1);
	for (unsigned int phase = EVAC_ISOLATE; phase <= EVAC_MIGRATE; phase++)
		KTEST_EXPECT_EQ(test,
				TIMES(TRACE_EVAC_PHASE, .pfn = start, .count = nr,
				      .before = phase - 1, .after = phase),
				1);
	/* Half of the chunk is in the range; the other pageblocks are free. */
	KTEST_EXPECT_EQ(test, TIMES(TRACE_EVAC_VERDICT, .pfn = start, .count = 4), 1);
	KTEST_EXPECT_EQ(test, TIMES(TRACE_EVAC_VERDICT, .pfn = t->base + PB), 1);
	KTEST_EXPECT_EQ(test,
			TIMES(TRACE_EVAC_MOVE, .pfn = t->base, .count = (u32)slot.pfn,
			      .before = PGTY_DRIVER),
			1);
	for (unsigned int i = 0; i < nr_records; i++)
		if (records[i].event == TRACE_FRAMES && records[i].before == PGTY_BUDDY &&
		    records[i].after == PGTY_KERNEL)
			got += records[i].count;
	KTEST_EXPECT_EQ(test, got, nr);
	free_contig_range(t->mm, start, nr);
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &slot), 0);
}

/* The verdict has the obstacle's type and the reason; one record has the released frames. */
static void verdict_says_why(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	const unsigned long pfn = t->base + 7;

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, 0, PGTY_SLAB), 0);
	record(test);
	KTEST_EXPECT_EQ(test,
			alloc_contig_range(t->mm, t->base, t->base + PB, NULL, NO_WHY),
			-EBUSY);
	free_pages(t->mm, pfn, 0);
	KTEST_EXPECT_EQ(test,
			take_contig_range(t->mm, t->base, t->base + PB, &policy, NO_WHY),
			0);
	test_mm_release(t, t->base, PB);
	stop();
	KTEST_EXPECT_EQ(test,
			TIMES(TRACE_EVAC_VERDICT, .pfn = t->base, .before = PGTY_SLAB,
			      .after = MM_REASON_UNMOVABLE),
			1);
	KTEST_EXPECT_EQ(test,
			TIMES(TRACE_FRAMES, .pfn = t->base, .count = PB,
			      .before = PGTY_OFFLINE, .after = PGTY_BUDDY),
			1);
}

/* Free and allocate frames with gaps in bulk: each frame is in exactly one record. */
static void bulk_is_recorded(struct ktest *test)
{
	enum {
		NR = 40
	};
	struct test_mm *t = test_mm_normal(test, 1);
	unsigned long pfns[NR], in = 0, out = 0;

	/* Every third frame is allocated. */
	for (unsigned int i = 0; i < NR; i++)
		KTEST_ASSERT_EQ(
			test, alloc_pages_at(t->mm, t->base + 3 * i, 0, PGTY_KERNEL), 0);
	for (unsigned int i = 0; i < NR; i++)
		pfns[i] = t->base + 3 * i;
	record(test);
	free_pages_bulk(t->mm, pfns, NR);
	KTEST_EXPECT_EQ(test, alloc_pages_bulk(t->mm, GFP_MOVABLE, PGTY_SLAB, NR, pfns),
			NR);
	stop();
	for (unsigned int i = 0; i < nr_records; i++) {
		const struct trace_record *r = &records[i];

		out += r->event == TRACE_FRAMES && r->after == PGTY_BUDDY ? r->count : 0;
		in += r->event == TRACE_FRAMES && r->after == PGTY_SLAB ? r->count : 0;
	}
	KTEST_EXPECT_EQ(test, out, NR);
	KTEST_EXPECT_EQ(test, in, NR);
	KTEST_EXPECT_EQ(test,
			TIMES(TRACE_FRAMES, .pfn = t->base + 3, .count = 1,
			      .after = PGTY_BUDDY),
			1);
	free_pages_bulk(t->mm, pfns, NR);
}

/* An expected record of an evacuation: event, pfn, and two fields that depend on the event. */
struct step {
	u16 event, before, after;
	u32 count;
	u64 pfn;
};

static void expect_steps(struct ktest *test, const struct step *steps, unsigned int nr)
{
	struct trace_record r;

	for (unsigned int i = 0; i < nr; i++) {
		KTEST_ASSERT_TRUE(test, trace_take(&r));
		KTEST_EXPECT_EQ(test, r.event, steps[i].event);
		KTEST_EXPECT_EQ(test, r.pfn, steps[i].pfn);
		KTEST_EXPECT_EQ(test, r.before, steps[i].before);
		if (r.event != TRACE_EVAC_MOVE && r.event != TRACE_HOLD)
			KTEST_EXPECT_EQ(test, r.count, steps[i].count);
		KTEST_EXPECT_EQ(test, r.after, steps[i].after);
	}
	KTEST_EXPECT_FALSE(test, trace_take(&r));
}

#define PHASE(from, to) { TRACE_EVAC_PHASE, EVAC_##from, EVAC_##to, 4 * PB, start }

/*
 * Each announcement leaves one record. One pageblock has a page to move, another has a page
 * that stays, and two are free: the request waits in vain for the page that stays. Then that
 * page is freed, and a second request moves the other page.
 */
static void waits_and_retries_are_recorded(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long start = t->base, end = start + 4 * PB;
	const unsigned long pfn = start + PB + 7, stays = start + 2 * PB + 9;
	const struct step steps[] = {
		PHASE(IDLE, ISOLATE),
		PHASE(ISOLATE, DRAIN),
		PHASE(DRAIN, CLASSIFY),
		{ TRACE_EVAC_VERDICT, 0, 0, 0, start },
		{ TRACE_EVAC_VERDICT, 0, 0, 1, start + PB },
		{ TRACE_EVAC_VERDICT, PGTY_KERNEL, MM_REASON_UNMOVABLE, 0, start + 2 * PB },
		{ TRACE_EVAC_VERDICT, 0, 0, 0, start + 3 * PB },
		PHASE(CLASSIFY, WAIT),
		{ TRACE_EVAC_VERDICT, PGTY_KERNEL, MM_REASON_UNMOVABLE, 0, stays },
		PHASE(WAIT, UNDO),
		{ TRACE_HOLD, TRACE_EVAC_PHASE, 0, 0, start },
		PHASE(UNDO, IDLE),
	};
	const struct step again[] = {
		PHASE(IDLE, ISOLATE),
		PHASE(ISOLATE, DRAIN),
		PHASE(DRAIN, CLASSIFY),
		{ TRACE_EVAC_VERDICT, 0, 0, 0, start },
		{ TRACE_EVAC_VERDICT, 0, 0, 1, start + PB },
		{ TRACE_EVAC_VERDICT, 0, 0, 0, start + 2 * PB },
		PHASE(CLASSIFY, MIGRATE),
		{ TRACE_EVAC_MOVE, PGTY_DRIVER, 0, 0, pfn },
		PHASE(MIGRATE, VERIFY),
		PHASE(VERIFY, COMMIT),
		PHASE(COMMIT, IDLE),
	};
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct page_slot slot;

	slot_at(test, t->mm, &slot, pfn, 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, stays, 0, PGTY_KERNEL), 0);
	policy.limits.wait = true;
	policy.limits.deadline_ns = evac_clock_ns() + SHORT_NS;
	hold_limit_ns = 20 * NSEC_PER_MSEC;
	hold_set(&(struct hold_place){ TRACE_EVAC_PHASE, EVAC_UNDO });
	trace_only("evac:*");
	KTEST_EXPECT_EQ(test, take_contig_range(t->mm, start, end, &policy, NO_WHY),
			-ETIMEDOUT);
	expect_steps(test, steps, ARRAY_SIZE(steps));
	hold_limit_ns = 60 * NSEC_PER_SEC;
	KTEST_EXPECT_EQ(test, slot_pfn(&slot), pfn);
	trace_only(NULL);
	free_pages(t->mm, stays, 0);
	trace_only("evac:*");
	policy.limits.deadline_ns += (time_is_virtual() ? 100 : 3000) * NSEC_PER_MSEC;
	KTEST_EXPECT_EQ(test, take_contig_range(t->mm, start, end, &policy, NO_WHY), 0);
	expect_steps(test, again, ARRAY_SIZE(again));
	trace_only(NULL);
	KTEST_EXPECT_NE(test, slot_pfn(&slot), pfn);
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &slot), 0);
	free_contig_range(t->mm, start, end - start);
}

/* Take and free a range. Return: how many records of event @event the evacuation left. */
static unsigned int take_and_count(struct ktest *test, struct test_mm *t,
				   const struct pfn_range *r, enum trace_event_id event)
{
	unsigned int nr = 0;

	trace_only("evac:*");
	KTEST_EXPECT_EQ(
		test, alloc_contig_range(t->mm, r->start_pfn, range_end(r), NULL, NO_WHY),
		0);
	stop();
	for (unsigned int i = 0; i < nr_records; i++)
		nr += records[i].event == event;
	if (event == TRACE_EVAC_FREE && nr) {
		KTEST_EXPECT_EQ(test, nr_records, 1);
		KTEST_EXPECT_EQ(test, records[0].pfn, r->start_pfn);
		KTEST_EXPECT_EQ(test, records[0].count, r->nr_pages);
		KTEST_EXPECT_EQ(test, records[0].flags, EVAC_END_ALLOC);
	}
	free_contig_range(t->mm, r->start_pfn, r->nr_pages);
	KTEST_EXPECT_EQ(test, drain_all_pages(t->mm, STEP_NS), 0);
	return nr;
}

/*
 * If a range is free at the first look, the request takes it at once. A range across the
 * border of a block is taken step by step.
 */
static void free_range_is_one_record(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 2);
	const struct pfn_range ranges[] = {
		{ t->base, PB },
		{ t->base + PB, 2 * PB },
		{ t->base, section_end(t->base) - t->base },
	};
	const struct pfn_range over = { section_end(t->base) - 3 * PB, 5 * PB };

	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		KTEST_EXPECT_EQ(test,
				take_and_count(test, t, &ranges[i], TRACE_EVAC_FREE), 1);
		test_mm_check(test, t);
	}
	KTEST_EXPECT_EQ(test, take_and_count(test, t, &over, TRACE_EVAC_FREE), 0);
	trace_only("mm:*");
	KTEST_EXPECT_EQ(
		test, alloc_contig_range(t->mm, t->base, t->base + PB, NULL, NO_WHY), 0);
	stop();
	KTEST_EXPECT_EQ(test, nr_records, 1);
	KTEST_EXPECT_EQ(test,
			TIMES(TRACE_FRAMES, .pfn = t->base, .count = PB,
			      .before = PGTY_BUDDY, .after = PGTY_KERNEL),
			1);
	free_contig_range(t->mm, t->base, PB);
}

static void unarm(void *mm)
{
	hold_go();
	((struct mm *)mm)->inject = 0;
}

/*
 * A request goes step by step if a chunk of the range is in a hart's cache or a frame is in
 * use, if the range has a part of a pageblock, and while a hold point or an injected error is
 * armed.
 */
static void other_ranges_take_each_step(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 4);
	const struct pfn_range range = { t->base, 2 * PB };
	const struct pfn_range part = { t->base, PB + 1 };

	ktest_add_action(test, unarm, t->mm);
	KTEST_EXPECT_EQ(test, take_and_count(test, t, &part, TRACE_EVAC_FREE), 0);
	KTEST_ASSERT_EQ(test,
			alloc_pages_at(t->mm, t->base + PB, PAGEBLOCK_ORDER, PGTY_KERNEL),
			0);
	free_pages(t->mm, t->base + PB, PAGEBLOCK_ORDER);
	KTEST_ASSERT_EQ(test, page_type(t->mm, t->base + PB), PGTY_CACHED);
	KTEST_EXPECT_EQ(test, take_and_count(test, t, &range, TRACE_EVAC_FREE), 0);
	hold_set(&(struct hold_place){ TRACE_EVAC_MOVE, t->base });
	KTEST_EXPECT_EQ(test, take_and_count(test, t, &range, TRACE_EVAC_FREE), 0);
	hold_go();
	t->mm->inject = 100;
	KTEST_EXPECT_EQ(test, take_and_count(test, t, &range, TRACE_EVAC_FREE), 0);
	KTEST_EXPECT_EQ(test, t->mm->inject, 100);
	t->mm->inject = 0;
	KTEST_EXPECT_EQ(test, take_and_count(test, t, &range, TRACE_EVAC_FREE), 1);
}

/* An unplug, too, takes its pageblocks at once, except if another request has isolated one. */
static void unplug_is_one_record(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pfn_range blocks = { t->base, 2 * PB };
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	const unsigned long managed = t->zone->managed;
	struct mm_failure why;

	policy.page_flags = PG_OFFLINE_SKIPPABLE;
	mutex_lock(&t->mm->hotplug_lock);
	KTEST_EXPECT_EQ(
		test,
		isolate_range(t->mm, &(struct pfn_range){ t->base + PB, 1 }, NO_WHY), 0);
	trace_only("evac:*");
	KTEST_EXPECT_EQ(test, evacuate_locked(t->mm, &blocks, 1, &policy, &why), -EBUSY);
	stop();
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_ALREADY_ISOLATED);
	unisolate_range(t->mm, &(struct pfn_range){ t->base + PB, 1 });
	trace_only("evac:*");
	KTEST_EXPECT_EQ(test, evacuate_locked(t->mm, &blocks, 1, &policy, &why), 0);
	stop();
	mutex_unlock(&t->mm->hotplug_lock);
	KTEST_EXPECT_EQ(test, nr_records, 1);
	KTEST_EXPECT_EQ(test, TIMES(TRACE_EVAC_FREE, .pfn = t->base, .count = 2 * PB), 1);
	KTEST_EXPECT_EQ(test, t->zone->managed, managed - 2 * PB);
	KTEST_EXPECT_EQ(test, page_type(t->mm, t->base), PGTY_OFFLINE);
	test_mm_check(test, t);
	test_mm_release(t, t->base, 2 * PB);
}

static const struct ktest_case evac_records_cases[] = {
	KTEST_CASE(each_step_is_recorded),    KTEST_CASE(verdict_says_why),
	KTEST_CASE(bulk_is_recorded),	      KTEST_CASE(waits_and_retries_are_recorded),
	KTEST_CASE(free_range_is_one_record), KTEST_CASE(other_ranges_take_each_step),
	KTEST_CASE(unplug_is_one_record),     {},
};
static struct ktest_suite evac_records_suite = { .name = "evac_records",
						 .cases = evac_records_cases };
KTEST_SUITE(evac_records_suite);
