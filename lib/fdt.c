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

/*
 * Tags, which are big-endian in the blob, as a little-endian hart loads them.
 */
enum {
	TAG_BEGIN = 1 << 24,
	TAG_END_NODE = 2 << 24,
	TAG_PROP = 3 << 24,
	TAG_NOP = 4 << 24,
	TAG_END = 9 << 24,
};

/* The cells of a node without these properties (spec section 2.3.5). */
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

/*
 * Return the tag at @offset; TAG_END after the last tag. No offset comes near UINT32_MAX,
 * because a blob has at most FDT_MAX_SIZE bytes.
 */
static u32 kind_at(const struct fdt *fdt, u32 offset)
{
	if (offset + 4 > fdt->structs_end)
		return TAG_END;
	return *(const u32 *)(const void *)(fdt->blob + offset);
}

/* Read the property at @offset. Return: the offset after it; 0: the property is broken. */
static inline u32 read_prop(const struct fdt *fdt, u32 offset, struct fdt_prop *prop)
{
	const u8 *p = fdt->blob + offset;
	const u32 data = offset + 12;
	u32 len, name;

	if (data > fdt->structs_end)
		return 0;
	len = be32(p + 4);
	name = be32(p + 8);
	if (len > fdt->structs_end - data || name >= fdt->strings_end - fdt->strings)
		return 0;
	prop->name = (const char *)fdt->blob + fdt->strings + name;
	prop->data = p + 12;
	prop->len = len;
	return data + ALIGN_UP(len, 4);
}

/*
 * Return the end of the name at @offset, padding included; 0 if the name has no terminator. A
 * word has a zero byte if subtracting 1 from each byte sets a top bit that was clear.
 */
static u32 name_end(const struct fdt *fdt, u32 offset)
{
	for (; offset + 4 <= fdt->structs_end; offset += 4) {
		const u32 word = *(const u32 *)(const void *)(fdt->blob + offset);

		if ((word - 0x01010101) & ~word & 0x80808080)
			return offset + 4;
	}
	return 0;
}

/* Read the tag at @offset; false if there is none, or it doesn't fit in the block. */
static __always_inline bool read_tag(const struct fdt *fdt, u32 offset, struct tag *tag)
{
	if (offset + 4 > fdt->structs_end)
		return false;
	tag->kind = kind_at(fdt, offset);
	tag->next = offset + 4;
	switch (tag->kind) {
	case TAG_PROP:
		tag->next = read_prop(fdt, offset, &tag->prop);
		return tag->next != 0;
	case TAG_BEGIN:
		tag->name = (const char *)fdt->blob + offset + 4;
		tag->next = name_end(fdt, offset + 4);
		return tag->next != 0;
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

/* Check magic, version and size; set *@header to the header's length. */
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

/* Read the offset of a block; false if it is outside the blob, or not aligned. */
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
		return fail(why, -EINVAL, "the structure block has an invalid offset");
	len = fdt->size - fdt->structs;
	if (header > HEADER_STRUCTS_LEN * sizeof(u32))
		len = header_word(fdt, HEADER_STRUCTS_LEN);
	if (len > fdt->size - fdt->structs)
		return fail(why, -EINVAL, "the structure block ends outside the blob");
	fdt->structs_end = fdt->structs + len;
	return 0;
}

static int open_strings(struct fdt *fdt, u32 header, const char **why)
{
	u32 len = header_word(fdt, HEADER_STRINGS_LEN);

	if (!open_block(fdt, HEADER_STRINGS, header, 1, &fdt->strings))
		return fail(why, -EINVAL, "the strings block starts outside the blob");
	if (len > fdt->size - fdt->strings)
		return fail(why, -EINVAL, "the strings block ends outside the blob");
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
			    "the reservation block has an invalid offset");
	room = (fdt->size - fdt->reserved) / 16;
	for (fdt->nr_reserved = 0; fdt->nr_reserved < room; fdt->nr_reserved++)
		if (!be64(fdt->blob + fdt->reserved + fdt->nr_reserved * 16 + 8))
			return 0;
	return fail(why, -EINVAL, "the memory reservation block has no end");
}

