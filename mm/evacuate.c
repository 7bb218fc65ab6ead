/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evacuate(): the only way to empty ranges of frames.
 *
 * Offlining a block, allocating a contiguous range, unplugging and compaction all start
 * with frames that are in use and end with frames that are not. They differ in which
 * frames they may skip, in how long they try, and in what the frames become; struct
 * evacuate_policy holds these differences, and the steps below are the same for all.
 *
 *   isolate   Set the isolate bit on every pageblock of the target, before looking at any
 *             frame. From here on no frame of the target can be allocated, and a frame
 *             that becomes free stays free, so no page moves twice.
 *   drain     Empty the caches of all harts through one grace period. Nothing new can enter
 *             the target any more: frames in use can become free, but not the reverse.
 *   classify  Judge every frame in one read-only pass without a lock. Since nothing new can
 *             enter, the verdict is final: a hopeless target fails here, before any page
 *             has moved, and the failure names the frame.
 *   wait      Some pages can be freed or unpinned only by their users. If the limits allow
 *             it, sleep until that has happened, then classify again. The thread drops the
 *             hotplug lock while it sleeps; meanwhile the isolate bits and the state
 *             GOING_OFFLINE make every other request for the same frames fail.
 *   migrate   Move the movable pages, in vectors and in several passes: a page that cannot
 *             be claimed now, or has no target frame yet, may succeed in the next pass.
 *   verify    Search for a chunk that is still in the way. If there is one, it was pinned
 *             after it was judged: wait for it, or fail.
 *   commit    Give the free frames the type that the policy names.
 *   undo      After a failure, end the isolation. Everything is as before, except that some
 *             pages may have moved.
 *
 * Between steps, evac_stop() ends a request that was cancelled or has passed its deadline.
 * The failure still names the frame that was in the way at that point.
 *
 * This file has the target, the steps, and the conditions that end them. evac_scan.c judges
 * frames, migrate.c moves them, frames.c hands them over, and page_isolation.c tells
 * an owner when a failed request is worth another try. Each step is announced to
 * kernel/trace/hold.c, so that a test can hold the request there.
 */
#include "arch/machine.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "mm/descriptor.h"
#include "mm/evac.h"
#include "mm/frames.h"
#include "mm/hotplug.h"
#include "mm/page_alloc.h"
#include "mm/page_isolation.h"

#define EVAC_DRAIN_NS NSEC_PER_SEC
/* The interval at which a waiting evacuation checks whether it was cancelled. */
#define EVAC_SLICE_NS (50 * NSEC_PER_MSEC)

u64 evac_clock_ns(void)
{
	return arch_clock_ns() - *thread_held_ns();
}

/* Announce a step. Context: no spinlock held: the thread may have to wait here. */
void evac_announce(const struct evac *e, enum trace_event_id event, const struct trace_args *args)
{
	const struct evac_limits *limits = &e->policy->limits;

	hold_announce(&(struct hold_request){ limits->cancelled, limits->cookie }, event, args);
}

static void enter_phase(struct evac *e, enum evac_phase phase)
{
	const enum evac_phase before = e->phase;

	e->phase = phase;
	if (unlikely(evac_announcing()))
		evac_announce(e, TRACE_EVAC_PHASE,
			      &(struct trace_args){ .pfn = e->span.start_pfn,
						    .count = e->span.nr_pages,
						    .before = before,
						    .after = phase,
						    .flags = e->policy->end });
}

/* Record the failure; the counts so far stay. */
int evac_fail(struct evac *e, enum mm_reason reason, unsigned long pfn,
		 const struct page_state *st)
{
	e->why->reason = reason;
	e->why->pfn = pfn;
	e->why->type = st ? st->type : PGTY_NONE;
	e->why->owner = st ? st->owner : 0;
	e->why->phase = e->phase;
	return mm_reason_errno(reason);
}

/* Between steps: stop if cancelled or too late. The failure still names the last blocker. */
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

/* --- the target ----------------------------------------------------------------- */

/* A part of a leaving block: the frames before its own metadata (0), or after it (1). */
static struct pfn_range block_part(const struct mem_section *ms, unsigned int part)
{
	const bool hosted = ms->flags & SECTION_SELF_HOSTED;
	const unsigned long header = hosted ? ms->host_pfn : section_end_pfn(ms);
	const unsigned long behind = hosted ? header + MHP_HEADER_PAGES : header;

