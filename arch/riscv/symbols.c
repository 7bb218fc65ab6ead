/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of functions. build.mk makes the table from the first link. The table lies
 * behind everything else, so the second link moves nothing:
 *
 *	struct symbol_table with nr ascending offsets from _start;
 *	nr u16, each name's offset among the names; the names.
 */
#include "arch/thread.h"

#include "arch.h"

struct symbol_table {
	u32 nr;
	u32 text_bytes; /* .text of the link that the table was made from */
	u32 offset[]; /* each function's, from _start */
};

const char *symbol_lookup(unsigned long addr, unsigned long *offset)
{
	const struct symbol_table *table = (const void *)__symbols_start;
	const unsigned long at = addr - (unsigned long)_start;
	const u16 *name;
	u32 low = 0, high;

	if (&__symbols_start[0] == &__symbols_end[0] ||
	    at >= (unsigned long)(__text_end - _start))
		return NULL;
	if (table->text_bytes != (unsigned long)(__text_end - _start) || table->nr == 0)
		return NULL; /* a table of another link: wrong names are worse than none */
	high = table->nr;
	while (high - low > 1) {
		const u32 middle = low + (high - low) / 2;

		if (table->offset[middle] <= at)
			low = middle;
		else
			high = middle;
	}
	if (offset)
		*offset = at - table->offset[low];
	name = (const u16 *)&table->offset[table->nr];
	return (const char *)&name[table->nr] + name[low];
}
