/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_RUNNER_KTEST_PRIVATE_H
#define _TESTS_RUNNER_KTEST_PRIVATE_H

/*
 * Private to the test runner, tests/runner/ktest*.c.
 */
#include "arch/thread.h"
#include "kernel/ktest.h"
#include "kernel/sink.h"
#include "kernel/spinlock.h"

/* The most suites of a run, and cases of a suite. */
#define KTEST_MAX_ENTRIES 255

struct ktest_action {
	void (*fn)(void *ctx);
	void *ctx;
};

/**
 * struct ktest_tally - results, of parameters, cases or suites
 */
struct ktest_tally {
	u32 passed;
	u32 failed;
	u32 skipped;
};

/**
 * struct ktest_run - one run, on the runner's stack
 * @options: the options of this run
 * @report: where KTAP goes; text written with a lock held is kept until the next report
 *	without a lock or the end of the case, because the console may wait, see
 *	sink_may_wait()
 * @console: where @report writes
 * @kept: the kept text, stored in @kept_text; @kept_lock protects both
 * @suite: the running suite
 * @test_case: the running case
 * @thread: the runner's thread; only this thread can leave the case
 * @indent: blanks in front of each line
 * @failed: the case has failed; set by any thread
 * @skip_reason: not empty when the case was skipped
 * @stack: the case's functions run on it, so that the runner can leave them
 * @runner: the runner's context, while a function runs on @stack
 * @guarded: context of the function that runs on @stack
 * @fn: the function that runs on @stack
 * @base_fp: frame pointer of @fn's caller
 * @on_stack: @fn runs now
 * @irq_flags: interrupt state of the runner
 * @actions: registered by the case
 * @nr_actions: how many actions
 * @arena_start: this run's part of the arena begins here
 * @warnings_before: warn_count() when the case began
 * @warnings_allowed: by ktest_expect_warnings()
 * @line_text: storage of @line
 * @line: the text of ktest_sink() since the last newline
 * @lines: the sink that ktest_sink() returns
 * @total: results of all cases of all suites
 */
struct ktest_run {
	const struct ktest_options *options;
	struct sink report;
	struct sink *console;
	spinlock_t kept_lock;
	struct sink_buffer kept;
	char kept_text[1024];
	const struct ktest_suite *suite;
	const struct ktest_case *test_case;
	struct thread *thread;
	unsigned int indent;
	u32 failed;
	char skip_reason[96];
	void *stack;
	struct arch_context runner;
	struct arch_context guarded;
	void (*fn)(struct ktest *test);
	unsigned long base_fp;
	bool on_stack;
	unsigned long irq_flags;
	struct ktest_action actions[KTEST_MAX_ACTIONS];
	unsigned int nr_actions;
	size_t arena_start;
	unsigned long warnings_before;
	unsigned long warnings_allowed;
	char line_text[160];
	struct sink_buffer line;
	struct sink lines;
	struct ktest_tally total;
};

/* Print a line of KTAP, indented, in one write. */
void ktest_print(struct ktest_run *run, const char *fmt, ...) __printf(2, 3);

/* Do the options select this suite or case? */
bool ktest_wants_suite(const struct ktest_options *options,
		       const struct ktest_suite *suite);
bool ktest_wants_case(const struct ktest_options *options, const struct ktest_suite *suite,
		      const struct ktest_case *test_case);
unsigned int ktest_count_cases(const struct ktest_options *options,
			       const struct ktest_suite *suite);

/* Are the options valid? If not, print a line to @out. */
bool ktest_options_valid(const struct ktest_options *options, struct sink *out);

/* Return the word for a speed: "normal", "slow", "very_slow". */
const char *ktest_speed_name(enum ktest_speed speed);

/* Set up and free a case's resources: tests/runner/ktest_resource.c. */
void ktest_resources_begin(struct ktest_run *run);
void ktest_resources_end(struct ktest_run *run);
void ktest_run_actions(struct ktest_run *run);

/* End the case now; in another thread, end that thread. */
void ktest_abort(struct ktest *test) __noreturn;

/*
 * Write the source of the instruction at @pc: on the host "file:line"; in the guest the
 * function and the address, which tools/testrun.py looks up.
 */
void ktest_code_place(unsigned long pc, char *text, size_t size);

/* Set up the run's sinks; KTAP goes to @console in the end. */
void ktest_report_init(struct ktest_run *run, struct sink *console);

/* Print the rest of ktest_sink() that has no newline, and the kept text. */
void ktest_flush_lines(struct ktest_run *run);

/* The linker's table; a program without suites has none. */
extern struct ktest_suite *const __start_ktest_suites[] __attribute__((weak));
extern struct ktest_suite *const __stop_ktest_suites[] __attribute__((weak));

#endif
