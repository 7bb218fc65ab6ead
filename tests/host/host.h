/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_HOST_HOST_H
#define _TESTS_HOST_HOST_H

/*
 * The host as a machine: functions of tests/host for host programs, besides the machine
 * contract (include/arch/).
 *
 * One hart (ktest, fuzzers): everything runs on one host thread, and time is virtual.
 * Virtual time advances a little with every clock read, and jumps to the next timer when
 * all threads sleep. So all runs are the same, and waiting takes no real time.
 *
 * Several harts (ktest-tsan): a host thread for each hart, and real time.
 *
 * Several harts in turns (fuzz_console): one host thread, virtual time, and a stack for
 * each hart.
 */
#include "lib/types.h"

struct hart;

/* The range in which physical memory can lie. */
#define HOST_PHYS_START 0x80000000UL
#define HOST_PHYS_SIZE	(64UL << 30)

/**
 * host_init() - make the calling host thread logical hart 0, and set up the memory
 *
 * Afterwards all code of kernel/ that needs no second hart works in this thread, which
 * counts as hart 0's idle thread. Call it once.
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
 * host_jump_clock() - let time pass while no hart runs, as when a signal stops QEMU
 * @ns: time to add to the clock
 */
void host_jump_clock(u64 ns);

/* The places where turns end, besides at random in any basic block. */
enum host_turns {
	HOST_TURNS_RARE, /* in a basic block that harts have rarely reached so far */
	HOST_TURNS_UNLOCKED, /* where a hart has released its last spinlock */
};

/**
 * host_start_turns() - start more harts on this host thread, which take turns
 * @nr: number of harts altogether, hart 0 included
 * @turns: where turns end, besides at random
 * @choose: returns a number below @limit; decides the length of turns and the next hart
 *
 * Time stays virtual. Equal choices make equal runs.
 */
void host_start_turns(unsigned int nr, enum host_turns turns,
		      unsigned int (*choose)(unsigned int limit));

/*
 * Mark a point in a hart's code, at address @pc, at which the hart's turn may end. Do
 * nothing before host_start_turns().
 */
void host_turn_point(unsigned long pc);

/*
 * Pause the calling hart until the other harts have passed @nr points or none of them can
 * run.
 */
void host_go_away(unsigned int nr);

/**
 * host_drop_memory() - lose the contents of frames, as when a device takes them
 * @start: physical address, a multiple of the page size
 * @size: bytes
 */
void host_drop_memory(phys_addr_t start, u64 size);

/**
 * host_was_kicked() - check whether a hart was sent an interrupt, and clear it
 * @hart: logical id, of a hart that does not run
 */
bool host_was_kicked(unsigned int hart);

/**
 * host_play_others() - simulate other harts while this hart is in a busy-wait loop
 * @fn: called in each iteration of such a loop, with interrupts on or off; NULL: none
 *
 * Only with one hart. @fn writes what another hart would write, and must not take locks.
 */
void host_play_others(void (*fn)(void));

/**
 * host_time_is_virtual() - check whether time is virtual: it is with one host thread
 */
bool host_time_is_virtual(void);

/* Private to tests/host. */
bool host_takes_turns(void);
void host_turn_spins(void); /* give the turn to another hart, if one can run */
void host_turn_waits(void); /* let others run until an interrupt is pending here */
bool host_is_pending(unsigned int hart);  /* is an interrupt pending that would end
					   * arch_idle()? */
void host_jump_to_timer(unsigned int nr); /* all @nr harts wait: jump to the next timer */
bool host_make_hart(struct hart *hart);	  /* make a hart with a stack; do not run it */
void host_switch_hart(unsigned int next); /* make this host thread run as another hart */
void host_switch_stack(unsigned int from, unsigned int to);
bool host_make_stack(unsigned int hart, void (*fn)(void *arg), void *arg);
void host_memory_init(void);
void host_poll(void);

#endif
