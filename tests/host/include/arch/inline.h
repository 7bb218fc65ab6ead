/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_INLINE_H
#define _ARCH_INLINE_H

/* On the host, these functions of the machine contract are calls, too. */
#include "arch/machine.h"

/* Nanoseconds: the host's timebase is 1 GHz. */
u64 arch_time(void);

static inline unsigned long arch_irq_mask(void)
{
	return arch_irq_save();
}

static inline void arch_irq_unmask(unsigned long before)
{
	arch_irq_restore(before);
}

#endif
