/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_FDT_H
#define _LIB_FDT_H

/*
 * Reading a flattened device tree (Devicetree Specification 0.4, chapters 2 and
 * 5), version 16 or later. fdt_open() checks the whole blob once; after that no
 * function here can leave the blob, whatever it contains. The functions allocate
 * nothing, do not recurse, and never write to the blob. The pointers that they return
 * lead into the blob.
 *
 * A node is a cursor: it holds the path from the root down, with each level's cell
 * counts, so that addresses can be read and translated without a rescan.
 *
 * Errors: -ENOENT absent; -EINVAL present but malformed;
 * -EOVERFLOW a number does not fit 64 bits.
 */
#include "lib/types.h"

#define FDT_MAX_DEPTH 16       /* levels, the root included; deeper nodes are skipped */
#define FDT_MAX_SIZE  0x200000 /* bytes; a larger tree is refused */

/* Size of the index: enough for any of QEMU's machines. Nodes beyond it are only slower to read. */
#define FDT_INDEX_NODES 128
#define FDT_INDEX_PROPS 512

struct fdt_level {
	u32 props;     /* offset of the first tag after the node's name */
	u8 addr_cells; /* cells of an address and of a size in its children's reg */
	u8 size_cells;
	u16 next;      /* number of the next node in the index, if this node is in it; else 0 */
};

/* A node in the index. The nodes are in the order of the blob: a node comes before its children. */
struct fdt_index_node {
	u32 name;      /* offset */
	u16 behind;    /* number of the next node that is not inside this one */
	u16 first;     /* number of its first property; its last is before the next node's first */
	struct fdt_level level;
	u8 depth;
};

struct fdt {
	const u8 *blob; /* all offsets are from here, in bytes */
	u32 size;	/* the whole blob */
	u32 structs;	/* the structure block */
	u32 structs_end;
	u32 strings; /* the strings block, up to its last terminator */
	u32 strings_end;
	u32 reserved;	 /* the memory reservation block */
	u32 nr_reserved; /* entries in it */
	u32 nr_too_deep; /* nodes that are skipped */

	/* The index: what fdt_open() notes while it checks the blob. Only lib/fdt.c reads it. */
	u32 nr_nodes;
	bool beyond_index; /* there are more nodes than it holds */
	struct fdt_index_node nodes[FDT_INDEX_NODES + 1];
	u32 props[FDT_INDEX_PROPS]; /* offset of the tag << 8 | hash of the name */
};

struct fdt_node {
	const struct fdt *fdt;
	const char *name; /* with its unit address; "" for the root */
	u32 next;	  /* offset from which to look for further nodes */
	int depth;	  /* 0 for the root */
	struct fdt_level path[FDT_MAX_DEPTH]; /* path[depth] is the node itself */
};

struct fdt_prop {
	const char *name;
	const u8 *data;
	u32 len; /* bytes */
};

/* A range of CPU physical addresses, bytes. */
struct fdt_range {
	u64 base;
	u64 size;
};

/*
 * The blob
 */

/**
 * fdt_open() - check a blob and make it readable
 * @fdt: filled
 * @blob: the bytes, aligned to 8; they must not change while @fdt is used
 * @limit: how many bytes may be read at @blob
 * @why: set to a text that says what is wrong, on failure; may be NULL
 *
 * Return: 0; -EINVAL malformed; -ENOTSUPP a version that ebb can't read;
 * -E2BIG larger than @limit or FDT_MAX_SIZE.
 */
int __must_check fdt_open(struct fdt *fdt, const void *blob, size_t limit,
			  const char **why);

/**
 * fdt_blob_size() - read the size that a blob states
 * @blob: at least 8 readable bytes
 *
 * For copying the blob before anything else is known about it.
 *
 * Return: bytes, at most FDT_MAX_SIZE; 0 if it is larger or not a device tree.
 */
u32 fdt_blob_size(const void *blob);

/**
 * fdt_reservation() - read an entry of the memory reservation block
 * @fdt: the tree
 * @index: from 0 on
 * @range: filled; may wrap, which the caller must check
 *
 * The block ends with an entry of size 0, whatever its address.
 *
 * Return: 0; -ENOENT no such entry.
 */
int fdt_reservation(const struct fdt *fdt, unsigned int index, struct fdt_range *range);

/*
 * Nodes
 */

/* Put the cursor on the root node, which every opened tree has. */
void fdt_root(const struct fdt *fdt, struct fdt_node *node);

/*
 * Each of these moves the cursor and returns true, or returns false and does not move
 * it. The targets: the next node in the order of the blob (children first), the first
 * child, the next node of the same parent.
 */
