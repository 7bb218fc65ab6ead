/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_TEST_IMAGE_H
#define _KERNEL_TEST_IMAGE_H

/*
 * build/ebb.elf is the kernel; build/ebb-test.elf is the same objects with tests/
 * linked in. A kernel without tests that is asked for one says which image has it,
 * and a machine that was started for tests ends with status 3, never 0.
 */
#include "lib/types.h"

struct sink;

/**
 * test_image_param() - does an unknown boot parameter belong to the test runner?
 * @name: no parameter has this name
 *
 * Context: boot. Says once what to type if it does.
 * Return: true if it needs no other complaint; false in the image with the tests.
 */
bool test_image_param(const char *name);

/**
 * test_image_command() - is an unknown command one of the tests' commands?
 * @name: no command has this name
 * @out: gets one line with what to type if it is
 */
bool test_image_command(const char *name, struct sink *out);

/* The autorun line has ended: from here on a person types. */
void test_image_boot_ended(void);

/* Of "poweroff": 0, or 3 if boot parameters or autorun asked for tests in vain. */
int test_image_exit_status(void);

#endif
