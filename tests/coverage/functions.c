/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For `make coverage` alone: notes each function that ran. gcc calls the first function
 * at each entry, before paging is on as well: all addresses are relative to the program
 * counter, so a difference of two is the same at either place. tools/machine.py reads the
 * map from the machine's memory; .noinit, so that a reset of the machine keeps it.
 */
#include "lib/compiler.h"
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
