/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device trees with a malformed part: the parser reports the part, and still reads the
 * rest. Spec: Devicetree Specification 0.4, chapters 2 and 3.
 */
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

struct seen {
	struct ktest *test;
	int nr;
	struct fdt_range ranges[8];
	int nr_bad;
	int bad[8];
	unsigned int bad_index[8];
	char bad_path[8][64];
};

static void see_bad(struct seen *seen, const struct fdt_node *node, int err)
{
	KTEST_ASSERT_LT(seen->test, seen->nr_bad, 8);
	if (node)
		fdt_path(node, seen->bad_path[seen->nr_bad], 64);
	seen->bad[seen->nr_bad++] = err;
}

static int see_range(void *ctx, const struct fdt_entry *entry)
{
	struct seen *seen = ctx;

	if (entry->err) {
		see_bad(seen, entry->node, entry->err);
		seen->bad_index[seen->nr_bad - 1] = entry->index;
		return 0;
	}
	KTEST_ASSERT_LT(seen->test, seen->nr, 8);
	seen->ranges[seen->nr++] = entry->range;
	return 0;
}

static int see_cpu(void *ctx, const struct fdt_cpu *cpu)
{
	struct seen *seen = ctx;

	if (cpu->err)
		see_bad(seen, cpu->node, cpu->err);
	else
		seen->nr++;
	return 0;
}

/* Open a tree with a memory node on a bus with these cell counts. */
static void one_device(struct ktest *test, u32 addr, u32 size, const u32 *reg, u32 nr)
{
	fdtb_start(&b);
	fdtb_reserve(&b, UINT64_MAX, 2);
	fdtb_begin(&b, "");
	bus_cells(addr, size);
	fdtb_begin(&b, "memory");
	fdtb_str(&b, "device_type", "memory");
	fdtb_cell_array(&b, "reg", reg, nr);
	fdtb_end(&b);
	fdtb_begin(&b, "cpus");
	fdtb_cells(&b, "timebase-frequency", 0);
	fdtb_end(&b);
	fdtb_end(&b);
	KTEST_ASSERT_EQ(test, fdt_open(&fdt, b.blob, fdtb_finish(&b), NULL), 0);
}

/* Expect this error for a memory node with this reg on a bus with these cell counts. */
static void expect_bad_memory(struct ktest *test, const u32 cells[2], const u32 *reg, u32 nr,
			      int err)
{
	struct seen seen = {.test = test};

	one_device(test, cells[0], cells[1], reg, nr);
	KTEST_EXPECT_EQ(test, fdt_for_each_memory(&fdt, see_range, &seen), 0);
	KTEST_EXPECT_EQ(test, seen.nr, 0);
	KTEST_ASSERT_EQ(test, seen.nr_bad, 1);
	KTEST_EXPECT_EQ(test, seen.bad[0], err);
	KTEST_EXPECT_STREQ(test, seen.bad_path[0], "/memory");
}

static void malformed_numbers(struct ktest *test)
{
	static const u32 reg[] = {UINT32_MAX, UINT32_MAX, 0, 2, 0, 0};
	static const struct {
		u32 cells[2];
		u32 nr;
		int err;
	} bad[] = {
		{{2, 2}, 4, -EOVERFLOW}, /* wraps */
		{{2, 2}, 3, -EINVAL},	 /* less than an entry */
		{{2, 2}, 0, -EINVAL},	 /* no entry at all */
		{{3, 1}, 4, -EOVERFLOW}, {{0, 0}, 4, -EINVAL}, {{0, 2}, 4, -EINVAL},
		{{2, 0}, 4, -EINVAL},	 {{UINT32_MAX, 1}, 6, -EINVAL},
	};
	struct seen seen = {.test = test};
	struct fdt_range range;
	struct fdt_node node;
	u64 hz;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_bad_memory(test, bad[i].cells, reg, bad[i].nr, bad[i].err);
	KTEST_EXPECT_EQ(test, fdt_for_each_reserved(&fdt, see_range, &seen), 0);
	KTEST_EXPECT_EQ(test, seen.nr_bad, 1);
	KTEST_EXPECT_EQ(test, seen.bad[0], -EOVERFLOW);
	KTEST_EXPECT_EQ(test, fdt_timebase(&fdt, &hz), -EINVAL);
	one_device(test, 1, 0, reg, 2);
	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/memory", &node), 0);
	KTEST_EXPECT_EQ(test, fdt_reg_count(&node), 2);
	KTEST_EXPECT_EQ(test, fdt_reg(&node, 1, &range), 0);
	KTEST_EXPECT_EQ(test, range.base, UINT32_MAX);
	KTEST_EXPECT_EQ(test, range.size, 0);
}

