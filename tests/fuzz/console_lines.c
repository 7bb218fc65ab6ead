/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console_lines SEED COUNT: print a seed's steps, as fuzz_console runs them on the
 * host; a scenario runs them on a real machine. Does not print which steps meet.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/console/console.h"

int main(int argc, char **argv)
{
	static const char *const actors[NR_ACTORS] = { "terminal", "port", "device" };
	static struct step steps[MAX_STEPS];
	const unsigned long nr = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	if (nr == 0 || nr > MAX_STEPS) {
		fprintf(stderr, "usage: console_lines SEED COUNT, of at most %d\n", MAX_STEPS);
		return 3;
	}
	make_steps(strtoul(argv[1], NULL, 10), steps, nr);
	for (unsigned long i = 0; i < nr; i++)
		printf("%s %s\n", actors[steps[i].actor], steps[i].line);
	return 0;
}
