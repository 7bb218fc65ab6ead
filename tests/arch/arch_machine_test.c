/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parsed device tree, traps that the kernel survives, symbols and backtraces.
 */
#include "kernel/hart.h"
#include "kernel/ktest.h"
#include "kernel/sink.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/time.h"
#include "arch/inline.h"
#include "arch/irq.h"
#include "arch/thread.h"

#include "arch/riscv/arch.h"

static void memory_is_sorted_and_reachable(struct ktest *test)
{
	const struct machine_info *info = machine_info();
	phys_addr_t start, end, last = 0;
	unsigned int i;

	arch_mappable_range(&start, &end);
	KTEST_ASSERT_GT(test, info->nr_memory, 0);
	for (i = 0; i < info->nr_memory; i++) {
		const struct mem_range *r = &info->memory[i];

		KTEST_EXPECT_GE(test, r->start, last);
		last = r->start + r->size;
		KTEST_EXPECT_GE(test, r->start, start);
		KTEST_EXPECT_LE(test, last, end);
	}
}

static void kernel_is_reserved_memory(struct ktest *test)
{
	const struct machine_info *info = machine_info();
	bool reserved = false;
	unsigned int i;

	for (i = 0; i < info->nr_reserved; i++)
		if (info->reserved[i].start == info->kernel.start)
			reserved = info->reserved[i].size == info->kernel.size;
	KTEST_EXPECT_TRUE(test, reserved);
	KTEST_EXPECT_EQ(test, image_to_phys(_start), info->kernel.start);
	KTEST_EXPECT_GE(test, info->kernel.size, (u64)(_end - _start));
}

static void full_list_still_covers(struct ktest *test)
{
	struct mem_range list[] = { { 0x1000, 0x1000 }, { 0x8000, 0x2000 }, { 0x20000, 0x1000 } };

	machine_cover_range(list, 3, (struct mem_range){ 0xb000, 0x1000 });
	KTEST_EXPECT_EQ(test, list[1].start, 0x8000);
	KTEST_EXPECT_EQ(test, list[1].size, 0x4000);
	machine_cover_range(list, 3, (struct mem_range){ 0x1f000, 0x800 });
	KTEST_EXPECT_EQ(test, list[2].start, 0x1f000);
	KTEST_EXPECT_EQ(test, list[2].size, 0x2000);
	machine_cover_range(list, 3, (struct mem_range){ 0x1800, 0x100 });
	KTEST_EXPECT_EQ(test, list[0].start, 0x1000);
	KTEST_EXPECT_EQ(test, list[0].size, 0x1000);
}

static void harts_are_different(struct ktest *test)
{
	const struct machine_info *info = machine_info();
	unsigned int i, j;

	KTEST_EXPECT_EQ(test, info->nr_harts, nr_harts());
	for (i = 0; i < info->nr_harts; i++)
		for (j = 0; j < i; j++) {
			KTEST_EXPECT_NE(test, info->hartid[i], info->hartid[j]);
			KTEST_EXPECT_NE(test, info->plic_context[i],
					info->plic_context[j]);
		}
}

/* The PCI binding rotates the pins of neighbouring devices over the same lines. */
static void pci_pins_rotate(struct ktest *test)
{
	u32 a, b;

	if (machine_info()->pci.ecam.size == 0)
		ktest_skip(test, "no PCI host");
	a = machine_pci_irq(1 << 3, 1);
	b = machine_pci_irq(1 << 3, 2);
	KTEST_EXPECT_NE(test, a, 0);
	KTEST_EXPECT_NE(test, b, 0);
	KTEST_EXPECT_NE(test, a, b);
	KTEST_EXPECT_EQ(test, machine_pci_irq(2 << 3, 1), b);
	KTEST_EXPECT_EQ(test, machine_pci_irq(5 << 3, 1), a);
	KTEST_EXPECT_EQ(test, machine_pci_irq(1 << 3, 5), 0);
}

