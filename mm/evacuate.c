/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evacuate(): the only way to empty ranges of frames. This file has the order of the
 * steps and the conditions that end them; evac_target.c walks over the target,
 * evac_scan.c judges frames, migrate.c moves them, and frames.c hands them over. Each step
 * is announced: kernel/trace/hold.c.
 *
 * An evacuation isolates everything before it judges anything, so no page moves twice.
 * It also drains the harts' caches first, so nothing new can enter and the classifying
 * pass is final: a hopeless range fails there, and the evacuation waits for frees and
 * unpins there, before it has moved a single page.
 *
 * While it waits, an evacuation does not hold mm->hotplug_lock. Its pageblocks are
 * isolated and its blocks GOING_OFFLINE, so every request that would touch them is
 * refused and all that it refers to stays. After the wait it only has to classify again.
 */
#include "arch/machine.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "mm/frames.h"
#include "mm/hotplug.h"
#include "mm/internal.h"
#include "mm/page_isolation.h"

#define EVAC_DRAIN_NS NSEC_PER_SEC
/* A waiting evacuation checks this often whether it was cancelled. */
#define EVAC_SLICE_NS (50 * NSEC_PER_MSEC)

u64 evac_clock_ns(void)
{
	return arch_clock_ns() - *thread_held_ns();
}

struct evac_limits evac_limits(enum evac_request request, unsigned int parts)
{
	static const struct {
		u32 retries, seconds;
	} table[] = {
#define X(name, retries, seconds, reason) { retries, seconds },
		EVAC_LIMITS(X)
#undef X
	};

	return (struct evac_limits){
		.deadline_ns =
			evac_clock_ns() + parts * table[request].seconds * NSEC_PER_SEC,
		.retries = table[request].retries,
	};
}

/* Announce a step. Context: no spinlock held: the thread may have to wait here. */
void evac_announce(const struct evac *e, enum trace_event_id event, const struct trace_args *args)
{
	const struct evac_limits *limits = &e->policy->limits;

	hold_announce(&(struct hold_request){ limits->cancelled, limits->cookie }, event, args);
}

static void enter_phase(struct evac *e, enum evac_phase phase)
{
	const struct trace_args args = {
		.pfn = e->span.start_pfn,
		.count = e->span.nr_pages,
		.before = e->phase,
		.after = phase,
		.flags = e->policy->end,
	};

	e->phase = phase;
	evac_announce(e, TRACE_EVAC_PHASE, &args);
}

/* Record the failure; the counts so far stay. */
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

/* Between steps: stop if cancelled or too late; the last blocking frame stays named. */
int evac_stop(struct evac *e)
{
	enum mm_reason reason = MM_REASON_NONE;

	if (evac_cancelled(&e->policy->limits))
		reason = MM_REASON_CANCELLED;
	else if (evac_clock_ns() >= e->policy->limits.deadline_ns)
		reason = MM_REASON_DEADLINE;
	if (reason == MM_REASON_NONE)
		return 0;
	if (e->why->reason != MM_REASON_DEADLINE && e->why->reason != MM_REASON_CANCELLED)
		e->why->cause = e->why->reason;
	e->why->reason = reason;
	e->why->phase = e->phase;
	return mm_reason_errno(reason);
}

static int isolate_and_drain(struct evac *e)
{
	int err;

	enter_phase(e, EVAC_ISOLATE);
	err = evac_isolate(e);
	if (err)
		return err;
	enter_phase(e, EVAC_DRAIN);
	if (drain_all_pages(e->mm, EVAC_DRAIN_NS)) {
		evac_unisolate(e);
		return evac_blocked(e, MM_REASON_HARTS_BUSY, PFN_NONE, NULL);
	}
	return 0;
}

/* After the last pass: a policy that waits goes on if a page is still referenced. */
static int given_up(const struct evac *e, int err)
{
	const bool held = err == -EAGAIN || err == -EBUSY;

	return held && e->policy->limits.wait ? 0 : mm_reason_errno(e->why->reason);
}

