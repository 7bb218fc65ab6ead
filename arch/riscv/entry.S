/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first instructions of the image, of another hart, of a trap and of a thread; and the
 * switch between threads.
 */
#include "csr.h"
#include "layout.h"
#include "sbi.h"

	.section .head.text, "ax"
	.option	norelax			/* gp is not set yet */
/*
 * The firmware enters here on an arbitrary hart: a0 = hart id, a1 = device tree,
 * paging off, interrupts off, everything at its physical address. The code
 * is position independent (medany), so C can run before there is a page table.
 */
	.globl	_start
_start:
	csrw	sie, zero
	csrw	sscratch, a0			/* for early_trap */
	mv	s1, a0
	mv	s2, a1
	/*
	 * The read of the counter traps if the firmware does not permit it to supervisor mode.
	 */
	la	t0, 1f
	csrw	stvec, t0
	li	s3, 0
	rdinstret s3
	.balign	4
1:	la	t0, __bss_start
	la	t1, __bss_end
	call	clear_with_zicboz
	la	t2, early_trap
	csrw	stvec, t2
1:	bgeu	t0, t1, 2f
	.irp	offset, 0, 8, 16, 24, 32, 40, 48, 56
	sd	zero, \offset(t0)
	.endr
	addi	t0, t0, 64
	j	1b
2:
	la	sp, boot_stack + 0x4000
	la	gp, __global_pointer$
	mv	a0, s2
	mv	a1, s3
	mv	s0, zero
	call	early_start		/* a0 = Sv48's root, a1 = Sv39's */

	/*
	 * Turning paging on makes the next fetch fault, because its physical address is
	 * not mapped; the hart continues at the trap vector. A mode that the hart lacks
	 * leaves satp as it was, and the next mode is tried.
	 */
	la	t0, paging_is_on
	la	t1, _start
	sub	t0, t0, t1
	li	t1, IMAGE_BASE
	add	t0, t0, t1
	csrw	stvec, t0
	srli	a0, a0, 12
	li	t0, SATP_SV48 << SATP_MODE_SHIFT
	or	a0, a0, t0
	sfence.vma
	csrw	satp, a0
	srli	a1, a1, 12
	li	t0, SATP_SV39 << SATP_MODE_SHIFT
	or	a1, a1, t0
	csrw	satp, a1
	la	a0, no_paging_text
	call	early_fail

	.balign	4
paging_is_on:
	la	t0, trap_entry
	csrw	stvec, t0
	la	gp, __global_pointer$
	la	tp, harts
	li	sp, STACK_SLOT_TOP(STACK_SLOT_BOOT)
	li	t0, STACK_SLOT_TOP(STACK_SLOT_OVERFLOW)
	sd	t0, HART_OVERFLOW_SP(tp)
	mv	a0, s1
	call	arch_start
	unimp

/*
 * Zero [t0, t1), both multiples of 64, by cbo.zero, which zeroes a cache block; leave in t0
 * the address up to which it has zeroed. t0 stays as it is if the hart has no Zicboz, if the
 * firmware does not permit its use (both trap), or if a block is not 64 bytes. To find the
 * size of a block, zero the block at the first page border in the range: there, a block of up
 * to 4 KiB zeroes nothing before t0.
 * Spec: RISC-V cache-management operations 1.0.
 */
	.macro	cbo_zero reg
	.insn	i 0x0f, 2, x0, 4(\reg)
	.endm

clear_with_zicboz:
	la	t2, 2f
	csrw	stvec, t2
	li	t3, 4095
	add	t3, t3, t0
	srli	t3, t3, 12
	slli	t3, t3, 12
	li	t2, -1
	sd	t2, 56(t3)
	sd	t2, 64(t3)
	cbo_zero t3
	ld	t2, 56(t3)
	bnez	t2, 2f
	ld	t2, 64(t3)
	beqz	t2, 2f
	addi	t1, t1, -192