/* Add a node with this name, type and reg to a tree under construction. */
#define PUT_NODE(name, type, ...)                                \
	do {                                                     \
		fdtb_begin(&b, name);                            \
		if (type)                                        \
			fdtb_str(&b, "device_type", type);       \
		fdtb_cells(&b, "reg", __VA_ARGS__);              \
		fdtb_end(&b);                                    \
	} while (0)

static void begin_tree(void)
{
	fdtb_start(&b);
	fdtb_reserve(&b, 0x1000, 0x2000);
	fdtb_reserve(&b, UINT64_MAX, 2);
	fdtb_reserve(&b, 0x5000, 0x1000);
	fdtb_begin(&b, "");
	bus_cells(2, 2);
}

static void end_tree(struct ktest *test)
{
	fdtb_end(&b);
	KTEST_ASSERT_EQ(test, fdt_open(&fdt, b.blob, fdtb_finish(&b), NULL), 0);
}

static void expect_ranges(struct ktest *test, const struct seen *seen, const u64 *bases, int nr)
{
	KTEST_EXPECT_EQ(test, seen->nr, nr);
	for (int i = 0; i < nr && i < seen->nr; i++)
		KTEST_EXPECT_EQ(test, seen->ranges[i].base, bases[i]);
}

/* Malformed nodes and entries are reported, and the others are still read. */
static void malformed_memory_hides_nothing(struct ktest *test)
{
	static const u64 bases[] = {0x80000000, 0x84000000, 0x88000000, 0x8c000000};
	static const char *const paths[] = {"/memory@1", "/memory@2", "/memory@3", "/memory@4",
					    "/memory@?"};
	struct seen seen = {.test = test};

	begin_tree();
	PUT_NODE("memory@80000000", "memory", 0, 0x80000000, 0, 0x1000);
	PUT_NODE("memory@1", "memory", 0, 0x90000000, 0x1000);
	PUT_NODE("memory@2", "memory", 0, 0x84000000, 0, 0x1000, UINT32_MAX, 0, 1, 1, 0,
		 0x88000000, 0, 0x1000);
	fdtb_begin(&b, "memory@3");
	fdtb_str(&b, "device_type", "memory");
	fdtb_end(&b);
	PUT_NODE("memory@4", (const char *)NULL, 0, 0x90000000, 0, 0x1000);
	PUT_NODE("memory@\033", "memory", 1);
	PUT_NODE("memory@8c000000", "memory", 0, 0x8c000000, 0, 0x1000);
	end_tree(test);
	KTEST_EXPECT_EQ(test, fdt_for_each_memory(&fdt, see_range, &seen), 0);
	expect_ranges(test, &seen, bases, 4);
	KTEST_ASSERT_EQ(test, seen.nr_bad, 5);
	for (int i = 0; i < 5; i++)
		KTEST_EXPECT_STREQ(test, seen.bad_path[i], paths[i]);
	KTEST_EXPECT_EQ(test, seen.bad[2], -ENOENT);
}

/*
 * If reg ends within an entry, only that entry is lost, and the message gives its number.
 */