/* Move all movable pages, in several passes, because claims and targets come and go. */
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
			return evac_cancelled(&e->policy->limits) ? evac_stop(e) : 0;
		stop = evac_stop(e);
		if (stop || pass == e->policy->limits.retries)
			return stop ? stop : given_up(e, err);
		e->why->retries++;
		if (err == -ENOMEM && drain_all_pages(e->mm, EVAC_DRAIN_NS))
			return evac_blocked(e, MM_REASON_HARTS_BUSY, PFN_NONE, NULL);
		yield();
	}
}

/* When a waiting thread wakes to check: after a slice, or at the deadline. */
static u64 next_look(const struct evac_limits *limits)
{
	return min(arch_clock_ns() + EVAC_SLICE_NS,
		   limits->deadline_ns + *thread_held_ns());
}

/* Has an owner left since the last classify pass? Then its frames get another verdict. */
static bool verdict_is_old(const struct evac *e)
{
	return READ_ONCE(e->mm->owners_gone) != e->owners_gone;
}

/*
 * Sleep, without the hotplug lock, until the chunk is free or can be moved. The sleep
 * ends when its last frame is freed, its last pin or its last reference but one goes,
 * or an owner leaves. Takes the lock again before it returns, even after a failure, so
 * it may have to wait for other requests.
 */
static int wait_chunk(struct evac *e, const struct pfn_range *chunk) __no_lock_analysis
{
	struct zone *zone = pfn_to_section(e->mm, chunk->start_pfn)->zone;
	int err = 0;

	mutex_unlock(&e->mm->hotplug_lock);
	while (!err && !verdict_is_old(e) &&
	       !wait_isolated_free(zone, chunk, next_look(&e->policy->limits)))
		err = evac_stop(e);
	mutex_lock(&e->mm->hotplug_lock);
	return err;
}

/* Wait for every page that only its user can free or unpin; one look at each frame. */
static int wait_held(struct evac *e)
{
	struct pfn_range chunk;
	int err = 0;

	enter_phase(e, EVAC_WAIT);
	evac_search(e);
	while (!err && !verdict_is_old(e) && evac_blocker(e, &chunk))
		err = wait_chunk(e, &chunk);
	return err;
}

/* Before anything moves: fail on hopeless frames, and wait until no page is held. */
static int classify_all(struct evac *e)
{
	int err;

	do {
		enter_phase(e, EVAC_CLASSIFY);
		e->owners_gone = e->mm->owners_gone;
		err = evac_classify(e);
		if (!err)
			err = evac_stop(e);
		if (!err && e->held)
			err = wait_held(e);
	} while (!err && e->held);
	return err;
}

/*
 * A page that was judged movable did not move: it was pinned or referenced meanwhile.
 * Wait for it, then back off for a moment. Return: 0 to try again.
 */
static int wait_for_rest(struct evac *e, const struct pfn_range *chunk)
{
	int err;

	if (!evac_can_wait(e, e->why->type))
		return mm_reason_errno(e->why->reason);
	enter_phase(e, EVAC_WAIT);
	err = wait_chunk(e, chunk);
	if (!err)
		msleep(1);
	return err;
}

/* Empty the isolated target. A target that classify finds empty stays empty. */
static int empty_target(struct evac *e)
{
	struct pfn_range chunk;
	int err;

	for (;;) {
		err = classify_all(e);
		if (err || e->empty)
			return err;
		err = migrate_all(e);
		if (err || (e->policy->flags & EVAC_BEST_EFFORT))
			return err;
		enter_phase(e, EVAC_VERIFY);
		evac_search(e);
		if (!evac_blocker(e, &chunk))
			return 0;
		err = wait_for_rest(e, &chunk);
		if (err)
			return err;
	}
}

/*
 * Refuse a policy that contradicts itself before anything happens: a type that the
 * allocator does not give out, a flag that the new frames cannot have, or a hand-over of
 * frames that may stay in use.
 */
