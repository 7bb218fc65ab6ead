/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trace rings in boot memory, which never goes away, so that a program outside can read
 * them even if the kernel hangs.
 */
#include "arch/machine.h"
#include "arch/machine_info.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/trace/trace.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/memblock.h"

#define MIN_RING_BYTES PAGE_SIZE
#define MAX_RING_BYTES (16UL << 20)

static u64 ring_bytes = 64 * 1024;
PARAM_SIZE("trace_buf_size", ring_bytes, "bytes of one hart's trace ring");

static const char *boot_events;
PARAM_STRING("trace_event", boot_events, "trace events to turn on, such as mm:*");

/* The linker's ELF note (16 bytes of head, then the id): linker.ld. */
extern const u8 __build_id_start[], __build_id_end[];
#define NOTE_HEAD 16

static void copy_build_id(void)
{
	const size_t len = __build_id_end - __build_id_start;

	if (len > NOTE_HEAD)
		memcpy(ebb_trace.build_id, __build_id_start + NOTE_HEAD,
		       min(len - NOTE_HEAD, sizeof(ebb_trace.build_id)));
}

int trace_boot(void)
{
	const u64 bytes =
		rounddown_pow_of_two(min(max(ring_bytes, MIN_RING_BYTES), MAX_RING_BYTES));
	phys_addr_t ring;

	copy_build_id();
	ebb_trace.timebase_hz = machine_info()->timebase_hz;
	/*
	 * Allocate all rings in one piece: if not all fit, none takes memory. The rings are
	 * not cleared, because a reader stops at the head.
	 */
	ring = memblock_alloc_from(&memblock, bytes * nr_harts(), PAGE_SIZE, PGTY_BOOT);
	if (ring == 0) {
		pr_warn("trace: no boot memory for %u ring%s of %lu KiB; "
			"trace_buf_size= takes less\n",
			nr_harts(), str_plural(nr_harts()), bytes / 1024);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < nr_harts(); i++, ring += bytes)
		trace_ring_init(hart_by_id(i), phys_to_virt(ring), ring);
	ebb_trace.nr_records = bytes / sizeof(struct trace_record);
	if (boot_events == NULL)
		return 0;
	ebb_trace.seq = 0;
	if (trace_set(boot_events, TRACE_ON) == 0)
		pr_warn("trace_event=%s matches no event", boot_events);
	return 0;
}
