/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON parser: recursive descent over a bounded text into a flat array of
 * nodes. See json.h.
 */
#include <stdlib.h>
#include <string.h>

#include "json.h"

struct parser {
	const char *text;
	size_t len;
	size_t pos;
	size_t nr_nodes;
	size_t pool_used;
	struct json_doc *doc;
};

static struct json *parse_value(struct parser *p, int depth);

static void *fail(struct parser *p, const char *why)
{
	if (!p->doc->error) {
		p->doc->error = why;
		p->doc->error_at = p->pos;
	}
	return NULL;
}

static int peek(const struct parser *p)
{
	return p->pos < p->len ? (unsigned char)p->text[p->pos] : -1;
}

static void skip_space(struct parser *p)
{
	int c = peek(p);

	while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		p->pos++;
		c = peek(p);
	}
}

static struct json *new_node(struct parser *p, enum json_type type)
{
	struct json *node;

	if (p->nr_nodes == JSON_MAX_NODES)
		return fail(p, "too many values");
	node = &p->doc->nodes[p->nr_nodes++];
	memset(node, 0, sizeof(*node));
	node->type = type;
	node->start = p->pos;
	return node;
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

/* Four hex digits at the position, or -1. */
static s32 parse_hex4(struct parser *p)
{
	s32 value = 0;

	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(peek(p));

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
		p->pos++;
	}
	return value;
}

static void put_utf8(struct parser *p, s32 c)
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

/* After "\u": one code point, two escapes for a surrogate pair; -1 if neither. */
static s32 parse_unicode(struct parser *p)
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

static bool parse_escape(struct parser *p)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int c = peek(p);
	const char *hit = c > 0 ? strchr(from, c) : NULL;
	s32 point;

	if (c < 0)
		return fail(p, "string does not end");
	p->pos++;
	if (hit) {
		put_utf8(p, to[hit - from]);
		return true;
	}
	if (c != 'u')
		return fail(p, "unknown escape in a string");
	point = parse_unicode(p);
	if (point <= 0)
		return fail(p, "bad \\u escape in a string");
	put_utf8(p, point);
	return true;
}

/*
 * One code point of 2 to 4 bytes at the position, checked for over-long forms
 * and surrogates; returns its length or 0.
 */