static int check_policy(struct evac *e)
{
	const struct evacuate_policy *p = e->policy;
	const bool alloc = p->end == EVAC_END_ALLOC;
	const u32 legal = alloc && p->type == PGTY_OFFLINE ? PG_OFFLINE_SKIPPABLE : 0;

	if ((alloc && p->type != PGTY_OFFLINE && !type_is_alloc(p->type)) ||
	    (p->page_flags & ~legal) ||
	    ((p->flags & EVAC_BEST_EFFORT) && p->end != EVAC_END_FREE))
		return evac_blocked(e, MM_REASON_BAD_POLICY, PFN_NONE, NULL);
	return 0;
}

/* Hand the emptied ranges over, as the policy says. */
static void commit(struct evac *e)
{
	const struct evacuate_policy *p = e->policy;
	struct evac_cursor at = {};

	if (p->end == EVAC_END_FREE)
		return;
	while (evac_next_range(e, &at)) {
		if (p->end == EVAC_END_OFFLINE)
			frames_change(e->mm, &at.range, PGTY_BUDDY, PGTY_OFFLINE, 0);
		else
			frames_change(e->mm, &at.range, PGTY_BUDDY, p->type, p->page_flags);
	}
}

static int run(struct evac *e)
{
	const bool isolated = e->policy->flags & EVAC_ISOLATED;
	int err = check_policy(e);

	if (!err)
		err = evac_check(e);
	if (!err && !isolated)
		err = isolate_and_drain(e);
	if (err)
		return err;
	mm_reserve_leave(e->mm);
	err = empty_target(e);
	enter_phase(e, err ? EVAC_UNDO : EVAC_COMMIT);
	if (!err)
		commit(e);
	if (!isolated && (err || e->policy->end != EVAC_END_OFFLINE))
		evac_unisolate(e);
	enter_phase(e, EVAC_IDLE);
	return err;
}

static int evacuate_target(struct evac *e, struct mm_failure *why)
{
	const u64 start = evac_clock_ns();
	int err;

	assert_mutex_held(&e->mm->hotplug_lock);
	BUG_ON(!e->policy->limits.deadline_ns);
	e->why = why;
	*why = (struct mm_failure){ .pfn = PFN_NONE };
	err = run(e);
	why->elapsed_ns = evac_clock_ns() - start;
	if (!err)
		why->reason = MM_REASON_NONE;
	return err;
}

int evacuate_locked(struct mm *mm, const struct pfn_range *ranges, unsigned int nr_ranges,
		    const struct evacuate_policy *policy, struct mm_failure *why)
{
	struct evac e = { .mm = mm, .ranges = ranges, .nr_ranges = nr_ranges, .policy = policy };

	if (!nr_ranges)
		return mm_fail(why, MM_REASON_NONE, PFN_NONE);
	return evacuate_target(&e, why);
}

int evacuate_blocks(struct mm *mm, const struct mem_section *list,
		    const struct evacuate_policy *policy, struct mm_failure *why)
{
	struct evac e = { .mm = mm, .blocks = list, .policy = policy };

	return evacuate_target(&e, why);
}

int hotplug_lock(struct mm *mm, const struct evac_limits *limits,
		 struct mm_failure *why) __no_lock_analysis
{
	if (!limits) {
		mutex_lock(&mm->hotplug_lock);
		return 0;
	}
	while (mutex_lock_until(&mm->hotplug_lock, next_look(limits))) {
		if (evac_cancelled(limits))
			return mm_fail(why, MM_REASON_CANCELLED, PFN_NONE);
		if (evac_clock_ns() >= limits->deadline_ns)
			return mm_fail(why, MM_REASON_LOCKED, PFN_NONE);
	}
	return 0;
}

int evacuate(struct mm *mm, const struct pfn_range *ranges, unsigned int nr_ranges,
	     const struct evacuate_policy *policy, struct mm_failure *why)
{
	int err = hotplug_lock(mm, &policy->limits, why);

	if (err)
		return err;
	err = evacuate_locked(mm, ranges, nr_ranges, policy, why);
	mutex_unlock(&mm->hotplug_lock);
	return err;
}
