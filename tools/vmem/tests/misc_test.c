/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes on the command line, faults, and the byte buffer. */
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "faults.h"
#include "log.h"
#include "options.h"

TEST(options, sizes)
{
	static const char *const bad[] = {
		"",	     "K",   "-1", "1.5G", "1X",
		"1KK",	     "0xg", " 1", "1 ",	  "99999999999999999999",
		"16777216T", "0x",  "1MB"
	};
	static const struct {
		const char *text;
		u64 bytes;
	} good[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "1k", 1024 },
		{ "2M", 2 << 20 },
		{ "3G", 3UL << 30 },
		{ "1T", 1UL << 40 },
		{ "0x88000000", 0x88000000 },
		{ "0x10M", 16 << 20 },
		{ "18446744073709551615", UINT64_MAX },
		{ "010", 10 },
	};
	u64 bytes;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		bytes = 1;
		CHECK(parse_size(good[i].text, &bytes));
		CHECK_EQ(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (parse_size(bad[i], &bytes))
			test_fail(__FILE__, __LINE__, "that '%s' is refused", bad[i]);
	}
}

TEST(options, numbers)
{
	static const char *const bad[] = {
		"",    " 1",  "+1",  "-1",  "1K",
		"0x1", "1.0", "256", "1e1", "18446744073709551616"
	};
	u64 number = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (parse_number(bad[i], 255, &number))
			test_fail(__FILE__, __LINE__, "that '%s' is refused", bad[i]);
	}
	CHECK_EQ(number, 7);
	CHECK(parse_number("255", 255, &number));
	CHECK_EQ(number, 255);
	CHECK(parse_number("18446744073709551615", UINT64_MAX, &number));
	CHECK_EQ(number, UINT64_MAX);
}

/* Count the lines that a function prints; all must fit a pipe. */
static u32 lines_of(void (*fn)(void), char *text, size_t room)
{
	int pipes[2], old = dup(STDERR_FILENO);
	u32 lines = 0;
	ssize_t len;

	CHECK_EQ(pipe(pipes), 0);
	dup2(pipes[1], STDERR_FILENO);
	fn();
	dup2(old, STDERR_FILENO);
	close(pipes[1]);
	close(old);
	len = read(pipes[0], text, room - 1);
	close(pipes[0]);
	text[max(len, (ssize_t)0)] = '\0';
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	return lines;
}

static void complain_often(void)
{
	for (int i = 0; i < 1000; i++)
		log_limited("the guest did it: %d", i);
}

TEST(log, is_limited)
{
	char text[4096];

	CHECK_EQ(lines_of(complain_often, text, sizeof(text)), LOG_BURST);
	CHECK(strstr(text, "did it: 0\n"));
	CHECK(strstr(text, "did it: 19 (others"));
	CHECK_EQ(lines_of(complain_often, text, sizeof(text)), 0);
}

static void complain_again(void)
{
	static struct log_limit limit = {.printed = LOG_BURST, .left_out = 7, .since = 1};

	log_line_limited(&limit, "it goes on");
	log_line_limited(&limit, "and on");
}

TEST(log, speaks_again_after_a_while)
{
	char text[4096];

	CHECK_EQ(lines_of(complain_again, text, sizeof(text)), 2);
	CHECK(strstr(text, "it goes on (7 before it were suppressed)\n"));
	CHECK(strstr(text, "and on\n"));
}

TEST(faults, order_and_counts)
{
	faults_clear();
	CHECK(!faults_parse("busy:count=2:skip=1,delay:ms=50:skip=2"));
	CHECK_EQ(faults_pending(), 3);
	CHECK_EQ(faults_next().kind, FAULT_NONE);
	CHECK_EQ(faults_next().kind, FAULT_BUSY);
	CHECK_EQ(faults_next().kind, FAULT_BUSY);
	CHECK_EQ(faults_next().kind, FAULT_NONE); /* the delay lets its second request pass */
	CHECK_EQ(faults_next().ms, 50);
	CHECK_EQ(faults_next().kind, FAULT_NONE);
	CHECK_EQ(faults_pending(), 0);
}

TEST(faults, refuses)
{
	static const char *const bad[] = { "nothing",
					   ":",
					   "busy:count",
					   "busy:count=x",
					   "busy:count=-1",
					   "busy:often=1",
					   "delay:ms=9999999",
					   "spurious-config",
					   "busy:count=+1",
					   "busy:count=1000000001",
					   "busy:skip=1000000001" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		faults_clear();
		if (!faults_parse(bad[i]))
			test_fail(__FILE__, __LINE__, "that '%s' is refused", bad[i]);
		CHECK_EQ(faults_pending(), 0);
	}
	for (int i = 0; i < 32; i++)
		CHECK(!faults_parse("nack"));
	CHECK(faults_parse("nack"));
	faults_clear();
}

TEST(buf, grows_and_escapes)
{
	struct buf buf = { 0 };

	buf_json_string(&buf, "a\"\\\n\xc3\xa9");
	CHECK(buf.len == 15 && !memcmp(buf.data, "\"a\\\"\\\\\\u000a\xc3\xa9\"", 15));
	buf_drop(&buf, 15);
	CHECK_EQ(buf.len, 0);
	for (int i = 0; i < 10000; i++)
		buf_printf(&buf, "%d,", i % 10);
	CHECK(buf.len == 20000 && !memcmp(buf.data + 19998, "9,", 2) && !buf.failed);
	buf_free(&buf);
}
