/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flattened device trees: nodes by path, alias and phandle.
 */
#include "lib/fdt.h"
#include "lib/errno.h"
#include "lib/string.h"

/* Is the node called @name[0..len), where the unit address may be left out? */
static bool is_called(const struct fdt_node *node, const char *name, size_t len)
{
	if (strncmp(node->name, name, len) != 0)
		return false;
	return !node->name[len] || (node->name[len] == '@' && !memchr(name, '@', len));
}

static bool find_child(struct fdt_node *node, const char *name, size_t len)
{
	if (!fdt_first_child(node))
		return false;
	while (!is_called(node, name, len))
		if (!fdt_next_sibling(node))
			return false;
	return true;
}

/* Length of a part of a path. */
static size_t part_len(const char *path)
{
	size_t n = 0;

	while (path[n] && path[n] != '/' && path[n] != ':')
		n++;
	return n;
}

/* Follows @path down from @node. */
static int descend(struct fdt_node *node, const char *path)
{
	for (;;) {
		size_t len;

		while (*path == '/')
			path++;
		len = part_len(path);
		if (!len)
			return 0;
		if (!find_child(node, path, len))
			return -ENOENT;
		path += len;
	}
}

/* Goes where /aliases says for @name[0..len); an alias is a full path, not another alias. */
static int follow_alias(struct fdt_node *node, const char *name, size_t len)
{
	struct fdt_node aliases = *node; /* the root */
	struct fdt_prop prop;
	u32 cursor = 0;

	if (!find_child(&aliases, "aliases", strlen("aliases")))
		return -ENOENT;
	while (fdt_next_prop(&aliases, &cursor, &prop)) {
		const char *path = (const char *)prop.data;

		if (strncmp(prop.name, name, len) != 0 || prop.name[len])
			continue;
		if (strnlen(path, prop.len) == prop.len || *path != '/')
			return -EINVAL;
		return descend(node, path);
	}
	return -ENOENT;
}

int fdt_find(const struct fdt *fdt, const char *path, struct fdt_node *node)
{
	size_t len;
	int err;

	fdt_root(fdt, node);
	if (*path == '/')
		return descend(node, path);
	len = part_len(path);
	err = follow_alias(node, path, len);
	return err ? err : descend(node, path + len);
}

int fdt_find_phandle(const struct fdt *fdt, u32 phandle, struct fdt_node *node)
{
	u32 val;

	fdt_root(fdt, node);
	do {
		if (!fdt_u32(node, "phandle", &val) && val == phandle)
			return 0;
	} while (fdt_next(node));
	return -ENOENT;
}
