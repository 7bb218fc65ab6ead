/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MODEL_MODEL_H
#define _TESTS_MODEL_MODEL_H

/*
 * Of a memory, a second account in the plainest form: a byte per frame (frames.h), a
 * few numbers per block (blocks.h). A step is a request; the model says before or after it how it
 * must end, errno, reason and frame, follows it, and compares all that can be seen. A failed
 * request changes nothing, because the model does not follow it.
 *
 * Steps are made of choices: a fuzzer's input, or random numbers of a test case
 * (model_test.c). What differs between the two, the program around the model brings.
 */
#include "lib/types.h"
#include "lib/compiler.h"

struct sink;

/* Model and memory differ: says so, and does not come back. */
void check_failed(const char *file, unsigned int line, const char *cond, const char *fmt,
		  ...) __printf(4, 5) __noreturn;
/* Where mm_check() reports. */
struct sink *check_sink(void);

#define CHECK(cond, ...)                                                      \
	do {                                                                  \
		if (!(cond))                                                  \
			check_failed(__FILE__, __LINE__, #cond, __VA_ARGS__); \
	} while (0)

/* Choices left; when they are used up, all are 0. */
struct choices {
	const u8 *data;
	size_t size;
};

static inline u8 take_byte(struct choices *c)
{
	if (!c->size)
		return 0;
	c->size--;
	return *c->data++;
}

static inline u64 take_bytes(struct choices *c, unsigned int n)
{
	u64 val = 0;

	while (n--)
		val = val << 8 | take_byte(c);
	return val;
}

/* A number below @limit, which is at most 256. */
static inline unsigned int take_below(struct choices *c, unsigned int limit)
{
	return take_byte(c) % limit;
}

#endif
