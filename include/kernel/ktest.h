/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_KTEST_H
#define _KERNEL_KTEST_H

/*
 * The test runner: KUnit's words with the prefix ktest, one source for the
 * guest and the host. Prints KTAP version 1.
 *
 *	static void split_merge(struct ktest *test)
 *	{
 *		KTEST_ASSERT_NOT_NULL(test, page);
 *		KTEST_EXPECT_EQ(test, page_order(page), 3);
 *	}
 *	static struct ktest_case buddy_cases[] = {
 *		KTEST_CASE(split_merge),
 *		KTEST_CASE_SLOW(fill_everything),
 *		{}
 *	};
 *	static struct ktest_suite buddy_suite = { .name = "buddy", .cases = buddy_cases };
 *	KTEST_SUITE(buddy_suite);
 *
 * EXPECT_ records a failure and continues; ASSERT_ ends the case. Both print both
 * operands. An ASSERT_ in a thread that the case started ends that thread.
 */
#include "kernel/ktest_prng.h"
#include "lib/types.h"

struct sink;
struct ktest;
struct thread;

/* Bytes of a parameter's description, with the terminator. */
#define KTEST_DESC_SIZE 64
/* Bytes that ktest_alloc() can hand out in one case. */
#define KTEST_ARENA_SIZE 0x10000
/* The most actions that one case can register. */
#define KTEST_MAX_ACTIONS 64

/**
 * enum ktest_status - exit status of a run, and of the machine after it
 * @KTEST_PASS: everything that ran passed
 * @KTEST_FAIL: at least one case failed
 * @KTEST_PANIC: the kernel panicked
 * @KTEST_HARNESS: nothing ran: a bad option, or a filter that matches nothing
 * @KTEST_ALL_SKIPPED: every case was skipped
 */
enum ktest_status {
	KTEST_PASS = 0,
	KTEST_FAIL = 1,
	KTEST_PANIC = 2,
	KTEST_HARNESS = 3,
	KTEST_ALL_SKIPPED = 4,
};

/**
 * enum ktest_speed - attribute for "kunit.filter=speed>slow"
 * @KTEST_SPEED_NORMAL: below a second
 * @KTEST_SPEED_SLOW: some seconds
 * @KTEST_SPEED_VERY_SLOW: more
 */
enum ktest_speed {
	KTEST_SPEED_NORMAL,
	KTEST_SPEED_SLOW,
	KTEST_SPEED_VERY_SLOW,
};

/**
 * struct ktest_case - one test function
 * @name: the function's
 * @run: the test
 * @params: returns the parameter after the given one (NULL: the first), or NULL at the
 *	end, and fills in a description for the log
 * @speed: the time that it takes
 */
struct ktest_case {
	const char *name;
	void (*run)(struct ktest *test);
	const void *(*params)(const void *prev, char desc[KTEST_DESC_SIZE]);
	enum ktest_speed speed;
};

