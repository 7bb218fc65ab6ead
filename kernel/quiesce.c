/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Grace periods: a request to every hart, which serves it at its next quiescent point.
 *
 * There is one request at a time. Each hart has a word that goes NONE ->
 * REQUESTED (by the requester) -> RUNNING -> NONE (by the hart). A requester that
 * gives up takes REQUESTED back to NONE by a compare-and-swap, so that no hart
 * runs a function after its caller has gone.
 *
 * A thread that waits for the other harts, or for its turn, spins briefly and then sleeps.
 * While it sleeps, its hart serves requests; and if harts outnumber the host's cores, the core
 * is free for the harts that it waits for.
 */
#include "arch/machine.h"
#include "kernel/mutex.h"
#include "kernel/panic.h"
#include "kernel/patience.h"
#include "kernel/printk.h"
#include "kernel/quiesce.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/errno.h"

/* An idle hart normally answers within this time. */
#define SPIN_NS (30 * NSEC_PER_USEC)

static DEFINE_MUTEX(request_lock); /* held by the requester */
static DEFINE_WAIT_QUEUE(answered);

/* The requester writes this before it asks any hart. */
static struct {
	void (*fn)(void *arg);
	void *arg;
} request;

void quiesce_serve(struct hart *hart)
{
	u32 word = QUIESCE_REQUESTED;

	/* Acquire pairs with ask(): fn and arg are those of the request. */
	if (!__atomic_compare_exchange_n(&hart->quiesce, &word, QUIESCE_RUNNING, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	request.fn(request.arg);
	/* Pairs with the acquire in has_answered(): the writes of fn are visible. */
	STORE_RELEASE(hart->quiesce, QUIESCE_NONE);
	/* Pairs with the fence in wait_prepare(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (has_waiters(&answered))
		wake_up_all(&answered);
}

static void ask(struct hart *hart)
{
	STORE_RELEASE(hart->quiesce, QUIESCE_REQUESTED);
	/*
	 * Either this hart sees @idling, or the other hart sees the request before it
	 * waits: pairs with the fence in idle_wait().
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (READ_ONCE(hart->idling))
		arch_kick_hart(hart->id);
}

static bool has_answered(const struct hart *hart)
{
	return __atomic_load_n(&hart->quiesce, __ATOMIC_ACQUIRE) == QUIESCE_NONE ||
	       !hart_is_online(hart);
}

/*
 * Wait until @hart has run the function: a request can no longer be cancelled then, but the
 * function ends soon.
 */
static void await_end(const struct hart *hart)
{
	struct patience patience;

	patience_start(&patience, SPIN_LIMIT_NS);
	while (!has_answered(hart)) {
		if (!patience_lasts(&patience))
			panic("hart %u has run the function of a grace period for %llu s",
			      hart->id, SPIN_LIMIT_NS / NSEC_PER_SEC);
		arch_cpu_relax();
	}
}

/*
 * Wait until @hart has answered; if it is late, take the request back. Return: false if it was
 * late.
 */
static bool await(struct hart *hart, struct patience *patience)
{
	const u64 spin_end = ktime_ns() + SPIN_NS;
	u32 word = QUIESCE_REQUESTED;

	while (!has_answered(hart) && ktime_ns() < spin_end)
		arch_cpu_relax();
	if (wait_event_patience(&answered, has_answered(hart), patience))
		return true;
	if (__atomic_compare_exchange_n(&hart->quiesce, &word, QUIESCE_NONE, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return false;
	await_end(hart);
	return true;
}

static struct ratelimit_state log; /* limited: the host can stop a hart at any time */

int on_each_hart(void (*fn)(void *arg), void *arg, u64 timeout_ns) __no_lock_analysis
{
	struct patience patience;
	const struct hart *self;
	struct hart *hart;
	int err = 0;

	might_sleep();
	patience_start(&patience, timeout_ns);
	while (mutex_lock_until(&request_lock, patience_next_look(&patience)) != 0) {
		if (patience_lasts(&patience))
			continue;
		pr_warn_ratelimited(&log, "grace period: an earlier one did not end within %llu ms",
				    (unsigned long long)(timeout_ns / NSEC_PER_MSEC));
		return -ETIMEDOUT;
	}
	self = this_hart();
	request.fn = fn;
	request.arg = arg;
	for_each_hart(hart)
		if (hart != self)
			ask(hart);
	fn(arg);
	for_each_hart(hart) {
		if (hart == self || await(hart, &patience))
			continue;
		pr_warn_ratelimited(&log,
				    "hart %u (hartid %llu) reached no quiescent point within "
				    "%llu ms: it runs thread %s",
				    hart->id, (unsigned long long)hart->hartid,
				    (unsigned long long)(timeout_ns / NSEC_PER_MSEC),
				    thread_name(READ_ONCE(hart->current)));
		err = -ETIMEDOUT;
	}
	mutex_unlock(&request_lock);
	return err;
}

static void do_nothing(void *)
{
}

int synchronize_harts(u64 timeout_ns)
{
	return on_each_hart(do_nothing, NULL, timeout_ns);
}
