/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_WORKQUEUE_H
#define _KERNEL_WORKQUEUE_H

/*
 * Deferred work in thread context, for interrupt handlers above all. One worker
 * thread takes the works in the order in which they were scheduled; work that
 * waits long belongs into a thread of its own.
 */
#include "lib/compiler.h"
#include "lib/list.h"
#include "lib/types.h"

/**
 * struct work - something to do soon
 * @fn: called in the worker thread, may sleep; a work may schedule itself again
 *	and may free itself
 * @link: in the queue when pending
 */
struct work {
	void (*fn)(struct work *work);
	struct list_head link;
};

/**
 * work_init() - make a work that is not scheduled
 * @work: the work
 * @fn: see struct work
 */
void work_init(struct work *work, void (*fn)(struct work *work));

/**
 * schedule_work() - run a work once, soon
 * @work: may be running right now, then it runs once more
 *
 * Context: any, interrupt handlers too.
 * Return: false if it was pending already, and nothing changed.
 */
bool schedule_work(struct work *work);

/**
 * cancel_work_sync() - a work does not run, and will not, unless scheduled anew
 * @work: the work; must not be the caller's own
 *
 * Waits while it runs, for WORK_WAIT_NS at most, then warns and names it.
 *
 * Context: thread, no spinlock held.
 * Return: true if it was pending.
 */
bool cancel_work_sync(struct work *work);

/**
 * workqueue_start() - start the worker thread
 *
 * Works that were scheduled earlier have waited for it.
 *
 * Context: boot, threads exist.
 */
void workqueue_start(void);

#define WORK_WAIT_NS (60 * NSEC_PER_SEC)

#endif
