/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_LOCK_ORDER_H
#define _KERNEL_LOCK_ORDER_H

/*
 * The lock-order checker. It records the order in which locks are taken, and warns about an
 * order that contradicts an earlier order, even if no thread ever deadlocks. It is on in the
 * image with the tests and with the boot parameter lock_check=1; lock_check=0 turns it off.
 * While off, it costs nothing: see SPIN_CHECKED in kernel/spinlock.h.
 *
 * All locks of one kind and name are one class. An edge "outer -> inner" says that a
 * thread has taken a lock of class inner with a lock of class outer held. Holding a
 * spinlock with interrupts on is an edge to the class LOCK_INTERRUPT, and a lock taken in
 * a handler is an edge from it. An edge that closes a cycle is an inversion. There are no
 * edges between mutexes and spinlocks: code that holds a spinlock never waits for a mutex
 * (might_sleep()), so no such edge could be part of a cycle.
 */
#include "lib/types.h"

#define LOCK_INTERRUPT "(interrupt)"
#define LOCK_MAX_HELD  8 /* locks held at once by a thread and the handler on its hart */

/* The way in which a lock is taken. */
#define LOCK_SLEEPS 1U /* a mutex */
#define LOCK_TRIED  2U /* a trylock: cannot deadlock, but a wait for the next lock can */

/**
 * struct lock_held - a lock that a thread holds or waits for
 * @class: the lock's class
 * @how: LOCK_SLEEPS, LOCK_TRIED
 * @in_handler: an interrupt handler took it
 * @place: return address of the call that took it
 */
struct lock_held {
	u8 class;
	u8 how;
	bool in_handler;
	const void *place;
};

/**
 * struct lock_edge - two classes, and where their order was first seen
 * @outer: class of the lock that was held
 * @inner: class of the lock that was taken then
 * @held_at: where @outer was taken
 * @taken_at: where @inner was taken
 */
struct lock_edge {
	u8 outer;
	u8 inner;
	const void *held_at;
	const void *taken_at;
};

/* The boot parameter; the image with the tests has a definition that says true. */
extern bool lock_check;

/* True from the first instruction to lock_order_boot(), then the value of the parameter. */
extern bool lock_order_on;

/* Obey the boot parameter. Context: boot, after params_parse(). */
void lock_order_boot(void);

/**
 * lock_order_acquire() - note that a checked lock is taken, or is about to be
 * @class: the lock's class; set if it is 0
 * @name: the lock's
 * @how: LOCK_SLEEPS, LOCK_TRIED
 * @place: return address of the call
 *
 * Warns if this contradicts an earlier order.
 */
void lock_order_acquire(u32 *class, const char *name, u32 how, const void *place) __cold;

/**
 * lock_order_release() - note that the calling thread released a lock, or no longer waits for it
 * @class: the lock's
 */
void lock_order_release(u32 class) __cold;

/**
 * lock_order_edge() - get an edge of the graph
 * @nr: number of the edge, from 0, in the order in which edges were found
 *
 * Return: the edge, which never changes; NULL if there are at most @nr edges.
 */
const struct lock_edge *lock_order_edge(u32 nr);

/**
 * lock_order_name() - get the name of a class
 * @class: of an edge
 */
const char *lock_order_name(u32 class);

/**
 * lock_order_format() - write "outer -> inner (held since PLACE, taken at PLACE)"
 * @text: where to
 * @size: bytes of it
 * @edge: the edge
 *
 * Return: length of what was written.
 */
size_t lock_order_format(char *text, size_t size, const struct lock_edge *edge) __cold;

#endif
