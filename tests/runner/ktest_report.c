/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a case says: failures with both operands, notes, skips. A report is one
 * write, so that it stays together whatever other harts print.
 */
#include "tests/runner/ktest_private.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

#define INDENT_MAX 16

static const char blanks[INDENT_MAX + 1] = "                ";

static const char *indentation(const struct ktest_run *run)
{
	return blanks + INDENT_MAX - min(run->indent, (unsigned int)INDENT_MAX);
}

void ktest_print(struct ktest_run *run, const char *fmt, ...)
{
	char text[SINK_PRINTF_MAX - INDENT_MAX - 2];
	va_list args;

	va_start(args, fmt);
	(void)vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	sink_printf(run->out, "%s%s\n", indentation(run), text);
}

bool ktest_failed(const struct ktest *test)
{
	return __atomic_load_n(&test->run->failed, __ATOMIC_RELAXED) != 0;
}

/* Notes the failure, prints @text under a headline, and leaves if asked to. */
static void fail(struct ktest *test, const struct ktest_place *place, const char *text)
{
	struct ktest_run *run = test->run;
	const char *const indent = indentation(run);

	__atomic_store_n(&run->failed, 1, __ATOMIC_RELAXED);
	sink_printf(run->out, "%s# %s: %s FAILED at %s:%u\n%s%s\n", indent,
		    run->test_case->name, place->abort ? "ASSERTION" : "EXPECTATION",
		    place->file, place->line, indent, text);
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
	fail(test, place, text);
}

static void print_value(char text[64], u64 value, bool is_signed)
{
	const unsigned long long v = value;

	if (is_signed)
		(void)scnprintf(text, 64, "%lld (0x%llx)", (long long)v, v);
	else
		(void)scnprintf(text, 64, "%llu (0x%llx)", v, v);
}

/* Cold: what was expected, and both values. */
static __noinline __cold void fail_binary(struct ktest *test, const struct ktest_place *place,
					  u64 left, u64 right)
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
	fail(test, place, text);
}

static bool compares(const struct ktest_place *place, u64 left, u64 right)
{
	/* Moving the sign bit turns the signed order into the unsigned one. */
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
		fail_binary(test, place, left, right);
}

void ktest_check_bool(struct ktest *test, const struct ktest_place *place, bool as_wanted)
{
	if (unlikely(!as_wanted))
		ktest_fail_message(test, place, "Expected %s to be %s, but it is not",
				   place->text, place->text + strlen(place->text) + 1);
}

void ktest_check_string(struct ktest *test, const struct ktest_place *place,
			const char *left, const char *right)
{
	if (left != NULL && right != NULL && strcmp(left, right) == 0)
		return;
	ktest_fail_message(test, place, "Expected %s to be \"%.80s\", but it is \"%.80s\"",
			   place->text, right != NULL ? right : "(NULL)",
			   left != NULL ? left : "(NULL)");
}

void ktest_check_memory(struct ktest *test, const struct ktest_place *place,
			const void *left, const void *right, size_t size)
{
	const u8 *a = left, *b = right;

	for (size_t i = 0; i < size; i++) {
		if (a[i] == b[i])
			continue;
		ktest_fail_message(test, place,
				   "Expected %s to be equal in %zu bytes, but byte %zu is "
				   "0x%02x instead of 0x%02x",
				   place->text, size, i, a[i], b[i]);
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

void ktest_lines_init(struct ktest_run *run)
{
	run->lines.write = lines_write;
	sink_buffer_init(&run->line, run->line_text, sizeof(run->line_text));
}

struct sink *ktest_sink(struct ktest *test)
{
	return &test->run->lines;
}
