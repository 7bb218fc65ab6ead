/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A failed unplug continues as soon as its obstacle is gone, not at the end of the
 * back-off, which has its longest delay here. The driver's worker runs, with a model of
 * the device.
 */
#include "arch/machine.h"
#include "kernel/hart.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/trace/hold.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/contig.h"
#include "mm/page_isolation.h"
#include "tests/drivers/vmem_rig.h"
#include "tests/mm/test_mm.h"

#define MIB	 (1UL << 20)
#define PB	 PAGEBLOCK_NR_PAGES
#define LIMIT_NS   (60 * NSEC_PER_SEC)
#define ROUND_REQUESTS 5 /* per round, for a block with one page in the way */
#define AT_ONCE_NS (VMEM_RETRY_LAST_NS / 2) /* with only the back-off it takes longer */

/* A listener that refuses while @refuses is set. */
struct refuser {
	struct notifier_block nb;
	bool refuses;
};

static int refuse(struct notifier_block *nb, unsigned long event, void *data)
{
	(void)data;
	return event == MEM_GOING_OFFLINE &&
			       READ_ONCE(container_of(nb, struct refuser, nb)->refuses)
		       ? -EBUSY
		       : 0;
}

/* The device has 256 MiB plugged in blocks 1 and 2 of the window, and wants them back. */
struct scene {
	struct vmem_rig *rig;
	struct mm *mm;
	struct virtio_mem *vm;
	unsigned long pfn; /* the frame in the way */
	struct page_slot slot;
	struct refuser refuser;
	struct thread *thread;
	struct thread *other;
};

static void stop_worker(void *arg)
{
	struct scene *s = arg;

	if (!s->thread)
		return;
	WRITE_ONCE(s->vm->stopping, 1);
	wake_up_all(&s->vm->wake);
	(void)!thread_join(s->thread, ktime_ns() + LIMIT_NS, NULL);
	WRITE_ONCE(s->vm->stopping, 0);
	s->thread = NULL;
}

static struct scene *open_scene(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	struct scene *s = ktest_alloc(test, sizeof(*s));

	s->rig = rig;
	s->mm = rig->w->mm;
	(void)vmem_rig_add(rig, 128 * MIB, 256 * MIB, 2 * MIB);
	s->vm = rig->vm[0];
	vmem_rig_resize(rig, 0, 256 * MIB);
	s->pfn = window_pfn(rig->w, 2) + 13 * PB + 5;
	return s;
}

/* Let the device request size 0, and start the worker with the longest back-off. */
static void start_worker(struct ktest *test, struct scene *s)
{
	s->vm->retry_ns = VMEM_RETRY_LAST_NS;
	WRITE_ONCE(s->vm->result, 1);
	fake_vmem_resize(&s->rig->fm[0], 0);
	ktest_add_action(test, stop_worker, s);
	s->thread = thread_create("vm0", vmem_thread, s->vm);
	KTEST_ASSERT_NOT_NULL(test, s->thread);
}

/* Start the worker, and return when it has failed to unplug everything and sleeps. */
static void shrink_in_vain(struct ktest *test, struct scene *s)
{
	start_worker(test, s);
	for (unsigned int ms = 0; READ_ONCE(s->vm->result) == 1 && ms < 30000; ms++)
		msleep(1);
	KTEST_ASSERT_EQ(test, READ_ONCE(s->vm->result), -EBUSY);
	msleep(50);
	KTEST_ASSERT_EQ(test, READ_ONCE(s->vm->unblocked), 0);
}

/* Expect that everything is unplugged long before the back-off ends. */
static void expect_unplugged(struct ktest *test, struct scene *s)
{
	const u64 limit = ktime_ns() + AT_ONCE_NS;

	while (READ_ONCE(s->rig->fm[0].config.plugged_size) && ktime_ns() < limit)
		msleep(1);
	stop_worker(s);
	KTEST_EXPECT_EQ(test, s->rig->fm[0].config.plugged_size, 0);
	vmem_rig_check(s->rig);
}

/* --- what can stand in the way, and how it ends ----------------------------------- */

