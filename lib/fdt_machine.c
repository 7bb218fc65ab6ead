/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flattened device trees: what every machine's tree says about memory, harts and
 * the command line. Spec: Devicetree Specification 0.4, chapter 3; Linux's
 * bindings reserved-memory.yaml and riscv/cpus.yaml.
 */
#include "lib/fdt.h"
#include "lib/errno.h"
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

/* All ranges of one node that are not empty; -ENOENT is the end of its reg. */
static int visit_reg(const struct fdt_node *node, fdt_range_fn *fn, void *ctx)
{
	const bool no_map = has_prop(node, "no-map");
	struct fdt_range range;
	int err = 0;

	for (unsigned int i = 0; !err; i++) {
		err = fdt_reg(node, i, &range);
		if (err)
			return err == -ENOENT ? 0 : err;
		if (range.size)
			err = fn(ctx, &range, no_map);
	}
	return err;
}

int fdt_for_each_memory(const struct fdt *fdt, fdt_range_fn *fn, void *ctx)
{
	struct fdt_node root, node;
	int err = 0;

	fdt_root(fdt, &root);
	fdt_for_each_subnode(node, &root) {
		if (has_type(&node, "memory") && fdt_is_available(&node))
			err = visit_reg(&node, fn, ctx);
		if (err)
			break;
	}
	return err;
}

static int visit_block(const struct fdt *fdt, fdt_range_fn *fn, void *ctx)
{
	struct fdt_range range;
	int err = 0;

	for (unsigned int i = 0; !err && !fdt_reservation(fdt, i, &range); i++) {
		if (range.base + (range.size - 1) < range.base)
			return -EOVERFLOW;
		err = fn(ctx, &range, false);
	}
	return err;
}

int fdt_for_each_reserved(const struct fdt *fdt, fdt_range_fn *fn, void *ctx)
{
	struct fdt_node parent, node;
	int err = visit_block(fdt, fn, ctx);

	if (err || fdt_find(fdt, "/reserved-memory", &parent))
		return err;
	fdt_for_each_subnode(node, &parent) {
		if (fdt_is_available(&node))
			err = visit_reg(&node, fn, ctx);
		if (err)
			break;
	}
	return err;
}

/* Phandle of the interrupt controller that sits in a cpu node; 0 if none. */
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
	struct fdt_range reg;
	struct fdt_cpu cpu;
	int err = 0;

	if (fdt_find(fdt, "/cpus", &cpus))
		return -ENOENT;
	fdt_for_each_subnode(node, &cpus) {
		if (!has_type(&node, "cpu") || !fdt_is_available(&node))
			continue;
		if (fdt_reg_raw(&node, 0, &reg))
			return -EINVAL;
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
	const char *args = NULL;

	if (!fdt_find(fdt, "/chosen", &chosen))
		args = fdt_str(&chosen, "bootargs");
	return args ? args : "";
}
