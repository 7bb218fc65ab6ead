/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_KSTRTOX_H
#define _LIB_KSTRTOX_H

/*
 * Strict, typed parsing: the whole string must be a value. On an error the result does
 * not change. Spaces and a trailing newline are errors. Base 0 takes 0x1f as
 * hexadecimal, 017 as octal, the rest as decimal. Errors: -EINVAL no value of this
 * type; -EOVERFLOW does not fit.
 */
#include "lib/types.h"

/* Parse an unsigned number; one leading + is accepted. @base is 0 or 2..36. */
int __must_check kstrtou64(const char *s, unsigned int base, u64 *res);
int __must_check kstrtouint(const char *s, unsigned int base, unsigned int *res);

/* Parse 1 y yes t true on, or 0 n no f false off; letters in either case. */
int __must_check kstrtobool(const char *s, bool *res);

/**
 * kstrtosize() - parse a size in bytes: a number (base 0) and perhaps K M G T P or E
 * @s: the text, for example 512M or 0x80000000
 * @res: bytes
 *
 * A suffix, in either case, stands for a power of 1024. In 0x1e the e is a digit.
 * Compare with: Linux memparse().
 *
 * Return: 0; -EINVAL; -EOVERFLOW.
 */
int __must_check kstrtosize(const char *s, u64 *res);

#endif
