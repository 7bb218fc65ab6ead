/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_FREE_H
#define _MM_FREE_H

/* Freeing inside mm/, in addition to include/mm/page_alloc.h. */
#include "mm/mm.h"

/* See page_alloc.c. */
void free_frozen_pages(struct mm *mm, unsigned long pfn, unsigned int order);
/* See failure.c. */
void bad_free(struct mm *mm, unsigned long pfn, unsigned int order, const char *what)
	__noreturn __cold;

#endif
