/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_CONSOLE_ANSWER_H
#define _TESTS_CONSOLE_ANSWER_H

/* Commands as a user types them, for the suites about the console. */
#include "kernel/ktest.h"

#define ANSWER_BYTES 8192

/* The text that the last command() wrote, or its first ANSWER_BYTES - 1 bytes. */
extern char answer[ANSWER_BYTES];

/* Run a line of commands, formatted like printf(). Return: its status. */
int command(const char *format, ...) __printf(1, 2);

/* Expect that the command ends with this status and that its answer is exactly this text. */
#define EXPECT_ANSWER(test, status, text, ...)                       \
	do {                                                         \
		KTEST_EXPECT_EQ(test, command(__VA_ARGS__), status); \
		KTEST_EXPECT_STREQ(test, answer, text);              \
	} while (0)

/* Expect that the command succeeds and that its answer contains this text. */
#define EXPECT_MENTION(test, text, ...)                              \
	do {                                                         \
		KTEST_EXPECT_EQ(test, command(__VA_ARGS__), 0);      \
		KTEST_EXPECT_NOT_NULL(test, strstr(answer, text));   \
	} while (0)

#endif
