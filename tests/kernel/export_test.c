/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exports from the kernel: stop_machine(), snapshots, the reader of the trace rings, the
 * view, kpageflags.
 */
#include "kernel/console/shell.h"
#include "kernel/console/export.h"
#include "kernel/ktest.h"
#include "kernel/quiesce.h"
#include "kernel/sink.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/trace/trace.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "strict_sink.h"
#include "test_threads.h"

#define STOP_NS (60 * NSEC_PER_SEC)

static u32 ticks;

static int tick(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < 2000; i++) {
		__atomic_fetch_add(&ticks, 1, __ATOMIC_RELAXED);
		cond_resched();
	}
	return 0;
}

/*
 * Count other harts' ticks in a millisecond; a hart that still ran would tick in that time.
 */
static void look_twice(void *arg)
{
	const u32 first = READ_ONCE(ticks);
	const u64 end = ktime_ns() + NSEC_PER_MSEC;

	while (ktime_ns() < end)
		;
	*(u32 *)arg += READ_ONCE(ticks) - first;
}

static void others_stand_still(struct ktest *test)
{
	struct crew crew;
	u32 moved = 0;

	ticks = 0;
	crew_start(test, &crew, tick, NULL);
	for (unsigned int i = 0; i < 5; i++)
		KTEST_EXPECT_EQ(test, stop_machine(look_twice, &moved, STOP_NS), 0);
	crew_join(test, &crew);
	KTEST_EXPECT_EQ(test, moved, 0);
	KTEST_EXPECT_NE(test, ticks, 0);
}

/*
 * A sink that checks a snapshot while it is written: parts are in order, runs are adjacent,
 * and every frame is accounted for.
 */
struct watcher {
	struct sink sink;
	struct ktest *test;
	u64 next;
	u32 inside;
	u64 frames;
	u64 free;
	u64 zone_free;
	bool ended;
};

static void watch_record(struct watcher *w, const struct trace_record *r)
{
	KTEST_EXPECT_EQ(w->test, r->hart, TRACE_HART_SNAPSHOT);
	if (r->event == TRACE_SNAP_PART) {
		KTEST_EXPECT_EQ(w->test, w->inside, 0);
		KTEST_EXPECT_EQ(w->test, r->pfn, w->next);
		w->inside = r->count;
		return;
	}
	KTEST_ASSERT_NE(w->test, w->inside, 0);
	w->inside--;
	if (r->event == TRACE_SNAP_END) {
		KTEST_EXPECT_EQ(w->test, w->inside, 0);
		w->next = r->pfn;
		w->ended = r->after;
	} else if (r->event == TRACE_FRAMES) {
		w->frames += r->count;
		w->free += r->after == PGTY_BUDDY ? r->count : 0;
	} else if (r->event == TRACE_ZONE_COUNT && (r->count == ZONE_COUNTER_FREE ||
						    r->count == ZONE_COUNTER_FREE_ISOLATED)) {
		w->zone_free += r->pfn;
	}
}

static void watch(struct sink *sink, const char *bytes, size_t len)
{
	struct watcher *w = container_of(sink, struct watcher, sink);
	struct trace_record record;

	KTEST_EXPECT_EQ(w->test, len % sizeof(record), 0);
	for (; len >= sizeof(record); len -= sizeof(record), bytes += sizeof(record)) {
		memcpy(&record, bytes, sizeof(record));
		watch_record(w, &record);
	}
}

static void snapshots_are_whole(struct ktest *test)
{
	struct watcher w = { .sink.write = watch, .test = test };

	if (kernel_mm.name == NULL)
		ktest_skip(test, "there is no kernel memory");
	KTEST_ASSERT_EQ(test, export_write("snapshot", &w.sink), 0);
	KTEST_EXPECT_TRUE(test, w.ended);
	KTEST_EXPECT_EQ(test, w.free, w.zone_free);
	KTEST_EXPECT_EQ(test, w.frames % PAGES_PER_SECTION, 0);
	KTEST_EXPECT_NE(test, w.frames, 0);
	KTEST_EXPECT_EQ(test, export_write("nothing", &w.sink), -ENOENT);
}

/* A host that does not read: its export waits until the test lets the export continue. */
struct stalled {
	struct sink sink;
	u32 began, go_on;
};

static void stall(struct sink *sink, const char *bytes, size_t len)
{
	struct stalled *s = container_of(sink, struct stalled, sink);

	(void)bytes;
	(void)len;
	WRITE_ONCE(s->began, 1);
	while (!READ_ONCE(s->go_on))
		msleep(10);
}

static int records_stalled(void *arg)
{
	struct stalled *s = arg;

	return export_write("records", &s->sink);
}

/* Leave a record for a reader to take; the event stays on or off as before. */
static void leave_a_record(void)
{
	const bool was_on = trace_is_on(TRACE_TEST_MARK);

	(void)trace_set("ktest:mark", TRACE_ON);
	trace_emit(TRACE_TEST_MARK, .pfn = 1);
	(void)trace_set("ktest:mark", was_on ? TRACE_ON : TRACE_OFF);
}

