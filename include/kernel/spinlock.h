/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_SPINLOCK_H
#define _KERNEL_SPINLOCK_H

/*
 * Spinlocks: unfair test-and-test-and-set with bounded back-off. Fair (FIFO)
 * locks convoy a thousandfold when harts outnumber the host's cores.
 *
 * The lock word is 0 when free, and the holder's logical hart id plus one when
 * taken: so recursion, an unlock by a stranger and sleeping with a lock are
 * caught, and a lock that nobody gives back is reported with its holder.
 *
 * Interrupts stay on for plain spin_lock(): such a lock must never be taken in
 * an interrupt handler. A lock that handlers take is taken with _irqsave
 * everywhere. A hart may not sleep, yield or wait while it holds one.
 */
#include "arch/machine.h"
#include "kernel/hart.h"
#include "lib/compiler.h"
#include "lib/types.h"

/**
 * struct spinlock - see above
 * @owner: 0, or 1 + logical id of the hart that holds it
 * @name: for reports, never NULL
 */
typedef struct __capability("spinlock") spinlock {
	u32 owner;
	const char *name;
} spinlock_t;

#define SPINLOCK_INIT(lock_name) { .owner = 0, .name = (lock_name) }
#define DEFINE_SPINLOCK(var)	 spinlock_t var = SPINLOCK_INIT(#var)

/**
 * spin_lock_init() - make a lock, free
 * @lock: the lock
 * @name: kept by reference, for reports
 */
static inline void spin_lock_init(spinlock_t *lock, const char *name)
{
	lock->owner = 0;
	lock->name = name;
}

/* The ways that are not short: kernel/spinlock.c. */
void spin_lock_contended(spinlock_t *lock) __cold;
void spin_unlock_stranger(spinlock_t *lock) __cold __noreturn;
void spin_not_held(const spinlock_t *lock) __cold __noreturn;

/**
 * spin_is_held() - whether the calling hart holds a lock
 * @lock: the lock
 */
static inline bool spin_is_held(const spinlock_t *lock)
{
	return READ_ONCE(lock->owner) == this_hart()->id + 1;
}

/**
 * assert_spin_held() - panic unless the calling hart holds a lock
 * @lock: the lock
 */
static inline void assert_spin_held(const spinlock_t *lock)
{
	if (unlikely(!spin_is_held(lock)))
		spin_not_held(lock);
}

/**
 * spin_trylock() - take a lock if it is free
 * @lock: the lock; need not be free, must not be the caller's own
 *
 * Context: any in which the lock may be taken; interrupts are left as they are.
 * Return: true if it is the caller's now.
 */
static inline bool spin_trylock(spinlock_t *lock) __no_lock_analysis
{
	struct hart *hart = this_hart();
	u32 free = 0;

	if (!__atomic_compare_exchange_n(&lock->owner, &free, hart->id + 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	hart->spin_depth++;
	return true;
}

/**
 * spin_lock() - take a lock, spinning
 * @lock: the lock
 *
 * Panics on recursion, and when the holder keeps it for SPIN_LIMIT_NS.
 *
 * Context: not in interrupt handlers; interrupts stay on.
 */
static inline void spin_lock(spinlock_t *lock) __acquires(lock) __no_lock_analysis
{
	if (unlikely(!spin_trylock(lock)))
		spin_lock_contended(lock);
}

/**
 * spin_unlock() - give a lock back
 * @lock: held by the calling hart, else panic
 */
static inline void spin_unlock(spinlock_t *lock) __releases(lock) __no_lock_analysis
{
	if (unlikely(!spin_is_held(lock)))
		spin_unlock_stranger(lock);
	this_hart()->spin_depth--;
	STORE_RELEASE(lock->owner, 0);
}

/**
 * spin_lock_irqsave() - take a lock that interrupt handlers take too
 * @lock: the lock
 *
 * Return: what spin_unlock_irqrestore() wants. (Linux's is a macro that fills a
 * variable; a value can't be forgotten.)
 */
static inline unsigned long __must_check spin_lock_irqsave(spinlock_t *lock)
	__acquires(lock) __no_lock_analysis
{
	const unsigned long flags = arch_irq_save();

	spin_lock(lock);
	return flags;
}

/**
 * spin_unlock_irqrestore() - undo spin_lock_irqsave()
 * @lock: held by the calling hart
 * @flags: what spin_lock_irqsave() returned
 */
static inline void spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags)
	__releases(lock) __no_lock_analysis
{
	spin_unlock(lock);
	arch_irq_restore(flags);
}

/*
 * A lock held longer than this is a bug: its holder is named, then panic. The waiter counts
 * as kernel/patience.h says.
 */
#define SPIN_LIMIT_NS (10ULL * 1000 * 1000 * 1000)

#endif
