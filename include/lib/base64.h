/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _LIB_BASE64_H
#define _LIB_BASE64_H

#include "lib/types.h"

/* Characters for @n bytes, without a terminator. */
#define BASE64_CHARS(n) (((n) + 2) / 3 * 4)

/**
 * base64_encode() - write bytes as text (RFC 4648 section 4, padded with =)
 * @dst: room for BASE64_CHARS(@n) + 1 characters
 * @src: the bytes
 * @n: how many
 *
 * The results for several pieces can be joined if each piece but the last is a multiple
 * of 3 bytes.
 *
 * Return: characters written, the terminator not counted.
 */
size_t base64_encode(char *dst, const void *src, size_t n);

#endif
