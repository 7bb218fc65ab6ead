/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel messages. One lock, taken with interrupts off, keeps lines whole on the
 * terminal and in the ring. printk() formats a message before it takes the lock.
 *
 * Compare with: Linux kernel/printk/printk.c.
 */
#include "kernel/panic.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/spinlock.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "lib/vsprintf.h"

#define RING_SIZE     16384 /* a power of two */
#define MESSAGE_MAX   400
#define DEFAULT_LEVEL 6
#define TIME_MAX      24

static DEFINE_SPINLOCK(console_lock);
static bool lock_busted;
static void (*console_write)(const char *text, size_t len);
static void (*line_draw)(bool shown, struct sink *out);
static bool line_hidden; /* for a message without its newline yet */
static bool line_passed; /* a message came while there was no line to draw */

/* Messages of lower levels than this are shown. The default is Linux's. */
static u64 loglevel = 7;
PARAM_RANGE("loglevel", loglevel, 0, 8, "show messages of a lower level than this");

/* The text of whole lines. ring_head counts all bytes ever written. */
static char ring[RING_SIZE];
static u64 ring_head;

static unsigned long console_acquire(void) __no_lock_analysis
{
	if (READ_ONCE(lock_busted))
		return arch_irq_save();
	return spin_lock_irqsave(&console_lock);
}

static void console_release(unsigned long flags) __no_lock_analysis
{
	/* This hart may have taken the lock before a panic busted it. */
	if (spin_is_held(&console_lock))
		spin_unlock(&console_lock);
	arch_irq_restore(flags);
}

static void bare_write(struct sink *, const char *text, size_t len)
{
	console_write(text, len);
}

static void draw_line(bool shown)
{
	line_hidden = !shown;
	line_draw(shown, &(struct sink){ .write = bare_write });
}

/*
 * Write to the terminal, above the line that a user is typing; a panic leaves that line alone.
 */
static void show(const char *text, size_t len)
{
	if (line_draw && !line_hidden && !READ_ONCE(lock_busted))
		draw_line(false);
	console_write(text, len);
	if (line_hidden && len && text[len - 1] == '\n' && !READ_ONCE(lock_busted))
		draw_line(true);
}

static void ring_append(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ring[(ring_head + i) % RING_SIZE] = text[i];
	WRITE_ONCE(ring_head, ring_head + len);
}

static size_t format_time(char *text, size_t size)
{
	const u64 usec = ktime_ns() / NSEC_PER_USEC;

	return scnprintf(text, size, "[%5llu.%06llu] ",
			 (unsigned long long)(usec / USEC_PER_SEC),
			 (unsigned long long)(usec % USEC_PER_SEC));
}

/* Parse the message's level and move @fmt past it. */
static unsigned int take_level(const char **fmt)
{
	const char *text = *fmt;

	if (text[0] != KERN_SOH[0] || text[1] < '0' || text[1] > '7')
		return DEFAULT_LEVEL;
	*fmt += 2;
	return text[1] - '0';
}

void vprintk(const char *fmt, va_list args)
{
	char text[TIME_MAX + MESSAGE_MAX + 1];
	const unsigned int level = take_level(&fmt);
	size_t len = format_time(text, TIME_MAX);
	unsigned long flags;

	len += vscnprintf(text + len, MESSAGE_MAX, fmt, args);
	if (text[len - 1] != '\n')
		text[len++] = '\n';

	flags = console_acquire();
	ring_append(text, len);
	if (console_write != NULL && level < loglevel) {
		line_passed |= !line_draw;
		show(text, len);
	}
	console_release(flags);
}

void printk(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintk(fmt, args);
	va_end(args);
}

bool ratelimit(struct ratelimit_state *rs, const char *prefix)
{
	const u64 now = ktime_ns();
	u64 start = __atomic_load_n(&rs->start_ns, __ATOMIC_RELAXED);
	u32 nr;

	/* Only one hart begins the next interval. */
	if (now - start < RATELIMIT_NS ||
	    !__atomic_compare_exchange_n(&rs->start_ns, &start, now, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		return __atomic_fetch_add(&rs->nr, 1, __ATOMIC_RELAXED) < RATELIMIT_BURST;
	nr = __atomic_exchange_n(&rs->nr, 1, __ATOMIC_RELAXED);
	if (nr > RATELIMIT_BURST)
		printk(KERN_WARNING "%s%u line%s suppressed", prefix, nr - RATELIMIT_BURST,
		       str_plural(nr - RATELIMIT_BURST));
	return true;
}

static void report_sink_write(struct sink *, const char *text, size_t len)
{
	const unsigned long flags = console_acquire();

	if (console_write != NULL)
		show(text, len);
	console_release(flags);
}

struct sink *report_sink(void)
{
	static struct sink sink = { .write = report_sink_write };

	return &sink;
}

static void console_sink_write(struct sink *sink, const char *text, size_t len)
{
	(void)sink_may_wait();
	report_sink_write(sink, text, len);
}

struct sink *console_sink(void)
{
	static struct sink sink = { .write = console_sink_write };

	return &sink;
}

void printk_set_console(void (*write)(const char *text, size_t len))
{
	const unsigned long flags = console_acquire();

	console_write = write;
	console_release(flags);
}

void printk_set_line(void (*draw)(bool shown, struct sink *out))
{
	const unsigned long flags = console_acquire();

	if (line_hidden)
		draw_line(true);
	line_draw = draw;
	if (draw && line_passed)
		draw_line(true);
	line_passed = false;
	console_release(flags);
}

/*
 * Print the log in parts, each copied under the lock: so other harts can log meanwhile, and
 * the console keeps interrupts off only while it writes a part. Begins at a whole line, even
 * if older lines were overwritten. Ends at the last message before the call; otherwise it
 * might never end.
 */
void printk_dump(struct sink *out)
{
	const u64 end = READ_ONCE(ring_head);
	char text[MESSAGE_MAX];
	u64 pos = 0;

	while (pos < end) {
		const unsigned long flags = console_acquire();
		size_t len = 0;

		if (ring_head - pos > RING_SIZE)
			for (pos = ring_head - RING_SIZE; ring[pos++ % RING_SIZE] != '\n';)
				;
		while (len < sizeof(text) && pos < end)
			text[len++] = ring[pos++ % RING_SIZE];
		console_release(flags);
		out->write(out, text, len);
	}
}

void printk_bust_lock(void)
{
	WRITE_ONCE(lock_busted, true);
}
