/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Create, end and join threads.
 */
#include "arch/boot.h"
#include "kernel/panic.h"
#include "kernel/patience.h"
#include "kernel/printk.h"
#include "kernel/quiesce.h"
#include "kernel/sched.h"
#include "lib/errno.h"
#include "lib/string.h"

static struct thread threads[MAX_THREADS];

static struct thread *slot_take(void)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);
	struct thread *found = NULL;

	for (unsigned int i = 0; i < MAX_THREADS && found == NULL; i++)
		if (threads[i].state == THREAD_FREE)
			found = &threads[i];
	if (found != NULL) {
		found->state = THREAD_BLOCKED;
		found->detached = false;
		found->joiner = NULL;
	}
	spin_unlock_irqrestore(&sched_lock, flags);
	return found;
}

/* Free the slot of a thread that has ended and runs on no hart. */
static void slot_give_back(struct thread *thread)
{
	void *stack = thread->stack;
	unsigned long flags;

	thread->stack = NULL;
	flags = spin_lock_irqsave(&sched_lock);
	thread->state = THREAD_FREE;
	spin_unlock_irqrestore(&sched_lock, flags);
	stack_put(stack);
}

/* Claim a detached thread that has ended, so that no other thread reaps it; NULL: none. */
static struct thread *claim_dead(void)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);
	struct thread *dead = NULL;

	for (unsigned int i = 0; i < MAX_THREADS && dead == NULL; i++)
		if (threads[i].state == THREAD_EXITED && threads[i].detached)
			dead = &threads[i];
	if (dead != NULL)
		dead->detached = false;
	spin_unlock_irqrestore(&sched_lock, flags);
	return dead;
}

/* Free detached threads that have ended; called when a thread is created or joined. */
static void reap_detached(void)
{
	struct thread *dead;

	while ((dead = claim_dead()) != NULL)
		slot_give_back(dead);
}

static void thread_start(void *arg) __no_lock_analysis
{
	struct thread *self = arg;

	/* The thread that gave up the hart took the lock. */
	spin_unlock(&sched_lock);
	arch_irq_enable();
	quiescent_point();
	thread_exit(self->fn(self->arg));
}

void thread_exit(int result)
{
	struct thread *self = current_thread();

	might_sleep();
	quiescent_point();
	self->result = result;
	(void)arch_irq_save();
	spin_lock(&sched_lock);
	self->state = THREAD_EXITED;
	if (self->joiner != NULL)
		thread_wake_locked(self->joiner);
	/*
	 * A reader of the state takes the lock, which is released only after this stack is out
	 * of use.
	 */
	schedule_locked();
	panic("thread %s continued after its end", self->name);
}

static struct ratelimit_state log; /* a device may add a port again and again */

struct thread *thread_create_on(unsigned int hart, const char *name, int (*fn)(void *arg),
				void *arg)
{
	struct thread *thread;
	const struct hart *wanted = hart_by_id(hart);

	might_sleep();
	reap_detached();
	if (hart != ANY_HART && (wanted == NULL || !hart_is_online(wanted)))
		return NULL;
	thread = slot_take();
	if (thread == NULL) {
		pr_err_ratelimited(&log, "thread %s: too many threads (%u)", name,
				   MAX_THREADS);
		return NULL;
	}
	thread->stack = stack_get();
	if (thread->stack == NULL) {
		pr_err_ratelimited(&log, "thread %s: no memory for its stack", name);
		slot_give_back(thread);
		return NULL;
	}
	(void)strscpy(thread->name, name, sizeof(thread->name));
	thread->affinity = hart;
	thread->woken = false;
	thread->held_ns = 0;
	thread->mutexes = NULL;
	thread->nr_held = 0;
	thread->interrupter = NULL;
	thread->fn = fn;
	thread->arg = arg;
	timer_init(&thread->timeout, thread_timeout);
	arch_context_init(&thread->context, thread->stack, thread_start, thread);
	thread_wake(thread);
	return thread;
}

u64 *thread_held_ns(void)
{
	return &current_thread()->held_ns;
}

struct thread *thread_create(const char *name, int (*fn)(void *arg), void *arg)
{
	return thread_create_on(ANY_HART, name, fn, arg);
}

/* Check whether @thread has ended and left its stack. If not, register @joiner to be woken. */
static bool join_or_register(struct thread *thread, struct thread *joiner)
{
	const unsigned long flags = spin_lock_irqsave(&sched_lock);
	const bool exited = thread->state == THREAD_EXITED;

	thread->joiner = exited ? NULL : joiner;
	spin_unlock_irqrestore(&sched_lock, flags);
	return exited;
}

int thread_join(struct thread *thread, u64 deadline_ns, int *result)
{
	struct thread *self = current_thread();
	const u64 now = ktime_ns();
	struct patience patience;
	bool in_time = true;

	might_sleep();
	patience_start(&patience, max(deadline_ns, now) - now);
	for (;;) {
		WRITE_ONCE(self->woken, false);
		if (join_or_register(thread, self))
			break;
		if (!in_time) {
			(void)join_or_register(thread, NULL);
			return -ETIMEDOUT;
		}
		in_time = thread_sleep_until(patience_next_look(&patience)) ||
			  patience_lasts(&patience);
	}
	if (result != NULL)
		*result = thread->result;
	slot_give_back(thread);
	return 0;
}

void thread_detach(struct thread *thread)
{
	const unsigned long flags = spin_lock_irqsave(&sched_lock);

	thread->detached = true;
	spin_unlock_irqrestore(&sched_lock, flags);
}
