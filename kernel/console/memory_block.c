/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that the files of /sys and the commands lsmem, chmem and map share. */
#include "kernel/console/shell.h"
#include "kernel/console/memory_block.h"
#include "lib/errno.h"
#include "lib/time.h"
#include "mm/section.h"

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

/*
 * Find the block of frame @number, or else of address @number; PFN_NONE if no block has
 * either.
 */
static unsigned long block_around(unsigned long number)
{
	const unsigned long frame = number >> SECTION_PFN_SHIFT,
			    addr = number >> SECTION_SHIFT;

	if (next_memory_block(&kernel_mm, frame) == frame)
		return frame;
	return next_memory_block(&kernel_mm, addr) == addr ? addr : PFN_NONE;
}

int no_such_block(const char *command, unsigned long first, unsigned long last,
		  struct sink *out)
{
	const unsigned long block = block_around(first);

	if (block != PFN_NONE)
		sink_printf(
			out,
			"%s: expected block numbers, such as 16 or 16-18; 0x%lx lies in "
			"memory%lu\n",
			command, first, block);
	else if (first == last)
		sink_printf(out, "%s: there is no memory%lu; see lsmem\n", command,
			    first);
	else
		sink_printf(out, "%s: no memory block in %lu-%lu; see lsmem\n", command,
			    first, last);
	return -ENOENT;
}

struct evac_limits command_limits(enum evac_request request, unsigned int wait_s)
{
	struct evac_limits limits = evac_limits(request, 1);

	limits.cancelled = command_interrupted;
	if (wait_s) {
		limits.wait = true;
		limits.deadline_ns = evac_clock_ns() + wait_s * NSEC_PER_SEC;
	}
	return limits;
}

static int go_offline(const unsigned long *blocks, unsigned int nr, unsigned int wait_s,
		      struct mm_failure *why)
{
	const struct evac_limits limits = command_limits(EVAC_FOR_USER_OFFLINE, wait_s);

	return offline_memory_blocks(&kernel_mm, blocks, nr, &limits, why);
}

int memory_block_change(unsigned long block, enum mhp_online_type type,
			unsigned int wait_s, struct sink *out)
{
	struct mm_failure why = { 0 };
	int err;

	if (type == MMOP_OFFLINE)
		err = go_offline(&block, 1, wait_s, &why);
	else
		err = online_memory_block(&kernel_mm, block, type, &why);
	if (err == 0)
		return 0;
	memory_block_print_failure(block, type == MMOP_OFFLINE ? "offline" : "online",
				   &why, out);
	return why.reason == MM_REASON_WRONG_STATE ? -EINVAL : err;
}

int memory_blocks_offline(const unsigned long *blocks, unsigned int nr,
			  unsigned int wait_s, unsigned long *bad, struct sink *out)
{
	struct mm_failure why = { .pfn = PFN_NONE };
	const int err = go_offline(blocks, nr, wait_s, &why);

	if (err == 0)
		return 0;
	*bad = why.pfn == PFN_NONE ? PFN_NONE : why.pfn >> SECTION_PFN_SHIFT;
	memory_block_print_failure(*bad == PFN_NONE ? blocks[0] : *bad, "offline", &why,
				   out);
	return err;
}
