/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JSON parser: the texts that it accepts and refuses, and how it finds the end of a
 * value.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "json.h"

/* Parse a copy of exactly the text's size, so that ASan sees any over-read. */
static int parse(struct json_doc *doc, const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, text, len);
	err = json_parse(doc, copy, len);
	free(copy);
	return err;
}

static bool accepts(const char *text)
{
	struct json_doc doc;
	bool ok = !parse(&doc, text, strlen(text));

	json_free(&doc);
	return ok;
}

TEST(json, values)
{
	struct json_doc doc;
	const char *text = " {\"a\": 1, \"b\": [true, false, null, -2, 1.5e3], \"c\": "
			   "{\"d\": \"e\"}} ";
	const struct json *b;

	CHECK_EQ(parse(&doc, text, strlen(text)), 0);
	CHECK_EQ(json_get(doc.root, "a")->num, 1);
	CHECK(json_is_u64(json_get(doc.root, "a")));
	b = json_get(doc.root, "b")->child;
	CHECK(b->type == JSON_BOOL && b->num == 1);
	b = b->next;
	CHECK(b->type == JSON_BOOL && b->num == 0);
	b = b->next;
	CHECK_EQ(b->type, JSON_NULL);
	b = b->next;
	CHECK(b->type == JSON_INT && b->negative && (s64)b->num == -2 && !json_is_u64(b));
	b = b->next;
	CHECK(b->type == JSON_REAL && !b->next);
	CHECK(!strcmp(json_get_string(json_get(doc.root, "c"), "d"), "e"));
	CHECK(!json_get(doc.root, "nothing") && !json_get_string(doc.root, "a"));
	json_free(&doc);
}

TEST(json, limits_of_integers)
{
	struct json_doc doc;

	CHECK_EQ(parse(&doc, "18446744073709551615", 20), 0);
	CHECK(json_is_u64(doc.root) && doc.root->num == UINT64_MAX);
	json_free(&doc);
	CHECK_EQ(parse(&doc, "18446744073709551616", 20), 0);
	CHECK_EQ(doc.root->type, JSON_REAL);
	json_free(&doc);
	CHECK_EQ(parse(&doc, "-9223372036854775808", 20), 0);
	CHECK(doc.root->negative && (s64)doc.root->num == INT64_MIN);
	json_free(&doc);
	CHECK_EQ(parse(&doc, "-9223372036854775809", 20), 0);
	CHECK_EQ(doc.root->type, JSON_REAL);
	json_free(&doc);
	CHECK_EQ(parse(&doc, "-0", 2), 0);
	CHECK(json_is_u64(doc.root));
	json_free(&doc);
}

TEST(json, strings)
{
	struct json_doc doc;
	const char *text = "\"\\\"\\\\\\/"
			   "\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\xc3\xa9\"";

	CHECK_EQ(parse(&doc, text, strlen(text)), 0);
	CHECK(!strcmp(doc.root->str,
		      "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9"));
	CHECK_EQ(doc.root->end, strlen(text));
	json_free(&doc);
}

TEST(json, refuses)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"[",
		"]",
		"{]",
		"[1,]",
		"{,}",
		"{\"a\":1,}",
		"{\"a\" 1}",
		"{a:1}",
		"{1:2}",
		"01",
		"1.",
		".5",
		"-",
		"+1",
		"1e",
		"1e+",
		"0x10",
		"tru",
		"nul",
		"True",
		"'a'",
		"\"a",
		"\"\\x\"",
		"\"\\u12g4\"",
		"\"\\u0000\"",
		"\"\\ud800\"",
		"\"\\ud800\\u0041\"",
		"\"\\udc00\"",
		"\"\\ud800\\ud800\"",
		"\"\n\"",
		"\"\x01\"",
		"\"\x80\"",
		"\"\xc0\x80\"",
		"\"\xed\xa0\x80\"",
		"\"\xf5\x80\x80\x80\"",
		"\"\xe2\x82\"",
		"\"\xf0\x80\x80\x80\"",
		"1 2",
		"{} x",
		"[1 2]",
		"{\"a\":1,\"a\":2}",
		"[,1]",
		"\"\\",
		"nan",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (accepts(bad[i]))
			test_fail(__FILE__, __LINE__, "that '%s' is refused", bad[i]);
	}
}

