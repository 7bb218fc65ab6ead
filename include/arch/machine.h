/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_MACHINE_H
#define _ARCH_MACHINE_H

/*
 * The machine contract: everything that mm/ and the locks may know about the machine.
 * There are two implementations: arch/riscv for the guest, tests/host for the host.
 *
 * Addresses are phys_addr_t in bytes; pfns are absolute (address >> 12). Two calls that change
 * page tables of the same range must not overlap in time: the callers serialise them (boot, or
 * the lock of memory hotplug).
 */
#include "lib/types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)

/* Direct-map address minus physical address. Constant once paging is set up. */
extern unsigned long direct_map_offset;

/**
 * phys_to_virt() - get the direct-map address of a physical address
 * @pa: a physical address in a frame that the direct map contains
 *
 * This is pure arithmetic: the frame may not be mapped now.
 */
static inline void *phys_to_virt(phys_addr_t pa)
{
	return (void *)(uintptr_t)(pa + direct_map_offset);
}

/**
 * virt_to_phys() - get the physical address of a direct-map address
 * @va: an address that phys_to_virt() returned, or another address in the same frame
 *
 * Not for the kernel image, stacks or I/O memory, which lie in other windows.
 */
static inline phys_addr_t virt_to_phys(const void *va)
{
	return (phys_addr_t)(uintptr_t)va - direct_map_offset;
}

/**
 * arch_mappable_range() - get the physical bytes that direct map and memmap can reach
 * @start: set to the first byte
 * @end: set to one past the last byte
 *
 * Constant after boot. Sv39 reaches 128 GiB from the lowest RAM on.
 */
void arch_mappable_range(phys_addr_t *start, phys_addr_t *end);

/**
 * arch_map_direct() - map physical memory at its direct-map address
 * @start: first byte, a multiple of PAGE_SIZE
 * @size: bytes, a multiple of PAGE_SIZE
 *
 * Maps it read-write, not executable. Each whole 2 MiB gets one leaf, the rest gets 4 KiB
 * leaves. Ranges that are mapped already stay as they are. A hart may take a spurious fault on
 * the new range; the trap handler resolves it.
 *
 * Return: 0; -ENOMEM if there is no memory for page tables (what this call had mapped is
 * unmapped again); -E2BIG outside arch_mappable_range().
 */
int arch_map_direct(phys_addr_t start, u64 size);

/**
 * arch_unmap_direct() - take physical memory out of the direct map
 * @start: first byte, a multiple of PAGE_SIZE
 * @size: bytes; the range may not cut through a 2 MiB leaf
 *
 * When it returns, no hart can reach the range any more; one TLB shoot-down covers the
 * whole range. Never allocates. Unlinks page tables that no mapping needs any more, see
 * arch_tables_take(). The range may have holes. Interrupts may be on or off.
 */
void arch_unmap_direct(phys_addr_t start, u64 size);

/**
 * arch_direct_mapped() - check whether the direct map contains this frame now
 * @pa: any byte of the frame
 *
 * For checks: the answer may be out of date at once, unless the caller prevents changes.
 */
bool arch_direct_mapped(phys_addr_t pa);

/**
 * arch_vmemmap_map() - back the descriptors of a pfn range with memory
 * @start_pfn: first frame; its descriptor starts a page of descriptors
 * @nr_pages: frames; the descriptors fill whole pages
 * @backing: physical address of nr_pages * sizeof(struct page) bytes,
 *	a multiple of PAGE_SIZE
 *
 * Maps the descriptors, but writes nothing into them.
 *
 * Return: 0, -ENOMEM (nothing mapped), -E2BIG outside the window.
 */
int arch_vmemmap_map(unsigned long start_pfn, unsigned long nr_pages,
		     phys_addr_t backing);

/**
 * arch_vmemmap_unmap() - undo arch_vmemmap_map() for a pfn range
 * @start_pfn: first frame
 * @nr_pages: frames
 *
 * Includes the TLB shoot-down of all harts; never allocates; unlinks page tables as
 * arch_unmap_direct() does.
 */
void arch_vmemmap_unmap(unsigned long start_pfn, unsigned long nr_pages);

/**
 * arch_tables_take() - take the page tables that unmapping has unlinked
 *
 * A hart may still be walking the tables, to explain a fault or for a check. So the caller
 * must wait for a grace period that begins after this call, and then pass them to
 * arch_tables_free(); if the grace period does not end, it must pass them to
 * arch_tables_keep().
 * Context: thread.
 *
 * Return: a list of tables; 0 if there are none.
 */
phys_addr_t arch_tables_take(void);

/**
 * arch_tables_free() - free page tables by pgtable_free_page()
 * @tables: from arch_tables_take()
 */
void arch_tables_free(phys_addr_t tables);

/**
 * arch_tables_keep() - keep unlinked page tables for the next arch_tables_take()
 * @tables: from arch_tables_take(), not 0
 */
void arch_tables_keep(phys_addr_t tables);

/**
 * arch_tables_move() - move page tables of a block to other frames
 * @pfn: first frame of a memory block
 * @leaves: tells whether a table must move, because the memory that it lies in is about to
 * leave
 *
 * Considers the tables that map the block or its descriptors and were made for added memory.
 * The mappings stay as they are; the old tables count as unlinked.
 * Context: thread.
 *
 * Return: 0, or -ENOMEM: some tables have not moved.
 */
int arch_tables_move(unsigned long pfn, bool (*leaves)(phys_addr_t table));

/**
 * arch_irq_save() - mask interrupts on this hart
 *
 * Return: the state before, for arch_irq_restore().
 */
unsigned long arch_irq_save(void);

/**
 * arch_irq_restore() - restore the state that arch_irq_save() returned
 * @flags: that state
 */
void arch_irq_restore(unsigned long flags);

/* Check whether this hart takes interrupts now. */
bool arch_irqs_enabled(void);

/**
 * arch_clock_ns() - get the nanoseconds since the machine's clock started, monotonic
 *
 * The clock is the same on all harts; any context.
 */
u64 arch_clock_ns(void);

/* Tell the hart that it is in a busy-wait loop. */
void arch_cpu_relax(void);

/**
 * arch_kick_hart() - make a hart reach its next quiescent point soon
 * @hart: logical id, 0 to nr_harts - 1
 *
 * Wakes it out of arch_idle() or interrupts it. Any context, never waits.
 * Kicking a hart that is not online does nothing.
 */
void arch_kick_hart(unsigned int hart);

/**
 * arch_poison_range() - tell the machine's checker that no code may touch a range
 * @va: first byte
 * @bytes: length
 *
 * The checker is AddressSanitizer on the host; in the guest there is none.
 */
void arch_poison_range(void *va, u64 bytes);

/* Undo arch_poison_range(). */
void arch_unpoison_range(void *va, u64 bytes);

#endif
