/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal: a thread that reads bytes from the serial line, edits lines and
 * runs them, as long as the machine is up.
 */
#include "kernel/printk.h"
#include "kernel/console/shell.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/string.h"
#include "serial/serial.h"

/* The interval at which to check for input, in case an interrupt was lost. */
#define POLL_NS NSEC_PER_SEC

#define CTRL_C 3

static struct wait_queue typed;
static struct lineedit editor;

/* Wake the console's thread. Context: interrupt. */
static void input_arrived(void)
{
	wake_up_all(&typed);
}

/* Input typed while a command ran; only the console's thread uses it. */
static u8 ahead[4096];
static unsigned int nr_ahead, ahead_read;
static bool ctrl_c;

/*
 * Check whether the user has typed Ctrl-C, which ends the running command; keep all other
 * input for the prompt.
 */
static bool ctrl_c_typed(struct interrupter *)
{
	int byte;

	while ((byte = serial_getc()) >= 0) {
		if (byte == CTRL_C)
			ctrl_c = true;
		else if (nr_ahead < sizeof(ahead))
			ahead[nr_ahead++] = (u8)byte;
	}
	return ctrl_c;
}

static int next_byte(void)
{
	int byte;

	if (ahead_read < nr_ahead)
		return ahead[ahead_read++];
	ahead_read = nr_ahead = 0;
	byte = serial_getc();
	while (byte < 0)
		(void)wait_event_until(&typed, (byte = serial_getc()) >= 0, ktime_ns() + POLL_NS);
	return byte;
}

/*
 * Show or hide the line being typed. printk calls this before and after a message, but only
 * while the console's thread waits for a byte: no other code uses the editor then.
 */
static void draw_line(bool shown, struct sink *out)
{
	editor.out = out;
	if (shown)
		lineedit_redraw(&editor);
	else
		lineedit_hide(&editor);
	editor.out = console_sink();
}

/* Run a line. Unread earlier input stays in front of the input that arrives meanwhile. */
static void run_line(const char *line)
{
	ctrl_c = false;
	memmove(ahead, ahead + ahead_read, nr_ahead - ahead_read);
	nr_ahead -= ahead_read;
	ahead_read = 0;
	console_sink()->columns = editor.columns;
	(void)console_run_line(line, console_sink());
}

static int console_thread(void *)
{
	static struct interrupter interrupter = { .asked = ctrl_c_typed };

	console_can_interrupt(&interrupter);
	lineedit_init(&editor, "ebb> ", console_sink(), shell_complete);
	printk_set_line(NULL);
	lineedit_start(&editor);
	for (;;) {
		enum lineedit_event event;
		u8 byte;

		printk_set_line(draw_line);
		byte = (u8)next_byte();
		printk_set_line(NULL);
		event = lineedit_feed(&editor, byte);
		if (event == LINE_READY)
			run_line(editor.line);
		else if (event == LINE_END)
			sink_puts(console_sink(), "\"poweroff\" ends ebb\n");
		if (event == LINE_MORE)
			continue;
		printk_set_line(NULL); /* the new prompt comes after the command's messages */
		lineedit_start(&editor);
	}
	return 0;
}

void console_start(void)
{
	struct thread *thread;
	int err;

	wait_queue_init(&typed, "console");
	err = serial_start_input(input_arrived);
	if (err)
		pr_warn("console: no input interrupt (%d), polling once a second\n", err);
	thread = thread_create("console", console_thread, NULL);
	if (thread)
		thread_detach(thread);
	else
		pr_err("console: no thread for the terminal; use the org.ebb.console port\n");
}