TEST(json, truncated_anywhere)
{
	const char *text = "{\"execute\": \"qom-get\", \"arguments\": {\"p\\u00e9\": [1, "
			   "-2.5e+7, null]}}";
	struct json_doc doc;

	CHECK(accepts(text));
	for (size_t len = 0; len < strlen(text); len++) {
		CHECK_EQ(parse(&doc, text, len), -1);
		CHECK(doc.error && doc.error_at <= len && !doc.root);
		json_free(&doc);
	}
}

TEST(json, depth_and_size)
{
	struct json_doc doc;
	char text[2 * JSON_MAX_DEPTH + 4];
	char *many = malloc(JSON_MAX_TEXT + 1);

	memset(text, '[', JSON_MAX_DEPTH);
	memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	CHECK_EQ(parse(&doc, text, 2 * JSON_MAX_DEPTH), 0);
	json_free(&doc);
	memset(text, '[', JSON_MAX_DEPTH + 1);
	memset(text + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
	CHECK_EQ(parse(&doc, text, 2 * JSON_MAX_DEPTH + 2), -1);
	json_free(&doc);

	many[0] = '[';
	for (size_t i = 1; i < JSON_MAX_TEXT - 1; i += 2)
		memcpy(many + i, "1,", 2);
	many[JSON_MAX_TEXT - 1] = ']';
	CHECK_EQ(parse(&doc, many, JSON_MAX_TEXT), -1);
	CHECK(doc.error && strstr(doc.error, "too many"));
	json_free(&doc);
	memset(many, ' ', JSON_MAX_TEXT + 1);
	CHECK_EQ(parse(&doc, many, JSON_MAX_TEXT + 1), -1);
	json_free(&doc);
	free(many);
}

/* Damage a valid text at random; the parser may accept or refuse it, but must survive. */
TEST(json, mutated)
{
	const char *text = "{\"execute\": \"x\\ud83d\\ude00\", \"a\": [1, {\"b\": "
			   "-2.5e+7}, \"\xc3\xa9\", true]}";
	size_t len = strlen(text), end;
	struct json_doc doc;
	unsigned int seed = 1;
	char copy[128];

	for (int round = 0; round < 20000; round++) {
		memcpy(copy, text, len);
		for (int i = 0; i < 1 + rand_r(&seed) % 4; i++)
			copy[(size_t)rand_r(&seed) % len] = (char)rand_r(&seed);
		parse(&doc, copy, len);
		json_free(&doc);
		json_frame(copy, len, &end);
		CHECK(end <= len);
	}
}

TEST(json, frames)
{
	const char *two = " {\"a\": \"}\\\"]\"} [1]";
	size_t end;

	CHECK_EQ(json_frame(two, strlen(two), &end), JSON_FRAME_OK);
	CHECK_EQ(end, 14);
	CHECK_EQ(json_frame(two + end, strlen(two) - end, &end), JSON_FRAME_OK);
	CHECK_EQ(end, 4);
	for (size_t len = 0; len < 14; len++)
		CHECK_EQ(json_frame(two, len, &end), JSON_FRAME_MORE);
	CHECK_EQ(json_frame("hello\n{}", 8, &end), JSON_FRAME_BAD);
	CHECK_EQ(end, 6);
	CHECK_EQ(json_frame("}\n", 2, &end), JSON_FRAME_BAD);
	CHECK_EQ(end, 2);
	CHECK_EQ(json_frame("{\"a\n{}", 6, &end), JSON_FRAME_BAD);
	CHECK_EQ(end, 4);
	CHECK_EQ(json_frame("junk", 4, &end), JSON_FRAME_BAD);
	CHECK_EQ(end, 4);
	CHECK_EQ(json_frame(" \r\n", 3, &end), JSON_FRAME_MORE);
}
