/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _RISCV_SBI_H
#define _RISCV_SBI_H

/*
 * Calls into the firmware. Spec: RISC-V Supervisor Binary Interface 2.0.
 */
#define SBI_LEGACY_PUTCHAR 0x01
#define SBI_BASE	   0x10
#define SBI_BASE_PROBE	   3
#define SBI_TIME	   0x54494d45
#define SBI_IPI		   0x735049
#define SBI_RFENCE	   0x52464e43
#define SBI_RFENCE_VMA	   1
#define SBI_HSM		   0x48534d
#define SBI_HSM_START	   0
#define SBI_HSM_STOP	   1
#define SBI_SRST	   0x53525354
#define SBI_SRST_SHUTDOWN  0
#define SBI_SRST_COLD	   1
#define SBI_SRST_FAILURE   1 /* reset reason: system failure */
#define SBI_DBCN	   0x4442434e
#define SBI_DBCN_WRITE	   0
#define SBI_DBCN_BYTE	   2

#define SBI_SUCCESS		  0

#ifndef __ASSEMBLER__
#include "lib/types.h"

struct sbi_args {
	unsigned long a[5];
};
/* Arguments in order; omitted arguments are 0. */
#define SBI_ARGS(...) ((struct sbi_args){{__VA_ARGS__}})

struct sbi_ret {
	long error;
	long value;
};

/**
 * sbi_call() - ask the firmware
 * @ext: extension id
 * @fid: function id
 * @args: SBI_ARGS(...)
 *
 * Return: the firmware's error (0 = done) and value.
 */
static inline struct sbi_ret sbi_call(unsigned long ext, unsigned long fid,
				      struct sbi_args args)
{
	register unsigned long a0 __asm__("a0") = args.a[0];
	register unsigned long a1 __asm__("a1") = args.a[1];
	register unsigned long a2 __asm__("a2") = args.a[2];
	register unsigned long a3 __asm__("a3") = args.a[3];
	register unsigned long a4 __asm__("a4") = args.a[4];
	register unsigned long a6 __asm__("a6") = fid;
	register unsigned long a7 __asm__("a7") = ext;

	__asm__ volatile("ecall"
			 : "+r"(a0), "+r"(a1)
			 : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
			 : "memory");
	return (struct sbi_ret){.error = (long)a0, .value = (long)a1};
}

/* Check whether the firmware has an extension. */
static inline bool sbi_has(unsigned long ext)
{
	struct sbi_ret ret = sbi_call(SBI_BASE, SBI_BASE_PROBE, SBI_ARGS(ext));

	return ret.error == SBI_SUCCESS && ret.value != 0;
}
#endif

#endif
