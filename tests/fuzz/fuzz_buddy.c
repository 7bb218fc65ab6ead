/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page allocator, isolation and contiguous allocation on two sections of boot memory,
 * against a model with a byte per frame: free, allocated, movable, pinned, offline or
 * isolated. The model says which requests succeed, and which frame a failure must name;
 * after every input, a replay of the records must give the state of memory.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/model/frames.h"
#include "tests/model/replay.h"

#define SECTIONS 2UL
#define MAX_OPS	 120

static unsigned long free_at_first;

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct choices c = { data, size };

	if (!fm.nr) {
		fuzz_memory(SECTIONS * SECTION_SIZE, SECTIONS);
		free_at_first = kernel_mm.zone[ZONE_NORMAL].free;
	}
	for (unsigned int i = 0; i < MAX_OPS && c.size; i++) {
		const unsigned int step = take_byte(&c);

		frame_step(&c, step >= 0xf8 ? NR_FRAME_STEPS + step % 4
					    : step % NR_FRAME_STEPS);
		replay_follow();
		if (i % 32 == 31)
			fm_check();
	}
	fm_check();
	replay_snapshot();
	frame_give_back();
	frame_settle();
	CHECK(kernel_mm.zone[ZONE_NORMAL].free == free_at_first, "%lu free, %lu at first",
	      kernel_mm.zone[ZONE_NORMAL].free, free_at_first);
	replay_snapshot();
	return 0;
}
