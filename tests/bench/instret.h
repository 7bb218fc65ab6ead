/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_BENCH_INSTRET_H
#define _TESTS_BENCH_INSTRET_H

/* Counting instructions, for `make bench`. Guest only. */
#include "lib/types.h"

/**
 * arch_instret() - count the instructions that this hart has retired
 *
 * Counts instructions only under QEMU's -icount; without it QEMU returns host ticks.
 * arch_instret_exact() tells which.
 */
u64 arch_instret(void);

/**
 * arch_instret_exact() - check whether arch_instret() counts instructions
 *
 * Runs a loop of known length. Context: any, with interrupts off or rare.
 * Return: true if the count is right to the instruction.
 */
bool arch_instret_exact(void);

#endif
