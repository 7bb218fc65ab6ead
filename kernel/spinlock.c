/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spinlocks: the paths of contended and of checked locks, and the reports.
 *
 * A waiter doubles its back-off up to a bound. The back-off leaves CPU time to the holder
 * when harts outnumber the host's cores; the bound keeps the waiter from starving.
 */
#include "kernel/lock_order.h"
#include "kernel/panic.h"
#include "kernel/patience.h"
#include "kernel/spinlock.h"
#include "kernel/thread.h"

#define BACKOFF_MAX 64 /* relax hints between two reads of the lock */

static const char *holder_name(u32 owner)
{
	const struct hart *hart = hart_by_id((owner & ~SPIN_CHECKED) - 1);

	return thread_name(hart != NULL ? READ_ONCE(hart->current) : NULL);
}

static void spin_backoff(unsigned int *pause)
{
	for (unsigned int i = 0; i < *pause; i++)
		arch_cpu_relax();
	if (*pause < BACKOFF_MAX)
		*pause *= 2;
}

/*
 * Take the lock if @free, the value of its word, says that it is free. A checked lock stays
 * checked unless the checker is off.
 */
static bool take_free(spinlock_t *lock, u32 free)
{
	const u32 checked = lock_order_on ? free & SPIN_CHECKED : 0;

	return (free & ~SPIN_CHECKED) == 0 &&
	       spin_take(lock, free, (this_hart()->id + 1) | checked);
}

bool spin_trylock(spinlock_t *lock)
{
	const u32 free = READ_ONCE(lock->owner);

	if (!take_free(lock, free))
		return false;
	if (free & SPIN_CHECKED)
		lock_order_acquire(&lock->class, lock->name, LOCK_TRIED,
				   __builtin_return_address(0));
	return true;
}

static void spin_until_taken(spinlock_t *lock)
{
	struct patience patience;
	unsigned int pause = 1;
	u32 owner;

	patience_start(&patience, SPIN_LIMIT_NS);
	for (;;) {
		owner = READ_ONCE(lock->owner);
		if (take_free(lock, owner))
			return;
		spin_backoff(&pause);
		if (unlikely(!patience_lasts(&patience)) && !panic_in_progress())
			break;
	}
	panic("spinlock %s: held for %llu s by hart %u, thread %s", lock->name,
	      SPIN_LIMIT_NS / NSEC_PER_SEC, (owner & ~SPIN_CHECKED) - 1,
	      holder_name(owner));
}

void spin_lock_slow(spinlock_t *lock) __no_lock_analysis
{
	if (spin_is_held(lock))
		panic("spinlock %s: hart %u already holds it", lock->name, this_hart()->id);
	/* Check the order before the wait, so that the log names the places of a deadlock. */
	if (READ_ONCE(lock->owner) & SPIN_CHECKED)
		lock_order_acquire(&lock->class, lock->name, 0,
				   __builtin_return_address(0));
	if (!take_free(lock, READ_ONCE(lock->owner)))
		spin_until_taken(lock);
}

static void __noreturn spin_unlock_stranger(const spinlock_t *lock)
{
	const u32 owner = READ_ONCE(lock->owner) & ~SPIN_CHECKED;

	if (owner == 0)
		panic("spinlock %s: hart %u unlocks it, but it is not locked", lock->name,
		      this_hart()->id);
	panic("spinlock %s: hart %u unlocks it, but hart %u holds it, thread %s",
	      lock->name, this_hart()->id, owner - 1, holder_name(owner));
}

void spin_unlock_slow(spinlock_t *lock) __no_lock_analysis
{
	if (!spin_is_held(lock))
		spin_unlock_stranger(lock);
	lock_order_release(READ_ONCE(lock->class));
	this_hart()->spin_depth--;
	STORE_RELEASE(lock->owner, lock_order_on ? SPIN_CHECKED : 0);
}

void spin_not_held(const spinlock_t *lock)
{
	panic("spinlock %s: not held by hart %u, thread %s", lock->name, this_hart()->id,
	      thread_name(current_thread()));
}
