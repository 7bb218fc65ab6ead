/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cases that end in panic(), each in its own process, which must print the reason and
 * exit with status 2. Host only: a guest can panic only once.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "death.h"
#include "kernel/ktest.h"
#include "kernel/mutex.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "kernel/spinlock.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/trace/trace.h"
#include "tests/kernel/test_threads.h"

static DEFINE_SPINLOCK(lock_a);
static DEFINE_MUTEX(mutex_a);

static void plain(void)
{
	panic("number %d", 42);
}

static void bug_on(void)
{
	BUG_ON(1 + 1 == 2);
}

static void spin_twice(void)
{
	spin_lock(&lock_a);
	spin_lock(&lock_a);
}

static void spin_unlock_free(void)
{
	spin_unlock(&lock_a);
}

static void spin_unlock_foreign(void)
{
	lock_a.owner = 7;
	spin_unlock(&lock_a);
}

static void spin_not_held_assertion(void)
{
	assert_spin_held(&lock_a);
}

/* Set up the lock as if another hart held it and never released it. */
static void spin_for_ever(void)
{
	lock_a.owner = 7;
	spin_lock(&lock_a);
}

static void sleep_with_spinlock(void)
{
	spin_lock(&lock_a);
	msleep(1);
}

static void yield_with_spinlock(void)
{
	spin_lock(&lock_a);
	yield();
}

static void sleep_with_interrupts_off(void)
{
	(void)arch_irq_save();
	mutex_lock(&mutex_a);
}

static void mutex_twice(void)
{
	mutex_lock(&mutex_a);
	mutex_lock(&mutex_a);
}

static void mutex_unlock_free(void)
{
	mutex_unlock(&mutex_a);
}

static void mutex_not_held_assertion(void)
{
	assert_mutex_held(&mutex_a);
}

static void lock_in_timer(struct timer *timer)
{
	(void)timer;
	mutex_lock(&mutex_a);
}

static void sleep_in_interrupt(void)
{
	struct timer timer;

	timer_init(&timer, lock_in_timer);
	timer_set(&timer, 0);
	msleep(1);
}

static void panic_in_panic_sink(const char *text, size_t len)
{
	(void)!write(STDOUT_FILENO, text, len);
	if (memmem(text, len, "first", 5) != NULL)
		panic("second");
}

static void panic_while_printing(void)
{
	printk_set_console(panic_in_panic_sink);
	panic("first");
}

static void trace_is_shown(void)
{
	(void)trace_set("ktest:mark", TRACE_ON);
	for (u64 i = 0; i < 30; i++)
		trace_emit(TRACE_TEST_MARK, .pfn = 0xabc00 + i);
	panic("with trace");
}

/* Take more locks of different names than the lock-order checker has room for. */
static void too_many_lock_names(void)
{
	static char names[200][8];
	static spinlock_t locks[ARRAY_SIZE(names)];

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "name%u", i);
		spin_lock_init(&locks[i], names[i]);
		spin_lock(&locks[i]);
		spin_unlock(&locks[i]);
	}
	panic("all were taken");
}

static const struct death deaths[] = {
	{ "plain", plain, "Kernel panic - not syncing: number 42\n" },
	{ "bug_on", bug_on, ": 1 + 1 == 2\n" },
	{ "spin_twice", spin_twice, "spinlock lock_a: hart 0 already holds it" },
	{ "spin_unlock_free", spin_unlock_free, "unlocks it, but it is not locked" },
	{ "spin_unlock_foreign", spin_unlock_foreign, "but hart 6 holds it" },
	{ "spin_not_held", spin_not_held_assertion, "lock_a: not held by hart 0, thread ktest" },
	{ "spin_for_ever", spin_for_ever, "lock_a: held for 10 s by hart 6" },
	{ "sleep_with_spinlock", sleep_with_spinlock, "may sleep while hart 0 holds 1 spin" },
	{ "yield_with_spinlock", yield_with_spinlock, "may sleep while hart 0 holds 1 spin" },
	{ "sleep_irqs_off", sleep_with_interrupts_off, "may sleep with interrupts off" },
	{ "sleep_in_interrupt", sleep_in_interrupt, "may sleep in an interrupt handler" },
	{ "mutex_twice", mutex_twice, "mutex mutex_a: thread ktest already holds it" },
	{ "mutex_unlock_free", mutex_unlock_free, "mutex_a: not held by thread ktest" },
	{ "mutex_not_held", mutex_not_held_assertion, "mutex_a: not held by thread ktest" },
	{ "while_printing", panic_while_printing, "panic in panic: second" },
	{ "too_many_lock_names", too_many_lock_names,
	  "lock order: too many names: some locks are not checked" },
	{ "trace_is_shown", trace_is_shown, "mark: 0xabc1d 0\n" },
};

struct ktest *death_test;

void death_desc(const struct death *death, char desc[KTEST_DESC_SIZE])
{
	(void)snprintf(desc, KTEST_DESC_SIZE, "%s", death->name);
}

KTEST_ARRAY_PARAM(death, deaths, death_desc)

/* Read until the other side closes, and keep the text that fits. */
static void read_all(int fd, char *text, size_t size)
{
	char rest[256];
	size_t len = 0;
	ssize_t n;

	while (len + 1 < size && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	while (read(fd, rest, sizeof(rest)) > 0)
		;
}

void expect_death(struct ktest *test)
{
	const struct death *death = test->param_value;
	static char text[8192];
	int fds[2], status = 0;
	pid_t pid;

	if (nr_online_harts() > 1)
		ktest_skip(test, "a process with several host threads can't be forked");
	KTEST_ASSERT_EQ(test, pipe(fds), 0);
	fflush(stdout);
	pid = fork();
	KTEST_ASSERT_GE(test, pid, 0);
	if (pid == 0) {
		death_test = test;
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		death->run();
		_exit(0);
	}
	close(fds[1]);
	read_all(fds[0], text, sizeof(text));
	close(fds[0]);
	KTEST_EXPECT_EQ(test, waitpid(pid, &status, 0), pid);
	KTEST_EXPECT_TRUE(test, WIFEXITED(status));
	KTEST_EXPECT_EQ(test, WEXITSTATUS(status), EXIT_STATUS_PANIC);
	if (strstr(text, death->words) == NULL)
		KTEST_FAIL(test, "no \"%s\" in: %.180s", death->words, text);
}

static const struct ktest_case panic_cases[] = {
	{ .name = "panics", .run = expect_death, .params = death_gen_params },
	{}
};

static struct ktest_suite panic_suite = { .name = "panic", .cases = panic_cases };
KTEST_SUITE(panic_suite);
