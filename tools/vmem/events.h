/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_EVENTS_H
#define _VMEM_EVENTS_H

/*
 * The device's own trace: a file of records in the format of
 * kernel/trace/trace_events.h, each written at once, so that killing the device loses none.
 */
#include "kernel/trace/trace_events.h"
#include "lib/types.h"

int events_open(const char *path, u8 device);
void events_emit(enum trace_event_id event, u64 pfn, u32 count, u16 before, u16 after);
void events_close(void);

#endif
