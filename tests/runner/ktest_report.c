/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reports of a case: failures with both operands, notes, skips. A report is a
 * single write, so that it stays together whatever other harts print.
 */
#include "tests/runner/ktest_private.h"
#include "kernel/sched.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

#define INDENT_MAX 16

static const char blanks[INDENT_MAX + 1] = "                ";

static const char *indentation(const struct ktest_run *run)
{
	return blanks + INDENT_MAX - min(run->indent, (unsigned int)INDENT_MAX);
}

/* Keep a report of a thread that holds a lock; count the bytes that do not fit. */
static void keep(struct ktest_run *run, const char *text, size_t len)
{
	const unsigned long flags = spin_lock_irqsave(&run->kept_lock);

	run->kept.sink.write(&run->kept.sink, text, len);
	spin_unlock_irqrestore(&run->kept_lock, flags);
}

static void flush_kept(struct ktest_run *run)
{
	char text[sizeof(run->kept_text)];
	struct sink_buffer kept;
	unsigned long flags;

	flags = spin_lock_irqsave(&run->kept_lock);
	memcpy(text, run->kept_text, run->kept.len + 1);
	kept = run->kept;
	sink_buffer_init(&run->kept, run->kept_text, sizeof(run->kept_text));
	spin_unlock_irqrestore(&run->kept_lock, flags);
	kept.text = text;
	sink_drain(&kept, run->console);
}

static void report_write(struct sink *sink, const char *text, size_t len)
{
	struct ktest_run *run = container_of(sink, struct ktest_run, report);

	if (!sink_can_wait()) {
		keep(run, text, len);
		return;
	}
	if (READ_ONCE(run->kept.len) != 0)
		flush_kept(run);
	run->console->write(run->console, text, len);
}

void ktest_print(struct ktest_run *run, const char *fmt, ...)
{
	char text[SINK_PRINTF_MAX - INDENT_MAX - 2];
	va_list args;

	va_start(args, fmt);
	(void)vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	sink_printf(&run->report, "%s%s\n", indentation(run), text);
}

bool ktest_failed(const struct ktest *test)
{
	return __atomic_load_n(&test->run->failed, __ATOMIC_RELAXED) != 0;
}

/* A function's record on the stack: its caller's frame pointer and its return address. */
struct frame {
	unsigned long fp;
	unsigned long ra;
};

static const struct frame *frame_at(unsigned long fp)
{
#ifdef __riscv
	return (const struct frame *)fp - 1;
#else
	return (const struct frame *)fp;
#endif
}

/* The place from which an expectation's function was called. */
#define CALLED_FROM ((unsigned long)__builtin_return_address(0))

/*
 * Return the call in the case itself, or in another function of its suite, that led here; 0
 * in another thread and in an action. Tests are compiled so that each call has a frame.
 */
static __noinline unsigned long called_by_case(const struct ktest_run *run)
{
	unsigned long fp = (unsigned long)__builtin_frame_address(0);

	if (current_thread() != run->thread || !run->on_stack)
		return 0;
	while (fp < run->base_fp) {
		const struct frame *frame = frame_at(fp);

		if (frame->fp <= fp || frame->fp >= run->base_fp)
			return 0;
		if (frame_at(frame->fp)->fp == run->base_fp)
			return frame->ra;
		fp = frame->fp;
	}
	return 0;
}

/*
 * Record the failure, print @text under a headline, and leave the case if @place says so.
 * The headline names the case's own line, even if the expectation at @pc is in a helper.
 */
static void fail(struct ktest *test, const struct ktest_place *place, unsigned long pc,
		 const char *text)
{
	struct ktest_run *run = test->run;
	const char *const indent = indentation(run);
	const unsigned long call = called_by_case(run);
	char here[96], where[160], helper[128] = "";

	__atomic_store_n(&run->failed, 1, __ATOMIC_RELAXED);
	(void)scnprintf(here, sizeof(here), "%s:%u", place->file, place->line);
	(void)strscpy(where, here, sizeof(where));
	if (call != 0 && call != pc) {
		ktest_code_place(call - 1, where, sizeof(where));
		(void)scnprintf(helper, sizeof(helper), "%s    in a helper, %s\n", indent, here);
	}
	sink_printf(&run->report, "%s# %s: %s FAILED at %s\n%s%s\n%s", indent,
		    run->test_case->name, place->abort ? "ASSERTION" : "EXPECTATION", where,
		    indent, text, helper);
	if (place->abort)
		ktest_abort(test);
}

void ktest_fail_message(struct ktest *test, const struct ktest_place *place,
			const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fail(test, place, CALLED_FROM, text);
}

static void print_value(char text[64], u64 value, bool is_signed)
{
	const unsigned long long v = value;

	if (is_signed)
		(void)scnprintf(text, 64, "%lld (0x%llx)", (long long)v, v);
	else
		(void)scnprintf(text, 64, "%llu (0x%llx)", v, v);
}

