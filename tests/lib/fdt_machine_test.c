/* SPDX-License-Identifier: BSD-2-Clause */
/* Device trees: addresses, interrupts, and the machine's memory and harts. */
#include "kernel/ktest.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/string.h"
#include "tests/lib/fdt_builder.h"

static struct fdt_builder b;
static struct fdt fdt;

static void bus_cells(u32 addr, u32 size)
{
	fdtb_cells(&b, "#address-cells", addr);
	fdtb_cells(&b, "#size-cells", size);
}

static void cpu(const char *name, u32 hartid, u32 intc, const char *status)
{
	fdtb_begin(&b, name);
	fdtb_str(&b, "device_type", "cpu");
	fdtb_cells(&b, "reg", hartid);
	fdtb_str(&b, "status", status);
	fdtb_begin(&b, "interrupt-controller");
	fdtb_prop(&b, "interrupt-controller", "", 0);
	fdtb_cells(&b, "#interrupt-cells", 1);
	fdtb_cells(&b, "phandle", intc);
	fdtb_end(&b);
	fdtb_end(&b);
}

static void cpus(void)
{
	fdtb_begin(&b, "cpus");
	bus_cells(1, 0);
	fdtb_cells(&b, "timebase-frequency", 10000000);
	cpu("cpu@0", 0, 1, "disabled");
	cpu("cpu@2", 2, 2, "okay");
	cpu("cpu@5", 5, 3, "okay");
	fdtb_begin(&b, "cpu-map");
	fdtb_end(&b);
	fdtb_end(&b);
}

static void memory(const char *name, const char *status, u32 high)
{
	fdtb_begin(&b, name);
	fdtb_str(&b, "device_type", "memory");
	fdtb_str(&b, "status", status);
	fdtb_cells(&b, "reg", high, 0x80000000, 0, 0x8000000, high, 0xa0000000, 0, 0,
		   high + 1, 0, 4, 0);
	fdtb_end(&b);
}

static void reserved_memory(void)
{
	fdtb_begin(&b, "reserved-memory");
	bus_cells(2, 2);
	fdtb_prop(&b, "ranges", "", 0);
	fdtb_begin(&b, "fw@80000000");
	fdtb_cells(&b, "reg", 0, 0x80000000, 0, 0x40000);
	fdtb_prop(&b, "no-map", "", 0);
	fdtb_end(&b);
	fdtb_begin(&b, "pool"); /* has a size, but no address yet */
	fdtb_cells(&b, "size", 0, 0x1000);
	fdtb_end(&b);
	fdtb_begin(&b, "shared@90000000");
	fdtb_cells(&b, "reg", 0, 0x90000000, 0, 0x1000, 0, 0x91000000, 0, 0x2000);
	fdtb_end(&b);
	fdtb_end(&b);
}

/* Two levels of busses, with windows that move addresses. */
static void soc(void)
{
	fdtb_begin(&b, "soc");
	bus_cells(1, 1);
	fdtb_cells(&b, "ranges", 0x10000000, 1, 0x20000000, 0x1000000, 0x30000000, 0,
		   0x30000000, 0x10000000);
	fdtb_cells(&b, "interrupt-parent", 9);
	fdtb_begin(&b, "plic@10001000");
	fdtb_cells(&b, "phandle", 9);
	fdtb_cells(&b, "#interrupt-cells", 2);
	fdtb_cells(&b, "#address-cells", 1);
	fdtb_cells(&b, "interrupts-extended", 2, 11, 9, 5, 6, 3, UINT32_MAX);
	fdtb_end(&b);
	fdtb_begin(&b, "bus@10100000");
	bus_cells(1, 1);
	fdtb_cells(&b, "ranges", 0, 0x10100000, 0x1000);
	fdtb_begin(&b, "uart@100");
	fdtb_cells(&b, "reg", 0x100, 0x10, 0xff0, 0x10, 0xff1, 0x10);
	fdtb_cells(&b, "interrupts", 10, 4, 11, 1);
	fdtb_end(&b);
	fdtb_end(&b);
	fdtb_begin(&b, "hidden"); /* no ranges, though the bus above would map it */
	bus_cells(1, 1);
	fdtb_begin(&b, "eeprom@50");
	fdtb_cells(&b, "reg", 0x10000050, 1);
	fdtb_end(&b);
	fdtb_end(&b);
	fdtb_begin(&b, "pci@30000000");
	bus_cells(3, 2);
	fdtb_cells(&b, "#interrupt-cells", 1);
	fdtb_cells(&b, "ranges", 0x1000000, 0, 0, 0x30000000, 0, 0x10000, 0x3000000, 4, 0,
		   0x38000000, 0, 0x1000000);
	fdtb_cells(&b, "interrupt-map-mask", 0x1800, 0, 0, 7);
	fdtb_cells(&b, "interrupt-map", 0, 0, 0, 1, 9, 0, 32, 4, 0, 0, 0, 2, 9, 0, 33, 4,
		   0x800, 0, 0, 1, 9, 0, 34, 4);
	fdtb_end(&b);
	fdtb_end(&b);
}

