/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether this hart takes interrupts, and waiting for one.
 */
#include "arch.h"
#include "csr.h"

unsigned long arch_irq_save(void)
{
	return csr_read_clear(sstatus, SSTATUS_SIE) & SSTATUS_SIE;
}

void arch_irq_restore(unsigned long flags)
{
	csr_set(sstatus, flags & SSTATUS_SIE);
}

bool arch_irqs_enabled(void)
{
	return csr_read(sstatus) & SSTATUS_SIE;
}

void arch_irq_enable(void)
{
	csr_set(sstatus, SSTATUS_SIE);
}

void arch_irq_disable(void)
{
	csr_clear(sstatus, SSTATUS_SIE);
}

/*
 * wfi ends as soon as an enabled interrupt is pending, masked or not: nothing is lost
 * between the caller's look for work and the wait. It is served in between the two
 * instructions behind it.
 */
void arch_idle(void)
{
	__asm__ volatile("wfi" ::: "memory");
	csr_set(sstatus, SSTATUS_SIE);
	csr_clear(sstatus, SSTATUS_SIE);
}

void arch_cpu_relax(void)
{
	/* Zihintpause's pause; a fence without effect on harts that lack it. */
	__asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory");
}

void arch_poison_range(void *va, u64 bytes)
{
	(void)va;
	(void)bytes;
}

void arch_unpoison_range(void *va, u64 bytes)
{
	(void)va;
	(void)bytes;
}
