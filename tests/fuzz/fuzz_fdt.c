/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares lib/fdt with Debian's libfdt. An input that starts with the magic number is
 * a blob; any other input is a list of choices from which a well-formed blob is made,
 * so that the fuzzer reaches both the checks and the code after them. If both accept a
 * blob, they must read it alike, node by node and property by property.
 */
#include "tests/fuzz/fuzz.h"
#include <libfdt.h>
#include <string.h>

#undef fdt_for_each_subnode
#include "lib/errno.h"
#include "lib/fdt.h"

#define BLOB_MAX 8192

/*
 * Making a blob
 */

static const char *const prop_names[] = {
	"reg",
	"ranges",
	"#address-cells",
	"#size-cells",
	"phandle",
	"interrupts",
	"interrupts-extended",
	"interrupt-parent",
	"#interrupt-cells",
	"interrupt-map",
	"interrupt-map-mask",
	"interrupt-controller",
	"compatible",
	"status",
	"device_type",
	"stdout-path",
	"bootargs",
	"riscv,isa",
	"riscv,isa-extensions",
	"serial0",
	"timebase-frequency",
	"no-map",
	"other",
};
static const char *const node_names[] = {
	"soc",
	"cpus",
	"cpu@0",
	"memory@80000000",
	"chosen",
	"aliases",
	"reserved-memory",
	"a",
	"a@1",
	"b",
	"interrupt-controller",
	"",
};
static const char *const values[] = {
	"okay",		  "disabled",	       "cpu", "memory", "x\0y", "/soc/a@1",
	"serial0:115200", "rv64imac_zbb_sstc", "/a",  "zbb",
};

struct maker {
	u8 *at, *end;
	u32 name_off[ARRAY_SIZE(prop_names)];
};

static void put32(struct maker *m, u32 val)
{
	if (m->end - m->at < 4)
		return;
	for (int i = 0; i < 4; i++)
		*m->at++ = (u8)(val >> (24 - 8 * i));
}

static void put_bytes(struct maker *m, const void *p, size_t n)
{
	if ((size_t)(m->end - m->at) < n + 4)
		return;
	memcpy(m->at, p, n);
	for (m->at += n; n % 4; n++)
		*m->at++ = 0;
}

static void put_prop(struct maker *m, struct choices *c)
{
	unsigned int which = take_below(c, ARRAY_SIZE(prop_names));
	unsigned int cells = take_below(c, 10);

	if (m->end - m->at < 128)
		return;
	put32(m, FDT_PROP);
	if (cells == 9) {
		const char *text = values[take_below(c, ARRAY_SIZE(values))];

		put32(m, (u32)strlen(text) + 1);
		put32(m, m->name_off[which]);
		put_bytes(m, text, strlen(text) + 1);
		return;
	}
	put32(m, cells * 4);
	put32(m, m->name_off[which]);
	while (cells--)
		put32(m, take_below(c, 8) ? take_below(c, 6) : (u32)take_bytes(c, 4));
}

static void put_structs(struct maker *m, struct choices *c)
{
	int depth = 1;

	put32(m, FDT_BEGIN_NODE);
	put32(m, 0);
	while (c->size && depth && m->end - m->at > 512) {
		unsigned int op = take_below(c, 8);

		if (op == 0) {
			const char *name =
				node_names[take_below(c, ARRAY_SIZE(node_names))];

			put32(m, FDT_BEGIN_NODE);
			put_bytes(m, name, strlen(name) + 1);
			depth++;
		} else if (op == 1 && depth > 1) {
			put32(m, FDT_END_NODE);
			depth--;
		} else if (op == 2) {
			put32(m, FDT_NOP);
		} else {
			put_prop(m, c);
		}
	}
	for (; depth && depth < 100; depth--)
		put32(m, FDT_END_NODE);
	put32(m, FDT_END);
}

