/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that comes and goes, against a model of frames, blocks and owners: the steps of
 * fuzz_buddy, and steps on blocks. The end of an input frees everything, and a replay of
 * the records must give the state of memory.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/model/blocks.h"
#include "tests/model/replay.h"

#define MAX_OPS	   100
#define CHECK_STEP 8 /* steps between two checks of every frame */

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct choices c = { data, size };

	if (!fm.nr) {
		fuzz_memory(BOOT_BYTES, FM_SECTIONS);
		blocks_start();
	}
	for (unsigned int i = 0; i < MAX_OPS && c.size; i++) {
		const unsigned int step = take_byte(&c), which = step % 32;

		if (step >= 0xf8)
			frame_step(&c, NR_FRAME_STEPS + step % 4);
		else if (which < NR_FRAME_STEPS)
			frame_step(&c, which);
		else
			block_step(&c, which - NR_FRAME_STEPS);
		/* Every evacuation, not only a block's, may change what the reserve holds. */
		blocks_check();
		replay_follow();
		if (i % CHECK_STEP != CHECK_STEP - 1)
			continue;
		fm_check();
		replay_compare();
	}
	fm_check();
	replay_snapshot();
	blocks_give_back();
	replay_snapshot();
	return 0;
}
