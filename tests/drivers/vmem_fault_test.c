/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio-mem driver with devices that are busy, that refuse, or that answer
 * nonsense, and with configurations that make no sense. Whatever happens, mm stays
 * consistent, and only plugged memory is mapped.
 */
#include "kernel/ktest.h"
#include "kernel/sink.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "mm/page_alloc.h"
#include "tests/drivers/vmem_rig.h"

#define MIB (1UL << 20)

/* Each fault comes at each request of walk(), up to this one. */
#define LAST_REQUEST 8

static const void *fault_gen_params(const void *prev, char desc[KTEST_DESC_SIZE])
{
	return vmem_rig_faults(prev, LAST_REQUEST, desc);
}

/* Pages in use fragment the region, so that one target takes several requests. */
#define NR_PINS 6

static void pin_some(struct vmem_rig *rig, unsigned long pin[NR_PINS])
{
	for (unsigned int i = 0; i < NR_PINS; i++) {
		pin[i] = window_pfn(rig->w, 1) + (i * 9 + 3) * PAGEBLOCK_NR_PAGES + i;
		KTEST_ASSERT_EQ(rig->test, alloc_pages_at(rig->w->mm, pin[i], 0, PGTY_KERNEL), 0);
	}
}

/* Grow, shrink around the pins, grow again: plug and unplug, whole blocks and granules. */
static void walk(struct vmem_rig *rig, unsigned long pin[NR_PINS], bool *pinned)
{
	vmem_rig_resize(rig, 0, 256 * MIB);
	vmem_rig_check(rig);
	if (!*pinned && !virtio_is_broken(rig->vm[0]->vdev) && vmem_rig_plugged(rig, 0)) {
		pin_some(rig, pin);
		*pinned = true;
	}
	vmem_rig_resize(rig, 0, 30 * MIB);
	vmem_rig_check(rig);
	vmem_rig_resize(rig, 0, 200 * MIB);
	vmem_rig_check(rig);
}

static void unpin(struct vmem_rig *rig, const unsigned long pin[NR_PINS], bool pinned)
{
	for (unsigned int i = 0; i < NR_PINS && pinned; i++)
		free_pages(rig->w->mm, pin[i], 0);
}

/* Expect that the status names this obstacle. */
static void expect_trouble(struct vmem_rig *rig, const char *words)
{
	char text[160] = "";
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, text, sizeof(text));
	KTEST_EXPECT_TRUE(rig->test, vmem_print_failure(rig->vm[0], &buffer.sink));
	KTEST_EXPECT_STREQ(rig->test, text, words);
}

/* Expect that after the fault the driver reaches the target and reports no failure. */
static void expect_recovery(struct vmem_rig *rig)
{
	struct sink_buffer buffer;
	char text[160];

	KTEST_EXPECT_TRUE(rig->test, vmem_rig_comes_back(rig, 0));
	KTEST_EXPECT_EQ(rig->test, vmem_rig_plugged(rig, 0), 200 * MIB);
	KTEST_EXPECT_FALSE(rig->test, virtio_is_broken(rig->vm[0]->vdev));
	sink_buffer_init(&buffer, text, sizeof(text));
	KTEST_EXPECT_FALSE(rig->test, vmem_print_failure(rig->vm[0], &buffer.sink));
	vmem_rig_check(rig);
}

/* Expect that a given-up device gets no request before its reset, and keeps its memory. */
static void expect_given_up(struct vmem_rig *rig)
{
	const unsigned int before = rig->fm[0].nr_log;
	struct sink_buffer buffer;
	char text[200];

	KTEST_EXPECT_TRUE(rig->test, virtio_is_broken(rig->vm[0]->vdev));
	sink_buffer_init(&buffer, text, sizeof(text));
	vmem_print_failure(rig->vm[0], &buffer.sink);
	KTEST_EXPECT_NOT_NULL(rig->test, strstr(text, "; it is not used until it has been reset"));
	rig->vm[0]->restart_ns = ktime_ns() + NSEC_PER_SEC;
	vmem_rig_resize(rig, 0, 0);
	KTEST_EXPECT_EQ(rig->test, rig->fm[0].nr_log, before);
	vmem_rig_check(rig);
	fake_vmem_resize(&rig->fm[0], 200 * MIB);
}

