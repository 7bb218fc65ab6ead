/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of the memory device: whole lines on stderr, one write each, so that
 * two devices may share a terminal.
 */
#include <stdio.h>
#include <unistd.h>

#include "log.h"

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
	/* Nobody is left to tell when stderr itself fails. */
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
 * log_limited() - print one line of a kind that a guest can provoke at will
 * @limit: counts the lines of this kind; after LOG_LIMIT of them it is silent
 * @fmt: printf format, without a newline
 */
void log_limited(struct log_limit *limit, const char *fmt, ...)
{
	va_list ap;

	if (limit->printed >= LOG_LIMIT)
		return;
	limit->printed++;
	va_start(ap, fmt);
	vlog_line(fmt, ap,
		  limit->printed == LOG_LIMIT ? " (further ones are only counted)" : "");
	va_end(ap);
}
