/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_PARAM_H
#define _KERNEL_PARAM_H

/*
 * Typed parameters of the kernel command line. Each is declared where it is used; the
 * linker collects them:
 *
 *	static u64 mem_limit;
 *	PARAM_SIZE("mem", mem_limit, "use at most this much boot memory");
 *
 * Words are separated by blanks; a value with blanks stands in double quotes.
 * "-" and "_" in names are the same. After "--" nothing is parsed. A bad value
 * or an unknown name costs one line and changes nothing.
 */
#include "lib/types.h"

/**
 * enum param_type - the form of a value, and the type of the variable
 * @PARAM_TYPE_BOOL: bool; y n yes no on off true false 1 0, or no value for true
 * @PARAM_TYPE_UINT: u64; decimal, or hexadecimal after 0x
 * @PARAM_TYPE_STRING: const char *, points into the kept command line
 * @PARAM_TYPE_SIZE: u64 bytes; a number with K M G T after it, as kstrtosize()
 * @PARAM_TYPE_ENUM: u32, index of the word in a NULL-terminated list
 */
enum param_type {
	PARAM_TYPE_BOOL,
	PARAM_TYPE_UINT,
	PARAM_TYPE_STRING,
	PARAM_TYPE_SIZE,
	PARAM_TYPE_ENUM,
};

/**
 * struct param - one parameter
 * @name: as on the command line
 * @help: one line, units included
 * @type: how to read it
 * @var: variable of that type
 * @words: for PARAM_TYPE_ENUM
 * @range: for PARAM_TYPE_UINT, the least and the largest value; NULL: all are valid
 */
struct param {
	const char *name;
	const char *help;
	enum param_type type;
	void *var;
	union {
		const char *const *words;
		const u64 *range;
	};
};

#define _PARAM_CAT2(a, b) a##b
#define _PARAM_CAT(a, b)  _PARAM_CAT2(a, b)
#define _PARAM(_name, _var, _ctype, _type, _help, ...)                                   \
	static_assert(__builtin_types_compatible_p(__typeof__(_var), _ctype),            \
		      "variable has another type than the parameter");                   \
	static const struct param _PARAM_CAT(_param_, __LINE__) __table("params") = {    \
		.name = (_name), .help = (_help), .type = (_type), .var = &(_var),       \
		__VA_ARGS__                                                              \
	}

#define PARAM_BOOL(name, var, help)                                                      \
	_PARAM(name, var, bool, PARAM_TYPE_BOOL, help, .words = NULL)
#define PARAM_UINT(name, var, help)                                                      \
	_PARAM(name, var, u64, PARAM_TYPE_UINT, help, .range = NULL)
/* A number from @least to @most; any other value is refused, and changes nothing. */
#define PARAM_RANGE(name, var, least, most, help)                                        \
	_PARAM(name, var, u64, PARAM_TYPE_UINT, help, .range = (const u64[]){ least, most })
#define PARAM_STRING(name, var, help)                                                    \
	_PARAM(name, var, const char *, PARAM_TYPE_STRING, help, .words = NULL)
#define PARAM_SIZE(name, var, help)                                                      \
	_PARAM(name, var, u64, PARAM_TYPE_SIZE, help, .words = NULL)
/* @words_: NULL-terminated array of const char *; @var: u32, set to the index. */
#define PARAM_ENUM(name, var, words_, help)                                              \
	_PARAM(name, var, u32, PARAM_TYPE_ENUM, help, .words = words_)

/*
 * Register a function in the linker's table: it is asked about each word that names no
 * parameter, and returns true if the log needs no other line about the word.
 */
#define PARAM_UNKNOWN(fn)                                                                \
	static bool (*const _param_unknown_##fn)(const char *name)                       \
		__table("params_unknown") = (fn)

/* Longest command line, bytes; a longer line is cut at a blank, with a message. */
#define COMMAND_LINE_SIZE 2048

/**
 * params_parse() - set the variables that a command line names
 * @cmdline: copied; text of any kind
 *
 * Never fails; logs the words that it could not use.
 * Context: boot, one hart, before mm.
 */
void params_parse(const char *cmdline);

/**
 * param_set() - set one variable
 * @name: the parameter
 * @value: its text, kept by reference when the type is a string; NULL for none
 *
 * Context: thread or boot.
 * Return: 0; -ENOENT no such name; -EINVAL not a value of its type.
 */
int __must_check param_set(const char *name, const char *value);

/**
 * command_line() - get the command line unchanged, for /proc/cmdline
 */
const char *command_line(void);

struct sink;

/**
 * params_help() - list parameters with type, value and help
 * @name: of one parameter; NULL: all
 * @out: the destination
 *
 * Return: the number of parameters listed.
 */
unsigned int params_help(const char *name, struct sink *out);

/* The table; for_each_param() walks it. */
extern const struct param __start_params[], __stop_params[];
#define for_each_param(p) for ((p) = __start_params; (p) < __stop_params; (p)++)

#endif
