/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_PATIENCE_H
#define _KERNEL_PATIENCE_H

/*
 * Limits of waits for other harts, threads and devices. Reaching such a limit should mean
 * that the other side did not do its work, but the clock also runs while neither side can
 * work: QEMU stopped by a signal, a frozen container, a debugger. So a limit counts
 * only time that the waiter has observed: each look at the clock uses up at most a
 * hundredth of the limit. A limit is over when its time has passed and the waiter has
 * looked a hundred times.
 *
 * Times that the user sets ("chmem -w", "hold", msleep()) are real time and do not use
 * this.
 */
#include "kernel/wait.h"
#include "lib/types.h"

#define PATIENCE_LOOKS 100

/**
 * struct patience - the time that a waiter still waits
 * @left_ns: time that the waiter still has
 * @step_ns: the most that one look takes off
 * @last_ns: time of the last look
 */
struct patience {
	u64 left_ns;
	u64 step_ns;
	u64 last_ns;
};

/**
 * patience_start() - begin a wait
 * @patience: filled in; for one waiter
 * @limit_ns: how long it lasts; 0: it is over at the first look
 */
void patience_start(struct patience *patience, u64 limit_ns);

/**
 * patience_lasts() - look at the clock
 * @patience: started
 *
 * Call it after finding the condition false.
 * Context: any.
 * Return: true if the wait may go on.
 */
bool __must_check patience_lasts(struct patience *patience);

/**
 * patience_next_look() - get the time by which a sleeping waiter must look again
 * @patience: started
 *
 * Return: a deadline on the clock of ktime_ns().
 */
u64 patience_next_look(const struct patience *patience);

/*
 * wait_event_patience(struct wait_queue *queue, expression cond, struct patience *limit): as
 * wait_event_until(), for as long as @limit lasts.
 */
#define wait_event_patience(queue, cond, limit)                                  \
	({                                                                       \
		struct patience *const _patience = (limit);                      \
		bool _true;                                                      \
		do                                                               \
			_true = wait_event_until(queue, cond,                    \
						 patience_next_look(_patience)); \
		while (!_true && patience_lasts(_patience));                     \
		_true;                                                           \
	})

#endif
