/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_POISON_H
#define _MM_POISON_H

/* Page poisoning, page_poison=1: see poison.c. */
#include "mm/mm.h"

extern bool page_poison;

/* Fill @nr frames that are being freed with the pattern. */
void poison_fill(struct mm *mm, unsigned long pfn, unsigned long nr);
/* Panic if any of @nr frames about to be allocated was written since its free; zone->lock held. */
void poison_check(struct mm *mm, unsigned long pfn, unsigned long nr);

#endif
