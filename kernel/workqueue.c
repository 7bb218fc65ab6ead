/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deferred work: one queue, one worker thread.
 *
 * A work's function may free its work: after the call, only the address is compared, and never
 * followed.
 */
#include "kernel/panic.h"
#include "kernel/patience.h"
#include "kernel/printk.h"
#include "kernel/spinlock.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "kernel/workqueue.h"

static DEFINE_SPINLOCK(work_lock); /* interrupts off; also protects the links */
static __guarded_by(work_lock) LIST_HEAD(queue);
static const struct work *running __guarded_by(work_lock);

static DEFINE_WAIT_QUEUE(work_added);
static DEFINE_WAIT_QUEUE(work_done);

/* Check whether a work is queued: list_del() stores NULL in @link. */
static bool is_pending(const struct work *work) __must_hold(work_lock)
{
	return work->link.next != NULL;
}

void work_init(struct work *work, void (*fn)(struct work *work))
{
	work->fn = fn;
	work->link.next = NULL;
}

bool schedule_work(struct work *work)
{
	const unsigned long flags = spin_lock_irqsave(&work_lock);
	const bool added = !is_pending(work);

	if (added)
		list_add_tail(&work->link, &queue);
	spin_unlock_irqrestore(&work_lock, flags);
	if (added)
		wake_up_one(&work_added);
	return added;
}

static bool is_running(const struct work *work)
{
	const unsigned long flags = spin_lock_irqsave(&work_lock);
	const bool runs = running == work;

	spin_unlock_irqrestore(&work_lock, flags);
	return runs;
}

bool cancel_work_sync(struct work *work)
{
	struct patience patience;
	bool was_set;

	might_sleep();
	patience_start(&patience, WORK_WAIT_NS);
	/* Two rounds: the work may have scheduled itself again while it ran. */
	for (int round = 0; round < 2; round++) {
		const unsigned long flags = spin_lock_irqsave(&work_lock);

		if (round == 0)
			was_set = is_pending(work);
		if (is_pending(work))
			list_del(&work->link);
		spin_unlock_irqrestore(&work_lock, flags);
		if (!wait_event_patience(&work_done, !is_running(work), &patience))
			pr_warn("work at %p has run for %llu s and cannot be cancelled",
				(void *)(uintptr_t)work->fn, WORK_WAIT_NS / NSEC_PER_SEC);
	}
	return was_set;
}

/* Take the next work out of the queue and mark it running; NULL if there is none. */
static struct work *next_work(void)
{
	const unsigned long flags = spin_lock_irqsave(&work_lock);
	struct work *work = list_first_entry_or_null(&queue, struct work, link);

	if (work != NULL)
		list_del(&work->link);
	running = work;
	spin_unlock_irqrestore(&work_lock, flags);
	return work;
}

static void none_runs(void)
{
	const unsigned long flags = spin_lock_irqsave(&work_lock);

	running = NULL;
	spin_unlock_irqrestore(&work_lock, flags);
	wake_up_all(&work_done);
}

static int __noreturn worker(void *)
{
	struct work *work;

	for (;;) {
		wait_event_until(&work_added, (work = next_work()) != NULL, WAIT_FOREVER);
		work->fn(work);
		none_runs();
		cond_resched();
	}
}

void workqueue_start(void)
{
	struct thread *thread = thread_create("kworker", worker, NULL);

	if (thread == NULL)
		panic("no thread for the work queue");
	thread_detach(thread);
}
