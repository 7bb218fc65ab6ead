/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_TRACE_TRACE_TABLE_H
#define _KERNEL_TRACE_TRACE_TABLE_H

/*
 * The table of events; the linker places it for the kernel and for host tools that read
 * the ELF file.
 */
#include "kernel/trace/trace_events.h"

extern const struct trace_event_desc __start_trace_event_table[];
extern const struct trace_event_desc __stop_trace_event_table[];

#define for_each_trace_event(desc)                                                       \
	for ((desc) = __start_trace_event_table; (desc) < __stop_trace_event_table;      \
	     (desc)++)

/* Find the row of an event, or NULL. */
const struct trace_event_desc *trace_event_find(unsigned int id);

#endif
