/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver, while its target changes and the device answers in any way: which answer
 * counts, which memory the driver gives up first, when it tries again, and what it reports.
 */
#include "kernel/sink.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "mm/page_alloc.h"
#include "tests/drivers/vmem_rig.h"
#include "tests/mm/test_mm.h"
#include "tests/kernel/log.h"

#define MIB (1UL << 20)
#define PB  PAGEBLOCK_NR_PAGES

static void expect_trouble(struct vmem_rig *rig, const char *words)
{
	char text[160] = "";
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, text, sizeof(text));
	KTEST_EXPECT_TRUE(rig->test, vmem_print_failure(rig->vm[0], &buffer.sink));
	KTEST_EXPECT_NOT_NULL(rig->test, strstr(text, words));
}

enum {
	NR_PINS = 31
};

/* Plug only every second pageblock of a block; each is in use. Growing takes 31 runs. */
static struct fake_vmem *comb(struct vmem_rig *rig, unsigned long pin[NR_PINS])
{
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 128 * MIB, 2 * MIB);

	vmem_rig_resize(rig, 0, 128 * MIB);
	for (unsigned int i = 0; i < NR_PINS; i++) {
		pin[i] = window_pfn(rig->w, 1) + (i * 2 + 2) * PB;
		KTEST_ASSERT_EQ(rig->test,
				alloc_pages_at(rig->w->mm, pin[i], 0, PGTY_KERNEL), 0);
	}
	vmem_rig_resize(rig, 0, 64 * MIB);
	KTEST_ASSERT_EQ(rig->test, vmem_rig_plugged(rig, 0), 64 * MIB);
	return fm;
}

static void comb_end(struct vmem_rig *rig, const unsigned long pin[NR_PINS], u64 bytes)
{
	vmem_rig_settle(rig, 0);
	KTEST_EXPECT_EQ(rig->test, vmem_rig_plugged(rig, 0), bytes);
	vmem_rig_check(rig);
	for (unsigned int i = 0; i < NR_PINS; i++)
		free_pages(rig->w->mm, pin[i], 0);
}

/* A changed target ends a round after the batch in flight; the round reports no result. */
static void growing_is_interrupted(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	unsigned long pin[NR_PINS];
	struct fake_vmem *fm = comb(rig, pin);
	const unsigned int before = fm->nr_log;

	fm->resize_at = before + 1;
	fm->resize_to = 126 * MIB;
	fake_vmem_resize(fm, 128 * MIB);
	KTEST_EXPECT_EQ(test, vmem_work(rig->vm[0]), 0);
	KTEST_EXPECT_EQ(test, fm->nr_log - before, VMEM_RUNS);
	KTEST_EXPECT_EQ(test, rig->vm[0]->result, 0);
	comb_end(rig, pin, 126 * MIB);
}

/* One BUSY among many answers, even the first, makes the round busy. */
static void worst_answer_counts(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	unsigned long pin[NR_PINS];
	struct fake_vmem *fm = comb(rig, pin);

	fake_vmem_inject(fm, 0, 1, FAKE_BUSY);
	fake_vmem_resize(fm, 128 * MIB);
	KTEST_EXPECT_EQ(test, vmem_work(rig->vm[0]), VMEM_RETRY_FIRST_NS);
	KTEST_EXPECT_EQ(test, rig->vm[0]->result, -EBUSY);
	expect_trouble(rig, "the device is busy");
	comb_end(rig, pin, 128 * MIB);
}

/*
 * Use each request without writing an answer: the driver must not take an earlier answer for
 * a new one.
 */
static void use_without_an_answer(struct fake_virtio *fv, u32 index)
{
	struct fake_chain chain;

	while (fake_pop(fv, index, &chain))
		fake_push(fv, index, chain.head, VIRTIO_MEM_RESP_BYTES);
}

static void earlier_answers_do_not_count(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);

	vmem_rig_resize(rig, 0, 100 * MIB);
	fm->fv.handle = use_without_an_answer;
	vmem_rig_resize(rig, 0, 200 * MIB);
	KTEST_EXPECT_TRUE(test, virtio_is_broken(&fm->fv.vdev));
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 100 * MIB);
}

