/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flushes translations, here and on the other harts. One firmware call covers a whole
 * range.
 * Spec: Privileged Architecture 1.12, section 4.2.1; SBI 2.0 chapter 8.
 */
#include "kernel/hart.h"
#include "kernel/panic.h"

#include "arch.h"
#include "sbi.h"

/* For more pages than this, flushing the whole TLB is cheaper. */
#define MAX_SINGLE_FLUSHES 16

void tlb_flush_local(unsigned long va, u64 size)
{
	const unsigned long end = va + size;

	if (size > MAX_SINGLE_FLUSHES * PAGE_SIZE) {
		__asm__ volatile("sfence.vma" ::: "memory");
		return;
	}
	for (; va < end; va += PAGE_SIZE)
		__asm__ volatile("sfence.vma %0" ::"r"(va) : "memory");
}

static void flush_remote(u64 hartid, unsigned long mask, unsigned long va, u64 size)
{
	struct sbi_ret ret =
		sbi_call(SBI_RFENCE, SBI_RFENCE_VMA, SBI_ARGS(mask, hartid, va, size));

	/* If ebb continued, a hart could use memory that is gone. */
	if (ret.error != SBI_SUCCESS && !panic_in_progress())
		panic("the firmware refused a remote TLB flush: error %ld", ret.error);
}

/**
 * tlb_flush_all_harts() - flush a range on all harts, after its page-table entries were cleared
 * @va: first address
 * @size: bytes
 *
 * When it returns, no online hart uses the old entries any more.
 */
void tlb_flush_all_harts(unsigned long va, u64 size)
{
	const struct machine_info *info = machine_info();
	unsigned long others, mask = 0;

	/*
	 * Order the clearing of the entries before the read of the online mask; pairs with
	 * smp.c.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	tlb_flush_local(va, size);
	others = online_mask() & ~BIT(this_hart()->id);
	for (unsigned int id = 0; id < info->nr_harts; id++) {
		if (!(others & BIT(id)))
			continue;
		if (info->hartid[id] < 64)
			mask |= BIT(info->hartid[id]);
		else
			flush_remote(info->hartid[id], 1, va, size);
	}
	if (mask != 0)
		flush_remote(0, mask, va, size);
}
