/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_CONSOLE_TEST_IMAGE_H
#define _KERNEL_CONSOLE_TEST_IMAGE_H

/*
 * build/ebb.elf is the kernel; build/ebb-test.elf is the same objects with tests/
 * linked in. If a kernel without tests is asked for a test, it says what to type to run it;
 * and if its machine was started for tests, the machine ends with status 3, never 0.
 */
#include "lib/types.h"

struct sink;

/**
 * test_image_command() - check whether an unknown command is one of the tests' commands
 * @name: no command has this name
 * @out: if so, gets one line with what to type instead
 */
bool test_image_command(const char *name, struct sink *out);

/* Note that the autorun line has ended: from here on the user types. */
void test_image_boot_ended(void);

/*
 * Return the status of "poweroff": 3 if boot parameters or autorun asked for tests, which
 * never ran; else 0.
 */
int test_image_exit_status(void);

#endif
