/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flattened device trees: the interrupt that a device raises, and its controller.
 * Spec: Devicetree Specification 0.4, section 2.4.
 */
#include "lib/fdt.h"
#include "lib/errno.h"

/* Read @nr cells at @at as the specifier; false if there are fewer. */
static bool take_cells(const struct fdt_prop *prop, u32 at, u32 nr, struct fdt_irq *irq)
{
	u32 cells = prop->len / 4;

	if (nr == 0 || nr > FDT_MAX_IRQ_CELLS || at > cells || nr > cells - at)
		return false;
	irq->nr_cells = nr;
	for (u32 i = 0; i < nr; i++)
		irq->cells[i] = fdt_cell(prop, at + i);
	return true;
}

/* Get the interrupt-parent of the node, or of its nearest ancestor that has one. */
static int interrupt_parent(const struct fdt_node *node, u32 *phandle)
{
	struct fdt_prop prop;

	for (int depth = node->depth; depth >= 0; depth--) {
		if (fdt_prop_at(node, depth, "interrupt-parent", &prop))
			continue;
		if (prop.len != 4)
			return -EINVAL;
		*phandle = fdt_cell(&prop, 0);
		return 0;
	}
	return -EINVAL;
}

int fdt_irq(const struct fdt_node *node, struct fdt_irq *irq)
{
	struct fdt_irq found = {0};
	struct fdt_prop prop;
	u32 nr, first = 0;

	if (!fdt_prop(node, "interrupts-extended", &prop)) {
		found.controller = fdt_cell(&prop, 0);
		first = 1;
	} else if (fdt_prop(node, "interrupts", &prop)) {
		return -ENOENT;
	} else if (interrupt_parent(node, &found.controller)) {
		return -EINVAL;
	}
	if (!prop.len)
		return -ENOENT;
	if (fdt_phandle_u32(node->fdt, found.controller, "#interrupt-cells", &nr) ||
	    !take_cells(&prop, first, nr, &found))
		return -EINVAL;
	*irq = found;
	return 0;
}

/*
 * interrupt-map: rows of <child address, pin, controller, address there, specifier>.
 */

struct irq_map {
	const struct fdt *fdt;
	struct fdt_prop rows;
	struct fdt_prop mask; /* len 0: no mask, all bits count */
	u32 addr_cells;
	u32 controller; /* of the previous row; the cell counts below belong to it */
	u32 skip;	/* address cells of that controller */
	u32 nr;		/* its interrupt cells */
};

static int open_map(const struct fdt_node *bus, struct irq_map *map)
{
	u32 pins;

	*map = (struct irq_map){.fdt = bus->fdt};
	if (fdt_prop(bus, "interrupt-map", &map->rows))
		return -ENOENT;
	map->addr_cells = bus->path[bus->depth].addr_cells;
	if (fdt_u32(bus, "#interrupt-cells", &pins) || pins != 1 || !map->addr_cells)
		return -EINVAL;
	if (fdt_prop(bus, "interrupt-map-mask", &map->mask))
		map->mask.len = 0;
	else if (map->mask.len != (map->addr_cells + 1) * 4)
		return -EINVAL;
	return 0;
}

/* Get the cell counts of @controller, which give the length of its rows. */
static int map_controller(struct irq_map *map, u32 controller)
{
	int err;

	if (controller == map->controller && map->nr)
		return 0;
	err = fdt_phandle_u32(map->fdt, controller, "#interrupt-cells", &map->nr);
	if (err || !map->nr || map->nr > FDT_MAX_IRQ_CELLS)
		return -EINVAL;
	err = fdt_phandle_u32(map->fdt, controller, "#address-cells", &map->skip);
	if (err == -ENOENT)
		map->skip = 0;
	else if (err || map->skip > FDT_MAX_IRQ_CELLS)
		return -EINVAL;
	map->controller = controller;
	return 0;
}

static bool row_matches(const struct irq_map *map, u32 at, u32 unit, u32 pin)
{
	u32 unit_mask = map->mask.len ? fdt_cell(&map->mask, 0) : UINT32_MAX;
	u32 pin_mask = map->mask.len ? fdt_cell(&map->mask, map->addr_cells) : UINT32_MAX;

	return ((fdt_cell(&map->rows, at) ^ unit) & unit_mask) == 0 &&
	       ((fdt_cell(&map->rows, at + map->addr_cells) ^ pin) & pin_mask) == 0;
}

int fdt_irq_map(const struct fdt_node *bus, u32 unit, u32 pin, struct fdt_irq *irq)
{
	struct irq_map map;
	u32 cells, at = 0;
	int err = open_map(bus, &map);

	if (err)
		return err;
	cells = map.rows.len / 4;
	while (at < cells) {
		u32 behind_pin = at + map.addr_cells + 1;
		struct fdt_irq found = {0};

		if (behind_pin >= cells ||
		    map_controller(&map, fdt_cell(&map.rows, behind_pin)))
			return -EINVAL;
		if (!take_cells(&map.rows, behind_pin + 1 + map.skip, map.nr, &found))
			return -EINVAL;
		if (row_matches(&map, at, unit, pin)) {
			found.controller = map.controller;
			*irq = found;
			return 0;
		}
		at = behind_pin + 1 + map.skip + map.nr;
	}
	return -ENOENT;
}
