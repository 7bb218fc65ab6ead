/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads and writes device registers in order with memory.
 * Spec: RISC-V Unprivileged Architecture, RVWMO, fences on I/O and memory.
 */
#include "arch/io.h"

#define DEFINE_MMIO(type, letter)                                \
	type read##letter(const volatile void *addr)             \
	{                                                        \
		const type value = *(const volatile type *)addr; \
                                                                 \
		__asm__ volatile("fence i, ir" ::: "memory");    \
		return value;                                    \
	}                                                        \
	void write##letter(type value, volatile void *addr)      \
	{                                                        \
		__asm__ volatile("fence w, o" ::: "memory");     \
		*(volatile type *)addr = value;                  \
	}

DEFINE_MMIO(u8, b)
DEFINE_MMIO(u16, w)
DEFINE_MMIO(u32, l)

void dma_wmb(void)
{
	__asm__ volatile("fence w, w" ::: "memory");
}

void dma_rmb(void)
{
	__asm__ volatile("fence r, r" ::: "memory");
}

void dma_mb(void)
{
	__asm__ volatile("fence rw, rw" ::: "memory");
}
