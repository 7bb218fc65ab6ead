/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_STRING_H
#define _LIB_STRING_H

/*
 * Memory and strings. The C standard's names mean what the standard says.
 * In a hosted build (host tests) libc provides them, and the sanitizers watch them;
 * lib/string.c then defines its own versions as ebb_NAME for the tests.
 */
#include "lib/types.h"

#if __STDC_HOSTED__
#include <string.h>
#define STRING_FN(name) ebb_##name
#else
#define STRING_FN(name) name
#endif

void *STRING_FN(memcpy)(void *restrict dst, const void *restrict src, size_t n);
void *STRING_FN(memmove)(void *dst, const void *src, size_t n);
void *STRING_FN(memset)(void *dst, int c, size_t n);
int STRING_FN(memcmp)(const void *a, const void *b, size_t n);
void *STRING_FN(memchr)(const void *s, int c, size_t n);
size_t STRING_FN(strlen)(const char *s);
size_t STRING_FN(strnlen)(const char *s, size_t max);
int STRING_FN(strcmp)(const char *a, const char *b);
int STRING_FN(strncmp)(const char *a, const char *b, size_t n);
char *STRING_FN(strchr)(const char *s, int c);
char *STRING_FN(strstr)(const char *s, const char *word);

/**
 * strscpy() - copy a string into a buffer, always terminated
 * @dst: the buffer
 * @src: the string
 * @size: bytes in @dst, the terminator included
 *
 * Return: length copied; -E2BIG if @src was cut or @size is 0 (nothing written).
 * Compare with: Linux strscpy().
 */
long strscpy(char *dst, const char *src, size_t size);

/**
 * memchr_inv() - find the first byte that differs from the expected byte
 * @s: memory
 * @c: expected byte
 * @n: bytes
 *
 * Return: that byte's address; NULL if all @n bytes are @c.
 */
void *memchr_inv(const void *s, int c, size_t n);

/**
 * str_has_prefix() - check whether a string starts with a prefix
 * @s: string
 * @prefix: prefix
 *
 * Return: length of @prefix if it does; 0 if not (or if @prefix is empty).
 */
size_t str_has_prefix(const char *s, const char *prefix);

/* Return the ending of a noun after a number: "%lu page%s". */
static inline const char *str_plural(size_t nr)
{
	return nr == 1 ? "" : "s";
}

#endif