/* A change may cause the refusal after it: the driver retries at once, then backs off. */
static void refused_after_a_change(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);

	fake_vmem_inject(fm, 0, 2, FAKE_NACK);
	fake_vmem_resize(fm, 100 * MIB);
	KTEST_EXPECT_EQ(test, vmem_work(rig->vm[0]), 0);
	KTEST_EXPECT_EQ(test, vmem_work(rig->vm[0]), VMEM_RETRY_FIRST_NS);
	KTEST_EXPECT_EQ(test, vmem_work(rig->vm[0]), WAIT_FOREVER);
}

/*
 * While the configuration changes during every read, the old target stays, and the
 * driver reads again later.
 */
static void restless_configuration(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);

	vmem_rig_resize(rig, 0, 100 * MIB);
	fm->fv.flicker = 1000000;
	fake_vmem_resize(fm, 0);
	KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), VMEM_RETRY_FIRST_NS);
	KTEST_EXPECT_EQ(test, rig->vm[0]->target, 50);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 100 * MIB);
	expect_trouble(rig, "its configuration keeps changing");
	fm->fv.flicker = 0;
	KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), WAIT_FOREVER);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 0);
}

/*
 * If the configuration changes during every read of a probe, the driver waits for a while,
 * then fails.
 */
static void restless_at_attach(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_prepare(rig, 128 * MIB, 256 * MIB, 2 * MIB);

	fm->fv.flicker = 1000;
	KTEST_EXPECT_EQ(test, vmem_rig_try(rig, fm), 0);
	vmem_rig_detach(rig, 0);
	fm->fv.flicker = 1000000;
	KTEST_EXPECT_EQ(test, vmem_rig_try(rig, fm), -ESTALE);
	vmem_rig_free_queues(fm);
	fm->fv.flicker = 0;
}

/*
 * If one of three blocks cannot be added, the round fails with that error, whatever
 * follows.
 */
static void first_error_counts(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 512 * MIB, 2 * MIB);

	rig->w->mm->inject = 1;
	fake_vmem_resize(fm, 300 * MIB);
	KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), VMEM_RETRY_FIRST_NS);
	KTEST_EXPECT_EQ(test, rig->vm[0]->result, -ENOMEM);
	KTEST_EXPECT_EQ(test, rig->vm[0]->map.nr_reserved, PAGEBLOCKS_PER_SECTION);
	KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), WAIT_FOREVER);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 300 * MIB);
	vmem_rig_check(rig);
}

/*
 * A failure is shown while it lasts; afterwards the back-off starts from its first
 * delay again.
 */
static void trouble_passes(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 128 * MIB, 2 * MIB);
	char words[32];

	vmem_rig_resize(rig, 0, 20 * MIB);
	rig->w->mm->inject = 1;
	vmem_rig_resize(rig, 0, 30 * MIB);
	KTEST_EXPECT_EQ(test, rig->vm[0]->result, -ENOMEM);
	snprintf(words, sizeof(words), "memory%lu: ", rig->w->block + 1);
	expect_trouble(rig, words);
	vmem_rig_settle(rig, 0);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 30 * MIB);
	for (unsigned int i = 0; i < 2; i++) {
		fake_vmem_inject(fm, 0, 2, FAKE_BUSY);
		fake_vmem_resize(fm, (40 + i * 10) * MIB);
		KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), VMEM_RETRY_FIRST_NS);
		expect_trouble(rig, "the device is busy");
		KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), 2 * VMEM_RETRY_FIRST_NS);
		KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), WAIT_FOREVER);
	}
}

/* Memory that mm has already given up goes first, and mm gives up no more than needed. */
static void held_memory_goes_first(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 512 * MIB, 2 * MIB);

	vmem_rig_resize(rig, 0, 512 * MIB);
	fake_vmem_inject(fm, 0, 1, FAKE_BUSY);
	vmem_rig_resize(rig, 0, 128 * MIB);
	KTEST_ASSERT_EQ(test, rig->vm[0]->map.nr_reserved, 3 * PAGEBLOCKS_PER_SECTION);
	vmem_rig_settle(rig, 0);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 128 * MIB);
	KTEST_EXPECT_EQ(test, rig->vm[0]->map.nr_reserved, 0);
	KTEST_EXPECT_EQ(test, memory_block_state(rig->w->mm, rig->w->block + 1),
			MEM_BLOCK_ONLINE);
	vmem_rig_check(rig);
}

