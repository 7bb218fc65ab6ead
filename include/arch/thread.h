/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_THREAD_H
#define _ARCH_THREAD_H

/*
 * Stacks and context switches of kernel threads; backtraces, and the symbols for them.
 */
#include "lib/types.h"

struct sink;

#define ARCH_STACK_SIZE	 0x4000UL /* bytes of a kernel stack */
#define ARCH_STACK_ORDER 2	  /* the same size as an allocation order */
#define ARCH_MAX_STACKS	 96	  /* stacks that can exist at once */

/* A thread that does not run: its registers lie on its stack. */
struct arch_context {
	unsigned long sp;
};

/**
 * arch_stack_map() - give a stack's frames an address with a guard below
 * @backing: physical address of ARCH_STACK_SIZE bytes, contiguous
 *
 * The mapping is permanent: kernel/stack.c keeps stacks that no thread uses.
 *
 * Return: the lowest address of the stack, or NULL if all addresses are taken.
 */
void *arch_stack_map(phys_addr_t backing);

/**
 * arch_context_init() - make a thread that starts in a function
 * @ctx: its context
 * @stack: from arch_stack_map()
 * @fn: where it starts, with interrupts masked as arch_switch_to() leaves them; must not
 *	return
 * @arg: the argument of @fn
 */
void arch_context_init(struct arch_context *ctx, void *stack, void (*fn)(void *),
		       void *arg);

/**
 * arch_switch_to() - stop running one thread on this hart and continue another
 * @prev: gets the running thread's context
 * @next: the thread to continue
 *
 * Interrupts must be masked. Returns when a hart, perhaps another, switches back to @prev.
 */
void arch_switch_to(struct arch_context *prev, struct arch_context *next);

/**
 * arch_backtrace() - print the chain of callers
 * @out: where to
 *
 * Starts at the caller of this function. Checks each frame against the bounds of the
 * stack that the frame pointer lies in.
 */
void arch_backtrace(struct sink *out);

/**
 * symbol_lookup() - get the name of the function that holds an address
 * @addr: a code address
 * @offset: set to the distance from the function's start; may be NULL
 *
 * Return: the name, or NULL if the address is not the kernel's code.
 */
const char *symbol_lookup(unsigned long addr, unsigned long *offset);

#endif
