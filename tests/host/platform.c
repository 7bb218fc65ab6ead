/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Harts, interrupts and time on the host.
 *
 * An interrupt is a call that the hart makes at its next check for interrupts: when it
 * turns them on or restores them, in arch_cpu_relax() and in arch_idle().
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "arch/boot.h"
#include "arch/inline.h"
#include "arch/irq.h"
#include "arch/machine.h"
#include "host.h"
#include "kernel/hart.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "kernel/sched.h"
#include "kernel/trace/trace.h"

#define NEVER	     (~(u64)0)
#define LOOK_NS	     100  /* virtual time of a clock read */
#define RELAX_NS     1000 /* of an iteration of a busy-wait loop */
#define RING_RECORDS 4096
#define IDLE_USEC    100

/* A hart's interrupt state. Other harts write only @ipi. */
static struct host_hart {
	bool irqs_on;
	u64 deadline;
	u32 ipi;
} states[MAX_HARTS];

static _Thread_local struct hart *current_hart;
static bool real_time;
static u64 virtual_now = 1000000;
static struct timespec real_start;
static void (*play_others)(void);
static struct trace_record rings[MAX_HARTS][RING_RECORDS];

struct hart *host_this_hart(void)
{
	return current_hart;
}

static struct host_hart *my_state(void)
{
	return &states[this_hart()->id];
}

/* --- time ----------------------------------------------------------------------- */

u64 arch_clock_ns(void)
{
	struct timespec now;

	if (!real_time)
		return virtual_now += LOOK_NS;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return __atomic_load_n(&virtual_now, __ATOMIC_RELAXED) +
	       (u64)(now.tv_sec - real_start.tv_sec) * 1000000000 + now.tv_nsec -
	       real_start.tv_nsec;
}

bool host_time_is_virtual(void)
{
	return !real_time;
}

u64 arch_time(void)
{
	return arch_clock_ns();
}

void host_jump_clock(u64 ns)
{
	__atomic_fetch_add(&virtual_now, ns, __ATOMIC_RELAXED);
}

void arch_timer_set(u64 deadline_ns)
{
	my_state()->deadline = deadline_ns;
}

/* --- interrupts ------------------------------------------------------------------- */

void host_poll(void)
{
	struct host_hart *state = my_state();
	struct hart *hart = this_hart();

	if (!state->irqs_on)
		return;
	state->irqs_on = false;
	hart->irq_depth++;
	if (__atomic_exchange_n(&state->ipi, 0, __ATOMIC_ACQUIRE) != 0)
		panic_stop_if_asked();
	if (state->deadline != NEVER && arch_clock_ns() >= state->deadline) {
		state->deadline = NEVER;
		timer_interrupt();
	}
	hart->irq_depth--;
	state->irqs_on = true;
}

unsigned long arch_irq_save(void)
{
	struct host_hart *state = my_state();
	const bool before = state->irqs_on;

	state->irqs_on = false;
	return before;
}

void arch_irq_restore(unsigned long flags)
{
	my_state()->irqs_on = flags != 0;
	host_poll();
}

bool arch_irqs_enabled(void)
{
	return my_state()->irqs_on;
}

void arch_irq_enable(void)
{
	arch_irq_restore(1);
}

void arch_irq_disable(void)
{
	(void)arch_irq_save();
}

void arch_kick_hart(unsigned int hart)
{
	__atomic_store_n(&states[hart].ipi, 1, __ATOMIC_RELEASE);
}

bool host_was_kicked(unsigned int hart)
{
	return __atomic_exchange_n(&states[hart].ipi, 0, __ATOMIC_ACQUIRE) != 0;
}

void host_play_others(void (*fn)(void))
{
	play_others = fn;
}

void arch_cpu_relax(void)
{
	if (play_others != NULL)
		play_others();
	if (real_time)
		sched_yield();
	else
		virtual_now += RELAX_NS;
	if (host_takes_turns())
		host_turn_spins();
	host_poll();
}

bool host_is_pending(unsigned int hart)
{
	const struct host_hart *state = &states[hart];

	return state->ipi || virtual_now >= state->deadline;
}

void host_jump_to_timer(unsigned int nr)
{
	u64 first = NEVER;

	for (unsigned int i = 0; i < nr; i++)
		first = min(first, states[i].deadline);
	if (first == NEVER) {
		fputs("host: every thread sleeps, and nothing will wake one\n", stderr);
		exit(3);
	}
	virtual_now = max(virtual_now, first);
}

void arch_idle(void)
{
	struct host_hart *state = my_state();

	if (real_time) {
		if (__atomic_load_n(&state->ipi, __ATOMIC_ACQUIRE) == 0)
			usleep(IDLE_USEC);
	} else if (host_takes_turns()) {
		host_turn_waits();
	} else {
		host_jump_to_timer(1);
	}
	/* The contract: pending interrupts run before this returns, with interrupts masked. */
	state->irqs_on = true;
	host_poll();
	state->irqs_on = false;
}

/* --- start and end ------------------------------------------------------------------ */

/* For `make coverage`: writes the counts that exit() would write. */
void __gcov_dump(void) __attribute__((weak));

void arch_exit(int status)
{
	fflush(stdout);
	if (__gcov_dump != NULL)
		__gcov_dump();
	/* Not exit(): other harts still run, and would use what exit() tears down. */
	_exit(status);
}

void arch_reboot(void)
{
	arch_exit(0);
}

static void write_stdout(const char *text, size_t len)
{
	fwrite(text, 1, len, stdout);
	fflush(stdout);
}

static void start_here(struct hart *hart)
{
	current_hart = hart;
	states[hart->id].deadline = NEVER;
	trace_ring_init(hart, rings[hart->id], (uintptr_t)rings[hart->id]);
	sched_init_hart();
	hart_set_online();
}

void host_init(void)
{
	host_memory_init();
	ebb_trace.nr_records = RING_RECORDS;
	ebb_trace.timebase_hz = 1000000000;
	start_here(hart_register(0));
	printk_set_console(write_stdout);
	arch_irq_enable();
}

void host_switch_hart(unsigned int next)
{
	const unsigned int self = this_hart()->id;

	current_hart = hart_by_id(next);
	host_switch_stack(self, next);
}

static void hart_by_turns(void *arg)
{
	start_here(arg);
	idle_loop();
}

bool host_make_hart(struct hart *hart)
{
	return host_make_stack(hart->id, hart_by_turns, hart);
}

static void *hart_main(void *arg)
{
	start_here(arg);
	idle_loop();
}

void host_start_harts(unsigned int nr)
{
	clock_gettime(CLOCK_MONOTONIC, &real_start);
	real_time = true;
	for (unsigned int i = 1; i < nr; i++) {
		struct hart *hart = hart_register(i);
		pthread_t thread;

		if (hart == NULL || pthread_create(&thread, NULL, hart_main, hart) != 0) {
			fprintf(stderr, "host: no hart %u\n", i);
			exit(3);
		}
		pthread_detach(thread);
		while (!hart_is_online(hart))
			sched_yield();
	}
}
