/* SPDX-License-Identifier: BSD-2-Clause */
/* Device trees: refused trees and the reasons, nodes, properties, searches. */
#include "kernel/ktest.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "tests/lib/fdt_builder.h"

static struct fdt_builder b;
static struct fdt fdt;

/* / { a; soc { x@1 { deep }; x@2 }; texts } */
static u32 small_tree(void)
{
	fdtb_start(&b);
	fdtb_reserve(&b, 0x80000000, 0x1000);
	fdtb_reserve(&b, 0x123456789abcdef0, 1);
	fdtb_begin(&b, "");
	fdtb_cells(&b, "#address-cells", 1);
	fdtb_begin(&b, "a");
	fdtb_end(&b);
	fdtb_begin(&b, "soc");
	fdtb_word(&b, 4); /* a NOP */
	fdtb_prop(&b, "compatible", "vendor,one\0simple-bus", 22);
	fdtb_cells(&b, "phandle", 7);
	fdtb_begin(&b, "x@1");
	fdtb_str(&b, "status", "disabled");
	fdtb_str(&b, "compatible", "gadget");
	fdtb_begin(&b, "deep");
	fdtb_end(&b);
	fdtb_end(&b);
	fdtb_begin(&b, "x@2");
	fdtb_str(&b, "compatible", "gadget");
	fdtb_str(&b, "status", "okay");
	fdtb_cells(&b, "wide", 1, 2);
	fdtb_cells(&b, "phandle", 8);
	fdtb_cells(&b, "number", 99);
	fdtb_end(&b);
	fdtb_end(&b);
	fdtb_begin(&b, "texts");
	fdtb_prop(&b, "open", "/soc", 4);
	fdtb_end(&b);
	fdtb_end(&b);
	return fdtb_finish(&b);
}

static int open_small(struct ktest *test)
{
	u32 size = small_tree();

	(void)test;
	return size ? fdt_open(&fdt, b.blob, size, NULL) : -ENOSPC;
}

static void walk(struct ktest *test)
{
	static const char *const names[] = {
		"", "a", "soc", "x@1", "deep", "x@2", "texts"
	};
	static const int depths[] = {0, 1, 1, 2, 3, 2, 1};
	struct fdt_node node;
	size_t i = 0;

	fdt_root(&fdt, &node);
	do {
		KTEST_ASSERT_LT(test, i, ARRAY_SIZE(names));
		KTEST_EXPECT_STREQ(test, node.name, names[i]);
		KTEST_EXPECT_EQ(test, node.depth, depths[i]);
		i++;
	} while (fdt_next(&node));
	KTEST_EXPECT_EQ(test, i, ARRAY_SIZE(names));
	KTEST_EXPECT_STREQ(test, node.name, "texts"); /* fdt_next() stays at the last node */
}

static void children(struct ktest *test)
{
	struct fdt_node root, node;
	int nr = 0;

	fdt_root(&fdt, &root);
	fdt_for_each_subnode(node, &root) {
		KTEST_EXPECT_EQ(test, node.depth, 1);
		nr++;
	}
	KTEST_EXPECT_EQ(test, nr, 3);
	KTEST_EXPECT_FALSE(test, fdt_next_sibling(&root));
	KTEST_ASSERT_TRUE(test, fdt_first_child(&root));
	KTEST_EXPECT_STREQ(test, root.name, "a");
	KTEST_EXPECT_FALSE(test, fdt_first_child(&root)); /* not its sibling's child */
	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/soc/x@1", &node), 0);
	KTEST_ASSERT_TRUE(test, fdt_next_sibling(&node));
	KTEST_EXPECT_STREQ(test, node.name, "x@2");
	KTEST_EXPECT_FALSE(test, fdt_next_sibling(&node)); /* not its parent's */
	KTEST_EXPECT_STREQ(test, node.name, "x@2");
}

