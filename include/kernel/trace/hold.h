/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_TRACE_HOLD_H
#define _KERNEL_TRACE_HOLD_H

/*
 * Hold points: a test or a user makes the thread of an evacuation wait at a step that it
 * announces, while other harts continue. So tests can force races.
 */
#include "kernel/trace/trace.h"

/* Any place. */
#define HOLD_ANYWHERE (~0ULL)

/* A held thread continues by itself after this time and unsets the hold point. 60 s. */
extern u64 hold_limit_ns;

/**
 * struct hold_place - a place where threads wait
 * @event: TRACE_EVAC_PHASE, _VERDICT or _MOVE; 0: nowhere
 * @at: the enum evac_phase that begins, or the announced pfn; or HOLD_ANYWHERE
 */
struct hold_place {
	enum trace_event_id event;
	u64 at;
};

/*
 * The event at which threads wait, TRACE_EVAC_*; 0: none. A quick test before the place is
 * compared.
 */
extern u32 hold_event;

/**
 * struct hold_request - the request of the announcing thread
 * @cancelled: the held thread polls it, and continues once it is true; may be NULL
 * @cookie: for @cancelled
 */
struct hold_request {
	bool (*cancelled)(void *cookie);
	void *cookie;
};

/**
 * hold_announce() - announce the start of a phase, a verdict or a move
 * @r: the request
 * @event: TRACE_EVAC_*
 * @args: the record's fields
 *
 * Context: no spinlock held: a test or a user can make the thread wait here.
 */
void hold_announce(const struct hold_request *r, enum trace_event_id event,
		   const struct trace_args *args);

/**
 * hold_set() - set the place where threads wait; there is only one at a time
 * @place: replaces the previous place. A thread that is already held stays held until
 *	hold_step()
 *
 * The deadlines of a held thread stand still: see evac_clock_ns().
 * Context: any.
 */
void hold_set(const struct hold_place *place);

/* Let the held threads run to their next event of the held kind, at any place. */
void hold_step(void);

/* Unset the place and let the held threads go. */
void hold_go(void);

/**
 * hold_wait() - wait until a thread is held
 * @deadline_ns: on ktime_ns()
 * @where: set to the last announcement of the held thread; may be NULL
 *
 * Context: thread, no spinlock held. With a deadline in the past it does not wait.
 * Return: true if a thread is held.
 */
bool hold_wait(u64 deadline_ns, struct hold_place *where);

/* The steps of a walker at which its earlier reads may become stale. */
enum walk_step {
	WALK_ZONE, /* it has found the section and loads its zone next */
	WALK_LOCK, /* it has loaded the zone and takes its lock next */
	WALK_COUNT, /* it has found a chunk with a count and takes a reference next */
	WALK_CHECK, /* mm_check() has read a descriptor and compares it next */
};

/*
 * A test's function, or NULL. A walker cannot wait inside its bracket, so instead it
 * calls this function on its own hart at each step. The function must not sleep.
 */
extern void (*hold_walk)(unsigned long pfn, enum walk_step step);

/**
 * walk_announce() - announce a walker's step, after each load that may become stale
 * @pfn: frame that the walker looks at, or the first frame of its section
 * @step: what the walker does next
 */
static inline void walk_announce(unsigned long pfn, enum walk_step step)
{
	void (*fn)(unsigned long pfn, enum walk_step step) = READ_ONCE(hold_walk);

	if (unlikely(fn != NULL))
		fn(pfn, step);
}

#endif
