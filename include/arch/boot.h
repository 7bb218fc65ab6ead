/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_BOOT_H
#define _ARCH_BOOT_H

/*
 * Bringing the machine up, and leaving it. The order:
 *
 *   entry.S	stack, first line on the console, FDT copied, page table on;
 *		this_hart() is &harts[0] from here on
 *   arch_start()	trap vector, FDT digested
 *   kernel_main(info)				one hart, interrupts off
 *     params_parse(info->cmdline)
 *     memblock: add info->memory, reserve info->reserved
 *     arch_paging_init()	direct map of memblock's memory; phys_to_virt() and
 *				ioremap() work from here on
 *     memmap, allocators
 *     serial_init()		the UART instead of arch_early_write()
 *     arch_irq_init()		timer, IPIs, PLIC of this hart; interrupts still off
 *     scheduler, arch_irq_enable()
 *     for id in 1..info->nr_harts-1: arch_start_hart(...)
 *
 * Page-table pages come from memblock inside arch_paging_init(), from
 * pgtable_alloc_page() afterwards.
 */
#include "lib/types.h"
#include "arch/machine_info.h"

struct hart;

/**
 * kernel_main() - start the kernel; defined in kernel/main.c
 * @info: the machine
 *
 * Runs on the boot stack of logical hart 0, interrupts off. Never returns.
 */
void kernel_main(const struct machine_info *info) __attribute__((noreturn));

/**
 * arch_paging_init() - build the direct map of all memory that memblock knows
 *
 * Call once, when memblock has memory (cut by `mem=`) and reservations. Sets vmemmap,
 * direct_map_offset and memblock.mapped.
 *
 * Return: 0, or -ENOMEM if memblock has no memory for the page tables.
 */
int arch_paging_init(void);

/* Set up interrupt controller, timer and IPIs of the boot hart; once. */
void arch_irq_init(void);

/* Take interrupts on this hart from now on. */
void arch_irq_enable(void);

/* Mask interrupts on this hart. */
void arch_irq_disable(void);

/**
 * arch_start_hart() - start a stopped hart through the firmware
 * @id: logical id (index into machine_info()->hartid), not 0
 * @hart: the value of this_hart() on the started hart
 * @stack: stack from arch_stack_map()
 * @entry: runs there with paging, traps and its PLIC context set up, interrupts
 *	off; never returns
 *
 * Returns at once; @entry announces the hart, and the caller limits its own wait for that.
 *
 * Return: 0, -ENODEV (no such hart, or the firmware has no HSM), -EIO (the firmware
 * refused).
 */
int arch_start_hart(unsigned int id, struct hart *hart, void *stack, void (*entry)(void));

/**
 * arch_idle() - wait for the next interrupt
 *
 * Look for work with interrupts masked, then call this: an interrupt that comes in between
 * ends the wait at once. Serves pending interrupts, then returns with interrupts masked.
 */
void arch_idle(void);

/**
 * arch_exit() - end the machine
 * @status: exit status of QEMU: 0 pass, 1 fail, 2 panic, 3 harness, 4 skipped
 *
 * Uses the sifive,test0 finisher, else the firmware's shutdown, which cannot carry a status.
 * Any context.
 */
void arch_exit(int status) __attribute__((noreturn));

/* Reset the machine; any context. */
void arch_reboot(void) __attribute__((noreturn));

/**
 * arch_early_write() - put bytes on the firmware's console
 * @s: bytes in the kernel's image, a stack or the direct map
 * @n: how many
 *
 * Works from the first instruction on, in any context; slow.
 */
void arch_early_write(const char *s, size_t n);

#endif
