/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "vmem" and "vmem reset" while devices come and go: the list of devices is unlocked
 * while a command writes its text, and while it waits for a reset.
 */
#include "kernel/ktest.h"
#include "kernel/console/shell.h"
#include "kernel/sink.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "tests/drivers/vmem_rig.h"
#include "tests/kernel/strict_sink.h"
#include "tests/kernel/test_threads.h"

#define MIB (1UL << 20)

static void status_is_written_later(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct strict_sink strict = STRICT_SINK;

	vmem_rig_add(rig, 128 * MIB, 128 * MIB, 2 * MIB);
	vmem_rig_add(rig, 256 * MIB, 128 * MIB, 2 * MIB);
	KTEST_EXPECT_GE(test, vmem_status(&strict.sink), 2);
	EXPECT_STRICT(test, &strict);
	/* One write per line, because the terminal has interrupts off for each write. */
	KTEST_EXPECT_GE(test, strict.writes, 10);
}

/* A thread that plays a user: it runs "vmem reset" at a console. */
struct person {
	struct strict_sink strict; /* checks the writes */
	struct sink sink;
	char line[32];
	char text[256];
	size_t len;
};

static void person_write(struct sink *sink, const char *text, size_t len)
{
	struct person *p = container_of(sink, struct person, sink);
	const size_t n = min(len, sizeof(p->text) - 1 - p->len);

	memcpy(p->text + p->len, text, n);
	p->len += n;
	strict_write(&p->strict.sink, text, len);
}

static int type_line(void *arg)
{
	struct person *p = arg;

	return console_run_line(p->line, &p->sink);
}

/* Start "vmem reset"; return when it waits for the worker of the rig's first device. */
static struct thread *begin_reset(struct vmem_rig *rig, struct person *p)
{
	struct thread *thread;

	*p = (struct person){ .strict = STRICT_SINK, .sink = { .write = person_write } };
	(void)scnprintf(p->line, sizeof(p->line), "vmem reset %s", rig->vm[0]->name);
	thread = thread_create("person", type_line, p);
	KTEST_ASSERT_NOT_NULL(rig->test, thread);
	KTEST_ASSERT_TRUE(rig->test,
			  wait_for_count(&rig->vm[0]->reset_asked, VMEM_RESET_ASKED));
	return thread;
}

static void end_reset(struct vmem_rig *rig, struct thread *thread, struct person *p,
		      int want, const char *text)
{
	char line[64];
	int status = 1;

	KTEST_ASSERT_EQ(rig->test, thread_join(thread, ktime_ns() + STEP_NS, &status), 0);
	KTEST_EXPECT_EQ(rig->test, status, want);
	(void)scnprintf(line, sizeof(line), "%s: %s\n", p->line + strlen("vmem reset "),
			text);
	KTEST_EXPECT_STREQ(rig->test, p->text, line);
	EXPECT_STRICT(rig->test, &p->strict);
}

static void list_is_free_during_a_reset(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct person *p = ktest_alloc(test, sizeof(*p));
	struct thread *thread;
	u64 before;

	vmem_rig_add(rig, 128 * MIB, 128 * MIB, 2 * MIB);
	vmem_rig_resize(rig, 0, 64 * MIB);
	thread = begin_reset(rig, p);
	before = ktime_ns();
	mutex_lock(&vmem_list_mutex);
	mutex_unlock(&vmem_list_mutex);
	KTEST_EXPECT_SOON(test, ktime_ns() - before, NSEC_PER_SEC);
	KTEST_EXPECT_EQ(test, p->len, 0);
	KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), WAIT_FOREVER);
	end_reset(rig, thread, p, 0, "reset, plugged 64 MiB");
}

/*
 * The device is removed, and another device gets its id: the command tells the user, and
 * does not reset the other device.
 */
static void device_leaves_during_a_reset(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct person *p = ktest_alloc(test, sizeof(*p));
	struct thread *thread;

	vmem_rig_add(rig, 128 * MIB, 128 * MIB, 2 * MIB);
	thread = begin_reset(rig, p);
	vmem_rig_detach(rig, 0);
	vmem_rig_add(rig, 256 * MIB, 128 * MIB, 2 * MIB);
	end_reset(rig, thread, p, -ENODEV, "the device leaves");
	KTEST_EXPECT_EQ(test, rig->vm[1]->reset_asked, VMEM_RESET_NONE);
}

/* If the worker does not get to the reset, the command stops waiting. */
static void reset_that_takes_long(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct person *p = ktest_alloc(test, sizeof(*p));

	if (!time_is_virtual())
		ktest_skip(test, "a person waits for 15 s");
	vmem_rig_add(rig, 128 * MIB, 128 * MIB, 2 * MIB);
	end_reset(rig, begin_reset(rig, p), p, -EBUSY, "will be reset; see vmem");
}

static const struct ktest_case vmem_console_cases[] = {
	KTEST_CASE(status_is_written_later),
	KTEST_CASE(list_is_free_during_a_reset),
	KTEST_CASE(device_leaves_during_a_reset),
	KTEST_CASE(reset_that_takes_long),
	{}
};
static struct ktest_suite vmem_console_suite = { .name = "vmem_console",
						 .cases = vmem_console_cases };
KTEST_SUITE(vmem_console_suite);
