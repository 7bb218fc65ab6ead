/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Grace periods: a request to every hart, served at its next quiescent point.
 *
 * There is one request at a time. Each hart has a word that goes NONE ->
 * REQUESTED (by the requester) -> RUNNING -> NONE (by the hart). A requester that
 * gives up takes REQUESTED back to NONE by a compare-and-swap, so that no hart
 * runs a function whose caller is gone. Who waits to become the requester serves
 * the current one meanwhile.
 */
#include "arch/machine.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "kernel/quiesce.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"

/* Written by the requester while it owns @busy, before any hart is asked. */
static struct {
	u32 busy;
	void (*fn)(void *arg);
	void *arg;
} request;

void quiesce_serve(struct hart *hart)
{
	u32 word = QUIESCE_REQUESTED;

	/* Acquire pairs with ask(): fn and arg are the request's. */
	if (!__atomic_compare_exchange_n(&hart->quiesce, &word, QUIESCE_RUNNING, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	request.fn(request.arg);
	/* Pairs with the acquire in await(): what fn wrote is visible. */
	__atomic_store_n(&hart->quiesce, QUIESCE_NONE, __ATOMIC_RELEASE);
}

static bool request_begin(u64 deadline)
{
	u32 free = 0;

	while (!__atomic_compare_exchange_n(&request.busy, &free, 1, false,
					    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		if (ktime_ns() > deadline)
			return false;
		free = 0;
		quiescent_point();
		arch_cpu_relax();
	}
	return true;
}

static void request_end(void)
{
	__atomic_store_n(&request.busy, 0, __ATOMIC_RELEASE);
}

static void ask(struct hart *hart)
{
	__atomic_store_n(&hart->quiesce, QUIESCE_REQUESTED, __ATOMIC_RELEASE);
	/*
	 * Either this hart sees @idling, or the other one sees the request before
	 * it waits: pairs with the fence in idle_wait().
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (READ_ONCE(hart->idling))
		arch_kick_hart(hart->id);
}

/* Whether @hart has answered in time; else the request is taken back. */
static bool await(struct hart *hart, u64 deadline)
{
	u32 word = QUIESCE_REQUESTED;

	while (__atomic_load_n(&hart->quiesce, __ATOMIC_ACQUIRE) != QUIESCE_NONE &&
	       hart_is_online(hart)) {
		if (ktime_ns() <= deadline) {
			arch_cpu_relax();
			continue;
		}
		/* Taken back, unless it runs right now: then it ends soon. */
		if (__atomic_compare_exchange_n(&hart->quiesce, &word, QUIESCE_NONE, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return false;
		word = QUIESCE_REQUESTED;
		arch_cpu_relax();
	}
	return true;
}

int on_each_hart(void (*fn)(void *arg), void *arg, u64 timeout_ns)
{
	const u64 deadline = ktime_ns() + timeout_ns;
	const struct hart *self;
	struct hart *hart;
	int err = 0;

	might_sleep();
	if (!request_begin(deadline)) {
		pr_warn("grace period: another one did not end in %llu ms",
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
		if (hart == self || await(hart, deadline))
			continue;
		pr_warn("hart %u (hartid %llu) reached no quiescent point in %llu ms: "
			"it runs thread %s",
			hart->id, (unsigned long long)hart->hartid,
			(unsigned long long)(timeout_ns / NSEC_PER_MSEC),
			thread_name(READ_ONCE(hart->current)));
		err = -ETIMEDOUT;
	}
	request_end();
	return err;
}

static void do_nothing(void *arg)
{
	(void)arg;
}

int synchronize_harts(u64 timeout_ns)
{
	return on_each_hart(do_nothing, NULL, timeout_ns);
}
