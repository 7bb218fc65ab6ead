/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_THIS_HART_H
#define _ARCH_THIS_HART_H

/*
 * this_hart() for a host program with one hart: a load, as cheap as the register in the
 * guest. See tests/host/include/arch/this_hart.h for programs with several harts.
 */
struct hart;

extern struct hart *native_hart;
struct hart *host_this_hart(void); /* the host's other programs call it */

static inline struct hart *this_hart(void)
{
	return native_hart;
}

#endif
