/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's boot memory. kernel_mm is set up as in the guest, so suites that use the
 * kernel's own memory also run here.
 */
#include "arch/machine.h"
#include "host.h"
#include "kernel/hart.h"
#include "kernel/init.h"
#include "kernel/panic.h"
#include "mm/memblock.h"
#include "mm/mm.h"

/*
 * Boot memory has a hole, and does not end at a memory block's border, as on real
 * machines.
 */
#define BOOT_BYTES (256UL << 20)
#define HOLE_START (HOST_PHYS_START + (100UL << 20))
#define HOLE_BYTES (1UL << 20)

void host_boot_mm(void);

static void add(phys_addr_t start, u64 size)
{
	if (memblock_add(&memblock, start, size) != 0 || arch_map_direct(start, size) != 0)
		panic("host: no boot memory");
}

void host_boot_mm(void)
{
	struct hart *hart;

	add(HOST_PHYS_START, HOLE_START - HOST_PHYS_START);
	add(HOLE_START + HOLE_BYTES, HOST_PHYS_START + BOOT_BYTES - HOLE_START - HOLE_BYTES);
	memblock.mapped = 1;
	if (mm_boot() != 0)
		panic("host: mm_boot() failed");
	for_each_hart(hart)
		if (mm_hart_init(&kernel_mm, hart->id) != 0)
			panic("host: no page cache for hart %u", hart->id);
	initcalls_run(INIT_core);
}
