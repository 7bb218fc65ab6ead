/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_LOG_H
#define _VMEM_LOG_H

/*
 * One line per call on stderr, with the device's name in front. What a guest
 * can provoke goes through log_limited(), which falls silent after a while.
 */
#include "lib/compiler.h"
#include "lib/types.h"

/* How many lines one kind of guest-provoked message may print. */
#define LOG_LIMIT 20

struct log_limit {
	u32 printed;
};

void log_set_name(const char *id);
void log_line(const char *fmt, ...) __printf(1, 2);
void log_limited(struct log_limit *limit, const char *fmt, ...) __printf(2, 3);

#endif
