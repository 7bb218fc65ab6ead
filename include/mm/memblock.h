/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_MEMBLOCK_H
#define _MM_MEMBLOCK_H

/*
 * Boot memory before there is an allocator: two sorted arrays of byte ranges,
 * memory and reserved. Compare with: Linux mm/memblock.c.
 *
 * Only the boot hart uses it, without locks, until mm_boot() has taken everything over.
 */
#include "kernel/abi.h"
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
 * struct memblock - the ranges of RAM and the ranges in use; in bytes
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

/* The machine's memblock, from which mm_boot() builds kernel_mm. */
extern struct memblock memblock;

/**
 * memblock_add() - add a range of RAM
 * @mb: the memblock
 * @base: bytes, aligned up to a page
 * @size: bytes; the end is aligned down to a page
 *
 * Overlaps are merged.
 * Return: 0; -ENOSPC when the array is full, with nothing changed.
 */
int __must_check memblock_add(struct memblock *mb, phys_addr_t base, u64 size);

/**
 * memblock_reserve() - mark a range as in use
 * @base: bytes, aligned down to a page
 * @size: bytes; the end is aligned up to a page
 * @type: type of its frames when the allocator comes up
 *
 * Parts that are already reserved keep their type.
 * Return: 0; -ENOSPC when the array is full, with nothing changed.
 */
int __must_check memblock_reserve(struct memblock *mb, phys_addr_t base, u64 size,
				  enum page_type type);

/**
 * memblock_alloc_from() - allocate boot memory from a memblock, contents undefined
 * @mb: the memblock
 * @size: bytes, rounded up to pages
 * @align: bytes, a power of two; at least PAGE_SIZE is used
 * @type: type of its frames
 *
 * Takes the lowest free range that fits, so that boot data clusters.
 * Return: physical address; 0 if there is none.
 */
phys_addr_t memblock_alloc_from(struct memblock *mb, u64 size, u64 align, enum page_type type);

/* Allocate from the machine's memblock: type Boot, or @type; zeroed once .mapped. */
phys_addr_t memblock_alloc(u64 size, u64 align);
phys_addr_t memblock_alloc_type(u64 size, u64 align, enum page_type type);

/* Keep only the first @limit bytes of memory, in ascending order, for mem=. */
void memblock_enforce_limit(struct memblock *mb, u64 limit);

/* Count the bytes of memory, including reserved memory. */
u64 memblock_total(const struct memblock *mb);

/**
 * memblock_next_free() - find the next range of memory that is not reserved
 * @mb: the memblock
 * @from: address to start from
 * @base: set to the first free byte at or above @from
 * @size: set to the length of that range in bytes
 *
 * Return: true; false when there is none.
 */
bool memblock_next_free(const struct memblock *mb, phys_addr_t from, phys_addr_t *base,
			u64 *size);

#endif
