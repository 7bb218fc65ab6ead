/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that the files of /sys and the commands lsmem, chmem and map share. */
#include "kernel/console/shell.h"
#include "kernel/console/memory_block.h"
#include "kernel/timer.h"
#include "lib/errno.h"

/* A user waits for it: long enough for a full block, short enough to sit through. */
#define OFFLINE_TIMEOUT_S 30
#define OFFLINE_RETRIES	  5

bool memory_block_removable(unsigned long block)
{
	const struct mem_section *ms;
	bool removable;

	pfn_walk_begin();
	ms = walk_section(&kernel_mm, block * PAGES_PER_SECTION);
	removable = ms && !(READ_ONCE(ms->flags) & SECTION_EARLY);
	pfn_walk_end();
	return removable;
}

static int go_offline(const unsigned long *blocks, unsigned int nr, unsigned int wait_s,
		      struct mm_failure *why)
{
	const unsigned int limit_s = wait_s ? wait_s : OFFLINE_TIMEOUT_S;
	struct evacuate_policy policy = {
		.name = "offline",
		.end = EVAC_END_OFFLINE,
		.flags = EVAC_SKIP_SKIPPABLE | (wait_s ? EVAC_WAIT_FREE : 0),
		.max_retries = OFFLINE_RETRIES,
		.deadline_ns = evac_clock_ns() + limit_s * NSEC_PER_SEC,
		.cancelled = command_interrupted,
	};

	return offline_memory_blocks(&kernel_mm, blocks, nr, &policy, why);
}

static void say_failure(unsigned long block, enum mhp_online_type type,
			const struct mm_failure *why, struct sink *out)
{
	sink_printf(out, "memory%lu: %s failed: ", block,
		    type == MMOP_OFFLINE ? "offline" : "online");
	mm_failure_print(why, out);
	sink_puts(out, "\n");
}

int memory_block_change(unsigned long block, enum mhp_online_type type, unsigned int wait_s,
			struct sink *out)
{
	struct mm_failure why = { 0 };
	int err;

	if (type == MMOP_OFFLINE)
		err = go_offline(&block, 1, wait_s, &why);
	else
		err = online_memory_block(&kernel_mm, block, type, &why);
	if (err == 0)
		return 0;
	say_failure(block, type, &why, out);
	return why.reason == MM_REASON_WRONG_STATE ? -EINVAL : err;
}

int memory_blocks_offline(const unsigned long *blocks, unsigned int nr, unsigned int wait_s,
			  unsigned long *bad, struct sink *out)
{
	struct mm_failure why = { .pfn = PFN_NONE };
	const int err = go_offline(blocks, nr, wait_s, &why);

	if (err == 0)
		return 0;
	*bad = why.pfn == PFN_NONE ? PFN_NONE : why.pfn >> SECTION_PFN_SHIFT;
	say_failure(*bad == PFN_NONE ? blocks[0] : *bad, MMOP_OFFLINE, &why, out);
	return err;
}
