/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_HOST_LOG_H
#define _TESTS_HOST_LOG_H

/* What the kernel's log says, for suites that run on the host alone. */
#include <string.h>

#include "kernel/printk.h"
#include "kernel/sink.h"

#define LOG_MARK "from here on the log is counted"

/*
 * From here on times_logged() counts. The log forgets its oldest lines, so that a
 * difference of two counts over all of it says nothing.
 */
static inline void log_mark(void)
{
	printk("%s\n", LOG_MARK);
}

/* How often these words are in the log behind the last mark. */
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