static void fault_at_each_request(struct ktest *test)
{
	const struct rig_fault *f = test->param_value;
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);
	unsigned long pin[NR_PINS];
	bool pinned = false;

	fake_vmem_inject(fm, f->at, 1, f->fault);
	walk(rig, pin, &pinned);
	KTEST_EXPECT_GT(test, fm->nr_log, f->at);
	if (f->fault != FAKE_BUSY && f->fault != FAKE_NACK)
		KTEST_EXPECT_TRUE(test, fm->fv.resets > 1 || virtio_is_broken(&fm->fv.vdev));
	if (virtio_is_broken(&fm->fv.vdev))
		expect_given_up(rig);
	expect_recovery(rig);
	unpin(rig, pin, pinned);
}

/* A device that stays busy: the delays grow up to a bound. */
static void back_off(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);
	u64 delay, before = 0;

	fake_vmem_inject(fm, 0, 20, FAKE_BUSY);
	fake_vmem_resize(fm, 100 * MIB);
	for (unsigned int i = 0; i < 20; i++) {
		delay = vmem_rig_settle(rig, 0);
		KTEST_EXPECT_GE(test, delay, before);
		KTEST_EXPECT_LE(test, delay, VMEM_RETRY_LAST_NS);
		before = delay;
		expect_trouble(rig, "the device is busy");
	}
	KTEST_EXPECT_EQ(test, before, VMEM_RETRY_LAST_NS);
	KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), WAIT_FOREVER);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 100 * MIB);
	vmem_rig_check(rig);
}

/* A device refuses even the size that it requests: the driver does not loop endlessly. */
static void contradiction(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);

	fake_vmem_inject(fm, 0, 1000, FAKE_NACK);
	fake_vmem_resize(fm, 100 * MIB);
	for (unsigned int i = 0; i < 5; i++)
		KTEST_EXPECT_GE(test, vmem_rig_settle(rig, 0), VMEM_RETRY_FIRST_NS);
	KTEST_EXPECT_LE(test, fm->nr_log, 6);
	expect_trouble(rig, "the device refuses (NACK)");
	KTEST_EXPECT_EQ(test, rig->vm[0]->last_report.result, -EAGAIN);
}

/*
 * The device refuses to unplug whole blocks: they stay plugged, but not in mm, until growing
 * adds them again.
 */
static void refused_blocks(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 512 * MIB, 2 * MIB);

	vmem_rig_resize(rig, 0, 512 * MIB);
	fake_vmem_inject(fm, 0, 100, FAKE_BUSY);
	vmem_rig_resize(rig, 0, 128 * MIB);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 128 * MIB);
	KTEST_EXPECT_EQ(test, pb_to_bytes(rig->vm[0]->map.nr_reserved), 384 * MIB);
	KTEST_EXPECT_EQ(test, pb_to_bytes(vmem_nr_at_device(rig->vm[0])),
			fm->config.plugged_size);
	vmem_rig_check(rig);
	vmem_rig_resize(rig, 0, 512 * MIB);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 512 * MIB);
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_PLUG], 1);
	vmem_rig_check(rig);
	fm->fault_for = 0;
	vmem_rig_resize(rig, 0, 0);
	vmem_rig_check(rig);
}

/* --- what mm refuses ------------------------------------------------------------------------ */

/*
 * mm refuses a block: after some tries the driver returns the block to the device, with a
 * line in the log.
 */
static void refused_by_mm(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 128 * MIB, 2 * MIB);
	char text[200] = "";
	struct sink_buffer buffer;
	unsigned int rounds = 0;

	fake_vmem_resize(fm, 20 * MIB);
	do {
		rig->w->mm->inject = 1;
		rounds++;
	} while (vmem_rig_settle(rig, 0) != WAIT_FOREVER && rounds < 50);
	KTEST_EXPECT_EQ(test, rounds, VMEM_MAX_REFUSALS);
	rig->w->mm->inject = 0;
	KTEST_EXPECT_EQ(test, fake_vmem_plugged(fm), 0);
	KTEST_EXPECT_EQ(test, rig->vm[0]->map.nr_reserved, 0);
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_PLUG], 1);
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_UNPLUG], 1);
	sink_buffer_init(&buffer, text, sizeof(text));
	vmem_print_failure(rig->vm[0], &buffer.sink);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "where mm does not refuse: memory"));
	vmem_rig_check(rig);
	/* A new size is a new try. */
	vmem_rig_resize(rig, 0, 30 * MIB);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 30 * MIB);
	vmem_rig_check(rig);
}

