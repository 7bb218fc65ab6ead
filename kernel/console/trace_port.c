/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exports for programs: a virtserialport named org.ebb.trace. The host sends a name
 * (header, records, snapshot, dumpsys or view) and a newline. The port answers with pieces,
 * each a line "+N" and N bytes, and at the end with a line "=STATUS", 0 or a negative errno.
 *
 * The port waits for a slow host and drops nothing. Meanwhile a trace ring may fill up; it
 * counts the records that it loses.
 */
#include "kernel/console/export.h"
#include "kernel/sink.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "virtio/virtio_port.h"

#define NAME_BYTES  32
#define HEAD_BYTES  8 /* "+16376" and a newline, at most */
#define CHUNK_BYTES 0x4000
#define PIECE_BYTES (CHUNK_BYTES - HEAD_BYTES)

/**
 * struct pieces - collects what an export writes, and sends it with its length
 * @sink: for the export
 * @port: destination
 * @chunk: HEAD_BYTES for the line, then the bytes
 * @len: bytes in it
 * @error: the host no longer listens
 */
struct pieces {
	struct sink sink;
	struct vport *port;
	char *chunk;
	u32 len;
	int error;
};

static void pieces_send(struct pieces *p)
{
	char head[HEAD_BYTES + 1];
	const u32 n = (u32)snprintf(head, sizeof(head), "+%u\n", p->len);

	/* Put the line directly before the bytes. */
	memcpy(p->chunk + HEAD_BYTES - n, head, n);
	if (!p->error && p->len)
		p->error = vport_write(p->port, p->chunk + HEAD_BYTES - n, n + p->len);
	p->len = 0;
}

static void pieces_write(struct sink *sink, const char *bytes, size_t len)
{
	struct pieces *p = container_of(sink, struct pieces, sink);

	(void)sink_may_wait();
	while (len && !p->error) {
		const u32 n = (u32)min(len, (size_t)(PIECE_BYTES - p->len));

		memcpy(p->chunk + HEAD_BYTES + p->len, bytes, n);
		p->len += n;
		bytes += n;
		len -= n;
		if (p->len == PIECE_BYTES)
			pieces_send(p);
	}
}

static void answer(struct pieces *p, const char *name)
{
	char end[16];
	int status;

	p->error = 0;
	p->len = 0;
	status = export_write(name, &p->sink);
	pieces_send(p);
	snprintf(end, sizeof(end), "=%d\n", status);
	if (!p->error)
		(void)vport_write(p->port, end, (u32)strlen(end));
}

/* Serve names, one per line. A name that is too long is cut, so it is unknown. */
static void trace_port_loop(struct vport *port, struct pieces *p)
{
	char buf[64], name[NAME_BYTES];
	u32 len = 0;
	int n;

	while ((n = vport_read(port, buf, sizeof(buf))) != -ENODEV) {
		if (n < 0)
			len = 0;
		for (int i = 0; i < n; i++) {
			if (buf[i] != '\n') {
				len = min(len + 1, (u32)NAME_BYTES - 1);
				name[len - 1] = buf[i];
				continue;
			}
			name[len] = '\0';
			len = 0;
			answer(p, name);
		}
	}
}

static void trace_port_run(struct vport *port)
{
	struct pieces p = { .sink.write = pieces_write, .port = port };

	p.chunk = vport_alloc(port, CHUNK_BYTES);
	if (!p.chunk)
		return;
	trace_port_loop(port, &p);
	vport_free(port, p.chunk, CHUNK_BYTES);
}

VPORT_SERVICE(trace_port) = {
	.name = "org.ebb.trace",
	.run = trace_port_run,
};