/* Of the pages in the granules of a run, one cannot move: only that page's granule stays. */
static void one_frame_keeps_one_granule(struct ktest *test)
{
	enum {
		NR = 8
	};
	static struct page_slot slot[NR];
	struct vmem_rig *rig = vmem_rig_open(test);
	struct mm *mm = rig->w->mm;
	const unsigned long base = window_pfn(rig->w, 1) + 10 * PB;

	vmem_rig_add(rig, 128 * MIB, 128 * MIB, 2 * MIB);
	vmem_rig_resize(rig, 0, 128 * MIB);
	for (unsigned int i = 0; i < NR; i++)
		slot_at(test, mm, &slot[i], base + i * PB, 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(mm, base + 3 * PB + 9, 0, PGTY_KERNEL), 0);
	fake_vmem_resize(&rig->fm[0], 0);
	vmem_work(rig->vm[0]);
	/* The granule with the block's metadata stays, too. */
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 4 * MIB);
	vmem_rig_check(rig);
	free_pages(mm, base + 3 * PB + 9, 0);
	for (unsigned int i = 0; i < NR; i++)
		KTEST_EXPECT_EQ(test, slot_free(mm, &slot[i]), 0);
}

struct listener {
	struct notifier_block nb;
	struct fake_vmem *fm;
	u64 resize_to;
	unsigned int nr;
};

static int hear(struct notifier_block *nb, unsigned long event, void *data)
{
	struct listener *l = container_of(nb, struct listener, nb);

	(void)data;
	if (event != MEM_GOING_OFFLINE)
		return 0;
	l->nr++;
	if (l->resize_to)
		fake_vmem_resize(l->fm, l->resize_to);
	return 0;
}

/* The target rises again while a block goes offline: the block stays, nothing is unplugged. */
static void offlining_is_cancelled(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);
	struct listener l = { .nb = { .fn = hear, .name = "up" },
			      .fm = fm,
			      .resize_to = 256 * MIB };

	vmem_rig_resize(rig, 0, 256 * MIB);
	KTEST_ASSERT_EQ(test, register_memory_notifier(rig->w->mm, &l.nb), 0);
	fake_vmem_resize(fm, 0);
	KTEST_EXPECT_EQ(test, vmem_work(rig->vm[0]), 0);
	KTEST_EXPECT_EQ(test, l.nr, 1);
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_UNPLUG], 0);
	vmem_rig_settle(rig, 0);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 256 * MIB);
	vmem_rig_check(rig);
	unregister_memory_notifier(rig->w->mm, &l.nb);
}

/*
 * The target rises again while empty blocks leave: the driver does not try the block in
 * use.
 */
static void shrinking_is_interrupted(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);
	struct listener l = { .nb = { .fn = hear, .name = "count" } };
	const unsigned long base = window_pfn(rig->w, 1) + PB;

	vmem_rig_resize(rig, 0, 256 * MIB);
	for (unsigned int i = 0; i + 1 < PAGEBLOCKS_PER_SECTION; i++)
		KTEST_ASSERT_EQ(test,
				alloc_pages_at(rig->w->mm, base + i * PB, 0, PGTY_KERNEL),
				0);
	KTEST_ASSERT_EQ(test, register_memory_notifier(rig->w->mm, &l.nb), 0);
	fm->resize_at = fm->nr_log + 1;
	fm->resize_to = 256 * MIB;
	fake_vmem_resize(fm, 0);
	KTEST_EXPECT_EQ(test, vmem_work(rig->vm[0]), 0);
	KTEST_EXPECT_EQ(test, l.nr, 1);
	vmem_rig_settle(rig, 0);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 256 * MIB);
	unregister_memory_notifier(rig->w->mm, &l.nb);
	for (unsigned int i = 0; i + 1 < PAGEBLOCKS_PER_SECTION; i++)
		free_pages(rig->w->mm, base + i * PB, 0);
}

/* If a device does not stop, the driver is not freed, and the region keeps its owner. */
static void stuck_device_keeps_its_owner(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 512 * MIB, 2 * MIB);

	fm->fv.stuck = true;
	vmem_detach(rig->vm[0]);
	KTEST_EXPECT_PTR_EQ(test, window_owner_of(rig->w, window_pfn(rig->w, 1)),
			    &rig->vm[0]->owner);
	KTEST_EXPECT_PTR_EQ(test, fm->fv.vdev.priv, rig->vm[0]);
	fm->fv.stuck = false;
}

