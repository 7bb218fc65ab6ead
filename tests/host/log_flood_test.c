/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages that a device, the host or a user can cause repeatedly do not fill the log:
 * each source logs at most RATELIMIT_BURST lines in RATELIMIT_NS.
 */
#include "host.h"
#include "kernel/notifier.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "tests/kernel/log.h"
#include "mm/contig.h"
#include "tests/drivers/vmem_rig.h"
#include "tests/mm/test_mm.h"

#define MIB    (1UL << 20)
#define ROUNDS 60

static u64 start_ns;

static void count_lines(void)
{
	log_mark();
	start_ns = ktime_ns();
}

/*
 * Return the most lines that @sources may have logged since count_lines(), including the
 * lines that report suppressed lines.
 */
static unsigned int most_lines(unsigned int sources)
{
	const u64 intervals = 2 + (ktime_ns() - start_ns) / RATELIMIT_NS;

	return (unsigned int)intervals * sources * (RATELIMIT_BURST + 1);
}

/* Expect that these words were logged, but only a few times. */
static void expect_few(struct ktest *test, const char *words, unsigned int sources)
{
	KTEST_EXPECT_GT(test, times_logged(words), 0);
	KTEST_EXPECT_LE(test, times_logged(words), most_lines(1));
	KTEST_EXPECT_LE(test, times_logged("\n") - 1, most_lines(sources));
}

/* --- a device ------------------------------------------------------------------------- */

/* Add a device of 256 MiB in blocks 1 and 2 of the window, with nothing plugged. */
static struct vmem_rig *open_device(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);

	(void)vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);
	return rig;
}

/* Make the worker retry without a pause, however often it failed before. */
static void toggle(struct vmem_rig *rig)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		vmem_rig_resize(rig, 0, 256 * MIB);
		vmem_rig_resize(rig, 0, 0);
	}
}

static void unmovable_page_in_the_way(struct ktest *test)
{
	struct vmem_rig *rig = open_device(test);
	const unsigned long pfn = window_pfn(rig->w, 2) + 13 * PAGEBLOCK_NR_PAGES;

	vmem_rig_resize(rig, 0, 256 * MIB);
	KTEST_ASSERT_EQ(test, alloc_pages_at(rig->w->mm, pfn, 0, PGTY_KERNEL), 0);
	count_lines();
	toggle(rig);
	free_pages(rig->w->mm, pfn, 0);
	expect_few(test, "plugged 4 MiB", 1);
}

static int refuse(struct notifier_block *nb, unsigned long event, void *data)
{
	(void)nb;
	(void)data;
	return event == MEM_GOING_ONLINE ? -EBUSY : 0;
}

static void refused_online(struct ktest *test)
{
	struct vmem_rig *rig = open_device(test);
	struct notifier_block nb = { .fn = refuse };

	KTEST_ASSERT_EQ(test, notifier_register(&rig->w->mm->notifiers, &nb), 0);
	count_lines();
	toggle(rig);
	KTEST_EXPECT_EQ(test, notifier_unregister(&rig->w->mm->notifiers, &nb), 0);
	expect_few(test, "online failed", 2);
}

static enum fake_vmem_fault some_nacks(struct fake_vmem *fm)
{
	return fm->nr_log % 3 ? FAKE_NACK : FAKE_OK;
}

static void nack(struct ktest *test)
{
	struct vmem_rig *rig = open_device(test);

	rig->fm[0].choose = some_nacks;
	count_lines();
	toggle(rig);
	expect_few(test, "vm0: ", 1);
}

static void leftovers(struct ktest *test)
{
	struct vmem_rig *rig = open_device(test);

	count_lines();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		rig->vm[0]->unplug_all = true;
		vmem_rig_resize(rig, 0, 0);
	}
	expect_few(test, "before the driver came", 1);
}

/* --- the host and a user ---------------------------------------------------------------- */

static void contig_in_vain(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	count_lines();
	for (unsigned int i = 0; i < ROUNDS; i++)
		KTEST_EXPECT_EQ(test,
				alloc_contig_pages(w->mm, 4 * PAGES_PER_SECTION, NULL,
						   NO_WHY),
				PFN_NONE);
	expect_few(test, "frames failed", 1);
}

static void online_in_vain(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	window_add(test, w, 1, ~0UL);
	count_lines();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		w->mm->inject = 1;
		KTEST_EXPECT_LT(test, window_online(w, 1, MMOP_ONLINE), 0);
	}
	w->mm->inject = 0;
	expect_few(test, "online failed", 1);
}

static void offline_in_vain(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	const unsigned long pfn = window_pfn(w, 1) + 13 * PAGEBLOCK_NR_PAGES;

	window_add_online(test, w, 1, MMOP_ONLINE_KERNEL);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_KERNEL), 0);
	count_lines();
	for (unsigned int i = 0; i < ROUNDS; i++)
		KTEST_EXPECT_EQ(test, window_offline(w, 1), -EBUSY);
	free_pages(w->mm, pfn, 0);
	expect_few(test, "offline failed", 1);
}

/* Begin an interval, so that lines of other suites from the same source do not count. */
static void begin_an_interval(void)
{
	host_jump_clock(RATELIMIT_NS);
	count_lines();
}

static bool may_end;

static int wait_for_the_end(void *unused)
{
	(void)unused;
	while (!READ_ONCE(may_end))
		msleep(1);
	return 0;
}

static void no_room_for_threads(struct ktest *test)
{
	static struct thread *threads[MAX_THREADS];
	unsigned int nr = 0;

	WRITE_ONCE(may_end, false);
	begin_an_interval();
	for (unsigned int i = 0; i < MAX_THREADS + ROUNDS; i++) {
		struct thread *thread = thread_create("many", wait_for_the_end, NULL);

		if (thread)
			threads[nr++] = thread;
	}
	WRITE_ONCE(may_end, true);
	while (nr)
		KTEST_EXPECT_EQ(test, thread_join(threads[--nr], WAIT_FOREVER, NULL), 0);
	expect_few(test, "too many threads", 1);
}

static int never_content(struct notifier_block *nb, unsigned long event, void *data)
{
	(void)nb;
	(void)event;
	(void)data;
	return -EPERM;
}

static void listener_that_cannot_refuse(struct ktest *test)
{
	struct notifier_block nb = { .fn = never_content };
	struct notifier_chain chain;

	notifier_chain_init(&chain, "flood");
	KTEST_ASSERT_EQ(test, notifier_register(&chain, &nb), 0);
	begin_an_interval();
	for (unsigned int i = 0; i < ROUNDS; i++)
		notifier_call_end(&chain, 1, NULL, &(struct notifier_start){ .nr = ~0UL });
	expect_few(test, "which no listener can refuse", 1);
}

static const struct ktest_case log_flood_cases[] = {
	KTEST_CASE(unmovable_page_in_the_way),
	KTEST_CASE(refused_online),
	KTEST_CASE(nack),
	KTEST_CASE(leftovers),
	KTEST_CASE(contig_in_vain),
	KTEST_CASE(online_in_vain),
	KTEST_CASE(offline_in_vain),
	KTEST_CASE(no_room_for_threads),
	KTEST_CASE(listener_that_cannot_refuse),
	{},
};
static struct ktest_suite log_flood_suite = { .name = "log_flood", .cases = log_flood_cases };
KTEST_SUITE(log_flood_suite);
