/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every trap comes here from entry.S. Interrupts go to their handlers, spurious page
 * faults are resolved, and every other trap is fatal.
 */
#include "kernel/hart.h"
#include "kernel/timer.h"

#include "arch.h"
#include "csr.h"

/*
 * A fault on an access that the page table allows means that this hart cached an older entry:
 * after a flush the access works. A fault that repeats more often than this has another cause.
 */
#define MAX_SPURIOUS 4

static struct last_fault {
	u64 pc, addr;
	unsigned int times;
} last_fault[MAX_HARTS];

static void handle_interrupt(u64 cause)
{
	struct hart *hart = this_hart();

	hart->irq_depth++;
	hart->irqs++;
	switch (cause) {
	case IRQ_SOFT:
		ipi_handle();
		break;
	case IRQ_TIMER:
		timer_interrupt();
		break;
	case IRQ_EXTERNAL:
		plic_handle(hart->id);
		break;
	default: /* not enabled in sie, so it cannot occur */
		break;
	}
	hart->irq_depth--;
}

static u64 wanted_access(u64 cause)
{
	switch (cause) {
	case EXC_INSN_PAGE_FAULT:
		return PTE_V | PTE_X;
	case EXC_LOAD_PAGE_FAULT:
		return PTE_V | PTE_R;
	case EXC_STORE_PAGE_FAULT:
		return PTE_V | PTE_W;
	default:
		return 0;
	}
}

static bool is_spurious(const struct trap_frame *frame)
{
	struct last_fault *last = &last_fault[this_hart()->id];
	const u64 wanted = wanted_access(frame->scause);
	struct walk walk;

	if (wanted == 0 || table_offset == 0)
		return false;
	walk = pgtable_walk(frame->stval, 0);
	if ((__atomic_load_n(walk.pte, __ATOMIC_RELAXED) & wanted) != wanted)
		return false;
	if (last->pc != frame->sepc || last->addr != frame->stval)
		*last = (struct last_fault){frame->sepc, frame->stval, 0};
	return ++last->times <= MAX_SPURIOUS;
}

/*
 * If the access of arch_probe_read() or probe_write() faulted, make that function return
 * false.
 */
static bool is_probe(struct trap_frame *frame)
{
	if (frame->sepc != (u64)probe_read_insn && frame->sepc != (u64)probe_write_insn)
		return false;
	frame->sepc = (u64)probe_read_failed;
	return true;
}

/**
 * trap_handler() - handle a trap of any kind, interrupts masked
 * @frame: the registers; changes to it take effect at the return
 */
void trap_handler(struct trap_frame *frame)
{
	if (frame->scause & SCAUSE_INTERRUPT) {
		irqs_off_begin(trap_handler);
		handle_interrupt(frame->scause & ~SCAUSE_INTERRUPT);
		irqs_off_end();
		return;
	}
	if (is_spurious(frame)) {
		tlb_flush_local(frame->stval, PAGE_SIZE);
		return;
	}
	if (is_probe(frame))
		return;
	fault_report(frame);
}
