/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzzer's corpus as a test case: corpus-NAME reads tests/fuzz/corpus/NAME/ and
 * gives each file to fuzz_NAME's entry point. A failing input ends the program with the
 * check's message. Prints KTAP; accepts kunit.filter_glob=.
 */
#include <dirent.h>
#include <fnmatch.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define MAX_INPUTS 1000
#define MAX_BYTES  (1 << 16)
#define PREFIX	   "corpus-"

static char dir[300];
static struct dirent **inputs;
static int nr_inputs;

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void run_input(const char *name)
{
	static u8 data[MAX_BYTES];
	char path[600];
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "rb");
	CHECK(file, "%s", path);
	size = fread(data, 1, sizeof(data), file);
	CHECK(size < sizeof(data), "%s is too long", path);
	fclose(file);
	(void)LLVMFuzzerTestOneInput(data, size);
}

void fuzz_run_corpus(void)
{
	for (int i = 0; i < nr_inputs; i++)
		run_input(inputs[i]->d_name);
}

/* A fuzzer may have further tests with its corpus, in this or other processes. */
__attribute__((weak)) const struct fuzz_case fuzz_cases[] = { { 0 } };

static bool wanted(const char *glob, const char *suite, const char *name)
{
	char full[300];

	snprintf(full, sizeof(full), "%s.%s", suite, name);
	return fnmatch(glob, full, 0) == 0;
}

static bool run_case(const struct fuzz_case *fc, unsigned int nr)
{
	const bool passed = fc->run();

	printf("    %sok %u %s\n", passed ? "" : "not ", nr, fc->name);
	fflush(stdout);
	return passed;
}

static bool corpus_case(void)
{
	fuzz_run_corpus();
	printf("    # %d inputs\n", nr_inputs);
	return nr_inputs > 0;
}

int main(int argc, char **argv)
{
	static const struct fuzz_case corpus = { "corpus", corpus_case };
	const char *suite = strstr(basename(argv[0]), PREFIX) + strlen(PREFIX);
	const struct fuzz_case *selected[8];
	unsigned int nr = 0, failed = 0;
	const char *glob = "*";

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "kunit.filter_glob=", 18) == 0)
			glob = argv[i] + 18;
	snprintf(dir, sizeof(dir), "tests/fuzz/corpus/%s", suite);
	nr_inputs = scandir(dir, &inputs, is_input, alphasort);
	CHECK(nr_inputs >= 0 && nr_inputs < MAX_INPUTS, "%s", dir);
	/* Tests that need a process in which no input has run come first. */
	for (const struct fuzz_case *fc = fuzz_cases; fc->name; fc++)
		if (wanted(glob, suite, fc->name))
			selected[nr++] = fc;
	if (wanted(glob, suite, corpus.name))
		selected[nr++] = &corpus;
	if (!nr)
		return 3; /* nothing to run; not a failure if a filter is set */
	printf("KTAP version 1\n1..1\n");
	printf("    KTAP version 1\n    # Subtest: %s\n    1..%u\n", suite, nr);
	fflush(stdout);
	for (unsigned int i = 0; i < nr; i++)
		failed += !run_case(selected[i], i + 1);
	printf("%sok 1 %s\n", failed ? "not " : "", suite);
	return failed != 0;
}
