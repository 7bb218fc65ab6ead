/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_ZONE_H
#define _MM_ZONE_H

/* Zones inside mm/: see zone.c. */
#include "mm/page_alloc.h"

void zone_init(struct zone *zone, struct mm *mm, enum zone_type type);
bool zone_watermark_ok(const struct zone *zone, unsigned long nr, u32 gfp);

#endif
