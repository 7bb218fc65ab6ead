/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints a page-table walk, for the report of a fault.
 */
#include "kernel/sink.h"

#include "arch.h"

const char *paging_name(void)
{
	return paging_levels() == 4 ? "Sv48" : "Sv39";
}

static void print_entry(unsigned long va, const struct walk *walk, struct sink *out)
{
	const u64 pte = *walk->pte;

	sink_printf(out, "  level %u [%3lu] %016lx ", walk->level,
		    va >> LEVEL_SHIFT(walk->level) & (PTES_PER_TABLE - 1), pte);
	if (!(pte & PTE_V))
		sink_puts(out, pte == 0 ? "empty: not mapped\n" : "not valid\n");
	else if (!(pte & PTE_LEAF))
		sink_printf(out, "table at %#lx\n", PTE_PA(pte));
	else
		sink_printf(out, "maps %#lx %c%c%c\n", PTE_PA(pte),
			    pte & PTE_R ? 'r' : '-', pte & PTE_W ? 'w' : '-',
			    pte & PTE_X ? 'x' : '-');
}

/* Check that the bits above the translated bits all equal the highest translated bit. */
static bool is_canonical(unsigned long va)
{
	const unsigned int unused = 64 - LEVEL_SHIFT(paging_levels());

	return (unsigned long)((long)(va << unused) >> unused) == va;
}

/**
 * pgtable_describe() - print the entries that translate an address
 * @va: any number
 * @out: where to
 */
void pgtable_describe(unsigned long va, struct sink *out)
{
	unsigned int level = paging_levels();
	struct walk walk;

	sink_printf(out, "page table walk (%s), root at %#lx:\n", paging_name(),
		    root_table);
	if (!is_canonical(va)) {
		sink_printf(out, "  not an address of %s: its high bits differ\n",
			    paging_name());
		return;
	}
	if (table_offset == 0) {
		sink_puts(out, "  too early to walk\n");
		return;
	}
	while (level-- > 0) {
		walk = pgtable_walk(va, level);
		if (walk.level != level)
			return;
		print_entry(va, &walk, out);
	}
}
