/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers: a sorted list per hart, and one lock for all lists. A hart's alarm is set to
 * the first entry of its list.
 */
#include "arch/irq.h"
#include "kernel/panic.h"
#include "kernel/patience.h"
#include "kernel/spinlock.h"
#include "kernel/timer.h"
#include "kernel/wait.h"

static DEFINE_SPINLOCK(timer_lock);

/**
 * struct timer_base - one hart's timers
 * @pending: struct timer by time; initialised when the first timer is added
 * @running: the timer that the hart serves now, by running its function; or NULL
 */
static struct timer_base {
	struct list_head pending __guarded_by(timer_lock);
	struct timer *running __guarded_by(timer_lock);
} bases[MAX_HARTS];

u64 ktime_ns(void)
{
	return arch_clock_ns();
}

void timer_init(struct timer *timer, void (*fn)(struct timer *timer))
{
	timer->fn = fn;
	timer->link.next = NULL; /* as list_del() leaves it: not pending */
}

static struct timer *first_of(struct timer_base *base) __must_hold(timer_lock)
{
	if (base->pending.next == NULL)
		INIT_LIST_HEAD(&base->pending);
	return list_first_entry_or_null(&base->pending, struct timer, link);
}

static void insert(struct timer_base *base, struct timer *timer) __must_hold(timer_lock)
{
	struct timer *later;

	(void)first_of(base);
	list_for_each_entry(later, &base->pending, link)
		if (later->expires > timer->expires)
			break;
	list_add_tail(&timer->link, &later->link);
}

static bool remove(struct timer *timer) __must_hold(timer_lock)
{
	if (timer->link.next == NULL)
		return false;
	list_del(&timer->link);
	return true;
}

void timer_set(struct timer *timer, u64 ns_from_now)
{
	const unsigned long flags = spin_lock_irqsave(&timer_lock);
	struct timer_base *base = &bases[this_hart()->id];

	(void)remove(timer);
	timer->expires = ktime_ns() + ns_from_now;
	insert(base, timer);
	if (first_of(base) == timer)
		arch_timer_set(timer->expires);
	spin_unlock_irqrestore(&timer_lock, flags);
}

/* Check whether the timer's function runs on another hart now. */
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
	struct patience patience;
	bool was_pending = false;
	bool busy;

	patience_start(&patience, SPIN_LIMIT_NS);
	do {
		const unsigned long flags = spin_lock_irqsave(&timer_lock);

		was_pending |= remove(timer);
		busy = runs_elsewhere(timer);
		spin_unlock_irqrestore(&timer_lock, flags);
		if (busy)
			arch_cpu_relax();
		if (busy && !patience_lasts(&patience))
			panic("a timer's function has run for %llu s",
			      SPIN_LIMIT_NS / NSEC_PER_SEC);
	} while (busy);
	return was_pending;
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
