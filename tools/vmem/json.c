/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON parser: recursive descent over a bounded text into a flat array of
 * nodes. See json.h.
 */
#include <stdlib.h>
#include <string.h>

#include "json_parser.h"

static struct json *parse_value(struct json_parser *p, int depth);

static void skip_space(struct json_parser *p)
{
	int c = json_peek(p);

	while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		p->pos++;
		c = json_peek(p);
	}
}

static struct json *new_node(struct json_parser *p, enum json_type type)
{
	struct json *node;

	if (p->nr_nodes == JSON_MAX_NODES)
		return json_fail(p, "too many values");
	node = &p->doc->nodes[p->nr_nodes++];
	memset(node, 0, sizeof(*node));
	node->type = type;
	node->start = p->pos;
	return node;
}

static struct json *parse_string(struct json_parser *p)
{
	struct json *node = new_node(p, JSON_STRING);

	if (!node)
		return NULL;
	node->str = json_string_bytes(p);
	return node->str ? node : NULL;
}

static size_t skip_digits(struct json_parser *p)
{
	size_t from = p->pos;

	while (json_peek(p) >= '0' && json_peek(p) <= '9')
		p->pos++;
	return p->pos - from;
}

/*
 * Set a node's value from checked digits; a number that no 64-bit word can hold becomes REAL.
 */
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

static struct json *parse_number(struct json_parser *p)
{
	struct json *node = new_node(p, JSON_INT);
	const char *digits;
	size_t n;

	if (!node)
		return NULL;
	if (json_peek(p) == '-') {
		node->negative = true;
		p->pos++;
	}
	digits = p->text + p->pos;
	n = skip_digits(p);
	if (!n || (n > 1 && digits[0] == '0'))
		return json_fail(p, "malformed number");
	if (json_peek(p) == '.') {
		node->type = JSON_REAL;
		p->pos++;
		if (!skip_digits(p))
			return json_fail(p, "malformed number");
	}
	if (json_peek(p) == 'e' || json_peek(p) == 'E') {
		node->type = JSON_REAL;
		p->pos++;
		if (json_peek(p) == '+' || json_peek(p) == '-')
			p->pos++;
		if (!skip_digits(p))
			return json_fail(p, "malformed number");
	}
	if (node->type == JSON_INT)
		number_value(node, digits, n);
	return node;
}

static struct json *parse_word(struct json_parser *p)
{
	static const struct {
		const char *word;
		enum json_type type;
		u64 num;
	} words[] = {
		{"null", JSON_NULL, 0},
		{"true", JSON_BOOL, 1},
		{"false", JSON_BOOL, 0},
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
	return json_fail(p, "expected a value");
}

static const struct json *find_key(const struct json *object, const char *key)
{
	for (const struct json *m = object->child; m; m = m->next) {
		if (!strcmp(m->key, key))
			return m;
	}
	return NULL;
}

/* Parse the name of the next member and its colon. Return the name, or NULL. */
static const char *parse_key(struct json_parser *p, const struct json *object)
{
	const char *key;

	if (json_peek(p) != '"')
		return json_fail(p, "expected a member name");
	key = json_string_bytes(p);
	if (!key)
		return NULL;
	if (find_key(object, key))
		return json_fail(p, "a member name occurs twice");
	skip_space(p);
	if (json_peek(p) != ':')
		return json_fail(p, "expected ':'");
	p->pos++;
	return key;
}

/* Parse an array or an object: they differ in their brackets and in the member names. */
static struct json *parse_container(struct json_parser *p, int depth)
{
	bool is_object = json_peek(p) == '{';
	int close = is_object ? '}' : ']';
	struct json *node = new_node(p, is_object ? JSON_OBJECT : JSON_ARRAY);
	struct json *tail = NULL, *value;

	if (!node)
		return NULL;
	if (depth >= JSON_MAX_DEPTH)
		return json_fail(p, "nested too deeply");
	p->pos++;
	skip_space(p);
	while (json_peek(p) != close || tail) {
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
		if (json_peek(p) == close)
			break;
		if (json_peek(p) != ',')
			return json_fail(p, "expected ',' or a closing bracket");
		p->pos++;
		skip_space(p);
	}
	p->pos++;
	return node;
}

static struct json *parse_value(struct json_parser *p, int depth)
{
	struct json *node;
	int c;

	skip_space(p);
	c = json_peek(p);
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
	struct json_parser p = {.text = text, .len = len, .doc = doc};

	memset(doc, 0, sizeof(*doc));
	if (len > JSON_MAX_TEXT) {
		doc->error = "text is too long";
		return -1;
	}
	/* Unescaping never makes a string longer; its NUL takes the place of its quotes. */
	doc->pool = malloc(len + 1);
	doc->nodes = malloc(JSON_MAX_NODES * sizeof(*doc->nodes));
	if (!doc->pool || !doc->nodes) {
		doc->error = "out of memory";
		return -1;
	}
	doc->root = parse_value(&p, 0);
	skip_space(&p);
	if (doc->root && p.pos != len)
		json_fail(&p, "text after the value");
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
 * Return: the member's value, NULL if @object is not an object or lacks the member.
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
 * Return: the string, NULL if the member is absent or not a string.
 */
const char *json_get_string(const struct json *object, const char *key)
{
	const struct json *value = json_get(object, key);

	return value && value->type == JSON_STRING ? value->str : NULL;
}

/**
 * json_is_u64() - check whether a value is an integer that u64 holds
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
 * QMP sends objects without a delimiter, so this function counts brackets. json_parse()
 * checks that the brackets match, and everything else.
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
