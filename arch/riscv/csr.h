/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _RISCV_CSR_H
#define _RISCV_CSR_H

/*
 * Control and status registers of supervisor mode.
 * Spec: RISC-V Privileged Architecture 1.12, chapter 4.
 */
#ifndef __ASSEMBLER__
#include "arch/inline.h" /* SSTATUS_SIE */
#endif

#define SIE_SOFT     (1UL << 1)
#define SIE_TIMER    (1UL << 5)
#define SIE_EXTERNAL (1UL << 9)

#define SCAUSE_INTERRUPT (1UL << 63)
#define IRQ_SOFT	 1
#define IRQ_TIMER	 5
#define IRQ_EXTERNAL	 9

#define EXC_INSN_PAGE_FAULT  12
#define EXC_LOAD_PAGE_FAULT  13
#define EXC_STORE_PAGE_FAULT 15

#define SATP_MODE_SHIFT 60
#define SATP_SV39	8UL
#define SATP_SV48	9UL

#ifndef __ASSEMBLER__
#define csr_read(csr)                                                           \
	({                                                                      \
		unsigned long _value;                                           \
		__asm__ volatile("csrr %0, " #csr : "=r"(_value) : : "memory"); \
		_value;                                                         \
	})
#define csr_write(csr, value)                                                           \
	__asm__ volatile("csrw " #csr ", %0" : : "rK"((unsigned long)(value)) : "memor" \
										"y")
#define csr_set(csr, bits) \
	__asm__ volatile("csrs " #csr ", %0" : : "rK"((unsigned long)(bits)) : "memory")
#define csr_clear(csr, bits) \
	__asm__ volatile("csrc " #csr ", %0" : : "rK"((unsigned long)(bits)) : "memory")
#define csr_read_clear(csr, bits)                              \
	({                                                     \
		unsigned long _value;                          \
		__asm__ volatile("csrrc %0, " #csr ", %1"      \
				 : "=r"(_value)                \
				 : "rK"((unsigned long)(bits)) \
				 : "memory");                  \
		_value;                                        \
	})
#endif

#endif
