/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_WAIT_H
#define _KERNEL_WAIT_H

/*
 * Wait queues. A waiter first registers, then checks the condition; the thread that
 * makes the condition true first changes the state, then wakes. So no wake-up is lost.
 */
#include "kernel/spinlock.h"
#include "lib/list.h"
#include "lib/types.h"

struct thread;

/*
 * No deadline. Only service threads (workers, consoles) may use it: all other waits have one.
 */
#define WAIT_FOREVER (~(u64)0)

/**
 * struct wait_queue - threads that wait for something
 * @lock: taken with interrupts off, protects @waiters
 * @waiters: struct waiter, in order of arrival
 * @nr_waiters: length of @waiters; changed under @lock, read without it by a thread that
 *	has changed a condition, to skip the wake-up if there are no waiters
 *
 * Lock keys:
 *   (q) @lock
 *   (r) @lock to write; read with READ_ONCE() without it
 */
struct wait_queue {
	spinlock_t lock;
	struct list_head waiters;	/* (q) */
	u32 nr_waiters;			/* (r) */
};

#define WAIT_QUEUE_INIT(var, queue_name)                                                 \
	{                                                                                \
		.lock = SPINLOCK_INIT(queue_name),                                       \
		.waiters = { &(var).waiters, &(var).waiters }, .nr_waiters = 0,          \
	}
#define DEFINE_WAIT_QUEUE(var) struct wait_queue var = WAIT_QUEUE_INIT(var, #var)

/**
 * struct waiter - one thread in a wait queue, on that thread's stack
 * @link: in the queue, or alone when not queued
 * @thread: the thread that sleeps
 */
struct waiter {
	struct list_head link;
	struct thread *thread;
};

/**
 * wait_queue_init() - make an empty wait queue
 * @queue: the queue
 * @name: kept by reference, for reports
 */
void wait_queue_init(struct wait_queue *queue, const char *name);

/**
 * wake_up_all() - make every waiter check its condition again
 * @queue: the queue
 *
 * Context: any, interrupt handlers too.
 */
void wake_up_all(struct wait_queue *queue);

/**
 * has_waiters() - check whether a thread waits
 * @queue: the queue
 *
 * First change the condition, then execute a full fence, then call this. The fence pairs
 * with the fence in wait_prepare(): either this returns true, or the waiter sees the
 * change.
 */
static inline bool has_waiters(const struct wait_queue *queue)
{
	return READ_ONCE(queue->nr_waiters) != 0;
}

/**
 * wake_up_one() - make the first waiter check its condition again
 * @queue: the queue
 *
 * Context: any, interrupt handlers too.
 */
void wake_up_one(struct wait_queue *queue);

/* The steps of wait_event_until(); do not use them alone. */
void wait_prepare(struct wait_queue *queue, struct waiter *waiter);
bool wait_sleep(struct waiter *waiter, u64 deadline_ns);
void wait_finish(struct wait_queue *queue, struct waiter *waiter);

/*
 * wait_event_until(struct wait_queue *queue, expression cond, u64 deadline_ns):
 * sleep until @cond is true. The waiting thread evaluates @cond several times, without a
 * lock; it must not sleep. @deadline_ns is absolute, on the clock of ktime_ns(). Value:
 * true if @cond was true, false if the deadline passed first. Context: thread, no
 * spinlock held. The caller passes quiescent points.
 */
#define wait_event_until(queue, cond, deadline_ns)                                       \
	({                                                                               \
		struct wait_queue *const _queue = (queue);                               \
		const u64 _deadline = (deadline_ns);                                     \
		struct waiter _waiter;                                                   \
		bool _met, _in_time = true;                                              \
		for (;;) {                                                               \
			wait_prepare(_queue, &_waiter);                                  \
			_met = !!(cond);                                                 \
			if (_met || !_in_time)                                           \
				break;                                                   \
			_in_time = wait_sleep(&_waiter, _deadline);                      \
			wait_finish(_queue, &_waiter);                                   \
		}                                                                        \
		wait_finish(_queue, &_waiter);                                           \
		_met;                                                                    \
	})

#endif
