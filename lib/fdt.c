/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flattened device trees: the blob, its nodes and properties. Only read_tag() reads the
 * structure block, and it checks each step, so a walk can't leave the block even if the
 * blob changes after fdt_open(). The strings block is cut after its last terminator,
 * so every offset inside it is a string.
 * Compare with: libfdt. Spec: Devicetree Specification 0.4, chapter 5.
 */
#include "lib/fdt.h"
#include "lib/errno.h"
#include "lib/string.h"

#define FDT_MAGIC 0xd00dfeed

/* Words of the header. */
enum {
	HEADER_MAGIC,
	HEADER_SIZE,
	HEADER_STRUCTS,
	HEADER_STRINGS,
	HEADER_RESERVED,
	HEADER_VERSION,
	HEADER_COMPATIBLE,
	HEADER_BOOT_HART,
	HEADER_STRINGS_LEN,
	HEADER_STRUCTS_LEN, /* from version 17 on */
};

/* Tags are big-endian numbers; these are as a little-endian hart loads them, in one go. */
enum {
	TAG_BEGIN = 1 << 24,
	TAG_END_NODE = 2 << 24,
	TAG_PROP = 3 << 24,
	TAG_NOP = 4 << 24,
	TAG_END = 9 << 24,
};

/* The defaults of a node that does not say otherwise (spec section 2.3.5). */
#define DEFAULT_ADDR_CELLS 2
#define DEFAULT_SIZE_CELLS 1

struct tag {
	u32 kind;
	u32 next;	      /* offset of the following tag */
	const char *name;     /* TAG_BEGIN */
	struct fdt_prop prop; /* TAG_PROP */
};

static u32 be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static u64 be64(const u8 *p)
{
	return (u64)be32(p) << 32 | be32(p + 4);
}

/* The caller has set @tag->kind. */
static bool read_prop(const struct fdt *fdt, u32 offset, struct tag *tag)
{
	u32 room = fdt->structs_end - offset;
	const u8 *p = fdt->blob + offset;
	u32 len, name;

	if (room < 12)
		return false;
	len = be32(p + 4);
	name = be32(p + 8);
	if (len > room - 12 || name >= fdt->strings_end - fdt->strings)
		return false;
	tag->prop.name = (const char *)fdt->blob + fdt->strings + name;
	tag->prop.data = p + 12;
	tag->prop.len = len;
	tag->next = offset + 12 + ALIGN_UP(len, 4);
	return true;
}

static bool read_name(const struct fdt *fdt, u32 offset, struct tag *tag)
{
	u32 room = fdt->structs_end - offset - 4;
	size_t len;

	tag->name = (const char *)fdt->blob + offset + 4;
	len = strnlen(tag->name, room);
	tag->next = offset + 4 + ALIGN_UP((u32)len + 1, 4);
	return len < room;
}

/* Reads the tag at @offset; false if there is none, or it doesn't fit in the block. */
static bool read_tag(const struct fdt *fdt, u32 offset, struct tag *tag)
{
	if (offset >= fdt->structs_end || fdt->structs_end - offset < 4)
		return false;
	tag->kind = *(const u32 *)(const void *)(fdt->blob + offset);
	tag->next = offset + 4;
	switch (tag->kind) {
	case TAG_PROP:
		return read_prop(fdt, offset, tag);
	case TAG_BEGIN:
		return read_name(fdt, offset, tag);
	case TAG_END_NODE:
	case TAG_NOP:
	case TAG_END:
		return true;
	default:
		return false;
	}
}

/*
 * Opening
 */

u32 fdt_blob_size(const void *blob)
{
	u32 size = be32((const u8 *)blob + 4);

	if (be32(blob) != FDT_MAGIC || size > FDT_MAX_SIZE)
		return 0;
	return size;
}

static int fail(const char **why, int err, const char *text)
{
	if (why)
		*why = text;
	return err;
}