	if (part == 0)
		return (struct pfn_range){ ms->start_pfn, header - ms->start_pfn };
	return (struct pfn_range){ behind, section_end_pfn(ms) - behind };
}

/* Advance within the list; blocks that were already offline have nothing to empty. */
static bool next_block_part(const struct evac *e, struct evac_cursor *at)
{
	do {
		if (at->nr++ % 2 == 0)
			at->block = at->block ? at->block->next : e->blocks;
		if (!at->block)
			return false;
		at->range.nr_pages = 0;
		if (at->block->state == MEM_BLOCK_GOING_OFFLINE)
			at->range = block_part(at->block, (at->nr - 1) % 2);
	} while (!at->range.nr_pages);
	return true;
}

/**
 * evac_next_range() - step to the next range to empty
 * @e: the evacuation
 * @at: zeroed before the first step; the step sets at->range
 *
 * Return: false after the last range.
 */
bool evac_next_range(const struct evac *e, struct evac_cursor *at)
{
	if (!e->ranges)
		return next_block_part(e, at);
	if (at->nr == e->nr_ranges)
		return false;
	at->range = e->ranges[at->nr++];
	return true;
}

/* Check one range: all of it is online and in one zone. */
static int check_range(struct evac *e, const struct pfn_range *r)
{
	const struct zone *zone = NULL;
	struct pfn_range part;

	for_each_section_part(part, r) {
		const struct mem_section *ms = pfn_to_section(e->mm, part.start_pfn);

		if (!ms || !ms->zone || !(ms->flags & SECTION_ONLINE))
			return evac_fail(e, MM_REASON_NOT_PRESENT, part.start_pfn, NULL);
		if (zone && ms->zone != zone)
			return evac_fail(e, MM_REASON_ZONE_MIX, part.start_pfn, NULL);
		zone = ms->zone;
	}
	return 0;
}

/* Check that all is online and each range lies in one zone; note the span of them all. */
static int check_target(struct evac *e)
{
	struct evac_cursor at = {};
	int err = 0;

	e->span.start_pfn = PFN_NONE;
	while (!err && evac_next_range(e, &at)) {
		if (e->span.start_pfn == PFN_NONE)
			e->span.start_pfn = at.range.start_pfn;
		e->span.nr_pages = range_end(&at.range) - e->span.start_pfn;
		err = check_range(e, &at.range);
	}
	return err;
}

/*
 * The pageblocks of range @i, without any pageblock that it shares with the previous range.
 * Return: false if none is left.
 */
