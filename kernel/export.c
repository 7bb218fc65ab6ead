/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes that leave the kernel, by name; and the same over a terminal, as base64
 * between two markers that host tools look for:
 *
 *	-----BEGIN EBB dumpsys-----
 *	(lines of 76 characters, RFC 4648)
 *	-----END EBB dumpsys 12288 bytes status 0-----
 */
#include "kernel/export.h"
#include "kernel/mutex.h"
#include "kernel/patience.h"
#include "kernel/shell.h"
#include "kernel/sink.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/trace.h"
#include "lib/base64.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page.h"

/* How long a person waits for an export that a slow host has not taken yet. */
#define CONSOLE_WAIT_NS (2 * NSEC_PER_SEC)

/* Rings have one reader, snapshots one buffer: one export at a time. */
static DEFINE_MUTEX(export_lock);

/* The first line of a session; the layout is docs/reference/trace.md's. */
static int write_header(struct sink *out)
{
	char build_id[2 * sizeof(ebb_trace.build_id) + 1] = "";
	struct sink_buffer hex;

	sink_buffer_init(&hex, build_id, sizeof(build_id));
	for (unsigned int i = 0; i < sizeof(ebb_trace.build_id); i++)
		sink_printf(&hex.sink, "%02x", ebb_trace.build_id[i]);
	sink_printf(out, "{\"format\": \"ebbt\", \"version\": %u, \"record_bytes\": %u, ",
		    ebb_trace.version, ebb_trace.record_bytes);
	sink_printf(out, "\"page_shift\": %u, \"pageblock_order\": %u, \"section_shift\": %u, ",
		    PAGE_SHIFT, PAGEBLOCK_ORDER, SECTION_SHIFT);
	sink_printf(out,
		    "\"timebase_hz\": %lu, \"enabled\": %lu, \"lost\": %lu, "
		    "\"build_id\": \"%s\"}\n",
		    ebb_trace.timebase_hz, ebb_trace.enabled, trace_lost(), build_id);
	return 0;
}

/* What the rings hold by now; records written meanwhile are for the next time. */
static int write_records(struct sink *out)
{
	const u32 end = READ_ONCE(ebb_trace.seq);
	struct trace_record record;

	while (trace_take(&record)) {
		out->write(out, (const char *)&record, sizeof(record));
		if ((s32)(record.seq + 1 - end) >= 0)
			break;
	}
	return 0;
}

static const struct export {
	const char *name;
	int (*write)(struct sink *out);
} exports[] = {
	{ "header", write_header },
	{ "records", write_records },
	{ "snapshot", snapshot_write },
	{ "dumpsys", dumpsys_write },
};

int export_write(const char *name, struct sink *out)
{
	int err = -ENOENT;

	mutex_lock(&export_lock);
	for (unsigned int i = 0; i < ARRAY_SIZE(exports); i++)
		if (strcmp(exports[i].name, name) == 0)
			err = exports[i].write(out);
	mutex_unlock(&export_lock);
	return err;
}

#define LINE_BYTES 57 /* 76 characters */

/* Collects bytes, and writes them on as lines of base64. */
struct base64_sink {
	struct sink sink;
	struct sink *out;
	u8 line[LINE_BYTES];
	u32 len;
	u64 total;
};

static void base64_line(struct base64_sink *b)
{
	char text[BASE64_CHARS(LINE_BYTES) + 2];
	const size_t len = base64_encode(text, b->line, b->len);

	text[len] = '\n';
	b->out->write(b->out, text, len + 1);
	b->len = 0;
	cond_resched();
}

static void base64_write(struct sink *sink, const char *bytes, size_t len)
{
	struct base64_sink *b = container_of(sink, struct base64_sink, sink);

	b->total += len;
	while (len) {
		const size_t n = min(len, (size_t)(LINE_BYTES - b->len));

		memcpy(b->line + b->len, bytes, n);
		b->len += n;
		bytes += n;
		len -= n;
		if (b->len == LINE_BYTES)
			base64_line(b);
	}
}

/* Unless a slow host is in the way: a person at the console is told so, by the status. */
static int write_soon(const struct export *export, struct sink *out) __no_lock_analysis
{
	struct patience patience;
	int err;

	patience_start(&patience, CONSOLE_WAIT_NS);
	if (mutex_lock_patience(&export_lock, &patience))
		return -EBUSY;
	err = export->write(out);
	mutex_unlock(&export_lock);
	return err;
}

static int cmd_dumpsys(int argc, char **argv, struct sink *out)
{
	struct base64_sink b = { .sink = { base64_write }, .out = out };
	const char *name = argc == 2 ? argv[1] : "dumpsys";
	unsigned int i = 0;
	int err;

	while (i < ARRAY_SIZE(exports) && strcmp(exports[i].name, name) != 0)
		i++;
	if (argc > 2 || i == ARRAY_SIZE(exports))
		return command_usage("dumpsys", out);
	sink_printf(out, "-----BEGIN EBB %s-----\n", name);
	err = write_soon(&exports[i], &b.sink);
	if (b.len)
		base64_line(&b);
	sink_printf(out, "-----END EBB %s %lu bytes status %d-----\n", name, b.total,
		    err);
	return err;
}
COMMAND(dumpsys, "dumpsys [dumpsys | snapshot | records | header]",
	"/proc, /sys and kpageflags as a tar archive, or the trace, in base64", cmd_dumpsys);
