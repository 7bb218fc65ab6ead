/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device interrupts through the PLIC.
 *
 * Only logical hart 0 enables sources. PCI functions share lines, so each source has a
 * chain of handlers, and an interrupt calls all of them.
 * Spec: RISC-V Platform-Level Interrupt Controller 1.0.0.
 */
#define pr_fmt(fmt) "irq: " fmt

#include "arch/io.h"
#include "arch/irq.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "kernel/spinlock.h"
#include "lib/errno.h"

#include "arch.h"
#include "csr.h"

#define PLIC_MAX_IRQS	 1024
#define PLIC_PRIORITY(i) (4UL * (i))
#define PLIC_ENABLE(c)	 (0x2000 + 0x80UL * (c))
#define PLIC_THRESHOLD	 0
#define PLIC_CLAIM	 4

#define MAX_HANDLERS 64
/*
 * The most interrupts served in one trap, so that a line that stays raised cannot occupy the
 * hart.
 */
#define MAX_CLAIMS 64

struct irq_handler {
	void (*fn)(void *arg);
	void *arg;
	u32 irq; /* 0: this entry is free */
	u8 next; /* index + 1 of the source's next handler; 0: none */
};

static struct irq_handler handlers[MAX_HANDLERS];
static u8 first_handler[PLIC_MAX_IRQS]; /* index + 1 */
static DEFINE_SPINLOCK(irq_lock);
static char *plic;

static void set_enabled(u32 irq, unsigned int context, bool on)
{
	void *reg = plic + PLIC_ENABLE(context) + irq / 32 * 4;
	const u32 bit = 1U << irq % 32;
	const u32 old = readl(reg);

	writel(on ? old | bit : old & ~bit, reg);
}

static bool irq_exists(u32 irq)
{
	const u32 highest = machine_info()->plic_nr_irqs;

	return plic && irq > 0 && irq < PLIC_MAX_IRQS && irq <= highest;
}

static struct irq_handler *free_handler(void)
{
	struct irq_handler *h;

	for (h = handlers; h < handlers + MAX_HANDLERS; h++)
		if (h->irq == 0)
			return h;
	return NULL;
}

int irq_request(u32 irq, void (*fn)(void *arg), void *arg)
{
	struct irq_handler *h;
	unsigned long flags;

	if (!irq_exists(irq))
		return -EINVAL;
	flags = spin_lock_irqsave(&irq_lock);
	h = free_handler();
	if (h) {
		*h = (struct irq_handler){fn, arg, irq, first_handler[irq]};
		/* Release: a reader that finds the handler also sees its fields. */
		__atomic_store_n(&first_handler[irq], h - handlers + 1, __ATOMIC_RELEASE);
		set_enabled(irq, machine_info()->plic_context[0], true);
		writel(1, plic + PLIC_PRIORITY(irq));
	}
	spin_unlock_irqrestore(&irq_lock, flags);
	return h ? 0 : -ENOSPC;
}

void irq_free(u32 irq, void *arg)
{
	unsigned long flags;
	u8 *link;

	if (!irq_exists(irq))
		return;
	flags = spin_lock_irqsave(&irq_lock);
	for (link = &first_handler[irq]; *link != 0; link = &handlers[*link - 1].next) {
		struct irq_handler *h = &handlers[*link - 1];

		if (h->arg != arg)
			continue;
		WRITE_ONCE(*link, h->next);
		h->irq = 0;
		break;
	}
	if (first_handler[irq] == 0)
		set_enabled(irq, machine_info()->plic_context[0], false);
	spin_unlock_irqrestore(&irq_lock, flags);
}

static void call_handlers(u32 irq)
{
	u8 index = irq < PLIC_MAX_IRQS
			   ? __atomic_load_n(&first_handler[irq], __ATOMIC_ACQUIRE)
			   : 0;

	for (; index != 0; index = READ_ONCE(handlers[index - 1].next))
		handlers[index - 1].fn(handlers[index - 1].arg);
}

/* Handle an external interrupt. */
void plic_handle(unsigned int hart)
{
	char *context = plic + PLIC_CONTEXT(machine_info()->plic_context[hart]);
	u32 irq;

	for (unsigned int i = 0; i < MAX_CLAIMS; i++) {
		irq = readl(context + PLIC_CLAIM);
		if (irq == 0)
			return;
		call_handlers(irq);
		writel(irq, context + PLIC_CLAIM);
	}
}

/* Set up the context of this hart. Each hart does so before it takes interrupts. */
void plic_init_hart(unsigned int hart)
{
	const u32 context = machine_info()->plic_context[hart];

	csr_write(sie, SIE_SOFT | SIE_TIMER);
	if (context == PLIC_NO_CONTEXT)
		return;
	writel(0, plic + PLIC_CONTEXT(context) + PLIC_THRESHOLD);
	csr_set(sie, SIE_EXTERNAL);
}

void arch_irq_init(void)
{
	const struct machine_info *info = machine_info();

	plic = ioremap(info->plic.start, info->plic.size);
	if (!plic)
		panic("the interrupt controller's registers could not be mapped");
	/* The firmware may leave sources enabled. */
	for (u32 irq = 0; irq <= info->plic_nr_irqs && irq < PLIC_MAX_IRQS; irq += 32)
		writel(0, plic + PLIC_ENABLE(info->plic_context[0]) + irq / 8);
	arch_timer_set(~0ULL);
	plic_init_hart(0);
}
