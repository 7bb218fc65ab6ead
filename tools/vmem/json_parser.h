/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_JSON_PARSER_H
#define _VMEM_JSON_PARSER_H

/* Shared by the two files of the JSON parser. */
#include "json.h"

/**
 * struct json_parser - the state of the parser
 * @text: the whole text
 * @len: its bytes
 * @pos: bytes that were parsed; never beyond @len
 * @nr_nodes: nodes used in the document
 * @pool_used: bytes used in the document's pool of strings
 * @doc: the document
 */
struct json_parser {
	const char *text;
	size_t len;
	size_t pos;
	size_t nr_nodes;
	size_t pool_used;
	struct json_doc *doc;
};

void *json_fail(struct json_parser *p, const char *why);
const char *json_string_bytes(struct json_parser *p);

/* Return the byte at the position; -1 at the end. */
static inline int json_peek(const struct json_parser *p)
{
	return p->pos < p->len ? (unsigned char)p->text[p->pos] : -1;
}

#endif
