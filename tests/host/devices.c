/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host as a machine has no devices and no interrupt lines. It describes memory that
 * suites may add. Registers are plain memory (tests/fake).
 */
#include "arch/io.h"
#include "arch/irq.h"
#include "arch/machine_info.h"
#include "host.h"
#include "lib/errno.h"

static const struct machine_info info = {
	.memory = { { HOST_PHYS_START, HOST_PHYS_SIZE } },
	.nr_memory = 1,
	.cmdline = "",
	.nr_harts = 1,
	.timebase_hz = 1000000000,
	.paging_levels = 4,
};

const struct machine_info *machine_info(void)
{
	return &info;
}

void *ioremap(phys_addr_t start, u64 size)
{
	(void)start;
	(void)size;
	return NULL;
}

int irq_request(u32 irq, void (*fn)(void *arg), void *arg)
{
	(void)irq;
	(void)fn;
	(void)arg;
	return -EINVAL;
}

void irq_free(u32 irq, void *arg)
{
	(void)irq;
	(void)arg;
}

/*
 * ThreadSanitizer does not model fences, so each fence is an atomic read-modify-write of
 * one word: the fence before a store then happens before the fence after a load that saw
 * the store.
 */
static void device_fence(int order)
{
#ifdef EBB_TSAN
	static unsigned int word;

	(void)order;
	(void)__atomic_fetch_add(&word, 1, __ATOMIC_ACQ_REL);
#else
	__atomic_thread_fence(order);
#endif
}

/* Order each device access against memory accesses, as the machine contract demands. */
#define ACCESSORS(suffix, type)                                                          \
	type read##suffix(const volatile void *addr)                                     \
	{                                                                                \
		const type value = *(const volatile type *)addr;                         \
                                                                                         \
		device_fence(__ATOMIC_ACQUIRE);                                          \
		return value;                                                            \
	}                                                                                \
	void write##suffix(type value, volatile void *addr)                              \
	{                                                                                \
		device_fence(__ATOMIC_RELEASE);                                          \
		*(volatile type *)addr = value;                                          \
	}

ACCESSORS(b, u8)
ACCESSORS(w, u16)
ACCESSORS(l, u32)

void dma_wmb(void)
{
	device_fence(__ATOMIC_RELEASE);
}

void dma_rmb(void)
{
	device_fence(__ATOMIC_ACQUIRE);
}

void dma_mb(void)
{
	device_fence(__ATOMIC_SEQ_CST);
}
