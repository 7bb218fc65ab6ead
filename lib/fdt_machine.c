/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flattened device trees: memory, harts and command line, which every machine's tree has.
 * Spec: Devicetree Specification 0.4, chapter 3; Linux's bindings reserved-memory.yaml and
 * riscv/cpus.yaml.
 */
#include "lib/fdt.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"

static bool has_type(const struct fdt_node *node, const char *type)
{
	const char *s = fdt_str(node, "device_type");

	return s && strcmp(s, type) == 0;
}

static bool has_prop(const struct fdt_node *node, const char *name)
{
	struct fdt_prop prop;

	return fdt_prop(node, name, &prop) == 0;
}

/*
 * Read an entry of a reservation; fail if the property "ranges" would change its address.
 * OpenSBI adds sibling nodes with CPU addresses, which must not be translated, and no property
 * tells the two kinds of node apart.
 */
static int reserved_reg(const struct fdt_node *node, unsigned int index, struct fdt_range *range)
{
	struct fdt_range moved;
	struct fdt_prop ranges;
	const int err = fdt_reg_raw(node, index, range);

	if (err || fdt_prop_at(node, node->depth - 1, "ranges", &ranges) || !ranges.len)
		return err;
	return !fdt_reg(node, index, &moved) && moved.base == range->base ? 0 : -EINVAL;
}

/* fdt_reg(), or a function like it. */
typedef int reg_reader(const struct fdt_node *node, unsigned int index,
		       struct fdt_range *range);

/* Visit all entries of one node's reg that are not empty; @read reads each of them. */
static int visit_reg(const struct fdt_node *node, reg_reader *read, fdt_entry_fn *fn,
		     void *ctx)
{
	const struct fdt_level *bus = &node->path[node->depth - 1];
	struct fdt_entry entry = {.node = node, .no_map = has_prop(node, "no-map")};
	const int nr = fdt_reg_count(node);
	int err = 0;

	if (nr <= 0 || !bus->addr_cells || !bus->size_cells) {
		entry.err = nr < 0 ? nr : -EINVAL;
		return fn(ctx, &entry);
	}
	for (; !err && entry.index < (unsigned int)nr; entry.index++) {
		entry.range = (struct fdt_range){0};
		entry.err = read(node, entry.index, &entry.range);
		if (entry.err || entry.range.size)
			err = fn(ctx, &entry);
	}
	return err;
}

int fdt_for_each_memory(const struct fdt *fdt, fdt_entry_fn *fn, void *ctx)
{
	struct fdt_node root, node;
	int err = 0;

	fdt_root(fdt, &root);
	fdt_for_each_subnode(node, &root) {
		const struct fdt_entry untyped = {.node = &node, .err = -EINVAL};

		if (!fdt_is_available(&node))
			continue;
		if (has_type(&node, "memory"))
			err = visit_reg(&node, fdt_reg, fn, ctx);
		else if (fdt_is_called(&node, "memory"))
			err = fn(ctx, &untyped);
		if (err)
			break;
	}
	return err;
}

static int visit_block(const struct fdt *fdt, fdt_entry_fn *fn, void *ctx)
{
	struct fdt_entry entry = {0};
	int err = 0;

	for (; !err && !fdt_reservation(fdt, entry.index, &entry.range); entry.index++) {
		if (entry.range.base + (entry.range.size - 1) < entry.range.base)
			entry.err = -EOVERFLOW;
		err = fn(ctx, &entry);
		entry.err = 0;
	}
	return err;
}

/*
 * Check whether reg, read with the cursor's cell counts, starts at the node's unit address and
 * ends with a whole entry.
 */
static bool starts_at_unit(const struct fdt_node *node)
{
	const char *at = strchr(node->name, '@');
	struct fdt_range range, last;
	char hex[20] = "0x";
	u64 unit;

	if (!at || strscpy(hex + 2, at + 1, sizeof(hex) - 2) < 0 || kstrtou64(hex, 16, &unit))
		return false;
	return fdt_reg_raw(node, 0, &range) == 0 && range.size && range.base == unit &&
	       fdt_reg_raw(node, (u32)fdt_reg_count(node) - 1, &last) != -EINVAL;
}

