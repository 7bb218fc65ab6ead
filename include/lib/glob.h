/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_GLOB_H
#define _LIB_GLOB_H

#include "lib/types.h"

/**
 * glob_match() - check whether a whole string matches a shell pattern
 * @pat: * any string, ? any character, [a-z] one of these, [!a-z] none of these, \x is
 *	 x itself; a [ that is never closed stands for itself
 * @str: the string; dots and slashes are ordinary
 *
 * No recursion, and at most as many steps as the product of both lengths (times the
 * length of a class).
 * Compare with: Linux glob_match(), which KUnit's filters use.
 */
bool glob_match(const char *pat, const char *str);

#endif
