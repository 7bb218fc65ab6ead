/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command "crash": end the kernel in a chosen way, so that scenarios and curious
 * users see the report. Compare with: Linux drivers/misc/lkdtm.
 */
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "kernel/console/shell.h"
#include "kernel/spinlock.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"
#include "arch/io.h"
#include "arch/machine.h"

static DEFINE_SPINLOCK(crash_lock);

static void crash_null(u64)
{
	*(volatile int *)NULL = 1;
}

static void crash_stray(u64 addr)
{
	*(volatile u8 *)phys_to_virt(addr) = 1;
}

static void crash_text(u64)
{
	*(volatile u32 *)(unsigned long)crash_null = 0;
}

/* The recursion must not become a tail call: each level needs its own stack frame. */
static __noinline unsigned int recurse(unsigned int depth)
{
	volatile unsigned char frame[256];

	frame[depth % sizeof(frame)] = depth;
	return depth == ~0U ? 0 : recurse(depth + 1) + frame[0];
}

static void crash_stack(u64)
{
	(void)recurse(1);
}

static void crash_insn(u64)
{
	__asm__ volatile("unimp");
}

/* Read @addr, where no device answers: on virt, 0x18000000 is such an address. */
static void crash_bus(u64 addr)
{
	(void)readl(ioremap(addr, 4));
}

static void crash_panic(u64)
{
	panic("crash: by request");
}

static void crash_bug(u64 addr)
{
	BUG_ON(addr == 0);
}

static void crash_lock_twice(u64) __no_lock_analysis
{
	spin_lock(&crash_lock);
	spin_lock(&crash_lock);
}

static void broken_console(const char *, size_t)
{
	crash_insn(0);
}

/*
 * Cause a fault that cannot be reported: the first line of the report causes the next fault.
 */
static void crash_report(u64 addr)
{
	printk_set_console(broken_console);
	crash_null(addr);
}

/*
 * Hang without a report: this hart takes no more interrupts, so other harts wait for it for
 * ever.
 */
static void crash_hang(u64)
{
	(void)arch_irq_save();
	for (;;)
		arch_cpu_relax();
}

static const struct crash {
	const char *name;
	void (*fn)(u64 addr);
	u32 wants_address;
} crashes[] = {
	{"null", crash_null, 0},       {"stray", crash_stray, 1},
	{"text", crash_text, 0},       {"stack", crash_stack, 0},
	{"insn", crash_insn, 0},       {"bus", crash_bus, 1},
	{"panic", crash_panic, 0},     {"bug", crash_bug, 0},
	{"lock", crash_lock_twice, 0}, {"report", crash_report, 0},
	{"hang", crash_hang, 0},
};

static int cmd_crash(int argc, char **argv, struct sink *out)
{
	const struct crash *c;
	u64 addr = 0;

	for (c = crashes; argc > 1 && c < crashes + ARRAY_SIZE(crashes); c++) {
		if (strcmp(argv[1], c->name) != 0)
			continue;
		if (argc != 2 + (int)c->wants_address ||
		    (c->wants_address && kstrtou64(argv[2], 0, &addr) != 0))
			break;
		c->fn(addr);
		sink_puts(out, "crash: survived\n");
		return -EIO;
	}
	return COMMAND_USAGE;
}
COMMAND(crash, "crash null|text|stack|insn|panic|bug|lock|report|hang | stray PHYS | bus PHYS",
	"end the kernel in this way, to see the report",
	"crash stack", cmd_crash);
