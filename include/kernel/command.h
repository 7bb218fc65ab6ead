/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_COMMAND_H
#define _KERNEL_COMMAND_H

/*
 * Console commands: functions of an argument vector and a sink. Any module registers its
 * own, the linker collects them, and the shell (kernel/console/) calls them:
 *
 *	static int cmd_lsmem(int argc, char **argv, struct sink *out) { ... }
 *	COMMAND(lsmem, "lsmem", "list memory blocks", "lsmem", cmd_lsmem);
 */
#include "kernel/sink.h"
#include "lib/compiler.h"

/**
 * struct command - a word that the user can type
 * @name: the word
 * @usage: the word with its arguments; completion reads it: a word in lower case stands for
 *	itself, a word in capitals for the words of a word_list, or for a value
 * @help: one line that says what the command does
 * @example: a line that a user can type as it is
 * @fn: @argc is at least 1, argv[0] the word; returns 0 or a negative errno,
 *	after one line in @out that says what is wrong and what is right; COMMAND_USAGE
 *	makes the shell print the usage as that line
 */
struct command {
	const char *name;
	const char *usage;
	const char *help;
	const char *example;
	int (*fn)(int argc, char **argv, struct sink *out);
};

/*
 * The status "the arguments are wrong". It is not an errno, so it differs from the status of
 * every failure.
 */
#define COMMAND_USAGE (-4096)

#define COMMAND(_name, _usage, _help, _example, _fn)                                     \
	static const struct command _command_##_name __table("commands") = {             \
		.name = #_name, .usage = (_usage), .help = (_help),                      \
		.example = (_example), .fn = (_fn),                                      \
	}

extern const struct command __start_commands[], __stop_commands[];
#define for_each_command(c) for ((c) = __start_commands; (c) < __stop_commands; (c)++)

/* Take one word that fits at the cursor. @arg: given by the caller that collects the words. */
typedef void (*word_offer_fn)(void *arg, const char *word);

/**
 * struct word_list - the words that a placeholder in usage lines stands for
 * @placeholder: in capitals, "PHASE"
 * @each: offers each of the words; may sleep
 */
struct word_list {
	const char *placeholder;
	void (*each)(word_offer_fn offer, void *arg);
};

#define WORD_LIST(_placeholder, _each)                                                   \
	static const struct word_list _word_list_##_placeholder __table("word_lists") = { \
		.placeholder = #_placeholder, .each = (_each),                           \
	}

#endif
