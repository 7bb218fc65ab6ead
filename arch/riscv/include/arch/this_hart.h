/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_THIS_HART_H
#define _ARCH_THIS_HART_H

/*
 * this_hart() on riscv: the thread pointer register holds the address of the
 * hart's struct hart from the first C code on a hart to the last.
 *
 * It is a register variable, not an asm statement: the compiler folds the register into its
 * addressing (`ld a0, 16(tp)`) and reads it again after every call, because calls may change
 * it. So the compiler keeps no old value across a context switch, after which the thread may
 * run on another hart.
 */
struct hart;

register struct hart *arch_hart_in_tp __asm__("tp");

/* Return the hart that runs this code; a context switch may change it. */
static inline struct hart *this_hart(void)
{
	return arch_hart_in_tp;
}

#endif
