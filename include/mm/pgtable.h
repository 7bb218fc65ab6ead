/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_PGTABLE_H
#define _MM_PGTABLE_H

/* Page-table pages for the machine. Typed PageTable. */
#include "lib/types.h"

/*
 * One zeroed frame; from boot memory before mm_boot(), then from the allocator,
 * then from the fixed reserve (mm->reserve). Thread context. 0 if there is none.
 */
phys_addr_t pgtable_alloc_page(void);
void pgtable_free_page(phys_addr_t paddr);

#endif
