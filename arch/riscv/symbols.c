/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of functions. build.mk makes the table from the first link. The table lies
 * after everything else, so the second link moves nothing:
 *
 *	struct symbol_table with nr steps, each from one function to the next;
 *	nr u8, the length of each name with its NUL; the names.
 *
 * A look-up walks the table: look-ups are rare, and their results are for a person. Apart from
 * the names, a searchable table would need twice the bytes.
 */
#include "arch/thread.h"

#include "arch.h"

struct symbol_table {
	u32 nr;
	u32 text_bytes; /* .text of the link that the table was made from */
	u16 step[]; /* distance from the previous function or _start; in units of 2 bytes */
};

const char *symbol_lookup(unsigned long addr, unsigned long *offset)
{
	const struct symbol_table *table = (const void *)__symbols_start;
	const unsigned long at = addr - (unsigned long)_start;
	unsigned long start = 0, next;
	const u8 *length;
	const char *name;

	if (&__symbols_start[0] == &__symbols_end[0] ||
	    at >= (unsigned long)(__text_end - _start))
		return NULL;
	if (table->text_bytes != (unsigned long)(__text_end - _start) || table->nr == 0)
		return NULL; /* a table of another link: wrong names are worse than none */
	length = (const u8 *)&table->step[table->nr];
	name = (const char *)&length[table->nr];
	for (u32 i = 0; i < table->nr; i++) {
		next = start + 2UL * table->step[i];
		if (next > at)
			break;
		start = next;
		if (i > 0)
			name += length[i - 1];
	}
	if (offset)
		*offset = at - start;
	return name;
}
