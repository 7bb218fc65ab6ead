/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_IRQ_H
#define _ARCH_IRQ_H

/*
 * Interrupts from devices, from the timer, and from other harts. Handlers run with
 * interrupts masked, on the stack of the thread that they interrupt; they do not
 * allocate, free or sleep.
 */
#include "lib/types.h"

/**
 * irq_request() - call a function for a device's interrupts
 * @irq: PLIC source, as machine_info names it
 * @fn: the handler; it must make the device lower its line
 * @arg: the argument of @fn
 *
 * Sources may be shared (PCI INTx): every handler of a source is called. The source is
 * enabled, and served by logical hart 0. Thread context or boot.
 *
 * Return: 0, -EINVAL (no such source), -ENOSPC (the table of handlers is full).
 */
int irq_request(u32 irq, void (*fn)(void *arg), void *arg);

/**
 * irq_free() - undo irq_request()
 * @irq: the source
 * @arg: as given to irq_request()
 *
 * When it returns, the handler does not run on this hart and will not run here again. Call
 * synchronize_harts() afterwards to wait for the other harts.
 */
void irq_free(u32 irq, void *arg);

/**
 * arch_timer_set() - set the next timer interrupt of this hart
 * @deadline_ns: time of arch_clock_ns(); a time in the past: at once; ~0: never
 */
void arch_timer_set(u64 deadline_ns);

/**
 * arch_send_ipi() - interrupt harts
 * @harts: a bit for each logical id
 *
 * Any context, never waits. Harts that are not online are left out.
 */
void arch_send_ipi(unsigned long harts);

#endif
