/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sinks: formatted text into whatever takes text.
 */
#include "kernel/panic.h"
#include "kernel/sink.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "mm/mm.h"

static const char cut_mark[] = "...\n";

void sink_puts(struct sink *sink, const char *text)
{
	sink->write(sink, text, strlen(text));
}

void sink_vprintf(struct sink *sink, const char *fmt, va_list args)
{
	char text[SINK_PRINTF_MAX];
	const int len = vsnprintf(text, sizeof(text), fmt, args);
	const size_t mark = sizeof(cut_mark) - 1;

	if (len < 0)
		return;
	if ((size_t)len < sizeof(text)) {
		sink->write(sink, text, len);
		return;
	}
	memcpy(text + sizeof(text) - mark, cut_mark, mark);
	sink->write(sink, text, sizeof(text));
}

void sink_printf(struct sink *sink, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	sink_vprintf(sink, fmt, args);
	va_end(args);
}

static void sink_buffer_write(struct sink *sink, const char *text, size_t len)
{
	struct sink_buffer *buffer = container_of(sink, struct sink_buffer, sink);
	const size_t room = buffer->size - 1 - buffer->len;
	const size_t n = min(len, room);

	memcpy(buffer->text + buffer->len, text, n);
	buffer->len += n;
	buffer->text[buffer->len] = '\0';
	buffer->lost += len - n;
}

void sink_buffer_init(struct sink_buffer *buffer, char *text, size_t size)
{
	buffer->sink.write = sink_buffer_write;
	buffer->text = text;
	buffer->size = size;
	buffer->len = 0;
	buffer->lost = 0;
	text[0] = '\0';
}

void assert_sink_may_wait(void)
{
	VM_BUG_ON(mutex_is_held(&kernel_mm.hotplug_lock));
}