bool fdt_next(struct fdt_node *node);
bool fdt_first_child(struct fdt_node *node);
bool fdt_next_sibling(struct fdt_node *node);

/*
 * Run the body for each child @child (a struct fdt_node) of @node; the body must not
 * move @child.
 */
#define fdt_for_each_subnode(child, node)                                        \
	for (bool _more = ((child) = *(node), fdt_first_child(&(child))); _more; \
	     _more = fdt_next_sibling(&(child)))

/**
 * fdt_find() - find a node by its path
 * @fdt: the tree
 * @path: "/soc/serial@10000000"; a part without a unit address finds the first node of that name
 * @node: filled
 *
 * Return: 0; -ENOENT.
 */
int __must_check fdt_find(const struct fdt *fdt, const char *path, struct fdt_node *node);

/* Check whether the node's name is @name, which has no unit address; the node may have one. */
bool fdt_is_called(const struct fdt_node *node, const char *name);

/**
 * fdt_path() - get the path of a node, for messages
 * @node: the node
 * @buf: filled with what fits, terminated; bytes that are not printable become "?"
 * @size: of @buf, at least 1
 */
void fdt_path(const struct fdt_node *node, char *buf, size_t size);

/* Read a cell of the node that has @phandle. Return: 0; -ENOENT; -EINVAL. */
int fdt_phandle_u32(const struct fdt *fdt, u32 phandle, const char *name, u32 *val);

/*
 * Check whether a node is available: status is absent, "okay" or "ok", or is not a string. The
 * node may be a reservation, so ebb skips it only for a status that it can read.
 */
bool fdt_is_available(const struct fdt_node *node);

/*
 * Properties
 */

/* Find a property by its name. Return: 0; -ENOENT. */
int fdt_prop(const struct fdt_node *node, const char *name, struct fdt_prop *prop);

/*
 * Find a property of the node's ancestor at @depth (or of the node itself), as fdt_prop()
 * does.
 */
int fdt_prop_at(const struct fdt_node *node, int depth, const char *name,
		struct fdt_prop *prop);

/**
 * fdt_next_prop() - walk over all properties of a node
 * @node: the node
 * @cursor: 0 at first; kept between calls
 * @prop: filled
 *
 * Return: false after the last one.
 */
bool fdt_next_prop(const struct fdt_node *node, u32 *cursor, struct fdt_prop *prop);

/* Read one cell, or a number of one or two cells. Return: 0; -ENOENT; -EINVAL wrong length. */
int fdt_u32(const struct fdt_node *node, const char *name, u32 *val);
int fdt_u64(const struct fdt_node *node, const char *name, u64 *val);

/* Return cell @index of a property; 0 if there is no such cell. */
u32 fdt_cell(const struct fdt_prop *prop, u32 index);

/**
 * fdt_number() - read a number that takes several cells of a property
 * @prop: the property
 * @cell: the number's first cell
 * @nr_cells: its number of cells; with 0 the number is 0
 * @val: filled in
 *
 * Return: 0; -EINVAL outside the property; -EOVERFLOW more than 64 bits.
 */
int fdt_number(const struct fdt_prop *prop, u32 cell, u32 nr_cells, u64 *val);

/* Get a terminated string (the first string of a list); NULL if absent or malformed. */
const char *fdt_str(const struct fdt_node *node, const char *name);

/*
 * Find the string after @last in a list of terminated strings, or the first if @last is NULL;
 * NULL at the end.
 */
const char *fdt_next_str(const struct fdt_prop *prop, const char *last);

/*
 * Addresses
 */

/**
 * fdt_reg() - read an entry of reg, as CPU physical addresses
 * @node: a node on the CPU's bus, or below busses with ranges
 * @index: which (base, size) pair
 * @range: filled; never wraps
 *
 * Return: 0; -ENOENT no such entry; -EINVAL malformed, or a bus in between does not
 * map it; -EOVERFLOW the range goes beyond 64 bits.
 */
int fdt_reg(const struct fdt_node *node, unsigned int index, struct fdt_range *range);

/**
 * fdt_reg_count() - count the entries of reg
 * @node: the node
 *
 * A malformed entry does not affect the others: each entry is read separately. A last entry
 * that is cut short counts; reading it fails.
 *
 * Return: the number; -ENOENT no reg; -EINVAL an entry of its bus has no cells.
 */
int fdt_reg_count(const struct fdt_node *node);

/*
 * Read an entry of reg without translating it: the number as the bus sees it, such as a cpu's
 * hart id.
 */
int fdt_reg_raw(const struct fdt_node *node, unsigned int index, struct fdt_range *range);

