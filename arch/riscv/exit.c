/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leaving the machine: through SiFive's test finisher, which sets QEMU's exit status,
 * or else through the firmware.
 * Spec: QEMU hw/misc/sifive_test.c for the words; SBI 2.0 chapter 10.
 */
#include "arch/io.h"
#include "kernel/patience.h"

#include "arch.h"
#include "sbi.h"

#define FINISHER_PASS  0x5555u
#define FINISHER_FAIL  0x3333u /* | status << 16 */
#define FINISHER_RESET 0x7777u
#define FINISHER_NS    (5 * NSEC_PER_SEC)

static void *finisher; /* NULL: absent or not mapped yet */

/*
 * Until arch_paging_init() maps the finisher permanently, one leaf of 1 GiB reaches it,
 * so that a machine that ends early reports its status, too.
 */
void exit_init_early(void)
{
	const struct mem_range *range = &machine_info()->finisher;

	if (range->size == 0)
		return;
	early_top_table[EARLY_IO_BASE >> LEVEL_SHIFT(2) & (PTES_PER_TABLE - 1)] =
		PTE_PFN(ALIGN_DOWN(range->start, SZ_1G)) | PROT_RW;
	tlb_flush_local(EARLY_IO_BASE, SZ_1G);
	finisher = (void *)(EARLY_IO_BASE + (range->start & (SZ_1G - 1)));
}

/* Map the finisher permanently; the 1 GiB leaf is not used after this. */
void exit_init(void)
{
	const struct mem_range *range = &machine_info()->finisher;

	if (range->size != 0)
		finisher = ioremap(range->start, range->size);
	early_top_table[EARLY_IO_BASE >> LEVEL_SHIFT(2) & (PTES_PER_TABLE - 1)] = 0;
	tlb_flush_local(EARLY_IO_BASE, SZ_1G);
}

/*
 * Write to the finisher, and wait. QEMU ends some time after the write, and a call to the
 * firmware before that would replace the status with 0, so QEMU gets five seconds.
 */
static void finisher_write(u32 word)
{
	struct patience patience;

	if (!finisher)
		return;
	arch_irq_disable();
	writel(word, finisher);
	patience_start(&patience, FINISHER_NS);
	while (patience_lasts(&patience))
		arch_cpu_relax();
}

/* End or reset the machine through the firmware; @type: SBI_SRST_*. */
void firmware_reset(unsigned long type)
{
	static const char refused[] =
		"\nebb: halted: the firmware does not end the machine (SBI SRST), and "
		"the device tree has no sifive,test0 that does\n";

	sbi_call(SBI_SRST, 0, SBI_ARGS(type, 0));
	arch_irq_disable();
	arch_early_write(refused, sizeof(refused) - 1);
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