1:	addi	t2, t0, 64
	addi	t3, t0, 128
	addi	t4, t0, 192
	cbo_zero t0
	cbo_zero t2
	cbo_zero t3
	cbo_zero t4
	addi	t0, t0, 256
	bltu	t0, t1, 1b
	addi	t1, t1, 192
	.balign	4
2:	ret

/*
 * Another hart, started by arch_start_hart(): a0 = hart id, a1 = physical address of its
 * struct secondary_start, paging off.
 */
	.globl	secondary_start
secondary_start:
	csrw	sie, zero
	csrw	sscratch, a0
	la	t0, secondary_early_trap
	csrw	stvec, t0
	ld	t0, SECONDARY_SATP(a1)
	ld	sp, SECONDARY_SP(a1)
	ld	tp, SECONDARY_HART(a1)
	ld	s1, SECONDARY_ENTRY(a1)
	la	t1, 1f
	la	t2, _start
	sub	t1, t1, t2
	li	t2, IMAGE_BASE
	add	t1, t1, t2
	csrw	stvec, t1
	sfence.vma
	csrw	satp, t0
	/* The hart has no such mode. */
	la	t0, secondary_early_trap
	csrw	stvec, t0
	unimp

	.balign	4
1:	la	t0, trap_entry
	csrw	stvec, t0
	la	gp, __global_pointer$
	mv	s0, zero
	mv	a0, s1
	call	arch_secondary_start
	unimp

/*
 * A trap while paging is off. The hart prints the cause through the firmware. Then the first
 * hart ends the machine; another hart stops, and the machine continues without it. sscratch
 * has the hart's id. Memory may be missing, so the code keeps everything in registers; ecall
 * preserves all but a0 and a1.
 */
	.balign	4
secondary_early_trap:
	li	s5, SBI_HSM
	li	s6, SBI_HSM_STOP
	j	1f
	.balign	4
early_trap:
	li	s5, SBI_SRST
	li	s6, 0
1:	csrr	s1, sscratch
	csrr	s2, scause
	csrr	s3, sepc
	csrr	s4, stval
	la	s0, early_trap_text
2:	lbu	a0, 0(s0)
	addi	s0, s0, 1
	beqz	a0, 5f
	li	t0, '%'
	beq	a0, t0, 3f
	jal	s8, put_char
	j	2b
3:	li	s7, 60				/* s1 in hexadecimal */
4:	la	t0, digits
	srl	t1, s1, s7
	andi	t1, t1, 15
	add	t0, t0, t1
	lbu	a0, 0(t0)
	jal	s8, put_char
	addi	s7, s7, -4
	bgez	s7, 4b
	mv	s1, s2
	mv	s2, s3
	mv	s3, s4
	j	2b
5:	mv	a7, s5
	mv	a6, s6
	li	a0, SBI_SRST_SHUTDOWN
	li	a1, SBI_SRST_FAILURE
	ecall
6:	wfi
	j	6b

/* Print a0, and return to s8. Older firmware lacks the debug console. */
put_char:
	mv	s9, a0
	li	a7, SBI_DBCN
	li	a6, SBI_DBCN_BYTE
	ecall
	beqz	a0, 1f
	mv	a0, s9
	li	a7, SBI_LEGACY_PUTCHAR
	ecall
1:	jr	s8

	.section .rodata
early_trap_text:
	.asciz	"ebb: hartid 0x% trapped with paging off: scause 0x%, sepc 0x%, stval 0x%\r\n"
digits:
	.ascii	"0123456789abcdef"
no_paging_text:
	.ascii	"ebb: this hart has neither Sv48 nor Sv39 paging: "
	.asciz	"use a 64-bit CPU with an MMU, e.g. -cpu rv64\n"

	.text
