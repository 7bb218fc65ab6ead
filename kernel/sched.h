/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_SCHED_H
#define _KERNEL_SCHED_H

/*
 * Private to kernel/: what the scheduler, waiting and start-up share.
 */
#include "arch/thread.h"
#include "kernel/hart.h"
#include "kernel/lock_order.h"
#include "kernel/spinlock.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/list.h"

/**
 * enum thread_state - where a thread is
 * @THREAD_FREE: the slot is nobody's
 * @THREAD_READY: in the run queue
 * @THREAD_RUNNING: on a hart
 * @THREAD_BLOCKED: waits to be woken
 * @THREAD_EXITED: its function has returned; waits for thread_join()
 */
enum thread_state {
	THREAD_FREE,
	THREAD_READY,
	THREAD_RUNNING,
	THREAD_BLOCKED,
	THREAD_EXITED,
};

/**
 * struct thread - a kernel thread; everything under sched_lock unless it says more
 * @context: registers while it does not run
 * @link: in the run queue
 * @name: for reports
 * @state: enum thread_state
 * @affinity: the only hart it may run on, or ANY_HART
 * @woken: a wake-up came since it was cleared: the next sleep ends at once. Cleared
 *	by the thread itself, without the lock
 * @detached: vanishes when it ends
 * @idle: an idle thread: never in the run queue, never blocks
 * @fn: what it does
 * @arg: for @fn
 * @result: what @fn returned
 * @stack: lowest address, NULL for idle threads
 * @timeout: wakes it at a deadline
 * @joiner: to be woken when it has ended
 * @held_ns: for how long it was at hold points (mm/hold.h); itself alone, without the lock
 * @mutexes: those that it holds, the last taken first; the same
 * @held: what the lock-order checker knows of it; itself alone, interrupts off
 * @nr_held: the number of them
 * @interrupter: tells whether the command that it runs is to end; the same; may be NULL
 */
struct thread {
	struct arch_context context;
	struct list_head link;
	char name[THREAD_NAME_SIZE];
	u32 state;
	u32 affinity;
	bool woken;
	bool detached;
	bool idle;
	int (*fn)(void *arg);
	void *arg;
	int result;
	void *stack;
	struct timer timeout;
	struct thread *joiner;
	u64 held_ns;
	struct mutex *mutexes;
	struct lock_held held[LOCK_MAX_HELD];
	u32 nr_held;
	struct interrupter *interrupter;
};

/*
 * Protects the run queue and thread states; taken with interrupts off, innermost,
 * and held across a context switch: the thread that continues gives it back.
 */
extern spinlock_t sched_lock;

/**
 * sched_init_hart() - make the code that runs here now this hart's idle thread
 *
 * Context: once on each hart, interrupts off.
 */
void sched_init_hart(void);

/**
 * idle_loop() - run threads, wait for interrupts between them
 *
 * Context: the hart's idle thread; interrupts are turned on.
 */
void idle_loop(void) __noreturn;

/* Give the hart away; sched_lock held, the caller's new state is set. */
void schedule_locked(void) __must_hold(sched_lock);

/* Make a thread run (again), or its next sleep end at once. Any context. */
void thread_wake(struct thread *thread);
void thread_wake_locked(struct thread *thread) __must_hold(sched_lock);

/* The timer function of every thread's @timeout. */
void thread_timeout(struct timer *timer);

/*
 * Sleep until woken or until @deadline_ns; false if that has passed. Wake-ups since
 * @woken was cleared count. Thread context, no spinlock held; passes quiescent
 * points. May return early for no reason.
 */
bool thread_sleep_until(u64 deadline_ns);

/* One turn of the idle loop, for waiting in an idle thread (boot, fuzzers). */
void idle_step(void);

/* Stacks: kernel/stack.c in the guest, tests/host/ on the host. Thread context. */
void *stack_get(void);
void stack_put(void *stack);

/* Make stacks until @nr are free, or memory is short: for who counts pages later. */
void stack_pool_fill(unsigned int nr);

#endif
