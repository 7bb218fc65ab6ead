/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flattened device trees: what every machine's tree says about memory, harts and
 * the chosen console. Spec: Devicetree Specification 0.4, chapter 3; Linux's
 * bindings reserved-memory.yaml and riscv/cpus.yaml.
 */
#include "lib/fdt.h"
#include "lib/ctype.h"
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

/* All ranges of one memory node; -ENOENT is the end of its reg. */
static int visit_memory(const struct fdt_node *node,
			int (*fn)(void *ctx, const struct fdt_range *range), void *ctx)
{
	struct fdt_range range;
	int err = 0;

	for (unsigned int i = 0; !err; i++) {
		err = fdt_reg(node, i, &range);
		if (err)
			return err == -ENOENT ? 0 : err;
		if (range.size)
			err = fn(ctx, &range);
	}
	return err;
}

int fdt_for_each_memory(const struct fdt *fdt,
			int (*fn)(void *ctx, const struct fdt_range *range), void *ctx)
{
	struct fdt_node root, node;
	int err = 0;

	fdt_root(fdt, &root);
	fdt_for_each_subnode(node, &root) {
		if (has_type(&node, "memory") && fdt_is_available(&node))
			err = visit_memory(&node, fn, ctx);
		if (err)
			break;
	}
	return err;
}

static int visit_reserved(const struct fdt_node *node,
			  int (*fn)(void *ctx, const struct fdt_reserved *r), void *ctx)
{
	struct fdt_reserved r = {.kind = FDT_RESERVED_NODE, .name = node->name};
	int err = 0;

	if (has_prop(node, "no-map"))
		r.kind = FDT_RESERVED_NO_MAP;
	for (unsigned int i = 0; !err; i++) {
		err = fdt_reg(node, i, &r.range);
		if (err)
			return err == -ENOENT ? 0 : err;
		if (r.range.size)
			err = fn(ctx, &r);
	}
	return err;
}

static int visit_block(const struct fdt *fdt,
		       int (*fn)(void *ctx, const struct fdt_reserved *r), void *ctx)
{
	struct fdt_reserved r = {.kind = FDT_RESERVED_BLOCK, .name = "memreserve"};
	int err = 0;

	for (unsigned int i = 0; !err && !fdt_reservation(fdt, i, &r.range); i++) {
		if (r.range.base + (r.range.size - 1) < r.range.base)
			return -EOVERFLOW;
		err = fn(ctx, &r);
	}
	return err;
}

int fdt_for_each_reserved(const struct fdt *fdt,
			  int (*fn)(void *ctx, const struct fdt_reserved *r), void *ctx)
{
	struct fdt_node parent, node;
	int err = visit_block(fdt, fn, ctx);

	if (err || fdt_find(fdt, "/reserved-memory", &parent))
		return err;
	fdt_for_each_subnode(node, &parent) {
		if (fdt_is_available(&node))
			err = visit_reserved(&node, fn, ctx);
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
	struct fdt_node cpus;
	struct fdt_range reg;
	struct fdt_cpu cpu;
	int err = 0;

	if (fdt_find(fdt, "/cpus", &cpus))
		return -ENOENT;
	fdt_for_each_subnode(cpu.node, &cpus) {
		if (!has_type(&cpu.node, "cpu") || !fdt_is_available(&cpu.node))
			continue;
		if (fdt_reg_raw(&cpu.node, 0, &reg))
			return -EINVAL;
		cpu.hartid = reg.base;
		cpu.isa = fdt_str(&cpu.node, "riscv,isa");
		cpu.isa_base = fdt_str(&cpu.node, "riscv,isa-base");
		cpu.mmu_type = fdt_str(&cpu.node, "mmu-type");
		cpu.intc = cpu_intc(&cpu.node);
		err = fn(ctx, &cpu);
		if (err)
			break;
	}
	return err;
}

/* Does the part of riscv,isa at @s, up to a _ or the end, spell @ext? */
static bool isa_part_is(const char *s, const char *ext)
{
	for (; *ext; s++, ext++)
		if (tolower(*s) != *ext)
			return false;
	return !*s || *s == '_';
}

/* riscv,isa: "rv64imac" with single letters, then parts such as "_zbb". */
static bool isa_has(const char *isa, const char *ext)
{
	const char *s = isa + min(strlen(isa), strlen("rv64"));

	if (!ext[1]) {
		for (; *s && *s != '_'; s++)
			if (tolower(*s) == *ext)
				return true;
		return false;
	}
	while ((s = strchr(s, '_')))
		if (isa_part_is(++s, ext))
			return true;
	return false;
}

bool fdt_cpu_has(const struct fdt_cpu *cpu, const char *ext)
{
	if (has_prop(&cpu->node, "riscv,isa-extensions"))
		return fdt_str_has(&cpu->node, "riscv,isa-extensions", ext);
	return cpu->isa && isa_has(cpu->isa, ext);
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

int fdt_stdout(const struct fdt *fdt, struct fdt_node *node)
{
	struct fdt_node chosen;
	const char *path;

	if (fdt_find(fdt, "/chosen", &chosen) || !has_prop(&chosen, "stdout-path"))
		return -ENOENT;
	path = fdt_str(&chosen, "stdout-path");
	return path ? fdt_find(fdt, path, node) : -EINVAL;
}
