/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MODEL_MODEL_H
#define _TESTS_MODEL_MODEL_H

/*
 * A second account of a memory in the plainest form: a byte per frame (frames.h), a few
 * numbers per block (blocks.h). A step makes a request (request.h): the model predicts how
 * it ends, follows it if it succeeds, and compares all that can be seen.
 *
 * A step is made of choices: bytes of a fuzzer's input, or random bytes of a test case
 * (model_test.c). The program around the model supplies the two functions below.
 */
#include "lib/types.h"

struct sink;

/* Report that model and memory differ, and end the program. */
void check_failed(const char *file, unsigned int line, const char *cond, const char *fmt,
		  ...) __printf(4, 5) __noreturn;
/* The sink for the report of mm_check(). */
struct sink *check_sink(void);

#define CHECK(cond, ...)                                                      \
	do {                                                                  \
		if (!(cond))                                                  \
			check_failed(__FILE__, __LINE__, #cond, __VA_ARGS__); \
	} while (0)

/* The choices that are left; when they are used up, all further choices are 0. */
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

/* Choose a number below @limit, which is at most 256. */
static inline unsigned int take_below(struct choices *c, unsigned int limit)
{
	return take_byte(c) % limit;
}

#endif