/* If mm refuses one block, the driver plugs another block instead. */
static void refused_one_block(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);

	fake_vmem_resize(fm, 128 * MIB);
	for (unsigned int i = 0; i < VMEM_MAX_REFUSALS; i++) {
		KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 0);
		rig->w->mm->inject = 1;
		vmem_rig_settle(rig, 0);
	}
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 128 * MIB);
	KTEST_EXPECT_FALSE(test, fake_vmem_is_plugged(fm, fm->config.addr));
	vmem_rig_check(rig);
}

/* --- configurations that make no sense ----------------------------------------- */

struct bad_config {
	const char *name;
	struct virtio_mem_config c;
};

/* addr is an offset into the window. */
#define CONFIG(block, start, size, usable, plugged_bytes)                                \
	{ .block_size = (block), .addr = (start), .region_size = (size),                 \
	  .usable_region_size = (usable), .plugged_size = (plugged_bytes) }

static const struct bad_config bad_configs[] = {
	{ "block size 0", CONFIG(0, 128 * MIB, 256 * MIB, 256 * MIB, 0) },
	{ "block size 3 MiB", CONFIG(3 * MIB, 128 * MIB, 255 * MIB, 255 * MIB, 0) },
	{ "block size 1 KiB", CONFIG(1024, 128 * MIB, 256 * MIB, 256 * MIB, 0) },
	{ "block size 256 MiB", CONFIG(256 * MIB, 256 * MIB, 256 * MIB, 256 * MIB, 0) },
	{ "block size 2^63", CONFIG(1UL << 63, 128 * MIB, 256 * MIB, 256 * MIB, 0) },
	{ "misaligned", CONFIG(2 * MIB, 129 * MIB, 256 * MIB, 256 * MIB, 0) },
	{ "empty", CONFIG(2 * MIB, 128 * MIB, 0, 0, 0) },
	{ "too small for a granule", CONFIG(1 * MIB, 129 * MIB, 2 * MIB, 2 * MIB, 0) },
	{ "wraps around", CONFIG(2 * MIB, 128 * MIB, -2 * MIB, 2 * MIB, 0) },
	{ "usable beyond the region",
	  CONFIG(2 * MIB, 128 * MIB, 256 * MIB, 258 * MIB, 0) },
	{ "plugged beyond the region",
	  CONFIG(2 * MIB, 128 * MIB, 256 * MIB, 256 * MIB, 1UL << 40) },
	{ "over boot memory", CONFIG(2 * MIB, 16 * MIB, 256 * MIB, 256 * MIB, 0) },
	{ "cannot be mapped", CONFIG(2 * MIB, 1UL << 50, 256 * MIB, 256 * MIB, 0) },
};

