/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The test runner: suites, cases, parameters, in KUnit's order and words, so that
 * Linux's kunit.py can read the log.
 *
 * The functions of a case run on a stack of their own, within the runner's thread: an
 * ASSERT_ switches back to the runner's stack and abandons the case's. An ASSERT_ in
 * another thread ends that thread, and the case runs to its end.
 */
#include "arch/machine.h"
#include "kernel/hart.h"
#include "tests/runner/ktest_private.h"
#include "kernel/mutex.h"
#include "kernel/panic.h"
#include "kernel/sched.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

#define DEFAULT_SEED 1
#define SPARE_STACKS 12

extern const struct ktest_hook *const __start_ktest_hooks[] __attribute__((weak));
extern const struct ktest_hook *const __stop_ktest_hooks[] __attribute__((weak));

enum outcome { PASSED, FAILED, SKIPPED };

static enum outcome outcome_of(const struct ktest_tally *tally)
{
	if (tally->failed != 0)
		return FAILED;
	return tally->passed == 0 && tally->skipped != 0 ? SKIPPED : PASSED;
}

static void count(struct ktest_tally *tally, enum outcome outcome)
{
	if (outcome == PASSED)
		tally->passed++;
	else if (outcome == FAILED)
		tally->failed++;
	else
		tally->skipped++;
}

static void print_tally(struct ktest_run *run, const char *name,
			const struct ktest_tally *tally)
{
	ktest_print(run, "# %s: pass:%u fail:%u skip:%u total:%u", name, tally->passed,
		    tally->failed, tally->skipped,
		    tally->passed + tally->failed + tally->skipped);
}

static void print_result(struct ktest_run *run, enum outcome outcome, unsigned int number,
			 const char *name, const char *skip_reason)
{
	const char *word = outcome == FAILED ? "not ok" : "ok";

	if (outcome == SKIPPED)
		ktest_print(run, "%s %u %s # SKIP %s", word, number, name, skip_reason);
	else
		ktest_print(run, "%s %u %s", word, number, name);
}

/* Leave the case's stack for good. */
static void __noreturn leave_stack(struct ktest_run *run)
{
	(void)arch_irq_save();
	arch_switch_to(&run->guarded, &run->runner);
	panic("ktest: a case continued after its end");
}

void ktest_abort(struct ktest *test)
{
	struct ktest_run *run = test->run;

	if (current_thread() != run->thread)
		thread_exit(0);
	if (!run->on_stack)
		panic("ktest: ASSERT in a place that can't be left (suite %s)",
		      run->suite->name);
	leave_stack(run);
}

static void guarded_start(void *arg)
{
	struct ktest *test = arg;

	arch_irq_restore(test->run->irq_flags);
	test->run->base_fp = (unsigned long)__builtin_frame_address(0);
	test->run->fn(test);
	leave_stack(test->run);
}

/* Call @fn; return when @fn returns or aborts. */
static void call_guarded(struct ktest *test, void (*fn)(struct ktest *test))
{
	struct ktest_run *run = test->run;

	run->fn = fn;
	arch_context_init(&run->guarded, run->stack, guarded_start, test);
	run->irq_flags = arch_irq_save();
	run->on_stack = true;
	arch_switch_to(&run->runner, &run->guarded);
	run->on_stack = false;
	arch_irq_restore(run->irq_flags);
}

static void init_case(struct ktest *test)
{
	int err;

	test->run->base_fp = (unsigned long)__builtin_frame_address(0);
	err = test->run->suite->init(test);
	if (err != 0)
		KTEST_FAIL_AND_ABORT(test, "the suite's init failed: %d", err);
}

static void run_hooks_before(struct ktest *test)
{
	const struct ktest_hook *const *hook;

	for (hook = __start_ktest_hooks; hook < __stop_ktest_hooks; hook++)
		if ((*hook)->before != NULL)
			call_guarded(test, (*hook)->before);
}

static void run_hooks_after(struct ktest *test)
{
	const struct ktest_hook *const *hook;

	for (hook = __start_ktest_hooks; hook < __stop_ktest_hooks; hook++)
		if ((*hook)->after != NULL)
			call_guarded(test, (*hook)->after);
}

