/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_BUF_H
#define _VMEM_BUF_H

/* A growing byte buffer, and functions that write JSON into it. */
#include "lib/types.h"

struct buf {
	char *data;
	size_t len, room;
	bool failed; /* out of memory: contents are incomplete */
};

void buf_free(struct buf *buf);
void buf_put(struct buf *buf, const char *bytes, size_t len);
void buf_printf(struct buf *buf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void buf_json_string(struct buf *buf, const char *text);
void buf_drop(struct buf *buf, size_t len);

#endif
