/* SPDX-License-Identifier: BSD-2-Clause */
/* Tab at the prompt completes commands and file paths. */
#include "kernel/ktest.h"
#include "kernel/console/shell.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "mm/memory_hotplug.h"
#include "tests/console/answer.h"

static struct lineedit ed;
static struct sink_buffer screen;
static char text[8192];

/* Return the line after these keys; the last key is Tab. */
static const char *line_of(const char *keys)
{
	sink_buffer_init(&screen, text, sizeof(text));
	lineedit_init(&ed, "> ", &screen.sink, shell_complete);
	lineedit_start(&ed);
	while (*keys)
		(void)lineedit_feed(&ed, (u8)*keys++);
	return ed.line;
}

static void lines(struct ktest *test)
{
	static const struct {
		const char *keys, *line;
	} rows[] = {
		{ "dump_p\t", "dump_page " },
		{ "  unp\t", "  unpin " },
		{ "echo a;lsm\t", "echo a;lsmem " },
		{ "echo a; lsm\t", "echo a; lsmem " },
		{ "help chm\t", "help chmem " },
		{ "cat /proc/memi\t", "cat /proc/meminfo " },
		{ "cat /proc/meminfo /proc/budd\t",
		  "cat /proc/meminfo /proc/buddyinfo " },
		{ "ls /sy\t", "ls /sys/" },
		{ "echo offl\t", "echo offline " },
		{ "alloc 0 mov\t", "alloc 0 movable " },
		{ "alloc 0 movable a\t", "alloc 0 movable at " },
		{ "hold evac:ph\t", "hold evac:phase " },
		{ "hold evac:phase mig\t", "hold evac:phase migrate " },
		{ "lsmem;hold evac:phase cl\t", "lsmem;hold evac:phase classify " },
		{ "trace o\t", "trace o" },
		{ "trace on evac:ph\t", "trace on evac:phase " },
		{ "trace mut\t", "trace mute " },
		{ "chmem -z M\t", "chmem -z Movable " },
		{ "chmem -z Movable -w\t", "chmem -z Movable -w " },
		{ "veto onl\t", "veto online " },
		{ "mm ce\t", "mm census " },
		{ "help logl\t", "help loglevel " },
		{ "help par\t", "help param" },
		{ "ut lineedit_s\t", "ut lineedit_screen " },
		{ "ut completion kunit.f\t", "ut completion kunit.filter=" },
		{ "cat /proc/meminfo;  map -\t", "cat /proc/meminfo;  map -" },
		{ "ls /sys/dev\t", "ls /sys/devices/" },
		{ "cat /sys/devices/system/memory/bl\t",
		  "cat /sys/devices/system/memory/block_size_bytes " },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		KTEST_EXPECT_STREQ(test, line_of(rows[i].keys), rows[i].line);
		KTEST_EXPECT_NULL(test, strchr(text, '\a'));
	}
}

/* An unknown word, and a path that leads nowhere, ring the bell. */
static void nothing_to_offer(struct ktest *test)
{
	static const char *const rows[] = { "zz\t",	   "echo lsm\t",	   "cat /proc/zz\t",
					    "cat /zz/\t",   "helpless ls\t", "lsmem -a \t",
					    "trace list \t", "pin \t",	   "mm check \t" };

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *line = line_of(rows[i]);

		KTEST_EXPECT_EQ(test, strncmp(line, rows[i], strlen(rows[i]) - 1), 0);
		KTEST_EXPECT_EQ(test, strlen(line), strlen(rows[i]) - 1);
		KTEST_EXPECT_NOT_NULL(test, strchr(text, '\a'));
	}
}

/* Several names match: the first Tab fills in their common start, the second lists them. */
static void several(struct ktest *test)
{
	KTEST_EXPECT_STREQ(test, line_of("du\t\t"), "dump");
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "dump_page  "));
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "dumpsys  "));
	KTEST_EXPECT_STREQ(test, line_of("cat /\t\t"), "cat /");
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "\n/proc/  /sys/  \n"));
}

/* Completion offers each first word that a usage line allows, once, and nothing else. */
static void first_words(struct ktest *test)
{
	static const struct {
		const char *keys, *list;
	} rows[] = {
		{ "mm \t\t", "\ncheck  census  \n" },
		{ "hold \t\t", "\nevac:phase  evac:verdict  evac:move  \n" },
		{ "hold evac:verdict\025trace \t\t",
		  "\non  off  dump  list  clear  sites  mute  unmute  \n" },
		{ "chmem -z \t\t", "\nMovable  Normal  \n" },
		{ "cat \t\t", "\n/proc/  /sys/  \n" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		(void)line_of(rows[i].keys);
		KTEST_EXPECT_NOT_NULL(test, strstr(text, rows[i].list));
	}
}

/*
 * After a number or a name, completion offers each word of the usage line except
 * placeholders.
 */
static void words_after_a_number(struct ktest *test)
{
	(void)line_of("alloc m \t\t");
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "\nunmovable  movable  reclaimable  at  \n"));
	(void)line_of("chmem -d -b 18 \t\t");
	KTEST_EXPECT_NULL(test, strstr(text, "-BLOCK"));
}

/* Each present block has its files; an absent block has none. */
static void files_of_a_block(struct ktest *test)
{
	const unsigned long block = next_memory_block(&kernel_mm, 0);
	char *line = ktest_alloc(test, LINE_MAX_BYTES),
	     *want = ktest_alloc(test, LINE_MAX_BYTES);

	snprintf(line, LINE_MAX_BYTES, "cat /sys/devices/system/memory/memory%lu/va\t",
		 block);
	snprintf(want, LINE_MAX_BYTES,
		 "cat /sys/devices/system/memory/memory%lu/valid_zones ", block);
	KTEST_EXPECT_STREQ(test, line_of(line), want);
	snprintf(line, LINE_MAX_BYTES, "cat /sys/devices/system/memory/memory4095/va\t");
	KTEST_EXPECT_EQ(test, strlen(line_of(line)), strlen(line) - 1);
}

/* "complete" prints the same words for a program, one on each line. */
static void for_a_program(struct ktest *test)
{
	EXPECT_ANSWER(test, 0, "evac:phase\n", "complete 'trace on evac:ph'");
	EXPECT_ANSWER(test, 0, "lsmem\n", "complete 'echo a;lsm'");
	EXPECT_ANSWER(test, 0, "/proc/\n/sys/\n", "complete 'cat '");
	EXPECT_ANSWER(test, 0, "", "complete 'mm check '");
	EXPECT_MENTION(test, "alloc\n", "complete ''");
	EXPECT_ANSWER(test, -EINVAL, "usage: complete LINE\n", "complete");
}

static const struct ktest_case cases[] = {
	KTEST_CASE(lines),
	KTEST_CASE(nothing_to_offer),
	KTEST_CASE(several),
	KTEST_CASE(first_words),
	KTEST_CASE(words_after_a_number),
	KTEST_CASE(files_of_a_block),
	KTEST_CASE(for_a_program),
	{},
};

static struct ktest_suite suite = { .name = "completion", .cases = cases };
KTEST_SUITE(suite);
