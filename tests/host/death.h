/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_HOST_DEATH_H
#define _TESTS_HOST_DEATH_H

/* Cases that end in panic(): tests/host/panic_test.c, mm_panic_test.c. */
#include "kernel/ktest.h"

/**
 * struct death - a way to panic
 * @name: name of the case
 * @run: must not return
 * @words: words that the output must contain
 */
struct death {
	const char *name;
	void (*run)(void);
	const char *words;
};

/* The case that run() may use. */
extern struct ktest *death_test;

/* Describe a death, for KTEST_ARRAY_PARAM(). */
void death_desc(const struct death *death, char desc[KTEST_DESC_SIZE]);

/* Run the death in test->param_value in a child process, which must panic. */
void expect_death(struct ktest *test);

#endif
