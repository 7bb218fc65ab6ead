/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_PANIC_H
#define _KERNEL_PANIC_H

/*
 * Panic and warnings. panic() and BUG_ON() are only for broken invariants: bad input, an
 * old device or a failed allocation gets one error line and an error code.
 */
#include "lib/types.h"

/* Exit status of the machine, see also enum ktest_status. */
#define EXIT_STATUS_PANIC   2
#define EXIT_STATUS_HARNESS 3 /* ebb could not start, or no test ran */

/**
 * panic() - print the reason and a backtrace, stop every hart, exit with status 2
 * @fmt: the reason, a sentence without newline
 *
 * Context: any. The first hart to arrive reports; the others stop.
 */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn __cold;

/**
 * panic_enter() - stop the other harts, so that the caller can print
 *
 * For the trap handler, which prints registers before it calls panic(). On a second hart, the
 * call never returns.
 *
 * Context: any; waits for the others for a bounded time.
 */
void panic_enter(void);

/**
 * panic_stop_if_asked() - stop this hart for good if another hart is in panic()
 *
 * Context: the handler of interrupts from other harts.
 */
void panic_stop_if_asked(void);

/**
 * panic_in_progress() - check whether some hart is in panic()
 *
 * For code that must not wait for other harts during a panic.
 */
bool panic_in_progress(void);

struct sink;

/*
 * The linker's table of functions that add to a panic's report, each called once, on the
 * only hart that still runs, with interrupts off: PANIC_REPORT(print_what_i_know);
 */
#define PANIC_REPORT(fn)                                                                 \
	static void (*const _panic_report_##fn)(struct sink *out)                        \
		__table("panic_reports") = (fn)

/**
 * warn_report() - print the report of WARN_ON(): the place and a backtrace
 * @file: source file
 * @line: line in it
 * @what: text of the condition
 */
void warn_report(const char *file, int line, const char *what) __cold;

/**
 * warn_count() - count the warnings since boot
 *
 * The test runner compares it before and after each case.
 */
unsigned long warn_count(void);

#define BUG_ON(cond)                                                                     \
	do {                                                                             \
		if (unlikely(cond))                                                      \
			panic("BUG at %s:%d: %s", __FILE__, __LINE__, #cond);            \
	} while (0)

/* Evaluates to the condition, so that callers can recover: if (WARN_ON(x)) ... */
#define WARN_ON(cond)                                                                    \
	({                                                                               \
		const bool _bad = !!(cond);                                              \
		if (unlikely(_bad))                                                      \
			warn_report(__FILE__, __LINE__, #cond);                          \
		_bad;                                                                    \
	})

#define WARN_ON_ONCE(cond)                                                               \
	({                                                                               \
		static int _warned;                                                      \
		const bool _bad = !!(cond);                                              \
		if (unlikely(_bad) && !__atomic_exchange_n(&_warned, 1, __ATOMIC_RELAXED)) \
			warn_report(__FILE__, __LINE__, #cond);                          \
		_bad;                                                                    \
	})

/* The Makefile's DEBUG=; code compiled without it has no debug checks. */
#ifndef EBB_DEBUG
#define EBB_DEBUG 0
#endif

/* Checks that cost too much for every build; the condition always compiles. */
#if EBB_DEBUG
#define VM_BUG_ON(cond) BUG_ON(cond)
#define VM_WARN_ON(cond) ((void)WARN_ON(cond))
#else
#define VM_BUG_ON(cond) ((void)sizeof(!!(cond)))
#define VM_WARN_ON(cond) ((void)sizeof(!!(cond)))
#endif

#endif