static u32 header_word(const struct fdt *fdt, unsigned int word)
{
	return be32(fdt->blob + word * sizeof(u32));
}

/* Magic, version and size; *@header becomes the header's own length. */
static int open_header(struct fdt *fdt, size_t limit, u32 *header, const char **why)
{
	*header = HEADER_STRUCTS_LEN * sizeof(u32);
	if (limit < *header || header_word(fdt, HEADER_MAGIC) != FDT_MAGIC)
		return fail(why, -EINVAL, "not a device tree (wrong magic number)");
	if (header_word(fdt, HEADER_VERSION) < 16 ||
	    header_word(fdt, HEADER_COMPATIBLE) > 17)
		return fail(why, -ENOTSUPP, "the version is neither 16 nor 17");
	if (header_word(fdt, HEADER_VERSION) >= 17)
		*header += sizeof(u32);
	fdt->size = header_word(fdt, HEADER_SIZE);
	if (fdt->size > limit || fdt->size > FDT_MAX_SIZE)
		return fail(why, -E2BIG, "larger than 2 MiB or than the memory that it is in");
	if (fdt->size < *header)
		return fail(why, -EINVAL, "smaller than its own header");
	return 0;
}

/* Reads where a block starts; false if that is not inside, or not aligned. */
static bool open_block(const struct fdt *fdt, unsigned int word, u32 header, u32 align,
		       u32 *start)
{
	*start = header_word(fdt, word);
	return *start >= header && *start <= fdt->size && *start % align == 0;
}

static int open_structs(struct fdt *fdt, u32 header, const char **why)
{
	u32 len;

	if (!open_block(fdt, HEADER_STRUCTS, header, 4, &fdt->structs))
		return fail(why, -EINVAL, "the structure block starts at a wrong place");
	len = fdt->size - fdt->structs;
	if (header > HEADER_STRUCTS_LEN * sizeof(u32))
		len = header_word(fdt, HEADER_STRUCTS_LEN);
	if (len > fdt->size - fdt->structs)
		return fail(why, -EINVAL, "the structure block ends outside");
	fdt->structs_end = fdt->structs + len;
	return 0;
}

static int open_strings(struct fdt *fdt, u32 header, const char **why)
{
	u32 len = header_word(fdt, HEADER_STRINGS_LEN);

	if (!open_block(fdt, HEADER_STRINGS, header, 1, &fdt->strings))
		return fail(why, -EINVAL, "the strings block starts outside");
	if (len > fdt->size - fdt->strings)
		return fail(why, -EINVAL, "the strings block ends outside");
	while (len && fdt->blob[fdt->strings + len - 1])
		len--;
	fdt->strings_end = fdt->strings + len;
	return 0;
}

static int open_reserved(struct fdt *fdt, u32 header, const char **why)
{
	u32 room;

	if (!open_block(fdt, HEADER_RESERVED, header, 8, &fdt->reserved))
		return fail(why, -EINVAL,
			    "the reservation block starts at a wrong place");
	room = (fdt->size - fdt->reserved) / 16;
	for (fdt->nr_reserved = 0; fdt->nr_reserved < room; fdt->nr_reserved++)
		if (!be64(fdt->blob + fdt->reserved + fdt->nr_reserved * 16 + 8))
			return 0;
	return fail(why, -EINVAL, "the memory reservation block has no end");
}

/*
 * Checks that there is one node at the top, that all nodes are closed, and that no
 * property follows a child.
 */
