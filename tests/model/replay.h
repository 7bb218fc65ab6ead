/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MODEL_REPLAY_H
#define _TESTS_MODEL_REPLAY_H

/*
 * The picture can be proved, on the host: a snapshot of kernel_mm, and the records
 * that follow it, applied one by one, have to arrive at the next snapshot and at the
 * bytes of the descriptors. A difference, a lost record or a gap ends the program,
 * naming the frame, what the records say and what memory says.
 *
 * tools/replay.py does the same with a session file, but cannot see the descriptors, and
 * takes too long for every step of a fuzzer. With EBB_SESSION=FILE in the environment the
 * program writes what it replays to FILE, so that a test compares the two.
 */
#include "lib/types.h"

/* The picture has room for this many sections. */
#define REPLAY_SECTIONS 8UL

/**
 * replay_start() - trace all changes of kernel_mm from now on
 * @base_pfn: first frame, of a section
 *
 * After host_init() and mm_populate(). Takes the first snapshot.
 */
void replay_start(unsigned long base_pfn);

/* Apply the records since the last call; call it after every step. */
void replay_follow(void);

/* Compare with pageblock words, descriptors, block states and counters as they lie in memory. */
void replay_compare(void);

/* Compare as replay_compare(), and with a snapshot if there is memory for one. */
void replay_snapshot(void);

#endif
