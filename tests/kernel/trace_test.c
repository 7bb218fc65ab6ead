/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace: records, rings, lost records, text.
 *
 * The rings are the machine's own: the suite clears them, and at the end turns on the
 * events that were on before.
 */
#include "arch/inline.h"
#include "kernel/abi.h"
#include "kernel/ktest.h"
#include "kernel/console/shell.h"
#include "kernel/sink.h"
#include "kernel/trace/trace.h"
#include "kernel/trace/trace_table.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "test_threads.h"

static u64 was_on;

static int begin(struct ktest *test)
{
	if (ebb_trace.nr_records == 0)
		ktest_skip(test, "there are no trace rings");
	was_on = ebb_trace.enabled;
	(void)trace_set("*", TRACE_OFF);
	trace_clear();
	return 0;
}

static void end(struct ktest *test)
{
	const struct trace_event_desc *desc;

	(void)test;
	if (ebb_trace.nr_records == 0)
		return;
	(void)trace_set("*", TRACE_OFF);
	trace_clear();
	for_each_trace_event(desc)
		if (was_on & BIT(desc->id))
			(void)trace_set(desc->name, TRACE_ON);
}

static unsigned int evaluated;

static u64 count_evaluation(void)
{
	return ++evaluated;
}

static void off_means_off(struct ktest *test)
{
	struct trace_record record;

	evaluated = 0;
	trace_emit(TRACE_TEST_MARK, .pfn = count_evaluation());
	KTEST_EXPECT_EQ(test, evaluated, 0);
	KTEST_EXPECT_FALSE(test, trace_take(&record));
	/* If another event is on, this event is still off. */
	KTEST_EXPECT_EQ(test, trace_set("mm:frames", TRACE_ON), 1);
	trace_emit(TRACE_TEST_MARK, .pfn = 1);
	KTEST_EXPECT_FALSE(test, trace_take(&record));
}

static void records_say_what_was_emitted(struct ktest *test)
{
	struct trace_record record;
	u64 before;

	KTEST_EXPECT_EQ(test, trace_set("ktest:mark", TRACE_ON), 1);
	KTEST_EXPECT_TRUE(test, trace_is_on(TRACE_TEST_MARK));
	KTEST_EXPECT_FALSE(test, trace_is_on(TRACE_FRAMES));
	before = arch_time();
	trace_emit(TRACE_TEST_MARK, .pfn = 0x123456789abcUL, .count = 77, .before = 1,
		   .after = 0xffff, .flags = 0x5a);
	KTEST_ASSERT_TRUE(test, trace_take(&record));
	KTEST_EXPECT_EQ(test, record.event, TRACE_TEST_MARK);
	KTEST_EXPECT_EQ(test, record.pfn, 0x123456789abcUL);
	KTEST_EXPECT_EQ(test, record.count, 77);
	KTEST_EXPECT_EQ(test, record.before, 1);
	KTEST_EXPECT_EQ(test, record.after, 0xffff);
	KTEST_EXPECT_EQ(test, record.flags, 0x5a);
	/* Sequence number 0 means "from boot on": a replay starts with empty memory. */
	KTEST_EXPECT_NE(test, record.seq, 0);
	KTEST_EXPECT_LT(test, record.hart, nr_harts());
	KTEST_EXPECT_GE(test, record.time, before);
	KTEST_EXPECT_LE(test, record.time, arch_time());
	KTEST_EXPECT_FALSE(test, trace_take(&record));
}

static void globs_name_events(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, trace_set("nothing:*", TRACE_ON), 0);
	KTEST_EXPECT_EQ(test, trace_set("evac:*", TRACE_ON), 5);
	KTEST_EXPECT_TRUE(test, trace_is_on(TRACE_EVAC_MOVE));
	KTEST_EXPECT_EQ(test, trace_set("evac:move", TRACE_OFF), 1);
	KTEST_EXPECT_FALSE(test, trace_is_on(TRACE_EVAC_MOVE));
	KTEST_EXPECT_TRUE(test, trace_is_on(TRACE_EVAC_PHASE));
}

/*
 * Records that do not fit are lost, and a reader can take the rest; the two counts add up
 * to all records emitted.
 */
