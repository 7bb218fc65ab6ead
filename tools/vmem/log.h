/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_LOG_H
#define _VMEM_LOG_H

/*
 * One line per call on stderr, with the device's name in front. Lines that a guest, a
 * frontend or a client can cause go through log_limited().
 */
#include "lib/types.h"

/* The most lines of one kind that log_limited() prints within an interval. */
#define LOG_BURST	20
#define LOG_INTERVAL_NS 60000000000UL

struct log_limit {
	u64 since;    /* loop_now() at the start of the interval */
	u32 printed;  /* since then */
	u64 left_out; /* since the last line */
};

void log_set_name(const char *id);
void log_line(const char *fmt, ...) __printf(1, 2);
void log_line_limited(struct log_limit *limit, const char *fmt, ...) __printf(2, 3);

/**
 * log_limited() - print a line that a guest, a frontend or a client can cause repeatedly
 * @...: printf format, without a newline, and its arguments
 *
 * Each call in the source is a separate kind, limited to LOG_BURST lines in LOG_INTERVAL_NS.
 */
#define log_limited(...)                                  \
	do {                                              \
		static struct log_limit log_limit_;       \
		log_line_limited(&log_limit_, __VA_ARGS__); \
	} while (0)

#endif
