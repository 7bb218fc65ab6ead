/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_CONSOLE_SHELL_H
#define _KERNEL_CONSOLE_SHELL_H

/* Declarations that the shell, the pseudo files and the commands share. */
#include "kernel/console/command.h"
#include "kernel/console/lineedit.h"

/* Longest line of commands, bytes, including its terminator. */
#define SHELL_LINE_BYTES 512

/* Find the command of that name, or NULL. */
const struct command *command_find(const char *name);

/* Print a command's usage line; returns -EINVAL, for "return command_usage(...)". */
int command_usage(const char *name, struct sink *out);

/* lineedit_complete_fn: command words, then paths of pseudo files. */
void shell_complete(const char *line, size_t word, void (*offer)(struct lineedit *, const char *),
		    struct lineedit *ed);

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
void pseudofs_complete(const char *prefix, void (*offer)(struct lineedit *, const char *),
		       struct lineedit *ed);

#endif