static size_t make_blob(u8 *blob, struct choices *c)
{
	struct maker m = {.at = blob + 40, .end = blob + BLOB_MAX};
	unsigned int nr_reserved = take_below(c, 3);
	struct maker header = {.at = blob, .end = blob + 40};
	u32 strings, structs, strings_len = 0;

	while (nr_reserved--) {
		put32(&m, 0), put32(&m, take_byte(c));
		put32(&m, 0), put32(&m, 1 + take_byte(c));
	}
	put32(&m, 0), put32(&m, 0), put32(&m, 0), put32(&m, 0);
	strings = (u32)(m.at - blob);
	for (size_t i = 0; i < ARRAY_SIZE(prop_names); i++) {
		m.name_off[i] = strings_len;
		strcpy((char *)blob + strings + strings_len, prop_names[i]);
		strings_len += (u32)strlen(prop_names[i]) + 1;
	}
	structs = ALIGN_UP(strings + strings_len, 8);
	m.at = blob + structs;
	put_structs(&m, c);
	put32(&header, FDT_MAGIC), put32(&header, (u32)(m.at - blob));
	put32(&header, structs), put32(&header, strings), put32(&header, 40);
	put32(&header, 17), put32(&header, 16), put32(&header, 0);
	put32(&header, strings_len), put32(&header, (u32)(m.at - blob) - structs);
	return (size_t)(m.at - blob);
}

/*
 * Comparing
 */

/* May ebb refuse a blob for this reason although libfdt accepts it? */
static bool may_refuse(int err, const char *why)
{
	static const char *const reasons[] = {
		"a property follows a child node",
		"no root node",
		"the structure block has an invalid offset", /* not aligned */
		"the reservation block has an invalid offset",
	};

	if (err == -E2BIG || err == -ENOTSUPP)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (strcmp(why, reasons[i]) == 0)
			return true;
	return false;
}

/*
 * libfdt 1.6 adds a property's length without an overflow check, and goes backwards over a
 * length of nearly 2^32; ebb refuses such a length.
 */
static bool has_huge_length(const u8 *blob, size_t size)
{
	for (size_t at = 0; at + 8 <= size; at += 4)
		if (fdt32_ld((const void *)(blob + at)) == FDT_PROP &&
		    blob[at + 4] >= 0x80)
			return true;
	return false;
}

static void compare_props(const void *blob, int offset, const struct fdt_node *node)
{
	struct fdt_prop prop;
	u32 cursor = 0;
	int at;

	for (at = fdt_first_property_offset(blob, offset); at >= 0;
	     at = fdt_next_property_offset(blob, at)) {
		const char *name;
		int len;
		const void *data = fdt_getprop_by_offset(blob, at, &name, &len);
		struct fdt_prop again;

		CHECK(fdt_next_prop(node, &cursor, &prop), "property %s is missing",
		      name);
		CHECK(prop.data == data && prop.len == (u32)len && prop.name == name,
		      "property %s, libfdt %s", prop.name, name);
		CHECK(!fdt_prop(node, name, &again) &&
			      again.data == fdt_getprop(blob, offset, name, NULL),
		      "property %s is not found by name", name);
	}
	CHECK(!fdt_next_prop(node, &cursor, &prop), "property %s is one too many", prop.name);
}

static void compare_reg(const void *blob, int offset, const struct fdt_node *node)
{
	int parent = fdt_parent_offset(blob, offset);
	int len, ac, sc;
	const u8 *reg = fdt_getprop(blob, offset, "reg", &len);
	struct fdt_range range;
	int err = fdt_reg_raw(node, 0, &range);

	CHECK(reg || err == -ENOENT, "reg appeared: %d", err);
	if (!reg || parent < 0)
		return;
	ac = fdt_address_cells(blob, parent);
	sc = fdt_size_cells(blob, parent);
	if (ac < 1 || ac > 2 || sc < 0 || sc > 2 || len < (ac + sc) * 4 ||
	    len % ((ac + sc) * 4))
		return;
	u64 base = ac == 1 ? fdt32_ld((const void *)reg) : fdt64_ld((const void *)reg);
	u64 size = sc == 0   ? 0
		   : sc == 1 ? fdt32_ld((const void *)(reg + ac * 4))
			     : fdt64_ld((const void *)(reg + ac * 4));

	if (size && base + size - 1 < base)
		CHECK(err == -EOVERFLOW, "a wrapping reg: %d", err);
	else
		CHECK(!err && range.base == base && range.size == size,
		      "reg %d %lx+%lx, libfdt %lx+%lx", err, range.base, range.size, base,
		      size);
}

static void compare_path(const struct fdt_node *node, const char *want)
{
	char path[512], small[8];

	fdt_path(node, path, sizeof(path));
	for (size_t i = 0; i <= strlen(want); i++)
		CHECK(path[i] == want[i] || path[i] == '?', "path %s, libfdt %s", path, want);
	fdt_path(node, small, sizeof(small));
	CHECK(strlen(small) < sizeof(small) && !strncmp(small, path, strlen(small)),
	      "this path was cut: %s", small);
}

