/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock, which all harts share, and each hart's one-shot timer.
 * Spec: SBI 2.0 chapter 6; Unprivileged Architecture, Zicntr.
 */
#include "arch/irq.h"
#include "lib/time.h"

#include "arch.h"
#include "csr.h"
#include "sbi.h"

/* Nanoseconds per tick and ticks per nanosecond, with 32 fraction bits. */
static u64 ns_per_tick, ticks_per_ns;

/* Set ns_per_tick before the first arch_clock_ns(). */
void clock_init(void)
{
	const u64 hz = machine_info()->timebase_hz;

	ns_per_tick = (NSEC_PER_SEC << 32) / hz;
	/* (hz << 32) / NSEC_PER_SEC in 64 bits: dividing 128 bits would take 1 KiB of libgcc. */
	ticks_per_ns = (hz / NSEC_PER_SEC << 32) + (hz % NSEC_PER_SEC << 32) / NSEC_PER_SEC;
}

static u64 scale(u64 value, u64 factor)
{
	return (u64)(((unsigned __int128)value * factor) >> 32);
}

u64 arch_clock_ns(void)
{
	return scale(arch_time(), ns_per_tick);
}

void arch_timer_set(u64 deadline_ns)
{
	u64 ticks = ~0ULL;

	/* Round up: a timer that fires early would only be set again. */
	if (deadline_ns != ~0ULL)
		ticks = scale(deadline_ns, ticks_per_ns) + 1;
	sbi_call(SBI_TIME, 0, SBI_ARGS(ticks));
}
