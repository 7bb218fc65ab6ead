/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes device trees for tests. Spec: Devicetree Specification 0.4, chapter 5. */
#include "tests/lib/fdt_builder.h"
#include "lib/string.h"

enum {
	HEADER = 40,
	RESERVED_ENTRY = 16,
	MAX_RESERVED = 4
};
enum {
	STRUCTS = HEADER + RESERVED_ENTRY * (MAX_RESERVED + 1)
};

void fdtb_poke(struct fdt_builder *b, u32 offset, u32 word)
{
	for (u32 i = 0; i < 4; i++)
		b->blob[offset + i] = (u8)(word >> (24 - 8 * i));
}

void fdtb_start(struct fdt_builder *b)
{
	memset(b, 0, sizeof(*b));
	b->at = STRUCTS;
}

void fdtb_reserve(struct fdt_builder *b, u64 base, u64 size)
{
	u32 at = HEADER + b->nr_reserved++ * RESERVED_ENTRY;

	b->full |= b->nr_reserved > MAX_RESERVED;
	if (b->full)
		return;
	fdtb_poke(b, at, (u32)(base >> 32));
	fdtb_poke(b, at + 4, (u32)base);
	fdtb_poke(b, at + 8, (u32)(size >> 32));
	fdtb_poke(b, at + 12, (u32)size);
}

/* Write bytes, padded to a whole word. */
static void put(struct fdt_builder *b, const void *data, u32 len)
{
	b->full |= ALIGN_UP(len, 4) > FDTB_SIZE - b->at;
	if (b->full)
		return;
	memcpy(b->blob + b->at, data, len);
	b->at += ALIGN_UP(len, 4);
}

void fdtb_word(struct fdt_builder *b, u32 word)
{
	b->full |= FDTB_SIZE - b->at < 4;
	if (b->full)
		return;
	fdtb_poke(b, b->at, word);
	b->at += 4;
}

void fdtb_begin(struct fdt_builder *b, const char *name)
{
	fdtb_word(b, 1);
	put(b, name, (u32)strlen(name) + 1);
}

void fdtb_end(struct fdt_builder *b)
{
	fdtb_word(b, 2);
}

/* Return the offset of a name in the strings block; add the name if it is new. */
static u32 name_offset(struct fdt_builder *b, const char *name)
{
	u32 len = (u32)strlen(name) + 1;
	u32 at = 0;

	while (at < b->strings_len && strcmp(b->strings + at, name) != 0)
		at += (u32)strlen(b->strings + at) + 1;
	if (at < b->strings_len)
		return at;
	b->full |= len > sizeof(b->strings) - at;
	if (b->full)
		return 0;
	memcpy(b->strings + at, name, len);
	b->strings_len += len;
	return at;
}

void fdtb_prop(struct fdt_builder *b, const char *name, const void *data, u32 len)
{
	fdtb_word(b, 3);
	fdtb_word(b, len);
	fdtb_word(b, name_offset(b, name));
	put(b, data, len);
}

void fdtb_str(struct fdt_builder *b, const char *name, const char *value)
{
	fdtb_prop(b, name, value, (u32)strlen(value) + 1);
}

void fdtb_cell_array(struct fdt_builder *b, const char *name, const u32 *cells, u32 nr)
{
	fdtb_prop(b, name, "", 0);
	fdtb_poke(b, b->at - 8, nr * 4);
	for (u32 i = 0; i < nr; i++)
		fdtb_word(b, cells[i]);
}

u32 fdtb_finish(struct fdt_builder *b)
{
	const u32 header[] = {0xd00dfeed, 0, STRUCTS,	     0, HEADER, 17,
			      16,	  0, b->strings_len, 0};
	u32 strings;

	fdtb_word(b, 9);
	strings = b->at;
	put(b, b->strings, b->strings_len);
	if (b->full)
		return 0;
	for (u32 i = 0; i < ARRAY_SIZE(header); i++)
		fdtb_poke(b, i * 4, header[i]);
	fdtb_poke(b, 4, b->at);
	fdtb_poke(b, 12, strings);
	b->structs_len = strings - STRUCTS;
	fdtb_poke(b, 36, b->structs_len);
	return b->at;
}
