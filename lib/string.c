/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory and strings. Memory moves in words of 8 bytes if both sides have the same
 * alignment, 128 bytes in each turn of the loop. No access is unaligned: the firmware may have
 * to emulate that, at a hundred times the cost. lib.mk stops gcc from turning the loop in
 * memcpy() into a call of memcpy().
 */
#include "lib/string.h"
#include "lib/errno.h"

#define memcpy	STRING_FN(memcpy)
#define memmove STRING_FN(memmove)
#define memset	STRING_FN(memset)
#define memcmp	STRING_FN(memcmp)
#define memchr	STRING_FN(memchr)
#define strlen	STRING_FN(strlen)
#define strnlen STRING_FN(strnlen)
#define strcmp	STRING_FN(strcmp)
#define strncmp STRING_FN(strncmp)
#define strchr	STRING_FN(strchr)
#define strstr	STRING_FN(strstr)

typedef u64 __attribute__((may_alias)) word_t;

#define WORD sizeof(word_t)
#define TURN (16 * WORD)

/* Count the bytes up to the next word boundary, but not more than @n. */
static inline size_t head_bytes(const void *p, size_t n)
{
	return min(n, (0 - (uintptr_t)p) % WORD);
}

static inline bool aligned_alike(const void *a, const void *b)
{
	return (((uintptr_t)a ^ (uintptr_t)b) % WORD) == 0;
}

/*
 * Copy 8 words; all loads come before the first store, so an overlap with @to below @from is
 * fine.
 */
static inline void copy_words(word_t *to, const word_t *from)
{
	u64 a = from[0], b = from[1], c = from[2], d = from[3];
	u64 e = from[4], f = from[5], g = from[6], h = from[7];

	to[0] = a, to[1] = b, to[2] = c, to[3] = d;
	to[4] = e, to[5] = f, to[6] = g, to[7] = h;
}

/* Copy upwards, which is correct for an overlap with @d below @s. */
static __always_inline void copy_up(u8 *d, const u8 *s, size_t n)
{
	const u8 *end;

	if (n >= 2 * WORD && aligned_alike(d, s)) {
		size_t head = head_bytes(d, n);

		for (n -= head; head; head--)
			*d++ = *s++;
		for (end = s + ALIGN_DOWN(n, TURN); s != end; d += TURN, s += TURN) {
			copy_words((word_t *)d, (const word_t *)s);
			copy_words((word_t *)d + 8, (const word_t *)s + 8);
		}
		for (end = s + ALIGN_DOWN(n % TURN, WORD); s != end; d += WORD, s += WORD)
			*(word_t *)d = *(const word_t *)s;
		n %= WORD;
	}
	for (; n >= 4; n -= 4, d += 4, s += 4) {
		u8 a = s[0], b = s[1], c = s[2], e = s[3];

		d[0] = a, d[1] = b, d[2] = c, d[3] = e;
	}
	for (; n; n--)
		*d++ = *s++;
}

/* Copy downwards, which is correct for an overlap with @d above @s. */
static inline void copy_down(u8 *d, const u8 *s, size_t n)
{
	d += n;
	s += n;
	if (n >= 2 * WORD && aligned_alike(d, s)) {
		for (; (uintptr_t)d % WORD; n--)
			*--d = *--s;
		for (; n >= WORD; n -= WORD) {
			d -= WORD;
			s -= WORD;
			*(word_t *)d = *(const word_t *)s;
		}
	}
	for (; n; n--)
		*--d = *--s;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	copy_up(dst, src, n);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		copy_up(dst, src, n);
	else
		copy_down(dst, src, n);
	return dst;
}

static inline void set_words(word_t *to, u64 word)
{
	to[0] = word, to[1] = word, to[2] = word, to[3] = word;
	to[4] = word, to[5] = word, to[6] = word, to[7] = word;
}

void *memset(void *dst, int c, size_t n)
{
	u64 word = (u8)c * 0x0101010101010101ULL;
	u8 *d = dst;
	u8 *end;

	if (n >= 2 * WORD) {
		size_t head = head_bytes(d, n);

		for (n -= head; head; head--)
			*d++ = (u8)c;
		for (end = d + ALIGN_DOWN(n, TURN); d != end; d += TURN) {
			set_words((word_t *)d, word);
			set_words((word_t *)d + 8, word);
		}
		for (end = d + ALIGN_DOWN(n % TURN, WORD); d != end; d += WORD)
			*(word_t *)d = word;
		n %= WORD;
	}
	for (; n; n--)
		*d++ = (u8)c;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a;
	const u8 *q = b;

	if (n >= 2 * WORD && aligned_alike(p, q)) {
		for (; (uintptr_t)p % WORD && *p == *q; n--)
			p++, q++;
		if ((uintptr_t)p % WORD == 0)
			for (; n >= WORD && *(const word_t *)p == *(const word_t *)q;
			     n -= WORD)
				p += WORD, q += WORD;
	}
	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	for (const u8 *p = s; n; n--, p++)
		if (*p == (u8)c)
			return (void *)p;
	return NULL;
}

void *memchr_inv(const void *s, int c, size_t n)
{
	u64 word = (u8)c * 0x0101010101010101ULL;
	const u8 *p = s;

	for (; n && (uintptr_t)p % WORD && *p == (u8)c; n--)
		p++;
	if ((uintptr_t)p % WORD == 0)
		for (; n >= WORD && *(const word_t *)p == word; n -= WORD)
			p += WORD;
	for (; n; n--, p++)
		if (*p != (u8)c)
			return (void *)p;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

char *strstr(const char *s, const char *word)
{
	size_t n = strlen(word);

	for (; strncmp(s, word, n) != 0; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

long strscpy(char *dst, const char *src, size_t size)
{
	size_t n;

	if (!size)
		return -E2BIG;
	n = strnlen(src, size - 1);
	memcpy(dst, src, n);
	dst[n] = '\0';
	return src[n] ? -E2BIG : (long)n;
}

size_t str_has_prefix(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? n : 0;
}
