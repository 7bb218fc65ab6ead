/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MODEL_REPLAY_H
#define _TESTS_MODEL_REPLAY_H

/*
 * A proof of the trace, on the host: a snapshot of kernel_mm, with the records that follow
 * applied one by one, must give the next snapshot and the bytes of the descriptors. A
 * difference, a lost record or a gap ends the program; the message names the frame, and
 * says what the records and the memory have there.
 *
 * tools/replay.py does the same with a session file, but cannot see the descriptors, and
 * takes too long for every step of a fuzzer. With EBB_SESSION=FILE in the environment the
 * program writes the records that it replays to FILE, so that a test can compare the two.
 */
#include "lib/types.h"

/* The picture has room for this many sections. */
#define REPLAY_SECTIONS 8UL

/**
 * replay_start() - trace all changes of kernel_mm from now on
 * @base_pfn: first frame, of a section
 *
 * Call it after host_init() and mm_populate(). It takes the first snapshot.
 */
void replay_start(unsigned long base_pfn);

/* Apply the records since the last call; call it after every step. */
void replay_follow(void);

/* Compare the picture with the words, descriptors, block states and counters in memory. */
void replay_compare(void);

/* Compare as replay_compare() does, and also with a snapshot if there is memory for one. */
void replay_snapshot(void);

#endif
