/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_CONSOLE_COMMAND_H
#define _KERNEL_CONSOLE_COMMAND_H

/*
 * Console commands: functions of an argument vector and a sink. Any thread can call
 * them; the linker collects them:
 *
 *	static int cmd_lsmem(int argc, char **argv, struct sink *out) { ... }
 *	COMMAND(lsmem, "lsmem", "list memory blocks", cmd_lsmem);
 */
#include "kernel/sink.h"
#include "lib/compiler.h"
#include "lib/types.h"

/**
 * struct command - a word that the user can type
 * @name: the word
 * @usage: the word with its arguments
 * @help: one line, what it does
 * @fn: @argc is at least 1, argv[0] the word; returns 0 or a negative errno,
 *	after one line in @out that says what is wrong and what is right
 */
struct command {
	const char *name;
	const char *usage;
	const char *help;
	int (*fn)(int argc, char **argv, struct sink *out);
};

#define COMMAND(_name, _usage, _help, _fn)                                               \
	static const struct command _command_##_name __table("commands") = {             \
		.name = #_name, .usage = (_usage), .help = (_help), .fn = (_fn),         \
	}

extern const struct command __start_commands[], __stop_commands[];
#define for_each_command(c) for ((c) = __start_commands; (c) < __stop_commands; (c)++)

/**
 * console_run_line() - run one line: commands separated by ";"
 * @line: not changed; quotes and blanks as at the prompt
 * @out: where the answers go
 *
 * Context: thread, may sleep.
 * Return: status of the last command; -ENOSYS if there is no such command; 0
 * for an empty line.
 */
int console_run_line(const char *line, struct sink *out);

/**
 * struct interrupter - how a console learns that its running command must end
 * @asked: has the user typed Ctrl-C, or gone away? The console's thread calls it often
 */
struct interrupter {
	bool (*asked)(struct interrupter *self);
};

/**
 * console_can_interrupt() - make the commands of the calling thread interruptible
 * @i: must stay as long as the thread runs commands; NULL: no longer interruptible
 */
void console_can_interrupt(struct interrupter *i);

/**
 * command_interrupted() - is the calling thread's command to end early?
 * @unused: for evacuate_policy.cancelled
 *
 * Context: thread. Return: false in threads that run no console.
 */
bool command_interrupted(void *unused);

/**
 * console_start() - start the thread that reads the terminal
 *
 * Context: boot, after "ebb: ready" and the autorun line.
 */
void console_start(void);

#endif
