/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_IO_H
#define _ARCH_IO_H

/*
 * Drivers' access to devices: mapping registers, reading and writing them in order, and
 * ordering accesses of memory that a device reads and writes (DMA is coherent on this
 * machine).
 *
 * The accessors are ordered as Linux's of the same names: a readX() comes before later
 * accesses of memory, a writeX() after earlier accesses. On the host they call a test's device
 * model.
 */
#include "lib/types.h"

/**
 * ioremap() - map a device's registers
 * @start: physical address, any alignment
 * @size: bytes
 *
 * Mapping the same registers again returns the same address; mappings are permanent.
 * Call it after arch_paging_init().
 *
 * Return: the address of @start, or NULL if the window is full or there is no memory
 * for page tables.
 */
void *ioremap(phys_addr_t start, u64 size);

u8 readb(const volatile void *addr);
u16 readw(const volatile void *addr);
u32 readl(const volatile void *addr);
void writeb(u8 value, volatile void *addr);
void writew(u16 value, volatile void *addr);
void writel(u32 value, volatile void *addr);

/* Order this hart's writes to memory as a device sees them. */
void dma_wmb(void);
/* Order this hart's reads of memory that a device writes. */
void dma_rmb(void);
/* Do both, and order writes before later reads. */
void dma_mb(void);

#endif
