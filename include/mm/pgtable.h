/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_PGTABLE_H
#define _MM_PGTABLE_H

/*
 * The services of mm for the machine layer below it: frames for page tables, of type
 * PageTable, and words for a fault report.
 */
#include "lib/types.h"

struct sink;

/*
 * Allocate one zeroed frame: before mm_boot(), from boot memory; later from the allocator
 * or, if that has none, from the fixed reserve (mm->reserve). Thread context. Return: its
 * address; 0 if there is none.
 */
phys_addr_t pgtable_alloc_page(void);
void pgtable_free_page(phys_addr_t paddr);

/*
 * Get or set a note about a frame that pgtable_alloc_page() allocated after mm_boot(); 0 at
 * first.
 */
u64 pgtable_note(phys_addr_t paddr);
void pgtable_set_note(phys_addr_t paddr, u64 note);

/* Name the memory block and granule of a stray physical address (panic path, no locks). */
void mm_describe_fault(phys_addr_t paddr, struct sink *out);

#endif
