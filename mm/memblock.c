/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot memory before there is an allocator: two arrays of ranges. Every change leaves
 * them sorted, disjoint and merged.
 */
#include "arch/machine.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/memblock.h"

struct memblock memblock;

#define ADDR_MAX ALIGN_DOWN(~(phys_addr_t)0, PAGE_SIZE)

static phys_addr_t region_end(const struct memblock_region *r)
{
	return r->base + r->size;
}

/* The end of @size bytes at @base, clamped to the end of the address space. */
static phys_addr_t clamped_end(phys_addr_t base, u64 size)
{
	return size > ADDR_MAX - base ? ADDR_MAX : base + size;
}

static void insert_region(struct memblock_type *t, unsigned int at, phys_addr_t base,
			  phys_addr_t end, enum page_type type)
{
	memmove(&t->region[at + 1], &t->region[at], (t->nr - at) * sizeof(t->region[0]));
	t->region[at] = (struct memblock_region){ base, end - base, type };
	t->nr++;
}

/* Merge neighbours that touch and have the same type. */
static void merge_regions(struct memblock_type *t)
{
	unsigned int last = 0;

	for (unsigned int i = 1; i < t->nr; i++) {
		struct memblock_region *r = &t->region[last];

		if (region_end(r) == t->region[i].base && r->type == t->region[i].type)
			r->size += t->region[i].size;
		else
			t->region[++last] = t->region[i];
	}
	t->nr = min(t->nr, last + 1);
}

/*
 * Count the parts of [base, end) that no region covers and, if @insert, make them
 * regions. Return: how many parts there are.
 */
static unsigned int fill_gaps(struct memblock_type *t, phys_addr_t base, phys_addr_t end,
			      enum page_type type, bool insert)
{
	unsigned int gaps = 0, i;

	for (i = 0; i < t->nr && t->region[i].base < end; i++) {
		phys_addr_t next = region_end(&t->region[i]);

		if (next <= base)
			continue;
		if (t->region[i].base > base) {
			gaps++;
			if (insert) {
				insert_region(t, i, base, t->region[i].base, type);
				i++;
			}
		}
		base = next;
	}
	if (base < end) {
		gaps++;
		if (insert)
			insert_region(t, i, base, end, type);
	}
	return gaps;
}

static int type_add(struct memblock_type *t, phys_addr_t base, phys_addr_t end,
		    enum page_type type)
{
	if (base >= end)
		return 0;
	if (t->nr + fill_gaps(t, base, end, type, false) > MEMBLOCK_MAX_REGIONS)
		return -ENOSPC;
	fill_gaps(t, base, end, type, true);
	merge_regions(t);
	return 0;
}

int memblock_add(struct memblock *mb, phys_addr_t base, u64 size)
{
	phys_addr_t end = ALIGN_DOWN(clamped_end(base, size), PAGE_SIZE);

	if (base > ADDR_MAX)
		return 0;
	return type_add(&mb->memory, ALIGN_UP(base, PAGE_SIZE), end, PGTY_NONE);
}

int memblock_reserve(struct memblock *mb, phys_addr_t base, u64 size, enum page_type type)
{
	phys_addr_t end = ALIGN_UP(clamped_end(base, size), PAGE_SIZE);

	return size ? type_add(&mb->reserved, ALIGN_DOWN(base, PAGE_SIZE), end, type) : 0;
}

bool memblock_next_free(const struct memblock *mb, phys_addr_t from, phys_addr_t *base,
			u64 *size)
{
	const struct memblock_type *m = &mb->memory, *res = &mb->reserved;
	unsigned int r = 0;

	for (unsigned int i = 0; i < m->nr; i++) {
		phys_addr_t start = max(from, m->region[i].base);
		phys_addr_t end = region_end(&m->region[i]);

		/* Skip only within this range: the next range may begin below the end
		 * of a reserved range. */
		for (; r < res->nr && start < end && res->region[r].base <= start; r++)
			start = max(start, region_end(&res->region[r]));
		if (start >= end) {
			/* The last reserved range may reach into the next memory range. */
			r = r ? r - 1 : 0;
			continue;
		}
		if (r < res->nr)
			end = min(end, res->region[r].base);
		*base = start;
		*size = end - start;
		return true;
	}
	return false;
}

phys_addr_t memblock_alloc_from(struct memblock *mb, u64 size, u64 align, enum page_type type)
{
	phys_addr_t base, start, from = 0;
	u64 bytes;

	size = ALIGN_UP(size, PAGE_SIZE);
	align = max(align, (u64)PAGE_SIZE);
	while (size && memblock_next_free(mb, from, &base, &bytes)) {
		phys_addr_t end = base + bytes;

		if (mb->limit)
			end = min(end, mb->limit);
		start = ALIGN_UP(max(base, (phys_addr_t)PAGE_SIZE), align);
		if (start < end && size <= end - start)
			return memblock_reserve(mb, start, size, type) ? 0 : start;
		from = base + bytes;
	}
	return 0;
}

phys_addr_t memblock_alloc_type(u64 size, u64 align, enum page_type type)
{
	phys_addr_t start = memblock_alloc_from(&memblock, size, align, type);

	if (start && memblock.mapped)
		memset(phys_to_virt(start), 0, ALIGN_UP(size, PAGE_SIZE));
	return start;
}

phys_addr_t memblock_alloc(u64 size, u64 align)
{
	return memblock_alloc_type(size, align, PGTY_BOOT);
}

void memblock_enforce_limit(struct memblock *mb, u64 limit)
{
	struct memblock_type *t = &mb->memory;

	limit = ALIGN_DOWN(limit, PAGE_SIZE);
	for (unsigned int i = 0; i < t->nr; i++) {
		struct memblock_region *r = &t->region[i];

		r->size = min(r->size, limit);
		limit -= r->size;
		if (!r->size) {
			t->nr = i;
			return;
		}
	}
}

u64 memblock_total(const struct memblock *mb)
{
	u64 total = 0;

	for (unsigned int i = 0; i < mb->memory.nr; i++)
		total += mb->memory.region[i].size;
	return total;
}
