/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_CONSOLE_TEST_IMAGE_H
#define _KERNEL_CONSOLE_TEST_IMAGE_H

/*
 * build/ebb.elf is the kernel; build/ebb-test.elf is the same objects with tests/
 * linked in. A kernel without tests that is asked for a test names the image that has it;
 * and a machine that was started for tests ends with status 3, never 0.
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

/* "poweroff" status: 3 if boot parameters or autorun asked for tests that never ran; or 0. */
int test_image_exit_status(void);

#endif
