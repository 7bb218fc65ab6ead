/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of functions. The table is made from the first link (build.mk) and lies behind
 * everything else, so the second link moves nothing:
 *
 *	struct symbol_table, nr entries { offset from _start, offset of the name },
 *	sorted by the first, then the names.
 */
#include "arch/thread.h"

#include "arch.h"

struct symbol {
	u32 offset; /* of the function, from _start */
	u32 name;   /* offset into the names */
};

struct symbol_table {
	u32 nr;
	u32 text_bytes; /* of the link that the table was made from */
	struct symbol symbol[];
};

const char *symbol_lookup(unsigned long addr, unsigned long *offset)
{
	const struct symbol_table *table = (const void *)__symbols_start;
	const unsigned long at = addr - (unsigned long)_start;
	u32 low = 0, high;

	if (&__symbols_start[0] == &__symbols_end[0] ||
	    at >= (unsigned long)(__text_end - _start))
		return NULL;
	if (table->text_bytes != (unsigned long)(__text_end - _start) || table->nr == 0)
		return NULL; /* another link's table: wrong names are worse than none */
	high = table->nr;
	while (high - low > 1) {
		const u32 middle = low + (high - low) / 2;

		if (table->symbol[middle].offset <= at)
			low = middle;
		else
			high = middle;
	}
	if (offset)
		*offset = at - table->symbol[low].offset;
	return (const char *)&table->symbol[table->nr] + table->symbol[low].name;
}
