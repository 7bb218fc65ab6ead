/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deferred work: one queue, one worker thread.
 *
 * A work's function may free its work: after the call only its address is
 * compared, never followed.
 */
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "kernel/spinlock.h"
#include "kernel/thread.h"
#include "kernel/wait.h"
#include "kernel/workqueue.h"
#include "lib/errno.h"

enum work_state {
	WORK_IDLE,
	WORK_DELAYED, /* its timer is set */
	WORK_PENDING, /* in the queue */
};

static DEFINE_SPINLOCK(work_lock); /* with interrupts off; all of the below, and states */
static LIST_HEAD(queue);
static const struct work *running;

static DEFINE_WAIT_QUEUE(work_added);
static DEFINE_WAIT_QUEUE(work_done);

static void enqueue(struct work *work) __must_hold(work_lock)
{
	work->state = WORK_PENDING;
	list_add_tail(&work->link, &queue);
}

static void delay_over(struct timer *timer)
{
	struct work *work = container_of(timer, struct work, timer);
	const unsigned long flags = spin_lock_irqsave(&work_lock);

	if (work->state == WORK_DELAYED)
		enqueue(work);
	spin_unlock_irqrestore(&work_lock, flags);
	wake_up_one(&work_added);
}

void work_init(struct work *work, void (*fn)(struct work *work))
{
	work->fn = fn;
	work->state = WORK_IDLE;
	timer_init(&work->timer, delay_over);
}

bool schedule_work(struct work *work)
{
	const unsigned long flags = spin_lock_irqsave(&work_lock);
	const bool added = work->state != WORK_PENDING;

	/* A delay that still runs finds the work pending and does nothing. */
	if (added)
		enqueue(work);
	spin_unlock_irqrestore(&work_lock, flags);
	if (added)
		wake_up_one(&work_added);
	return added;
}

bool schedule_delayed_work(struct work *work, u64 delay_ns)
{
	const unsigned long flags = spin_lock_irqsave(&work_lock);
	const bool added = work->state != WORK_PENDING;

	if (added) {
		work->state = WORK_DELAYED;
		timer_set(&work->timer, delay_ns);
	}
	spin_unlock_irqrestore(&work_lock, flags);
	return added;
}

static bool has_work(void)
{
	const unsigned long flags = spin_lock_irqsave(&work_lock);
	const bool any = !list_empty(&queue);

	spin_unlock_irqrestore(&work_lock, flags);
	return any;
}

static bool is_running(const struct work *work)
{
	const unsigned long flags = spin_lock_irqsave(&work_lock);
	const bool runs = running == work;

	spin_unlock_irqrestore(&work_lock, flags);
	return runs;
}

static bool is_busy(const struct work *work)
{
	const unsigned long flags = spin_lock_irqsave(&work_lock);
	const bool busy = running == work || work->state != WORK_IDLE;

	spin_unlock_irqrestore(&work_lock, flags);
	return busy;
}

bool cancel_work_sync(struct work *work)
{
	const u64 deadline = ktime_ns() + WORK_WAIT_NS;
	unsigned long flags;
	bool was_set;

	might_sleep();
	/* Twice: the work may have scheduled itself anew while it ran. */
	for (int round = 0; round < 2; round++) {
		const bool timer_was_set = timer_del(&work->timer);

		flags = spin_lock_irqsave(&work_lock);
		if (work->state == WORK_PENDING)
			list_del(&work->link);
		if (round == 0)
			was_set = timer_was_set || work->state == WORK_PENDING;
		work->state = WORK_IDLE;
		spin_unlock_irqrestore(&work_lock, flags);
		if (!wait_event_until(&work_done, !is_running(work), deadline))
			pr_warn("work at %p runs for %llu s, nobody can cancel it",
				(void *)(uintptr_t)work->fn, WORK_WAIT_NS / NSEC_PER_SEC);
	}
	return was_set;
}

int flush_work(struct work *work)
{
	might_sleep();
	if (wait_event_until(&work_done, !is_busy(work), ktime_ns() + WORK_WAIT_NS))
		return 0;
	return -ETIMEDOUT;
}

/* The next work out of the queue, as the running one; NULL if there is none. */
static struct work *next_work(void)
{
	const unsigned long flags = spin_lock_irqsave(&work_lock);
	struct work *work = list_first_entry_or_null(&queue, struct work, link);

	if (work != NULL) {
		list_del(&work->link);
		work->state = WORK_IDLE;
	}
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

static int worker(void *unused) __noreturn;

static int worker(void *unused)
{
	struct work *work;

	(void)unused;
	for (;;) {
		wait_event_until(&work_added, has_work(), WAIT_FOREVER);
		while ((work = next_work()) != NULL) {
			work->fn(work);
			none_runs();
			cond_resched();
		}
	}
}

void workqueue_start(void)
{
	struct thread *thread = thread_create("kworker", worker, NULL);

	if (thread == NULL)
		panic("no thread for the work queue");
	thread_detach(thread);
}