static int open_machine(struct ktest *test)
{
	u32 size;

	(void)test;
	fdtb_start(&b);
	fdtb_reserve(&b, 0xbe000000, 0x5000);
	fdtb_begin(&b, "");
	bus_cells(2, 2);
	memory("memory@80000000", "okay", 0);
	memory("memory@8080000000", "disabled", 0x80);
	fdtb_begin(&b, "chosen");
	fdtb_str(&b, "bootargs", "loglevel=7 quiet");
	fdtb_end(&b);
	cpus();
	reserved_memory();
	soc();
	fdtb_end(&b);
	size = fdtb_finish(&b);
	return size ? fdt_open(&fdt, b.blob, size, NULL) : -ENOSPC;
}

static void translated_reg(struct ktest *test)
{
	struct fdt_node node;
	struct fdt_range range = {5, 5};

	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/soc/bus@10100000/uart", &node), 0);
	KTEST_EXPECT_EQ(test, fdt_reg_raw(&node, 0, &range), 0);
	KTEST_EXPECT_EQ(test, range.base, 0x100);
	KTEST_EXPECT_EQ(test, fdt_reg(&node, 0, &range), 0);
	KTEST_EXPECT_EQ(test, range.base, 0x120100100);
	KTEST_EXPECT_EQ(test, range.size, 0x10);
	KTEST_EXPECT_EQ(test, fdt_reg(&node, 1, &range), 0); /* up to the window's end */
	KTEST_EXPECT_EQ(test, range.base, 0x120100ff0);
	KTEST_EXPECT_EQ(test, fdt_reg(&node, 2, &range), -EINVAL); /* a byte beyond */
	KTEST_EXPECT_EQ(test, range.base, 0x120100ff0);
	KTEST_EXPECT_EQ(test, fdt_reg(&node, 3, &range), -ENOENT);
	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/soc/hidden/eeprom", &node), 0);
	KTEST_EXPECT_EQ(test, fdt_reg(&node, 0, &range), -EINVAL);
	KTEST_EXPECT_EQ(test, fdt_reg_raw(&node, 0, &range), 0);
	KTEST_EXPECT_EQ(test, range.base, 0x10000050);
}

static void pci_windows(struct ktest *test)
{
	struct fdt_node node;
	struct fdt_window w = {0};

	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/soc/pci", &node), 0);
	KTEST_EXPECT_EQ(test, fdt_bus_range(&node, 0, &w), 0);
	KTEST_EXPECT_EQ(test, w.flags, 0x1000000);
	KTEST_EXPECT_EQ(test, w.child, 0);
	KTEST_EXPECT_EQ(test, w.parent, 0x30000000);
	KTEST_EXPECT_EQ(test, w.size, 0x10000);
	KTEST_EXPECT_EQ(test, fdt_bus_range(&node, 1, &w), 0);
	KTEST_EXPECT_EQ(test, w.flags, 0x3000000);
	KTEST_EXPECT_EQ(test, w.child, 0x400000000);
	KTEST_EXPECT_EQ(test, w.parent, 0x38000000);
	KTEST_EXPECT_EQ(test, fdt_bus_range(&node, 2, &w), -ENOENT);
	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/soc/bus@10100000", &node), 0);
	KTEST_EXPECT_EQ(test, fdt_bus_range(&node, 0, &w), 0);
	KTEST_EXPECT_EQ(test, w.flags, 0);
	KTEST_EXPECT_EQ(test, w.parent, 0x120100000);
	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/reserved-memory", &node), 0);
	KTEST_EXPECT_EQ(test, fdt_bus_range(&node, 0, &w), -ENOENT);
	fdt_root(&fdt, &node);
	KTEST_EXPECT_EQ(test, fdt_bus_range(&node, 0, &w), -ENOENT);
}

