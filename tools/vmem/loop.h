/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_LOOP_H
#define _VMEM_LOOP_H

/*
 * The event loop of the program's only thread: file descriptors to watch, and timers.
 */
#include "lib/types.h"

/**
 * struct watch - a file descriptor and what to do when it is ready
 * @fd: the descriptor
 * @events: POLLIN and POLLOUT as wanted; may be changed at any time
 * @fn: called with the events that occurred
 * @owner: for @fn
 */
struct watch {
	int fd;
	short events;
	void (*fn)(struct watch *watch, short events);
	void *owner;
};

/**
 * struct loop_timer - a function to call later
 * @at: loop_now() at which it is due; 0 if it is not running
 * @fn: called once when it is due, after the timer has stopped
 * @owner: for @fn
 */
struct loop_timer {
	u64 at;
	void (*fn)(struct loop_timer *timer);
	void *owner;
};

u64 loop_now(void);
int loop_add(struct watch *watch);
void loop_del(struct watch *watch);
void loop_timer_set(struct loop_timer *timer, u64 ns);
void loop_timer_stop(struct loop_timer *timer);
void loop_stop(int status);
int loop_run(void);

#endif
