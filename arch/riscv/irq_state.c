/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Masks interrupts on this hart and waits for them; in debug builds, measures how long
 * they were masked.
 */
#include "kernel/hart.h"
#include "kernel/panic.h"

#include "arch.h"
#include "csr.h"

/*
 * Note that interrupts are off from here on; @by masked them. Waiting for an interrupt does
 * not count.
 */
void irqs_off_begin(const void *by)
{
	this_hart()->irqs_off_by = by;
	this_hart()->irqs_off_since = EBB_DEBUG ? arch_time() : 0;
}

void irqs_off_end(void)
{
	struct hart *hart = this_hart();
	const u64 ticks = arch_time() - hart->irqs_off_since;

	if (hart->irqs_off_since && ticks > hart->irqs_off_longest) {
		hart->irqs_off_longest = ticks;
		hart->irqs_off_longest_by = hart->irqs_off_by;
	}
	hart->irqs_off_since = 0;
}

unsigned long arch_irq_save(void)
{
	const unsigned long on = csr_read_clear(sstatus, SSTATUS_SIE) & SSTATUS_SIE;

	if (on)
		irqs_off_begin(__builtin_return_address(0));
	return on;
}

void arch_irq_restore(unsigned long flags)
{
	if (flags & SSTATUS_SIE)
		irqs_off_end();
	csr_set(sstatus, flags & SSTATUS_SIE);
}

bool arch_irqs_enabled(void)
{
	return csr_read(sstatus) & SSTATUS_SIE;
}

void arch_irq_enable(void)
{
	irqs_off_end();
	csr_set(sstatus, SSTATUS_SIE);
}

void arch_irq_disable(void)
{
	csr_clear(sstatus, SSTATUS_SIE);
}

/*
 * wfi ends as soon as an enabled interrupt is pending, masked or not, so an interrupt that
 * comes after the caller looked for work is not lost. The hart takes the interrupt between the
 * two instructions after wfi.
 */
void arch_idle(void)
{
	irqs_off_end();
	__asm__ volatile("wfi" ::: "memory");
	csr_set(sstatus, SSTATUS_SIE);
	csr_clear(sstatus, SSTATUS_SIE);
	irqs_off_begin(__builtin_return_address(0));
}

void arch_cpu_relax(void)
{
	/* Zihintpause's pause; harts that lack it run it as a fence without effect. */
	__asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory");
}

void arch_poison_range(void *, u64)
{
}

void arch_unpoison_range(void *, u64)
{
}
