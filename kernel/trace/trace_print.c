/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trace records as text: lines like ftrace's, with fields formatted as the event's row
 * in kernel/trace/trace_events.h says.
 */
#include "kernel/abi.h"
#include "kernel/sink.h"
#include "kernel/trace/trace.h"
#include "kernel/trace/trace_table.h"
#include "lib/string.h"
#include "lib/time.h"

/*
 * The only copy of the events' names and formats; host tools read this section of the image.
 */
static const struct trace_event_desc descs[] __table("trace_event_table") = {
#define X(_id, _name, _str, _fields, _text)                                              \
	{ .id = (_id), .name = (_str), .fields = (_fields), .text = (_text) },
	TRACE_EVENTS(X)
#undef X
};

/* A word for each number; host tools also read this section of the image. */
static const struct abi_word words[] __table("abi_words") = {
#define X(_name, _str, ...) { .set = "page_type", .number = PGTY_##_name, .word = _str },
	PAGE_TYPES(X)
#undef X
#define X(_name, _str, _meaning) \
	{ .set = "migratetype", .number = MIGRATE_##_name, .word = _str },
	MIGRATE_TYPES(X)
#undef X
#define X(_name, _str, _meaning) \
	{ .set = "block_state", .number = MEM_BLOCK_##_name, .word = _str },
	BLOCK_STATES(X)
#undef X
#define X(_name, _str, _meaning) { .set = "phase", .number = EVAC_##_name, .word = _str },
	EVAC_PHASES(X)
#undef X
#define X(_name, _e, _str, ...) { .set = "reason", .number = MM_REASON_##_name, .word = _str },
	MM_REASONS(X)
#undef X
#define X(_name, _field, _meaning) \
	{ .set = "zone_counter", .number = ZONE_COUNTER_##_name, .word = #_field },
	ZONE_COUNTERS(X)
#undef X
};

const struct trace_event_desc *trace_event_find(unsigned int id)
{
	const struct trace_event_desc *desc;

	for_each_trace_event(desc)
		if (desc->id == id)
			return desc;
	return NULL;
}

/* Check whether the @len bytes at @text are the string @word. */
static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && strncmp(text, word, len) == 0;
}

static bool field_value(const struct trace_record *record, const char *name, size_t len,
			u64 *value)
{
	const struct {
		const char *name;
		u64 value;
	} fields[] = {
		{ "pfn", record->pfn },	      { "end", record->pfn + record->count },
		{ "count", record->count },   { "before", record->before },
		{ "after", record->after },   { "flags", record->flags },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++)
		if (is_word(name, len, fields[i].name)) {
			*value = fields[i].value;
			return true;
		}
	return false;
}

static void print_word(const char *set, size_t len, u64 value, struct sink *out)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].number == value && is_word(set, len, words[i].set)) {
			sink_puts(out, words[i].word);
			return;
		}
	sink_printf(out, is_word(set, len, "pfn") ? "%lx" : "%lu", value);
}

/* Print one {field} or {field:set}; @len bytes without the braces. */
static void print_field(const struct trace_record *record, const char *text, size_t len,
			struct sink *out)
{
	const char *colon = memchr(text, ':', len);
	const size_t name_len = colon != NULL ? (size_t)(colon - text) : len;
	u64 value = 0;

	if (!field_value(record, text, name_len, &value))
		sink_puts(out, "?");
	else if (colon != NULL)
		print_word(colon + 1, len - name_len - 1, value, out);
	else if (is_word(text, len, "pfn") || is_word(text, len, "end"))
		sink_printf(out, "%lx", value);
	else
		sink_printf(out, "%lu", value);
}

static void print_text(const struct trace_record *record, const char *text,
		       struct sink *out)
{
	while (*text != '\0') {
		const char *brace = strchr(text, '{');
		const char *close = brace != NULL ? strchr(brace, '}') : NULL;

		if (close == NULL) {
			sink_puts(out, text);
			return;
		}
		out->write(out, text, brace - text);
		print_field(record, brace + 1, close - brace - 1, out);
		text = close + 1;
	}
}

/* Convert @record->time to microseconds; a device's time is in nanoseconds. */
static u64 to_usec(const struct trace_record *record)
{
	const u64 hz = record->hart == 0xff || ebb_trace.timebase_hz == 0 ?
			       NSEC_PER_SEC : ebb_trace.timebase_hz;

	return record->time / hz * USEC_PER_SEC + record->time % hz * USEC_PER_SEC / hz;
}

void trace_print(const struct trace_record *record, struct sink *out)
{
	const struct trace_event_desc *desc = trace_event_find(record->event);
	const char *name = desc != NULL ? strchr(desc->name, ':') + 1 : "unknown";
	const u64 usec = to_usec(record);
	DEFINE_SINK_BUFFER(line, 256);

	/* Write once, so that lines stay whole. */
	sink_printf(&line.sink, "%16s-%-7d [%03u] ..... %5llu.%06llu: %s: ",
		    record->hart == 0xff ? "device" : "ebb", 0, record->hart,
		    usec / USEC_PER_SEC, usec % USEC_PER_SEC, name);
	if (desc != NULL)
		print_text(record, desc->text, &line.sink);
	else
		sink_printf(&line.sink, "event=%u", record->event);
	sink_puts(&line.sink, "\n");
	sink_puts(out, line.text);
}

void trace_list(struct sink *out)
{
	const struct trace_event_desc *desc;

	for_each_trace_event(desc)
		sink_printf(out, "%3u %-24s %-4s %s\n", desc->id, desc->name,
			    trace_is_on(desc->id) ? "on" : "off", desc->fields);
}