static void cut_entry_is_named(struct ktest *test)
{
	static const u64 bases[] = {0x80000000, 0x84000000};
	struct seen seen = {.test = test};

	begin_tree();
	PUT_NODE("memory@1", "memory", 0, 0x80000000, 0, 0x1000, 0, 0x84000000, 0, 0x1000, 0,
		 0x88000000, 0);
	fdtb_begin(&b, "reserved-memory");
	bus_cells(2, 2);
	fdtb_prop(&b, "ranges", "", 0);
	PUT_NODE("cut", (const char *)NULL, 0, 0x83000000, 0, 0, 0, 0x85000000);
	fdtb_end(&b);
	end_tree(test);
	KTEST_EXPECT_EQ(test, fdt_for_each_memory(&fdt, see_range, &seen), 0);
	expect_ranges(test, &seen, bases, 2);
	KTEST_ASSERT_EQ(test, seen.nr_bad, 1);
	KTEST_EXPECT_EQ(test, seen.bad[0], -EINVAL);
	KTEST_EXPECT_EQ(test, seen.bad_index[0], 2);
	seen = (struct seen){.test = test};
	KTEST_EXPECT_EQ(test, fdt_for_each_reserved(&fdt, see_range, &seen), 0);
	KTEST_ASSERT_EQ(test, seen.nr_bad, 2); /* the first is from begin_tree() */
	KTEST_EXPECT_EQ(test, seen.bad_index[1], 1);
}

/*
 * A malformed reservation does not hide others, be it in the reservation block, in
 * /reserved-memory or in a second node with that name.
 */
static void malformed_reservation_hides_nothing(struct ktest *test)
{
	static const u64 bases[] = {0x1000, 0x5000, 0x84000000, 0x86000000, 0x88000000};
	struct seen seen = {.test = test};

	begin_tree();
	fdtb_begin(&b, "reserved-memory");
	bus_cells(2, 2);
	fdtb_prop(&b, "ranges", "", 0);
	PUT_NODE("bad", (const char *)NULL, 0, 0x83000000, 0x1000);
	PUT_NODE("good", (const char *)NULL, 0, 0x84000000, 0, 0x1000);
	PUT_NODE("wraps", (const char *)NULL, 0, 0x85000000, UINT32_MAX, UINT32_MAX, 0,
		 0x86000000, 0, 0x1000);
	fdtb_end(&b);
	fdtb_begin(&b, "reserved-memory@1");
	bus_cells(1, 1); /* and no ranges */
	PUT_NODE("own", (const char *)NULL, 0x88000000, 0x1000);
	PUT_NODE("odd", (const char *)NULL, 0x88000000);
	fdtb_end(&b);
	end_tree(test);
	KTEST_EXPECT_EQ(test, fdt_for_each_reserved(&fdt, see_range, &seen), 0);
	expect_ranges(test, &seen, bases, 5);
	KTEST_ASSERT_EQ(test, seen.nr_bad, 4);
	KTEST_EXPECT_STREQ(test, seen.bad_path[0], "");
	KTEST_EXPECT_STREQ(test, seen.bad_path[1], "/reserved-memory/bad");
	KTEST_EXPECT_STREQ(test, seen.bad_path[2], "/reserved-memory/wraps");
	KTEST_EXPECT_STREQ(test, seen.bad_path[3], "/reserved-memory@1/odd");
}

/*
 * If the firmware added a node with the root's cell counts, the parser uses these counts:
 * the unit address shows which counts apply.
 */
static void firmware_keeps_to_the_roots_cells(struct ktest *test)
{
	static const u64 bases[] = {0x80000000, 0x84000000, 0x86000000};
	struct seen seen = {.test = test};

	fdtb_start(&b);
	fdtb_begin(&b, "");
	bus_cells(2, 2);
	fdtb_begin(&b, "reserved-memory");
	bus_cells(1, 1);
	fdtb_prop(&b, "ranges", "", 0);
	PUT_NODE("mmode_resv0@80000000", (const char *)NULL, 0, 0x80000000, 0, 0x40000);
	PUT_NODE("own@84000000", (const char *)NULL, 0x84000000, 0x200000);
	PUT_NODE("sloppy@1", (const char *)NULL, 0x86000000, 0x1000);
	fdtb_end(&b);
	end_tree(test);
	KTEST_EXPECT_EQ(test, fdt_for_each_reserved(&fdt, see_range, &seen), 0);
	expect_ranges(test, &seen, bases, 3);
	KTEST_EXPECT_EQ(test, seen.ranges[0].size, 0x40000);
	KTEST_EXPECT_EQ(test, seen.nr_bad, 0);
}

