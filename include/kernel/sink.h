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
 * assert_sink_may_wait() - panic if the caller holds the kernel's hotplug lock
 *
 * For sinks whose reader may stall: everybody who plugs or offlines memory would wait for
 * the reader, too. Text that is made under such a lock goes to a buffer first, or through
 * printk(), which never waits. Nothing in a build without debug checks.
 *
 * Context: thread.
 */
void assert_sink_may_wait(void);

#endif
