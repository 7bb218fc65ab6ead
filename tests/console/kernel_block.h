/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_CONSOLE_KERNEL_BLOCK_H
#define _TESTS_CONSOLE_KERNEL_BLOCK_H

/*
 * Memory blocks in the kernel's own mm for a case, because commands and files show no
 * other mm. The blocks lie in RAM that the kernel does not use, and belong to the owner
 * "lender".
 */
#include "kernel/ktest.h"
#include "mm/hotplug.h"

#define SYS_MEMORY "/sys/devices/system/memory"

/**
 * kernel_blocks_add() - add blocks, offline
 * @test: the case; it is skipped if there is no such RAM
 * @nr: how many, up to WINDOW_BLOCKS
 * @nr_pages: frames of the owner's region; the rest of the last block are holes
 * @plugged: bit b is set if pageblock b of each block is plugged
 *
 * The blocks are offlined and removed when the case ends.
 * Return: the first block's id.
 */
unsigned long kernel_blocks_add(struct ktest *test, unsigned long nr, unsigned long nr_pages,
				u64 plugged);

/* The usual form: @nr whole blocks, all plugged. */
static inline unsigned long kernel_whole_blocks(struct ktest *test, unsigned long nr)
{
	return kernel_blocks_add(test, nr, nr * PAGES_PER_SECTION, ~0UL);
}

#endif
