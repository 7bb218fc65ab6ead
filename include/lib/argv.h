/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_ARGV_H
#define _LIB_ARGV_H

#include "lib/types.h"

/**
 * argv_split() - split a line into words, in place
 * @line: the line; changed, and the words lie in it
 * @argv: the words, and a NULL after the last
 * @max: room in @argv, the NULL included; at least 1
 * @why: set to a text that says what is wrong, if the line is refused; may be NULL
 *
 * Blanks separate words; '...' keeps everything, "..." keeps everything but
 * \" and \\; outside of quotes a backslash keeps the next character. "" is an
 * empty word; a"b"c is one word. A # that starts a word starts a comment.
 *
 * Return: number of words; -EINVAL open quote or backslash at the end;
 * -E2BIG more than @max - 1 words. Compare with: POSIX shell, section 2.2.
 */
int __must_check argv_split(char *line, char **argv, unsigned int max, const char **why);

#endif
