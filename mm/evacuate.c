/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evacuate(): the one way to empty ranges of frames. This file has the order of
 * the steps and what ends them; evac_scan.c looks at frames, evac_commit.c hands
 * them over, migrate.c moves them, evac_hold.c announces it all.
 *
 * Everything is isolated before anything is judged, so no page moves twice; the
 * harts' caches are drained before, so nothing new can enter and the one
 * classifying pass is final; what is hopeless fails there, with nothing moved.
 */
#include "arch/machine.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "mm/internal.h"
#include "mm/page_isolation.h"

#define EVAC_DRAIN_NS NSEC_PER_SEC
/* A waiting evacuation looks so often whether it is cancelled. */
#define EVAC_SLICE_NS (50 * NSEC_PER_MSEC)

static void enter_phase(struct evac *e, enum evac_phase phase)
{
	const struct pfn_range *last = &e->ranges[e->nr_ranges - 1];
	const struct trace_args args = {
		.pfn = e->ranges[0].start_pfn,
		.count = last->start_pfn + last->nr_pages - e->ranges[0].start_pfn,
		.before = e->phase,
		.after = phase,
		.flags = e->policy->end,
	};

	e->phase = phase;
	evac_announce(e, TRACE_EVAC_PHASE, &args);
}

/* Say why, keeping what was counted so far. */
int evac_blocked(struct evac *e, enum mm_reason reason, unsigned long pfn,
		 const struct page_state *st)
{
	e->why->reason = reason;
	e->why->pfn = pfn;
	e->why->type = st ? st->type : PGTY_NONE;
	e->why->owner = st ? st->owner : 0;
	e->why->phase = e->phase;
	return mm_reason_errno(reason);
}

/* Between steps: is it cancelled or too late? The frame that blocked last stays named. */
int evac_stop(struct evac *e)
{
	enum mm_reason reason = MM_REASON_NONE;

	if (evac_cancelled(e->policy))
		reason = MM_REASON_CANCELLED;
	else if (evac_clock_ns() >= e->policy->deadline_ns)
		reason = MM_REASON_DEADLINE;
	if (reason == MM_REASON_NONE)
		return 0;
	if (e->why->reason != MM_REASON_DEADLINE && e->why->reason != MM_REASON_CANCELLED)
		e->why->cause = e->why->reason;
	e->why->reason = reason;
	e->why->phase = e->phase;
	return mm_reason_errno(reason);
}

/*
 * The pageblocks of one range, less those that the range before shares with it:
 * ranges are ascending. False if nothing is left.
 */
static bool own_pageblocks(const struct evac *e, unsigned int i, struct pfn_range *blocks)
{
	const struct pfn_range *r = &e->ranges[i];
	unsigned long start = ALIGN_DOWN(r->start_pfn, PAGEBLOCK_NR_PAGES);
	const unsigned long end = ALIGN_UP(r->start_pfn + r->nr_pages, PAGEBLOCK_NR_PAGES);

	if (i > 0 && start < ALIGN_UP(r[-1].start_pfn + r[-1].nr_pages, PAGEBLOCK_NR_PAGES))
		start += PAGEBLOCK_NR_PAGES;
	*blocks = (struct pfn_range){ .start_pfn = start, .nr_pages = end - start };
	return start < end;
}

static void unisolate_ranges(struct evac *e, unsigned int nr)
{
	struct pfn_range blocks;

	for (unsigned int i = 0; i < nr; i++)
		if (own_pageblocks(e, i, &blocks))
			unisolate_range(e->mm, &blocks);
}

/* All online, each range in one zone. */
static int check_ranges(struct evac *e)
{
	for (unsigned int i = 0; i < e->nr_ranges; i++) {
		const struct pfn_range *r = &e->ranges[i];
		const unsigned long end = r->start_pfn + r->nr_pages;
		const struct zone *zone = NULL;

		for (unsigned long pfn = r->start_pfn; pfn < end;
		     pfn = (pfn | (PAGES_PER_SECTION - 1)) + 1) {
			const struct mem_section *ms = pfn_to_section(e->mm, pfn);

			if (!ms || !ms->zone || !(ms->flags & SECTION_ONLINE))
				return evac_blocked(e, MM_REASON_NOT_PRESENT, pfn, NULL);
			if (zone && ms->zone != zone)
				return evac_blocked(e, MM_REASON_ZONE_MIX, pfn, NULL);
			zone = ms->zone;
		}
	}
	return 0;
}

static int isolate_and_drain(struct evac *e)
{
	struct pfn_range blocks;

	enter_phase(e, EVAC_ISOLATE);
	for (unsigned int i = 0; i < e->nr_ranges; i++) {
		struct mm_failure why;

		if (!own_pageblocks(e, i, &blocks) ||
		    isolate_range(e->mm, &blocks, &why) == 0)
			continue;
		unisolate_ranges(e, i);
		return evac_blocked(e, why.reason, why.pfn, NULL);
	}
	enter_phase(e, EVAC_DRAIN);
	if (drain_all_pages(e->mm, EVAC_DRAIN_NS)) {
		unisolate_ranges(e, e->nr_ranges);
		return evac_blocked(e, MM_REASON_HARTS_BUSY, PFN_NONE, NULL);
	}
	return 0;
}

/* After the last pass: what somebody else refers to may be waited for. */
static int given_up(const struct evac *e, int err)
{
	const bool held = err == -EAGAIN || err == -EBUSY;

	return held && (e->policy->flags & EVAC_WAIT_FREE) ? 0
							   : mm_reason_errno(e->why->reason);
}

