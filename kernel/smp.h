/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_SMP_H
#define _KERNEL_SMP_H

#include "arch/machine_info.h"

/**
 * smp_register() - give logical ids to the harts that will run
 * @info: the machine; the boot hart is its first hart
 *
 * Registers no more harts than "maxcpus=" allows.
 */
void smp_register(const struct machine_info *info);

/**
 * smp_start() - start all registered harts except the caller
 *
 * If a hart does not come up within a second, the boot logs it and continues without it.
 *
 * Context: thread on the boot hart; the allocator is up.
 */
void smp_start(void);

#endif
