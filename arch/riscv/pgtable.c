/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables: walking, filling and clearing runs of leaves.
 *
 * Tables are installed by compare-and-swap, so harts can map different ranges at the
 * same time without a lock. A table of 4 KiB covers 1 GiB of direct map, or the
 * descriptors of 512 MiB of memory.
 *
 * Tables of boot, of stacks and of device registers are permanent. The other tables of direct
 * map and memmap are transient: they come with a memory block and leave with the last block
 * that they map. PTE_TRANSIENT marks the entry that leads to such a table. The table's note
 * (pgtable_note()) has a bit for each eighth of its entries, which says whether any of them is
 * in use. paging.c has the lock that callers need to map and unmap there. A table that leaves
 * is first unlinked. A hart may still be walking it, so it stays unchanged until it is freed,
 * after a flush and a grace period; meanwhile its note has the address of the next unlinked
 * table. Spec: RISC-V Privileged Architecture 1.12, sections 4.3 to 4.5.
 */
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/memblock.h"
#include "mm/pgtable.h"

#include "arch.h"

phys_addr_t root_table;
unsigned long table_offset;

static pte_t *table_at(phys_addr_t pa)
{
	return (pte_t *)(unsigned long)(pa + table_offset);
}

unsigned int paging_levels(void)
{
	return machine_info()->paging_levels;
}

/*
 * Allocate a zeroed page; 0 if there is none. memblock cannot zero it: it is not mapped yet.
 */
static phys_addr_t new_table(void)
{
	phys_addr_t pa;

	if (memblock.mapped)
		return pgtable_alloc_page();
	pa = memblock_alloc_type(PAGE_SIZE, PAGE_SIZE, PGTY_PGTABLE);
	if (pa == 0 || table_offset + pa >= EARLY_IO_BASE)
		return 0;
	memset(table_at(pa), 0, PAGE_SIZE);
	return pa;
}

static unsigned int pte_index(unsigned long va, unsigned int level)
{
	return (va >> LEVEL_SHIFT(level)) & (PTES_PER_TABLE - 1);
}

static bool is_table(pte_t pte)
{
	return (pte & (PTE_V | PTE_LEAF)) == PTE_V;
}

/*
 * An eighth of a table, the unit of its note; in the direct map it maps one memory block, 128
 * MiB.
 */
#define EIGHTH (PTES_PER_TABLE / 8)

/* Return the bits of a table's note for @nr entries. */
static u64 note_bits(unsigned int first, unsigned int nr)
{
	return GENMASK((first + nr - 1) / EIGHTH, first / EIGHTH);
}

/* Note that some of @nr entries are in use; @parent leads to their table. */
static void note_used(const pte_t *parent, unsigned int first, unsigned int nr)
{
	const phys_addr_t table = PTE_PA(*parent);

	if (*parent & PTE_TRANSIENT)
		pgtable_set_note(table, pgtable_note(table) | note_bits(first, nr));
}

/* Check whether any of @nr entries may be in use; a permanent table has no note of this. */
static bool in_use(const pte_t *parent, unsigned int first, unsigned int nr)
{
	return !(*parent & PTE_TRANSIENT) || pgtable_note(PTE_PA(*parent)) & note_bits(first, nr);
}

static bool eighth_empty(const pte_t *pte)
{
	const pte_t *end = pte + EIGHTH;

	while (pte < end && *pte == 0)
		pte++;
	return pte == end;
}

/* Note which eighths of a table are empty, now that @nr of its entries are. */
static void note_empty(const pte_t *parent, unsigned int first, unsigned int nr)
{
	const phys_addr_t table = PTE_PA(*parent);
	const unsigned int end = first + nr;
	u64 note;

	if (!(*parent & PTE_TRANSIENT))
		return;
	note = pgtable_note(table);
	for (unsigned int at = ALIGN_DOWN(first, EIGHTH); at < end; at += EIGHTH)
		if ((at >= first && at + EIGHTH <= end) || eighth_empty(table_at(table) + at))
			note &= ~BIT(at / EIGHTH);
	pgtable_set_note(table, note);
}

/*
 * Install a new table in an empty entry of a walk; false if there is no memory. Stacks and
 * registers, which are never unmapped, lie above the windows of memory.
 */
