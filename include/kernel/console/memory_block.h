/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_CONSOLE_MEMORY_BLOCK_H
#define _KERNEL_CONSOLE_MEMORY_BLOCK_H

/* kernel_mm's memory blocks, for the pseudo files and the commands. */
#include "kernel/sink.h"
#include "mm/memory_hotplug.h"

/**
 * memory_block_change() - bring a block to a state, as a write to its "state" does
 * @block: id of a present block
 * @type: MMOP_OFFLINE, or the type to online it with
 * @wait_s: offline: how long to wait for pages that only their owners can free; 0: do
 *	not wait
 * @out: on failure, gets one line with the reason and the frame
 *
 * Context: thread; may take seconds (has its own deadline).
 * Return: 0; -EINVAL if the block is already in that state; the operation's errno.
 */
int memory_block_change(unsigned long block, enum mhp_online_type type, unsigned int wait_s,
			struct sink *out);

/**
 * memory_blocks_offline() - offline several blocks, all or none
 * @blocks: ids, each once, @nr of them
 * @wait_s, @out: as above
 * @bad: on failure: the block that stands in the way; PFN_NONE if no single block does
 *
 * Judges all blocks before any page moves: see offline_memory_blocks().
 * Return: 0; the operation's errno.
 */
int memory_blocks_offline(const unsigned long *blocks, unsigned int nr, unsigned int wait_s,
			  unsigned long *bad, struct sink *out);

/* Check whether the block can go offline at all: not if it holds boot memory. */
bool memory_block_removable(unsigned long block);

/**
 * no_such_block() - say that no block has a number from @first to @last
 * @command: the command that got the numbers
 *
 * If @first is a frame or an address of a block, the message names that block.
 * Return: -ENOENT.
 */
int no_such_block(const char *command, unsigned long first, unsigned long last,
		  struct sink *out);

/*
 * Return the limits for a request of a user's command, which Ctrl-C cancels; @wait_s: the
 * longest wait for pages; 0: do not wait.
 */
struct evac_limits command_limits(enum evac_request request, unsigned int wait_s);

#endif
