/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_HOLD_H
#define _MM_HOLD_H

/*
 * Hold points: a test or a person makes the thread of an evacuation wait at what
 * it announces, while other harts run on. So races are forced, not hoped for.
 */
#include "kernel/trace_events.h"
#include "mm/mm.h"

/* No place in particular. */
#define HOLD_ANYWHERE (~0ULL)

/* A held thread goes on by itself after this time, and the hold point is unset. 60 s. */
extern u64 hold_limit_ns;

/**
 * struct hold_place - where threads are to wait
 * @event: TRACE_EVAC_PHASE, _VERDICT or _MOVE; 0: nowhere
 * @at: enum evac_phase that begins, or the announced pfn; HOLD_ANYWHERE
 */
struct hold_place {
	enum trace_event_id event;
	u64 at;
};

/**
 * hold_set() - let threads wait there; one place at a time
 * @place: replaces the one before. Who is held already stays so until hold_step()
 *
 * Deadlines of the held thread stand still: see evac_clock_ns().
 * Context: any.
 */
void hold_set(const struct hold_place *place);

/* Let go whoever is held, up to the next such event, wherever that is. */
void hold_step(void);

/* Unset the place and let go whoever is held. */
void hold_go(void);

/**
 * hold_wait() - wait until a thread is held
 * @deadline_ns: on ktime_ns()
 * @where: what it announced last, if it is held; may be NULL
 *
 * Context: thread, no spinlock held. A deadline in the past just asks.
 * Return: whether one is.
 */
bool hold_wait(u64 deadline_ns, struct hold_place *where);

/* Where a walker stands: what it has seen may become untrue there. */
enum walk_step {
	WALK_ZONE, /* it has found the section, and loads its zone next */
	WALK_LOCK, /* it has loaded the zone, and takes its lock next */
	WALK_COUNT, /* it has found a chunk that has a count, and takes a reference next */
	WALK_CHECK, /* it is mm_check() and has read a descriptor, which it compares next */
};

/*
 * A walker cannot wait, it stands in a bracket. Instead this function, a test's, runs on
 * the walker's hart at each step; it must not sleep. NULL: none.
 */
extern void (*hold_walk)(unsigned long pfn, enum walk_step step);

/**
 * walk_announce() - a walker's steps pass here, behind each look that may be overtaken
 * @pfn: frame that it looks at, or its section's first
 * @step: what it does next
 */
static inline void walk_announce(unsigned long pfn, enum walk_step step)
{
	void (*fn)(unsigned long pfn, enum walk_step step) = READ_ONCE(hold_walk);

	if (unlikely(fn != NULL))
		fn(pfn, step);
}

#endif
