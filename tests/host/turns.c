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

#define POINT_NS 20 /* virtual time between points; so a hart's sleep ends while others run */

static unsigned int nr_harts_here;
static bool waits[MAX_HARTS]; /* in arch_idle() */
static unsigned int (*choose)(unsigned int limit);
static unsigned int length, left; /* points of the turn, and how many of them are left */
static u64 points;		  /* points passed in earlier turns, by all harts */
static unsigned int longest_absence; /* in points */
static u64 back_at[MAX_HARTS];	     /* the point before which a hart is not chosen */
static enum host_turns rule;
static bool locked[MAX_HARTS]; /* held a spinlock at its last point */

/* Basic blocks, by address; blocks that share an entry share its counts. */
static struct {
	u32 passed; /* how often harts came there */
	u32 due;    /* a turn ends there when @passed reaches this number */
} blocks[1U << 16];

/* Most turns are short, so that two harts pass the same place in all orders. */
static void begin_turn(void)
{
	static const unsigned int longest[] = { 16, 16, 256, 256, 2048, 16384 };

	left = length = 1 + choose(longest[choose(ARRAY_SIZE(longest))]);
}

static bool can_run(unsigned int id)
{
	return !waits[id] || host_is_pending(id);
}

/*
 * Choose any other hart that can run and is not paused. If there is none, choose the caller
 * if it is @busy, else a paused hart, else the caller.
 */
static unsigned int next_hart(unsigned int self, bool busy)
{
	const unsigned int first = choose(nr_harts_here);
	unsigned int next = self;

	for (unsigned int i = 0; i < nr_harts_here; i++) {
		const unsigned int id = (first + i) % nr_harts_here;

		if (id == self || !can_run(id))
			continue;
		if (points >= back_at[id])
			return id;
		if (!busy)
			next = id;
	}
	return next;
}

static void end_turn(void)
{
	points += length - left;
	host_jump_clock((u64)(length - left) * POINT_NS);
}

static void give_turn(bool busy)
{
	const unsigned int self = this_hart()->id;
	unsigned int next;

	end_turn();
	begin_turn();
	next = next_hart(self, busy);
	if (next != self)
		host_switch_hart(next);
}

/*
 * End the turn as a host that preempts a hart does: at any point, and sometimes for a
 * long time.
 */
static void lose_turn(void)
{
	if (choose(2))
		back_at[this_hart()->id] = points + choose(longest_absence);
	give_turn(true);
}

bool host_takes_turns(void)
{
	return nr_harts_here != 0;
}

/*
 * Does a turn end in this basic block? Yes the first few times that harts reach it, then
 * ever more rarely: about six times while the count of visits doubles.
 */
static bool is_due(unsigned long pc)
{
	const unsigned int i = pc / 4 % ARRAY_SIZE(blocks);

	if (blocks[i].passed++ < blocks[i].due)
		return false;
	blocks[i].due = blocks[i].passed + choose(blocks[i].passed / 4 + 1);
	return true;
}

/*
 * Has the hart released its last spinlock? From here on, other harts may change the data
 * that the lock protects.
 */
static bool has_unlocked(void)
{
	const struct hart *hart = this_hart();
	const bool before = locked[hart->id];

	locked[hart->id] = hart->spin_depth != 0;
	return before && !hart->spin_depth && choose(4) == 0;
}

void host_turn_point(unsigned long pc)
{
	if (!nr_harts_here)
		return;
	if (--left == 0 || (rule == HOST_TURNS_RARE ? is_due(pc) : has_unlocked()))
		lose_turn();
}

void host_go_away(unsigned int nr)
{
	if (!nr_harts_here)
		return;
	back_at[this_hart()->id] = points + nr;
	give_turn(false);
}

void host_turn_spins(void)
{
	give_turn(false);
}

void host_turn_waits(void)
{
	const unsigned int self = this_hart()->id;

	waits[self] = true;
	while (!host_is_pending(self)) {
		if (next_hart(self, false) != self)
			give_turn(false);
		else
			host_jump_to_timer(nr_harts_here);
	}
	waits[self] = false;
}

void host_start_turns(unsigned int nr, enum host_turns turns,
		      unsigned int (*fn)(unsigned int limit))
{
	static const unsigned int absences[] = { 4096, 32768, 262144 };

	for (unsigned int i = 1; i < nr; i++) {
		struct hart *hart = hart_register(i);

		if (hart == NULL || !host_make_hart(hart)) {
			fprintf(stderr, "host: no hart %u\n", i);
			exit(3);
		}
	}
	rule = turns;
	choose = fn;
	longest_absence = absences[choose(ARRAY_SIZE(absences))];
	begin_turn();
	nr_harts_here = nr;
}