/* Cold path: print the expectation and both values. */
static __noinline __cold void fail_binary(struct ktest *test, const struct ktest_place *place,
					  unsigned long pc, u64 left, u64 right)
{
	static const char *const ops[] = { "==", "!=", "<", "<=", ">", ">=" };
	const char *const indent = indentation(test->run);
	const char *const right_text = place->text + strlen(place->text) + 1;
	char left_value[64], right_value[64], text[384];

	print_value(left_value, left, place->is_signed);
	print_value(right_value, right, place->is_signed);
	(void)scnprintf(text, sizeof(text),
			"Expected %s %s %s, but\n%s    %s == %s\n%s    %s == %s", place->text,
			ops[place->op], right_text, indent, place->text, left_value, indent,
			right_text, right_value);
	fail(test, place, pc, text);
}

static bool compares(const struct ktest_place *place, u64 left, u64 right)
{
	/* Flipping the sign bit turns the signed order into the unsigned order. */
	const u64 flip = place->is_signed ? 1UL << 63 : 0;
	const u64 a = left ^ flip, b = right ^ flip;

	switch ((enum ktest_op)place->op) {
	case KTEST_EQ:
		return a == b;
	case KTEST_NE:
		return a != b;
	case KTEST_LT:
		return a < b;
	case KTEST_LE:
		return a <= b;
	case KTEST_GT:
		return a > b;
	case KTEST_GE:
		return a >= b;
	case KTEST_IS:
		break;
	}
	return false;
}

void ktest_check_binary(struct ktest *test, const struct ktest_place *place, u64 left,
			u64 right)
{
	if (unlikely(!compares(place, left, right)))
		fail_binary(test, place, CALLED_FROM, left, right);
}

void ktest_check_bool(struct ktest *test, const struct ktest_place *place, bool as_wanted)
{
	char text[256];

	if (likely(as_wanted))
		return;
	(void)scnprintf(text, sizeof(text), "Expected %s to be %s, but it is not", place->text,
			place->text + strlen(place->text) + 1);
	fail(test, place, CALLED_FROM, text);
}

void ktest_check_string(struct ktest *test, const struct ktest_place *place,
			const char *left, const char *right)
{
	char text[256];

	if (left != NULL && right != NULL && strcmp(left, right) == 0)
		return;
	(void)scnprintf(text, sizeof(text), "Expected %s to be \"%.80s\", but it is \"%.80s\"",
			place->text, right != NULL ? right : "(NULL)",
			left != NULL ? left : "(NULL)");
	fail(test, place, CALLED_FROM, text);
}

void ktest_check_memory(struct ktest *test, const struct ktest_place *place,
			const void *left, const void *right, size_t size)
{
	const u8 *a = left, *b = right;
	char text[256];

	for (size_t i = 0; i < size; i++) {
		if (a[i] == b[i])
			continue;
		(void)scnprintf(text, sizeof(text),
				"Expected %s to be equal in %zu bytes, but byte %zu is "
				"0x%02x instead of 0x%02x",
				place->text, size, i, a[i], b[i]);
		fail(test, place, CALLED_FROM, text);
		return;
	}
}

void ktest_info(struct ktest *test, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ktest_print(test->run, "# %s: %s", test->run->test_case->name, text);
}

void ktest_skip(struct ktest *test, const char *fmt, ...)
{
	struct ktest_run *run = test->run;
	va_list args;

	va_start(args, fmt);
	(void)vscnprintf(run->skip_reason, sizeof(run->skip_reason), fmt, args);
	va_end(args);
	if (run->skip_reason[0] == '\0')
		(void)strscpy(run->skip_reason, "no reason given", sizeof(run->skip_reason));
	ktest_abort(test);
}

void ktest_expect_warnings(struct ktest *test, unsigned int nr)
{
	test->run->warnings_allowed = nr;
}

void ktest_flush_lines(struct ktest_run *run)
{
	if (run->line.len != 0)
		ktest_print(run, "# %s", run->line_text);
	sink_buffer_init(&run->line, run->line_text, sizeof(run->line_text));
	if (READ_ONCE(run->kept.len) != 0 && sink_can_wait())
		flush_kept(run);
}

static void lines_write(struct sink *sink, const char *text, size_t len)
{
	struct ktest_run *run = container_of(sink, struct ktest_run, lines);

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n' || run->line.len + 1 == run->line.size)
			ktest_flush_lines(run);
		if (text[i] != '\n')
			run->line.sink.write(&run->line.sink, text + i, 1);
	}
}

void ktest_report_init(struct ktest_run *run, struct sink *console)
{
	run->console = console;
	run->report.write = report_write;
	spin_lock_init(&run->kept_lock, "ktest.kept_lock");
	sink_buffer_init(&run->kept, run->kept_text, sizeof(run->kept_text));
	run->lines.write = lines_write;
	sink_buffer_init(&run->line, run->line_text, sizeof(run->line_text));
}

struct sink *ktest_sink(struct ktest *test)
{
	return &test->run->lines;
}
