/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Base64, for bytes that travel over a console.
 */
#include "lib/base64.h"

size_t base64_encode(char *dst, const void *src, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/";
	const u8 *s = src;
	char *d = dst;

	for (; n >= 3; n -= 3, s += 3) {
		*d++ = digits[s[0] >> 2];
		*d++ = digits[(s[0] & 3) << 4 | s[1] >> 4];
		*d++ = digits[(s[1] & 15) << 2 | s[2] >> 6];
		*d++ = digits[s[2] & 63];
	}
	if (n) {
		u8 second = n == 2 ? s[1] : 0;

		*d++ = digits[s[0] >> 2];
		*d++ = digits[(s[0] & 3) << 4 | second >> 4];
		*d++ = n == 2 ? digits[(second & 15) << 2] : '=';
		*d++ = '=';
	}
	*d = '\0';
	return (size_t)(d - dst);
}
