/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host as the device tree would describe it: RAM is all of the memory file.
 * host_boot_mm() uses the first part, as with mem= in the guest; suites make
 * private memories of what lies above.
 */
#include "arch/machine_info.h"
#include "host.h"

static const struct machine_info info = {
	.memory = { { HOST_PHYS_START, HOST_PHYS_SIZE } },
	.nr_memory = 1,
	.model = "host",
	.timebase_hz = 1000000000,
};

const struct machine_info *machine_info(void)
{
	return &info;
}