static void page_blocks(struct ktest *test, struct scene *s)
{
	KTEST_ASSERT_EQ(test, alloc_pages_at(s->mm, s->pfn, 0, PGTY_SLAB), 0);
}

static void page_is_freed(struct ktest *test, struct scene *s)
{
	(void)test;
	free_pages(s->mm, s->pfn, 0);
}

static void chunk_blocks(struct ktest *test, struct scene *s)
{
	s->pfn = ALIGN_DOWN(s->pfn, PB);
	KTEST_ASSERT_EQ(test, alloc_pages_at(s->mm, s->pfn, PAGEBLOCK_ORDER, PGTY_KERNEL), 0);
}

static void chunk_is_freed(struct ktest *test, struct scene *s)
{
	(void)test;
	free_pages(s->mm, s->pfn, PAGEBLOCK_ORDER);
}

static void slot_page(struct ktest *test, struct scene *s)
{
	slot_at(test, s->mm, &s->slot, s->pfn, 0);
}

static void slot_goes(void *arg)
{
	struct scene *s = arg;

	(void)slot_free(s->mm, &s->slot);
}

static void pin_blocks(struct ktest *test, struct scene *s)
{
	slot_page(test, s);
	ktest_add_action(test, slot_goes, s);
	KTEST_ASSERT_EQ(test, page_pin(s->mm, s->pfn), 0);
}

static void page_is_unpinned(struct ktest *test, struct scene *s)
{
	KTEST_EXPECT_EQ(test, page_unpin(s->mm, s->pfn), 0);
}

static void reference_blocks(struct ktest *test, struct scene *s)
{
	slot_page(test, s);
	ktest_add_action(test, slot_goes, s);
	KTEST_ASSERT_TRUE(test, page_try_get(s->mm, s->pfn));
}

static void reference_is_put(struct ktest *test, struct scene *s)
{
	(void)test;
	page_put(s->mm, s->pfn);
}

static void listener_refuses(struct ktest *test, struct scene *s)
{
	s->refuser = (struct refuser){ .nb = { .fn = refuse, .name = "no" }, .refuses = true };
	KTEST_ASSERT_EQ(test, register_memory_notifier(s->mm, &s->refuser.nb), 0);
}

static void listener_relents(struct ktest *test, struct scene *s)
{
	(void)test;
	WRITE_ONCE(s->refuser.refuses, false);
	memory_listener_relents(s->mm);
}

/* Isolate part of the block as another request, and wait for the page in that part. */
static int other_request(void *arg)
{
	struct scene *s = arg;
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);

	policy.limits.wait = true;
	policy.flags = EVAC_QUIET;
	policy.limits.deadline_ns = evac_clock_ns() + LIMIT_NS;
	return take_contig_range(s->mm, s->pfn, s->pfn + 1, &policy, NO_WHY);
}

static void request_blocks(struct ktest *test, struct scene *s)
{
	page_blocks(test, s);
	s->other = thread_create("other", other_request, s);
	KTEST_ASSERT_NOT_NULL(test, s->other);
	while (!READ_ONCE(window_zone(s->rig->w, ZONE_MOVABLE)->nr_free_waiters))
		msleep(1);
}

static void request_ends(struct ktest *test, struct scene *s)
{
	int err = 1;

	free_pages(s->mm, s->pfn, 0);
	KTEST_ASSERT_EQ(test, thread_join(s->other, ktime_ns() + LIMIT_NS, &err), 0);
	KTEST_EXPECT_EQ(test, err, 0);
	free_contig_range(s->mm, s->pfn, 1);
}

/* Another request has isolated the frame; nothing in its pageblock is in use. */
static void isolation_blocks(struct ktest *test, struct scene *s)
{
	const struct pfn_range frame = { s->pfn, 1 };

	mutex_lock(&s->mm->hotplug_lock);
	KTEST_ASSERT_EQ(test, isolate_range(s->mm, &frame, NO_WHY), 0);
	mutex_unlock(&s->mm->hotplug_lock);
}

static void isolation_ends(struct ktest *test, struct scene *s)
{
	const struct pfn_range frame = { s->pfn, 1 };

	(void)test;
	mutex_lock(&s->mm->hotplug_lock);
	unisolate_range(s->mm, &frame);
	mutex_unlock(&s->mm->hotplug_lock);
}

