/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The window of device registers. Mappings are permanent: a driver that is removed and bound
 * again finds its registers at the same address.
 */
#define pr_fmt(fmt) "ioremap: " fmt

#include "arch/io.h"
#include "kernel/printk.h"
#include "kernel/spinlock.h"

#include "arch.h"

#define MAX_MAPPINGS 64

static struct map_range mappings[MAX_MAPPINGS];
static unsigned int nr_mappings;
static unsigned long next_va = MMIO_BASE;
static DEFINE_SPINLOCK(ioremap_lock);

static const struct map_range *find_mapping(phys_addr_t pa, u64 size)
{
	const struct map_range *m;

	for (m = mappings; m < mappings + nr_mappings; m++)
		if (pa >= m->pa && pa - m->pa < m->size && size <= m->size - (pa - m->pa))
			return m;
	return NULL;
}

/*
 * Map registers at a free address, which allows leaves of 2 MiB if the registers' address
 * does.
 */
static const struct map_range *new_mapping(phys_addr_t pa, u64 size)
{
	struct map_range *m = &mappings[nr_mappings];
	unsigned long va = next_va;

	if (nr_mappings == MAX_MAPPINGS)
		return NULL;
	if (size >= SZ_2M)
		va = ALIGN_UP(va, SZ_2M) + (pa & (SZ_2M - 1));
	if (size > MMIO_BASE + MMIO_SIZE - va)
		return NULL;
	*m = (struct map_range){va, pa, size, LEAVES_LARGE};
	if (pgtable_map(*m, PROT_RW) != 0)
		return NULL;
	nr_mappings++;
	/* One page between two devices stays unmapped. */
	next_va = va + size + PAGE_SIZE;
	return m;
}

void *ioremap(phys_addr_t start, u64 size)
{
	const phys_addr_t pa = ALIGN_DOWN(start, PAGE_SIZE);
	const u64 bytes = ALIGN_UP(start + size, PAGE_SIZE) - pa;
	const struct map_range *m;

	if (size == 0 || bytes < size)
		return NULL;
	spin_lock(&ioremap_lock);
	m = find_mapping(pa, bytes);
	if (!m)
		m = new_mapping(pa, bytes);
	spin_unlock(&ioremap_lock);
	if (!m) {
		pr_err("no room to map %#lx bytes at %#lx\n", size, start);
		return NULL;
	}
	return (void *)(m->va + (start - m->pa));
}
