/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leaving the machine: through SiFive's test finisher, which carries an exit status to
 * whoever started QEMU; else through the firmware.
 * Spec: QEMU hw/misc/sifive_test.c for the words; SBI 2.0 chapter 10.
 */
#include "arch/io.h"

#include "arch.h"
#include "sbi.h"

#define FINISHER_PASS  0x5555u
#define FINISHER_FAIL  0x3333u /* | status << 16 */
#define FINISHER_RESET 0x7777u

static void *finisher;

/* Maps the finisher for good; arch_paging_init() calls it. */
void exit_init(void)
{
	const struct mem_range *range = &machine_info()->finisher;

	if (range->size != 0)
		finisher = ioremap(range->start, range->size);
}

static void finisher_write(u32 word)
{
	const phys_addr_t start = machine_info()->finisher.start;

	if (machine_info()->finisher.size == 0)
		return;
	if (finisher)
		writel(word, finisher);
	else
		writel(word, (void *)(EARLY_IO_BASE + (start & (SZ_1G - 1))));
}

static void __noreturn firmware_reset(unsigned long type)
{
	sbi_call(SBI_SRST, 0, SBI_ARGS(type, 0));
	arch_irq_disable();
	for (;;)
		__asm__ volatile("wfi");
}

void arch_exit(int status)
{
	if (status == 0)
		finisher_write(FINISHER_PASS);
	else
		finisher_write(FINISHER_FAIL | (u32)(status & 0xff) << 16);
	firmware_reset(SBI_SRST_SHUTDOWN);
}

void arch_reboot(void)
{
	finisher_write(FINISHER_RESET);
	firmware_reset(SBI_SRST_COLD);
}
