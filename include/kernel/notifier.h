/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_NOTIFIER_H
#define _KERNEL_NOTIFIER_H

/*
 * Notifier chains with symmetric roll-back: each listener that hears a start also hears its
 * end, exactly once, and no other listener hears it. (In Linux a veto sends the cancel event
 * to the whole chain, even to listeners that never saw the start.)
 */
#include "kernel/mutex.h"
#include "lib/list.h"
#include "lib/types.h"

/**
 * struct notifier_block - a listener
 * @fn: returns 0 or a negative errno; for a starting event an error is a veto and stops
 *	the chain, for any other event it causes a warning
 * @priority: the chain calls listeners of higher priority first, equal ones in order of
 *	registration
 * @link: in the chain
 * @since: number of the last start before the listener was registered
 * @name: of the listener, for messages; may be NULL
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
 *
 * Lock keys:
 *   (l) @lock
 */
struct notifier_chain {
	struct mutex lock;
	struct list_head blocks;	/* (l) */
	u64 starts;			/* (l) */
};

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
 * A listener that registers between a start and its end hears neither.
 *
 * Context: thread, may sleep.
 * Return: 0; -EEXIST if it is in this chain already.
 */
int notifier_register(struct notifier_chain *chain, struct notifier_block *nb);

/**
 * notifier_unregister() - remove a listener; after the return no call of the listener runs
 * @chain: the chain
 * @nb: the listener
 *
 * Context: thread, may sleep.
 * Return: 0; -ENOENT if it was not in this chain.
 */
int notifier_unregister(struct notifier_chain *chain, struct notifier_block *nb);

/**
 * struct notifier_start - a start that still owes its end
 * @nr: its number on the chain; 0: it owes no end
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
 * @cancel: event for the listeners that agreed before the veto, in reverse order; the
 *	listener that refused does not get it
 * @data: for the listeners
 * @start: filled in; after 0 the caller must call notifier_call_end() with it
 *
 * Several starts may wait for their ends at the same time.
 *
 * Context: thread, may sleep.
 * Return: 0; or the refusing listener's error.
 */
int __must_check notifier_call_start(struct notifier_chain *chain, unsigned long event,
				     unsigned long cancel, void *data,
				     struct notifier_start *start);

/**
 * notifier_call_end() - announce a start's end to the listeners that heard the start
 * @chain: the chain
 * @event: the end, such as MEM_OFFLINE or MEM_CANCEL_OFFLINE
 * @data: for the listeners
 * @start: from notifier_call_start(); cleared, so a second call tells no listener
 *
 * Context: thread, may sleep.
 */
void notifier_call_end(struct notifier_chain *chain, unsigned long event, void *data,
		       struct notifier_start *start);

#endif
