/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_PROBE_H
#define _ARCH_PROBE_H

/* Reading an address that may not be mapped. Guest only. */
#include "lib/types.h"

/**
 * arch_probe_read() - read 8 bytes, or find out that they cannot be read
 * @addr: any aligned address
 * @value: set to the 8 bytes
 *
 * Any context. Return: false if the read faulted.
 */
bool arch_probe_read(const void *addr, u64 *value);

#endif