/* A user takes the block offline, and waits for the page. */
static int other_offline(void *arg)
{
	const struct evac_limits limits = {
		.wait = true,
		.deadline_ns = evac_clock_ns() + LIMIT_NS,
	};
	struct scene *s = arg;

	return offline_memory_block(s->mm, s->pfn >> SECTION_PFN_SHIFT, &limits, NO_WHY);
}

static void offlining_blocks(struct ktest *test, struct scene *s)
{
	page_blocks(test, s);
	s->other = thread_create("other", other_offline, s);
	KTEST_ASSERT_NOT_NULL(test, s->other);
	while (!READ_ONCE(window_zone(s->rig->w, ZONE_MOVABLE)->nr_free_waiters))
		msleep(1);
}

static void block_goes_offline(struct ktest *test, struct scene *s)
{
	int err = 1;

	free_pages(s->mm, s->pfn, 0);
	KTEST_ASSERT_EQ(test, thread_join(s->other, ktime_ns() + LIMIT_NS, &err), 0);
	KTEST_EXPECT_EQ(test, err, 0);
}

static const struct blocker {
	const char *name;
	void (*blocks)(struct ktest *test, struct scene *s);
	void (*ends)(struct ktest *test, struct scene *s);
} blockers[] = {
	{ "page freed", page_blocks, page_is_freed },
	{ "whole pageblock freed", chunk_blocks, chunk_is_freed },
	{ "page unpinned", pin_blocks, page_is_unpinned },
	{ "reference put", reference_blocks, reference_is_put },
	{ "listener relents", listener_refuses, listener_relents },
	{ "other request ends", request_blocks, request_ends },
	{ "isolation ends", isolation_blocks, isolation_ends },
	{ "block goes offline", offlining_blocks, block_goes_offline },
};

static void describe_blocker(const struct blocker *b, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, b->name, KTEST_DESC_SIZE);
}

KTEST_ARRAY_PARAM(blocker, blockers, describe_blocker)

static void unplug_goes_on(struct ktest *test)
{
	const struct blocker *b = test->param_value;
	struct scene *s = open_scene(test);

	b->blocks(test, s);
	shrink_in_vain(test, s);
	b->ends(test, s);
	expect_unplugged(test, s);
	if (s->refuser.nb.fn)
		unregister_memory_notifier(s->mm, &s->refuser.nb);
}

/*
 * Several pages, in one pageblock and in others, are freed one at a time: only the last
 * free matters.
 */
static void the_last_of_several(struct ktest *test)
{
	struct scene *s = open_scene(test);
	unsigned long pfns[6];

	for (unsigned int i = 0; i < ARRAY_SIZE(pfns); i++) {
		pfns[i] = s->pfn + i % 2 * 100 + i / 2 * 9 * PB;
		KTEST_ASSERT_EQ(test, alloc_pages_at(s->mm, pfns[i], 0, PGTY_SLAB), 0);
	}
	shrink_in_vain(test, s);
	for (unsigned int i = 0; i < ARRAY_SIZE(pfns); i++) {
		KTEST_EXPECT_NE(test, READ_ONCE(s->rig->fm[0].config.plugged_size), 0);
		free_pages(s->mm, pfns[i], 0);
		msleep(3);
	}
	expect_unplugged(test, s);
}

static bool has_failed(struct scene *s)
{
	bool failed;

	spin_lock(&s->vm->lock);
	failed = s->vm->last_failure.set;
	spin_unlock(&s->vm->lock);
	return failed;
}

/*
 * The page first prevents the removal of its block, and is freed while the driver unplugs
 * the page's granule. Then the block is empty and the driver watches nothing in it, so the
 * driver must repeat the round.
 */
static void freed_while_its_granule_leaves(struct ktest *test)
{
	struct scene *s = open_scene(test);
	const u64 limit = ktime_ns() + LIMIT_NS;

	page_blocks(test, s);
	hold_set(&(struct hold_place){ TRACE_EVAC_PHASE, EVAC_ISOLATE });
	start_worker(test, s);
	while (hold_wait(limit, NULL) && !has_failed(s))
		hold_step();
	page_is_freed(test, s);
	hold_go();
	expect_unplugged(test, s);
}