static void interrupts(struct ktest *test)
{
	struct fdt_node node;
	struct fdt_irq irq = {0};

	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/soc/bus@10100000/uart", &node), 0);
	KTEST_EXPECT_EQ(test, fdt_irq(&node, &irq), 0); /* the parent is two levels up */
	KTEST_EXPECT_EQ(test, irq.controller, 9);
	KTEST_EXPECT_EQ(test, irq.nr_cells, 2);
	KTEST_EXPECT_EQ(test, irq.cells[0], 10);
	KTEST_EXPECT_EQ(test, irq.cells[1], 4);
	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/soc/plic", &node), 0);
	KTEST_EXPECT_EQ(test, fdt_irq(&node, &irq), 0); /* one cell; others follow */
	KTEST_EXPECT_EQ(test, irq.controller, 2);
	KTEST_EXPECT_EQ(test, irq.nr_cells, 1);
	KTEST_EXPECT_EQ(test, irq.cells[0], 11);
	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/chosen", &node), 0);
	KTEST_EXPECT_EQ(test, fdt_irq(&node, &irq), -ENOENT);
}

static void mapped_interrupts(struct ktest *test)
{
	static const u32 want[][3] = {{0, 1, 32},
				      {0, 2, 33},
				      {0x800, 1, 34},
				      {0x2000, 2, 33},
				      {0x12800, 1, 34}};
	struct fdt_irq irq = {0};
	struct fdt_node node;

	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/soc/pci", &node), 0);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		KTEST_EXPECT_EQ(test, fdt_irq_map(&node, want[i][0], want[i][1], &irq),
				0);
		KTEST_EXPECT_EQ(test, irq.controller, 9);
		KTEST_EXPECT_EQ(test, irq.cells[0], want[i][2]);
		KTEST_EXPECT_EQ(test, irq.cells[1], 4);
	}
	KTEST_EXPECT_EQ(test, fdt_irq_map(&node, 0x800, 2, &irq), -ENOENT);
	KTEST_EXPECT_EQ(test, fdt_irq_map(&node, 0x1000, 1, &irq), -ENOENT);
	fdt_root(&fdt, &node);
	KTEST_EXPECT_EQ(test, fdt_irq_map(&node, 0, 1, &irq), -ENOENT);
}

struct seen {
	struct ktest *test;
	int nr;
	int stop_at;
	struct fdt_range ranges[8];
	bool no_map[8];
	u64 hartids[8];
};

static int see_range(void *ctx, const struct fdt_entry *entry)
{
	struct seen *seen = ctx;

	KTEST_EXPECT_EQ(seen->test, entry->err, 0);
	KTEST_ASSERT_LT(seen->test, seen->nr, 8);
	seen->no_map[seen->nr] = entry->no_map;
	seen->ranges[seen->nr++] = entry->range;
	return seen->nr == seen->stop_at ? 77 : 0;
}

static void memory_ranges(struct ktest *test)
{
	struct seen seen = {.test = test};

	KTEST_EXPECT_EQ(test, fdt_for_each_memory(&fdt, see_range, &seen), 0);
	KTEST_EXPECT_EQ(test, seen.nr, 2); /* neither the empty range nor the disabled node */
	KTEST_EXPECT_EQ(test, seen.ranges[0].base, 0x80000000);
	KTEST_EXPECT_EQ(test, seen.ranges[0].size, 0x8000000);
	KTEST_EXPECT_EQ(test, seen.ranges[1].base, 0x100000000);
	KTEST_EXPECT_EQ(test, seen.ranges[1].size, 0x400000000);
	seen = (struct seen){.test = test, .stop_at = 1};
	KTEST_EXPECT_EQ(test, fdt_for_each_memory(&fdt, see_range, &seen), 77);
	KTEST_EXPECT_EQ(test, seen.nr, 1);
}

static void reserved_ranges(struct ktest *test)
{
	struct seen seen = {.test = test};

	KTEST_EXPECT_EQ(test, fdt_for_each_reserved(&fdt, see_range, &seen), 0);
	KTEST_ASSERT_EQ(test, seen.nr, 4);
	KTEST_EXPECT_FALSE(test, seen.no_map[0]);
	KTEST_EXPECT_EQ(test, seen.ranges[0].base, 0xbe000000);
	KTEST_EXPECT_TRUE(test, seen.no_map[1]);
	KTEST_EXPECT_EQ(test, seen.ranges[1].size, 0x40000);
	KTEST_EXPECT_FALSE(test, seen.no_map[3]);
	KTEST_EXPECT_EQ(test, seen.ranges[3].base, 0x91000000);
	seen = (struct seen){.test = test, .stop_at = 3};
	KTEST_EXPECT_EQ(test, fdt_for_each_reserved(&fdt, see_range, &seen), 77);
}

