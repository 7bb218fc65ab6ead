/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_THIS_HART_H
#define _ARCH_THIS_HART_H

/*
 * this_hart() on the host: a hart is a host thread. A call, because a kernel
 * thread may continue on another host thread, and a compiler would remember
 * where a thread-local variable lies.
 */
struct hart;

/* NULL on host threads that are not a hart; using it traps. */
struct hart *host_this_hart(void);

/* The hart that runs this code; stable only while not switching. */
static inline struct hart *this_hart(void)
{
	return host_this_hart();
}

#endif
