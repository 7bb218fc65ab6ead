/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of the memory device: whole lines on stderr, each in one write(), so that two
 * devices may share a terminal.
 */
#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"

static const char *log_name = "";

/**
 * log_set_name() - name the device in every later line
 * @id: the device's id; must stay valid
 */
void log_set_name(const char *id)
{
	log_name = id;
}

static void vlog_line(const char *fmt, va_list ap, const char *tail)
{
	char line[512];
	int len = snprintf(line, sizeof(line), "ebb-vmem %s: ", log_name);
	int more;

	more = vsnprintf(line + len, sizeof(line) - (size_t)len, fmt, ap);
	len = min(len + more, (int)sizeof(line) - 1);
	more = snprintf(line + len, sizeof(line) - (size_t)len, "%s\n", tail);
	len = min(len + more, (int)sizeof(line) - 1);
	line[len - 1] = '\n';
	/* A failure of stderr itself cannot be reported. */
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		return;
}

/**
 * log_line() - print one line
 * @fmt: printf format, without a newline; longer than 480 bytes is cut
 */
void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog_line(fmt, ap, "");
	va_end(ap);
}

/**
 * log_line_limited() - print a line unless its kind was printed too often lately
 * @limit: of this kind; see log_limited()
 * @fmt: printf format, without a newline
 */
void log_line_limited(struct log_limit *limit, const char *fmt, ...)
{
	u64 now = loop_now();
	char tail[64] = "";
	va_list ap;

	if (!limit->since || now - limit->since >= LOG_INTERVAL_NS) {
		limit->since = now;
		limit->printed = 0;
	}
	if (limit->printed == LOG_BURST) {
		limit->left_out++;
		return;
	}
	if (++limit->printed == LOG_BURST)
		snprintf(tail, sizeof(tail),
			 " (others are suppressed for a minute)");
	else if (limit->left_out)
		snprintf(tail, sizeof(tail), " (%llu before it were suppressed)",
			 (unsigned long long)limit->left_out);
	limit->left_out = 0;
	va_start(ap, fmt);
	vlog_line(fmt, ap, tail);
	va_end(ap);
}