/* The driver sends UNPLUG_ALL once, for memory from before its attach, and never again. */
static void leftovers_go_once(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_prepare(rig, 128 * MIB, 512 * MIB, 2 * MIB);

	bitmap_set(fm->plugged, 17, 40);
	fm->config.plugged_size = 80 * MIB;
	fake_vmem_resize(fm, 100 * MIB);
	vmem_rig_attach(rig, fm);
	vmem_rig_settle(rig, 0);
	vmem_rig_resize(rig, 0, 200 * MIB);
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_UNPLUG_ALL], 1);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 200 * MIB);
	vmem_rig_check(rig);
}

/*
 * The device lost some of mm's memory while there was no driver: the driver logs this, and
 * plugs the memory again.
 */
static void forgetful_device_is_asked(struct ktest *test)
{
	static const char words[] = "plugged again, but the contents are lost";
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 512 * MIB, 2 * MIB);
	const phys_addr_t lost = pfn_to_phys(window_pfn(rig->w, 2)) + 6 * MIB;
	const unsigned int before = times_logged(words);

	vmem_rig_resize(rig, 0, 300 * MIB);
	vmem_rig_detach(rig, 0);
	fake_vmem_set_plugged(fm, lost, 2 * MIB, false);
	vmem_rig_attach(rig, fm);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 300 * MIB);
	KTEST_EXPECT_EQ(test, vmem_rig_settle(rig, 0), WAIT_FOREVER);
	KTEST_EXPECT_EQ(test, times_logged(words), before + 1);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 300 * MIB);
	KTEST_EXPECT_EQ(test, fm->nr_requests[VIRTIO_MEM_REQ_UNPLUG_ALL], 0);
	vmem_rig_check(rig);
}

/* The driver logs a line each time that device and driver begin to disagree. */
static void disagreements_are_said(struct ktest *test)
{
	static const char words[] = "the device has 98 MiB plugged, the driver 100 MiB";
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 128 * MIB, 128 * MIB, 2 * MIB);

	log_mark();
	vmem_rig_resize(rig, 0, 100 * MIB);
	for (unsigned int i = 0; i < 3; i++) {
		fm->config.plugged_size = 98 * MIB;
		vmem_rig_resize(rig, 0, 100 * MIB);
		vmem_rig_resize(rig, 0, 100 * MIB);
		KTEST_EXPECT_EQ(test, times_logged(words), i + 1);
		fm->config.plugged_size = 100 * MIB;
		vmem_rig_resize(rig, 0, 100 * MIB);
	}
	/* The driver also logs a disagreement about a size on which both agreed before. */
	vmem_rig_resize(rig, 0, 90 * MIB);
	fm->config.plugged_size = 100 * MIB;
	vmem_rig_resize(rig, 0, 90 * MIB);
	KTEST_EXPECT_EQ(test,
			times_logged("the device has 100 MiB plugged, the driver 90 MiB"),
			1);
}

static const struct ktest_case vmem_target_cases[] = {
	KTEST_CASE(growing_is_interrupted),
	KTEST_CASE(worst_answer_counts),
	KTEST_CASE(earlier_answers_do_not_count),
	KTEST_CASE(refused_after_a_change),
	KTEST_CASE(restless_configuration),
	KTEST_CASE(restless_at_attach),
	KTEST_CASE(first_error_counts),
	KTEST_CASE(trouble_passes),
	KTEST_CASE(held_memory_goes_first),
	KTEST_CASE(one_frame_keeps_one_granule),
	KTEST_CASE(offlining_is_cancelled),
	KTEST_CASE(shrinking_is_interrupted),
	KTEST_CASE(stuck_device_keeps_its_owner),
	KTEST_CASE(leftovers_go_once),
	KTEST_CASE(forgetful_device_is_asked),
	KTEST_CASE(disagreements_are_said),
	{},
};
static struct ktest_suite vmem_target_suite = { .name = "vmem_target",
						.cases = vmem_target_cases };
KTEST_SUITE(vmem_target_suite);