/*
 * A slow hart frees the page. The hart looked at the pageblock before the driver watched it,
 * so the hart puts the frame into its cache and wakes no waiter.
 */
static void freed_by_a_slow_hart(struct ktest *test)
{
	struct scene *s = open_scene(test);
	struct zone *movable = window_zone(s->rig->w, ZONE_MOVABLE);
	const u64 limit = ktime_ns() + LIMIT_NS;
	struct hold_place where = {};
	struct hart *hart;
	unsigned int nr = 0;

	for_each_hart(hart) {
		KTEST_ASSERT_EQ(test, mm_hart_init(s->mm, hart->id), 0);
		nr++;
	}
	if (nr < 2)
		ktest_skip(test, "needs two harts");
	page_blocks(test, s);
	hold_set(&(struct hold_place){ TRACE_EVAC_PHASE, EVAC_ISOLATE });
	start_worker(test, s);
	while (hold_wait(limit, &where) && !(has_failed(s) && where.at == EVAC_CLASSIFY))
		hold_step();
	hold_go();
	while (!READ_ONCE(movable->nr_watched) && ktime_ns() < limit)
		arch_cpu_relax(); /* no quiescent point */
	for (const u64 seen = ktime_ns(); ktime_ns() < seen + 5 * NSEC_PER_MSEC;)
		arch_cpu_relax();
	KTEST_EXPECT_TRUE(test, pcp_push(s->mm, pfn_pageblock(s->mm, s->pfn), s->pfn, 0));
	expect_unplugged(test, s);
}

/*
 * The page is freed after the round's last request has judged it, and before the driver
 * watches it; nothing else is unplugged in that round, so the watch has to find it free.
 */
static void freed_before_it_is_watched(struct ktest *test)
{
	struct scene *s = open_scene(test);
	const u64 limit = ktime_ns() + LIMIT_NS;

	page_blocks(test, s);
	shrink_in_vain(test, s);
	hold_set(&(struct hold_place){ TRACE_EVAC_PHASE, EVAC_IDLE });
	memory_listener_relents(s->mm);
	for (unsigned int i = 0; i < ROUND_REQUESTS; i++) {
		if (i)
			hold_step();
		KTEST_EXPECT_TRUE(test, hold_wait(limit, NULL));
	}
	page_is_freed(test, s);
	hold_go();
	expect_unplugged(test, s);
}

/*
 * A free elsewhere starts no round; and when everything is unplugged, the driver
 * watches nothing.
 */
static void frees_elsewhere_are_quiet(struct ktest *test)
{
	struct scene *s = open_scene(test);
	struct zone *movable = window_zone(s->rig->w, ZONE_MOVABLE);
	const unsigned long elsewhere = s->rig->w->base + 12 * PB;

	page_blocks(test, s);
	KTEST_ASSERT_EQ(test, alloc_pages_at(s->mm, elsewhere, 0, PGTY_SLAB), 0);
	shrink_in_vain(test, s);
	KTEST_EXPECT_EQ(test, READ_ONCE(movable->nr_watched), 1);
	free_pages(s->mm, elsewhere, 0);
	drain_local_pages(s->mm);
	KTEST_EXPECT_EQ(test, READ_ONCE(movable->nr_watched), 1);
	page_is_freed(test, s);
	expect_unplugged(test, s);
	KTEST_EXPECT_EQ(test, READ_ONCE(movable->nr_watched), 0);
}

static const struct ktest_case wake_cases[] = {
	KTEST_CASE_PARAM(unplug_goes_on, blocker_gen_params),
	KTEST_CASE(the_last_of_several),
	KTEST_CASE(freed_while_its_granule_leaves),
	KTEST_CASE(freed_before_it_is_watched),
	KTEST_CASE(freed_by_a_slow_hart),
	KTEST_CASE(frees_elsewhere_are_quiet),
	{},
};
static struct ktest_suite wake_suite = { .name = "vmem_wake", .cases = wake_cases };
KTEST_SUITE(wake_suite);