static int check_structs(struct fdt *fdt, const char **why)
{
	u32 last = 0; /* kind of the previous tag, not counting NOPs */
	bool root_closed = false;
	int depth = -1;
	struct tag tag;

	for (u32 at = fdt->structs; read_tag(fdt, at, &tag); at = tag.next) {
		if (tag.kind == TAG_NOP)
			continue;
		if (tag.kind == TAG_END) {
			if (root_closed)
				return 0;
			return fail(why, -EINVAL,
				    depth < 0 ? "no root node" : "an open node");
		}
		if (root_closed || (depth < 0 && tag.kind != TAG_BEGIN))
			return fail(why, -EINVAL,
				    "there is a node or property beside the root node");
		if (tag.kind == TAG_BEGIN && ++depth >= FDT_MAX_DEPTH)
			fdt->nr_too_deep++;
		if (tag.kind == TAG_BEGIN && depth == 0 && *tag.name)
			return fail(why, -EINVAL, "the root node has a name");
		if (tag.kind == TAG_PROP && last == TAG_END_NODE)
			return fail(why, -EINVAL, "a property follows a child node");
		if (tag.kind == TAG_END_NODE)
			root_closed = --depth < 0;
		last = tag.kind;
	}
	return fail(why, -EINVAL,
		    "a broken tag, name or property in the structure block");
}

int fdt_open(struct fdt *fdt, const void *blob, size_t limit, const char **why)
{
	u32 header;
	int err;

	fdt->blob = blob;
	fdt->nr_too_deep = 0;
	err = open_header(fdt, limit, &header, why);
	if (!err)
		err = open_structs(fdt, header, why);
	if (!err)
		err = open_strings(fdt, header, why);
	if (!err)
		err = open_reserved(fdt, header, why);
	if (!err)
		err = check_structs(fdt, why);
	return err;
}

int fdt_reservation(const struct fdt *fdt, unsigned int index, struct fdt_range *range)
{
	const u8 *p = fdt->blob + fdt->reserved + (size_t)index * 16;

	if (index >= fdt->nr_reserved)
		return -ENOENT;
	range->base = be64(p);
	range->size = be64(p + 8);
	return 0;
}

/*
 * Properties
 */

/*
 * Reads the next property from @offset on, and moves @offset past it; false where a
 * node begins or ends.
 */
static bool take_prop(const struct fdt *fdt, u32 *offset, struct fdt_prop *prop)
{
	struct tag tag;

	while (read_tag(fdt, *offset, &tag)) {
		if (tag.kind != TAG_PROP && tag.kind != TAG_NOP)
			break;
		*offset = tag.next;
		if (tag.kind == TAG_PROP) {
			*prop = tag.prop;
			return true;
		}
	}
	return false;
}

static int prop_from(const struct fdt *fdt, u32 offset, const char *name,
		     struct fdt_prop *prop)
{
	while (take_prop(fdt, &offset, prop))
		if (strcmp(prop->name, name) == 0)
			return 0;
	return -ENOENT;
}

int fdt_prop_at(const struct fdt_node *node, int depth, const char *name,
		struct fdt_prop *prop)
{
	return prop_from(node->fdt, node->path[depth].props, name, prop);
}

int fdt_prop(const struct fdt_node *node, const char *name, struct fdt_prop *prop)
{
	return fdt_prop_at(node, node->depth, name, prop);
}

bool fdt_next_prop(const struct fdt_node *node, u32 *cursor, struct fdt_prop *prop)
{
	if (!*cursor)
		*cursor = node->path[node->depth].props;
	return take_prop(node->fdt, cursor, prop);
}