static bool install_table(const struct walk *walk, unsigned long va)
{
	const pte_t mark = memblock.mapped && va < STACK_BASE ? PTE_TRANSIENT : 0;
	const phys_addr_t pa = new_table();
	pte_t empty = 0;

	if (pa == 0)
		return false;
	/* Release: a hart that finds the table finds it zeroed. */
	if (!__atomic_compare_exchange_n(walk->pte, &empty, PTE_PFN(pa) | PTE_V | mark, false,
					 __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
		if (memblock.mapped)
			pgtable_free_page(pa);
	} else if (walk->parent) {
		note_used(walk->parent, pte_index(va, walk->level), 1);
	}
	return true;
}

/**
 * pgtable_walk() - find the entry for an address
 * @va: a canonical address
 * @level: where to stop: 0 is a page's entry, 1 a 2 MiB entry
 *
 * Return: the entry at @level, or the higher entry at which the walk ended.
 */
struct walk pgtable_walk(unsigned long va, unsigned int level)
{
	struct walk walk = {.level = paging_levels() - 1};

	walk.pte = table_at(root_table) + pte_index(va, walk.level);
	while (walk.level != level) {
		const pte_t pte = __atomic_load_n(walk.pte, __ATOMIC_ACQUIRE);

		if (!is_table(pte))
			break;
		walk.parent = walk.pte;
		walk.level--;
		walk.pte = table_at(PTE_PA(pte)) + pte_index(va, walk.level);
	}
	return walk;
}

/* Walk as pgtable_walk() does, but make missing tables on the way. Return: 0, or -ENOMEM. */
static int walk_create(unsigned long va, unsigned int level, struct walk *walk)
{
	do {
		*walk = pgtable_walk(va, level);
		if (walk->level == level || *walk->pte != 0)
			return 0;
	} while (install_table(walk, va));
	return -ENOMEM;
}

/* Return the level of the first leaf of a range. */
static unsigned int leaf_level(const struct map_range *range)
{
	return range->leaves == LEAVES_LARGE && range->size >= SZ_2M &&
	       ((range->va | range->pa) & (SZ_2M - 1)) == 0;
}

/* Return the number of leaves of @level that the same table has from @va on. */
static unsigned long run_length(unsigned long va, u64 size, unsigned int level)
{
	return min(size >> LEVEL_SHIFT(level),
		   (u64)PTES_PER_TABLE - pte_index(va, level));
}

/* Return the bytes of a range that one table can map, from the start of the range. */
static u64 run_bytes(const struct map_range *range)
{
	const unsigned int level = leaf_level(range);

	return (u64)run_length(range->va, range->size, level) << LEVEL_SHIFT(level);
}

static void advance(struct map_range *range, u64 bytes)
{
	range->va += bytes;
	range->pa += bytes;
	range->size -= bytes;
}

/* Make the tables that mapping a range will need, so that the mapping itself cannot fail. */
int pgtable_prealloc(struct map_range range)
{
	struct walk walk;
	int err = 0;

	for (; err == 0 && range.size > 0; advance(&range, run_bytes(&range)))
		err = walk_create(range.va, leaf_level(&range), &walk);
	return err;
}

/*
 * Write @nr leaves: the first gets @value, each of the others @step more than its predecessor.
 * An entry that is already set has the same value. The loop is short because `make bench`
 * counts its instructions.
 */
static void fill_run(pte_t *pte, unsigned long nr, pte_t value, pte_t step)
{
	const pte_t *end = pte + nr;

	for (; pte + 4 <= end; pte += 4, value += 4 * step) {
		pte[0] = value;
		pte[1] = value + step;
		pte[2] = value + 2 * step;
		pte[3] = value + 3 * step;
	}
	for (; pte < end; pte++, value += step)
		*pte = value;
}

/*
 * Fill the entries that are not mapped yet. Where an earlier, smaller range left a table of
 * pages in place of a leaf of 2 MiB, fill that table.
 */
static void fill_holes(pte_t *pte, unsigned long nr, pte_t value, pte_t step)
{
	const pte_t *end = pte + nr;

	for (; pte < end; pte++, value += step) {
		if (likely(*pte == 0)) {
			*pte = value;
		} else if (is_table(*pte)) {
			fill_holes(table_at(PTE_PA(*pte)), PTES_PER_TABLE, value,
				   PTE_PFN(PAGE_SIZE));
			note_used(pte, 0, PTES_PER_TABLE);
		}
	}
}

static void add_unlinked(phys_addr_t table, phys_addr_t *unlinked)
{
	pgtable_set_note(table, *unlinked);
	*unlinked = table;
}

/*
 * Unlink the table of a walk to @va, and those above it, while they are transient and none
 * of their entries is in use. They go to the front of @unlinked.
 */
static void unlink_unused(unsigned long va, struct walk walk, phys_addr_t *unlinked)
{
	while (walk.parent && *walk.parent & PTE_TRANSIENT && !pgtable_note(PTE_PA(*walk.parent))) {
		const phys_addr_t table = PTE_PA(*walk.parent);

		__atomic_store_n(walk.parent, 0, __ATOMIC_RELAXED);
		add_unlinked(table, unlinked);
		walk = pgtable_walk(va, walk.level + 1);
		if (walk.parent)
			note_empty(walk.parent, pte_index(va, walk.level), 1);
	}
}

/**
 * pgtable_move() - move transient tables to other frames
 * @va: an address that they map
 * @leaves: tells whether a table must move
 * @unlinked: the list that gets the old tables
 *
 * Return: 0, or -ENOMEM: a table could not be moved.
 */
int pgtable_move(unsigned long va, bool (*leaves)(phys_addr_t table), phys_addr_t *unlinked)
{
	for (unsigned int level = 0; level < paging_levels() - 1; level++) {
		const struct walk walk = pgtable_walk(va, level);
		phys_addr_t old, new;

		if (walk.level != level || !(*walk.parent & PTE_TRANSIENT) ||
		    !leaves(PTE_PA(*walk.parent)))
			continue;
		new = new_table();
		if (new == 0)
			return -ENOMEM;
		old = PTE_PA(*walk.parent);
		memcpy(table_at(new), table_at(old), PAGE_SIZE);
		pgtable_set_note(new, pgtable_note(old));
		/* Release: a hart that finds the new table finds its entries. */
		__atomic_store_n(walk.parent, PTE_PFN(new) | PTE_V | PTE_TRANSIENT,
				 __ATOMIC_RELEASE);
		add_unlinked(old, unlinked);
	}
	return 0;
}

/**
 * pgtable_trim() - unlink the tables of a range that nothing uses
 * @range: as for pgtable_map()
 * @unlinked: the list that gets them
 */
void pgtable_trim(struct map_range range, phys_addr_t *unlinked)
{
	for (; range.size > 0; advance(&range, run_bytes(&range)))
		unlink_unused(range.va, pgtable_walk(range.va, leaf_level(&range)), unlinked);
}

/**
 * pgtable_map() - map a range, all or nothing
 * @range: the range
 * @prot: PROT_*
 *
 * Mapping a range again changes nothing.
 *
 * Return: 0, or -ENOMEM with nothing mapped; some tables may stay, see pgtable_trim().
 */
int pgtable_map(struct map_range range, u64 prot)
{
	struct walk walk;

	/* The walk below makes the tables of the first run itself, before it maps anything. */
	if (range.size > run_bytes(&range) && pgtable_prealloc(range))
		return -ENOMEM;
	while (range.size > 0) {
		const unsigned int level = leaf_level(&range);
		const unsigned long run = run_length(range.va, range.size, level);
		const pte_t value = PTE_PFN(range.pa) | prot;
		const pte_t step = PTE_PFN(1UL << LEVEL_SHIFT(level));
		unsigned int first;

		if (walk_create(range.va, level, &walk))
			return -ENOMEM;
		first = pte_index(range.va, walk.level);
		if (walk.level == level && (level == 0 || !in_use(walk.parent, first, run)))
			fill_run(walk.pte, run, value, step);
		else if (walk.level == level)
			fill_holes(walk.pte, run, value, step);
		if (walk.parent)
			note_used(walk.parent, first, run);
		advance(&range, run << LEVEL_SHIFT(level));
	}
	return 0;
}

/* Clear leaves up to the first table of pages. Return the number of entries cleared. */
static unsigned long clear_run(pte_t *pte, unsigned long nr, u64 *seen)
{
	const pte_t *start = pte, *end = pte + nr;

	/* PTE_R tells leaves, which can all be read, from tables and empty entries. */
	for (; pte + 8 <= end && pte[0] & pte[1] & pte[2] & pte[3] & pte[4] & pte[5] & pte[6] &
					 pte[7] & PTE_R; pte += 8)
		pte[0] = pte[1] = pte[2] = pte[3] = pte[4] = pte[5] = pte[6] = pte[7] = 0;
	*seen |= pte > start;
	for (; pte < end && !is_table(*pte); pte++) {
		*seen |= *pte;
		*pte = 0;
	}
	return pte - start;
}

/*
 * Clear the first part of a range, as far as a single table maps it. Return the part's size in
 * bytes.
 */
static u64 unmap_run(unsigned long va, u64 size, struct unmapped *un)
{
	const struct walk walk = pgtable_walk(va, 0);
	unsigned long run, cleared;

	if (walk.level > 1) { /* nothing is mapped in this whole entry */
		const u64 entry = 1UL << LEVEL_SHIFT(walk.level);

		return min(size, ALIGN_UP(va + 1, entry) - va);
	}
	run = run_length(va, size, walk.level);
	if (walk.level == 1 && (run == 0 || !IS_ALIGNED(va, SZ_2M))) {
		/*
		 * The range ends inside the entry's 2 MiB: allowed only if nothing is
		 * mapped there.
		 */
		WARN_ON(*walk.pte != 0);
		return min(size, ALIGN_UP(va + 1, SZ_2M) - va);
	}
	cleared = clear_run(walk.pte, run, &un->seen);
	if (walk.parent && cleared) {
		note_empty(walk.parent, pte_index(va, walk.level), cleared);
		unlink_unused(va, walk, &un->tables);
	}
	return (u64)cleared << LEVEL_SHIFT(walk.level);
}

/**
 * pgtable_unmap() - clear all leaves in a range, and unlink the tables that become unused
 * @va: first address, page-aligned
 * @size: bytes, whole pages
 *
 * Where the range covers only a part of a 2 MiB leaf, warns and keeps the mapping.
 *
 * Return: what was mapped; the caller flushes.
 */
struct unmapped pgtable_unmap(unsigned long va, u64 size)
{
	struct unmapped un = { 0 };

	while (size > 0) {
		u64 done = unmap_run(va, size, &un);

		va += done;
		size -= done;
	}
	return un;
}
