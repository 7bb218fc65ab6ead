/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_PATIENCE_H
#define _KERNEL_PATIENCE_H

/*
 * Limits of waits for other harts, threads and devices. Such a limit means work that is not
 * done, but the clock also goes on while nobody can work: QEMU stopped by a signal, a frozen
 * container, a debugger. So time counts only as far as the waiter saw it pass: one look at
 * the clock takes off at most a hundredth of the limit. A limit is over when that much time
 * has passed and the waiter has looked a hundred times.
 *
 * What a person asks for ("chmem -w", "hold", msleep()) is real time, and no case for this.
 */
#include "kernel/wait.h"
#include "lib/compiler.h"
#include "lib/types.h"

#define PATIENCE_LOOKS 100

/**
 * struct patience - how much longer a waiter waits
 * @left_ns: time that it still has
 * @step_ns: what one look takes off at most
 * @last_ns: when it looked last
 */
struct patience {
	u64 left_ns;
	u64 step_ns;
	u64 last_ns;
};

/**
 * patience_start() - begin a wait
 * @patience: filled; used by one waiter
 * @limit_ns: how long it is to last; 0: it is over at the first look
 */
void patience_start(struct patience *patience, u64 limit_ns);

/**
 * patience_lasts() - look at the clock
 * @patience: started
 *
 * Context: any. To be asked after the condition was found false.
 * Return: whether the waiter goes on.
 */
bool __must_check patience_lasts(struct patience *patience);

/**
 * patience_next_look() - until when a waiter that sleeps may do so before its next look
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
