/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Growing byte buffer. See buf.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

static bool reserve(struct buf *buf, size_t more)
{
	size_t room = max(buf->room, (size_t)256);
	char *data;

	while (room - buf->len < more)
		room *= 2;
	if (room == buf->room)
		return true;
	data = realloc(buf->data, room);
	if (!data) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->room = room;
	return true;
}

/**
 * buf_free() - empty a buffer
 * @buf: the buffer; can be used again
 */
void buf_free(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){0};
}

/**
 * buf_put() - append bytes
 * @buf: the buffer; @failed is set if memory runs out
 * @bytes: what to append
 * @len: how many
 */
void buf_put(struct buf *buf, const char *bytes, size_t len)
{
	if (!len || !reserve(buf, len))
		return;
	memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
}

/**
 * buf_printf() - append formatted text
 * @buf: the buffer
 * @fmt: printf format; the result has at most 1023 bytes
 */
void buf_printf(struct buf *buf, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len > 0)
		buf_put(buf, text, min((size_t)len, sizeof(text) - 1));
}

/**
 * buf_json_string() - append a JSON string, quotes included
 * @buf: the buffer
 * @text: UTF-8
 */
void buf_json_string(struct buf *buf, const char *text)
{
	buf_put(buf, "\"", 1);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			buf_printf(buf, "\\%c", c);
		else if (c < 0x20)
			buf_printf(buf, "\\u%04x", c);
		else
			buf_put(buf, text, 1);
	}
	buf_put(buf, "\"", 1);
}

/**
 * buf_drop() - remove bytes at the front
 * @buf: the buffer
 * @len: how many, no more than there are
 */
void buf_drop(struct buf *buf, size_t len)
{
	buf->len -= len;
	memmove(buf->data, buf->data + len, buf->len);
}
