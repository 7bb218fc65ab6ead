/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_lines SEED COUNT: print the steps that fuzz_console runs for a seed, so that a
 * scenario can run them on a real machine. Leave out the driver's steps, and the steps in
 * which the host stops the machine, which would take long. Print each line of a step once,
 * and do not print which steps meet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/console/console.h"

int main(int argc, char **argv)
{
	static const char *const actors[ACTOR_DRIVER] = { "terminal", "port", "device" };
	static struct step steps[MAX_STEPS];
	unsigned long nr = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	if (nr == 0 || nr > MAX_STEPS) {
		fprintf(stderr, "usage: console_lines SEED COUNT, of at most %d\n", MAX_STEPS);
		return 3;
	}
	nr = make_steps(strtoul(argv[1], NULL, 10), steps, nr);
	for (unsigned long i = 0; i < nr; i++) {
		const bool here =
			steps[i].actor != ACTOR_DRIVER && strcmp(steps[i].line, STOP);
		char *next = here ? steps[i].line : NULL;

		while (next)
			printf("%s %s\n", actors[steps[i].actor], strsep(&next, BETWEEN));
	}
	return 0;
}
