/* SPDX-License-Identifier: BSD-2-Clause */
/* The instret counter, and a check that it counts instructions. */
#include "tests/bench/instret.h"

#define CALIBRATION_LOOPS 100000UL

u64 arch_instret(void)
{
	u64 n;

	__asm__ volatile("rdinstret %0" : "=r"(n));
	return n;
}

bool arch_instret_exact(void)
{
	u64 left = CALIBRATION_LOOPS, before, after;

	__asm__ volatile("rdinstret %1\n"
			 "1: addi %0, %0, -1\n"
			 "bnez %0, 1b\n"
			 "rdinstret %2"
			 : "+r"(left), "=&r"(before), "=&r"(after));
	/* The count has the loop and one of the two reads; QEMU may also count the other. */
	return after - before - 2 * CALIBRATION_LOOPS <= 2;
}
