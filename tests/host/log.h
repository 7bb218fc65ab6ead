/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_HOST_LOG_H
#define _TESTS_HOST_LOG_H

/* Searching the kernel's log, for suites that run only on the host. */
#include <string.h>

#include "kernel/printk.h"
#include "kernel/sink.h"

#define LOG_MARK "from here on the log is counted"

/*
 * times_logged() counts from here on. The log drops its oldest lines, so the difference
 * of two counts over the whole log would be meaningless.
 */
static inline void log_mark(void)
{
	printk("%s\n", LOG_MARK);
}

/* How often these words are in the log after the last mark. */
static inline unsigned int times_logged(const char *words)
{
	static char text[128 << 10];
	struct sink_buffer buffer;
	const char *from = text;
	unsigned int nr = 0;

	sink_buffer_init(&buffer, text, sizeof(text));
	printk_dump(&buffer.sink);
	for (const char *at = text; (at = strstr(at, LOG_MARK)) != NULL; at++)
		from = at;
	for (const char *at = from; (at = strstr(at, words)) != NULL; at++)
		nr++;
	return nr;
}

#endif
