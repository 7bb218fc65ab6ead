/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_WORKQUEUE_H
#define _KERNEL_WORKQUEUE_H

/*
 * Deferred work in thread context, mainly for interrupt handlers. One worker thread runs
 * the works in the order in which they were scheduled; a work that waits long belongs in
 * its own thread.
 */
#include "lib/list.h"
#include "lib/types.h"

/**
 * struct work - a function to call soon
 * @fn: called in the worker thread, may sleep; it may schedule its work again, and may
 *	free it
 * @link: in the queue when pending
 */
struct work {
	void (*fn)(struct work *work);
	struct list_head link;
};

/**
 * work_init() - initialise a work item, not scheduled yet
 * @work: the work
 * @fn: see struct work
 */
void work_init(struct work *work, void (*fn)(struct work *work));

/**
 * schedule_work() - run a work once, soon
 * @work: the work; if it is running right now, it runs once more
 *
 * Context: any, interrupt handlers too.
 * Return: false if it was already pending, with nothing changed.
 */
bool schedule_work(struct work *work);

/**
 * cancel_work_sync() - unschedule a work and wait until it is not running
 * @work: the work; its own function must not call this
 *
 * Waits while the work runs, for WORK_WAIT_NS at most, then warns and names it.
 *
 * Context: thread, no spinlock held.
 * Return: true if it was pending.
 */
bool cancel_work_sync(struct work *work);

/**
 * workqueue_start() - start the worker thread
 *
 * Works that were scheduled earlier run then.
 *
 * Context: boot, threads exist.
 */
void workqueue_start(void);

#define WORK_WAIT_NS (60 * NSEC_PER_SEC)

#endif
