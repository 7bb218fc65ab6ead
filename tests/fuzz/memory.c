/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory that a fuzzer's steps work on: see the header. */
#include <string.h>

#include "arch/machine.h"
#include "kernel/printk.h"
#include "kernel/sink.h"
#include "mm/memblock.h"
#include "tests/fuzz/fuzz.h"
#include "tests/host/host.h"
#include "tests/model/request.h"
#include "tests/model/replay.h"

static void err_write(struct sink *sink, const char *text, size_t len)
{
	(void)sink;
	fwrite(text, 1, len, stderr);
}

struct sink *check_sink(void)
{
	static struct sink err = { .write = err_write };

	return &err;
}

static void no_console(const char *text, size_t len)
{
	(void)text;
	(void)len;
}

void fuzz_memory(u64 boot_bytes, unsigned long sections)
{
	const unsigned long base = phys_to_pfn(HOST_PHYS_START);
	static struct memblock mb;
	static u8 frames[FM_FRAMES];

	host_init();
	printk_set_console(no_console);
	mb.mapped = 1;
	CHECK(arch_map_direct(HOST_PHYS_START, boot_bytes) == 0, "map");
	CHECK(memblock_add(&mb, HOST_PHYS_START, boot_bytes) == 0, "memblock");
	mm_init(&kernel_mm, "fuzz");
	CHECK(mm_populate(&kernel_mm, &mb) == 0, "populate");
	CHECK(mm_hart_init(&kernel_mm, 0) == 0, "pcp");
	replay_start(base);
	frame_copies_may_fail();
	fm_start(&kernel_mm, base, sections, frames);
}
