/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_MEMFILE_H
#define _VMEM_MEMFILE_H

/*
 * The host's side of the device's region: finds the allocated bytes of the shared file,
 * and returns them to the host.
 */
#include "guest_mem.h"

bool memfile_covers(const struct guest_mem *mem, u64 gpa, u64 len);
int memfile_next_data(const struct guest_mem *mem, u64 gpa, u64 end, u64 *from, u64 *to);
u64 memfile_written(const struct guest_mem *mem, u64 gpa, u64 end, u64 *first);
int memfile_discard(const struct guest_mem *mem, u64 gpa, u64 len);

#endif
