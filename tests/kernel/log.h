/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_KERNEL_LOG_H
#define _TESTS_KERNEL_LOG_H

/* Search in the kernel's log. */

/*
 * Make times_logged() count from here on. The log drops its oldest lines, so the difference
 * of two counts over the whole log would be meaningless.
 */
void log_mark(void);

/* Count the occurrences of these words in the log after the last mark. */
unsigned int times_logged(const char *words);

#endif