/* Is a word in a list of strings? libfdt must say the same. */
static bool in_list(const struct fdt_prop *prop, const char *word)
{
	const char *text = NULL;

	do
		text = fdt_next_str(prop, text);
	while (text && strcmp(text, word));
	CHECK(fdt_stringlist_contains((const char *)prop->data, (int)prop->len, word) == !!text,
	      "string %s", word);
	return text;
}

/* Path, phandle and compatible must lead both libraries to the same node. */
static void compare_finders(const void *blob, int offset, const struct fdt *fdt,
			    const struct fdt_node *node)
{
	char path[512];
	struct fdt_node found;
	struct fdt_prop prop;
	u32 phandle;
	int there;
	const char *word = fdt_str(node, "compatible");

	if (!fdt_get_path(blob, offset, path, sizeof(path)) && !strchr(path, ':')) {
		int err = fdt_find(fdt, path, &found);

		compare_path(node, path);
		there = fdt_path_offset(blob, path);
		CHECK((there >= 0) == !err, "path %s: %d, libfdt %d", path, err, there);
		CHECK(err || found.name == fdt_get_name(blob, there, NULL), "path %s",
		      path);
	}
	if (!fdt_u32(node, "phandle", &phandle) && phandle && phandle != UINT32_MAX) {
		u32 cells = 0;
		int err = fdt_phandle_u32(fdt, phandle, "#interrupt-cells", &cells), len;
		const void *want;

		there = fdt_node_offset_by_phandle(blob, phandle);
		want = fdt_getprop(blob, there, "#interrupt-cells", &len);
		CHECK(want ? len != 4 ? err == -EINVAL : !err && cells == fdt32_ld(want)
			   : err == -ENOENT,
		      "phandle %u: cells: %d, %u", phandle, err, cells);
	}
	if (word && *word) {
		CHECK(fdt_node_check_compatible(blob, offset, word) == 0, "compatible %s",
		      word);
		CHECK(!fdt_prop(node, "compatible", &prop) && in_list(&prop, word),
		      "compatible %s", word);
	}
}

static bool has_old_phandle(const void *blob, int offset)
{
	return fdt_getprop(blob, offset, "linux,phandle", NULL) != NULL;
}

static void compare_nodes(const void *blob, const struct fdt *fdt)
{
	struct fdt_node node;
	bool more = true;
	bool old = false;
	u32 deep = 0;
	int depth = 0;
	int nr = 0;

	for (int at = 0; at >= 0; at = fdt_next_node(blob, at, &depth))
		old |= has_old_phandle(blob, at);
	fdt_root(fdt, &node);
	depth = 0;
	for (int at = 0; at >= 0 && depth >= 0; at = fdt_next_node(blob, at, &depth)) {
		if (depth >= FDT_MAX_DEPTH) {
			deep++;
			continue;
		}
		CHECK(more, "node %s is missing", fdt_get_name(blob, at, NULL));
		CHECK(node.depth == depth, "depth %d, libfdt %d", node.depth, depth);
		CHECK(node.name == fdt_get_name(blob, at, NULL), "name '%s'", node.name);
		compare_props(blob, at, &node);
		if (node.depth)
			compare_reg(blob, at, &node);
		if (nr++ < 16 && !old)
			compare_finders(blob, at, fdt, &node);
		more = fdt_next(&node);
	}
	CHECK(!more, "node %s is one too many", node.name);
	CHECK(deep == fdt->nr_too_deep, "%u nodes too deep, libfdt %u", fdt->nr_too_deep, deep);
}

/*
 * The other functions have no counterpart in libfdt: they must end, stay inside the blob
 * and give plausible numbers.
 */
static int see_range(void *ctx, const struct fdt_entry *entry)
{
	const struct fdt_range *range = &entry->range;
	char path[64];

	if (entry->err && entry->node)
		fdt_path(entry->node, path, sizeof(path));
	if (!entry->err)
		CHECK(range->size && range->base + (range->size - 1) >= range->base,
		      "memory wraps");
	return ++*(int *)ctx == 100;
}

/*
 * Each entry of a reservation's reg is visited, valid or malformed, whatever precedes it. If
 * the bus gives an address or a size no cells, the node is visited once, as malformed.
 */
struct reservations {
	const struct fdt_node *want;
	u32 nr;
};

