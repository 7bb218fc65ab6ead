/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_TIMER_H
#define _KERNEL_TIMER_H

/*
 * One-shot timers and the clock. Times are nanoseconds since boot.
 */
#include "lib/list.h"
#include "lib/time.h"
#include "lib/types.h"

/**
 * struct timer - a function to call later
 * @fn: called on the hart that set the timer, in interrupt context: it neither
 *	sleeps nor allocates nor frees; it may set the timer again
 * @expires: absolute, ns
 * @link: in that hart's list while the timer is pending
 */
struct timer {
	void (*fn)(struct timer *timer);
	u64 expires;
	struct list_head link;
};

/**
 * timer_init() - make a timer that is not set
 * @timer: the timer
 * @fn: see struct timer
 */
void timer_init(struct timer *timer, void (*fn)(struct timer *timer));

/**
 * timer_set() - run @timer's function once, later; replaces an earlier setting
 * @timer: the timer
 * @ns_from_now: 0 means as soon as interrupts are on
 *
 * Context: any.
 */
void timer_set(struct timer *timer, u64 ns_from_now);

/**
 * timer_del() - unset a timer, and wait until no hart runs its function
 * @timer: the timer
 *
 * Context: any but the timer's own function; interrupts on, unless the timer
 * was set on this hart.
 * Return: true if it was pending.
 */
bool timer_del(struct timer *timer);

/**
 * timer_interrupt() - run the timers due on this hart and set the next alarm
 *
 * Context: the machine's timer interrupt, interrupts off.
 */
void timer_interrupt(void);

/**
 * ktime_ns() - get the nanoseconds since boot, monotonic, the same on all harts
 */
u64 ktime_ns(void);

/**
 * msleep() - sleep for a while
 * @ms: at least this many milliseconds
 *
 * Context: thread, no spinlock held.
 */
void msleep(unsigned int ms);

#endif
