/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flattened device trees: nodes by path.
 */
#include "lib/fdt.h"
#include "lib/ctype.h"
#include "lib/errno.h"
#include "lib/string.h"

/* Check whether the node's name is @name[0..len), with or without the unit address. */
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

int fdt_find(const struct fdt *fdt, const char *path, struct fdt_node *node)
{
	fdt_root(fdt, node);
	if (*path != '/')
		return -ENOENT;
	for (;;) {
		const char *end;

		while (*path == '/')
			path++;
		if (!*path)
			return 0;
		end = strchr(path, '/');
		if (!end)
			end = path + strlen(path);
		if (!find_child(node, path, end - path))
			return -ENOENT;
		path = end;
	}
}

bool fdt_is_called(const struct fdt_node *node, const char *name)
{
	return is_called(node, name, strlen(name));
}

/*
 * Append as much as fits; a byte that is not printable becomes "?", so that it cannot control
 * a terminal.
 */
static size_t append(char *buf, size_t at, size_t size, const char *text)
{
	for (; *text && at + 1 < size; text++)
		buf[at++] = isprint(*text) ? *text : '?';
	return at;
}

void fdt_path(const struct fdt_node *node, char *buf, size_t size)
{
	const char *names[FDT_MAX_DEPTH];
	struct fdt_node at;
	size_t len = 0;

	fdt_root(node->fdt, &at);
	do
		names[at.depth] = at.name;
	while (at.name != node->name && fdt_next(&at));
	for (int depth = 1; depth <= node->depth; depth++) {
		len = append(buf, len, size, "/");
		len = append(buf, len, size, names[depth]);
	}
	if (node->depth == 0)
		len = append(buf, len, size, "/");
	buf[len] = '\0';
}