#define KTEST_CASE(fn)		   { .name = #fn, .run = fn }
#define KTEST_CASE_PARAM(fn, gen)  { .name = #fn, .run = fn, .params = gen }
#define KTEST_CASE_SLOW(fn)	   { .name = #fn, .run = fn, .speed = KTEST_SPEED_SLOW }
#define KTEST_CASE_VERY_SLOW(fn)                                                         \
	{ .name = #fn, .run = fn, .speed = KTEST_SPEED_VERY_SLOW }
#define KTEST_CASE_PARAM_SLOW(fn, gen)                                                   \
	{ .name = #fn, .run = fn, .params = gen, .speed = KTEST_SPEED_SLOW }

/**
 * KTEST_ARRAY_PARAM() - make NAME_gen_params(), a generator over an array
 * @name: prefix of the generator's name
 * @array: an array with static storage
 * @get_desc: void fn(const element *, char desc[KTEST_DESC_SIZE])
 */
#define KTEST_ARRAY_PARAM(name, array, get_desc)                                         \
	static const void *name##_gen_params(const void *prev, char desc[KTEST_DESC_SIZE])\
	{                                                                                \
		const __typeof__((array)[0]) *next = (array);                            \
                                                                                         \
		if (prev != NULL)                                                        \
			next = (const __typeof__((array)[0]) *)prev + 1;                 \
		if (next == (array) + ARRAY_SIZE(array))                                 \
			return NULL;                                                     \
		get_desc(next, desc);                                                    \
		return next;                                                             \
	}

/**
 * struct ktest_suite - cases with common set-up
 * @name: for the log and the filter
 * @suite_init: before the first case; an error fails all of them; may be NULL
 * @suite_exit: after the last case; may be NULL
 * @init: before each case; an error fails it; may be NULL
 * @exit: after each case, when its actions have run; may be NULL
 * @cases: ends with an empty entry
 */
struct ktest_suite {
	const char *name;
	int (*suite_init)(struct ktest_suite *suite);
	void (*suite_exit)(struct ktest_suite *suite);
	int (*init)(struct ktest *test);
	void (*exit)(struct ktest *test);
	const struct ktest_case *cases;
};

/* Register a suite: the linker collects pointers, in no particular order. */
#define KTEST_SUITE(suite)                                                               \
	static struct ktest_suite *const _ktest_suite_##suite __table("ktest_suites") =  \
		&(suite)

/**
 * struct ktest_hook - a check around each case of every suite
 * @name: for the log
 * @before: records a state; may be NULL
 * @after: compares, and fails the case with KTEST_FAIL(); may be NULL. Runs after
 *	the case's actions and the suite's exit, also when the case failed.
 */
struct ktest_hook {
	const char *name;
	void (*before)(struct ktest *test);
	void (*after)(struct ktest *test);
};

/* Register a hook. */
#define KTEST_HOOK(hook)                                                                 \
	static const struct ktest_hook *const _ktest_hook_##hook __table("ktest_hooks") =\
		&(hook)

/**
 * struct ktest - the case that is running
 * @priv: for suite->init()
 * @param_value: the parameter from the case's generator
 * @prng: seeded from ktest.seed= and the case's name: equal in every run
 *
 * The rest belongs to the runner.
 */
struct ktest {
	void *priv;
	const void *param_value;
	struct prng prng;
	struct ktest_run *run;
};

/**
 * struct ktest_options - the cases to run, and how to run them
 * @filter_glob: "suite_glob" or "suite_glob.case_glob"; NULL is all
 * @filter: "speed>slow", "speed=normal", "speed<=slow"; NULL is all
 * @action: NULL runs; "list" prints suite.case lines only
 * @seed: for test->prng and the shuffle; 0 takes a fixed one
 * @repeat: number of runs; 0 counts as 1
 * @shuffle: run suites and cases in an order that the seed determines
 */
struct ktest_options {
	const char *filter_glob;
	const char *filter;
	const char *action;
	u64 seed;
	u32 repeat;
	bool shuffle;
};

/**
 * ktest_run() - run the suites that were linked in
 * @options: see struct ktest_options
 * @out: gets the KTAP output, one write for each line
 *
 * Context: thread, may sleep. One run at a time: see ktest_begin().
 * Return: KTEST_*; KTEST_HARNESS with a line in @out that says why.
 */
enum ktest_status ktest_run(const struct ktest_options *options, struct sink *out);

/**
 * ktest_begin() - claim the machine for the calling thread's tests or measurements
 * @out: gets a line if another thread has claimed it
 *
 * Suites and measurements need the machine's memory and their own variables to
 * themselves. Calls nest.
 * Return: true if the thread has claimed the machine; ktest_end() then ends the claim.
 */
bool ktest_begin(struct sink *out);
void ktest_end(void);

/**
 * ktest_run_suites() - run a list of suites instead of the linked ones
 * @options: see struct ktest_options
 * @suites: pointers to suites
 * @nr_suites: length of @suites
 * @out: gets the KTAP output
 *
 * A case may call it, to test the runner's own failure paths.
 */
enum ktest_status ktest_run_suites(const struct ktest_options *options,
				   struct ktest_suite *const *suites,
				   unsigned int nr_suites, struct sink *out);

/**
 * ktest_boot_options() - get the options from the command line
 *
 * Return: the options; NULL if no tests are asked for.
 */
const struct ktest_options *ktest_boot_options(void);

/**
 * ktest_param() - set one option by its command line name
 * @word: "kunit.filter_glob=x", "kunit.action=list", "kunit.filter=speed>slow",
 *	"kunit.seed=1" or "ktest.seed=1", "ktest.repeat=2", "ktest.shuffle"
 * @options: changed; keeps pointers into @word
 *
 * Return: 0; -ENOENT another word; -EINVAL bad value.
 */
int ktest_param(const char *word, struct ktest_options *options);

/**
 * ktest_alloc() - allocate zeroed memory until the end of the case
 * @test: the case
 * @size: bytes; KTEST_ARENA_SIZE for all calls of a case together
 *
 * Does not use the page allocator. If there is not enough memory, it fails and ends the case.
 */
void *ktest_alloc(struct ktest *test, size_t size);

/**
 * ktest_add_action() - call a function when the case ends, however it ends
 * @test: the case
 * @action: called in reverse order of registration
 * @ctx: for @action
 *
 * If there are too many actions, it calls @action at once, and fails and ends the case.
 */
void ktest_add_action(struct ktest *test, void (*action)(void *ctx), void *ctx);

/**
 * ktest_release_action() - call a registered action now, and not again at the end
 * @test: the case
 * @action: as registered
 * @ctx: as registered
 */
void ktest_release_action(struct ktest *test, void (*action)(void *ctx), void *ctx);

/**
 * ktest_skip() - end the case as skipped
 * @test: the case
 * @fmt: why
 */
void ktest_skip(struct ktest *test, const char *fmt, ...) __printf(2, 3) __noreturn;

/**
 * ktest_info() - write a "# case: ..." line to the log
 * @test: the case
 * @fmt: the text
 */
void ktest_info(struct ktest *test, const char *fmt, ...) __printf(2, 3);

/**
 * ktest_failed() - check whether the case has failed by now
 * @test: the case
 */
bool ktest_failed(const struct ktest *test);

/**
 * ktest_sink() - get a sink for a case's text: each line becomes a "# " line
 * @test: the case
 */
struct sink *ktest_sink(struct ktest *test);

/**
 * ktest_expect_warnings() - allow the case up to @nr warnings (WARN_ON)
 * @test: the case
 * @nr: any further warning fails the case; without this call, any warning does
 */
void ktest_expect_warnings(struct ktest *test, unsigned int nr);

/* The comparison of an expectation; KTEST_IS: one operand, and a word. */
enum ktest_op { KTEST_EQ, KTEST_NE, KTEST_LT, KTEST_LE, KTEST_GT, KTEST_GE, KTEST_IS };

/**
 * struct ktest_place - the constant part of an expectation in the source
 * @file: source file
 * @text: source text of the left operand or of the condition; after its NUL, that of
 *	the right operand, or the value that the condition should have
 * @line: line
 * @op: enum ktest_op
 * @is_signed: how to compare and print
 * @abort: ASSERT_ instead of EXPECT_
 *
 * The image has thousands of expectations, so each is one call with its operands and a pointer
 * to this structure, which has all the rest.
 */
struct ktest_place {
	const char *file;
	const char *text;
	u16 line;
	u8 op;
	bool is_signed;
	bool abort;
};

/* Report a failure; each of these ends the case if place->abort. */
void ktest_fail_message(struct ktest *test, const struct ktest_place *place,
			const char *fmt, ...) __printf(3, 4) __cold;
void ktest_check_binary(struct ktest *test, const struct ktest_place *place, u64 left,
			u64 right);
void ktest_check_bool(struct ktest *test, const struct ktest_place *place, bool as_wanted);
void ktest_check_string(struct ktest *test, const struct ktest_place *place,
			const char *left, const char *right);
void ktest_check_memory(struct ktest *test, const struct ktest_place *place,
			const void *left, const void *right, size_t size);

#define _KTEST_SITE(_left, _right, _op, _signed, _abort)                                 \
	({                                                                               \
		static const struct ktest_place _place = {                               \
			__FILE__, _left "\0" _right, __LINE__, (_op), (_signed), (_abort)\
		};                                                                       \
		&_place;                                                                 \
	})
#define _KTEST_PLACE(_text, _abort) _KTEST_SITE(_text, "", KTEST_IS, false, _abort)

/* 1 for types with values that don't fit s64, which are compared and printed without sign. */
#define _KTEST_IS_U64(x)                                                                 \
	_Generic((x), unsigned long: 1, unsigned long long: 1, signed char: 0, short: 0, \
		 int: 0, long: 0, long long: 0, char: 0, bool: 0, unsigned char: 0,      \
		 unsigned short: 0, unsigned int: 0, default: 1)

/*
 * The operands may have any integer, enum or pointer type, mixed freely; each is evaluated
 * once. If one of the two is 64 bits unsigned (or a pointer), the comparison is unsigned, as
 * in C.
 */
#define _KTEST_BINARY(test, a, b, op, _abort)                                            \
	ktest_check_binary((test),                                                       \
			   _KTEST_SITE(#a, #b, (op),                                     \
				       !_KTEST_IS_U64(a) && !_KTEST_IS_U64(b), (_abort)),\
			   (u64)(a), (u64)(b))

#define _KTEST_UNARY(test, cond, want, _abort)                                           \
	ktest_check_bool((test), _KTEST_SITE(#cond, #want, KTEST_IS, false, (_abort)),   \
			 !!(cond) == (want))

#define KTEST_EXPECT_TRUE(test, cond)  _KTEST_UNARY(test, cond, true, false)
#define KTEST_EXPECT_FALSE(test, cond) _KTEST_UNARY(test, cond, false, false)
#define KTEST_EXPECT_EQ(test, a, b)    _KTEST_BINARY(test, a, b, KTEST_EQ, false)
#define KTEST_EXPECT_NE(test, a, b)    _KTEST_BINARY(test, a, b, KTEST_NE, false)
#define KTEST_EXPECT_LT(test, a, b)    _KTEST_BINARY(test, a, b, KTEST_LT, false)
#define KTEST_EXPECT_LE(test, a, b)    _KTEST_BINARY(test, a, b, KTEST_LE, false)
#define KTEST_EXPECT_GT(test, a, b)    _KTEST_BINARY(test, a, b, KTEST_GT, false)
#define KTEST_EXPECT_GE(test, a, b)    _KTEST_BINARY(test, a, b, KTEST_GE, false)
#define KTEST_EXPECT_PTR_EQ(test, a, b) _KTEST_BINARY(test, a, b, KTEST_EQ, false)
#define KTEST_EXPECT_PTR_NE(test, a, b) _KTEST_BINARY(test, a, b, KTEST_NE, false)
#define KTEST_EXPECT_NULL(test, p)     _KTEST_BINARY(test, p, 0, KTEST_EQ, false)
#define KTEST_EXPECT_NOT_NULL(test, p) _KTEST_BINARY(test, p, 0, KTEST_NE, false)
#define KTEST_EXPECT_STREQ(test, a, b) ktest_check_string(test, _KTEST_PLACE(#a, false), a, b)
#define KTEST_EXPECT_MEMEQ(test, a, b, size)                                             \
	ktest_check_memory(test, _KTEST_PLACE(#a, false), a, b, size)
#define KTEST_FAIL(test, fmt, ...)                                                       \
	ktest_fail_message(test, _KTEST_PLACE("", false), fmt, ##__VA_ARGS__)

#define KTEST_ASSERT_TRUE(test, cond)  _KTEST_UNARY(test, cond, true, true)
#define KTEST_ASSERT_FALSE(test, cond) _KTEST_UNARY(test, cond, false, true)
#define KTEST_ASSERT_EQ(test, a, b)    _KTEST_BINARY(test, a, b, KTEST_EQ, true)
#define KTEST_ASSERT_NE(test, a, b)    _KTEST_BINARY(test, a, b, KTEST_NE, true)
#define KTEST_ASSERT_LT(test, a, b)    _KTEST_BINARY(test, a, b, KTEST_LT, true)
#define KTEST_ASSERT_LE(test, a, b)    _KTEST_BINARY(test, a, b, KTEST_LE, true)
#define KTEST_ASSERT_GT(test, a, b)    _KTEST_BINARY(test, a, b, KTEST_GT, true)
#define KTEST_ASSERT_GE(test, a, b)    _KTEST_BINARY(test, a, b, KTEST_GE, true)
#define KTEST_ASSERT_PTR_EQ(test, a, b) _KTEST_BINARY(test, a, b, KTEST_EQ, true)
#define KTEST_ASSERT_PTR_NE(test, a, b) _KTEST_BINARY(test, a, b, KTEST_NE, true)
#define KTEST_ASSERT_NULL(test, p)     _KTEST_BINARY(test, p, 0, KTEST_EQ, true)
#define KTEST_ASSERT_NOT_NULL(test, p) _KTEST_BINARY(test, p, 0, KTEST_NE, true)
#define KTEST_ASSERT_STREQ(test, a, b) ktest_check_string(test, _KTEST_PLACE(#a, true), a, b)
#define KTEST_ASSERT_MEMEQ(test, a, b, size)                                             \
	ktest_check_memory(test, _KTEST_PLACE(#a, true), a, b, size)
#define KTEST_FAIL_AND_ABORT(test, fmt, ...)                                             \
	ktest_fail_message(test, _KTEST_PLACE("", true), fmt, ##__VA_ARGS__)

#endif
