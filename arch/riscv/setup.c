/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the first C code with paging on to kernel_main(): see arch/boot.h for the
 * order of things.
 */
#define pr_fmt(fmt) "riscv: " fmt

#include "kernel/printk.h"
#include "lib/fdt.h"

#include "arch.h"
#include "csr.h"

static struct machine_info machine;
struct fdt machine_fdt;

const struct machine_info *machine_info(void)
{
	return &machine;
}

/*
 * Until arch_paging_init() maps it for good, the finisher is reached through one leaf of
 * 1 GiB, so that an early panic ends with its status.
 */
static void map_finisher_early(void)
{
	const phys_addr_t gib = ALIGN_DOWN(machine.finisher.start, SZ_1G);

	if (machine.finisher.size != 0)
		early_top_table[EARLY_IO_BASE >> LEVEL_SHIFT(2) & (PTES_PER_TABLE - 1)] =
			PTE_PFN(gib) | PROT_RW;
}

static void open_fdt(void)
{
	const void *blob = (void *)(early_info.fdt - early_info.image + IMAGE_BASE);
	const char *why = "unknown";
	int err = fdt_open(&machine_fdt, blob, early_info.fdt_size, &why);

	if (err != 0) {
		pr_emerg("the device tree is malformed: %s\n", why);
		arch_exit(3);
	}
	machine.fdt = blob;
}

/**
 * arch_start - digest the device tree and start the kernel
 * @hartid: the hart that booted
 *
 * Called by entry.S on the boot stack with paging and the trap vector on.
 */
void arch_start(u64 hartid)
{
	const phys_addr_t satp = csr_read(satp);

	printk_set_console(arch_early_write);
	machine.paging_levels = satp >> SATP_MODE_SHIFT == SATP_SV48 ? 4 : 3;
	root_table = early_info.root[machine.paging_levels - 3];
	machine.kernel.start = early_info.image;
	machine.kernel.size = ALIGN_UP(early_info.fdt + early_info.fdt_size, PAGE_SIZE) -
			      early_info.image;
	open_fdt();
	machine_digest(&machine, hartid);
	machine_digest_devices(&machine);
	map_finisher_early();
	if (machine.timebase_hz == 0) {
		pr_emerg("the device tree names no timebase-frequency\n");
		arch_exit(3);
	}
	clock_init();
	kernel_main(&machine);
}
