/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_FUZZ_FUZZ_H
#define _TESTS_FUZZ_FUZZ_H

/*
 * The code that the fuzzers share: the entry point, choices and a check that stops with
 * the numbers that differ (tests/model/model.h), and kernel_mm on the host.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/model/model.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/*
 * Further tests of a fuzzer, in the program that runs its corpus as tests
 * (tests/fuzz/corpus.c); a fuzzer's own table replaces the empty default. They run before
 * the corpus, in a process in which no input has run yet, and return whether they passed.
 */
struct fuzz_case {
	const char *name;
	bool (*run)(void);
};

extern const struct fuzz_case fuzz_cases[];

/* Run every input of the corpus once. */
void fuzz_run_corpus(void);

/*
 * Set up kernel_mm with @boot_bytes for the model, and start its replay. All inputs share
 * this memory, and each input gives everything back.
 */
void fuzz_memory(u64 boot_bytes, unsigned long sections);

#endif
