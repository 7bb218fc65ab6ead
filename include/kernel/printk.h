/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_PRINTK_H
#define _KERNEL_PRINTK_H

/*
 * Kernel messages: levels, time stamps and the "loglevel=" parameter as on
 * Linux. A message is one line; lines of several harts never mix. All messages,
 * shown or not, are kept in a ring that panic() and the console can read.
 */
#include "kernel/sink.h"
#include "lib/compiler.h"
#include "lib/types.h"

/* A message may start with one of these; without it counts as KERN_INFO. */
#define KERN_SOH     "\001"
#define KERN_EMERG   KERN_SOH "0"
#define KERN_ALERT   KERN_SOH "1"
#define KERN_CRIT    KERN_SOH "2"
#define KERN_ERR     KERN_SOH "3"
#define KERN_WARNING KERN_SOH "4"
#define KERN_NOTICE  KERN_SOH "5"
#define KERN_INFO    KERN_SOH "6"
#define KERN_DEBUG   KERN_SOH "7"

/* A file that wants a prefix defines pr_fmt() before its first include. */
#ifndef pr_fmt
#define pr_fmt(fmt) fmt
#endif

/**
 * printk() - log one message
 * @fmt: printf format, optionally behind a KERN_ level; a newline at the end is
 *	added when missing
 *
 * Context: any, interrupts and panic too; takes the console lock with
 * interrupts off. Never allocates.
 */
void printk(const char *fmt, ...) __printf(1, 2);

/**
 * vprintk() - printk() with an argument list
 * @fmt: as for printk()
 * @args: consumed
 */
void vprintk(const char *fmt, va_list args) __printf(1, 0);

#define pr_emerg(fmt, ...)  printk(KERN_EMERG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_err(fmt, ...)    printk(KERN_ERR pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn(fmt, ...)   printk(KERN_WARNING pr_fmt(fmt), ##__VA_ARGS__)
#define pr_notice(fmt, ...) printk(KERN_NOTICE pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info(fmt, ...)   printk(KERN_INFO pr_fmt(fmt), ##__VA_ARGS__)
#define pr_debug(fmt, ...)  printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)

/* Logged the first time the line is reached, by whichever hart. */
#define pr_warn_once(fmt, ...)                                                           \
	do {                                                                             \
		static int _said;                                                        \
		if (!__atomic_exchange_n(&_said, 1, __ATOMIC_RELAXED))                   \
			pr_warn(fmt, ##__VA_ARGS__);                                     \
	} while (0)

/**
 * struct ratelimit_state - how many messages one source has logged lately
 * @start_ns: when the present interval began
 * @nr: messages since then, those that were suppressed too
 *
 * Of what the outside can cause again and again (a device, the host): RATELIMIT_BURST
 * messages in RATELIMIT_NS, and how many were suppressed with the first one after that.
 * One state a device, so that a talkative one silences no other. All zero at the start.
 */
struct ratelimit_state {
	u64 start_ns;
	u32 nr;
};
#define RATELIMIT_BURST 10U
#define RATELIMIT_NS	(10ULL * 1000 * 1000 * 1000)

/**
 * ratelimit() - whether a message may be logged, as Linux's __ratelimit()
 * @rs: its source's
 * @prefix: of the line that says how many were suppressed
 *
 * Context: any; harts may race, then an interval has a message more or less.
 */
bool ratelimit(struct ratelimit_state *rs, const char *prefix);

#define printk_ratelimited(rs, fmt, ...)                                                 \
	do {                                                                             \
		if (ratelimit(rs, pr_fmt("")))                                           \
			printk(fmt, ##__VA_ARGS__);                                      \
	} while (0)

#define pr_err_ratelimited(rs, fmt, ...)                                                 \
	printk_ratelimited(rs, KERN_ERR pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn_ratelimited(rs, fmt, ...)                                                \
	printk_ratelimited(rs, KERN_WARNING pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info_ratelimited(rs, fmt, ...)                                                \
	printk_ratelimited(rs, KERN_INFO pr_fmt(fmt), ##__VA_ARGS__)

/**
 * console_sink() - the terminal, without level, time stamp or ring
 *
 * What is written in one call stays together on the terminal, between messages
 * of other harts. For answers of commands and test reports, which may be long: whoever
 * writes with something held is named, see sink_may_wait().
 *
 * Return: the one console sink.
 */
struct sink *console_sink(void);

/**
 * report_sink() - the same, for the reports of warnings and panics
 *
 * Context of its writes: any, as for printk().
 * Return: the one report sink.
 */
struct sink *report_sink(void);

/**
 * printk_set_console() - where messages are shown from now on
 * @write: puts @len bytes on the device; newlines are to be translated there.
 *	Called with interrupts off under the console lock; must not log, sleep
 *	or wait for ever.
 *
 * Context: boot, one hart.
 */
void printk_set_console(void (*write)(const char *text, size_t len));

/**
 * printk_dump() - write the kept messages, oldest first
 * @out: the destination
 *
 * Context: thread or panic.
 */
void printk_dump(struct sink *out);

/**
 * printk_bust_lock() - stop honouring the console lock
 *
 * For panic(): a stopped hart may hold it for ever.
 */
void printk_bust_lock(void);

#endif
