/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_MEMORY_BLOCK_H
#define _KERNEL_MEMORY_BLOCK_H

/* kernel_mm's memory blocks as the files and commands see them. */
#include "kernel/sink.h"
#include "mm/memory_hotplug.h"

/**
 * memory_block_change() - bring a block to a state, as writing to its "state" does
 * @block: id of a present block
 * @type: MMOP_OFFLINE or how to online it
 * @wait_s: offline: wait so long for pages that only their owners can free; 0: not at all
 * @out: one line when it fails: the reason and the frame
 *
 * Context: thread; may take seconds (bounded by a deadline of its own).
 * Return: 0; -EINVAL if it is in that state already; the operation's errno.
 */
int memory_block_change(unsigned long block, enum mhp_online_type type, unsigned int wait_s,
			struct sink *out);

/**
 * memory_blocks_offline() - offline several blocks, all or none
 * @blocks: ids, each once, @nr of them
 * @wait_s, @out: as above
 * @bad: on failure: the block that stands in the way; PFN_NONE if it is none in particular
 *
 * No page moves before all blocks were judged: offline_memory_blocks().
 * Return: 0; the operation's errno.
 */
int memory_blocks_offline(const unsigned long *blocks, unsigned int nr, unsigned int wait_s,
			  unsigned long *bad, struct sink *out);

/* Can it go offline at all? Not if it holds boot memory. */
bool memory_block_removable(unsigned long block);

#endif
