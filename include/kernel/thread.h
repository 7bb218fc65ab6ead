/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_THREAD_H
#define _KERNEL_THREAD_H

/*
 * Kernel threads. They are not preempted: a thread gives up its hart only in yield(),
 * cond_resched(), a sleep or a wait. Between these calls it stays on its hart, and no other
 * thread runs there; afterwards it may continue on another hart, unless
 * thread_create_on() bound it to one.
 */
#include "kernel/hart.h"
#include "lib/types.h"

struct thread;

/* Bytes of a name, with the terminator. */
#define THREAD_NAME_SIZE 16
/* Threads that can exist at a time. */
#define MAX_THREADS 64
/* For thread_create_on(): any hart that is free. */
#define ANY_HART (~0U)

/**
 * thread_create() - start a thread on any hart
 * @name: copied, cut to THREAD_NAME_SIZE
 * @fn: the thread's function; thread_join() returns its return value
 * @arg: for @fn
 *
 * Context: thread; takes a stack from the pool, or from mm when that is empty.
 * Return: the thread; the caller passes it to thread_join() or thread_detach() exactly
 * once. NULL, after a log line, if there are MAX_THREADS already or no memory.
 */
struct thread *thread_create(const char *name, int (*fn)(void *arg), void *arg);

/**
 * thread_create_on() - start a thread that stays on one hart
 * @hart: logical id of a hart that is online, or ANY_HART
 * @name: as thread_create()
 * @fn: as thread_create()
 * @arg: as thread_create()
 *
 * Context: thread.
 * Return: as thread_create(); also NULL if that hart is not online.
 */
struct thread *thread_create_on(unsigned int hart, const char *name, int (*fn)(void *arg),
				void *arg);

/**
 * thread_join() - wait until a thread has ended, and forget it
 * @thread: from thread_create(), not detached
 * @deadline_ns: on the clock of ktime_ns(); later if the machine stands still meanwhile
 *	(kernel/patience.h)
 * @result: set to the return value of the thread's function; may be NULL
 *
 * Context: thread, no spinlock held.
 * Return: 0; -ETIMEDOUT: the thread still exists and can be joined again.
 */
int __must_check thread_join(struct thread *thread, u64 deadline_ns, int *result);

/**
 * thread_detach() - have a thread freed when it ends, without a join
 * @thread: from thread_create()
 */
void thread_detach(struct thread *thread);

/**
 * thread_exit() - end the calling thread
 * @result: for thread_join()
 *
 * Context: a thread from thread_create(), no lock held.
 */
void thread_exit(int result) __noreturn;

/**
 * yield() - let every other thread that can run have a turn
 *
 * Context: thread, no spinlock held. A quiescent point.
 */
void yield(void);

/**
 * cond_resched() - yield() if another thread is waiting to run
 *
 * Call it in long loops. Always a quiescent point; a few instructions when there is
 * nothing to do.
 *
 * Context: thread, no spinlock held.
 */
void cond_resched(void);

/**
 * current_thread() - get the calling thread
 *
 * In interrupt handlers: the interrupted thread.
 */
static inline struct thread *current_thread(void)
{
	return this_hart()->current;
}

/**
 * thread_held_ns() - get the calling thread's count of time at hold points; see
 * trace/hold.h
 */
u64 *thread_held_ns(void);

/**
 * thread_name() - get a thread's name
 * @thread: NULL is "none"
 */
const char *thread_name(const struct thread *thread);

/**
 * might_sleep() - panic if the caller may not sleep
 *
 * It may not sleep in a handler, with interrupts off or with a spinlock held. Every function
 * that may sleep calls this first, so that the mistake shows even if the function would
 * not have slept this time.
 */
void might_sleep(void);

#endif
