/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_MEMBLOCK_H
#define _MM_MEMBLOCK_H

/*
 * Boot memory before there is an allocator: two sorted arrays of byte ranges,
 * memory and reserved. Compare with: Linux mm/memblock.c.
 */
#include "kernel/abi.h"
#include "lib/types.h"

#define MEMBLOCK_MAX_REGIONS 128

struct memblock_region {
	phys_addr_t base; /* bytes */
	u64 size;	  /* bytes */
	enum page_type type; /* reserved: FIRMWARE, IMAGE, BOOT; memory: NONE */
};

struct memblock_type {
	unsigned int nr;
	struct memblock_region region[MEMBLOCK_MAX_REGIONS]; /* sorted, disjoint, merged */
};

struct memblock {
	struct memblock_type memory;
	struct memblock_type reserved;
	phys_addr_t limit; /* allocations stay below; 0: none */
};

extern struct memblock memblock;

/* -ENOSPC when the array is full; ranges are page-aligned inwards (memory) or outwards (reserved). */
int memblock_add(struct memblock *mb, phys_addr_t base, u64 size);
int memblock_remove(struct memblock *mb, phys_addr_t base, u64 size);
int memblock_reserve(struct memblock *mb, phys_addr_t base, u64 size, enum page_type type);

/**
 * memblock_alloc() - boot memory, zeroed if the direct map is up
 * @size: bytes
 * @align: bytes, a power of two, at least PAGE_SIZE is used
 * Lowest free range first, so that boot data clusters. Frames become PGTY_BOOT
 * (memblock_alloc_type() for others).
 * Return: physical address, 0 if there is none.
 */
phys_addr_t memblock_alloc(u64 size, u64 align);
phys_addr_t memblock_alloc_type(u64 size, u64 align, enum page_type type);

/* mem=: keep the first @limit bytes of memory. */
void memblock_enforce_limit(struct memblock *mb, u64 limit);
u64 memblock_total(const struct memblock *mb);

#endif
