/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's machine has no devices. It describes memory that suites may add; registers
 * are plain memory (tests/fake), and there are no interrupt lines.
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
 * ThreadSanitizer does not know fences, so each is an exchange on one word: a fence
 * before a store then comes before the fence after the load that saw the store.
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

/* Ordered as in the contract: a fence on the memory side. */
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
