/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_NOTIFIER_H
#define _KERNEL_NOTIFIER_H

/*
 * Notifier chains with symmetric roll-back: whoever was told that something is
 * going to happen is told exactly once how it ended, and nobody else is. (In
 * Linux a veto sends the cancel event to the whole chain, those who never saw
 * the start included.)
 */
#include "kernel/mutex.h"
#include "lib/compiler.h"
#include "lib/list.h"
#include "lib/types.h"

/**
 * struct notifier_block - a listener
 * @fn: returns 0 or a negative errno; an error of a starting event is a veto
 *	and stops the chain, an error of any other event is warned about
 * @priority: higher ones are called first, equal ones in order of registration
 * @link: in the chain
 * @since: number of the last start before this one was registered
 * @name: who this is, for messages; may be NULL
 */
struct notifier_block {
	int (*fn)(struct notifier_block *nb, unsigned long event, void *data);
	int priority;
	struct list_head link;
	u64 since;
	const char *name;
};

/**
 * struct notifier_chain - listeners, in order
 * @lock: held while listeners are called: a listener may sleep, and must not
 *	register or unregister on the same chain
 * @blocks: struct notifier_block by priority
 * @starts: number of the last start
 */
struct notifier_chain {
	struct mutex lock;
	struct list_head blocks;
	u64 starts;
};

#define NOTIFIER_CHAIN_INIT(var, chain_name)                                             \
	{                                                                                \
		.lock = MUTEX_INIT((var).lock, chain_name),                              \
		.blocks = { &(var).blocks, &(var).blocks }, .starts = 0             \
	}
#define DEFINE_NOTIFIER_CHAIN(var)                                                       \
	struct notifier_chain var = NOTIFIER_CHAIN_INIT(var, #var)

/**
 * notifier_chain_init() - make an empty chain
 * @chain: the chain
 * @name: kept by reference, for reports
 */
void notifier_chain_init(struct notifier_chain *chain, const char *name);

/**
 * notifier_register() - add a listener
 * @chain: the chain
 * @nb: stays the caller's, with @fn and @priority set
 *
 * A listener that comes between a start and its end hears of neither.
 *
 * Context: thread, may sleep.
 * Return: 0; -EEXIST if it is in this chain already.
 */
int notifier_register(struct notifier_chain *chain, struct notifier_block *nb);

/**
 * notifier_unregister() - remove a listener; it is not being called afterwards
 * @chain: the chain
 * @nb: the listener
 *
 * Context: thread, may sleep.
 * Return: 0; -ENOENT if it was not in this chain.
 */
int notifier_unregister(struct notifier_chain *chain, struct notifier_block *nb);

/**
 * notifier_call() - tell everybody, from the highest priority down
 * @chain: the chain
 * @event: the event
 * @data: for the listeners
 *
 * Errors of listeners are warned about and change nothing.
 *
 * Context: thread, may sleep.
 */
void notifier_call(struct notifier_chain *chain, unsigned long event, void *data);

/**
 * struct notifier_start - a start whose end is not told yet
 * @nr: its number on the chain; 0: no end is owed
 * @veto: the listener that refused; NULL if none did
 */
struct notifier_start {
	u64 nr;
	struct notifier_block *veto;
};

/**
 * notifier_call_start() - announce something that listeners may refuse
 * @chain: the chain
 * @event: the starting event, such as MEM_GOING_OFFLINE
 * @cancel: what those who agreed before the veto are told, in reverse order;
 *	the one that refused is not told
 * @data: for the listeners
 * @start: filled; after 0 the caller owes notifier_call_end() with it
 *
 * Several starts may wait for their ends at the same time.
 *
 * Context: thread, may sleep.
 * Return: 0, or what the refusing listener returned.
 */
int __must_check notifier_call_start(struct notifier_chain *chain, unsigned long event,
				     unsigned long cancel, void *data,
				     struct notifier_start *start);

/**
 * notifier_call_end() - tell how it ended, to the listeners that were told the start
 * @chain: the chain
 * @event: the end, such as MEM_OFFLINE or MEM_CANCEL_OFFLINE
 * @data: for the listeners
 * @start: of notifier_call_start(); told now, so a second call does nothing
 *
 * Context: thread, may sleep.
 */
void notifier_call_end(struct notifier_chain *chain, unsigned long event, void *data,
		       struct notifier_start *start);

#endif
