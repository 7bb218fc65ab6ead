/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_MEMBLOCK_H
#define _MM_MEMBLOCK_H

/*
 * Boot memory before there is an allocator: two sorted arrays of byte ranges,
 * memory and reserved. Compare with: Linux mm/memblock.c.
 *
 * One hart, no locks: used until mm_boot() has taken everything over.
 */
#include "kernel/abi.h"
#include "lib/compiler.h"
#include "lib/types.h"

#define MEMBLOCK_MAX_REGIONS 128

struct memblock_region {
	phys_addr_t base; /* bytes */
	u64 size;	  /* bytes */
	enum page_type type; /* reserved: FIRMWARE, IMAGE, BOOT, MEMMAP ...; memory: NONE */
};

struct memblock_type {
	unsigned int nr;
	struct memblock_region region[MEMBLOCK_MAX_REGIONS]; /* sorted, disjoint, merged */
};

/**
 * struct memblock - what is memory and what of it is in use; in bytes
 * @memory: ranges of RAM
 * @reserved: ranges in use; may lie outside of memory
 * @limit: allocations stay below; 0: none
 * @mapped: not 0 once phys_to_virt() works for all memory; allocations are
 *	zeroed from then on
 */
struct memblock {
	struct memblock_type memory;
	struct memblock_type reserved;
	phys_addr_t limit;
	u32 mapped;
};

/* The machine's own, which mm_boot() builds kernel_mm of. */
extern struct memblock memblock;

/**
 * memblock_add() - this is RAM
 * @mb: the memblock
 * @base: bytes, aligned up to a page
 * @size: bytes; the end is aligned down to a page
 *
 * Overlaps are merged. Return: 0; -ENOSPC when the array is full, with nothing changed.
 */
int __must_check memblock_add(struct memblock *mb, phys_addr_t base, u64 size);

/**
 * memblock_reserve() - this is in use
 * @base: bytes, aligned down to a page
 * @size: bytes; the end is aligned up to a page
 * @type: what its frames become when the allocator comes up
 *
 * What is reserved already keeps its type. Return: 0; -ENOSPC, nothing changed.
 */
int __must_check memblock_reserve(struct memblock *mb, phys_addr_t base, u64 size,
				  enum page_type type);

/**
 * memblock_alloc_from() - boot memory of one memblock, contents undefined
 * @mb: the memblock
 * @size: bytes, rounded up to pages
 * @align: bytes, a power of two; at least PAGE_SIZE is used
 * @type: what its frames become
 *
 * Lowest free range first, so that boot data clusters.
 * Return: physical address; 0 if there is none.
 */
phys_addr_t memblock_alloc_from(struct memblock *mb, u64 size, u64 align, enum page_type type);

/* The same from the machine's memblock: type Boot, zeroed once memblock.mapped. */
phys_addr_t memblock_alloc(u64 size, u64 align);
phys_addr_t memblock_alloc_type(u64 size, u64 align, enum page_type type);

/* mem=: keep the first @limit bytes of memory, in ascending order. */
void memblock_enforce_limit(struct memblock *mb, u64 limit);

/* Bytes of memory, the reserved included. */
u64 memblock_total(const struct memblock *mb);

/**
 * memblock_next_free() - walk over memory that is not reserved
 * @mb: the memblock
 * @from: bytes; where to go on
 * @base: filled with the first free byte at or above @from
 * @size: filled with the bytes of that range
 *
 * Return: true; false when there is none.
 */
bool memblock_next_free(const struct memblock *mb, phys_addr_t from, phys_addr_t *base,
			u64 *size);

#endif