static void probe_survives(struct ktest *test)
{
	static const u64 known = 0x0123456789abcdefULL;
	u64 value = 0;

	KTEST_EXPECT_TRUE(test, arch_probe_read(&known, &value));
	KTEST_EXPECT_EQ(test, value, known);
	KTEST_EXPECT_FALSE(test, arch_probe_read(NULL, &value));
	KTEST_EXPECT_FALSE(test, arch_probe_read((void *)(1UL << 62), &value));
	KTEST_EXPECT_FALSE(test, arch_probe_read((void *)-8L, &value));
}

static void symbols_have_names(struct ktest *test)
{
	const unsigned long addr = (unsigned long)symbol_lookup;
	unsigned long offset = ~0UL;

	KTEST_EXPECT_STREQ(test, symbol_lookup(addr, &offset), "symbol_lookup");
	KTEST_EXPECT_EQ(test, offset, 0);
	KTEST_EXPECT_STREQ(test, symbol_lookup(addr + 2, &offset), "symbol_lookup");
	KTEST_EXPECT_EQ(test, offset, 2);
	KTEST_EXPECT_STREQ(test, symbol_lookup((unsigned long)_start + 4, &offset), "_start");
	KTEST_EXPECT_EQ(test, offset, 4UL);
	KTEST_EXPECT_TRUE(test, symbol_lookup((unsigned long)_start - 1, NULL) == NULL);
	KTEST_EXPECT_TRUE(test, symbol_lookup((unsigned long)__data_start, NULL) == NULL);
}

static void backtrace_names_its_callers(struct ktest *test)
{
	static char text[2048];
	struct sink_buffer out;

	sink_buffer_init(&out, text, sizeof(text));
	arch_backtrace(&out.sink);
	KTEST_EXPECT_TRUE(test, strstr(text, "backtrace_names_its_callers+") != NULL);
	KTEST_EXPECT_TRUE(test, strstr(text, "?") == NULL);
}

static void clock_goes_on(struct ktest *test)
{
	const u64 ticks = arch_time();
	const u64 ns = arch_clock_ns();
	u64 later = ns;

	while (later - ns < NSEC_PER_MSEC) {
		KTEST_ASSERT_GE(test, arch_clock_ns(), later);
		later = arch_clock_ns();
	}
	/* A millisecond of one clock is a millisecond of the other. */
	KTEST_EXPECT_GE(test, arch_time() - ticks,
			machine_info()->timebase_hz / 1000 - 1);
}

static void irq_state_nests(struct ktest *test)
{
	unsigned long outer, inner;

	KTEST_ASSERT_TRUE(test, arch_irqs_enabled());
	outer = arch_irq_save();
	inner = arch_irq_save();
	KTEST_EXPECT_FALSE(test, arch_irqs_enabled());
	arch_irq_restore(inner);
	KTEST_EXPECT_FALSE(test, arch_irqs_enabled());
	arch_irq_restore(outer);
	KTEST_EXPECT_TRUE(test, arch_irqs_enabled());
}

static void no_handler(void *arg)
{
	(void)arg;
}

static void wrong_sources_are_refused(struct ktest *test)
{
	const u32 highest = machine_info()->plic_nr_irqs;
	int mark;

	KTEST_EXPECT_EQ(test, irq_request(0, no_handler, &mark), -EINVAL);
	KTEST_EXPECT_EQ(test, irq_request(highest + 1, no_handler, &mark),
			-EINVAL);
	KTEST_EXPECT_EQ(test, irq_request(~0U, no_handler, &mark), -EINVAL);
	KTEST_EXPECT_EQ(test, irq_request(highest, no_handler, &mark), 0);
	irq_free(highest, &mark);
}

static const struct ktest_case cases[] = {
	KTEST_CASE(memory_is_sorted_and_reachable),
	KTEST_CASE(kernel_is_reserved_memory),
	KTEST_CASE(full_list_still_covers),
	KTEST_CASE(harts_are_different),
	KTEST_CASE(pci_pins_rotate),
	KTEST_CASE(probe_survives),
	KTEST_CASE(symbols_have_names),
	KTEST_CASE(backtrace_names_its_callers),
	KTEST_CASE(clock_goes_on),
	KTEST_CASE(irq_state_nests),
	KTEST_CASE(wrong_sources_are_refused),
	{},
};

static struct ktest_suite suite = {
	.name = "arch_machine",
	.cases = cases,
};
KTEST_SUITE(suite);
