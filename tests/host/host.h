/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_HOST_HOST_H
#define _TESTS_HOST_HOST_H

/*
 * The host as a machine: what tests/host offers to host programs beside the
 * machine contract (include/arch/).
 *
 * One hart (ktest, fuzzers): everything runs on one host thread, and time is
 * virtual. It advances a little with every look at the clock, and jumps to the
 * next timer when all threads sleep. So each run is the same as the last one, and
 * waiting takes no time.
 *
 * Several harts (ktest-tsan): a host thread for each hart, and real time.
 *
 * Several harts by turns (fuzz_console): one host thread, virtual time, and a stack for
 * each hart.
 */
#include "lib/compiler.h"
#include "lib/types.h"

struct hart;

/* Physical memory that can exist: from HOST_PHYS_START on. */
#define HOST_PHYS_START 0x80000000UL
#define HOST_PHYS_SIZE	(64UL << 30)

/**
 * host_init() - make the calling host thread logical hart 0, and the memory
 *
 * Afterwards everything in kernel/ that needs no second hart works in this
 * thread, which counts as hart 0's idle thread. Call once.
 */
void host_init(void);

/**
 * host_start_harts() - start more harts
 * @nr: number of harts altogether, hart 0 included
 *
 * Time is real from then on.
 */
void host_start_harts(unsigned int nr);

/**
 * host_jump_clock() - time passes in which no hart runs
 * @ns: how much, as when QEMU is stopped by a signal
 */
void host_jump_clock(u64 ns);

/**
 * host_start_turns() - start more harts on this host thread, which take turns
 * @nr: number of harts altogether, hart 0 included
 * @choose: a number below @limit; decides how long turns are and whose is next
 *
 * Time stays virtual. Equal choices make equal runs.
 */
void host_start_turns(unsigned int nr, unsigned int (*choose)(unsigned int limit));

/* Somewhere in the code of a hart: its turn may be over. Nothing before host_start_turns(). */
void host_turn_point(void);

/* The calling hart's turn is over, and so are its next @nr ones at once. */
void host_lose_turns(unsigned int nr);

/**
 * host_drop_memory() - what a frame holds is lost, as when a device takes it
 * @start: physical address, a multiple of the page size
 * @size: bytes
 */
void host_drop_memory(phys_addr_t start, u64 size);

/**
 * host_was_kicked() - whether a hart was sent an interrupt; forgets it
 * @hart: logical id, of a hart that does not run
 */
bool host_was_kicked(unsigned int hart);

/**
 * host_play_others() - what other harts do while this one is in a busy-wait loop
 * @fn: called at each turn of such a loop, with interrupts on or off; NULL: nothing
 *
 * For one hart. @fn writes what another hart would write, and calls nothing that locks.
 */
void host_play_others(void (*fn)(void));

/**
 * host_time_is_virtual() - whether time goes by what is done: with one hart
 */
bool host_time_is_virtual(void);

/* Private to tests/host. */
bool host_takes_turns(void);
void host_turn_spins(void); /* another hart's turn, if one can run */
void host_turn_waits(void); /* others' turns until something is pending here */
bool host_is_pending(unsigned int hart);  /* an interrupt that would end arch_idle() */
void host_jump_to_timer(unsigned int nr); /* all of @nr harts wait: to the next timer */
bool host_make_hart(struct hart *hart);	  /* with a stack of its own, not yet run */
void host_switch_hart(unsigned int next); /* this host thread is another hart now */
void host_switch_stack(unsigned int from, unsigned int to);
bool host_make_stack(unsigned int hart, void (*fn)(void *arg), void *arg);
void host_memory_init(void);
void host_poll(void);

#endif