/* The locks that the thread holds before a case, and must hold after it. */
struct held_before {
	u32 spin_depth;
	u32 nr_held;
	struct mutex *mutexes;
};

/* Check that the case left no lock held and caused only expected warnings. */
static void check_left_behind(struct ktest *test, const struct held_before *before)
{
	struct ktest_run *run = test->run;
	struct mutex *const left = run->thread->mutexes;
	struct hart *hart = this_hart();
	const unsigned long warnings = warn_count() - run->warnings_before;

	if (hart->spin_depth != before->spin_depth) {
		KTEST_FAIL(test, "the case ended with %d spinlock%s held",
			   (int)(hart->spin_depth - before->spin_depth),
			   str_plural(hart->spin_depth - before->spin_depth));
		hart->spin_depth = before->spin_depth;
	}
	run->thread->nr_held = before->nr_held;
	if (left != before->mutexes) {
		run->thread->mutexes = before->mutexes;
		KTEST_FAIL(test, "the case ended with mutex %s held",
			   left != NULL ? left->name : "(of its caller) not");
	}
	if (warnings > run->warnings_allowed)
		KTEST_FAIL(test, "the case caused %lu warnings, %lu were expected",
			   warnings, run->warnings_allowed);
}

/* Call a case's function once, with set-up and clean-up. */
static enum outcome run_once(struct ktest *test)
{
	struct ktest_run *run = test->run;
	const struct ktest_suite *suite = run->suite;
	const struct held_before before = {
		.spin_depth = this_hart()->spin_depth,
		.nr_held = run->thread->nr_held,
		.mutexes = run->thread->mutexes,
	};

	run->failed = 0;
	run->skip_reason[0] = '\0';
	test->priv = NULL;
	ktest_resources_begin(run);
	run_hooks_before(test);
	if (suite->init != NULL)
		call_guarded(test, init_case);
	if (!ktest_failed(test) && run->skip_reason[0] == '\0')
		call_guarded(test, run->test_case->run);
	ktest_run_actions(run);
	if (suite->exit != NULL)
		call_guarded(test, suite->exit);
	run_hooks_after(test);
	check_left_behind(test, &before);
	ktest_flush_lines(run);
	ktest_resources_end(run);
	if (ktest_failed(test))
		return FAILED;
	return run->skip_reason[0] != '\0' ? SKIPPED : PASSED;
}

/* Seed a case's random numbers: they do not depend on which other cases run. */
static void seed_case(struct ktest *test, unsigned int param)
{
	u64 seed = test->run->options->seed != 0 ? test->run->options->seed : DEFAULT_SEED;

	for (const char *c = test->run->suite->name; *c != '\0'; c++)
		seed = (seed ^ (u8)*c) * 0x100000001b3ULL;
	for (const char *c = test->run->test_case->name; *c != '\0'; c++)
		seed = (seed ^ (u8)*c) * 0x100000001b3ULL;
	prng_init(&test->prng, seed + param);
}

/*
 * Make a parameter's description safe for KTAP: "#" would start a directive, readers split
 * lines at unprintable characters, and a name must not be all blanks.
 */
static void describe(char desc[KTEST_DESC_SIZE], unsigned int param)
{
	bool blank = true;

	for (char *c = desc; *c != '\0'; c++) {
		if (*c == '#' || *c < ' ' || *c > '~')
			*c = '?';
		blank &= *c == ' ';
	}
	if (blank)
		(void)scnprintf(desc, KTEST_DESC_SIZE, "param-%u", param);
}

static enum outcome run_params(struct ktest *test)
{
	struct ktest_run *run = test->run;
	const struct ktest_case *test_case = run->test_case;
	struct ktest_tally tally = { 0 };
	char desc[KTEST_DESC_SIZE] = "";
	unsigned int nr = 0;

