/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_QUIESCE_H
#define _KERNEL_QUIESCE_H

/*
 * The only grace-period mechanism. A grace period ends when every online hart has passed
 * a quiescent point. It drains other harts' page caches, and it makes sure that no walker
 * still reads a memmap that is about to go.
 *
 * A hart is quiescent in yield(), cond_resched(), when it sleeps on a mutex or wait
 * queue, and in its idle loop (where an interrupt wakes it, and it serves the request in
 * thread context). Code between two quiescent points delays a grace period, so a walker
 * needs no atomic operation for its bracket.
 */
#include "kernel/hart.h"
#include "lib/types.h"

/**
 * on_each_hart() - run a function once on every online hart
 * @fn: called in thread context with interrupts on, at each hart's next
 *	quiescent point, never in an interrupt; must not sleep
 * @arg: for @fn; the harts call it at the same time
 * @timeout_ns: from now, counted as kernel/patience.h says
 *
 * Requests run one after another; a hart that waits here serves other harts' requests
 * meanwhile, so two requesters can't block each other.
 *
 * Context: thread, no spinlock held, not inside a walker's bracket.
 * Return: 0, all harts have run @fn and their writes are visible; -ETIMEDOUT:
 * some hart has not (named in the log) and will not run it any more.
 */
int __must_check on_each_hart(void (*fn)(void *arg), void *arg, u64 timeout_ns);

/**
 * synchronize_harts() - wait for a grace period
 * @timeout_ns: from now
 *
 * Context: as on_each_hart().
 * Return: as on_each_hart(). After 0, no hart can see anything that was unpublished
 * before the call.
 */
int __must_check synchronize_harts(u64 timeout_ns);

/**
 * stop_machine() - run a function while no other hart runs anything
 * @fn: runs on the caller's hart, must not sleep; the other harts wait at a quiescent
 *	point, so they hold no spinlock and no change is half done
 * @arg: for @fn
 * @timeout_ns: for all harts to reach such a point
 *
 * Context: as on_each_hart().
 * Return: 0; -ETIMEDOUT, and @fn did not run.
 * Compare with: Linux kernel/stop_machine.c.
 */
int __must_check stop_machine(void (*fn)(void *arg), void *arg, u64 timeout_ns);

/* Values of struct hart's @quiesce; a request goes through them from top to bottom. */
#define QUIESCE_NONE	  0 /* no request */
#define QUIESCE_REQUESTED 1 /* set by the requester */
#define QUIESCE_RUNNING	  2 /* set by the hart, which then sets QUIESCE_NONE */

/* Serve the request to this hart. */
void quiesce_serve(struct hart *hart);

/**
 * quiesce_pending() - check whether this hart has a request to serve
 *
 * For the idle loop, which must not sleep if there is one.
 */
static inline bool quiesce_pending(void)
{
	/* Pairs with the release in on_each_hart(): the request is complete. */
	return __atomic_load_n(&this_hart()->quiesce, __ATOMIC_ACQUIRE) ==
	       QUIESCE_REQUESTED;
}

/**
 * quiescent_point() - declare that this thread uses nothing that a grace period protects
 *
 * Context: thread, no spinlock held. One load and a branch if there is no request.
 */
static inline void quiescent_point(void)
{
	if (unlikely(quiesce_pending()))
		quiesce_serve(this_hart());
}

#endif
