/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_INTERNAL_H
#define _MM_INTERNAL_H

/* What the files of mm/ share among themselves and with their tests. */
#include "kernel/panic.h"
#include "kernel/trace/trace.h"
#include "lib/bitops.h"
#include "mm/evac.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/section.h"

/* --- buddy.c: chunks in and out of the free bits ------------------------------ */

unsigned long buddy_alloc(struct zone *zone, unsigned int mt, unsigned int order,
			  enum page_type type);
unsigned int buddy_alloc_singles(struct zone *zone, unsigned int mt, unsigned int nr,
				 unsigned long *pfns, enum page_type type);
bool buddy_range_free(const struct mem_section *ms, unsigned long pfn, unsigned int order);
void buddy_take(struct mem_section *ms, unsigned long pfn, unsigned int order, u32 word);
void buddy_free(struct mem_section *ms, unsigned long pfn, unsigned int order);
unsigned long buddy_free_singles(struct mem_section *ms, const unsigned long *pfns,
				 unsigned long nr, u32 word, unsigned int types);

/* --- page_alloc.c ---------------------------------------------------------------- */

void free_dead_chunk(struct mm *mm, unsigned long pfn, unsigned int order);
void bad_free(struct mm *mm, unsigned long pfn, unsigned int order, const char *what)
	__noreturn __cold;

/* --- page_isolation.c ------------------------------------------------------------ */

bool free_or_loose(const struct mm *mm, const struct pfn_range *range);
unsigned long section_next_used(const struct mem_section *ms, unsigned long pfn,
				unsigned long end);
unsigned long next_used(const struct mm *mm, unsigned long pfn, unsigned long end);

/* --- poison.c: page_poison=1 -------------------------------------------------- */

extern bool page_poison;
void poison_fill(struct mm *mm, unsigned long pfn, unsigned long nr);
void poison_check(struct mm *mm, unsigned long pfn, unsigned long nr);

#endif
