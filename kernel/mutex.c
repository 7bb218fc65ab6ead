/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mutexes. Not fair: another thread may take a mutex before the waiter that was woken
 * for it, which then waits again.
 *
 * A thread's mutexes are a list, the last taken first. Only the holder touches the list
 * and a mutex's @outer.
 */
#include "kernel/mutex.h"
#include "kernel/panic.h"
#include "kernel/patience.h"
#include "kernel/printk.h"
#include "kernel/sched.h"
#include "lib/errno.h"

void mutex_init(struct mutex *mutex, const char *name)
{
	mutex->owner = NULL;
	mutex->name = name;
	wait_queue_init(&mutex->waiters, name);
}

bool mutex_is_held(const struct mutex *mutex)
{
	return READ_ONCE(mutex->owner) == current_thread();
}

void assert_mutex_held(const struct mutex *mutex)
{
	if (unlikely(!mutex_is_held(mutex)))
		panic("mutex %s: not held by thread %s", mutex->name,
		      thread_name(current_thread()));
}

bool mutex_trylock(struct mutex *mutex)
{
	struct thread *self = current_thread(), *free = NULL;

	if (!__atomic_compare_exchange_n(&mutex->owner, &free, self, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return false;
	mutex->outer = self->mutexes;
	self->mutexes = mutex;
	return true;
}

/* Remove a mutex from the list: nearly always the first, as release is in reverse. */
static void forget(struct thread *self, const struct mutex *mutex)
{
	struct mutex **link = &self->mutexes;

	while (*link && *link != mutex)
		link = &(*link)->outer;
	if (*link)
		*link = mutex->outer;
}

const struct mutex *mutex_last_taken(void)
{
	return current_thread()->mutexes;
}

int mutex_lock_until(struct mutex *mutex, u64 deadline_ns)
{
	might_sleep();
	if (likely(mutex_trylock(mutex)))
		return 0;
	if (mutex_is_held(mutex))
		panic("mutex %s: thread %s takes it twice", mutex->name,
		      thread_name(current_thread()));
	if (wait_event_until(&mutex->waiters, mutex_trylock(mutex), deadline_ns))
		return 0;
	/* A wake-up that came too late for this thread is another one's. */
	if (READ_ONCE(mutex->owner) == NULL)
		wake_up_one(&mutex->waiters);
	return -ETIMEDOUT;
}

int mutex_lock_patience(struct mutex *mutex, struct patience *patience)
{
	might_sleep();
	if (likely(mutex_trylock(mutex)))
		return 0;
	while (mutex_lock_until(mutex, patience_next_look(patience)) != 0)
		if (!patience_lasts(patience))
			return -ETIMEDOUT;
	return 0;
}

void mutex_lock(struct mutex *mutex) __no_lock_analysis
{
	struct patience patience;

	might_sleep();
	/* Take a free mutex without reading the clock. */
	if (likely(mutex_trylock(mutex)))
		return;
	patience_start(&patience, MUTEX_REPORT_NS);
	if (mutex_lock_patience(mutex, &patience) == 0)
		return;
	pr_warn("mutex %s: thread %s waits since %llu s, thread %s holds it", mutex->name,
		thread_name(current_thread()), MUTEX_REPORT_NS / NSEC_PER_SEC,
		thread_name(READ_ONCE(mutex->owner)));
	while (mutex_lock_until(mutex, WAIT_FOREVER) != 0)
		;
}

void mutex_unlock(struct mutex *mutex) __no_lock_analysis
{
	assert_mutex_held(mutex);
	forget(current_thread(), mutex);
	STORE_RELEASE(mutex->owner, NULL);
	/* Pairs with the fence in wait_prepare(): one of the two sees the other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (has_waiters(&mutex->waiters))
		wake_up_one(&mutex->waiters);
}