/*
 * Every trap enters here. All code runs in supervisor mode, so sp points into a thread's stack
 * or the hart's overflow stack. STACK_BIT tells an address in a stack from one in the guard
 * below it; a frame that would reach the guard goes to the overflow stack, so that the report
 * of the overflow has room.
 *
 * The last two words of the frame continue the chain of frame pointers through
 * the trap, so that a backtrace shows the interrupted function.
 */
	.macro	for_x5_to_x31 insn
	.irp	n, 5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	\insn	x\n, 8*\n(sp)
	.endr
	.endm

	.balign	4
	.globl	trap_entry
trap_entry:
	csrw	sscratch, t0
	addi	sp, sp, -TF_SIZE
	srli	t0, sp, STACK_BIT
	andi	t0, t0, 1
	beqz	t0, 2f
	addi	t0, sp, TF_SIZE
1:	sd	t0, 8*2(sp)
	csrr	t0, sscratch
	sd	x1, 8*1(sp)
	sd	x3, 8*3(sp)
	sd	x4, 8*4(sp)
	for_x5_to_x31 sd
	csrr	t0, sepc
	csrr	t1, sstatus
	csrr	t2, scause
	csrr	t3, stval
	sd	t0, TF_SEPC(sp)
	sd	t1, TF_SSTATUS(sp)
	sd	t2, TF_SCAUSE(sp)
	sd	t3, TF_STVAL(sp)
	sd	t0, TF_LINK_RA(sp)
	sd	s0, TF_LINK_FP(sp)
	addi	s0, sp, TF_SIZE
	mv	a0, sp
	call	trap_handler
	ld	t0, TF_SEPC(sp)
	ld	t1, TF_SSTATUS(sp)
	csrw	sepc, t0
	csrw	sstatus, t1
	ld	x1, 8*1(sp)
	for_x5_to_x31 ld
	ld	sp, 8*2(sp)
	sret
2:	addi	t0, sp, TF_SIZE
	ld	sp, HART_OVERFLOW_SP(tp)
	addi	sp, sp, -TF_SIZE
	j	1b
	.globl	trap_entry_end
trap_entry_end:

/*
 * void arch_switch_to(struct arch_context *prev, struct arch_context *next)
 *
 * The registers that a function must preserve go to the stack, with return address and
 * frame pointer where a backtrace looks for them. tp belongs to the hart and stays.
 */
	.macro	for_saved_registers insn
	\insn	ra, 104(sp)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	\insn	s\n, 96-8*\n(sp)
	.endr
	.endm

	.globl	arch_switch_to
arch_switch_to:
	addi	sp, sp, -112
	for_saved_registers sd
	sd	sp, 0(a0)
	ld	sp, 0(a1)
	for_saved_registers ld
	addi	sp, sp, 112
	ret

/* A new thread's first switch returns to here: s1 = function, s2 = its argument. */
	.globl	thread_entry
thread_entry:
	mv	a0, s2
	jalr	s1
	unimp

/*
 * bool arch_probe_read(const void *addr, u64 *value): the load that may fault. The trap
 * handler knows the load by its address and makes the function return false.
 */
	.globl	arch_probe_read
	.globl	probe_read_insn
	.globl	probe_read_failed
arch_probe_read:
	.option push
	.option norvc
probe_read_insn:
	ld	a2, 0(a0)
	.option pop
	sd	a2, 0(a1)
	li	a0, 1
	ret
probe_read_failed:
	li	a0, 0
	ret

/* bool probe_write(void *addr, u64 value): the store that may fault, in the same way. */
	.globl	probe_write
	.globl	probe_write_insn
probe_write:
	.option push
	.option norvc
probe_write_insn:
	sd	a1, 0(a0)
	.option pop
	li	a0, 1
	ret

	.section .noinit, "aw", @nobits
	.balign	4096
	.globl	boot_stack
	.globl	overflow_stacks
boot_stack:
	.skip	0x4000
overflow_stacks:
	.skip	8 * OVERFLOW_STACK_SIZE
