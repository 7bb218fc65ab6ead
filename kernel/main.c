/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot, from the machine's description to a kernel that takes commands.
 *
 * The boot stack becomes the boot hart's idle thread; the thread "init" does everything
 * that may sleep.
 */
#include "arch/boot.h"
#include "kernel/console/shell.h"
#include "kernel/init.h"
#include "kernel/panic.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/sched.h"
#include "kernel/smp.h"
#include "kernel/console/test_image.h"
#include "kernel/trace/trace.h"
#include "kernel/workqueue.h"
#include "mm/memblock.h"
#include "mm/mm.h"
#include "serial/serial.h"

static u64 memory_limit;
/*
 * The image, the metadata of one block, and memory for 8 harts take 3 MiB; the rest is room.
 */
#define MEMORY_LIMIT_MIN (8UL << 20)
PARAM_SIZE("mem", memory_limit, "use at most this much boot memory; 0 means all");

static const char *autorun;
PARAM_STRING("autorun", autorun, "commands to run after boot, separated by ;");

/* Say why and end the machine, but do not panic: the kernel is not at fault. */
static void __noreturn cannot_start(const char *what)
{
	pr_emerg("memory: %s do not fit %lu MiB of boot memory in %u ranges: ebb does not start",
		 what, memblock_total(&memblock) >> 20, memblock.memory.nr);
	arch_exit(EXIT_STATUS_HARNESS);
}

static void add_memory_ranges(const struct machine_info *info)
{
	int left_out = 0, unsafe = 0;

	for (unsigned int i = 0; i < info->nr_memory; i++)
		left_out |= memblock_add(&memblock, info->memory[i].start, info->memory[i].size);
	for (unsigned int i = 0; i < info->nr_reserved; i++)
		unsafe |= memblock_reserve(&memblock, info->reserved[i].start,
					info->reserved[i].size,
					info->reserved[i].start == info->kernel.start ?
						PGTY_IMAGE : PGTY_FIRMWARE);
	if (left_out != 0)
		pr_warn("memory: more than %d ranges: some are not used",
			MEMBLOCK_MAX_REGIONS);
	if (unsafe != 0)
		cannot_start("the reservations");
	if (memory_limit == 0)
		return;
	if (memory_limit < MEMORY_LIMIT_MIN) {
		pr_warn("mem: %luK is less than ebb needs, using %luM",
			memory_limit >> 10, MEMORY_LIMIT_MIN >> 20);
		memory_limit = MEMORY_LIMIT_MIN;
	}
	memblock_enforce_limit(&memblock, memory_limit);
}

static void start_memory(const struct machine_info *info)
{
	add_memory_ranges(info);
	if (arch_paging_init() != 0)
		cannot_start("the page tables");
	if (serial_init() == 0)
		printk_set_console(serial_write);
	(void)trace_boot();
	if (mm_boot() != 0)
		cannot_start("the tables of memory management");
}

static int init_thread(void *)
{
	workqueue_start();
	smp_start();
	for (unsigned int level = 0; level < INIT_ready; level++)
		initcalls_run(level);
	/* Users and programs wait for exactly this line. */
	sink_puts(console_sink(), "ebb: ready\n");
	initcalls_run(INIT_ready);
	if (autorun != NULL)
		(void)console_run_line(autorun, console_sink());
	test_image_boot_ended();
	console_start();
	return 0;
}

void kernel_main(const struct machine_info *info)
{
	struct thread *init;

	params_parse(info->cmdline);
	lock_order_boot();
	smp_register(info);
	sched_init_hart();
	hart_set_online();
	start_memory(info);
	arch_irq_init();
	init = thread_create("init", init_thread, NULL);
	if (init == NULL)
		panic("no thread for the rest of the boot");
	thread_detach(init);
	idle_loop();
}