/* Without size cells the tree would reserve nothing, so the node is malformed. */
static void reservations_without_sizes(struct ktest *test)
{
	struct seen seen = {.test = test};

	fdtb_start(&b);
	fdtb_begin(&b, "");
	fdtb_begin(&b, "reserved-memory");
	bus_cells(2, 0);
	PUT_NODE("nothing", (const char *)NULL, 0, 0x84000000);
	fdtb_end(&b);
	end_tree(test);
	KTEST_EXPECT_EQ(test, fdt_for_each_reserved(&fdt, see_range, &seen), 0);
	KTEST_EXPECT_EQ(test, seen.nr, 0);
	KTEST_EXPECT_EQ(test, seen.nr_bad, 1);
}

/* A status that cannot be read must not free the firmware's memory. */
static void status_that_is_no_string(struct ktest *test)
{
	static const u64 bases[] = {0x84000000};
	struct seen seen = {.test = test};

	fdtb_start(&b);
	fdtb_begin(&b, "");
	fdtb_begin(&b, "reserved-memory");
	bus_cells(1, 1);
	fdtb_begin(&b, "open@84000000");
	fdtb_prop(&b, "status", "disabled", 8);
	fdtb_cells(&b, "reg", 0x84000000, 0x1000);
	fdtb_end(&b);
	fdtb_begin(&b, "closed@85000000");
	fdtb_str(&b, "status", "disabled");
	fdtb_cells(&b, "reg", 0x85000000, 0x1000);
	fdtb_end(&b);
	fdtb_end(&b);
	end_tree(test);
	KTEST_EXPECT_EQ(test, fdt_for_each_reserved(&fdt, see_range, &seen), 0);
	expect_ranges(test, &seen, bases, 1);
	KTEST_EXPECT_EQ(test, seen.nr_bad, 0);
}

/* A hart without a number, or a window that wraps, does not hide the others. */
static void others_behind_malformed_ones(struct ktest *test)
{
	struct seen seen = {.test = test};
	struct fdt_node node;
	struct fdt_range range;

	begin_tree();
	fdtb_begin(&b, "cpus");
	bus_cells(1, 0);
	fdtb_begin(&b, "cpu@1");
	fdtb_str(&b, "device_type", "cpu");
	fdtb_end(&b);
	PUT_NODE("cpu@5", "cpu", 5);
	fdtb_end(&b);
	fdtb_begin(&b, "soc");
	bus_cells(1, 1);
	fdtb_cells(&b, "ranges", 0, UINT32_MAX, 0xfffff000, 0x2000, 0x1000, 0, 0x70000000,
		   0x1000);
	PUT_NODE("uart@1000", (const char *)NULL, 0x1000, 0x10);
	fdtb_end(&b);
	end_tree(test);
	KTEST_EXPECT_EQ(test, fdt_for_each_cpu(&fdt, see_cpu, &seen), 0);
	KTEST_EXPECT_EQ(test, seen.nr, 1);
	KTEST_EXPECT_EQ(test, seen.nr_bad, 1);
	KTEST_EXPECT_STREQ(test, seen.bad_path[0], "/cpus/cpu@1");
	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/soc/uart", &node), 0);
	KTEST_EXPECT_EQ(test, fdt_reg(&node, 0, &range), 0);
	KTEST_EXPECT_EQ(test, range.base, 0x70000000);
}

static const struct ktest_case fdt_malformed_cases[] = {
	KTEST_CASE(malformed_numbers),
	KTEST_CASE(malformed_memory_hides_nothing),
	KTEST_CASE(cut_entry_is_named),
	KTEST_CASE(malformed_reservation_hides_nothing),
	KTEST_CASE(firmware_keeps_to_the_roots_cells),
	KTEST_CASE(reservations_without_sizes),
	KTEST_CASE(status_that_is_no_string),
	KTEST_CASE(others_behind_malformed_ones),
	{},
};
static struct ktest_suite fdt_malformed_suite = {.name = "fdt_malformed",
						 .cases = fdt_malformed_cases};
KTEST_SUITE(fdt_malformed_suite);
