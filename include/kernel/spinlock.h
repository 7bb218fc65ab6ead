/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_SPINLOCK_H
#define _KERNEL_SPINLOCK_H

/*
 * Spinlocks: unfair test-and-test-and-set with bounded back-off. Fair (FIFO) locks form
 * convoys and slow down a thousandfold when harts outnumber the host's cores.
 *
 * The lock word is 0 when free, and the holder's logical hart id plus one when
 * taken: so the lock catches recursion, an unlock by another hart and sleeping with a
 * lock held, and names the holder if a lock is not released in time.
 *
 * A lock that the lock-order checker watches (kernel/lock_order.h) has SPIN_CHECKED in
 * its word, both when free and when taken. Then the inline paths below fail, and the slow
 * paths do the work and tell the checker. A new lock has SPIN_CHECKED, and loses it when a
 * hart first takes the lock while the checker is off.
 *
 * Plain spin_lock() leaves interrupts on: an interrupt handler must never take such a
 * lock. If handlers take a lock, all code takes it with _irqsave. A hart must not sleep,
 * yield or wait while it holds a spinlock.
 */
#include "arch/machine.h"
#include "kernel/hart.h"
#include "lib/time.h"
#include "lib/types.h"

/**
 * struct spinlock - a spinlock, see above
 * @owner: 0, or 1 + logical id of the hart that holds it; maybe with SPIN_CHECKED
 * @class: the lock-order checker's number for @name
 * @name: for reports, never NULL
 */
typedef struct __capability("spinlock") spinlock {
	u32 owner;
	u32 class;
	const char *name;
} spinlock_t;

#define SPIN_CHECKED (1U << 31)

#define SPINLOCK_INIT(lock_name) { .owner = SPIN_CHECKED, .name = (lock_name) }
#define DEFINE_SPINLOCK(var)	 spinlock_t var = SPINLOCK_INIT(#var)

/**
 * spin_lock_init() - make a lock, free
 * @lock: the lock
 * @name: kept by reference, for reports
 */
static inline void spin_lock_init(spinlock_t *lock, const char *name)
{
	lock->owner = SPIN_CHECKED;
	lock->class = 0;
	lock->name = name;
}

/* The slow paths, in kernel/spinlock.c. */
void spin_lock_slow(spinlock_t *lock) __cold;
void spin_unlock_slow(spinlock_t *lock) __cold;
void spin_not_held(const spinlock_t *lock) __cold __noreturn;

/**
 * spin_is_held() - check whether the calling hart holds a lock
 * @lock: the lock
 */
static inline bool spin_is_held(const spinlock_t *lock)
{
	return likely(READ_ONCE(lock->owner) == this_hart()->id + 1) ||
	       READ_ONCE(lock->owner) == (SPIN_CHECKED | (this_hart()->id + 1));
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
 * @lock: the lock; the caller must not hold it already
 *
 * Context: any in which the lock may be taken; does not change the interrupt state.
 * Return: true if the caller has it now.
 */
bool spin_trylock(spinlock_t *lock) __no_lock_analysis;

/* Change the lock word from @free to @taken, the value of this hart. */
static inline bool spin_take(spinlock_t *lock, u32 free, u32 taken) __no_lock_analysis
{
	if (!__atomic_compare_exchange_n(&lock->owner, &free, taken, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	this_hart()->spin_depth++;
	return true;
}

/**
 * spin_lock() - take a lock, spinning
 * @lock: the lock
 *
 * Panics on recursion, and if the holder keeps the lock for SPIN_LIMIT_NS. Always inline:
 * the return address of the slow path is the place that the lock-order checker names.
 *
 * Context: not in interrupt handlers; interrupts stay on.
 */
static __always_inline void spin_lock(spinlock_t *lock) __acquires(lock) __no_lock_analysis
{
	if (unlikely(!spin_take(lock, 0, this_hart()->id + 1)))
		spin_lock_slow(lock);
}

/**
 * spin_unlock() - release a lock
 * @lock: held by the calling hart, else panic
 */
static inline void spin_unlock(spinlock_t *lock) __releases(lock) __no_lock_analysis
{
	if (unlikely(READ_ONCE(lock->owner) != this_hart()->id + 1)) {
		spin_unlock_slow(lock);
		return;
	}
	this_hart()->spin_depth--;
	STORE_RELEASE(lock->owner, 0);
}

/**
 * spin_lock_irqsave() - take a lock that interrupt handlers take too
 * @lock: the lock
 *
 * Return: flags for spin_unlock_irqrestore(). (Linux has a macro that fills in a
 * variable; the compiler makes sure that the caller uses a value.)
 */
static __always_inline unsigned long __must_check spin_lock_irqsave(spinlock_t *lock)
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
 * A lock held longer than this is a bug: the waiter names the holder and panics. The
 * waiter counts the time as kernel/patience.h says.
 */
#define SPIN_LIMIT_NS (10 * NSEC_PER_SEC)

#endif
