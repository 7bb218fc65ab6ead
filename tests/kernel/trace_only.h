/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_KERNEL_TRACE_ONLY_H
#define _TESTS_KERNEL_TRACE_ONLY_H

#include "kernel/trace/trace.h"

/*
 * From here on the rings record only these events; NULL: none. Discards the earlier
 * records.
 */
static inline void trace_only(const char *glob)
{
	struct trace_record record;

	(void)trace_set("*", TRACE_OFF);
	while (trace_take(&record))
		;
	if (glob)
		(void)trace_set(glob, TRACE_ON);
}

#endif
