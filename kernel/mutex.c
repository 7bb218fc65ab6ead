/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mutexes. They are not fair: another thread may take a free mutex before the woken waiter
 * runs, and the waiter then waits again.
 *
 * A thread's mutexes are a list, the last taken first. Only the holder touches the list
 * and a mutex's @outer.
 */
#include "kernel/lock_order.h"
#include "kernel/mutex.h"
#include "kernel/panic.h"
#include "kernel/patience.h"
#include "kernel/printk.h"
#include "kernel/sched.h"
#include "lib/errno.h"

static bool is_checked(const struct thread *owner)
{
	return ((unsigned long)owner & MUTEX_CHECKED) != 0;
}

static struct thread *checked(const struct thread *owner)
{
	return (struct thread *)((unsigned long)owner | MUTEX_CHECKED);
}

/* Return the thread that holds a mutex, or NULL. */
static struct thread *holder(const struct mutex *mutex)
{
	return (struct thread *)((unsigned long)READ_ONCE(mutex->owner) & ~MUTEX_CHECKED);
}

void mutex_init(struct mutex *mutex, const char *name)
{
	mutex->owner = checked(NULL);
	mutex->class = 0;
	mutex->name = name;
	wait_queue_init(&mutex->waiters, name);
}

void __cold mutex_not_held(const struct mutex *mutex)
{
	panic("mutex %s: not held by thread %s", mutex->name, thread_name(current_thread()));
}

/* Take the mutex if its owner word is @free; the new word gets @mark. */
static bool take_free(struct mutex *mutex, struct thread *free, unsigned long mark)
{
	struct thread *self = current_thread();
	struct thread *taken = (struct thread *)((unsigned long)self | mark);

	if (!__atomic_compare_exchange_n(&mutex->owner, &free, taken, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	mutex->outer = self->mutexes;
	self->mutexes = mutex;
	return true;
}

/* Take a free mutex that the lock-order checker does not watch. */
static bool take_plain(struct mutex *mutex)
{
	return take_free(mutex, NULL, 0);
}

/* Take a free mutex; a watched mutex stays watched unless the checker is off. */
static bool take(struct mutex *mutex)
{
	return take_plain(mutex) ||
	       take_free(mutex, checked(NULL), lock_order_on ? MUTEX_CHECKED : 0);
}

static void tell_checker(struct mutex *mutex, unsigned int how, const void *place)
{
	if (is_checked(READ_ONCE(mutex->owner)))
		lock_order_acquire(&mutex->class, mutex->name, LOCK_SLEEPS | how, place);
}

bool mutex_trylock(struct mutex *mutex)
{
	if (!take(mutex))
		return false;
	tell_checker(mutex, LOCK_TRIED, __builtin_return_address(0));
	return true;
}

/* Remove a mutex from the list, nearly always the first: threads release in reverse order. */
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

static void __cold before_wait(struct mutex *mutex, const void *place)
{
	if (mutex_is_held(mutex))
		panic("mutex %s: thread %s already holds it", mutex->name,
		      thread_name(current_thread()));
	tell_checker(mutex, 0, place);
}

static int __noinline take_until(struct mutex *mutex, u64 deadline_ns)
{
	if (wait_event_until(&mutex->waiters, take(mutex), deadline_ns))
		return 0;
	/* If this thread was woken too late, pass the wake-up on to another waiter. */
	if (holder(mutex) == NULL)
		wake_up_one(&mutex->waiters);
	return -ETIMEDOUT;
}

static int __noinline take_patiently(struct mutex *mutex, struct patience *patience)
{
	while (take_until(mutex, patience_next_look(patience)) != 0)
		if (!patience_lasts(patience))
			return -ETIMEDOUT;
	return 0;
}

/*
 * End a wait with @err. If the thread did not get the mutex, make the checker forget the
 * mutex.
 */
static int waited(const struct mutex *mutex, int err)
{
	if (err != 0 && is_checked(READ_ONCE(mutex->owner)))
		lock_order_release(READ_ONCE(mutex->class));
	return err;
}

int mutex_lock_until(struct mutex *mutex, u64 deadline_ns)
{
	might_sleep();
	if (likely(take_plain(mutex)))
		return 0;
	before_wait(mutex, __builtin_return_address(0));
	return waited(mutex, take_until(mutex, deadline_ns));
}

static void __noinline lock_slowly(struct mutex *mutex, const void *place)
{
	struct patience patience;

	before_wait(mutex, place);
	if (take(mutex))
		return;
	patience_start(&patience, MUTEX_REPORT_NS);
	if (take_patiently(mutex, &patience) == 0)
		return;
	pr_warn("mutex %s: thread %s has waited %llu s; thread %s holds it", mutex->name,
		thread_name(current_thread()), MUTEX_REPORT_NS / NSEC_PER_SEC,
		thread_name(holder(mutex)));
	while (take_until(mutex, WAIT_FOREVER) != 0)
		;
}

void mutex_lock(struct mutex *mutex) __no_lock_analysis
{
	might_sleep();
	/* Take a free mutex without reading the clock. */
	if (unlikely(!take_plain(mutex)))
		lock_slowly(mutex, __builtin_return_address(0));
}

void mutex_unlock(struct mutex *mutex) __no_lock_analysis
{
	struct thread *const self = current_thread(), *free = NULL;

	if (unlikely(READ_ONCE(mutex->owner) != self)) {
		assert_mutex_held(mutex);
		lock_order_release(READ_ONCE(mutex->class));
		free = lock_order_on ? checked(NULL) : NULL;
	}
	forget(self, mutex);
	STORE_RELEASE(mutex->owner, free);
	/* Pairs with the fence in wait_prepare(): one of the two sees the other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (has_waiters(&mutex->waiters))
		wake_up_one(&mutex->waiters);
}
