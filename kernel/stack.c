/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stacks of kernel threads: frames from the page allocator, mapped with a guard page
 * below. Stacks come from a pool and go back to it. The pool never frees their frames. So
 * starting a thread is cheap, and a test that starts threads does not seem to leak memory.
 */
#include "arch/thread.h"
#include "kernel/sched.h"
#include "mm/page.h"
#include "mm/page_alloc.h"

static DEFINE_SPINLOCK(pool_lock);
/* The lowest address of the first free stack; the first word of each is the next. */
static void *pool __guarded_by(pool_lock);

static void *pool_take(void)
{
	void *stack;

	spin_lock(&pool_lock);
	stack = pool;
	if (stack != NULL)
		pool = *(void **)stack;
	spin_unlock(&pool_lock);
	return stack;
}

void stack_put(void *stack)
{
	if (stack == NULL)
		return;
	spin_lock(&pool_lock);
	*(void **)stack = pool;
	pool = stack;
	spin_unlock(&pool_lock);
}

static void *stack_make(void)
{
	const unsigned long pfn = alloc_pages(&kernel_mm, GFP_KERNEL, ARCH_STACK_ORDER,
					      PGTY_KERNEL);
	void *stack;

	if (pfn == PFN_NONE)
		return NULL;
	stack = arch_stack_map(pfn_to_phys(pfn));
	if (stack == NULL)
		free_pages(&kernel_mm, pfn, ARCH_STACK_ORDER);
	return stack;
}

void *stack_get(void)
{
	void *stack = pool_take();

	return stack != NULL ? stack : stack_make();
}