u32 fdt_cell(const struct fdt_prop *prop, u32 index)
{
	return index < prop->len / 4 ? be32(prop->data + (size_t)index * 4) : 0;
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

static int u32_from(const struct fdt *fdt, u32 offset, const char *name, u32 *val)
{
	struct fdt_prop prop;
	int err = prop_from(fdt, offset, name, &prop);

	if (err)
		return err;
	if (prop.len != 4)
		return -EINVAL;
	*val = fdt_cell(&prop, 0);
	return 0;
}

int fdt_u32(const struct fdt_node *node, const char *name, u32 *val)
{
	return u32_from(node->fdt, node->path[node->depth].props, name, val);
}

int fdt_phandle_u32(const struct fdt *fdt, u32 phandle, const char *name, u32 *val)
{
	u32 props = 0; /* of the node that the walk is in */
	struct tag tag;
	u32 first;

	for (u32 at = fdt->structs; read_tag(fdt, at, &tag); at = tag.next) {
		if (tag.kind == TAG_BEGIN)
			props = tag.next;
		if (tag.kind != TAG_PROP || tag.prop.len != 4 ||
		    fdt_cell(&tag.prop, 0) != phandle ||
		    strcmp(tag.prop.name, "phandle") != 0)
			continue;
		/* If a name occurs twice, the first counts, as everywhere. */
		if (!u32_from(fdt, props, "phandle", &first) && first == phandle)
			return u32_from(fdt, props, name, val);
	}
	return -ENOENT;
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

bool fdt_prop_has(const struct fdt_prop *prop, const char *word)
{
	const char *s = (const char *)prop->data, *end = s + prop->len;

	while (s < end) {
		const size_t room = end - s, len = strnlen(s, room);

		if (len < room && strcmp(s, word) == 0)
			return true;
		s += len + 1;
	}
	return false;
}

/*
 * Nodes
 */

static u8 cells_of(const struct fdt_prop *prop)
{
	u32 cells = prop->len == 4 ? fdt_cell(prop, 0) : UINT8_MAX;

	return (u8)min(cells,
		       (u32)UINT8_MAX); /* too many cells for a number: reading fails */
}

/* Moves the cursor to the node of a TAG_BEGIN, at @depth. */
static void enter(struct fdt_node *node, int depth, const struct tag *begin)
{
	struct fdt_level *level = &node->path[depth];
	int addr_cells = -1; /* if a name occurs twice, the first counts */
	int size_cells = -1;
	struct fdt_prop prop;

	node->depth = depth;
	node->name = begin->name;
	node->next = begin->next;
	level->props = begin->next;
	while (take_prop(node->fdt, &node->next, &prop)) {
		if (prop.name[0] != '#')
			continue;
		if (addr_cells < 0 && strcmp(prop.name, "#address-cells") == 0)
			addr_cells = cells_of(&prop);
		if (size_cells < 0 && strcmp(prop.name, "#size-cells") == 0)
			size_cells = cells_of(&prop);
	}
	level->addr_cells = (u8)(addr_cells < 0 ? DEFAULT_ADDR_CELLS : addr_cells);
	level->size_cells = (u8)(size_cells < 0 ? DEFAULT_SIZE_CELLS : size_cells);
}

/*
 * Moves to the next node at a depth in @low..@high, inside the node that encloses depth
 * @low. Skips nodes deeper than FDT_MAX_DEPTH levels.
 */
static bool advance(struct fdt_node *node, int low, int high)
{
	int depth = node->depth;
	struct tag tag;

	for (u32 at = node->next; read_tag(node->fdt, at, &tag); at = tag.next) {
		if (tag.kind == TAG_END)
			break;
		if (tag.kind == TAG_END_NODE && --depth < low - 1)
			break;
		if (tag.kind == TAG_BEGIN && ++depth >= low && depth <= high &&
		    depth < FDT_MAX_DEPTH) {
			enter(node, depth, &tag);
			return true;
		}
	}
	return false;
}

void fdt_root(const struct fdt *fdt, struct fdt_node *node)
{
	*node = (struct fdt_node){.fdt = fdt, .depth = -1, .next = fdt->structs};
	advance(node, 0, 0);
}

bool fdt_next(struct fdt_node *node)
{
	return advance(node, 1, FDT_MAX_DEPTH - 1);
}

bool fdt_first_child(struct fdt_node *node)
{
	return advance(node, node->depth + 1, node->depth + 1);
}

bool fdt_next_sibling(struct fdt_node *node)
{
	return advance(node, node->depth, node->depth);
}

bool fdt_is_available(const struct fdt_node *node)
{
	const char *status = fdt_str(node, "status");

	return !status || strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}
