/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the first C code with paging on to kernel_main(); arch/boot.h has the order of the
 * steps.
 */
#define pr_fmt(fmt) "riscv: " fmt

#include "kernel/init.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "kernel/timer.h"
#include "lib/fdt.h"
#include "lib/string.h"

#include "arch.h"
#include "csr.h"

static struct machine_info machine;
struct fdt machine_fdt;

const struct machine_info *machine_info(void)
{
	return &machine;
}

static void open_fdt(void)
{
	const void *blob = (void *)(early_info.fdt - early_info.image + IMAGE_BASE);
	const char *why = "unknown";
	int err = fdt_open(&machine_fdt, blob, early_info.fdt_size, &why);

	if (err != 0) {
		pr_emerg("the device tree is malformed: %s\n", why);
		arch_exit(EXIT_STATUS_HARNESS);
	}
	if (machine_fdt.nr_too_deep != 0)
		pr_warn("device tree: %u node%s deeper than %u levels: not used\n",
			machine_fdt.nr_too_deep, str_plural(machine_fdt.nr_too_deep),
			FDT_MAX_DEPTH);
}

/*
 * End the machine if it lacks something that ebb cannot run without; the line says what to do.
 */
static void check_machine(const char *missing)
{
	if (!missing && machine.timebase_hz == 0)
		missing = "the device tree names no timebase-frequency";
	if (!missing)
		missing = machine_missing_irq(&machine);
	if (missing) {
		pr_emerg("%s\n", missing);
		arch_exit(EXIT_STATUS_HARNESS);
	}
}

/**
 * arch_start() - digest the device tree and start the kernel
 * @hartid: the hart that booted
 *
 * Called by entry.S on the boot stack with paging and the trap vector on.
 */
void arch_start(u64 hartid)
{
	const phys_addr_t satp = csr_read(satp);
	const char *missing;

	printk_set_console(arch_early_write);
	machine.paging_levels = satp >> SATP_MODE_SHIFT == SATP_SV48 ? 4 : 3;
	root_table = early_info.root[machine.paging_levels - 3];
	machine.kernel.start = early_info.image;
	machine.kernel.size = ALIGN_UP(early_info.fdt + early_info.fdt_size, PAGE_SIZE) -
			      early_info.image;
	open_fdt();
	machine_digest_harts(&machine, hartid);
	missing = machine_digest_memory(&machine);
	machine_digest_devices(&machine);
	exit_init_early();
	check_machine(missing);
	clock_init();
	kernel_main(&machine);
}

/*
 * Note the instruction counter, up to which the boot's cost counts; so the cost includes work
 * deferred until after "ebb: ready". Runs only if the hart could read the counter at _start.
 */
static void note_settled(struct timer *)
{
	early_info.settled_instret = csr_read(instret);
}

static int note_ready(void)
{
	static struct timer settled;

	timer_init(&settled, note_settled);
	if (early_info.boot_instret != 0)
		timer_set(&settled, 10 * NSEC_PER_MSEC);
	return 0;
}
INITCALL(ready, note_ready);
