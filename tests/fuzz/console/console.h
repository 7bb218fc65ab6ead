/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_FUZZ_CONSOLE_H
#define _TESTS_FUZZ_CONSOLE_H

/*
 * Sequences of console commands. Two users type at two consoles, the host resizes a device,
 * and a driver allocates and frees objects; each runs on a hart, and the harts take turns
 * (tests/host/turns.c). A session is a process: it boots and runs a list of steps. It fails
 * if it panics, a sanitizer reports, mm_check() finds a difference, or it never ends.
 *
 *   lines.c    makes the steps of a seed
 *   session.c  the process that runs steps
 *   driver.c   the driver
 *   main.c     runs many sessions; shortens the list of a failing session
 */
#include "lib/types.h"

#define MAX_STEPS  4096
#define STEP_BYTES 480
#define BETWEEN	   "|" /* separates the lines of a step */
#define STOP	   "stop" /* the host stops the machine for longer than any limit */

/* The actors: two consoles, the host that has the device, and a driver. */
enum actor {
	ACTOR_TERMINAL,
	ACTOR_PORT,
	ACTOR_DEVICE,
	ACTOR_DRIVER, /* the last: console_lines has no driver */
	NR_ACTORS,
};

/* Which neighbour in the list begins at the same time as a step: none, the next, the previous. */
enum meeting {
	MEETS_NOBODY,
	MEETS_NEXT,
	MEETS_LAST,
};

/*
 * The ways in which a session makes harts meet: the commands that it types, and the
 * places where turns end besides at random (enum host_turns). Each strategy finds races
 * that the others miss.
 */
enum strategy {
	STRATEGY_CROWD_RARE, /* all kinds of commands; turns end in rare basic blocks */
	STRATEGY_CROWD_UNLOCKED, /* the same; turns end where a hart has released its locks */
	STRATEGY_SIEGE_RARE, /* two actors do and undo something, often; as CROWD_RARE */
	STRATEGY_SIEGE_UNLOCKED, /* the same; as CROWD_UNLOCKED */
	NR_STRATEGIES,
};

/* The strategy of a session. Eight sessions in a row share it, and differ in parameters. */
static inline enum strategy strategy_of(u64 number)
{
	return number / 8 % NR_STRATEGIES;
}

static inline bool is_siege(enum strategy strategy)
{
	return strategy == STRATEGY_SIEGE_RARE || strategy == STRATEGY_SIEGE_UNLOCKED;
}

/**
 * struct step - an action of an actor
 * @actor: enum actor
 * @meets: enum meeting
 * @line: for a console: a command line, in which @N means the frame of the N-th last
 *	"alloc" that worked, and @d the frame of the driver's last object; for the device:
 *	its new size in bytes, or STOP; for the driver: the size of its next objects in
 *	bytes. If there are several lines, the actor runs them in turn until the step that
 *	meets this one has ended
 */
struct step {
	u8 actor;
	u8 meets;
	char line[STEP_BYTES];
};

/* The machine that lines.c expects and session.c makes. */
#define BOOT_START	 0x80000000UL
#define BOOT_BYTES	 (100UL << 20) /* ends within its memory block */
#define REGION_START	 0x88000000UL
#define REGION_BYTES	 (512UL << 20)
#define NR_SESSION_HARTS 4

/**
 * struct progress - a session's progress, in memory that it shares with its parent
 * @done: steps that have ended
 * @begun: for each step: 0, 1 once it has begun, 2 once it has ended
 * @line: for each step: the console line, with its frame numbers filled in
 */
struct progress {
	unsigned int done;
	u8 begun[MAX_STEPS];
	char line[MAX_STEPS][STEP_BYTES];
};

/*
 * Fill @steps with the steps of @seed, for about @nr commands.
 *
 * Return: the number of steps, at most @nr.
 */
unsigned int make_steps(u64 seed, struct step *steps, unsigned int nr);

/**
 * run_driver() - free all objects, make buffers of their pages, and make other objects
 * @line: the size of the new objects in bytes, 1 to 2,048
 *
 * Context: one thread, in a session.
 */
void run_driver(const char *line);

/* Free all that the driver has. */
void end_driver(void);

/* Return the frame of the driver's last object, which may be free by now. */
unsigned long driver_pfn(void);

/**
 * run_session() - boot, run all steps, check everything, exit
 * @turns: seed of the order of turns; the bits above the lowest 8 also
 *	decide the command line
 *
 * Exit with 0 if all is well; any other status is a failure, with a message on stderr.
 */
void run_session(const struct step *steps, unsigned int nr, u64 turns,
		 struct progress *progress) __attribute__((noreturn));

#endif
