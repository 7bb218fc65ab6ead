/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the unit tests of the memory device and prints KTAP version 1.
 * Argument: kunit.filter_glob=GLOB over suite.case.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

/* The same exit status as ktest's: no case matches the filter. */
#define STATUS_NOTHING 3

static struct test *tests;
static bool failed;

/**
 * test_register() - add a test to the list, in order of suite, then of file
 * @test: must stay valid
 */
void test_register(struct test *test)
{
	struct test **at = &tests;

	while (*at && strcmp((*at)->suite, test->suite) <= 0)
		at = &(*at)->next;
	test->next = *at;
	*at = test;
}

/**
 * test_fail() - report a failure of the running test, which continues
 * @file: where
 * @line: where
 * @fmt: why
 */
void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	failed = true;
	printf("    # %s:%d: expected ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static bool wanted(const struct test *test, const char *glob)
{
	char name[128];

	snprintf(name, sizeof(name), "%s.%s", test->suite, test->name);
	return !glob || !fnmatch(glob, name, 0);
}

static const struct test *next_of(const struct test *test, const char *suite,
				  const char *glob)
{
	while (test && (!wanted(test, glob) || (suite && strcmp(test->suite, suite))))
		test = test->next;
	return test;
}

/* Run the suite that starts with @first; return whether all its tests passed. */
static bool run_suite(const struct test *first, const char *glob, int number)
{
	int count = 0, done = 0;
	bool good = true;

	for (const struct test *t = first; t; t = next_of(t->next, first->suite, glob))
		count++;
	printf("    KTAP version 1\n    # Subtest: vmem_%s\n    1..%d\n", first->suite,
	       count);
	for (const struct test *t = first; t; t = next_of(t->next, first->suite, glob)) {
		failed = false;
		t->fn();
		printf("    %s %d %s\n", failed ? "not ok" : "ok", ++done, t->name);
		fflush(stdout);
		good &= !failed;
	}
	printf("%s %d vmem_%s\n", good ? "ok" : "not ok", number, first->suite);
	return good;
}

static const struct test *next_suite(const struct test *first, const char *glob)
{
	const struct test *t = first;

	while (t && !strcmp(t->suite, first->suite))
		t = next_of(t->next, NULL, glob);
	return t;
}

int main(int argc, char **argv)
{
	static const char option[] = "kunit.filter_glob=";
	const char *glob = NULL;
	const struct test *first;
	int suites = 0, number = 0;
	bool good = true;

	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], option, sizeof(option) - 1))
			glob = argv[i] + sizeof(option) - 1;
	}
	/* Globs match the printed names. */
	if (glob && !strncmp(glob, "vmem_", 5))
		glob += 5;
	first = next_of(tests, NULL, glob);
	for (const struct test *t = first; t; t = next_suite(t, glob))
		suites++;
	printf("KTAP version 1\n1..%d\n", suites);
	for (const struct test *t = first; t; t = next_suite(t, glob))
		good &= run_suite(t, glob, ++number);
	if (!suites)
		return STATUS_NOTHING;
	return good ? 0 : 1;
}
