/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_LIB_FDT_BUILDER_H
#define _TESTS_LIB_FDT_BUILDER_H

/*
 * Device trees for tests, built with calls: nodes and properties in order, then
 * fdtb_finish(), which fails if a node or property did not fit.
 */
#include "lib/types.h"

#define FDTB_SIZE 0x5000 /* bytes of the finished blob */

struct fdt_builder {
	u8 blob[FDTB_SIZE] __attribute__((aligned(8)));
	u32 at;		 /* end of the written part */
	u32 structs_len; /* set when finished: includes FDT_END */
	u32 nr_reserved;
	bool full;
	char strings[512];
	u32 strings_len;
};

void fdtb_start(struct fdt_builder *b);

/* Add an entry to the memory reservation block. Call it before the first node. */
void fdtb_reserve(struct fdt_builder *b, u64 base, u64 size);

void fdtb_begin(struct fdt_builder *b, const char *name);
void fdtb_end(struct fdt_builder *b);

/* Add a property of any bytes, of a string (with its terminator), or of cells. */
void fdtb_prop(struct fdt_builder *b, const char *name, const void *data, u32 len);
void fdtb_str(struct fdt_builder *b, const char *name, const char *value);
void fdtb_cell_array(struct fdt_builder *b, const char *name, const u32 *cells, u32 nr);
#define fdtb_cells(b, name, ...)                             \
	fdtb_cell_array(b, name, (const u32[]){__VA_ARGS__}, \
			sizeof((const u32[]){__VA_ARGS__}) / sizeof(u32))

/* Write any word in the place of a tag. */
void fdtb_word(struct fdt_builder *b, u32 word);

/* Write FDT_END, the strings and the header. Return: the blob's size; 0 if it didn't fit. */
u32 fdtb_finish(struct fdt_builder *b);

/* Overwrite a word of the finished header or any other big-endian word. */
void fdtb_poke(struct fdt_builder *b, u32 offset, u32 word);

#endif