/*
 * Choose the cell counts of a reservation. OpenSBI adds its nodes with the root's cell counts
 * and ignores those of /reserved-memory (lib/utils/fdt/fdt_fixup.c). The unit address tells
 * which counts a node uses.
 */
static void settle_cells(struct fdt_node *node)
{
	struct fdt_node as_root = *node;
	struct fdt_level *bus = &as_root.path[node->depth - 1];

	bus->addr_cells = node->path[0].addr_cells;
	bus->size_cells = node->path[0].size_cells;
	if (!starts_at_unit(node) && starts_at_unit(&as_root))
		*node = as_root;
}

static int visit_reserved(const struct fdt_node *parent, fdt_entry_fn *fn, void *ctx)
{
	struct fdt_node child, node;
	int err = 0;

	fdt_for_each_subnode(child, parent) {
		if (!has_prop(&child, "reg") || !fdt_is_available(&child))
			continue;
		node = child;
		settle_cells(&node);
		err = visit_reg(&node, reserved_reg, fn, ctx);
		if (err)
			break;
	}
	return err;
}

int fdt_for_each_reserved(const struct fdt *fdt, fdt_entry_fn *fn, void *ctx)
{
	struct fdt_node root, node;
	int err = visit_block(fdt, fn, ctx);

	fdt_root(fdt, &root);
	fdt_for_each_subnode(node, &root) {
		if (err)
			break;
		if (fdt_is_called(&node, "reserved-memory"))
			err = visit_reserved(&node, fn, ctx);
	}
	return err;
}

/* Get the phandle of the interrupt controller in a cpu node; 0 if there is none. */
static u32 cpu_intc(const struct fdt_node *cpu)
{
	struct fdt_node child;
	u32 phandle;

	fdt_for_each_subnode(child, cpu) {
		if (has_prop(&child, "interrupt-controller") &&
		    !fdt_u32(&child, "phandle", &phandle))
			return phandle;
	}
	return 0;
}

int fdt_for_each_cpu(const struct fdt *fdt,
		     int (*fn)(void *ctx, const struct fdt_cpu *cpu), void *ctx)
{
	struct fdt_node cpus, node;
	struct fdt_range reg = {0};
	struct fdt_cpu cpu;
	int err = 0;

	if (fdt_find(fdt, "/cpus", &cpus))
		return -ENOENT;
	fdt_for_each_subnode(node, &cpus) {
		if (!has_type(&node, "cpu") || !fdt_is_available(&node))
			continue;
		cpu = (struct fdt_cpu){.node = &node};
		cpu.err = fdt_reg_raw(&node, 0, &reg);
		cpu.hartid = reg.base;
		cpu.intc = cpu_intc(&node);
		err = fn(ctx, &cpu);
		if (err)
			break;
	}
	return err;
}

int fdt_timebase(const struct fdt *fdt, u64 *hz)
{
	struct fdt_node cpus, cpu;
	u64 found = 0;
	int err;

	if (fdt_find(fdt, "/cpus", &cpus))
		return -ENOENT;
	err = fdt_u64(&cpus, "timebase-frequency", &found);
	cpu = cpus;
	if (err == -ENOENT && fdt_first_child(&cpu))
		err = fdt_u64(&cpu, "timebase-frequency", &found);
	if (err)
		return err;
	if (!found)
		return -EINVAL;
	*hz = found;
	return 0;
}

const char *fdt_bootargs(const struct fdt *fdt)
{
	struct fdt_node chosen;

	if (fdt_find(fdt, "/chosen", &chosen) || !has_prop(&chosen, "bootargs"))
		return "";
	return fdt_str(&chosen, "bootargs");
}
