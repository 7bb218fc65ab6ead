/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MM_KERNEL_WINDOW_H
#define _TESTS_MM_KERNEL_WINDOW_H

/* The half of hotplug_window.c for windows in the kernel's own memory. */
#include "tests/mm/hotplug_window.h"

/* Has the case's suite asked for a window in kernel_mm? */
bool wants_kernel_window(const struct ktest *test);

/* Make kernel_mm the window's memory; its blocks are unused. Undone when the case ends. */
void kernel_window_open(struct ktest *test, struct window *w);

#endif
