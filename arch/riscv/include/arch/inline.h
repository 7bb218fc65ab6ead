/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_INLINE_H
#define _ARCH_INLINE_H

/* The functions of the machine contract (arch/machine.h) that are too short to be calls. */
#include "lib/types.h"

#define SSTATUS_SIE (1UL << 1)

/* Read the raw `time` counter, in ticks of the timebase. */
static inline u64 arch_time(void)
{
	u64 ticks;

	__asm__ volatile("rdtime %0" : "=r"(ticks) : : "memory");
	return ticks;
}

/*
 * Mask interrupts on this hart, for a few instructions. Unlike arch_irq_save(), no build
 * measures for how long. Return: the state before, for arch_irq_unmask().
 */
static inline unsigned long arch_irq_mask(void)
{
	unsigned long before;

	__asm__ volatile("csrrc %0, sstatus, %1" : "=r"(before) : "rK"(SSTATUS_SIE) : "memory");
	return before & SSTATUS_SIE;
}

/* Restore the state that arch_irq_mask() returned. */
static inline void arch_irq_unmask(unsigned long before)
{
	__asm__ volatile("csrs sstatus, %0" : : "rK"(before) : "memory");
}

#endif
