/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exports: bytes that leave the kernel, by name. Over a terminal they leave as base64
 * between two markers that host tools look for:
 *
 *	-----BEGIN EBB dumpsys-----
 *	(lines of 76 characters, RFC 4648)
 *	-----END EBB dumpsys 12288 bytes status 0-----
 */
#include "kernel/console/export.h"
#include "kernel/patience.h"
#include "kernel/console/shell.h"
#include "kernel/sink.h"
#include "kernel/thread.h"
#include "kernel/trace/trace.h"
#include "lib/base64.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/time.h"
#include "mm/page.h"

/*
 * Limits on the wait until another export has taken the records: of a user at a console, and
 * of a program. At the limit the wait ends with -EBUSY.
 */
#define CONSOLE_WAIT_NS (2 * NSEC_PER_SEC)
#define PORT_WAIT_NS	(60 * NSEC_PER_SEC)

/*
 * The rings have one reader at a time: an export that takes records first claims them. The
 * claim is not a mutex, because its holder waits for the host. Other exports need no claim:
 * they have their own buffers.
 */
static u32 rings_claimed;
static DEFINE_WAIT_QUEUE(rings_given_back);

static bool claim_rings(void)
{
	return __atomic_exchange_n(&rings_claimed, 1, __ATOMIC_ACQUIRE) == 0;
}

/* Write the header of a session; docs/reference/trace.md has the layout. */
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

/* Write the records in the rings; leave those written meanwhile for the next export. */
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

/*
 * Write the text of a live view of memory. The view is an export because a program that
 * redraws it may find the command port in use by another program.
 */
static int write_view(struct sink *out)
{
	return console_run_line("map -c; vmem; cat /proc/meminfo /proc/vmstat", out);
}

static const struct export {
	const char *name;
	int (*write)(struct sink *out);
	bool takes_records;
} exports[] = {
	{ "header", write_header, false },
	{ "records", write_records, true },
	{ "snapshot", snapshot_write, false },
	{ "dumpsys", dumpsys_write, false },
	{ "view", write_view, false },
};

static const struct export *export_find(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(exports); i++)
		if (strcmp(exports[i].name, name) == 0)
			return &exports[i];
	return NULL;
}

/* Write an export. Return: its status; -EBUSY if the rings stayed claimed. */
static int write_export(const struct export *export, struct sink *out, u64 limit_ns)
{
	struct patience patience;
	int err;

	patience_start(&patience, limit_ns);
	if (export->takes_records &&
	    !wait_event_patience(&rings_given_back, claim_rings(), &patience))
		return -EBUSY;
	err = export->write(out);
	if (export->takes_records) {
		STORE_RELEASE(rings_claimed, 0);
		wake_up_all(&rings_given_back);
	}
	return err;
}

int export_write(const char *name, struct sink *out)
{
	const struct export *export = export_find(name);

	return export ? write_export(export, out, PORT_WAIT_NS) : -ENOENT;
}

#define LINE_BYTES 57 /* 76 characters */

/* A sink that collects bytes and writes them as lines of base64. */
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

static int cmd_dumpsys(int argc, char **argv, struct sink *out)
{
	struct base64_sink b = { .sink.write = base64_write, .out = out };
	const char *name = argc == 2 ? argv[1] : "dumpsys";
	const struct export *export = export_find(name);
	int err;

	if (argc > 2 || !export)
		return COMMAND_USAGE;
	sink_printf(out, "-----BEGIN EBB %s-----\n", name);
	err = write_export(export, &b.sink, CONSOLE_WAIT_NS);
	if (b.len)
		base64_line(&b);
	sink_printf(out, "-----END EBB %s %lu bytes status %d-----\n", name, b.total,
		    err);
	return err;
}
COMMAND(dumpsys, "dumpsys [dumpsys | snapshot | records | header | view]",
	"/proc, /sys and kpageflags as a tar archive, or the trace, in base64",
	"dumpsys header", cmd_dumpsys);
