/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The consoles for programs: virtserialports named org.ebb.console and org.ebb.console.2
 * take one command per line, send the answer, and end it with "=<status>" alone on a line,
 * 0 or a negative errno. The byte 3 (Ctrl-C) ends the running command, and so does a host that
 * closes the port.
 *
 * A port runs one line at a time. The second port serves "hold", "step" and "go" while a
 * command of the first port, or of the terminal, is held.
 */
#include "kernel/console/shell.h"
#include "kernel/sink.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "virtio/virtio_port.h"

#define ANSWER_BYTES 0x10000 /* room for a command that writes with a lock held */
#define FLUSH_BYTES  4096
#define FLUSH_NS     (50 * NSEC_PER_MSEC)
#define AHEAD_BYTES  3072
#define CTRL_C	     3

/**
 * struct answer - collects what a command writes, and sends it in large pieces
 * @sink: for the command
 * @port: destination
 * @text: ANSWER_BYTES
 * @len: bytes in it
 * @in_line: the last byte was not a newline
 * @lost: bytes that had no room while the command held a lock
 * @sent_ns: time of the last send
 * @error: the host no longer listens
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

/*
 * Collect bytes, and send them in large pieces. A write with a lock held causes a warning, and
 * only collects: it never waits.
 */
static void answer_write(struct sink *sink, const char *text, size_t len)
{
	struct answer *a = container_of(sink, struct answer, sink);
	const bool may_wait = sink_may_wait();

	if (len)
		a->in_line = text[len - 1] != '\n';
	while (len) {
		const u32 n = (u32)min(len, (size_t)(ANSWER_BYTES - a->len));

		memcpy(a->text + a->len, text, n);
		a->len += n;
		text += n;
		len -= n;
		if (may_wait &&
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
		sink_printf(&a->sink, "(%zu bytes did not fit)\n", a->lost);
	sink_printf(&a->sink, "=%d\n", status);
	answer_send(a);
}

/**
 * struct line - the line being received
 * @interrupter: for the running command
 * @port: source
 * @interrupted: the running command must end
 * @text, @len: the line so far
 * @too_long: drop the whole line
 * @ahead: received bytes; those in [@at, @end) are not parsed yet
 */
struct line {
	struct interrupter interrupter;
	struct vport *port;
	bool interrupted;
	bool too_long;
	u32 len;
	char text[SHELL_LINE_BYTES];
	u32 at, end;
	char ahead[AHEAD_BYTES];
};

/*
 * Read ahead while a command runs: Ctrl-C ends that command, and all other bytes are kept for
 * later.
 */
static bool port_interrupted(struct interrupter *self)
{
	struct line *line = container_of(self, struct line, interrupter);
	char *c;
	int n;

	line->end -= line->at;
	memmove(line->ahead, line->ahead + line->at, line->end);
	line->at = 0;
	n = vport_try_read(line->port, line->ahead + line->end, AHEAD_BYTES - line->end);
	if (n < 0)
		line->end = 0; /* drop the commands of a client that has gone */
	else
		line->end += (u32)n;
	c = memchr(line->ahead, CTRL_C, line->end);
	if (c)
		memmove(c, c + 1, (size_t)(line->ahead + --line->end - c));
	line->interrupted |= c || n < 0;
	return line->interrupted;
}

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
		line->interrupted = false;
		run_line(a, line->text);
		(void)port_interrupted(&line->interrupter);
	}
	line->len = 0;
	line->too_long = false;
}

static void line_add(struct line *line, struct answer *a, char c)
{
	if (c == '\n')
		line_end(line, a);
	else if (c == CTRL_C)
		return; /* nothing runs */
	else if (line->len < sizeof(line->text) - 1)
		line->text[line->len++] = c;
	else
		line->too_long = true;
}

static void console_port_loop(struct vport *port, struct line *line, struct answer *a)
{
	for (;;) {
		const int n = vport_read(port, line->ahead, AHEAD_BYTES);

		if (n == -ENODEV)
			return;
		line->at = 0;
		line->end = n < 0 ? 0 : (u32)n;
		if (n < 0) {
			/* The client disconnected, perhaps in the middle of a line. */
			line->len = 0;
			line->too_long = false;
		}
		while (line->at < line->end)
			line_add(line, a, line->ahead[line->at++]);
	}
}

/* A port's state, except the answer's text. */
struct console_port {
	struct answer answer;
	struct line line;
};

static void console_port_run(struct vport *port)
{
	char *text = vport_alloc(port, ANSWER_BYTES);
	struct console_port *con = vport_alloc(port, sizeof(*con));

	if (text && con) {
		con->answer.sink.write = answer_write;
		con->answer.port = port;
		con->answer.text = text;
		con->line.port = port;
		con->line.interrupter.asked = port_interrupted;
		console_can_interrupt(&con->line.interrupter);
		console_port_loop(port, &con->line, &con->answer);
	}
	vport_free(port, con, sizeof(*con));
	vport_free(port, text, ANSWER_BYTES);
}

VPORT_SERVICE(console_port) = {
	.name = "org.ebb.console",
	.run = console_port_run,
};

VPORT_SERVICE(console_port_2) = {
	.name = "org.ebb.console.2",
	.run = console_port_run,
};
