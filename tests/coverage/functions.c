/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Only for `make coverage`: records each function that ran. Each function calls
 * __cyg_profile_func_enter() at its entry, even before paging is on: all addresses are
 * relative to the program counter, so the difference of two addresses is the same with
 * paging on and off. tools/machine.py reads the map from the machine's memory. The map is
 * in .noinit, so that a reset of the machine keeps it.
 */
#include "lib/types.h"

#define TEXT_MAX 0x200000UL

extern const u8 _start[];

u8 coverage_functions[TEXT_MAX / 2] __attribute__((section(".noinit")));

void __cyg_profile_func_enter(void *fn, void *caller);
void __cyg_profile_func_exit(void *fn, void *caller);

void __cyg_profile_func_enter(void *fn, void *caller)
{
	const unsigned long offset = (unsigned long)fn - (unsigned long)_start;

	(void)caller;
	if (offset < TEXT_MAX)
		coverage_functions[offset / 2] = 1;
}

void __cyg_profile_func_exit(void *fn, void *caller)
{
	(void)fn;
	(void)caller;
}
