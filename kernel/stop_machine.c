/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Run a function on one hart while all others stand still, each at a quiescent point. All
 * harts serve one on_each_hart() request, in which the other harts only wait.
 */
#include "arch/machine.h"
#include "kernel/hart.h"
#include "kernel/patience.h"
#include "kernel/quiesce.h"
#include "kernel/thread.h"
#include "lib/errno.h"

/**
 * struct stop - one request
 * @fn, @arg: what the leader runs
 * @leader: the thread that called stop_machine()
 * @patience: limit of the wait for the other harts
 * @standing: number of harts that stand still
 * @over: the other harts may continue
 * @err: result of the request
 */
struct stop {
	void (*fn)(void *arg);
	void *arg;
	const struct thread *leader;
	struct patience patience;
	u32 standing;
	u32 over;
	int err;
};

static unsigned int nr_online(void)
{
	const struct hart *hart;
	unsigned int nr = 0;

	for_each_hart(hart)
		nr += hart_is_online(hart);
	return nr;
}

static void lead(struct stop *stop)
{
	const unsigned int others = nr_online() - 1;

	/* Acquire: all earlier writes of the other harts are visible. */
	while (__atomic_load_n(&stop->standing, __ATOMIC_ACQUIRE) < others) {
		if (!patience_lasts(&stop->patience)) {
			stop->err = -ETIMEDOUT;
			break;
		}
		arch_cpu_relax();
	}
	if (stop->err == 0)
		stop->fn(stop->arg);
	STORE_RELEASE(stop->over, 1);
}

static void stop_fn(void *arg)
{
	struct stop *stop = arg;

	if (current_thread() == stop->leader) {
		lead(stop);
		return;
	}
	__atomic_fetch_add(&stop->standing, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&stop->over, __ATOMIC_ACQUIRE))
		arch_cpu_relax();
}

int stop_machine(void (*fn)(void *arg), void *arg, u64 timeout_ns)
{
	struct stop stop = {
		.fn = fn,
		.arg = arg,
		.leader = current_thread(),
	};
	int err;

	patience_start(&stop.patience, timeout_ns);
	err = on_each_hart(stop_fn, &stop, timeout_ns);
	return stop.err ? stop.err : stop.over ? 0 : err;
}
