/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel stacks: their addresses, each with a guard of the stack's own size below it,
 * and the first contents of a new stack.
 */
#include "arch/thread.h"
#include "kernel/panic.h"
#include "kernel/spinlock.h"
#include "kernel/thread.h"
#include "lib/string.h"

#include "arch.h"

static_assert(STACK_GUARD + ARCH_STACK_SIZE == STACK_SLOT, "layout.h");
static_assert(ARCH_MAX_STACKS > MAX_THREADS + MAX_HARTS, "each thread and idle hart has one");

#define NR_SLOTS (STACK_SLOT_FIRST + ARCH_MAX_STACKS)

static DEFINE_SPINLOCK(stack_lock);
static __guarded_by(stack_lock) unsigned int nr_stacks;

/* Take the next slot; a slot is never given back. Return: its number; -1 if all are taken. */
static int take_slot(void)
{
	int slot = -1;

	spin_lock(&stack_lock);
	if (nr_stacks < ARCH_MAX_STACKS)
		slot = nr_stacks++;
	spin_unlock(&stack_lock);
	return slot;
}

/*
 * Make the page tables of all stacks at boot, so that a new stack needs no memory but its own
 * frames.
 */
int stack_tables_make(void)
{
	return pgtable_prealloc((struct map_range){STACK_BASE, 0,
						   (u64)NR_SLOTS * STACK_SLOT, LEAVES_PAGES});
}

void *arch_stack_map(phys_addr_t backing)
{
	const int slot = take_slot();
	unsigned long va;

	if (slot < 0)
		return NULL;
	va = STACK_SLOT_TOP((unsigned long)slot + STACK_SLOT_FIRST) - ARCH_STACK_SIZE;
	if (pgtable_map((struct map_range){va, backing, ARCH_STACK_SIZE, LEAVES_PAGES},
			PROT_RW) != 0)
		panic("stack 0x%lx has no page table", va);
	/*
	 * A hart that cached "not mapped" for this address would fault on the stack
	 * that the trap handler needs.
	 */
	tlb_flush_all_harts(va, ARCH_STACK_SIZE);
	return (void *)va;
}

/* The words that arch_switch_to() pops from a stack, lowest address first. */
struct switch_frame {
	u64 unused;
	u64 s11, s10, s9, s8, s7, s6, s5, s4, s3, s2, s1, s0;
	u64 ra;
};
static_assert(sizeof(struct switch_frame) == 112, "entry.S: arch_switch_to");

void arch_context_init(struct arch_context *ctx, void *stack, void (*fn)(void *),
		       void *arg)
{
	struct switch_frame *frame = (void *)((char *)stack + ARCH_STACK_SIZE);

	frame--;
	memset(frame, 0, sizeof(*frame));
	frame->ra = (u64)thread_entry;
	frame->s1 = (u64)fn;
	frame->s2 = (u64)arg;
	ctx->sp = (u64)frame;
}

/**
 * stack_bounds() - find the stack that an address lies in
 * @sp: any number
 * @low: set to its lowest address
 * @high: set to one past its last
 *
 * Does not check that the stack is mapped. Return: false if @sp lies in no stack.
 */
bool stack_bounds(unsigned long sp, unsigned long *low, unsigned long *high)
{
	const unsigned long offset = sp - STACK_BASE;

	if (offset >= (unsigned long)NR_SLOTS * STACK_SLOT || !(sp & BIT(STACK_BIT)))
		return false;
	*low = ALIGN_DOWN(sp, STACK_SLOT) + STACK_GUARD;
	*high = *low + ARCH_STACK_SIZE;
	return true;
}

/* Check whether an address is in the guard below a stack. */
bool stack_guard_hit(unsigned long va)
{
	return va - STACK_BASE < (unsigned long)NR_SLOTS * STACK_SLOT &&
	       !(va & BIT(STACK_BIT));
}
