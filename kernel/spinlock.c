/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spinlocks: the contended path and the reports.
 *
 * A waiter doubles its back-off up to a bound. The back-off leaves CPU time to the holder
 * when harts outnumber the host's cores; the bound keeps the waiter from starving.
 */
#include "kernel/panic.h"
#include "kernel/patience.h"
#include "kernel/spinlock.h"
#include "kernel/thread.h"

#define BACKOFF_MAX 64 /* relax hints between two looks */

static const char *holder_name(u32 owner)
{
	const struct hart *hart = hart_by_id(owner - 1);

	return thread_name(hart != NULL ? READ_ONCE(hart->current) : NULL);
}

static void spin_backoff(unsigned int *pause)
{
	for (unsigned int i = 0; i < *pause; i++)
		arch_cpu_relax();
	if (*pause < BACKOFF_MAX)
		*pause *= 2;
}

void spin_lock_contended(spinlock_t *lock) __no_lock_analysis
{
	struct patience patience;
	unsigned int pause = 1;
	u32 owner;

	if (spin_is_held(lock))
		panic("spinlock %s: hart %u takes it twice", lock->name, this_hart()->id);
	patience_start(&patience, SPIN_LIMIT_NS);
	for (;;) {
		owner = READ_ONCE(lock->owner);
		if (owner == 0 && spin_trylock(lock))
			return;
		spin_backoff(&pause);
		if (unlikely(!patience_lasts(&patience)) && !panic_in_progress())
			break;
	}
	panic("spinlock %s: held for %llu s by hart %u, thread %s", lock->name,
	      SPIN_LIMIT_NS / 1000000000, owner - 1, holder_name(owner));
}

void spin_unlock_stranger(spinlock_t *lock)
{
	const u32 owner = READ_ONCE(lock->owner);

	if (owner == 0)
		panic("spinlock %s: hart %u gives it back, but it is free", lock->name,
		      this_hart()->id);
	panic("spinlock %s: hart %u gives it back, but hart %u holds it, thread %s",
	      lock->name, this_hart()->id, owner - 1, holder_name(owner));
}

void spin_not_held(const spinlock_t *lock)
{
	panic("spinlock %s: not held by hart %u, thread %s", lock->name, this_hart()->id,
	      thread_name(current_thread()));
}