static const int overruns[] = { -1, 0, 1, 10 };

static void describe_overrun(const int *by, char desc[KTEST_DESC_SIZE])
{
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, desc, KTEST_DESC_SIZE);
	sink_printf(&buffer.sink, "by %d", *by);
}

KTEST_ARRAY_PARAM(overrun, overruns, describe_overrun)

static void overwritten_records_are_counted(struct ktest *test)
{
	const u64 emitted = ebb_trace.nr_records + *(const int *)test->param_value;
	/* One slot is always reserved for the next write. */
	const u64 lost = emitted - (ebb_trace.nr_records - 1);
	struct trace_record record;
	u64 taken = 0;

	(void)trace_set("ktest:mark", TRACE_ON);
	/* Emit them without a pause, so that all go to one ring. */
	for (u64 i = 0; i < emitted; i++)
		trace_emit(TRACE_TEST_MARK, .pfn = i);
	(void)trace_set("*", TRACE_OFF);
	KTEST_EXPECT_EQ(test, trace_lost(), lost);
	for (; trace_take(&record); taken++)
		KTEST_EXPECT_EQ(test, record.pfn, lost + taken);
	KTEST_EXPECT_EQ(test, taken + trace_lost(), emitted);
	trace_clear();
	KTEST_EXPECT_EQ(test, trace_lost(), 0);
}

#define MARKS 300

static int emit_marks(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < MARKS; i++) {
		trace_emit(TRACE_TEST_MARK, .pfn = this_hart()->id, .count = i);
		cond_resched();
	}
	return MARKS;
}

/*
 * Take records while all harts write: each record comes at most once and in order, and
 * missing records are counted.
 */
static void several_harts(struct ktest *test)
{
	struct trace_record record;
	u32 next[MAX_HARTS] = { 0 };
	unsigned int taken = 0;
	struct crew crew;
	int emitted;

	(void)trace_set("ktest:mark", TRACE_ON);
	crew_start(test, &crew, emit_marks, NULL);
	for (unsigned int i = 0; i < 50; i++) {
		while (trace_take(&record)) {
			KTEST_EXPECT_EQ(test, record.pfn, record.hart);
			KTEST_EXPECT_EQ(test, record.count, next[record.hart]);
			next[record.hart] = record.count + 1;
			taken++;
		}
		yield();
	}
	emitted = crew_join(test, &crew);
	while (trace_take(&record))
		taken++;
	KTEST_EXPECT_EQ(test, taken + trace_lost(), emitted);
}

static void merged_by_sequence(struct ktest *test)
{
	struct trace_record record;
	struct crew crew;
	bool first = true;
	u32 last = 0;

	(void)trace_set("ktest:mark", TRACE_ON);
	crew_start(test, &crew, emit_marks, NULL);
	crew_join(test, &crew);
	while (trace_take(&record)) {
		if (!first)
			KTEST_EXPECT_EQ(test, record.seq, last + 1);
		first = false;
		last = record.seq;
	}
	KTEST_EXPECT_FALSE(test, first);
}

static void text_form(struct ktest *test)
{
	const struct trace_record record = {
		.seq = 9, .event = TRACE_FRAMES, .hart = 2, .flags = 1, .pfn = 0x90a40,
		.time = ebb_trace.timebase_hz * 3, .count = 512, .before = PGTY_BUDDY,
		.after = PGTY_OFFLINE,
	};
	struct trace_record other = record;
	char *text = ktest_alloc(test, 512);
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, text, 512);
	trace_print(&record, &buffer.sink);
	KTEST_EXPECT_STREQ(test, text,
			   "             ebb-0       [002] .....     3.000000: frames: "
			   "pfn=0x90a40 nr=512 Buddy -> Offline flags=1\n");
	/* Unknown words and events print as numbers. */
	other.before = 999;
	sink_buffer_init(&buffer, text, 512);
	trace_print(&other, &buffer.sink);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "nr=512 999 -> Offline"));
	/* A count that stands for a frame is printed in hexadecimal, like a pfn. */
	other.event = TRACE_EVAC_MOVE;
	sink_buffer_init(&buffer, text, 512);
	trace_print(&other, &buffer.sink);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "pfn=0x90a40 dst=0x200 order=1"));
	other.event = 4711;
	sink_buffer_init(&buffer, text, 512);
	trace_print(&other, &buffer.sink);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, ": unknown: event=4711\n"));
}