static size_t utf8_sequence(const struct parser *p)
{
	static const s32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
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

/* The opening quote is at the position. Returns the bytes in the pool. */
static const char *parse_string_bytes(struct parser *p)
{
	const char *start = p->doc->pool + p->pool_used;
	int c;

	p->pos++;
	while ((c = peek(p)) != '"') {
		size_t n = 1;

		if (c < 0)
			return fail(p, "string does not end");
		if (c < 0x20)
			return fail(p, "control character in a string");
		if (c == '\\') {
			p->pos++;
			if (!parse_escape(p))
				return NULL;
			continue;
		}
		if (c >= 0x80)
			n = utf8_sequence(p);
		if (!n)
			return fail(p, "string is not UTF-8");
		memcpy(p->doc->pool + p->pool_used, p->text + p->pos, n);
		p->pool_used += n;
		p->pos += n;
	}
	p->pos++;
	p->doc->pool[p->pool_used++] = '\0';
	return start;
}

static struct json *parse_string(struct parser *p)
{
	struct json *node = new_node(p, JSON_STRING);

	if (!node)
		return NULL;
	node->str = parse_string_bytes(p);
	return node->str ? node : NULL;
}

static size_t skip_digits(struct parser *p)
{
	size_t from = p->pos;

	while (peek(p) >= '0' && peek(p) <= '9')
		p->pos++;
	return p->pos - from;
}

/* The digits are known good; those that no 64-bit word can hold become REAL. */
static void number_value(struct json *node, const char *digits, size_t n)
{
	u64 limit = node->negative ? (u64)INT64_MAX + 1 : UINT64_MAX;
	u64 value = 0;

	for (size_t i = 0; i < n; i++) {
		u64 digit = (u64)(digits[i] - '0');

		if (value > (limit - digit) / 10) {
			node->type = JSON_REAL;
			return;
		}
		value = value * 10 + digit;
	}
	node->num = node->negative ? -value : value;
	if (!value)
		node->negative = false;
}

static struct json *parse_number(struct parser *p)
{
	struct json *node = new_node(p, JSON_INT);
	const char *digits;
	size_t n;

	if (!node)
		return NULL;
	if (peek(p) == '-') {
		node->negative = true;
		p->pos++;
	}
	digits = p->text + p->pos;
	n = skip_digits(p);
	if (!n || (n > 1 && digits[0] == '0'))
		return fail(p, "malformed number");
	if (peek(p) == '.') {
		node->type = JSON_REAL;
		p->pos++;
		if (!skip_digits(p))
			return fail(p, "malformed number");
	}
	if (peek(p) == 'e' || peek(p) == 'E') {
		node->type = JSON_REAL;
		p->pos++;
		if (peek(p) == '+' || peek(p) == '-')
			p->pos++;
		if (!skip_digits(p))
			return fail(p, "malformed number");
	}
	if (node->type == JSON_INT)
		number_value(node, digits, n);
	return node;
}

static struct json *parse_word(struct parser *p)
{
	static const struct {
		const char *word;
		enum json_type type;
		u64 num;
	} words[] = {
		{ "null", JSON_NULL, 0 },
		{ "true", JSON_BOOL, 1 },
		{ "false", JSON_BOOL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i].word);
		struct json *node;

		if (p->len - p->pos < n || memcmp(p->text + p->pos, words[i].word, n))
			continue;
		node = new_node(p, words[i].type);
		if (node)
			node->num = words[i].num;
		p->pos += n;
		return node;
	}
	return fail(p, "expected a value");
}

static const struct json *find_key(const struct json *object, const char *key)
{
	for (const struct json *m = object->child; m; m = m->next) {
		if (!strcmp(m->key, key))
			return m;
	}
	return NULL;
}

/* The name of the next member and its colon, or NULL. */
static const char *parse_key(struct parser *p, const struct json *object)
{
	const char *key;

	if (peek(p) != '"')
		return fail(p, "expected a member name");
	key = parse_string_bytes(p);
	if (!key)
		return NULL;
	if (find_key(object, key))
		return fail(p, "member name occurs twice");
	skip_space(p);
	if (peek(p) != ':')
		return fail(p, "expected ':'");
	p->pos++;
	return key;
}

/* Arrays and objects differ in their brackets and in the member names. */
static struct json *parse_container(struct parser *p, int depth)
{
	bool is_object = peek(p) == '{';
	int close = is_object ? '}' : ']';
	struct json *node = new_node(p, is_object ? JSON_OBJECT : JSON_ARRAY);
	struct json *tail = NULL, *value;

	if (!node)
		return NULL;
	if (depth >= JSON_MAX_DEPTH)
		return fail(p, "nested too deeply");
	p->pos++;
	skip_space(p);
	while (peek(p) != close || tail) {
		const char *key = NULL;

		if (is_object && !(key = parse_key(p, node)))
			return NULL;
		value = parse_value(p, depth + 1);
		if (!value)
			return NULL;
		value->key = key;
		if (tail)
			tail->next = value;
		else
			node->child = value;
		tail = value;
		skip_space(p);
		if (peek(p) == close)
			break;
		if (peek(p) != ',')
			return fail(p, "expected ',' or a closing bracket");
		p->pos++;
		skip_space(p);
	}
	p->pos++;
	return node;
}

static struct json *parse_value(struct parser *p, int depth)
{
	struct json *node;
	int c;

	skip_space(p);
	c = peek(p);
	if (c == '{' || c == '[')
		node = parse_container(p, depth);
	else if (c == '"')
		node = parse_string(p);
	else if (c == '-' || (c >= '0' && c <= '9'))
		node = parse_number(p);
	else
		node = parse_word(p);
	if (node)
		node->end = p->pos;
	return node;
}

