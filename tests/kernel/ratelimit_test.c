/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages that the host or a device can cause: the log takes a limited number in an
 * interval, and counts the rest.
 */
#include "kernel/ktest.h"
#include "kernel/printk.h"
#include "kernel/sink.h"
#include "kernel/timer.h"
#include "lib/string.h"

/* Pretend that the interval is over. */
static void let_pass(struct ratelimit_state *rs)
{
	rs->start_ns -= RATELIMIT_NS;
}

static unsigned int ask(struct ratelimit_state *rs, unsigned int times)
{
	unsigned int passed = 0;

	while (times--)
		passed += ratelimit(rs, "ratelimit_test: ");
	return passed;
}

/* Does the log contain these words? */
static bool logged(struct ktest *test, const char *words)
{
	const size_t size = 24 << 10; /* more than the ring holds */
	struct sink_buffer buffer;
	char *text = ktest_alloc(test, size);

	sink_buffer_init(&buffer, text, size);
	printk_dump(&buffer.sink);
	return strstr(text, words) != NULL;
}

static void burst(struct ktest *test)
{
	struct ratelimit_state rs = { .start_ns = ktime_ns() };

	KTEST_EXPECT_EQ(test, ask(&rs, 1000), RATELIMIT_BURST);
	let_pass(&rs);
	KTEST_EXPECT_EQ(test, ask(&rs, 1), 1);
	KTEST_EXPECT_TRUE(test, logged(test, "ratelimit_test: 990 lines suppressed"));
	KTEST_EXPECT_EQ(test, ask(&rs, 1000), RATELIMIT_BURST - 1);
}

/* A source that stays below the limit is never mentioned. */
static void few(struct ktest *test)
{
	struct ratelimit_state rs = { .start_ns = ktime_ns() };

	for (unsigned int i = 0; i < 5; i++) {
		KTEST_EXPECT_EQ(test, ask(&rs, RATELIMIT_BURST), RATELIMIT_BURST);
		let_pass(&rs);
	}
}

/* One source does not silence another. */
static void sources(struct ktest *test)
{
	struct ratelimit_state a = { .start_ns = ktime_ns() }, b = a;

	KTEST_EXPECT_EQ(test, ask(&a, 100), RATELIMIT_BURST);
	KTEST_EXPECT_EQ(test, ask(&b, 100), RATELIMIT_BURST);
}

static const struct ktest_case ratelimit_cases[] = {
	KTEST_CASE(burst),
	KTEST_CASE(few),
	KTEST_CASE(sources),
	{},
};
static struct ktest_suite ratelimit_suite = { .name = "ratelimit", .cases = ratelimit_cases };
KTEST_SUITE(ratelimit_suite);