/*
 * The index
 */

struct indexer {
	/*
	 * The index of the newest node at each depth; nodes that are not indexed share the
	 * slot after the last.
	 */
	u16 open[FDT_MAX_DEPTH];
	bool addr_said, size_said; /* if a name occurs twice, the first counts */
};

/* Hash a name by its first two letters. */
static u8 name_hash(const char *name)
{
	return name[0] ? (u8)(name[0] * 5 + name[1]) : 0;
}

static u8 cells_of(const struct fdt_prop *prop)
{
	u32 cells = prop->len == 4 ? fdt_cell(prop, 0) : UINT8_MAX;

	return (u8)min(cells,
		       (u32)UINT8_MAX); /* more cells than a number can have: reading fails */
}

static void index_begin(struct fdt *fdt, struct indexer *ix, int depth, const struct tag *tag)
{
	struct fdt_index_node *node = &fdt->nodes[fdt->nr_nodes];

	ix->open[depth] = (u16)fdt->nr_nodes;
	if (fdt->nr_nodes == FDT_INDEX_NODES)
		fdt->beyond_index = true;
	if (fdt->beyond_index)
		return;
	node->name = (u32)((const u8 *)tag->name - fdt->blob);
	node->level = (struct fdt_level){.props = tag->next,
					 .addr_cells = DEFAULT_ADDR_CELLS,
					 .size_cells = DEFAULT_SIZE_CELLS,
					 .next = (u16)++fdt->nr_nodes};
	node->depth = (u8)depth;
	node[1].first = node->first;
	ix->addr_said = ix->size_said = false;
}

static void index_prop(struct fdt *fdt, struct indexer *ix, u32 at, const struct fdt_prop *prop)
{
	struct fdt_index_node *node;

	if (fdt->beyond_index)
		return;
	node = &fdt->nodes[fdt->nr_nodes - 1];
	if (node[1].first == FDT_INDEX_PROPS) {
		fdt->beyond_index = true;
		fdt->nr_nodes--;
		return;
	}
	fdt->props[node[1].first++] = at << 8 | name_hash(prop->name);
	if (prop->name[0] != '#')
		return;
	if (!ix->addr_said && strcmp(prop->name, "#address-cells") == 0) {
		node->level.addr_cells = cells_of(prop);
		ix->addr_said = true;
	}
	if (!ix->size_said && strcmp(prop->name, "#size-cells") == 0) {
		node->level.size_cells = cells_of(prop);
		ix->size_said = true;
	}
}

/* Add a tag at @at, of a node at @depth, to the index. */
static void index_tag(struct fdt *fdt, struct indexer *ix, int depth, u32 at, const struct tag *tag)
{
	if (depth >= FDT_MAX_DEPTH)
		return;
	if (tag->kind == TAG_PROP)
		index_prop(fdt, ix, at, &tag->prop);
	else if (tag->kind == TAG_BEGIN)
		index_begin(fdt, ix, depth, tag);
	else
		fdt->nodes[ix->open[depth]].behind = (u16)fdt->nr_nodes;
}

/*
 * Check that there is one node at the top, that all nodes are closed, and that no property
 * follows a child. Make the index on the way.
 */