static void paths(struct ktest *test)
{
	static const char *const good[][2] = {
		{ "/", "" },
		{ "/soc", "soc" },
		{ "//soc//x@2/", "x@2" },
		{ "/soc/x", "x@1" },
		{ "/soc/x@1/deep", "deep" },
	};
	static const char *const absent[] = {"/so", "/soc/y",  "/soc/x@3", "/soc/x@",
					     "soc", "nowhere", ""};
	struct fdt_node node;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		KTEST_EXPECT_EQ(test, fdt_find(&fdt, good[i][0], &node), 0);
		KTEST_EXPECT_STREQ(test, node.name, good[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
		KTEST_EXPECT_EQ(test, fdt_find(&fdt, absent[i], &node), -ENOENT);
}

static void cells_by_phandle(struct ktest *test)
{
	u32 val = 0;

	KTEST_EXPECT_EQ(test, fdt_phandle_u32(&fdt, 8, "number", &val), 0);
	KTEST_EXPECT_EQ(test, val, 99);
	KTEST_EXPECT_EQ(test, fdt_phandle_u32(&fdt, 8, "wide", &val), -EINVAL);
	KTEST_EXPECT_EQ(test, fdt_phandle_u32(&fdt, 7, "number", &val), -ENOENT);
	KTEST_EXPECT_EQ(test, fdt_phandle_u32(&fdt, 99, "number", &val), -ENOENT);
}

static void properties(struct ktest *test)
{
	struct fdt_node soc, x2, texts;
	struct fdt_prop prop;
	const char *text;
	u32 cursor = 0, val = 5;
	u64 wide = 5;

	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/soc", &soc), 0);
	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/soc/x@2", &x2), 0);
	KTEST_ASSERT_EQ(test, fdt_find(&fdt, "/texts", &texts), 0);
	KTEST_EXPECT_TRUE(test, fdt_next_prop(&soc, &cursor, &prop));
	KTEST_EXPECT_STREQ(test, prop.name, "compatible");
	KTEST_EXPECT_EQ(test, prop.len, 22);
	KTEST_EXPECT_TRUE(test, fdt_next_prop(&soc, &cursor, &prop));
	KTEST_EXPECT_STREQ(test, prop.name, "phandle");
	KTEST_EXPECT_FALSE(test, fdt_next_prop(&soc, &cursor, &prop));

	KTEST_EXPECT_EQ(test, fdt_u32(&x2, "number", &val), 0);
	KTEST_EXPECT_EQ(test, val, 99);
	KTEST_EXPECT_EQ(test, fdt_u32(&x2, "wide", &val), -EINVAL);
	KTEST_EXPECT_EQ(test, fdt_u32(&x2, "none", &val), -ENOENT);
	KTEST_EXPECT_EQ(test, fdt_u64(&x2, "wide", &wide), 0);
	KTEST_EXPECT_EQ(test, wide, 0x100000002);
	KTEST_EXPECT_EQ(test, fdt_u64(&x2, "number", &wide), 0);
	KTEST_EXPECT_EQ(test, wide, 99);
	KTEST_EXPECT_EQ(test, fdt_u64(&x2, "compatible", &wide), -EINVAL);
	KTEST_EXPECT_EQ(test, fdt_prop_at(&x2, 1, "compatible", &prop), 0);
	KTEST_EXPECT_EQ(test, prop.len, 22);

	KTEST_EXPECT_STREQ(test, fdt_str(&soc, "compatible"), "vendor,one");
	KTEST_EXPECT_NULL(test, fdt_str(&soc, "none"));
	KTEST_EXPECT_NULL(test, fdt_str(&texts, "open"));
	KTEST_EXPECT_EQ(test, fdt_prop(&soc, "compatible", &prop), 0);
	text = fdt_next_str(&prop, NULL);
	KTEST_EXPECT_STREQ(test, text, "vendor,one");
	text = fdt_next_str(&prop, text);
	KTEST_EXPECT_STREQ(test, text, "simple-bus");
	KTEST_EXPECT_NULL(test, fdt_next_str(&prop, text));
	KTEST_EXPECT_EQ(test, fdt_prop(&texts, "open", &prop), 0);
	KTEST_EXPECT_NULL(test, fdt_next_str(&prop, NULL));
}

/* "okay", its old form "ok", or no status enables a node; any other word disables it. */
static void statuses(struct ktest *test)
{
	static const struct {
		const char *word;
		bool available;
	} rows[] = {
		{ NULL, true },	       { "okay", true },   { "ok", true },
		{ "disabled", false }, { "okays", false }, { "o", false },
	};
	struct fdt_node root;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fdtb_start(&b);
		fdtb_begin(&b, "");
		if (rows[i].word)
			fdtb_str(&b, "status", rows[i].word);
		fdtb_end(&b);
		KTEST_ASSERT_EQ(test, fdt_open(&fdt, b.blob, fdtb_finish(&b), NULL), 0);
		fdt_root(&fdt, &root);
		KTEST_EXPECT_EQ(test, fdt_is_available(&root), rows[i].available);
	}
}

static void numbers(struct ktest *test)
{
	static const u8 bytes[] = {0, 0, 0, 1, 0x80, 0, 0, 2, 0, 0, 0, 3, 4};
	struct fdt_prop prop = {.data = bytes, .len = sizeof(bytes)};
	u64 val = 5;

	KTEST_EXPECT_EQ(test, fdt_cell(&prop, 1), 0x80000002);
	KTEST_EXPECT_EQ(test, fdt_cell(&prop, 3), 0); /* a byte is not a cell */
	KTEST_EXPECT_EQ(test, fdt_number(&prop, 0, 3, &val), -EOVERFLOW);
	KTEST_EXPECT_EQ(test, fdt_number(&prop, 2, 2, &val), -EINVAL);
	KTEST_EXPECT_EQ(test, fdt_number(&prop, UINT32_MAX, 2, &val), -EINVAL);
	KTEST_EXPECT_EQ(test, fdt_number(&prop, 0, UINT32_MAX, &val), -EINVAL);
	KTEST_EXPECT_EQ(test, val, 5);
	KTEST_EXPECT_EQ(test, fdt_number(&prop, 1, 2, &val), 0);
	KTEST_EXPECT_EQ(test, val, 0x8000000200000003);
	KTEST_EXPECT_EQ(test, fdt_number(&prop, 3, 0, &val), 0);
	KTEST_EXPECT_EQ(test, val, 0);
}

static void reservations(struct ktest *test)
{
	struct fdt_range range;

	KTEST_EXPECT_EQ(test, fdt.nr_reserved, 2);
	KTEST_EXPECT_EQ(test, fdt_reservation(&fdt, 1, &range), 0);
	KTEST_EXPECT_EQ(test, range.base, 0x123456789abcdef0);
	KTEST_EXPECT_EQ(test, range.size, 1);
	KTEST_EXPECT_EQ(test, fdt_reservation(&fdt, 2, &range), -ENOENT);
	KTEST_EXPECT_EQ(test, fdt_reservation(&fdt, UINT_MAX, &range), -ENOENT);
}

/*
 * Refused trees
 */

struct damage {
	const char *name;
	u32 offset, word; /* of the header */
	int err;
};

static const struct damage damages[] = {
	{"magic", 0, 0xd00dfeee, -EINVAL},
	{"larger than its memory", 4, FDTB_SIZE + 4, -E2BIG},
	{"larger than its memory by far", 4, UINT32_MAX, -E2BIG},
	{"smaller than its header", 4, 39, -EINVAL},
	{"structures outside", 8, FDTB_SIZE + 4, -EINVAL},
	{"structures not aligned", 8, 0x79, -EINVAL},
	{"structures in the header", 8, 36, -EINVAL},
	{"strings outside", 12, UINT32_MAX, -EINVAL},
	{"reservations outside", 16, UINT32_MAX & ~7U, -EINVAL},
	{"reservations not aligned", 16, 44, -EINVAL},
	{"too old", 20, 15, -ENOTSUPP},
	{"too new", 24, 18, -ENOTSUPP},
	{"no strings", 32, 0, -EINVAL},
	{"strings too long", 32, FDTB_SIZE, -EINVAL},
	{"structures too short", 36, 8, -EINVAL},
	{"structures too long", 36, UINT32_MAX, -EINVAL},
};

static void name_damage(const struct damage *d, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, d->name, KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(damage, damages, name_damage);

static void damaged_header(struct ktest *test)
{
	const struct damage *d = test->param_value;
	const char *why = NULL;

	fdtb_poke(&b, d->offset, d->word);
	KTEST_EXPECT_EQ(test, fdt_open(&fdt, b.blob, sizeof(b.blob), &why), d->err);
	KTEST_EXPECT_NOT_NULL(test, why);
}

static void limits(struct ktest *test)
{
	u32 size = small_tree();

	KTEST_EXPECT_EQ(test, fdt_blob_size(b.blob), size);
	KTEST_EXPECT_EQ(test, fdt_open(&fdt, b.blob, size - 1, NULL), -E2BIG);
	KTEST_EXPECT_EQ(test, fdt_open(&fdt, b.blob, 0, NULL), -EINVAL);
	fdtb_poke(&b, 4, FDT_MAX_SIZE + 1);
	KTEST_EXPECT_EQ(test, fdt_blob_size(b.blob), 0);
	KTEST_EXPECT_EQ(test, fdt_open(&fdt, b.blob, SIZE_MAX, NULL), -E2BIG);
	fdtb_poke(&b, 0, 0);
	KTEST_EXPECT_EQ(test, fdt_blob_size(b.blob), 0);
}

/* No entry up to the end of the blob has size 0. */
static void endless_reservations(struct ktest *test)
{
	u32 size = small_tree();
	const char *why = "";

	for (u32 at = 40; at + 4 <= size; at += 4)
		fdtb_poke(&b, at, 1);
	fdtb_poke(&b, 36, 0); /* no structures, either: fdt_open() checks them later */
	KTEST_EXPECT_EQ(test, fdt_open(&fdt, b.blob, size, &why), -EINVAL);
	KTEST_EXPECT_STREQ(test, why, "the memory reservation block has no end");
}

/* An unterminated string can't be a name; the strings before it can. */
static void open_string(struct ktest *test)
{
	u32 size = small_tree();

	while (b.blob[size - 1] == 0)
		size--;
	fdtb_poke(&b, 4, size);
	fdtb_poke(&b, 32, b.strings_len - 1);
	KTEST_EXPECT_EQ(test, fdt_open(&fdt, b.blob, size, NULL), -EINVAL);
}

/* Sequences of tags in an otherwise valid blob. */
enum {
	END,
	BEGIN,
	CLOSE,
	PROP,
	NOP,
	STOP,
	BAD,
	BIG,
	NAMED
};

struct shape {
	const char *name;
	int err;
	u8 ops[12];
};

static const struct shape shapes[] = {
	{"only a root", 0, {BEGIN, CLOSE, STOP}},
	{"NOPs everywhere", 0, {NOP, BEGIN, NOP, PROP, NOP, CLOSE, NOP, STOP}},
	{"nothing", -EINVAL, {STOP}},
	{"no end", -EINVAL, {BEGIN, CLOSE}},
	{"open root", -EINVAL, {BEGIN, STOP}},
	{"open child", -EINVAL, {BEGIN, NAMED, CLOSE, STOP}},
	{"two roots", -EINVAL, {BEGIN, CLOSE, BEGIN, CLOSE, STOP}},
	{"named root", -EINVAL, {NAMED, CLOSE, STOP}},
	{"property before the root", -EINVAL, {PROP, BEGIN, CLOSE, STOP}},
	{"property behind the root", -EINVAL, {BEGIN, CLOSE, PROP, STOP}},
	{"property behind a child", -EINVAL, {BEGIN, NAMED, CLOSE, PROP, CLOSE, STOP}},
	{"closed twice", -EINVAL, {BEGIN, CLOSE, CLOSE, STOP}},
	{"unknown tag", -EINVAL, {BEGIN, BAD, CLOSE, STOP}},
	{"property too long", -EINVAL, {BEGIN, BIG, CLOSE, STOP}},
};

static void name_shape(const struct shape *s, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, s->name, KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(shape, shapes, name_shape);

static void write_op(u8 op)
{
	switch (op) {
	case BEGIN:
	case NAMED:
		fdtb_begin(&b, op == NAMED ? "n" : "");
		break;
	case CLOSE:
		fdtb_end(&b);
		break;
	case PROP:
		fdtb_cells(&b, "p", 1);
		break;
	case NOP:
		fdtb_word(&b, 4);
		break;
	case STOP:
		fdtb_word(&b, 9);
		break;
	case BAD:
		fdtb_word(&b, 5);
		break;
	case BIG:
		fdtb_cells(&b, "p", 4); /* would be a NOP if it were read as a tag */
		fdtb_poke(&b, b.at - 12, UINT32_MAX - 2); /* would wrap when aligned up */
	}
}

static void sequence(struct ktest *test)
{
	const struct shape *s = test->param_value;
	const char *why = NULL;
	u32 size;

	fdtb_start(&b);
	for (size_t i = 0; i < ARRAY_SIZE(s->ops) && s->ops[i] != END; i++)
		write_op(s->ops[i]);
	size = fdtb_finish(&b);
	/* Let the block stop before the FDT_END that fdtb_finish() wrote. */
	fdtb_poke(&b, 36, b.structs_len - 4);
	KTEST_ASSERT_NE(test, size, 0);
	KTEST_EXPECT_EQ(test, fdt_open(&fdt, b.blob, size, &why), s->err);
	KTEST_EXPECT_EQ(test, why != NULL, s->err != 0);
}

static int open_nested(int levels)
{
	fdtb_start(&b);
	for (int i = 0; i < levels; i++)
		fdtb_begin(&b, i ? "n" : "");
	for (int i = 0; i < levels; i++)
		fdtb_end(&b);
	return fdt_open(&fdt, b.blob, fdtb_finish(&b), NULL);
}

static void depth(struct ktest *test)
{
	struct fdt_node node;
	int nr = 0;

	KTEST_ASSERT_EQ(test, open_nested(FDT_MAX_DEPTH), 0);
	KTEST_EXPECT_EQ(test, fdt.nr_too_deep, 0);
	/* Deeper nodes are skipped and counted. */
	KTEST_ASSERT_EQ(test, open_nested(FDT_MAX_DEPTH + 3), 0);
	KTEST_EXPECT_EQ(test, fdt.nr_too_deep, 3);
	fdt_root(&fdt, &node);
	do
		nr++;
	while (fdt_next(&node));
	KTEST_EXPECT_EQ(test, nr, FDT_MAX_DEPTH);
	KTEST_EXPECT_EQ(test, node.depth, FDT_MAX_DEPTH - 1);
	KTEST_EXPECT_FALSE(test, fdt_first_child(&node));
}

/* With any single wrong byte, fdt_open() returns and each walk ends. */
static void any_byte_wrong(struct ktest *test)
{
	u32 size = small_tree();

	for (u32 at = 0; at < size; at++) {
		u8 before = b.blob[at];
		struct fdt_node node;
		int nr = 0;

		b.blob[at] ^= (u8)(1 + prng_below(&test->prng, 255));
		if (fdt_open(&fdt, b.blob, size, NULL) == 0) {
			fdt_root(&fdt, &node);
			do
				KTEST_ASSERT_LT(test, nr++, 20);
			while (fdt_next(&node));
		}
		b.blob[at] = before;
	}
}

/*
 * With more nodes or properties than the index holds, a walk gives the same result wherever
 * it leaves the index.
 */

#define OUTER 60
#define INNER 3 /* in each outer node */
static_assert(OUTER * (1 + INNER) > FDT_INDEX_NODES, "the index does not hold them");

static void number_node(u32 outer, u32 inner)
{
	char name[16];

	scnprintf(name, sizeof(name), inner ? "in%u" : "out%u", inner ? inner : outer);
	fdtb_begin(&b, name);
	fdtb_cells(&b, "number", outer * 10 + inner);
}

/* / { out0 { in1; in2; in3 }; out1 ... }, with @more properties in out0 */
static void open_large(struct ktest *test, u32 more)
{
	fdtb_start(&b);
	fdtb_begin(&b, "");
	for (u32 outer = 0; outer < OUTER; outer++) {
		number_node(outer, 0);
		for (; more; more--)
			fdtb_prop(&b, "more", "", 0);
		fdtb_cells(&b, "#address-cells", outer);
		for (u32 inner = 1; inner <= INNER; inner++) {
			number_node(outer, inner);
			fdtb_end(&b);
		}
		fdtb_end(&b);
	}
	fdtb_end(&b);
	KTEST_ASSERT_EQ(test, fdt_open(&fdt, b.blob, fdtb_finish(&b), NULL), 0);
}

static void expect_number(struct ktest *test, const struct fdt_node *node, u32 want)
{
	u32 number = UINT32_MAX;

	KTEST_EXPECT_EQ(test, fdt_u32(node, "number", &number), 0);
	KTEST_EXPECT_EQ(test, number, want);
	KTEST_EXPECT_EQ(test, fdt_u32(node, "none", &number), -ENOENT);
}

static void walk_large(struct ktest *test)
{
	struct fdt_node root, node, child;
	u32 outer = 0, inner;

	fdt_root(&fdt, &root);
	fdt_for_each_subnode(node, &root) {
		expect_number(test, &node, outer * 10);
		KTEST_EXPECT_EQ(test, node.path[1].addr_cells, outer);
		inner = 0;
		fdt_for_each_subnode(child, &node)
			expect_number(test, &child, outer * 10 + ++inner);
		KTEST_EXPECT_EQ(test, inner, INNER);
		outer++;
	}
	KTEST_EXPECT_EQ(test, outer, OUTER);
	for (u32 i = 0; i < OUTER * (1 + INNER); i++) {
		KTEST_ASSERT_TRUE(test, fdt_next(&root));
		expect_number(test, &root, i / (1 + INNER) * 10 + i % (1 + INNER));
	}
	KTEST_EXPECT_FALSE(test, fdt_next(&root));
}

static void beyond_the_index(struct ktest *test)
{
	static const u32 more[] = {0, FDT_INDEX_PROPS - 20, FDT_INDEX_PROPS - 2, FDT_INDEX_PROPS};

	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		open_large(test, more[i]);
		KTEST_EXPECT_TRUE(test, fdt.beyond_index);
		walk_large(test);
	}
}

static const struct ktest_case fdt_cases[] = {
	KTEST_CASE(walk),
	KTEST_CASE(beyond_the_index),
	KTEST_CASE(children),
	KTEST_CASE(paths),
	KTEST_CASE(cells_by_phandle),
	KTEST_CASE(properties),
	KTEST_CASE(statuses),
	KTEST_CASE(numbers),
	KTEST_CASE(reservations),
	KTEST_CASE_PARAM(damaged_header, damage_gen_params),
	KTEST_CASE(limits),
	KTEST_CASE(endless_reservations),
	KTEST_CASE(open_string),
	KTEST_CASE_PARAM(sequence, shape_gen_params),
	KTEST_CASE(depth),
	KTEST_CASE(any_byte_wrong),
	{}
};
static struct ktest_suite fdt_suite = {
	.name = "fdt", .init = open_small, .cases = fdt_cases};
KTEST_SUITE(fdt_suite);
