/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_RMQUEUE_H
#define _MM_RMQUEUE_H

/* Chunks out of a zone, by migrate type and place: see rmqueue.c. */
#include "mm/mm.h"

unsigned long rmqueue(struct zone *zone, unsigned int mt, unsigned int order,
		      enum page_type type, bool fill);
unsigned long rmqueue_bulk(struct zone *zone, unsigned int mt, enum page_type type,
			   unsigned long nr, unsigned long *pfns);

#endif
