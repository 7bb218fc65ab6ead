/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines as commands: splitting, quotes, wrong words, statuses. */
#include "kernel/ktest.h"
#include "kernel/console/shell.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

static struct sink_buffer answer;
static char text[2048];

static int run(const char *line)
{
	sink_buffer_init(&answer, text, sizeof(text));
	return console_run_line(line, &answer.sink);
}

static void echo_and_quotes(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, run("echo a  \"b  c\" 'd;e'"), 0);
	KTEST_EXPECT_STREQ(test, text, "a b  c d;e\n");
}

/* echo writes one word into a file, with any spacing around ">"; without a file it prints. */
static void echo_into_files(struct ktest *test)
{
	static const char *const lines[] = {
		"echo x > /proc/meminfo", "echo x >/proc/meminfo",    "echo x> /proc/meminfo",
		"echo x>/proc/meminfo",	  "echo x >> /proc/meminfo", "echo -n x>>/proc/meminfo",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
		KTEST_EXPECT_EQ(test, run(lines[i]), -EPERM);
		KTEST_EXPECT_STREQ(test, text, "/proc/meminfo: read-only\n");
	}
	KTEST_EXPECT_EQ(test, run("echo >/proc/meminfo"), -EINVAL);
	KTEST_EXPECT_EQ(test, run("echo a b > /proc/meminfo"), -EINVAL);
	KTEST_EXPECT_EQ(test, run("echo x >"), 0);
	KTEST_EXPECT_STREQ(test, text, "x >\n");
	KTEST_EXPECT_EQ(test, run("echo -n 1 '>' 0 b"), 0);
	KTEST_EXPECT_STREQ(test, text, "1 > 0 b");
}

/*
 * An impossible frame does not count as "anywhere"; options that exclude each other are
 * refused.
 */
static void wrong_arguments(struct ktest *test)
{
	KTEST_EXPECT_LT(test, run("alloc 0 at 0xffffffffffffffff"), 0);
	KTEST_EXPECT_EQ(test, run("chmem -e -d -b 1"), -EINVAL);
	KTEST_EXPECT_EQ(test, run("chmem -e -z nowhere -b 1"), -EINVAL);
	KTEST_EXPECT_EQ(test, run("chmem -e -z MOVABLE -b 4095"), -ENOENT);
	KTEST_EXPECT_EQ(test, run("chmem -d -w soon -b 4095"), -EINVAL);
	KTEST_EXPECT_EQ(test, run("contig 0"), -EINVAL);
	KTEST_EXPECT_EQ(test, run("contig 9 at"), -EINVAL);
	KTEST_EXPECT_EQ(test, run("contig 9 at 0xfffffffffffffff0"), -ENOENT);
	KTEST_EXPECT_EQ(test, run("contig 1 at 0xffffffffffffffff"), -EINVAL);
}

/* contig takes contiguous frames, and has freed them when it prints its result. */
static void contig_by_hand(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, run("contig 1500; contig 0x600 wait 1; mm check"), 0);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, " nr 1500: "));
	KTEST_EXPECT_NOT_NULL(test, strstr(text, " nr 1536: "));
}

static void several_commands(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, run("echo one;echo two ; ; echo three;"), 0);
	KTEST_EXPECT_STREQ(test, text, "one\ntwo\nthree\n");
	KTEST_EXPECT_EQ(test, run("nonsense; echo on"), 0);
	KTEST_EXPECT_TRUE(test, strstr(text, "on\n") != NULL);
}

static void nothing_to_do(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, run(""), 0);
	KTEST_EXPECT_EQ(test, run("   # a comment"), 0);
	KTEST_EXPECT_STREQ(test, text, "");
}

/* Commands that take no arguments reject any, and do nothing. */
static void words_too_many(struct ktest *test)
{
	static const char *const commands[] = { "poweroff", "reboot", "dmesg" };

	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		char line[32];

		snprintf(line, sizeof(line), "%s now", commands[i]);
		KTEST_EXPECT_EQ(test, run(line), -EINVAL);
		snprintf(line, sizeof(line), "usage: %s\n", commands[i]);
		KTEST_EXPECT_STREQ(test, text, line);
	}
}

static void unknown_word(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, run("ehco hello"), -ENOSYS);
	KTEST_EXPECT_TRUE(test, strstr(text, "did you mean \"echo\"?") != NULL);
	KTEST_EXPECT_EQ(test, run("zzzzzzzzzz"), -ENOSYS);
	KTEST_EXPECT_TRUE(test, strstr(text, "\"help\"") != NULL);
}

static void bad_lines(struct ktest *test)
{
	char line[SHELL_LINE_BYTES + 8];

	KTEST_EXPECT_EQ(test, run("echo \"open"), -EINVAL);
	KTEST_EXPECT_TRUE(test, strstr(text, "not understood") == text);
	memset(line, 'a', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	KTEST_EXPECT_EQ(test, run(line), -E2BIG);
}

static void help_knows_all(struct ktest *test)
{
	const struct command *c;

	for_each_command(c) {
		KTEST_EXPECT_TRUE(test, strncmp(c->usage, c->name, strlen(c->name)) == 0);
		KTEST_EXPECT_TRUE(test, c->help[0] != '\0');
		KTEST_EXPECT_TRUE(test, command_find(c->name) == c);
	}
	KTEST_EXPECT_EQ(test, run("help echo"), 0);
	KTEST_EXPECT_EQ(test, run("help nothing"), -ENOENT);
}

static void files(struct ktest *test)
{
	KTEST_EXPECT_EQ(test, run("cat /proc/nothing"), -ENOENT);
	KTEST_EXPECT_EQ(test, run("echo x > /proc/meminfo"), -EPERM);
	KTEST_EXPECT_EQ(test, run("cat /proc/meminfo"), 0);
	KTEST_EXPECT_TRUE(test, strncmp(text, "MemTotal:", 9) == 0);
	KTEST_EXPECT_EQ(test, run("ls /proc"), 0);
	KTEST_EXPECT_TRUE(test, strstr(text, "buddyinfo\n") != NULL);
	KTEST_EXPECT_EQ(test, run("cat /sys/devices/system/memory/block_size_bytes"), 0);
	KTEST_EXPECT_STREQ(test, text, "8000000\n");
	KTEST_EXPECT_EQ(test, run("cat /sys/devices/system/memory/memory99999999/state"), -ENOENT);
	KTEST_EXPECT_EQ(test, run("cat /sys/devices/system/memory/memory/state"), -ENOENT);
}

static const struct ktest_case cases[] = {
	KTEST_CASE(echo_and_quotes),
	KTEST_CASE(echo_into_files),
	KTEST_CASE(wrong_arguments),
	KTEST_CASE(contig_by_hand),
	KTEST_CASE(several_commands),
	KTEST_CASE(nothing_to_do),
	KTEST_CASE(words_too_many),
	KTEST_CASE(unknown_word),
	KTEST_CASE(bad_lines),
	KTEST_CASE(help_knows_all),
	KTEST_CASE(files),
	{},
};

static struct ktest_suite suite = { .name = "shell", .cases = cases };
KTEST_SUITE(suite);
