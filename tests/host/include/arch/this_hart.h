/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_THIS_HART_H
#define _ARCH_THIS_HART_H

/*
 * this_hart() on the host, where harts run on host threads. It is a call: a kernel thread
 * may continue on another host thread, but a compiler may keep the address of a
 * thread-local variable.
 */
struct hart;

/* Return NULL on host threads that are not harts; dereferencing it traps. */
struct hart *host_this_hart(void);

/* Return the hart that runs this code; the result is valid until the thread switches. */
static inline struct hart *this_hart(void)
{
	return host_this_hart();
}

#endif
