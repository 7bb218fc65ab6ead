/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_CONSOLE_SHELL_H
#define _KERNEL_CONSOLE_SHELL_H

/* The shell, as terminals and ports use it, and the pseudo files. */
#include "kernel/command.h"
#include "kernel/console/lineedit.h"

/* Longest line of commands, bytes, including its terminator. */
#define SHELL_LINE_BYTES 512

/* Find the command of that name, or NULL. */
const struct command *command_find(const char *name);

/**
 * console_run_line() - run one line: commands separated by ";"
 * @line: not changed; quotes and blanks work as at the prompt
 * @out: gets the answers
 *
 * Context: thread, may sleep.
 * Return: status of the last command; -ENOSYS if there is no such command; 0
 * for an empty line.
 */
int console_run_line(const char *line, struct sink *out);

/**
 * struct interrupter - tells a console that its running command must end
 * @asked: true if the user has typed Ctrl-C, or has gone; the console's thread calls it often
 */
struct interrupter {
	bool (*asked)(struct interrupter *self);
};

/**
 * console_can_interrupt() - make the commands of the calling thread interruptible
 * @i: must stay valid as long as the thread runs commands; NULL: no longer interruptible
 */
void console_can_interrupt(struct interrupter *i);

/**
 * command_interrupted() - check whether the calling thread's command must end early
 * @unused: for evac_limits.cancelled
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

/*
 * Offer commands, the words of their usage lines, and paths of pseudo files: a
 * lineedit_complete_fn.
 */
void shell_complete(const char *line, size_t word, word_offer_fn offer, void *arg);

/* Print each word after a blank: a word_offer_fn; @sink: a struct sink. */
void print_offer(void *sink, const char *word);

/**
 * struct pseudo_file - a file of /proc or /sys, as a table row
 * @path: with at most one '*', which stands for a present memory block's id
 * @show: write the content; @block is that id or 0
 * @store: take a written word; NULL: read-only. Returns 0 or a negative errno
 *	   after one line in @out
 *
 * Context: thread, may sleep.
 */
struct pseudo_file {
	const char *path;
	int (*show)(unsigned long block, struct sink *out);
	int (*store)(unsigned long block, const char *word, struct sink *out);
};

#define PSEUDO_FILE(_id, _path, _show, _store)                                           \
	static const struct pseudo_file _pseudo_file_##_id __table("pseudo_files") = {   \
		.path = (_path), .show = (_show), .store = (_store),                     \
	}

/* Read or write a file by its path; -ENOENT or -EPERM, after one line in @out. */
int pseudofs_show(const char *path, struct sink *out);
int pseudofs_store(const char *path, const char *word, struct sink *out);
/* List the entries of a directory, one name per line, sorted. */
int pseudofs_list(const char *dir, struct sink *out);
/* Call @fn with the path of every file, including those of each present block. */
void pseudofs_for_each(void (*fn)(const char *path, void *arg), void *arg);
void pseudofs_complete(const char *prefix, word_offer_fn offer, void *arg);

#endif
