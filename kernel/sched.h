/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_SCHED_H
#define _KERNEL_SCHED_H

/*
 * Private to kernel/: shared by the scheduler, the wait queues and the start-up code.
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
 * enum thread_state - the state of a thread
 * @THREAD_FREE: the slot is free
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

/*
 * Protects the run queue and thread states; taken with interrupts off, innermost,
 * and held across a context switch: the thread that continues releases it.
 */
extern spinlock_t sched_lock;

/**
 * struct thread - a kernel thread
 * @context: registers while it does not run
 * @link: in the run queue
 * @name: for reports
 * @state: enum thread_state
 * @affinity: the only hart it may run on, or ANY_HART
 * @woken: a wake-up came since the thread cleared this: its next sleep ends at once
 * @detached: its slot is freed after it ends, without a join
 * @idle: an idle thread: never in the run queue, never blocks
 * @fn: the thread's function
 * @arg: for @fn
 * @result: what @fn returned
 * @stack: lowest address, NULL for idle threads
 * @timeout: wakes it at a deadline
 * @joiner: the thread to wake when it has ended
 * @held_ns: the time that it spent at hold points (kernel/trace/hold.h)
 * @mutexes: those that it holds, the last taken first
 * @held: the locks that it holds, for the lock-order checker; interrupts off
 * @nr_held: their number
 * @interrupter: tells whether its command must end; may be NULL
 *
 * Lock keys:
 *   (c) constant from thread_create() until the slot is free again
 *   (s) sched_lock
 *   (o) only the thread itself
 *   (j) the thread itself; after its end the thread that joins it
 *   (a) atomic: WRITE_ONCE() and READ_ONCE()
 *   (t) timer_lock
 */
struct thread {
	struct arch_context context;			/* (s) */
	struct list_head link;				/* (s) */
	char name[THREAD_NAME_SIZE];			/* (c) */
	u32 state __guarded_by(sched_lock);		/* (s) */
	u32 affinity;					/* (c) */
	bool woken;					/* (a) */
	bool detached __guarded_by(sched_lock);		/* (s) */
	bool idle;					/* (c) */
	int (*fn)(void *arg);				/* (c) */
	void *arg;					/* (c) */
	int result;					/* (j) */
	void *stack;					/* (j) */
	struct timer timeout;				/* (t) */
	struct thread *joiner __guarded_by(sched_lock);	/* (s) */
	u64 held_ns;					/* (o) */
	struct mutex *mutexes;				/* (o) */
	struct lock_held held[LOCK_MAX_HELD];		/* (o) */
	u32 nr_held;					/* (o) */
	struct interrupter *interrupter;		/* (o) */
};

/**
 * sched_init_hart() - make the running code this hart's idle thread
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

/* Switch to another thread; sched_lock is held, and the caller's new state is set. */
void schedule_locked(void) __must_hold(sched_lock);

/*
 * Make a blocked thread ready, or make a running thread's next sleep end at once. Any context.
 */
void thread_wake(struct thread *thread);
void thread_wake_locked(struct thread *thread) __must_hold(sched_lock);

/* The timer function of every thread's @timeout. */
void thread_timeout(struct timer *timer);

/*
 * Sleep until woken or until @deadline_ns; false if that time has passed. A wake-up since
 * @woken was cleared also ends the sleep, and it may end early for no reason. Thread context,
 * no spinlock held; passes quiescent points.
 */
bool thread_sleep_until(u64 deadline_ns);

/* Run one turn of the idle loop, to wait in an idle thread (boot, fuzzers). */
void idle_step(void);

/* Stacks: kernel/stack.c in the guest, tests/host/ on the host. Thread context. */
void *stack_get(void);
void stack_put(void *stack);

#endif
