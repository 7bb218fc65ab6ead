/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_JSON_H
#define _VMEM_JSON_H

/*
 * A strict parser for the JSON (RFC 8259) that control sockets carry. Anyone who can
 * reach the socket can send the text, so depth, size and number of values are bounded,
 * and nothing is parsed leniently.
 */
#include "lib/types.h"

#define JSON_MAX_DEPTH 32
#define JSON_MAX_NODES 2048
#define JSON_MAX_TEXT  65536

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,    /* fits u64, or s64 when negative */
	JSON_REAL,   /* any other number: syntax checked, value not kept */
	JSON_STRING, /* UTF-8, NUL-terminated, holds no NUL */
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json {
	enum json_type type;
	bool negative;	    /* JSON_INT below zero: value is (s64)num */
	u64 num;	    /* JSON_INT; 0 or 1 for JSON_BOOL */
	const char *str;    /* JSON_STRING */
	const char *key;    /* the name of a member of an object */
	struct json *child; /* first element or member */
	struct json *next;  /* next sibling */
	size_t start, end;  /* the value's bytes in the text */
};

struct json_doc {
	struct json *root;
	const char *error; /* why json_parse() failed, for the user */
	size_t error_at;   /* byte of the text where it failed */
	struct json *nodes;
	char *pool;
};

enum json_frame {
	JSON_FRAME_MORE, /* the text ends before the value does */
	JSON_FRAME_OK,	 /* a whole value lies there */
	JSON_FRAME_BAD,	 /* cannot become a value, whatever follows */
};

int json_parse(struct json_doc *doc, const char *text, size_t len);
void json_free(struct json_doc *doc);
const struct json *json_get(const struct json *object, const char *key);
const char *json_get_string(const struct json *object, const char *key);
bool json_is_u64(const struct json *value);
enum json_frame json_frame(const char *text, size_t len, size_t *end);

#endif