static void expect_export(struct ktest *test, const char *line, int status, const char *words)
{
	char *text = ktest_alloc(test, 1024);
	struct sink_buffer answer;

	sink_buffer_init(&answer, text, 1024);
	KTEST_EXPECT_EQ(test, console_run_line(line, &answer.sink), status);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, words));
}

/*
 * The rings have one reader at a time. A second reader, at the console, gets -EBUSY and
 * does not wait; exports other than the trace are not affected.
 */
static void stalled_reader_stops_nobody(struct ktest *test)
{
	struct stalled s = { .sink.write = stall };
	struct thread *thread;

	if (ebb_trace.nr_records == 0)
		ktest_skip(test, "there are no trace rings");
	leave_a_record();
	thread = thread_create("stalled", records_stalled, &s);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_EXPECT_TRUE(test, wait_for_count(&s.began, 1));
	expect_export(test, "dumpsys records", -EBUSY, "0 bytes status -16-----\n");
	expect_export(test, "dumpsys header", 0, " status 0-----\n");
	WRITE_ONCE(s.go_on, 1);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, NULL), 0);
	expect_export(test, "dumpsys records", 0, " status 0-----\n");
}

/* An export holds no lock while it writes. */
static void exports_hold_nothing(struct ktest *test)
{
	static const char *const names[] = { "header", "records", "snapshot", "dumpsys",
					     "view" };

	if (kernel_mm.name == NULL || ebb_trace.nr_records == 0)
		ktest_skip(test, "there is no kernel memory, or there are no trace rings");
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		struct strict_sink strict = STRICT_SINK;

		leave_a_record();
		KTEST_EXPECT_EQ(test, export_write(names[i], &strict.sink), 0);
		EXPECT_STRICT(test, &strict);
	}
}

/* The view contains the output of each of its commands, with the map in colour. */
static void view_is_text(struct ktest *test)
{
	static const char *const words[] = { "memory", "|\033[", " free, blank hole\n",
					     "MemTotal: ", "nr_free_pages " };
	const size_t size = KTEST_ARENA_SIZE / 2;
	char *text = ktest_alloc(test, size);
	struct sink_buffer view;
	const char *at = text;

	if (kernel_mm.name == NULL)
		ktest_skip(test, "there is no kernel memory");
	sink_buffer_init(&view, text, size);
	KTEST_EXPECT_EQ(test, export_write("view", &view.sink), 0);
	KTEST_EXPECT_EQ(test, view.lost, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		at = strstr(at, words[i]);
		KTEST_ASSERT_NOT_NULL(test, at);
	}
}

static void flags_as_linux_numbers_them(struct ktest *test)
{
	static const struct {
		struct page_state st;
		u64 flags;
	} cases[] = {
		{ { .type = PGTY_BUDDY }, BIT(10) },
		{ { .type = PGTY_CACHED }, 0 },
		{ { .type = PGTY_OFFLINE, .flags = PG_OFFLINE_SKIPPABLE }, BIT(23) },
		{ { .type = PGTY_PGTABLE }, BIT(26) },
		{ { .type = PGTY_SLAB, .order = 2 }, BIT(7) | BIT(15) },
		{ { .type = PGTY_SLAB, .order = 2, .flags = PG_TAIL }, BIT(7) | BIT(16) },
		{ { .type = PGTY_ANON }, BIT(12) },
		{ { .type = PGTY_ANON, .order = 9, .flags = PG_TAIL },
		  BIT(12) | BIT(16) | BIT(22) },
		{ { .type = PGTY_PAGECACHE }, BIT(5) },
		{ { .type = PGTY_HUGE, .order = 9 }, BIT(17) | BIT(15) },
		{ { .type = PGTY_DRIVER }, 0 },
		/* Linux shows PG_reserved; bit 11, MMAP, means mapped by a process. */
		{ { .type = PGTY_FIRMWARE }, BIT(32) },
		{ { .type = PGTY_IMAGE }, BIT(32) },
		{ { .type = PGTY_BOOT }, BIT(32) },
		{ { .type = PGTY_MEMMAP }, BIT(32) },
		{ { .type = PGTY_HOLE }, BIT(20) },
		{ { .type = PGTY_DEVICE }, BIT(20) },
		{ { .type = PGTY_KERNEL, .flags = PG_HWPOISON }, BIT(19) },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
		KTEST_EXPECT_EQ(test, kpageflags_of(&cases[i].st), cases[i].flags);
	KTEST_EXPECT_EQ(test, kpageflags_of(NULL), BIT(20));
}

static const struct ktest_case export_cases[] = {
	KTEST_CASE(others_stand_still),
	KTEST_CASE(snapshots_are_whole),
	KTEST_CASE(stalled_reader_stops_nobody),
	KTEST_CASE(exports_hold_nothing),
	KTEST_CASE(view_is_text),
	KTEST_CASE(flags_as_linux_numbers_them),
	{}
};

static struct ktest_suite export_suite = { .name = "export", .cases = export_cases };
KTEST_SUITE(export_suite);
