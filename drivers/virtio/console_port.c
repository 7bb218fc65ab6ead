/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console for programs: a virtserialport named org.ebb.console takes one
 * command a line, sends the answer, and ends it with "=<status>" alone on a line,
 * 0 or a negative errno.
 */
#include "arch/machine.h"
#include "drivers/virtio/virtio_console.h"
#include "kernel/command.h"
#include "kernel/hart.h"
#include "kernel/shell.h"
#include "kernel/sink.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"

#define ANSWER_ORDER 4 /* 64 KiB: what a command may write where it must not sleep */
#define ANSWER_BYTES (PAGE_SIZE << ANSWER_ORDER)
#define FLUSH_BYTES  4096
#define FLUSH_NS     (50 * NSEC_PER_MSEC)

/**
 * struct answer - collects what a command writes, and sends it in large pieces
 * @sink: for the command
 * @port: where to
 * @text: ANSWER_BYTES
 * @len: bytes in it
 * @in_line: the last byte was no newline
 * @lost: bytes that had no room where the command must not sleep
 * @sent_ns: when something was sent last
 * @error: the host does not listen any more
 */
struct answer {
	struct sink sink;
	struct vport *port;
	char *text;
	u32 len;
	bool in_line;
	size_t lost;
	u64 sent_ns;
	int error;
};

static void answer_send(struct answer *a)
{
	if (!a->error && a->len)
		a->error = vport_write(a->port, a->text, a->len);
	a->len = 0;
	a->sent_ns = ktime_ns();
}

/* Commands also write with locks held, and between pfn_walk_begin() and _end(). */
static bool may_sleep(void)
{
	const struct hart *hart = this_hart();

	return hart->spin_depth == 0 && hart->irq_depth == 0 && arch_irqs_enabled();
}

static void answer_write(struct sink *sink, const char *text, size_t len)
{
	struct answer *a = container_of(sink, struct answer, sink);

	if (len)
		a->in_line = text[len - 1] != '\n';
	while (len) {
		const u32 n = (u32)min(len, (size_t)(ANSWER_BYTES - a->len));

		memcpy(a->text + a->len, text, n);
		a->len += n;
		text += n;
		len -= n;
		if (may_sleep() &&
		    (a->len >= FLUSH_BYTES || ktime_ns() - a->sent_ns > FLUSH_NS)) {
			answer_send(a);
		} else if (a->len == ANSWER_BYTES) {
			a->lost += len;
			break;
		}
	}
}

static void run_line(struct answer *a, const char *line)
{
	int status;

	a->lost = 0;
	a->error = 0;
	a->in_line = false;
	a->sent_ns = ktime_ns();
	status = console_run_line(line, &a->sink);
	if (a->in_line)
		sink_puts(&a->sink, "\n");
	if (a->lost)
		sink_printf(&a->sink, "(%zu bytes had no room)\n", a->lost);
	sink_printf(&a->sink, "=%d\n", status);
	answer_send(a);
}

/* Bytes of a line that is being received; a line that is too long is dropped whole. */
struct line {
	char text[SHELL_LINE_BYTES];
	u32 len;
	bool too_long;
};

static void line_end(struct line *line, struct answer *a)
{
	if (line->len && line->text[line->len - 1] == '\r')
		line->len--;
	line->text[line->len] = '\0';
	if (line->too_long) {
		sink_printf(&a->sink, "line too long: %d bytes at most\n=%d\n",
			    SHELL_LINE_BYTES - 1, -E2BIG);
		answer_send(a);
	} else {
		run_line(a, line->text);
	}
	line->len = 0;
	line->too_long = false;
}

static void line_add(struct line *line, struct answer *a, char c)
{
	if (c == '\n')
		line_end(line, a);
	else if (line->len < sizeof(line->text) - 1)
		line->text[line->len++] = c;
	else
		line->too_long = true;
}

static void console_port_loop(struct vport *port, struct line *line, struct answer *a)
{
	char buf[128];

	for (;;) {
		const int n = vport_read(port, buf, sizeof(buf));

		if (n == -ENODEV)
			return;
		if (n < 0) {
			/* The host went away in the middle of a line. */
			line->len = 0;
			line->too_long = false;
			continue;
		}
		for (int i = 0; i < n; i++)
			line_add(line, a, buf[i]);
	}
}

/* One chunk: the answer's text, and behind it a frame with the two structs. */
static void console_port_run(struct vport *port)
{
	struct mm *mm = port->con->vdev->mm;
	const unsigned long text = alloc_pages(mm, GFP_KERNEL, ANSWER_ORDER, PGTY_KERNEL);
	const unsigned long state = alloc_pages(mm, GFP_KERNEL | GFP_ZERO, 0, PGTY_KERNEL);
	static_assert(sizeof(struct answer) + sizeof(struct line) <= PAGE_SIZE, "fit a frame");

	if (text != PFN_NONE && state != PFN_NONE) {
		struct answer *a = phys_to_virt(pfn_to_phys(state));
		struct line *line = (struct line *)(a + 1);

		a->sink.write = answer_write;
		a->port = port;
		a->text = phys_to_virt(pfn_to_phys(text));
		console_port_loop(port, line, a);
	}
	if (text != PFN_NONE)
		free_pages(mm, text, ANSWER_ORDER);
	if (state != PFN_NONE)
		free_pages(mm, state, 0);
}

VPORT_SERVICE(console_port) = {
	.name = "org.ebb.console",
	.run = console_port_run,
};
