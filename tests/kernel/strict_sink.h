/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_KERNEL_STRICT_SINK_H
#define _TESTS_KERNEL_STRICT_SINK_H

/*
 * A sink with a reader that may be slow, like a port: it counts all writes, and the writes
 * during which the writer held something that other threads need.
 */
#include "kernel/mutex.h"
#include "kernel/sink.h"

/**
 * struct strict_sink - see above
 * @sink: pass this to the writer
 * @writes: how often it was written to
 * @held: how often with a lock held, in a walk bracket or with interrupts off
 * @lock: the name of the last mutex that was held at a write, if any
 */
struct strict_sink {
	struct sink sink;
	unsigned int writes;
	unsigned int held;
	const char *lock;
};

static inline void strict_write(struct sink *sink, const char *text, size_t len)
{
	struct strict_sink *strict = container_of(sink, struct strict_sink, sink);
	const struct mutex *mutex = mutex_last_taken();

	(void)text;
	(void)len;
	strict->writes++;
	strict->held += !sink_can_wait();
	if (mutex)
		strict->lock = mutex->name;
}

#define STRICT_SINK                                           \
	{                                                     \
		.sink = { .write = strict_write }, .lock = "" \
	}

/* Expect writes, and that the writer held nothing during any of them. */
#define EXPECT_STRICT(test, strict)                           \
	do {                                                  \
		KTEST_EXPECT_GT(test, (strict)->writes, 0);   \
		KTEST_EXPECT_EQ(test, (strict)->held, 0);     \
		KTEST_EXPECT_STREQ(test, (strict)->lock, ""); \
	} while (0)

#endif
