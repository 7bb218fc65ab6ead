/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code that writes to a console holds nothing that other threads need, because the
 * reader may be slow. With a sink that checks this, the suite shows every file and runs
 * every command that prints.
 */
#include "kernel/console/shell.h"
#include "kernel/spinlock.h"
#include "lib/string.h"
#include "mm/memory_hotplug.h"
#include "tests/console/answer.h"
#include "tests/kernel/strict_sink.h"

static DEFINE_MUTEX(outer_mutex);
static DEFINE_MUTEX(inner_mutex);
static DEFINE_SPINLOCK(some_lock);

/* --- the kernel knows what a thread holds -------------------------------------- */

static void mutexes_of_a_thread(struct ktest *test)
{
	const struct mutex *const before = mutex_last_taken();

	mutex_lock(&outer_mutex);
	KTEST_EXPECT_PTR_EQ(test, mutex_last_taken(), &outer_mutex);
	KTEST_EXPECT_TRUE(test, mutex_trylock(&inner_mutex));
	KTEST_EXPECT_FALSE(test, mutex_trylock(&inner_mutex));
	KTEST_EXPECT_PTR_EQ(test, mutex_last_taken(), &inner_mutex);
	mutex_unlock(&inner_mutex);
	KTEST_EXPECT_PTR_EQ(test, mutex_last_taken(), &outer_mutex);
	/* Release the mutexes in the order of taking, which is allowed. */
	mutex_lock(&inner_mutex);
	mutex_unlock(&outer_mutex);
	KTEST_EXPECT_PTR_EQ(test, mutex_last_taken(), &inner_mutex);
	mutex_unlock(&inner_mutex);
	KTEST_EXPECT_PTR_EQ(test, mutex_last_taken(), before);
}

static void whoever_holds_may_not_wait(struct ktest *test)
{
	unsigned long flags;

	KTEST_EXPECT_TRUE(test, sink_can_wait());
	mutex_lock(&outer_mutex);
	KTEST_EXPECT_FALSE(test, sink_can_wait());
	mutex_unlock(&outer_mutex);
	spin_lock(&some_lock);
	KTEST_EXPECT_FALSE(test, sink_can_wait());
	spin_unlock(&some_lock);
	pfn_walk_begin();
	KTEST_EXPECT_FALSE(test, sink_can_wait());
	pfn_walk_end();
	flags = arch_irq_save();
	KTEST_EXPECT_FALSE(test, sink_can_wait());
	arch_irq_restore(flags);
	KTEST_EXPECT_TRUE(test, sink_can_wait());
}

/* --- files and commands --------------------------------------------------------- */

static void show_file(const char *path, void *arg)
{
	struct strict_sink *strict = arg;

	(void)pseudofs_show(path, &strict->sink);
}

static void files(struct ktest *test)
{
	struct strict_sink strict = STRICT_SINK;

	pseudofs_for_each(show_file, &strict);
	EXPECT_STRICT(test, &strict);
}

static void commands(struct ktest *test)
{
	static const char *const lines[] = {
		"help",
		"help params",
		"help nothing",
		"ls /proc",
		"ls /sys/devices/system/memory",
		"cat /proc/iomem",
		"dmesg",
		"lsmem -a",
		"map",
		"mm check",
		"mm census",
		"dump_page 0x80000",
		"vmem",
		"vmem reset nosuch",
		"trace list",
		"trace sites",
		"veto",
		"hold",
		"step",
		"chmem -d -b 0",
		"chmem -e 1000G",
		"contig 4",
		"contig 600000",
		"alloc 99",
		"alloc 0 at 1",
		"free 0x80000",
		"pin 1",
		"unpin 1",
		"echo 1 > /proc/meminfo",
		"dumpsys header",
		"dumpsys snapshot",
		"dumpsys",
		"echo x",
		"sleep",
		"nosuch",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
		struct strict_sink strict = STRICT_SINK;

		(void)console_run_line(lines[i], &strict.sink);
		if (strict.held || !strict.writes)
			KTEST_FAIL(test,
				   "\"%s\": %u of %u writes with something held (%s)",
				   lines[i], strict.held, strict.writes, strict.lock);
	}
}

/* The case holds the hotplug lock, as a long plug or unplug does: /proc/iomem works anyway. */
static void iomem_needs_no_lock(struct ktest *test)
{
	struct strict_sink strict = STRICT_SINK;

	KTEST_EXPECT_EQ(test, command("cat /proc/iomem"), 0);
	KTEST_EXPECT_NOT_NULL(test, strstr(answer, "System RAM"));
	mutex_lock(&kernel_mm.hotplug_lock);
	KTEST_EXPECT_EQ(test, console_run_line("cat /proc/iomem", &strict.sink), 0);
	mutex_unlock(&kernel_mm.hotplug_lock);
	KTEST_EXPECT_STREQ(test, strict.lock, "hotplug"); /* the case's own lock */
}

static int need_memory(struct ktest *test)
{
	if (!kernel_mm.name)
		ktest_skip(test, "there is no kernel memory");
	return 0;
}

static const struct ktest_case slow_reader_cases[] = {
	KTEST_CASE(mutexes_of_a_thread),
	KTEST_CASE(whoever_holds_may_not_wait),
	KTEST_CASE(files),
	KTEST_CASE(commands),
	KTEST_CASE(iomem_needs_no_lock),
	{}
};
static struct ktest_suite slow_reader_suite = { .name = "slow_reader",
						.init = need_memory,
						.cases = slow_reader_cases };
KTEST_SUITE(slow_reader_suite);
