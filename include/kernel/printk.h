/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_PRINTK_H
#define _KERNEL_PRINTK_H

/*
 * Kernel messages: levels, time stamps and the "loglevel=" parameter as on
 * Linux. A message is one line; lines of several harts never mix. All messages,
 * shown or not, are kept in a ring that panic() and the console can read.
 */
#include "kernel/sink.h"
#include "lib/time.h"
#include "lib/types.h"

/* A message may start with one of these levels; without, it counts as KERN_INFO. */
#define KERN_SOH     "\001"
#define KERN_EMERG   KERN_SOH "0"
#define KERN_ERR     KERN_SOH "3"
#define KERN_WARNING KERN_SOH "4"
#define KERN_INFO    KERN_SOH "6"
#define KERN_DEBUG   KERN_SOH "7"

/* To have a prefix, a file defines pr_fmt() before its first include. */
#ifndef pr_fmt
#define pr_fmt(fmt) fmt
#endif

/**
 * printk() - log one message
 * @fmt: printf format, optionally after a KERN_ level; a newline at the end is
 *	added when missing
 *
 * Context: any, interrupts and panic too; takes the console lock with
 * interrupts off. Never allocates.
 */
void printk(const char *fmt, ...) __printf(1, 2);

/**
 * vprintk() - log like printk(), with an argument list
 * @fmt: as for printk()
 * @args: consumed
 */
void vprintk(const char *fmt, va_list args) __printf(1, 0);

#define pr_emerg(fmt, ...)  printk(KERN_EMERG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_err(fmt, ...)    printk(KERN_ERR pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn(fmt, ...)   printk(KERN_WARNING pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info(fmt, ...)   printk(KERN_INFO pr_fmt(fmt), ##__VA_ARGS__)
#define pr_debug(fmt, ...)  printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)

/* Log only the first time that any hart reaches the line. */
#define pr_warn_once(fmt, ...)                                                           \
	do {                                                                             \
		static int _said;                                                        \
		if (!__atomic_exchange_n(&_said, 1, __ATOMIC_RELAXED))                   \
			pr_warn(fmt, ##__VA_ARGS__);                                     \
	} while (0)

/**
 * struct ratelimit_state - the count of recent messages of one source
 * @start_ns: when the current interval began
 * @nr: messages since then, including suppressed ones
 *
 * It limits messages that a device or the host can cause again and again: it lets through
 * RATELIMIT_BURST messages in RATELIMIT_NS, then reports the number of suppressed ones
 * with the first message after that. Each device has its own state, so that a talkative
 * device silences no other device. All zero at the start.
 */
struct ratelimit_state {
	u64 start_ns;
	u32 nr;
};
#define RATELIMIT_BURST 10U
#define RATELIMIT_NS	(10 * NSEC_PER_SEC)

/**
 * ratelimit() - check whether a message may be logged, like Linux's __ratelimit()
 * @rs: state of the message's source
 * @prefix: of the line that reports suppressed messages
 *
 * Context: any; if harts race, an interval has a message more or less.
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
 * console_sink() - get the sink of the terminal, without level, time stamp or ring
 *
 * The text of one write stays together on the terminal, between messages of other harts.
 * For answers of commands and test reports, which may be long. A warning names a writer
 * that holds a lock, see sink_may_wait().
 *
 * Return: the only console sink.
 */
struct sink *console_sink(void);

/**
 * report_sink() - get the sink of the terminal for reports of warnings and panics
 *
 * Context of its writes: any, as for printk().
 * Return: the only report sink.
 */
struct sink *report_sink(void);

/**
 * printk_set_console() - set the device that shows messages
 * @write: puts @len bytes on the device and translates newlines. printk() calls it with the
 *	console lock held and interrupts off, so it must not log or sleep, and may wait only
 *	for a bounded time.
 *
 * Context: boot, one hart.
 */
void printk_set_console(void (*write)(const char *text, size_t len));

/**
 * printk_set_line() - keep a line that a user types below all messages
 * @draw: erases the line (@shown false) before a message and draws it again (true) after it,
 *	by writes to @out; NULL: there is no such line. printk() calls it with the console
 *	lock held and interrupts off, on any hart, so it must not log, lock or sleep.
 *
 * An editor passes NULL while it changes the line; if a message comes in that time, the next
 * call with a line draws the line again.
 *
 * Context: thread.
 */
void printk_set_line(void (*draw)(bool shown, struct sink *out));

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
 * For panic(): a stopped hart may hold it and never release it.
 */
void printk_bust_lock(void);

#endif
