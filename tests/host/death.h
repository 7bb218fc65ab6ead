/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_HOST_DEATH_H
#define _TESTS_HOST_DEATH_H

/* Cases that end in panic(): tests/host/panic_test.c, mm_panic_test.c. */
#include "kernel/ktest.h"

/**
 * struct death - a way to panic
 * @name: of the case
 * @run: must not come back
 * @words: in what it prints
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

/* The case: test->param_value is the death, which must happen in a process of its own. */
void expect_death(struct ktest *test);

#endif