	run->indent += 4;
	ktest_print(run, "KTAP version 1");
	ktest_print(run, "# Subtest: %s", test_case->name);
	for (const void *param = test_case->params(NULL, desc); param != NULL;
	     param = test_case->params(param, desc)) {
		enum outcome outcome;

		test->param_value = param;
		seed_case(test, ++nr);
		describe(desc, nr - 1);
		outcome = run_once(test);
		print_result(run, outcome, nr, desc, run->skip_reason);
		count(&tally, outcome);
		desc[0] = '\0';
	}
	run->indent -= 4;
	print_tally(run, test_case->name, &tally);
	if (nr == 0)
		(void)strscpy(run->skip_reason, "no parameters", sizeof(run->skip_reason));
	return nr == 0 ? SKIPPED : outcome_of(&tally);
}

static enum outcome run_case(struct ktest_run *run, const struct ktest_case *test_case)
{
	struct ktest test = { .run = run };

	run->test_case = test_case;
	if (test_case->speed != KTEST_SPEED_NORMAL)
		ktest_print(run, "# %s.speed: %s", test_case->name,
			    ktest_speed_name(test_case->speed));
	if (test_case->params != NULL)
		return run_params(&test);
	seed_case(&test, 0);
	return run_once(&test);
}

/* Write the numbers 0 to @nr - 1 to @order, in order or shuffled. */
static void make_order(const struct ktest_options *options, u8 *order, unsigned int nr,
		       u64 salt)
{
	struct prng prng;

	for (unsigned int i = 0; i < nr; i++)
		order[i] = i;
	if (!options->shuffle)
		return;
	prng_init(&prng, (options->seed != 0 ? options->seed : DEFAULT_SEED) + salt);
	for (unsigned int i = nr; i > 1; i--) {
		const unsigned int j = prng_below(&prng, i);
		const u8 swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
}

static void run_cases(struct ktest_run *run, struct ktest_tally *tally, int init_err)
{
	const struct ktest_suite *suite = run->suite;
	u8 order[KTEST_MAX_ENTRIES];
	unsigned int nr = 0, number = 0;

	while (nr < KTEST_MAX_ENTRIES && suite->cases[nr].run != NULL)
		nr++;
	make_order(run->options, order, nr, number);
	for (unsigned int i = 0; i < nr; i++) {
		const struct ktest_case *test_case = &suite->cases[order[i]];
		enum outcome outcome = FAILED;

		if (!ktest_wants_case(run->options, suite, test_case))
			continue;
		if (init_err == 0)
			outcome = run_case(run, test_case);
		else
			ktest_print(run, "# %s: the suite's suite_init failed: %d",
				    test_case->name, init_err);
		print_result(run, outcome, ++number, test_case->name, run->skip_reason);
		count(tally, outcome);
	}
}

static void run_suite(struct ktest_run *run, struct ktest_suite *suite, unsigned int number)
{
	struct ktest_tally tally = { 0 };
	int err = 0;

	run->suite = suite;
	run->indent += 4;
	ktest_print(run, "KTAP version 1");
	ktest_print(run, "# Subtest: %s", suite->name);
	ktest_print(run, "1..%u", ktest_count_cases(run->options, suite));
	if (suite->suite_init != NULL)
		err = suite->suite_init(suite);
	run_cases(run, &tally, err);
	if (suite->suite_exit != NULL && err == 0)
		suite->suite_exit(suite);
	run->indent -= 4;
	print_tally(run, suite->name, &tally);
	print_result(run, outcome_of(&tally), number, suite->name, "all cases");
	run->total.passed += tally.passed;
	run->total.failed += tally.failed;
	run->total.skipped += tally.skipped;
}

static void list_cases(const struct ktest_options *options,
		       struct ktest_suite *const *suites, unsigned int nr, struct sink *out)
{
	for (unsigned int i = 0; i < nr; i++)
		for (const struct ktest_case *c = suites[i]->cases; c->run != NULL; c++)
			if (ktest_wants_case(options, suites[i], c))
				sink_printf(out, "%s.%s\n", suites[i]->name, c->name);
}

static unsigned int count_suites(const struct ktest_options *options,
				 struct ktest_suite *const *suites, unsigned int nr)
{
	unsigned int wanted = 0;

	for (unsigned int i = 0; i < nr; i++)
		wanted += ktest_count_cases(options, suites[i]) != 0;
	return wanted;
}

static void run_all(struct ktest_run *run, struct ktest_suite *const *suites,
		    unsigned int nr, unsigned int repeat)
{
	u8 order[KTEST_MAX_ENTRIES];
	unsigned int number = 0;

	for (unsigned int round = 0; round < repeat; round++) {
		make_order(run->options, order, nr, round + 1);
		for (unsigned int i = 0; i < nr; i++)
			if (ktest_count_cases(run->options, suites[order[i]]) != 0)
				run_suite(run, suites[order[i]], ++number);
	}
}

/* Run the selected suites, with a stack for the cases. */
static enum ktest_status run_wanted(struct ktest_run *run, struct ktest_suite *const *suites,
				    unsigned int nr)
{
	const u64 seed = run->options->seed;
	const unsigned int repeat = max(run->options->repeat, 1U);

	run->stack = stack_get();
	if (run->stack == NULL) {
		sink_puts(&run->report, "# ktest: no memory for a stack\n");
		return KTEST_HARNESS;
	}
	sink_printf(&run->report, "1..%u\n# ktest.seed=%llu\n",
		    count_suites(run->options, suites, nr) * repeat,
		    (unsigned long long)(seed != 0 ? seed : DEFAULT_SEED));
	run_all(run, suites, nr, repeat);
	stack_put(run->stack);
	print_tally(run, "Totals", &run->total);
	if (run->total.failed != 0)
		return KTEST_FAIL;
	return run->total.passed != 0 ? KTEST_PASS : KTEST_ALL_SKIPPED;
}

enum ktest_status ktest_run_suites(const struct ktest_options *options,
				   struct ktest_suite *const *suites,
				   unsigned int nr_suites, struct sink *out)
{
	struct ktest_run run = { .options = options, .thread = current_thread() };

	if (!ktest_options_valid(options, out))
		return KTEST_HARNESS;
	if (nr_suites > KTEST_MAX_ENTRIES) {
		sink_printf(out, "# ktest: more than %d suites\n", KTEST_MAX_ENTRIES);
		return KTEST_HARNESS;
	}
	ktest_report_init(&run, out);
	sink_puts(out, "KTAP version 1\n");
	if (options->action != NULL) {
		list_cases(options, suites, nr_suites, out);
		return KTEST_PASS;
	}
	if (count_suites(options, suites, nr_suites) == 0) {
		sink_puts(out, "1..0\n# ktest: no case matches the filter\n");
		return KTEST_HARNESS;
	}
	return run_wanted(&run, suites, nr_suites);
}

/*
 * The thread that runs tests. This is not a mutex, because other threads are refused
 * instead of waiting: the tester's console may be slow.
 */
static struct thread *tester;
static unsigned int nr_begun; /* open ktest_begin() calls of the tester */

bool ktest_begin(struct sink *out)
{
	struct thread *nobody = NULL;

	if (READ_ONCE(tester) != current_thread() &&
	    !__atomic_compare_exchange_n(&tester, &nobody, current_thread(), false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		sink_puts(out, "another console runs tests or measures; wait for its end\n");
		return false;
	}
	nr_begun++;
	return true;
}

void ktest_end(void)
{
	if (--nr_begun == 0)
		STORE_RELEASE(tester, NULL);
}

/* Allocate stacks for the threads of cases in advance: later they would look like a leak. */
static void spare_stacks(void)
{
	void *stacks[SPARE_STACKS + 2 * MAX_HARTS];
	unsigned int nr = 0;

	while (nr < SPARE_STACKS + 2 * nr_harts() && (stacks[nr] = stack_get()) != NULL)
		nr++;
	while (nr > 0)
		stack_put(stacks[--nr]);
}

enum ktest_status ktest_run(const struct ktest_options *options, struct sink *out)
{
	enum ktest_status status;

	if (!ktest_begin(out))
		return KTEST_HARNESS;
	spare_stacks();
	status = ktest_run_suites(options, __start_ktest_suites,
				  __stop_ktest_suites - __start_ktest_suites, out);
	ktest_end();
	return status;
}
