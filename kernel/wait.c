/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wait queues. A waiter is taken out of the queue under the queue's lock, by the waker or by
 * itself: so no other thread touches the waiter's stack after wait_finish().
 *
 * Lock order: queue->lock, then sched_lock.
 */
#include "kernel/sched.h"
#include "kernel/wait.h"

void wait_queue_init(struct wait_queue *queue, const char *name)
{
	spin_lock_init(&queue->lock, name);
	INIT_LIST_HEAD(&queue->waiters);
	queue->nr_waiters = 0;
}

static void unlink(struct wait_queue *queue, struct waiter *waiter)
	__must_hold(queue->lock)
{
	list_del_init(&waiter->link);
	WRITE_ONCE(queue->nr_waiters, queue->nr_waiters - 1);
}

static void wake_first(struct wait_queue *queue) __must_hold(queue->lock)
{
	struct waiter *waiter = list_first_entry(&queue->waiters, struct waiter, link);

	unlink(queue, waiter);
	thread_wake(waiter->thread);
}

void wake_up_all(struct wait_queue *queue)
{
	const unsigned long flags = spin_lock_irqsave(&queue->lock);

	while (!list_empty(&queue->waiters))
		wake_first(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
}

void wake_up_one(struct wait_queue *queue)
{
	const unsigned long flags = spin_lock_irqsave(&queue->lock);

	if (!list_empty(&queue->waiters))
		wake_first(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
}

void wait_prepare(struct wait_queue *queue, struct waiter *waiter)
{
	unsigned long flags;

	might_sleep();
	waiter->thread = current_thread();
	WRITE_ONCE(waiter->thread->woken, false);
	flags = spin_lock_irqsave(&queue->lock);
	list_add_tail(&waiter->link, &queue->waiters);
	WRITE_ONCE(queue->nr_waiters, queue->nr_waiters + 1);
	spin_unlock_irqrestore(&queue->lock, flags);
	/*
	 * Register before checking the condition. Pairs with the fence of a thread that
	 * changes the condition and then looks for waiters without the lock.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool wait_sleep(struct waiter *, u64 deadline_ns)
{
	return thread_sleep_until(deadline_ns);
}

void wait_finish(struct wait_queue *queue, struct waiter *waiter)
{
	const unsigned long flags = spin_lock_irqsave(&queue->lock);

	if (!list_empty(&waiter->link))
		unlink(queue, waiter);
	spin_unlock_irqrestore(&queue->lock, flags);
}

void msleep(unsigned int ms)
{
	const u64 deadline = ktime_ns() + ms * NSEC_PER_MSEC;

	do {
		WRITE_ONCE(current_thread()->woken, false);
	} while (thread_sleep_until(deadline));
}
