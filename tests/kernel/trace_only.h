/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_KERNEL_TRACE_ONLY_H
#define _TESTS_KERNEL_TRACE_ONLY_H

#include "kernel/trace/trace.h"

/*
 * Make the rings record only events that match @glob (NULL: none), and discard the earlier
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