static void dump_shows_the_last(struct ktest *test)
{
	char *text = ktest_alloc(test, 4096);
	struct sink_buffer buffer;
	unsigned int lines = 0;

	(void)trace_set("ktest:mark", TRACE_ON);
	for (u64 i = 0; i < 50; i++)
		trace_emit(TRACE_TEST_MARK, .pfn = 0x1000 + i);
	(void)trace_set("*", TRACE_OFF);
	sink_buffer_init(&buffer, text, 4096);
	trace_dump(&buffer.sink, 5);
	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	KTEST_EXPECT_EQ(test, lines, 5);
	KTEST_EXPECT_NULL(test, strstr(text, "0x102c "));
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "0x102d "));
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "0x1031 "));
}

/* Every row has a unique id below the bound, and a format that names existing fields. */
static void table_is_sound(struct ktest *test)
{
	const struct trace_event_desc *desc;
	u64 seen = 0;

	for_each_trace_event(desc) {
		const struct trace_record record = { .event = desc->id };
		char *text = ktest_alloc(test, 512);
		struct sink_buffer buffer;

		KTEST_ASSERT_LT(test, desc->id, NR_TRACE_EVENTS);
		KTEST_EXPECT_EQ(test, seen & BIT(desc->id), 0);
		seen |= BIT(desc->id);
		KTEST_EXPECT_NOT_NULL(test, strchr(desc->name, ':'));
		sink_buffer_init(&buffer, text, 512);
		trace_print(&record, &buffer.sink);
		KTEST_EXPECT_NULL(test, strchr(text, '?'));
		KTEST_EXPECT_EQ(test, text[buffer.len - 1], '\n');
	}
}

/* --- the command ----------------------------------------------------------------- */

static char answer[4096];

static int command(const char *line)
{
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, answer, sizeof(answer));
	return console_run_line(line, &buffer.sink);
}

/* "trace list" has a line for each event: number, name, on or off, fields. */
static void expect_list(struct ktest *test, u64 on)
{
	const struct trace_event_desc *desc;
	const char *at = answer;
	char *line = ktest_alloc(test, 256);

	KTEST_EXPECT_EQ(test, command("trace list"), 0);
	for_each_trace_event(desc) {
		snprintf(line, 256, "%3u %-24s %-4s %s\n", desc->id, desc->name,
			 on & BIT(desc->id) ? "on" : "off", desc->fields);
		KTEST_EXPECT_EQ(test, strncmp(at, line, strlen(line)), 0);
		at += strlen(line);
	}
	KTEST_EXPECT_STREQ(test, at, "");
}

static void switched_by_hand(struct ktest *test)
{
	const struct trace_event_desc *desc;
	u64 all = 0;

	for_each_trace_event(desc)
		all |= BIT(desc->id);
	expect_list(test, 0);
	KTEST_EXPECT_EQ(test, command("trace on ktest:mark"), 0);
	KTEST_EXPECT_STREQ(test, answer, "");
	expect_list(test, BIT(TRACE_TEST_MARK));
	KTEST_EXPECT_EQ(test, command("trace on; trace off mm:*; trace off evac:*"), 0);
	expect_list(test, ebb_trace.enabled);
	KTEST_EXPECT_FALSE(test, trace_is_on(TRACE_FRAMES));
	KTEST_EXPECT_TRUE(test, trace_is_on(TRACE_TEST_MARK));
	KTEST_EXPECT_EQ(test, command("trace on *"), 0);
	KTEST_EXPECT_EQ(test, ebb_trace.enabled, all);
	KTEST_EXPECT_EQ(test, command("trace off"), 0);
	expect_list(test, 0);
	KTEST_EXPECT_EQ(test, command("trace on mark"), -ENOENT);
	KTEST_EXPECT_STREQ(test, answer,
			   "trace: no event \"mark\"; "
			   "\"trace list\" shows them\n");
	KTEST_EXPECT_EQ(test, ebb_trace.enabled, 0);
}

