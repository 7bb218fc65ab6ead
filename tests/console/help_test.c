/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts for the user: examples of commands, and lines of "hold" and "go". */
#include "kernel/console/shell.h"
#include "kernel/printk.h"
#include "kernel/trace/hold.h"
#include "lib/string.h"
#include "tests/console/answer.h"

/* Does the example end the machine, run tests, take all memory, or disturb other cases? */
static bool only_shown(const char *name)
{
	static const char *const names[] = {
		"crash", "poweroff", "reboot", "ut",	"bench", "contend",
		"pairs", "dumpsys",  "dmesg",  "veto",	"hold",	 "vmem",
		"trace", "chmem",    "echo",   "churn",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* "help COMMAND" ends with an example, which the command understands. */
static void examples(struct ktest *test)
{
	const struct command *c;

	for_each_command(c)
	{
		const size_t len = strlen(c->name);

		KTEST_ASSERT_EQ(test, strncmp(c->example, c->name, len), 0);
		KTEST_EXPECT_TRUE(test, c->example[len] == ' ' ||
						c->example[len] == '\0' ||
						c->example[len] == ';');
		EXPECT_MENTION(test, c->example, "help %s", c->name);
		if (only_shown(c->name))
			continue;
		(void)command("%s", c->example);
		KTEST_EXPECT_NULL(test, strstr(answer, "usage:"));
		KTEST_EXPECT_NULL(test, strstr(answer, "no such command"));
	}
	/* The examples may have left the page of "alloc" allocated and pinned. */
	(void)command("unpin 0x90a40; free 0x90a40");
}

static void go_with_nothing_held(struct ktest *test)
{
	EXPECT_ANSWER(test, 0, "nothing is held\n", "go");
	EXPECT_ANSWER(test, 0, "nothing is held\n", "step");
	EXPECT_ANSWER(test, 0, "", "hold evac:phase migrate");
	EXPECT_ANSWER(test, 0, "nothing is held; the hold point is unset\n", "go");
	KTEST_EXPECT_EQ(test, hold_event, 0);
}

static const struct ktest_case cases[] = {
	KTEST_CASE(examples),
	KTEST_CASE(go_with_nothing_held),
	{},
};

static struct ktest_suite suite = { .name = "help", .cases = cases };
KTEST_SUITE(suite);