/* Move what can be moved; several passes, because claims and targets come and go. */
static int migrate_all(struct evac *e)
{
	int stop, err;

	enter_phase(e, EVAC_MIGRATE);
	stop = evac_stop(e);
	if (stop)
		return stop;
	for (unsigned int pass = 0;; pass++) {
		err = evac_migrate(e);
		if (err == 0 || (e->policy->flags & EVAC_BEST_EFFORT))
			return evac_cancelled(e->policy) ? evac_stop(e) : 0;
		stop = evac_stop(e);
		if (stop || pass == e->policy->max_retries)
			return stop ? stop : given_up(e, err);
		e->why->retries++;
		if (err == -ENOMEM && drain_all_pages(e->mm, EVAC_DRAIN_NS))
			return evac_blocked(e, MM_REASON_HARTS_BUSY, PFN_NONE, NULL);
		yield();
	}
}

/* When a thread that waits looks up: after a slice, or at the deadline. */
static u64 next_look(const struct evacuate_policy *policy)
{
	return min(arch_clock_ns() + EVAC_SLICE_NS, policy->deadline_ns + *thread_held_ns());
}

/*
 * Sleep until the chunk is free. Its last frame's free wakes us, and so does what
 * makes it movable, be it by the last pin or the last reference that goes.
 */
static int wait_chunk(struct evac *e, const struct pfn_range *chunk)
{
	struct zone *zone = pfn_to_section(e->mm, chunk->start_pfn)->zone;

	for (;;) {
		const bool woken = wait_isolated_free(zone, chunk, next_look(e->policy));
		int err = woken ? evac_move_chunk(e, chunk) : -EAGAIN;

		if (err != -EAGAIN && err != -EBUSY)
			return err ? mm_reason_errno(e->why->reason) : 0;
		err = evac_stop(e);
		if (err)
			return err;
		if (woken) /* somebody was faster: another mover, a pin */
			msleep(1);
	}
}

/* Wait until nothing stands in the way any more; one look at each frame in all. */
static int wait_all(struct evac *e)
{
	struct pfn_range chunk;
	int err = 0;

	enter_phase(e, EVAC_WAIT);
	while (!err && evac_blocker(e, &chunk))
		err = wait_chunk(e, &chunk);
	return err;
}

/* From isolated to empty. What is empty at first sight stays so. */
static int empty_ranges(struct evac *e)
{
	int err;

	enter_phase(e, EVAC_CLASSIFY);
	err = evac_classify(e);
	if (!err)
		err = evac_stop(e);
	if (err || e->empty)
		return err;
	err = migrate_all(e);
	if (!err && (e->policy->flags & EVAC_WAIT_FREE))
		err = wait_all(e);
	if (err || (e->policy->flags & EVAC_BEST_EFFORT))
		return err;
	enter_phase(e, EVAC_VERIFY);
	return evac_blocker(e, &(struct pfn_range){ 0 });
}

static int run(struct evac *e)
{
	const bool isolated = e->policy->flags & EVAC_ISOLATED;
	int err = check_ranges(e);

	if (!err && !isolated)
		err = isolate_and_drain(e);
	if (err)
		return err;
	err = empty_ranges(e);
	enter_phase(e, err ? EVAC_UNDO : EVAC_COMMIT);
	if (!err)
		evac_commit(e);
	if (!isolated && (err || e->policy->end != EVAC_END_OFFLINE))
		unisolate_ranges(e, e->nr_ranges);
	enter_phase(e, EVAC_IDLE);
	return err;
}

int evacuate_locked(struct mm *mm, const struct pfn_range *ranges, unsigned int nr_ranges,
		    const struct evacuate_policy *policy, struct mm_failure *why)
{
	struct mm_failure own;
	struct evac e = {
		.mm = mm,
		.ranges = ranges,
		.nr_ranges = nr_ranges,
		.policy = policy,
		.why = why ? why : &own,
	};
	const u64 start = evac_clock_ns();
	int err;

	assert_mutex_held(&mm->hotplug_lock);
	BUG_ON(!policy->deadline_ns);
	*e.why = (struct mm_failure){ .pfn = PFN_NONE };
	if (!nr_ranges)
		return 0;
	err = run(&e);
	e.why->elapsed_ns = evac_clock_ns() - start;
	if (!err)
		e.why->reason = MM_REASON_NONE;
	return err;
}

int hotplug_lock(struct mm *mm, const struct evacuate_policy *policy,
		 struct mm_failure *why) __no_lock_analysis
{
	if (!policy) {
		mutex_lock(&mm->hotplug_lock);
		return 0;
	}
	while (mutex_lock_until(&mm->hotplug_lock, next_look(policy))) {
		if (evac_cancelled(policy))
			return mm_fail(why, MM_REASON_CANCELLED, PFN_NONE);
		if (evac_clock_ns() >= policy->deadline_ns)
			return mm_fail(why, MM_REASON_LOCKED, PFN_NONE);
	}
	return 0;
}

int evacuate(struct mm *mm, const struct pfn_range *ranges, unsigned int nr_ranges,
	     const struct evacuate_policy *policy, struct mm_failure *why)
{
	int err = hotplug_lock(mm, policy, why);

	if (err)
		return err;
	err = evacuate_locked(mm, ranges, nr_ranges, policy, why);
	mutex_unlock(&mm->hotplug_lock);
	return err;
}