static void dumped_by_hand(struct ktest *test)
{
	struct trace_record taken;
	char *second;

	(void)trace_set("ktest:mark", TRACE_ON);
	trace_emit(TRACE_TEST_MARK, .pfn = 0x11);
	trace_emit(TRACE_TEST_MARK, .pfn = 0x22);
	KTEST_EXPECT_EQ(test, command("trace dump"), 0);
	second = strchr(answer, '\n');
	KTEST_ASSERT_NOT_NULL(test, second);
	KTEST_EXPECT_NOT_NULL(test, strstr(second, "mark: 0x22 0"));
	*second = '\0';
	KTEST_EXPECT_NOT_NULL(test, strstr(answer, "mark: 0x11 0"));
	KTEST_EXPECT_EQ(test, command("trace dump 1"), 0);
	KTEST_EXPECT_NULL(test, strstr(answer, "mark: 0x11 0"));
	KTEST_EXPECT_NOT_NULL(test, strstr(answer, "mark: 0x22 0"));
	/* "trace dump" still shows a record that a reader of the trace port has taken. */
	KTEST_ASSERT_TRUE(test, trace_take(&taken));
	KTEST_EXPECT_EQ(test, taken.pfn, 0x11);
	KTEST_EXPECT_EQ(test, command("trace dump"), 0);
	KTEST_EXPECT_NOT_NULL(test, strstr(answer, "mark: 0x11 0"));
	KTEST_EXPECT_EQ(test, command("trace clear; trace dump"), 0);
	KTEST_EXPECT_STREQ(test, answer, "");
	KTEST_EXPECT_EQ(test, command("trace dump all"), -EINVAL);
	KTEST_EXPECT_STREQ(test, answer, "trace: \"all\" is not a number of records\n");
	KTEST_EXPECT_EQ(test, command("trace list all"), -EINVAL);
	KTEST_EXPECT_EQ(test, strncmp(answer, "usage: trace ", 13), 0);
}

/*
 * A muted site records nothing, as if its call were not there. Any site would do; this
 * is site 0.
 */
static void muted_by_hand(struct ktest *test)
{
	const struct trace_site *site = __start_trace_sites;
	char *row = ktest_alloc(test, 64);

	for (unsigned int muted = 0; muted < 2; muted++) {
		KTEST_EXPECT_EQ(test, command(muted ? "trace mute 0" : "trace unmute 0"), 0);
		KTEST_EXPECT_STREQ(test, answer, "");
		KTEST_EXPECT_EQ(test, READ_ONCE(site->muted), muted);
		KTEST_EXPECT_EQ(test, command("trace sites"), 0);
		snprintf(row, 64, "  0 %9u %-5s ", site->reached, muted ? "muted" : "-");
		KTEST_EXPECT_EQ(test, strncmp(answer, row, strlen(row)), 0);
	}
	KTEST_EXPECT_EQ(test, command("trace unmute 0"), 0);
	KTEST_EXPECT_EQ(test, command("trace mute 99999"), -ENOENT);
	KTEST_EXPECT_STREQ(test, answer,
			   "trace: \"99999\" is not a site; "
			   "\"trace sites\" lists them\n");
}

static const struct ktest_case trace_cases[] = {
	KTEST_CASE(off_means_off),
	KTEST_CASE(records_say_what_was_emitted),
	KTEST_CASE(globs_name_events),
	KTEST_CASE_PARAM(overwritten_records_are_counted, overrun_gen_params),
	KTEST_CASE(several_harts),
	KTEST_CASE(merged_by_sequence),
	KTEST_CASE(text_form),
	KTEST_CASE(dump_shows_the_last),
	KTEST_CASE(table_is_sound),
	KTEST_CASE(switched_by_hand),
	KTEST_CASE(dumped_by_hand),
	KTEST_CASE(muted_by_hand),
	{}
};

static struct ktest_suite trace_suite = { .name = "trace", .init = begin, .exit = end,
					  .cases = trace_cases };
KTEST_SUITE(trace_suite);