static bool own_pageblocks(const struct evac *e, unsigned int i, struct pfn_range *blocks)
{
	const struct pfn_range *r = &e->ranges[i];
	unsigned long start = ALIGN_DOWN(r->start_pfn, PAGEBLOCK_NR_PAGES);
	const unsigned long end = ALIGN_UP(range_end(r), PAGEBLOCK_NR_PAGES);

	if (i > 0 && start < ALIGN_UP(range_end(&r[-1]), PAGEBLOCK_NR_PAGES))
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

/* Isolate every range; or isolate none, and name a frame that another request has isolated. */
static int isolate_target(struct evac *e)
{
	struct pfn_range blocks;

	for (unsigned int i = 0; i < e->nr_ranges; i++) {
		struct mm_failure why;

		if (!own_pageblocks(e, i, &blocks) || isolate_range(e->mm, &blocks, &why) == 0)
			continue;
		unisolate_ranges(e, i);
		return evac_fail(e, why.reason, why.pfn, NULL);
	}
	return 0;
}

/* --- the steps ------------------------------------------------------------------ */

static int isolate_and_drain(struct evac *e)
{
	int err;

	enter_phase(e, EVAC_ISOLATE);
	err = isolate_target(e);
	if (err)
		return err;
	enter_phase(e, EVAC_DRAIN);
	if (drain_all_pages(e->mm, EVAC_DRAIN_NS)) {
		unisolate_ranges(e, e->nr_ranges);
		return evac_fail(e, MM_REASON_HARTS_BUSY, PFN_NONE, NULL);
	}
	return 0;
}

/* Move all movable pages, in several passes: a later claim or target may succeed. */
static int migrate_all(struct evac *e)
{
	const struct evac_limits *limits = &e->policy->limits;
	int stop, err;

	enter_phase(e, EVAC_MIGRATE);
	stop = evac_stop(e);
	if (stop)
		return stop;
	for (unsigned int pass = 0;; pass++) {
		err = evac_migrate(e);
		if (err == 0 || (e->policy->flags & EVAC_BEST_EFFORT))
			return evac_cancelled(limits) ? evac_stop(e) : 0;
		stop = evac_stop(e);
		if (stop)
			return stop;
		if (pass == limits->retries) {
			/* A request that waits continues if a page is still referenced. */
			const bool in_use = err == -EAGAIN || err == -EBUSY;

			return in_use && limits->wait ? 0 : mm_reason_errno(e->why->reason);
		}
		e->why->retries++;
		if (err == -ENOMEM && drain_all_pages(e->mm, EVAC_DRAIN_NS))
			return evac_fail(e, MM_REASON_HARTS_BUSY, PFN_NONE, NULL);
		yield();
	}
}

/* The time of a waiting thread's next check: after a slice, or at the deadline. */
static u64 next_check(const struct evac_limits *limits)
{
	return min(arch_clock_ns() + EVAC_SLICE_NS, limits->deadline_ns + *thread_held_ns());
}

/* Has an owner left since the last classify pass? Then its frames get another verdict. */
static bool verdict_is_old(const struct evac *e)
{
	return READ_ONCE(e->mm->owners_gone) != e->owners_gone;
}

/*
 * Sleep, without the hotplug lock, until the chunk is free or can be moved. The sleep
 * ends when the chunk's last frame is freed, its last pin or its second-last reference is
 * dropped, or an owner leaves. Takes the lock again before it returns, even after a failure, so
 * it may have to wait for other requests.
 */
static int wait_chunk(struct evac *e, const struct pfn_range *chunk) __no_lock_analysis
{
	struct zone *zone = pfn_to_section(e->mm, chunk->start_pfn)->zone;
	int err = 0;

	mutex_unlock(&e->mm->hotplug_lock);
	while (!err && !verdict_is_old(e) &&
	       !wait_isolated_free(zone, chunk, next_check(&e->policy->limits)))
		err = evac_stop(e);
	mutex_lock(&e->mm->hotplug_lock);
	return err;
}

/* Wait for every page that only its user can free or unpin; look at each frame once. */
static int wait_for_users(struct evac *e)
{
	struct pfn_range chunk;
	int err = 0;

	enter_phase(e, EVAC_WAIT);
	evac_restart_search(e);
	while (!err && !verdict_is_old(e) && evac_find_blocker(e, &chunk))
		err = wait_chunk(e, &chunk);
	return err;
}

/* Before anything moves: fail on hopeless frames, and wait until users let go of all pages. */
static int classify_all(struct evac *e)
{
	int err;

	do {
		enter_phase(e, EVAC_CLASSIFY);
		e->owners_gone = e->mm->owners_gone;
		err = evac_classify(e);
		if (!err)
			err = evac_stop(e);
		if (!err && e->must_wait)
			err = wait_for_users(e);
	} while (!err && e->must_wait);
	return err;
}

/*
 * A page that was judged movable did not move: it was pinned or referenced meanwhile.
 * Wait for it, then back off for a moment. Return: 0 to try again.
 */
static int wait_for_chunk(struct evac *e, const struct pfn_range *chunk)
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
		evac_restart_search(e);
		if (!evac_find_blocker(e, &chunk))
			return 0;
		err = wait_for_chunk(e, &chunk);
		if (err)
			return err;
	}
}

/*
 * Return false for a policy that contradicts itself: a type that the allocator does not
 * give out, a flag that the new frames cannot have, or a hand-over of frames that may stay
 * in use.
 */
static __always_inline bool policy_agrees(const struct evacuate_policy *p)
{
	const bool alloc = p->end == EVAC_END_ALLOC;
	const u32 legal = alloc && p->type == PGTY_OFFLINE ? PG_OFFLINE_SKIPPABLE : 0;

	return !((alloc && p->type != PGTY_OFFLINE && !type_is_alloc(p->type)) ||
		 (p->page_flags & ~legal) ||
		 ((p->flags & EVAC_BEST_EFFORT) && p->end != EVAC_END_FREE));
}

