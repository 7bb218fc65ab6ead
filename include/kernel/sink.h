/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_SINK_H
#define _KERNEL_SINK_H

/*
 * Sinks: destinations of text. A command, a dump or a test report writes to a sink and
 * does not know whether a console, a port, a ring or a buffer takes the text. To make a
 * sink, embed struct sink in the struct that takes the text and use container_of().
 */
#include "lib/types.h"

/*
 * While a sink waits for its reader (a port, the terminal), every thread that needs a lock
 * that the sink's writer holds must wait, too. So a sink that can wait calls sink_may_wait()
 * at each write, and its writers must hold no lock: they copy what they need, or write into a
 * sink_buffer, and call sink_drain() after they have released their locks. printk() never
 * waits; it may be used under any lock.
 */

/**
 * struct sink - a destination of text
 * @write: takes @len bytes of text, not zero-terminated. If the text fits
 *	SINK_PRINTF_MAX, sink_printf() makes a single call, so a sink that keeps the text
 *	of a call together keeps lines whole. Must not fail; a sink counts text that it
 *	can't store.
 * @columns: width of the terminal that shows the text; 0: there is none, or it is unknown
 */
struct sink {
	void (*write)(struct sink *sink, const char *text, size_t len);
	size_t columns;
};

/* Longest text of one sink_printf(), bytes; it cuts longer text and marks the cut. */
#define SINK_PRINTF_MAX 512

/**
 * sink_puts() - write a zero-terminated string
 * @sink: the destination
 * @text: copied as it is, no newline is added
 *
 * Context: as the sink allows; takes no lock of its own.
 */
void sink_puts(struct sink *sink, const char *text);

/**
 * sink_printf() - write formatted text in one piece
 * @sink: the destination
 * @fmt: as for printk()
 *
 * Context: as the sink allows; uses SINK_PRINTF_MAX bytes of stack.
 */
void sink_printf(struct sink *sink, const char *fmt, ...) __printf(2, 3);

/**
 * sink_vprintf() - print like sink_printf(), with an argument list
 * @sink: the destination
 * @fmt: as for printk()
 * @args: consumed
 */
void sink_vprintf(struct sink *sink, const char *fmt, va_list args) __printf(2, 0);

/**
 * struct sink_buffer - a sink that fills a buffer
 * @sink: pass this to writers
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

/* Define a sink_buffer with @bytes on the stack; put it after all other declarations. */
#define DEFINE_SINK_BUFFER(name, bytes)                                                  \
	char name##_text[bytes];                                                         \
	struct sink_buffer name;                                                         \
	sink_buffer_init(&(name), name##_text, bytes)

/**
 * sink_drain() - write the text of a buffer, a line at a time
 * @buffer: not changed
 * @out: the destination; also gets a line on text that did not fit into the buffer
 *
 * Context: as @out allows.
 */
void sink_drain(const struct sink_buffer *buffer, struct sink *out);

/**
 * sink_may_wait() - check whether the calling sink may wait; if not, warn about its writer
 *
 * A sink that can wait calls this at each write, even if it would not wait this time. If the
 * writer holds a mutex or spinlock, is in a walk bracket or a handler, or has interrupts off,
 * a warning names the writer, and the sink must keep the text instead of waiting.
 *
 * Context: any; a few instructions when all is well.
 * Return: true if the sink may wait.
 */
bool sink_may_wait(void);

/**
 * sink_can_wait() - check like sink_may_wait(), without a warning: for writers that can keep
 * their text
 */
bool sink_can_wait(void);

#endif
