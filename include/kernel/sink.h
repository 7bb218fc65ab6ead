/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_SINK_H
#define _KERNEL_SINK_H

/*
 * Where text goes. A command, a dump or a test report writes to a sink and does
 * not know whether a console, a port, a ring or a buffer stands behind it.
 * Embed struct sink in the thing that stands behind and use container_of().
 */
#include "lib/compiler.h"
#include "lib/types.h"

/*
 * A sink that can wait for who reads (a port, the terminal) stops everybody who needs what
 * its writer holds. So it says sink_may_wait() at each write, and its writers hold nothing:
 * they copy what they need, or make the text in a sink_buffer, and sink_drain() that after
 * they have let go. printk() never waits, and may be used under any lock.
 */

/**
 * struct sink - a destination of text
 * @write: takes @len bytes of text, not zero-terminated. Called once per
 *	sink_printf() as long as the text fits SINK_PRINTF_MAX, so a sink that
 *	keeps one call's text together keeps lines whole. Must not fail; what a
 *	sink can't store it counts.
 */
struct sink {
	void (*write)(struct sink *sink, const char *text, size_t len);
};

/* Longest text one sink_printf() makes, bytes; the rest is cut and marked. */
#define SINK_PRINTF_MAX 512

/**
 * sink_puts() - write a zero-terminated string
 * @sink: the destination
 * @text: copied as it is, no newline is added
 *
 * Context: whatever the sink allows; takes no lock of its own.
 */
void sink_puts(struct sink *sink, const char *text);

/**
 * sink_printf() - write formatted text in one piece
 * @sink: the destination
 * @fmt: as for printk()
 *
 * Context: whatever the sink allows; uses SINK_PRINTF_MAX bytes of stack.
 */
void sink_printf(struct sink *sink, const char *fmt, ...) __printf(2, 3);

/**
 * sink_vprintf() - sink_printf() with an argument list
 * @sink: the destination
 * @fmt: as for printk()
 * @args: consumed
 */
void sink_vprintf(struct sink *sink, const char *fmt, va_list args) __printf(2, 0);

/**
 * struct sink_buffer - a sink that fills a buffer
 * @sink: hand this out
 * @text: zero-terminated at any time
 * @size: bytes of @text, with the terminator
 * @len: bytes in use, without the terminator
 * @lost: bytes that did not fit
 */
struct sink_buffer {
	struct sink sink;
	char *text;
	size_t size;
	size_t len;
	size_t lost;
};

/**
 * sink_buffer_init() - make a sink of a buffer
 * @buffer: to be set up
 * @text: storage, stays the caller's
 * @size: bytes of @text, at least 1
 */
void sink_buffer_init(struct sink_buffer *buffer, char *text, size_t size);

/**
 * sink_drain() - write what a buffer holds, a line at a time
 * @buffer: stays as it is
 * @out: the destination; is also told how much had no room in the buffer
 *
 * Context: whatever @out allows.
 */
void sink_drain(const struct sink_buffer *buffer, struct sink *out);

/**
 * sink_may_wait() - a sink that can wait is written to
 *
 * Whoever does that with a mutex or spinlock held, in a walk bracket, a handler or with
 * interrupts off is named in a warning. Such a sink calls this at each write, whether it
 * would wait this time or not, and keeps the text when it must not wait.
 *
 * Context: any; a few instructions when all is well.
 * Return: whether the sink may wait.
 */
bool sink_may_wait(void);

/**
 * sink_can_wait() - the same as a question, for a writer that keeps its text if need be
 */
bool sink_can_wait(void);

#endif