static int see_cpu(void *ctx, const struct fdt_cpu *cpu)
{
	struct seen *seen = ctx;
	struct ktest *test = seen->test;

	KTEST_EXPECT_EQ(test, cpu->err, 0);
	KTEST_ASSERT_LT(test, seen->nr, 8);
	seen->hartids[seen->nr++] = cpu->hartid;
	KTEST_EXPECT_EQ(test, cpu->intc, cpu->hartid == 2 ? 2 : 3);
	return 0;
}

static void harts(struct ktest *test)
{
	struct seen seen = {.test = test};
	u64 hz = 0;

	KTEST_EXPECT_EQ(test, fdt_for_each_cpu(&fdt, see_cpu, &seen), 0);
	KTEST_EXPECT_EQ(test, seen.nr, 2);
	KTEST_EXPECT_EQ(test, seen.hartids[0], 2);
	KTEST_EXPECT_EQ(test, seen.hartids[1], 5);
	KTEST_EXPECT_EQ(test, fdt_timebase(&fdt, &hz), 0);
	KTEST_EXPECT_EQ(test, hz, 10000000);
}

static void chosen(struct ktest *test)
{
	KTEST_EXPECT_STREQ(test, fdt_bootargs(&fdt), "loglevel=7 quiet");
}

/* A tree with only a root: every function returns a result. */
static void bare_tree(struct ktest *test)
{
	struct seen seen = {.test = test};
	u64 hz;

	fdtb_start(&b);
	fdtb_begin(&b, "");
	fdtb_end(&b);
	KTEST_ASSERT_EQ(test, fdt_open(&fdt, b.blob, fdtb_finish(&b), NULL), 0);
	KTEST_EXPECT_EQ(test, fdt_for_each_memory(&fdt, see_range, &seen), 0);
	KTEST_EXPECT_EQ(test, fdt_for_each_reserved(&fdt, see_range, &seen), 0);
	KTEST_EXPECT_EQ(test, fdt_for_each_cpu(&fdt, see_cpu, &seen), -ENOENT);
	KTEST_EXPECT_EQ(test, seen.nr, 0);
	KTEST_EXPECT_EQ(test, fdt_timebase(&fdt, &hz), -ENOENT);
	KTEST_EXPECT_STREQ(test, fdt_bootargs(&fdt), "");
}

/* Without #address-cells and #size-cells, an address has two cells and a size has one. */
static void default_cells(struct ktest *test)
{
	struct fdt_range range;
	struct fdt_node node;

	fdtb_start(&b);
	fdtb_begin(&b, "");
	fdtb_begin(&b, "x");
	fdtb_cells(&b, "reg", 1, 2, 3);
	fdtb_end(&b);
	fdtb_end(&b);
	KTEST_ASSERT_EQ(test, fdt_open(&fdt, b.blob, fdtb_finish(&b), NULL), 0);
	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/x", &node), 0);
	KTEST_EXPECT_EQ(test, fdt_reg(&node, 0, &range), 0);
	KTEST_EXPECT_EQ(test, range.base, 0x100000002);
	KTEST_EXPECT_EQ(test, range.size, 3);
	KTEST_EXPECT_EQ(test, fdt_reg(&node, 1, &range), -ENOENT);
	fdt_root(&fdt, &node);
	KTEST_EXPECT_EQ(test, fdt_reg(&node, 0, &range), -ENOENT);
}

static const struct ktest_case fdt_machine_cases[] = {KTEST_CASE(translated_reg),
						      KTEST_CASE(pci_windows),
						      KTEST_CASE(interrupts),
						      KTEST_CASE(mapped_interrupts),
						      KTEST_CASE(memory_ranges),
						      KTEST_CASE(reserved_ranges),
						      KTEST_CASE(harts),
						      KTEST_CASE(chosen),
						      KTEST_CASE(bare_tree),
						      KTEST_CASE(default_cells),
						      {}};
static struct ktest_suite fdt_machine_suite = {
	.name = "fdt_machine", .init = open_machine, .cases = fdt_machine_cases};
KTEST_SUITE(fdt_machine_suite);