/**
 * json_parse() - parse a text that must be exactly one JSON value
 * @doc: result; json_free() it whatever the outcome
 * @text: bytes, not necessarily NUL-terminated
 * @len: number of bytes, at most JSON_MAX_TEXT
 *
 * Object members with the same name are refused, as are strings with a NUL.
 *
 * Return: 0, or -1 with @doc->error and @doc->error_at set.
 */
int json_parse(struct json_doc *doc, const char *text, size_t len)
{
	struct parser p = { .text = text, .len = len, .doc = doc };

	memset(doc, 0, sizeof(*doc));
	if (len > JSON_MAX_TEXT) {
		doc->error = "text is too long";
		return -1;
	}
	/* Unescaping never lengthens; each string's NUL replaces its quotes. */
	doc->pool = malloc(len + 1);
	doc->nodes = malloc(JSON_MAX_NODES * sizeof(*doc->nodes));
	if (!doc->pool || !doc->nodes) {
		doc->error = "out of memory";
		return -1;
	}
	doc->root = parse_value(&p, 0);
	skip_space(&p);
	if (doc->root && p.pos != len)
		fail(&p, "text after the value");
	if (doc->error)
		doc->root = NULL;
	return doc->root ? 0 : -1;
}

/**
 * json_free() - release what json_parse() allocated
 * @doc: a document; may be freed twice
 */
void json_free(struct json_doc *doc)
{
	free(doc->pool);
	free(doc->nodes);
	doc->pool = NULL;
	doc->nodes = NULL;
	doc->root = NULL;
}

/**
 * json_get() - look up a member
 * @object: an object, or anything else, or NULL
 * @key: member name
 *
 * Return: the member's value, NULL if @object is no object or has none.
 */
const struct json *json_get(const struct json *object, const char *key)
{
	return object && object->type == JSON_OBJECT ? find_key(object, key) : NULL;
}

/**
 * json_get_string() - look up a member that should be a string
 * @object: an object, or anything else, or NULL
 * @key: member name
 *
 * Return: the string, NULL if there is none of that name or it is no string.
 */
const char *json_get_string(const struct json *object, const char *key)
{
	const struct json *value = json_get(object, key);

	return value && value->type == JSON_STRING ? value->str : NULL;
}

/**
 * json_is_u64() - whether a value is an integer that u64 holds
 * @value: a value, or NULL
 */
bool json_is_u64(const struct json *value)
{
	return value && value->type == JSON_INT && !value->negative;
}

/**
 * json_frame() - find where the first object or array of a stream ends
 * @text: bytes received so far
 * @len: number of bytes
 * @end: set to the length of the value, leading blanks included, for
 *       JSON_FRAME_OK; to the bytes to throw away (up to and with the next
 *       newline, or all) for JSON_FRAME_BAD
 *
 * QMP sends objects without a delimiter, so brackets are counted. That the
 * brackets match, and all else, is json_parse()'s business.
 */
enum json_frame json_frame(const char *text, size_t len, size_t *end)
{
	bool in_string = false, escaped = false, bad = false;
	size_t depth = 0, i;

	for (i = 0; i < len; i++) {
		char c = text[i];

		if (bad && c == '\n')
			break;
		if (bad)
			continue;
		if (in_string) {
			bad = c == '\n';
			if (bad)
				break;
			if (!escaped && c == '"')
				in_string = false;
			escaped = !escaped && c == '\\';
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (depth && (c == '}' || c == ']')) {
			if (--depth == 0) {
				*end = i + 1;
				return JSON_FRAME_OK;
			}
		} else if (depth) {
			in_string = c == '"';
		} else {
			bad = c != ' ' && c != '\t' && c != '\r' && c != '\n';
		}
	}
	*end = min(i + 1, len);
	return bad ? JSON_FRAME_BAD : JSON_FRAME_MORE;
}
