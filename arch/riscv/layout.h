/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _RISCV_LAYOUT_H
#define _RISCV_LAYOUT_H

/*
 * The virtual address space; shared by C and assembly.
 *
 * The topmost 256 GiB look the same under Sv39 and Sv48. The table that maps them is Sv39's
 * root; under Sv48, the last entry of the root leads to this table.
 *
 *			Sv39			Sv48
 *   direct map		ffffffd000000000	ffff800000000000
 *			128 GiB			32 TiB
 *   memmap		fffffff000000000	ffffc00000000000
 *			512 MiB			128 GiB
 *   boot only		ffffffc000000000	RAM while ebb builds the direct map, 63 GiB,
 *						then the finisher's gigabyte
 *   stacks		fffffff400000000	32 KiB each, guard in the lower half
 *   I/O		fffffff800000000	28 GiB
 *   kernel image	ffffffff80200000	followed by the copy of the device tree
 */
#ifdef __ASSEMBLER__
#define LAYOUT_UL(x) x
#else
#define LAYOUT_UL(x) x##UL
#endif

#define SV39_DIRECT_BASE  LAYOUT_UL(0xffffffd000000000)
#define SV39_DIRECT_SIZE  LAYOUT_UL(0x2000000000)
#define SV39_VMEMMAP_BASE LAYOUT_UL(0xfffffff000000000)
#define SV48_DIRECT_BASE  LAYOUT_UL(0xffff800000000000)
#define SV48_DIRECT_SIZE  LAYOUT_UL(0x200000000000)
#define SV48_VMEMMAP_BASE LAYOUT_UL(0xffffc00000000000)

#define EARLY_BASE    LAYOUT_UL(0xffffffc000000000)
#define EARLY_GIB     63
#define EARLY_IO_BASE LAYOUT_UL(0xffffffcfc0000000)

#define STACK_BASE  LAYOUT_UL(0xfffffff400000000)
#define STACK_SLOT  0x8000 /* guard, then stack */
#define STACK_GUARD 0x4000
#define STACK_BIT   14 /* set in every address of a stack, clear in every guard */

#define MMIO_BASE LAYOUT_UL(0xfffffff800000000)
#define MMIO_SIZE LAYOUT_UL(0x700000000)

#define IMAGE_BASE LAYOUT_UL(0xffffffff80200000) /* LINK_ADDRESS of linker.ld */

/* Slots of the stack window: the boot hart's stack, then the harts' overflow stacks. */
#define STACK_SLOT_BOOT	    0
#define STACK_SLOT_OVERFLOW 1 /* + logical hart id */
#define STACK_SLOT_FIRST    9

#define STACK_SLOT_TOP(slot) (STACK_BASE + ((slot) + 1) * STACK_SLOT)
#define OVERFLOW_STACK_SIZE  0x2000

/* struct trap_frame, bytes; x[n] lies at 8 * n. */
#define TF_SEPC	   256
#define TF_SSTATUS 264
#define TF_SCAUSE  272
#define TF_STVAL   280
#define TF_LINK_FP 288
#define TF_LINK_RA 296
#define TF_SIZE	   304

/* The fields of struct hart that assembly uses; offsets from tp. */
#define HART_OVERFLOW_SP 0

/* struct secondary_start */
#define SECONDARY_SATP	0
#define SECONDARY_SP	8
#define SECONDARY_HART	16
#define SECONDARY_ENTRY 24

#endif
