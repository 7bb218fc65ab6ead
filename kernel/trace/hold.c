/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hold points. A thread that announces a step writes a trace record. At one place, which a
 * test or a user sets, the announcing thread waits until the test or the user lets it
 * continue.
 */
#include "arch/machine.h"
#include "kernel/printk.h"
#include "kernel/spinlock.h"
#include "kernel/thread.h"
#include "kernel/trace/hold.h"
#include "kernel/trace/trace.h"
#include "kernel/wait.h"
#include "lib/time.h"

/* The interval at which a held thread checks whether its request was cancelled. */
#define HOLD_SLICE_NS (50 * NSEC_PER_MSEC)

u64 hold_limit_ns = 60 * NSEC_PER_SEC;
u32 hold_event;
void (*hold_walk)(unsigned long pfn, enum walk_step step);
static u64 hold_at;
static u32 nr_held, nr_steps;
static u32 held_since; /* nr_steps when the last thread arrived */
static DEFINE_SPINLOCK(held_lock); /* protects held_at: two evacuations may be held at once */
static struct hold_place held_at;
static DEFINE_WAIT_QUEUE(hold_arrived);
static DEFINE_WAIT_QUEUE(hold_released);

void hold_set(const struct hold_place *place)
{
	WRITE_ONCE(hold_at, place->at);
	WRITE_ONCE(hold_event, place->event);
}

void hold_step(void)
{
	WRITE_ONCE(hold_at, HOLD_ANYWHERE);
	__atomic_fetch_add(&nr_steps, 1, __ATOMIC_ACQ_REL);
	wake_up_all(&hold_released);
}

void hold_go(void)
{
	hold_set(&(struct hold_place){ .at = HOLD_ANYWHERE });
	hold_step();
}

/*
 * Check whether a thread is held. A thread that was let go does not count, even if it has not
 * run yet.
 */
static bool somebody_is_held(void)
{
	return __atomic_load_n(&nr_held, __ATOMIC_ACQUIRE) &&
	       READ_ONCE(held_since) == READ_ONCE(nr_steps);
}

bool hold_wait(u64 deadline_ns, struct hold_place *where)
{
	const bool met = wait_event_until(&hold_arrived, somebody_is_held(), deadline_ns);

	if (met && where) {
		spin_lock(&held_lock);
		*where = held_at;
		spin_unlock(&held_lock);
	}
	return met;
}

static struct ratelimit_state log; /* because a user may step again and again */

static bool cancelled(const struct hold_request *r)
{
	return r->cancelled && r->cancelled(r->cookie);
}

static __cold void hold_here(const struct hold_request *r, enum trace_event_id event, u64 at,
			     u64 pfn)
{
	const u64 start = arch_clock_ns(), limit = start + hold_limit_ns;
	const u32 steps = READ_ONCE(nr_steps);
	bool let_go = false;

	spin_lock(&held_lock);
	held_at = (struct hold_place){ .event = event, .at = at };
	spin_unlock(&held_lock);
	WRITE_ONCE(held_since, steps);
	__atomic_fetch_add(&nr_held, 1, __ATOMIC_ACQ_REL);
	wake_up_all(&hold_arrived);
	pr_info_ratelimited(&log,
			    "evac: held at pfn 0x%lx; \"hold\" shows where, \"step\" and "
			    "\"go\" let it go on\n",
			    (unsigned long)pfn);
	while (!let_go && !cancelled(r) && arch_clock_ns() < limit)
		let_go = wait_event_until(&hold_released, READ_ONCE(nr_steps) != steps,
					  min(arch_clock_ns() + HOLD_SLICE_NS, limit));
	__atomic_fetch_sub(&nr_held, 1, __ATOMIC_ACQ_REL);
	*thread_held_ns() += arch_clock_ns() - start;
	trace_emit(TRACE_HOLD, .pfn = pfn, .count = (arch_clock_ns() - start) / NSEC_PER_MSEC,
		   .before = event);
	if (let_go || cancelled(r))
		return;
	pr_warn("evac: held for %u ms at pfn 0x%lx: goes on, the hold point is unset\n",
		(u32)(hold_limit_ns / NSEC_PER_MSEC), (unsigned long)pfn);
	hold_set(&(struct hold_place){ .at = HOLD_ANYWHERE });
}

void hold_announce(const struct hold_request *r, enum trace_event_id event,
		   const struct trace_args *args)
{
	const u64 at = event == TRACE_EVAC_PHASE ? args->after : args->pfn;

	if (unlikely(READ_ONCE(this_hart()->trace_mask)))
		trace_record(event, args);
	if (unlikely(READ_ONCE(hold_event) == event) &&
	    (READ_ONCE(hold_at) == at || READ_ONCE(hold_at) == HOLD_ANYWHERE))
		hold_here(r, event, at, args->pfn);
}
