/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_STACK_H
#define _KERNEL_STACK_H

/*
 * The pool of stacks, see kernel/stack.c.
 */

/**
 * stack_pool_fill() - make stacks in advance
 * @nr: how many; fewer if there is no memory
 *
 * Context: thread or boot, when the allocator is up.
 */
void stack_pool_fill(unsigned int nr);

#endif
