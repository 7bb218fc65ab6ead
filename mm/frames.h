/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_FRAMES_H
#define _MM_FRAMES_H

/* Ranges of frames become another type: see frames.c. */
#include "mm/mm.h"

void frames_change(struct mm *mm, const struct pfn_range *range, enum page_type from,
		   enum page_type to, unsigned int flags);
void frames_online(struct mem_section *ms, u64 mask);
void frames_offline(struct mem_section *ms);
bool frames_take_free(struct mm *mm, const struct pfn_range *range, enum page_type to,
		      unsigned int flags);

#endif
