/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flattened device trees: the values of properties, as numbers or strings.
 * Spec: Devicetree Specification 0.4, section 2.2.4.
 */
#include "lib/fdt.h"
#include "lib/errno.h"
#include "lib/string.h"

u32 fdt_cell(const struct fdt_prop *prop, u32 index)
{
	const u8 *p = prop->data + (size_t)index * 4;

	if (index >= prop->len / 4)
		return 0;
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

int fdt_number(const struct fdt_prop *prop, u32 cell, u32 nr_cells, u64 *val)
{
	u32 cells = prop->len / 4;
	u64 sum = 0;

	if (nr_cells > cells || cell > cells - nr_cells)
		return -EINVAL;
	for (u32 i = 0; i < nr_cells; i++) {
		if (sum >> 32)
			return -EOVERFLOW;
		sum = sum << 32 | fdt_cell(prop, cell + i);
	}
	*val = sum;
	return 0;
}

int fdt_u32(const struct fdt_node *node, const char *name, u32 *val)
{
	struct fdt_prop prop;
	int err = fdt_prop(node, name, &prop);

	if (err)
		return err;
	if (prop.len != 4)
		return -EINVAL;
	*val = fdt_cell(&prop, 0);
	return 0;
}

int fdt_u64(const struct fdt_node *node, const char *name, u64 *val)
{
	struct fdt_prop prop;
	int err = fdt_prop(node, name, &prop);

	if (err)
		return err;
	if (prop.len != 4 && prop.len != 8)
		return -EINVAL;
	return fdt_number(&prop, 0, prop.len / 4, val);
}

const char *fdt_str(const struct fdt_node *node, const char *name)
{
	struct fdt_prop prop;
	const char *s;

	if (fdt_prop(node, name, &prop))
		return NULL;
	s = (const char *)prop.data;
	return strnlen(s, prop.len) < prop.len ? s : NULL;
}

const char *fdt_next_str(const struct fdt_prop *prop, const char *last)
{
	const char *s = (const char *)prop->data, *end = s + prop->len;

	if (last)
		s = last + strlen(last) + 1;
	return memchr(s, 0, (size_t)(end - s)) ? s : NULL;
}

bool fdt_is_available(const struct fdt_node *node)
{
	const char *status = fdt_str(node, "status");

	return !status || strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}
