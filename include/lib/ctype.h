/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_CTYPE_H
#define _LIB_CTYPE_H

/*
 * Character classes, ASCII only: bytes from 0x80 up belong to no class, so that
 * no answer depends on a locale or on whether char is signed.
 */

static inline int isdigit(int c)
{
	return c >= '0' && c <= '9';
}

static inline int islower(int c)
{
	return c >= 'a' && c <= 'z';
}

static inline int isupper(int c)
{
	return c >= 'A' && c <= 'Z';
}

static inline int isalpha(int c)
{
	return islower(c) || isupper(c);
}

static inline int isalnum(int c)
{
	return isalpha(c) || isdigit(c);
}

static inline int isspace(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Prints and takes room: 0x21..0x7e. */
static inline int isgraph(int c)
{
	return c > 0x20 && c < 0x7f;
}

static inline int isprint(int c)
{
	return c >= 0x20 && c < 0x7f;
}

static inline int tolower(int c)
{
	return isupper(c) ? c + ('a' - 'A') : c;
}

static inline int toupper(int c)
{
	return islower(c) ? c - ('a' - 'A') : c;
}

/**
 * digit_value() - what a character means as a digit
 * @c: the character
 *
 * Return: 0..35 for 0-9, a-z, A-Z; 36 for anything else, which no base accepts.
 */
static inline unsigned int digit_value(int c)
{
	if (isdigit(c))
		return (unsigned int)(c - '0');
	if (isalpha(c))
		return (unsigned int)(tolower(c) - 'a') + 10;
	return 36;
}

static inline int isxdigit(int c)
{
	return digit_value(c) < 16;
}

#endif
