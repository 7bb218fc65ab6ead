/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sinks: write formatted text to a destination of text.
 */
#include "arch/machine.h"
#include "kernel/mutex.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "kernel/sched.h"
#include "kernel/sink.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

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
	*buffer = (struct sink_buffer){ .text = text, .size = size };
	buffer->sink.write = sink_buffer_write;
	*text = '\0';
}

void sink_drain(const struct sink_buffer *buffer, struct sink *out)
{
	const char *line = buffer->text;

	while (*line) {
		const char *end = strchr(line, '\n');
		const size_t len = end ? (size_t)(end + 1 - line) : strlen(line);

		out->write(out, line, len);
		line += len;
	}
	if (buffer->lost)
		sink_printf(out, "... (%zu bytes did not fit)\n", buffer->lost);
}

bool sink_can_wait(void)
{
	const struct hart *hart = this_hart();

	/* A hart boots in its idle thread, with interrupts still off. */
	return hart->spin_depth == 0 && hart->irq_depth == 0 &&
	       (arch_irqs_enabled() || hart->current->idle) && !mutex_last_taken();
}

bool sink_may_wait(void)
{
	static struct ratelimit_state said;
	const struct mutex *held = mutex_last_taken();
	char text[128];

	if (likely(sink_can_wait()))
		return true;
	if (!ratelimit(&said, "sink: "))
		return false;
	(void)scnprintf(text, sizeof(text), "thread %s writes to a sink that waits, with %s%s held",
			thread_name(current_thread()), held ? "mutex " : "a spinlock or the hart",
			held ? held->name : "");
	warn_report(__FILE__, __LINE__, text);
	return false;
}