static void config_desc(const struct bad_config *c, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, c->name, KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(config, bad_configs, config_desc)

/* Return the number of devices with a driver; the machine may have one of its own. */
static unsigned int nr_drivers(void)
{
	unsigned int nr = 0;

	mutex_lock(&vmem_list_mutex);
	for (unsigned int id = 0; id < VMEM_MAX_DEVICES; id++)
		nr += vmem_by_id(id) != NULL;
	mutex_unlock(&vmem_list_mutex);
	return nr;
}

/* The attach fails with one line in the log, and leaks nothing. */
static void bad_config(struct ktest *test)
{
	const struct bad_config *bad = test->param_value;
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_prepare(rig, 128 * MIB, 256 * MIB, 2 * MIB);
	const unsigned long before = zone_free_pages(window_zone(rig->w, ZONE_NORMAL));
	const unsigned int drivers = nr_drivers();

	fm->config = bad->c;
	fm->config.addr += pfn_to_phys(rig->w->base);
	memcpy(fm->fv.config, &fm->config, sizeof(fm->config));
	KTEST_EXPECT_LT(test, vmem_rig_try(rig, fm), 0);
	vmem_rig_free_queues(fm);
	KTEST_EXPECT_EQ(test, nr_drivers(), drivers);
	drain_local_pages(rig->w->mm);
	KTEST_EXPECT_EQ(test, zone_free_pages(window_zone(rig->w, ZONE_NORMAL)), before);
	window_check(test, rig->w);
}

/* A constant field changes: the driver gives up the device until the field is as before. */
static void region_moves(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);

	vmem_rig_resize(rig, 0, 100 * MIB);
	fm->config.addr += 128 * MIB;
	fake_vmem_resize(fm, 50 * MIB);
	vmem_rig_settle(rig, 0);
	KTEST_EXPECT_TRUE(test, virtio_is_broken(&fm->fv.vdev));
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 100 * MIB);
	KTEST_EXPECT_FALSE(test, vmem_rig_comes_back(rig, 0));
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 100 * MIB);
	/* The field returns to its old value. */
	fm->config.addr -= 128 * MIB;
	fake_vmem_resize(fm, 50 * MIB);
	KTEST_EXPECT_TRUE(test, vmem_rig_comes_back(rig, 0));
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 50 * MIB);
	vmem_rig_check(rig);
}

/* The requested size exceeds the region: the driver plugs all of it, and logs a line. */
static void wants_too_much(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 129 * MIB, 256 * MIB, 1 * MIB);

	fake_vmem_resize(fm, 1UL << 60);
	KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), WAIT_FOREVER);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 254 * MIB);
	vmem_rig_check(rig);
	fake_vmem_resize(fm, 255 * MIB);
	KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), WAIT_FOREVER);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 254 * MIB);
	vmem_rig_check(rig);
}

/* --- configurations that change under the reader --------------------------------- */

/* Accesses between two changes: fewer than one pass makes, as many as two passes, and more. */
static const unsigned int toggle_gaps[] = { 3, 9, 20, 60 };

static void gap_desc(const unsigned int *gap, char desc[KTEST_DESC_SIZE])
{
	snprintf(desc, KTEST_DESC_SIZE, "every %u accesses", *gap);
}

KTEST_ARRAY_PARAM(gap, toggle_gaps, gap_desc)

/*
 * The size alternates between two values around 4 GiB: the driver never combines halves of
 * different values.
 */
static void torn_sizes(struct ktest *test)
{
	const unsigned int *gap = test->param_value;
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);

	vmem_rig_resize(rig, 0, 4096 * MIB);
	fake_vmem_toggle(fm, 4096 * MIB, 4094 * MIB, 10000, *gap);
	while (fm->toggle.left) {
		(void)vmem_work(rig->vm[0]);
		KTEST_ASSERT_GE(test, rig->vm[0]->target, 4094 / 2);
		KTEST_ASSERT_LE(test, rig->vm[0]->target, 4096 / 2);
		KTEST_ASSERT_EQ(test, vmem_rig_plugged(rig, 0), 256 * MIB);
	}
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_UNPLUG], 0);
	vmem_rig_settle(rig, 0);
	KTEST_EXPECT_EQ(test, rig->vm[0]->target, fm->config.requested_size / (2 * MIB));
	vmem_rig_check(rig);
}

static const struct ktest_case vmem_fault_cases[] = {
	KTEST_CASE_PARAM(fault_at_each_request, fault_gen_params),
	KTEST_CASE(back_off),
	KTEST_CASE(contradiction),
	KTEST_CASE(refused_blocks),
	KTEST_CASE(refused_by_mm),
	KTEST_CASE(refused_one_block),
	KTEST_CASE_PARAM(bad_config, config_gen_params),
	KTEST_CASE(region_moves),
	KTEST_CASE(wants_too_much),
	KTEST_CASE_PARAM(torn_sizes, gap_gen_params),
	{},
};

static struct ktest_suite vmem_fault_suite = { .name = "vmem_fault", .cases = vmem_fault_cases };
KTEST_SUITE(vmem_fault_suite);
