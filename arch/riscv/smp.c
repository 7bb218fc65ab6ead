/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts the other harts through the firmware, and sends interrupts between harts. Spec:
 * SBI 2.0 chapters 7 (IPI) and 9 (HSM).
 */
#define pr_fmt(fmt) "smp: " fmt

#include "arch/irq.h"
#include "arch/thread.h"
#include "kernel/hart.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "lib/errno.h"

#include "arch.h"
#include "csr.h"
#include "sbi.h"

/* A starting hart reads this with paging off; entry.S knows the layout. */
static struct secondary {
	u64 satp;
	u64 sp;
	u64 hart;
	u64 entry;
} secondaries[MAX_HARTS];
static_assert(offsetof(struct secondary, satp) == SECONDARY_SATP, "layout.h");
static_assert(offsetof(struct secondary, sp) == SECONDARY_SP, "layout.h");
static_assert(offsetof(struct secondary, hart) == SECONDARY_HART, "layout.h");
static_assert(offsetof(struct secondary, entry) == SECONDARY_ENTRY, "layout.h");

/* A bit for each logical id of a hart that may have translations in its TLB. */
static unsigned long online = 1;

unsigned long online_mask(void)
{
	return __atomic_load_n(&online, __ATOMIC_ACQUIRE);
}

int arch_start_hart(unsigned int id, struct hart *hart, void *stack, void (*entry)(void))
{
	const struct machine_info *info = machine_info();
	struct sbi_ret ret;

	if (id == 0 || id >= info->nr_harts || !sbi_has(SBI_HSM))
		return -ENODEV;
	hart->arch[HART_OVERFLOW_SP / 8] =
		STACK_SLOT_TOP((unsigned long)STACK_SLOT_OVERFLOW + id);
	secondaries[id] = (struct secondary){csr_read(satp), (u64)stack + ARCH_STACK_SIZE,
					     (u64)hart, (u64)entry};
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ret = sbi_call(SBI_HSM, SBI_HSM_START,
		       SBI_ARGS(info->hartid[id], image_to_phys(secondary_start),
				image_to_phys(&secondaries[id])));
	if (ret.error != SBI_SUCCESS) {
		pr_err("hart %u (hartid %lu): the firmware refused to start it: error %ld\n", id,
		       info->hartid[id], ret.error);
		return -EIO;
	}
	return 0;
}

/**
 * arch_secondary_start() - run the first C code on another hart
 * @entry: where the kernel continues
 *
 * Called by entry.S with stack, tp, paging and trap vector set up.
 */
void arch_secondary_start(void (*entry)(void))
{
	/*
	 * From here on, flushes reach this hart; drop the translations that it cached before.
	 */
	__atomic_fetch_or(&online, BIT(this_hart()->id), __ATOMIC_SEQ_CST);
	__asm__ volatile("sfence.vma" ::: "memory");
	arch_timer_set(~0ULL);
	plic_init_hart(this_hart()->id);
	entry();
	__builtin_unreachable();
}

void arch_send_ipi(unsigned long harts)
{
	const struct machine_info *info = machine_info();

	harts &= online_mask();
	/*
	 * Order the caller's writes before the interrupt that makes the receiver look at them.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int id = 0; id < info->nr_harts; id++)
		if (harts & BIT(id))
			sbi_call(SBI_IPI, 0, SBI_ARGS(1, info->hartid[id]));
}

void arch_kick_hart(unsigned int hart)
{
	if (hart < MAX_HARTS)
		arch_send_ipi(BIT(hart));
}

/*
 * Handle an interrupt from another hart. Clear the bit first, so that a later interrupt is not
 * lost.
 */
void ipi_handle(void)
{
	csr_clear(sip, SIE_SOFT);
	panic_stop_if_asked();
}
