/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_HOST_LOG_H
#define _TESTS_HOST_LOG_H

/* What the kernel's log says, for suites that run on the host alone. */
#include <string.h>

#include "kernel/printk.h"
#include "kernel/sink.h"

/* How often these words are in the log, as far as it goes back. */
static inline unsigned int times_logged(const char *words)
{
	static char text[128 << 10];
	struct sink_buffer buffer;
	unsigned int nr = 0;

	sink_buffer_init(&buffer, text, sizeof(text));
	printk_dump(&buffer.sink);
	for (const char *at = text; (at = strstr(at, words)) != NULL; at++)
		nr++;
	return nr;
}

#endif
