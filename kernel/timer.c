/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers: a sorted list per hart, one lock for all of them. The hart's alarm is
 * set to its first entry.
 */
#include "arch/irq.h"
#include "kernel/panic.h"
#include "kernel/spinlock.h"
#include "kernel/timer.h"
#include "kernel/wait.h"

enum timer_state {
	TIMER_IDLE,
	TIMER_PENDING,
};

/**
 * struct timer_base - one hart's timers; under timer_lock
 * @pending: struct timer by time; initialised when the first is added
 * @running: the one whose function runs now
 */
static struct timer_base {
	struct list_head pending;
	struct timer *running;
} bases[MAX_HARTS];

static DEFINE_SPINLOCK(timer_lock);

u64 ktime_ns(void)
{
	return arch_clock_ns();
}

void timer_init(struct timer *timer, void (*fn)(struct timer *timer))
{
	timer->fn = fn;
	timer->expires = 0;
	timer->hart = NULL;
	WRITE_ONCE(timer->state, TIMER_IDLE);
}

static struct timer *first_of(struct timer_base *base) __must_hold(timer_lock)
{
	if (base->pending.next == NULL)
		INIT_LIST_HEAD(&base->pending);
	return list_first_entry_or_null(&base->pending, struct timer, link);
}

static void insert(struct timer_base *base, struct timer *timer) __must_hold(timer_lock)
{
	struct timer *later = first_of(base);

	if (later == NULL) {
		list_add(&timer->link, &base->pending);
		return;
	}
	list_for_each_entry(later, &base->pending, link)
		if (later->expires > timer->expires)
			break;
	list_add_tail(&timer->link, &later->link);
}

static bool remove(struct timer *timer) __must_hold(timer_lock)
{
	if (timer->state != TIMER_PENDING)
		return false;
	list_del(&timer->link);
	WRITE_ONCE(timer->state, TIMER_IDLE);
	return true;
}

void timer_set(struct timer *timer, u64 ns_from_now)
{
	const unsigned long flags = spin_lock_irqsave(&timer_lock);
	struct hart *hart = this_hart();
	struct timer_base *base = &bases[hart->id];

	(void)remove(timer);
	timer->expires = ktime_ns() + ns_from_now;
	timer->hart = hart;
	WRITE_ONCE(timer->state, TIMER_PENDING);
	insert(base, timer);
	if (first_of(base) == timer)
		arch_timer_set(timer->expires);
	spin_unlock_irqrestore(&timer_lock, flags);
}

/* Whether the timer's function runs on another hart now. */
static bool runs_elsewhere(const struct timer *timer) __must_hold(timer_lock)
{
	const struct hart *self = this_hart();

	for (unsigned int i = 0; i < nr_harts(); i++)
		if (bases[i].running == timer && i != self->id)
			return true;
	return false;
}

bool timer_del(struct timer *timer)
{
	const u64 limit = ktime_ns() + SPIN_LIMIT_NS;
	bool was_pending = false;
	bool busy;

	do {
		const unsigned long flags = spin_lock_irqsave(&timer_lock);

		was_pending |= remove(timer);
		busy = runs_elsewhere(timer);
		spin_unlock_irqrestore(&timer_lock, flags);
		if (busy)
			arch_cpu_relax();
		if (busy && ktime_ns() > limit)
			panic("a timer's function runs for %llu s",
			      SPIN_LIMIT_NS / NSEC_PER_SEC);
	} while (busy);
	return was_pending;
}

bool timer_pending(const struct timer *timer)
{
	return READ_ONCE(timer->state) == TIMER_PENDING;
}

u64 timer_next(void)
{
	const unsigned long flags = spin_lock_irqsave(&timer_lock);
	const struct timer *first = first_of(&bases[this_hart()->id]);
	const u64 when = first != NULL ? first->expires : WAIT_FOREVER;

	spin_unlock_irqrestore(&timer_lock, flags);
	return when;
}

void timer_interrupt(void)
{
	struct timer_base *base = &bases[this_hart()->id];
	struct timer *timer;

	spin_lock(&timer_lock);
	while ((timer = first_of(base)) != NULL && timer->expires <= ktime_ns()) {
		(void)remove(timer);
		base->running = timer;
		spin_unlock(&timer_lock);
		timer->fn(timer);
		spin_lock(&timer_lock);
		base->running = NULL;
	}
	arch_timer_set(timer != NULL ? timer->expires : WAIT_FOREVER);
	spin_unlock(&timer_lock);
}