/* Hand the emptied ranges over, as the policy says. */
static void commit(struct evac *e)
{
	const struct evacuate_policy *p = e->policy;
	struct evac_cursor at = {};

	if (p->end == EVAC_END_FREE)
		return;
	for (const struct mem_section *ms = e->blocks; ms; ms = ms->next)
		if (ms->state == MEM_BLOCK_GOING_OFFLINE)
			frames_offline(pfn_to_section(e->mm, ms->start_pfn));
	while (e->ranges && evac_next_range(e, &at)) {
		if (p->end == EVAC_END_OFFLINE)
			frames_change(e->mm, &at.range, PGTY_BUDDY, PGTY_OFFLINE, 0);
		else
			frames_change(e->mm, &at.range, PGTY_BUDDY, p->type, p->page_flags);
	}
}

static int run(struct evac *e)
{
	const bool isolated = e->policy->flags & EVAC_ISOLATED;
	int err;

	if (!policy_agrees(e->policy))
		return evac_fail(e, MM_REASON_BAD_POLICY, PFN_NONE, NULL);
	err = check_target(e);
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
		unisolate_ranges(e, e->nr_ranges);
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

/*
 * Take the range at once if all of it is free, unless the request is already late or
 * cancelled. While a hold point is set or an error is to be injected, take nothing: then
 * every step takes place.
 */
static __always_inline bool take_free(struct mm *mm, const struct pfn_range *range,
				      const struct evacuate_policy *policy)
{
	if (policy->end != EVAC_END_ALLOC || !policy_agrees(policy) ||
	    READ_ONCE(hold_event) || mm->inject || evac_cancelled(&policy->limits) ||
	    (!(policy->flags & EVAC_BEGINS) && evac_clock_ns() >= policy->limits.deadline_ns) ||
	    !frames_take_free(mm, range, policy->type, policy->page_flags))
		return false;
	trace_emit(TRACE_EVAC_FREE, .pfn = range->start_pfn, .count = range->nr_pages,
		   .flags = policy->end);
	return true;
}

/* A function for other files; inlined in evacuate(), to take a free range without a call. */
__always_inline int evacuate_locked(struct mm *mm, const struct pfn_range *ranges,
				    unsigned int nr_ranges,
				    const struct evacuate_policy *policy, struct mm_failure *why)
{
	assert_mutex_held(&mm->hotplug_lock);
	if (!nr_ranges || (nr_ranges == 1 && take_free(mm, ranges, policy))) {
		*why = (struct mm_failure){ .pfn = PFN_NONE };
		return 0;
	}
	return evacuate_target(&(struct evac){ .mm = mm,
					       .ranges = ranges,
					       .nr_ranges = nr_ranges,
					       .policy = policy },
			       why);
}

int evacuate_blocks(struct mm *mm, const struct mem_section *list,
		    const struct evacuate_policy *policy, struct mm_failure *why)
{
	struct evac e = { .mm = mm, .blocks = list, .policy = policy };

	return evacuate_target(&e, why);
}

/* Wait for the hotplug lock in slices, because a request may be cancelled meanwhile. */
static int __noinline wait_for_lock(struct mm *mm, const struct evac_limits *limits,
				    struct mm_failure *why) __no_lock_analysis
{
	do {
		if (evac_cancelled(limits))
			return mm_fail(why, MM_REASON_CANCELLED, PFN_NONE);
		if (evac_clock_ns() >= limits->deadline_ns)
			return mm_fail(why, MM_REASON_LOCKED, PFN_NONE);
	} while (mutex_lock_until(&mm->hotplug_lock, next_check(limits)));
	return 0;
}

int hotplug_lock(struct mm *mm, const struct evac_limits *limits,
		 struct mm_failure *why) __no_lock_analysis
{
	if (!limits)
		mutex_lock(&mm->hotplug_lock);
	/* If the lock is free, there is no need to read the clock. */
	else if (unlikely(mutex_lock_until(&mm->hotplug_lock, 0)))
		return wait_for_lock(mm, limits, why);
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