static int count_entries(void *ctx, const struct fdt_entry *entry)
{
	struct reservations *r = ctx;

	r->nr += entry->node && entry->node->name == r->want->name;
	return 0;
}

static void no_reservation_is_hidden(const struct fdt *fdt)
{
	struct fdt_node root, parent, node;
	struct fdt_prop prop;

	fdt_root(fdt, &root);
	fdt_for_each_subnode(parent, &root) {
		if (!fdt_is_called(&parent, "reserved-memory"))
			continue;
		fdt_for_each_subnode(node, &parent) {
			struct reservations r = {.want = &node};
			const struct fdt_level *bus = &node.path[node.depth - 1];
			const bool cells = bus->addr_cells && bus->size_cells;
			const int nr = cells ? fdt_reg_count(&node) : 1;
			struct fdt_range range;
			int empty = 0;

			for (int i = 0; cells && i < nr; i++)
				empty += !fdt_reg_raw(&node, (u32)i, &range) && !range.size;
			CHECK(!fdt_for_each_reserved(fdt, count_entries, &r), "it ended early");
			if (!fdt_prop(&node, "reg", &prop) && fdt_is_available(&node))
				CHECK(empty || (r.nr && (nr <= 0 || r.nr == (u32)nr)),
				      "%s: %u of %d entries", node.name, r.nr, nr);
		}
	}
}

static int see_cpu(void *ctx, const struct fdt_cpu *cpu)
{
	(void)cpu;
	return ++*(int *)ctx == 100;
}

static void exercise(const struct fdt *fdt)
{
	struct fdt_node node;
	struct fdt_window window;
	struct fdt_range range;
	struct fdt_irq irq;
	const char *args;
	int seen = 0;
	u64 hz;

	fdt_root(fdt, &node);
	do {
		for (unsigned int i = 0; i < 8; i++) {
			if (!fdt_reg(&node, i, &range))
				CHECK(!range.size ||
					      range.base + (range.size - 1) >= range.base,
				      "reg wraps");
			fdt_bus_range(&node, i, &window);
			fdt_irq(&node, &irq);
			fdt_irq_map(&node, i, 1 + i % 4, &irq);
		}
	} while (fdt_next(&node));
	fdt_for_each_memory(fdt, see_range, &seen);
	fdt_for_each_reserved(fdt, see_range, &seen);
	fdt_for_each_cpu(fdt, see_cpu, &seen);
	fdt_timebase(fdt, &hz);
	no_reservation_is_hidden(fdt);
	args = fdt_bootargs(fdt);
	CHECK(!args || strlen(args) < BLOB_MAX * 4, "bootargs");
}

static void compare_reservations(const void *blob, const struct fdt *fdt)
{
	int nr = fdt_num_mem_rsv(blob);
	struct fdt_range range;

	CHECK((u32)nr == fdt->nr_reserved, "%u reservations, libfdt %d", fdt->nr_reserved,
	      nr);
	for (int i = 0; i < nr; i++) {
		u64 base, size;

		fdt_get_mem_rsv(blob, i, &base, &size);
		CHECK(!fdt_reservation(fdt, (unsigned int)i, &range) &&
			      range.base == base && range.size == size,
		      "reservation %d", i);
	}
	CHECK(fdt_reservation(fdt, (unsigned int)nr, &range) == -ENOENT, "one too many");
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 made[BLOB_MAX];
	struct choices c = {data, size};
	const char *why = "";
	struct fdt fdt;
	u8 *blob;
	int ours, theirs;

	if (size > BLOB_MAX)
		return 0;
	if (size < 4 || take_bytes(&(struct choices){data, 4}, 4) != FDT_MAGIC) {
		memset(made, 0, sizeof(made));
		size = make_blob(made, &c);
		data = made;
	}
	blob = malloc(size); /* aligned to 16, and checked by ASan to the byte */
	memcpy(blob, data, size);
	ours = fdt_open(&fdt, blob, size, &why);
	theirs = fdt_check_full(blob, size);
	if (ours)
		CHECK(theirs || may_refuse(ours, why) || has_huge_length(blob, size),
		      "refused (%d, %s), libfdt not", ours, why);
	else
		CHECK(!theirs, "accepted, libfdt: %s", fdt_strerror(theirs));
	if (!ours) {
		compare_reservations(blob, &fdt);
		compare_nodes(blob, &fdt);
		exercise(&fdt);
	}
	free(blob);
	return 0;
}
