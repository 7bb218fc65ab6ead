/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler: cooperative, with one run queue for all harts, first come first
 * served. A thread runs on the hart that took it from the queue until it gives
 * up the hart.
 *
 * A hart holds sched_lock across the switch, so that no other hart can take a thread before
 * its registers are saved. The thread that continues releases the lock; it may do so because a
 * hart, not a thread, owns a spinlock, and the switch stays on its hart.
 */
#include "arch/boot.h"
#include "kernel/panic.h"
#include "kernel/quiesce.h"
#include "kernel/sched.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

DEFINE_SPINLOCK(sched_lock);

static __guarded_by(sched_lock) LIST_HEAD(run_queue);
static u32 nr_ready; /* entries of run_queue; read without the lock as a hint */
static struct thread idle_threads[MAX_HARTS];

const char *thread_name(const struct thread *thread)
{
	return thread != NULL ? thread->name : "none";
}

static void __cold must_not_sleep(const struct hart *hart)
{
	const char *const name = thread_name(hart->current);

	if (hart->irq_depth != 0)
		panic("thread %s may sleep in an interrupt handler", name);
	if (hart->spin_depth != 0)
		panic("thread %s may sleep while hart %u holds %u spinlock%s", name, hart->id,
		      hart->spin_depth, str_plural(hart->spin_depth));
	panic("thread %s may sleep with interrupts off", name);
}

void might_sleep(void)
{
	/* A hart boots in its idle thread, with interrupts still off. */
	if (unlikely((this_hart()->irq_depth | this_hart()->spin_depth) != 0) ||
	    unlikely(!arch_irqs_enabled() && !current_thread()->idle))
		must_not_sleep(this_hart());
}

static void enqueue(struct thread *thread) __must_hold(sched_lock)
{
	thread->state = THREAD_READY;
	list_add_tail(&thread->link, &run_queue);
	WRITE_ONCE(nr_ready, nr_ready + 1);
}

static bool may_run(const struct thread *thread, const struct hart *hart)
{
	return thread->affinity == ANY_HART || thread->affinity == hart->id;
}

/* Find the first thread in the queue that may run on @hart; NULL if there is none. */
static struct thread *first_for(const struct hart *hart) __must_hold(sched_lock)
{
	struct thread *thread;

	list_for_each_entry(thread, &run_queue, link)
		if (may_run(thread, hart))
			return thread;
	return NULL;
}

static struct thread *dequeue(const struct hart *hart) __must_hold(sched_lock)
{
	struct thread *thread = first_for(hart);

	if (thread != NULL) {
		list_del(&thread->link);
		WRITE_ONCE(nr_ready, nr_ready - 1);
	}
	return thread;
}

/* Wake one waiting hart that may run @thread, if there is one. */
static void kick_for(const struct thread *thread) __must_hold(sched_lock)
{
	struct hart *hart;

	for_each_hart(hart) {
		if (!READ_ONCE(hart->idling) || !may_run(thread, hart))
			continue;
		/* Mark the hart, so that the next thread kicks another hart. */
		WRITE_ONCE(hart->idling, 0);
		if (hart != this_hart())
			arch_kick_hart(hart->id);
		return;
	}
}

void schedule_locked(void)
{
	struct hart *hart = this_hart();
	struct thread *prev = hart->current;
	struct thread *next = dequeue(hart);

	if (hart->spin_depth != 1)
		panic("thread %s yields hart %u with %u spinlock%s held", prev->name,
		      hart->id, hart->spin_depth - 1, str_plural(hart->spin_depth - 1));
	if (next == NULL)
		next = hart->idle;
	next->state = THREAD_RUNNING;
	if (next == prev)
		return;
	WRITE_ONCE(hart->current, next);
	hart->switches++;
	arch_switch_to(&prev->context, &next->context);
}

void yield(void)
{
	struct thread *self;
	unsigned long flags;

	might_sleep();
	quiescent_point();
	if (READ_ONCE(nr_ready) == 0)
		return;
	flags = spin_lock_irqsave(&sched_lock);
	self = current_thread();
	if (!self->idle)
		enqueue(self);
	schedule_locked();
	spin_unlock_irqrestore(&sched_lock, flags);
	quiescent_point();
}

void cond_resched(void)
{
	quiescent_point();
	if (unlikely(READ_ONCE(nr_ready) != 0))
		yield();
}

void thread_wake_locked(struct thread *thread)
{
	WRITE_ONCE(thread->woken, true);
	if (thread->state == THREAD_BLOCKED) {
		enqueue(thread);
		kick_for(thread);
	}
}

void thread_wake(struct thread *thread)
{
	const unsigned long flags = spin_lock_irqsave(&sched_lock);

	thread_wake_locked(thread);
	spin_unlock_irqrestore(&sched_lock, flags);
}

void thread_timeout(struct timer *timer)
{
	thread_wake(container_of(timer, struct thread, timeout));
}

bool thread_sleep_until(u64 deadline_ns)
{
	const u64 now = ktime_ns();
	struct thread *self = current_thread();
	unsigned long flags;

	might_sleep();
	quiescent_point();
	if (now >= deadline_ns)
		return false;
	if (deadline_ns != WAIT_FOREVER)
		timer_set(&self->timeout, deadline_ns - now);
	if (self->idle) {
		while (!READ_ONCE(self->woken))
			idle_step();
	} else {
		flags = spin_lock_irqsave(&sched_lock);
		if (!READ_ONCE(self->woken)) {
			self->state = THREAD_BLOCKED;
			schedule_locked();
		}
		spin_unlock_irqrestore(&sched_lock, flags);
	}
	if (deadline_ns != WAIT_FOREVER)
		(void)timer_del(&self->timeout);
	quiescent_point();
	return ktime_ns() < deadline_ns;
}

/* Takes no lock: no other hart knows the thread yet. */
void sched_init_hart(void) __no_lock_analysis
{
	struct hart *hart = this_hart();
	struct thread *idle = &idle_threads[hart->id];

	scnprintf(idle->name, sizeof(idle->name), "idle/%u", hart->id);
	idle->state = THREAD_RUNNING;
	idle->affinity = hart->id;
	idle->idle = true;
	timer_init(&idle->timeout, thread_timeout);
	hart->idle = idle;
	hart->current = idle;
}

/*
 * Wait for an interrupt unless there is something to do. The hart sets @idling under
 * sched_lock, under which threads become ready: so either this hart sees a thread, or the
 * waker sees @idling.
 */
static void idle_wait(struct hart *hart)
{
	const unsigned long flags = spin_lock_irqsave(&sched_lock);

	WRITE_ONCE(hart->idling, 1);
	/* Pairs with the fence in on_each_hart(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (first_for(hart) == NULL && !quiesce_pending()) {
		spin_unlock(&sched_lock);
		arch_idle();
		spin_lock(&sched_lock);
	}
	WRITE_ONCE(hart->idling, 0);
	spin_unlock_irqrestore(&sched_lock, flags);
}

void idle_step(void)
{
	struct hart *hart = this_hart();

	idle_wait(hart);
	yield();
}

void idle_loop(void)
{
	arch_irq_enable();
	for (;;)
		idle_step();
}