/* An entry of a bus's ranges. */
struct fdt_window {
	u32 flags;  /* PCI's phys.hi; 0 if child addresses have fewer than 3 cells */
	u64 child;  /* address on the bus */
	u64 parent; /* CPU physical address */
	u64 size;   /* bytes */
};

/**
 * fdt_bus_range() - read an entry of ranges
 * @bus: the node that has ranges
 * @index: which entry
 * @window: filled
 *
 * Spec: PCI bus binding (IEEE 1275) section 2.2.1.1 for @flags.
 *
 * Return: 0; -ENOENT no such entry, or ranges is empty (each address maps to itself);
 * -EINVAL; -EOVERFLOW.
 */
int fdt_bus_range(const struct fdt_node *bus, unsigned int index,
		  struct fdt_window *window);

/*
 * Interrupts
 */

#define FDT_MAX_IRQ_CELLS 4

struct fdt_irq {
	u32 controller; /* phandle */
	u32 nr_cells;
	u32 cells[FDT_MAX_IRQ_CELLS];
};

/**
 * fdt_irq() - find the first interrupt of a device
 * @node: the device
 * @irq: filled
 *
 * Reads interrupts-extended, else interrupts and the nearest interrupt-parent above.
 *
 * Return: 0; -ENOENT; -EINVAL.
 */
int fdt_irq(const struct fdt_node *node, struct fdt_irq *irq);

/**
 * fdt_irq_map() - translate a pin through an interrupt-map
 * @bus: the node that has interrupt-map (a PCI host bridge)
 * @unit: the device's first address cell (PCI: bus << 16 | device << 11 | function << 8)
 * @pin: its interrupt specifier (PCI: 1 for INTA to 4 for INTD)
 * @irq: filled
 *
 * Only the first address cell takes part, as in every PCI map.
 * Spec: Devicetree Specification section 2.4.3.
 *
 * Return: 0; -ENOENT no entry; -EINVAL.
 */
int fdt_irq_map(const struct fdt_node *bus, u32 unit, u32 pin, struct fdt_irq *irq);

/*
 * The contents that every machine's tree has (lib/fdt_machine.c). A visitor is called for
 * malformed entries, too: an entry that can't be read does not hide those after it. A
 * walk stops at the first visitor that does not return 0, and returns its value.
 */

/**
 * struct fdt_entry - a range that the tree names, perhaps malformed
 * @node: the node with the reg; NULL: the memory reservation block
 * @index: which entry there
 * @err: 0; -EINVAL malformed, -EOVERFLOW beyond 64 bits, -ENOENT missing
 * @range: not empty; invalid if there is an error
 * @no_map: the range must not even be mapped
 */
struct fdt_entry {
	const struct fdt_node *node;
	unsigned int index;
	int err;
	struct fdt_range range;
	bool no_map;
};

typedef int fdt_entry_fn(void *ctx, const struct fdt_entry *entry);

/* Visit every range of memory that is not empty, in the order of the blob. */
int fdt_for_each_memory(const struct fdt *fdt, fdt_entry_fn *fn, void *ctx);

/**
 * fdt_for_each_reserved() - visit every range that the firmware keeps
 * @fdt: the tree
 * @fn: called for each that is not empty
 * @ctx: its first argument
 *
 * A node without reg asks the kernel to find memory for it; ebb does not, and skips the
 * node. Without ranges in /reserved-memory, addresses are the CPU's.
 *
 * Return: 0, or what @fn returned.
 */
int fdt_for_each_reserved(const struct fdt *fdt, fdt_entry_fn *fn, void *ctx);

/**
 * struct fdt_cpu - a hart
 * @node: its node
 * @err: 0; otherwise its reg can't be read, and only @node is valid
 * @hartid: reg
 * @intc: phandle of its interrupt controller; 0 if absent
 */
struct fdt_cpu {
	const struct fdt_node *node;
	int err;
	u64 hartid;
	u32 intc;
};

/* Visit every available cpu. Return: 0; -ENOENT no /cpus; or what @fn returned. */
int fdt_for_each_cpu(const struct fdt *fdt,
		     int (*fn)(void *ctx, const struct fdt_cpu *cpu), void *ctx);

/*
 * Read timebase-frequency of /cpus, else of the first cpu, in Hz. Return: 0; -ENOENT; -EINVAL,
 * also if it is 0.
 */
int fdt_timebase(const struct fdt *fdt, u64 *hz);

/* Get bootargs of /chosen; "" if absent, NULL if they are not a string. */
const char *fdt_bootargs(const struct fdt *fdt);

#endif
