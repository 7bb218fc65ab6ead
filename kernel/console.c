/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal: a thread that reads bytes of the serial line, edits lines and
 * runs them, for as long as the machine is up.
 */
#include "kernel/printk.h"
#include "kernel/shell.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "serial/serial.h"

/* Looked at even if an interrupt was lost. */
#define POLL_NS (1000ULL * 1000 * 1000)

static struct wait_queue typed;
static struct lineedit editor;

/* Interrupt context: only wakes the thread. */
static void input_arrived(void)
{
	wake_up_all(&typed);
}

static int next_byte(void)
{
	int byte = serial_getc();

	while (byte < 0) {
		(void)wait_event_until(&typed, (byte = serial_getc()) >= 0, ktime_ns() + POLL_NS);
	}
	return byte;
}

static int console_thread(void *unused)
{
	(void)unused;
	lineedit_init(&editor, "ebb> ", console_sink(), shell_complete);
	lineedit_start(&editor);
	for (;;) {
		enum lineedit_event event = lineedit_feed(&editor, (u8)next_byte());

		if (event == LINE_READY)
			(void)console_run_line(editor.line, console_sink());
		else if (event == LINE_END)
			sink_puts(console_sink(), "\"poweroff\" ends ebb\n");
		if (event != LINE_MORE)
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
