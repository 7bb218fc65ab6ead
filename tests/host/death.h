/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_HOST_DEATH_H
#define _TESTS_HOST_DEATH_H

/* Cases that end in panic(): tests/host/panic_test.c, mm_panic_test.c. */
#include "kernel/ktest.h"

/**
 * struct death - a way to panic
 * @name: of the case
 * @run: must not return
 * @words: part of its output
 */
struct death {
	const char *name;
	void (*run)(void);
	const char *words;
};

/* The case, for run(). */
extern struct ktest *death_test;

/* For KTEST_ARRAY_PARAM(). */
void death_desc(const struct death *death, char desc[KTEST_DESC_SIZE]);

/* Runs the death in test->param_value, which must happen in a separate process. */
void expect_death(struct ktest *test);

#endif
