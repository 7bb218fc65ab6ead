/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flattened device trees: reg and ranges, and the translation of a bus address into a
 * CPU address. Spec: Devicetree Specification 0.4, sections 2.3.6 and 2.3.8.
 */
#include "lib/fdt.h"
#include "lib/errno.h"

#define PCI_ADDR_CELLS 3 /* phys.hi (flags), phys.mid, phys.lo */

/* Count the entries of @cells cells in a property; -EINVAL if its length does not fit. */
static int nr_entries(const struct fdt_prop *prop, u32 cells)
{
	if (!cells || prop->len % (cells * 4))
		return -EINVAL;
	return (int)(prop->len / (cells * 4));
}

static bool wraps(u64 base, u64 size)
{
	return size && base + (size - 1) < base;
}

static u32 reg_cells(const struct fdt_level *bus)
{
	return bus->addr_cells + bus->size_cells;
}

static const struct fdt_level *bus_of(const struct fdt_node *node)
{
	return &node->path[node->depth ? node->depth - 1 : 0];
}

/* Count the entries of reg, including an incomplete last entry. */
static int nr_reg_entries(const struct fdt_prop *reg, u32 stride)
{
	return stride ? (int)DIV_ROUND_UP(reg->len, (u64)stride * 4) : -EINVAL;
}

int fdt_reg_count(const struct fdt_node *node)
{
	struct fdt_prop prop;
	const int err = fdt_prop(node, "reg", &prop);

	return err ? err : nr_reg_entries(&prop, reg_cells(bus_of(node)));
}

int fdt_reg_raw(const struct fdt_node *node, unsigned int index, struct fdt_range *range)
{
	const struct fdt_level *bus = bus_of(node);
	u32 stride = reg_cells(bus);
	struct fdt_range found;
	struct fdt_prop prop;
	int err, nr;

	err = fdt_prop(node, "reg", &prop);
	if (err)
		return err;
	nr = nr_reg_entries(&prop, stride);
	if (nr < 0)
		return nr;
	if (index >= (unsigned int)nr)
		return -ENOENT;
	if ((index + 1ULL) * stride * 4 > prop.len)
		return -EINVAL; /* cut */
	err = fdt_number(&prop, index * stride, bus->addr_cells, &found.base);
	if (!err)
		err = fdt_number(&prop, index * stride + bus->addr_cells, bus->size_cells,
				 &found.size);
	if (!err && wraps(found.base, found.size))
		err = -EOVERFLOW;
	if (!err)
		*range = found;
	return err;
}

/* Read an entry of the ranges of the node at @depth (at least 1), untranslated. */
static int read_window(const struct fdt_node *node, int depth,
		       const struct fdt_prop *prop, unsigned int index,
		       struct fdt_window *window)
{
	const struct fdt_level *bus = &node->path[depth];
	u32 parent_cells = node->path[depth - 1].addr_cells;
	u32 stride = bus->addr_cells + parent_cells + bus->size_cells;
	u32 flags = bus->addr_cells == PCI_ADDR_CELLS;
	int nr = nr_entries(prop, stride);
	u32 cell = index * stride;
	int err;

	if (nr < 0)
		return nr;
	if (index >= (unsigned int)nr)
		return -ENOENT;
	window->flags = flags ? fdt_cell(prop, cell) : 0;
	err = fdt_number(prop, cell + flags, bus->addr_cells - flags, &window->child);
	cell += bus->addr_cells;
	if (!err)
		err = fdt_number(prop, cell, parent_cells, &window->parent);
	if (!err)
		err = fdt_number(prop, cell + parent_cells, bus->size_cells,
				 &window->size);
	if (!err &&
	    (wraps(window->child, window->size) || wraps(window->parent, window->size)))
		err = -EOVERFLOW;
	return err;
}

static bool contains(const struct fdt_window *w, const struct fdt_range *r)
{
	return r->base >= w->child && r->base - w->child <= w->size &&
	       r->size <= w->size - (r->base - w->child);
}

/* Translate addresses on the bus at @depth into addresses on its parent's bus. */
static int translate_once(const struct fdt_node *node, int depth, struct fdt_range *range)
{
	struct fdt_window window;
	struct fdt_prop prop;

	if (fdt_prop_at(node, depth, "ranges", &prop))
		return -EINVAL; /* no address on this bus has an address on the parent's */
	if (!prop.len)
		return 0; /* the same addresses on both sides */
	for (unsigned int i = 0;; i++) {
		int err = read_window(node, depth, &prop, i, &window);

		if (err == -ENOENT || err == -EINVAL)
			return -EINVAL;
		if (!err && contains(&window, range)) {
			range->base = window.parent + (range->base - window.child);
			return 0;
		}
	}
}

/*
 * Translate addresses on the bus at @depth into the CPU's, which are those of the
 * root's bus.
 */
static int translate(const struct fdt_node *node, int depth, struct fdt_range *range)
{
	int err = 0;

	for (; depth > 0 && !err; depth--)
		err = translate_once(node, depth, range);
	return err;
}

int fdt_reg(const struct fdt_node *node, unsigned int index, struct fdt_range *range)
{
	struct fdt_range found;
	int err = fdt_reg_raw(node, index, &found);

	if (!err)
		err = translate(node, node->depth - 1, &found);
	if (!err)
		*range = found;
	return err;
}

int fdt_bus_range(const struct fdt_node *bus, unsigned int index,
		  struct fdt_window *window)
{
	struct fdt_window found;
	struct fdt_range parent;
	struct fdt_prop prop;
	int err;

	if (!bus->depth)
		return -ENOENT; /* the root's bus is the CPU's */
	err = fdt_prop(bus, "ranges", &prop);
	if (err || !prop.len)
		return -ENOENT;
	err = read_window(bus, bus->depth, &prop, index, &found);
	if (err)
		return err;
	parent = (struct fdt_range){found.parent, found.size};
	err = translate(bus, bus->depth - 1, &parent);
	if (err)
		return err;
	found.parent = parent.base;
	*window = found;
	return 0;
}
