/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several harts on one host thread, in turns: a hart runs until its turn is over, it
 * waits, or it spins. So harts meet at any point, like real harts, and the same choices
 * give the same run: a race that was found once is found again.
 *
 * A turn ends at host_turn_point(), which the compiler calls in each basic block of
 * code built with -fsanitize-coverage=trace-pc.
 */
#include <stdio.h>
#include <stdlib.h>

#include "host.h"
#include "kernel/hart.h"
#include "kernel/sched.h"

static unsigned int nr_harts_here;
static bool waits[MAX_HARTS]; /* in arch_idle() */
static unsigned int (*choose)(unsigned int limit);
static unsigned int left; /* points left in the turn */
static unsigned int longest_absence, nr_turns;
static unsigned int back_at[MAX_HARTS]; /* the turn before which a hart is not chosen */

/* Most turns are short, so that two harts pass the same place in all orders. */
static void begin_turn(void)
{
	static const unsigned int longest[] = { 16, 16, 256, 256, 2048, 16384 };

	left = 1 + choose(longest[choose(ARRAY_SIZE(longest))]);
}

static bool can_run(unsigned int id)
{
	return !waits[id] || host_is_pending(id);
}

/*
 * Any hart except the caller that can go on; the caller if there is none. Harts that
 * are away come last.
 */
static unsigned int next_hart(unsigned int self)
{
	const unsigned int first = choose(nr_harts_here);
	unsigned int next = self;

	for (unsigned int i = 0; i < nr_harts_here; i++) {
		const unsigned int id = (first + i) % nr_harts_here;

		if (id == self || !can_run(id))
			continue;
		next = id;
		if (nr_turns >= back_at[id])
			break;
	}
	return next;
}

/*
 * Like a host that takes the processor away from a hart: at any point, and sometimes
 * for long.
 */
static void go_away(unsigned int self)
{
	nr_turns++;
	if (longest_absence && choose(2))
		back_at[self] = nr_turns + choose(longest_absence);
}

static void give_turn(void)
{
	const unsigned int self = this_hart()->id, next = next_hart(self);

	go_away(self);
	begin_turn();
	if (next != self)
		host_switch_hart(next);
}

bool host_takes_turns(void)
{
	return nr_harts_here != 0;
}

void host_turn_point(void)
{
	if (nr_harts_here && --left == 0)
		give_turn();
}

void host_lose_turns(unsigned int nr)
{
	for (unsigned int i = 0; nr_harts_here && i <= nr; i++)
		give_turn();
}

void host_turn_spins(void)
{
	give_turn();
}

void host_turn_waits(void)
{
	const unsigned int self = this_hart()->id;

	waits[self] = true;
	while (!host_is_pending(self)) {
		if (next_hart(self) != self)
			give_turn();
		else
			host_jump_to_timer(nr_harts_here);
	}
	waits[self] = false;
}

void host_start_turns(unsigned int nr, unsigned int (*fn)(unsigned int limit))
{
	static const unsigned int absences[] = { 0, 16, 256 };

	for (unsigned int i = 1; i < nr; i++) {
		struct hart *hart = hart_register(i);

		if (hart == NULL || !host_make_hart(hart)) {
			fprintf(stderr, "host: no hart %u\n", i);
			exit(3);
		}
	}
	choose = fn;
	longest_absence = absences[choose(ARRAY_SIZE(absences))];
	begin_turn();
	nr_harts_here = nr;
}
