/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_PGTABLE_H
#define _MM_PGTABLE_H

/* Page-table pages for the machine, of type PageTable. */
#include "lib/types.h"

/*
 * Allocate one zeroed frame: before mm_boot(), from boot memory; later from the allocator
 * or, if that has none, from the fixed reserve (mm->reserve). Thread context. Return: its
 * address; 0 if there is none.
 */
phys_addr_t pgtable_alloc_page(void);
void pgtable_free_page(phys_addr_t paddr);

#endif
