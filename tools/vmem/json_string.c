/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON strings: escapes, surrogate pairs, and UTF-8 that is checked byte for
 * byte. See json.h.
 */
#include <string.h>

#include "json_parser.h"

/**
 * json_fail() - record why parsing fails
 * @p: the parser
 * @why: a constant text; only the first call counts
 *
 * Return: NULL, for the caller to return.
 */
void *json_fail(struct json_parser *p, const char *why)
{
	if (!p->doc->error) {
		p->doc->error = why;
		p->doc->error_at = p->pos;
	}
	return NULL;
}

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Parse four hex digits at the position; -1 on an error. */
static s32 parse_hex4(struct json_parser *p)
{
	s32 value = 0;

	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(json_peek(p));

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
		p->pos++;
	}
	return value;
}

static void put_utf8(struct json_parser *p, s32 c)
{
	char *out = p->doc->pool + p->pool_used;

	if (c < 0x80) {
		out[0] = (char)c;
		p->pool_used += 1;
	} else if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		p->pool_used += 2;
	} else if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		p->pool_used += 3;
	} else {
		out[0] = (char)(0xf0 | c >> 18);
		out[1] = (char)(0x80 | (c >> 12 & 0x3f));
		out[2] = (char)(0x80 | (c >> 6 & 0x3f));
		out[3] = (char)(0x80 | (c & 0x3f));
		p->pool_used += 4;
	}
}

/*
 * Parse the code point of a "\u" escape, or of two that form a surrogate pair; -1 on an error.
 */
static s32 parse_unicode(struct json_parser *p)
{
	s32 high = parse_hex4(p), low;

	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || p->len - p->pos < 6 || p->text[p->pos] != '\\' ||
	    p->text[p->pos + 1] != 'u')
		return -1;
	p->pos += 2;
	low = parse_hex4(p);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static bool parse_escape(struct json_parser *p)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int c = json_peek(p);
	const char *hit = c > 0 ? strchr(from, c) : NULL;
	s32 point;

	if (c < 0)
		return json_fail(p, "string does not end");
	p->pos++;
	if (hit) {
		put_utf8(p, to[hit - from]);
		return true;
	}
	if (c != 'u')
		return json_fail(p, "unknown escape in a string");
	point = parse_unicode(p);
	if (point <= 0)
		return json_fail(p, "bad \\u escape in a string");
	put_utf8(p, point);
	return true;
}

/*
 * Check a code point of 2 to 4 bytes at the position for over-long forms and
 * surrogates; return its length or 0.
 */
static size_t utf8_sequence(const struct json_parser *p)
{
	static const s32 least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char c = (unsigned char)p->text[p->pos];
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	s32 value = c & (0xff >> (n + 1));

	if (c < 0xc2 || c > 0xf4 || p->len - p->pos < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		unsigned char next = (unsigned char)p->text[p->pos + i];

		if ((next & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (next & 0x3f);
	}
	if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	return n;
}

/**
 * json_string_bytes() - parse a string
 * @p: at the opening quote; on return, after the closing quote
 *
 * Return: the string in the document's pool, NULL after json_fail().
 */
const char *json_string_bytes(struct json_parser *p)
{
	const char *start = p->doc->pool + p->pool_used;
	int c;

	p->pos++;
	while ((c = json_peek(p)) != '"') {
		size_t n = 1;

		if (c < 0)
			return json_fail(p, "string does not end");
		if (c < 0x20)
			return json_fail(p, "control character in a string");
		if (c == '\\') {
			p->pos++;
			if (!parse_escape(p))
				return NULL;
			continue;
		}
		if (c >= 0x80)
			n = utf8_sequence(p);
		if (!n)
			return json_fail(p, "string is not UTF-8");
		memcpy(p->doc->pool + p->pool_used, p->text + p->pos, n);
		p->pool_used += n;
		p->pos += n;
	}
	p->pos++;
	p->doc->pool[p->pool_used++] = '\0';
	return start;
}
