/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's test program. It runs all suites that are linked in, and prints KTAP.
 *
 *	ktest [--harts=N] [kunit.filter_glob=GLOB] [kunit.action=list] ...
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/boot.h"
#include "host.h"
#include "kernel/hart.h"
#include "kernel/ktest.h"
#include "kernel/printk.h"
#include "kernel/sched.h"
#include "kernel/workqueue.h"

/* ThreadSanitizer finds nothing with one thread. */
#ifdef EBB_TSAN
#define DEFAULT_HARTS 4
#else
#define DEFAULT_HARTS 1
#endif

static struct ktest_options options;

/* Set up memory (tests/host/boot.c). NULL in programs without mm/. */
void host_boot_mm(void) __attribute__((weak));

static int run_tests(void *unused)
{
	(void)unused;
	workqueue_start();
	if (host_boot_mm != NULL)
		host_boot_mm();
	arch_exit(ktest_run(&options, console_sink()));
}

static void usage(const char *program, const char *word)
{
	fprintf(stderr,
		"%s: %s: want --harts=1 to --harts=%d, kunit.filter_glob= kunit.filter= "
		"kunit.action=list ktest.seed= ktest.repeat= or ktest.shuffle\n",
		program, word, MAX_HARTS);
	exit(KTEST_HARNESS);
}

static unsigned int parse_harts(const char *program, const char *word)
{
	char *end;
	const unsigned long nr = strtoul(word + strlen("--harts="), &end, 10);

	if (*end != '\0' || nr < 1 || nr > MAX_HARTS)
		usage(program, word);
	return nr;
}

int main(int argc, char **argv)
{
	unsigned int nr = DEFAULT_HARTS;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--harts=", strlen("--harts=")) == 0)
			nr = parse_harts(argv[0], argv[i]);
		else if (ktest_param(argv[i], &options) != 0)
			usage(argv[0], argv[i]);
	}
	host_init();
	if (nr > 1)
		host_start_harts(nr);
	if (thread_create("ktest", run_tests, NULL) == NULL)
		return KTEST_HARNESS;
	idle_loop();
}
