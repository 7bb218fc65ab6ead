/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_MUTEX_H
#define _KERNEL_MUTEX_H

/*
 * Sleeping locks, owned by a thread. A thread that waits serves grace periods.
 */
#include "kernel/thread.h"
#include "kernel/wait.h"
#include "lib/time.h"
#include "lib/types.h"

struct thread;

/**
 * struct mutex - a sleeping lock
 * @owner: the thread that holds it, NULL when free; plus MUTEX_CHECKED if the lock-order
 *	checker watches the mutex (as SPIN_CHECKED in a spinlock)
 * @outer: the mutex that the holder took last before this one and still holds, or NULL
 * @waiters: the threads that sleep until it is free
 * @name: for reports
 * @class: the lock-order checker's number for @name
 *
 * Lock keys:
 *   (c) constant after mutex_init()
 *   (a) atomic
 *   (o) the holder alone
 */
struct __capability("mutex") mutex {
	struct thread *owner;	/* (a) */
	struct mutex *outer;	/* (o) */
	struct wait_queue waiters;
	const char *name;	/* (c) */
	u32 class;		/* (a) */
};

#define MUTEX_CHECKED 1UL

#define MUTEX_INIT(var, mutex_name)                                                      \
	{                                                                                \
		.owner = (struct thread *)MUTEX_CHECKED,                                 \
		.waiters = WAIT_QUEUE_INIT((var).waiters, mutex_name),                   \
		.name = (mutex_name)                                                     \
	}
#define DEFINE_MUTEX(var) struct mutex var = MUTEX_INIT(var, #var)

/**
 * mutex_init() - initialise a mutex as unlocked
 * @mutex: the mutex
 * @name: kept by reference, for reports
 */
void mutex_init(struct mutex *mutex, const char *name);

/**
 * mutex_lock() - take a mutex, sleeping
 * @mutex: not held by the caller, else panic
 *
 * Warns once, naming the holder, if the holder keeps it for MUTEX_REPORT_NS; the wait
 * continues.
 *
 * Context: thread, no spinlock held. The caller passes quiescent points.
 */
void mutex_lock(struct mutex *mutex) __acquires(mutex);

/**
 * mutex_lock_until() - take a mutex, sleeping, with a deadline
 * @mutex: not held by the caller, else panic
 * @deadline_ns: on the clock of ktime_ns()
 *
 * Context: thread, no spinlock held.
 * Return: 0; or -ETIMEDOUT, without the mutex.
 */
int __must_check mutex_lock_until(struct mutex *mutex, u64 deadline_ns) __no_lock_analysis;

/**
 * mutex_trylock() - take a mutex if it is free
 * @mutex: the mutex
 *
 * Context: thread.
 * Return: true if the caller has it now.
 */
bool __must_check mutex_trylock(struct mutex *mutex) __no_lock_analysis;

/**
 * mutex_unlock() - release a mutex and wake one waiter
 * @mutex: held by the calling thread, else panic
 *
 * Context: thread.
 */
void mutex_unlock(struct mutex *mutex) __releases(mutex);

/**
 * mutex_is_held() - check whether the calling thread holds a mutex
 * @mutex: the mutex
 */
static inline bool mutex_is_held(const struct mutex *mutex)
{
	const unsigned long owner = (unsigned long)READ_ONCE(mutex->owner);

	return (owner & ~MUTEX_CHECKED) == (unsigned long)current_thread();
}

/* Panic, for assert_mutex_held(). */
void mutex_not_held(const struct mutex *mutex) __noreturn;

/**
 * assert_mutex_held() - panic unless the calling thread holds a mutex
 * @mutex: the mutex
 */
static inline void assert_mutex_held(const struct mutex *mutex)
{
	if (unlikely(!mutex_is_held(mutex)))
		mutex_not_held(mutex);
}

/**
 * mutex_last_taken() - find the last mutex that the calling thread took and still holds
 *
 * Context: thread.
 * Return: the mutex; NULL if the thread holds none.
 */
const struct mutex *mutex_last_taken(void);

#define MUTEX_REPORT_NS (30 * NSEC_PER_SEC)

#endif
