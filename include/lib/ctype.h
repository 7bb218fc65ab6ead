/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_CTYPE_H
#define _LIB_CTYPE_H

/*
 * Character classes, ASCII only: bytes from 0x80 up belong to no class, so the answer
 * does not depend on a locale or on whether char is signed.
 */

static inline int isdigit(int c)
{
	return c >= '0' && c <= '9';
}

static inline int isspace(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline int isprint(int c)
{
	return c >= 0x20 && c < 0x7f;
}

static inline int tolower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/**
 * digit_value() - get the value of a character as a digit
 * @c: the character
 *
 * Return: 0..35 for 0-9, a-z, A-Z; 36 for anything else, which no base accepts.
 */
static inline unsigned int digit_value(int c)
{
	if (isdigit(c))
		return (unsigned int)(c - '0');
	c = tolower(c);
	return c >= 'a' && c <= 'z' ? (unsigned int)(c - 'a') + 10 : 36;
}

static inline int isxdigit(int c)
{
	return digit_value(c) < 16;
}

#endif