static int check_structs(struct fdt *fdt, const char **why)
{
	u32 last = 0; /* kind of the previous tag, not counting NOPs */
	bool root_closed = false;
	struct indexer ix = {0};
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
		index_tag(fdt, &ix, depth, at, &tag);
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
	fdt->nr_nodes = 0;
	fdt->nodes[0].first = 0;
	fdt->beyond_index = false;
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
 * Read the next property from @offset on, and move @offset past it; false where a
 * node begins or ends.
 */
static bool take_prop(const struct fdt *fdt, u32 *offset, struct fdt_prop *prop)
{
	u32 at = *offset, next, kind;

	while ((kind = kind_at(fdt, at)) == TAG_NOP)
		at += 4;
	if (kind != TAG_PROP)
		return false;
	next = read_prop(fdt, at, prop);
	if (!next)
		return false;
	*offset = next;
	return true;
}

static int prop_from(const struct fdt *fdt, u32 offset, const char *name,
		     struct fdt_prop *prop)
{
	while (take_prop(fdt, &offset, prop))
		if (*prop->name == *name && strcmp(prop->name, name) == 0)
			return 0;
	return -ENOENT;
}

/* Find a property as prop_from() does, for a node in the index. */
static int indexed_prop(const struct fdt *fdt, const struct fdt_index_node *node,
			const char *name, struct fdt_prop *prop)
{
	const u8 hash = name_hash(name);

	for (u32 i = node[0].first; i < node[1].first; i++)
		if ((u8)fdt->props[i] == hash && read_prop(fdt, fdt->props[i] >> 8, prop) &&
		    strcmp(prop->name, name) == 0)
			return 0;
	return -ENOENT;
}

int fdt_prop_at(const struct fdt_node *node, int depth, const char *name,
		struct fdt_prop *prop)
{
	const struct fdt_level *level = &node->path[depth];

	if (level->next)
		return indexed_prop(node->fdt, &node->fdt->nodes[level->next - 1], name, prop);
	return prop_from(node->fdt, level->props, name, prop);
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

/*
 * Nodes
 */

/* Move the cursor to the node of a TAG_BEGIN, at @depth. */
static void enter(struct fdt_node *node, int depth, const struct tag *begin)
{
	struct fdt_level *level = &node->path[depth];
	struct fdt_prop prop;

	node->depth = depth;
	node->name = begin->name;
	node->next = begin->next;
	level->props = begin->next;
	level->next = 0;
	level->addr_cells = DEFAULT_ADDR_CELLS;
	level->size_cells = DEFAULT_SIZE_CELLS;
	if (prop_from(node->fdt, level->props, "#address-cells", &prop) == 0)
		level->addr_cells = cells_of(&prop);
	if (prop_from(node->fdt, level->props, "#size-cells", &prop) == 0)
		level->size_cells = cells_of(&prop);
}

static void enter_indexed(struct fdt_node *node, const struct fdt_index_node *to)
{
	node->depth = to->depth;
	node->name = (const char *)node->fdt->blob + to->name;
	node->next = to->level.props;
	node->path[to->depth] = to->level;
}

/*
 * Move as advance() does, as far as the index reaches. In the index, the children of a node
 * follow the node, so the next node is the target, or there is none.
 * Return: false if the index cannot tell; @found is not set then.
 */
static bool advance_indexed(struct fdt_node *node, int low, int high, bool *found)
{
	const struct fdt *fdt = node->fdt;
	u32 to = 0;

	if (node->depth >= 0) {
		to = node->path[node->depth].next;
		if (to == 0)
			return false;
		if (high == node->depth)
			to = fdt->nodes[to - 1].behind;
	}
	if (to == fdt->nr_nodes && fdt->beyond_index)
		return false;
	*found = to < fdt->nr_nodes && fdt->nodes[to].depth >= low &&
		 fdt->nodes[to].depth <= high;
	if (*found)
		enter_indexed(node, &fdt->nodes[to]);
	return true;
}

/*
 * Move to the next node at a depth in @low..@high, inside the node that encloses depth
 * @low. Skips nodes deeper than FDT_MAX_DEPTH levels.
 */
static bool advance(struct fdt_node *node, int low, int high)
{
	int depth = node->depth;
	struct tag tag;
	bool found;

	if (advance_indexed(node, low, high, &found))
		return found;
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
