/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Failures and their reports: the same failure for the caller and in the log; and a
 * record for each announced step of an evacuation and for each message between
 * virtio-mem's driver and device.
 */
#include "lib/string.h"

#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/sink.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/trace/trace.h"
#include "lib/errno.h"
#include "kernel/trace/hold.h"
#include "tests/drivers/vmem_rig.h"
#include "tests/kernel/log.h"
#include "tests/mm/test_mm.h"

/* A deadline that passes during the wait. */
#define SHORT_NS ((time_is_virtual() ? 100 : 3000) * NSEC_PER_MSEC)
#define PB PAGEBLOCK_NR_PAGES

#define EXPECT_WHY(test, call, wanted, at)                                                \
	do {                                                                             \
		KTEST_EXPECT_EQ(test, call, mm_reason_errno(wanted));                    \
		KTEST_EXPECT_EQ(test, why.reason, wanted);                               \
		KTEST_EXPECT_EQ(test, why.pfn, at);                                      \
	} while (0)

static int wait_for_pin(void *arg)
{
	struct test_mm *t = arg;
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);

	policy.limits.wait = true;
	return take_contig_range(t->mm, t->base, t->base + PB, &policy, NO_WHY);
}

static void trace_only(const char *glob);

/* A pin ends before the wait: the request does not wait, and moves the page. */
static void unpinned_meanwhile(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long pfn = t->base + 9;
	struct page_slot slot = { pfn };
	struct trace_record r;
	struct thread *thread;
	int err = 1;

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, 0, PGTY_DRIVER), 0);
	page_set_owner(t->mm, pfn, (u64)(uintptr_t)&slot);
	KTEST_ASSERT_EQ(test, page_pin(t->mm, pfn), 0);
	hold_set(&(struct hold_place){ TRACE_EVAC_PHASE, EVAC_WAIT });
	thread = thread_create("waits", wait_for_pin, t);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_ASSERT_TRUE(test, hold_wait(ktime_ns() + STEP_NS, NULL));
	KTEST_ASSERT_EQ(test, page_unpin(t->mm, pfn), 0);
	trace_only("evac:move");
	hold_go();
	KTEST_ASSERT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, &err), 0);
	KTEST_EXPECT_EQ(test, err, 0);
	KTEST_ASSERT_TRUE(test, trace_take(&r));
	KTEST_EXPECT_EQ(test, r.pfn, pfn);
	KTEST_EXPECT_EQ(test, r.after, 0);
	trace_only(NULL);
	KTEST_EXPECT_NE(test, slot_pfn(&slot), pfn);
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &slot), 0);
	free_contig_range(t->mm, t->base, PB);
}

/* --- the log ---------------------------------------------------------------------- */

/* Expects this failure in the log, in the console's words. */
static void expect_logged(struct ktest *test, const struct mm_failure *why)
{
	struct sink_buffer words;
	char text[256];

	sink_buffer_init(&words, text, sizeof(text));
	mm_failure_print(why, &words.sink);
	KTEST_EXPECT_EQ(test, times_logged(text), 1);
	log_mark();
}

static void failures_are_logged(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct evacuate_policy quiet = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	unsigned long pfn = window_pfn(w, 1) + 5 * PB + 3;
	struct mm_failure why, last;

	/* The next pageblock is not plugged. */
	log_mark();
	window_add(test, w, 1, ~BIT(6));
	KTEST_ASSERT_EQ(
		test,
		online_memory_block(w->mm, w->block + 1, MMOP_ONLINE_KERNEL, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_KERNEL), 0);
	page_set_owner(w->mm, pfn, 0x4711);
	EXPECT_WHY(test, offline_memory_block(w->mm, w->block + 1, NULL, &why),
		   MM_REASON_UNMOVABLE, pfn);
	KTEST_EXPECT_EQ(test, why.type, PGTY_KERNEL);
	KTEST_EXPECT_EQ(test, why.owner, 0x4711);
	expect_logged(test, &why);
	page_set_owner(w->mm, pfn, 0x4712);
	EXPECT_WHY(test, alloc_contig_range(w->mm, pfn - 9, pfn + 9, NULL, &why),
		   MM_REASON_UNMOVABLE, pfn);
	expect_logged(test, &why);
	EXPECT_WHY(test, alloc_contig_range(w->mm, pfn + 1, pfn + PB, NULL, &why),
		   MM_REASON_SKIPPABLE_TAKEN, window_pfn(w, 1) + 6 * PB);
	KTEST_EXPECT_STREQ(test, why.detail, w->owner.name);
	expect_logged(test, &why);
	KTEST_EXPECT_EQ(test, alloc_contig_pages(w->mm, 4 * PAGES_PER_SECTION, NULL, &why),
			PFN_NONE);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NO_RANGE);
	expect_logged(test, &why);
	quiet.flags = EVAC_QUIET;
	page_set_owner(w->mm, pfn, 0x4713);
	KTEST_EXPECT_EQ(test, take_contig_range(w->mm, pfn, pfn + 1, &quiet, &last),
			-EBUSY);
	KTEST_EXPECT_EQ(test, times_logged("0x4713"), 0);
	free_pages(w->mm, pfn, 0);
}

/* --- records ---------------------------------------------------------------------- */

static void trace_only(const char *glob)
{
	struct trace_record record;

	(void)trace_set("*", TRACE_OFF);
	while (trace_take(&record))
		;
	if (glob)
		(void)trace_set(glob, TRACE_ON);
}

/* An expected record of an evacuation: event, pfn, and two fields that depend on the event. */
struct step {
	u16 event, before, after;
	u32 count;
	u64 pfn;
};

static void expect_steps(struct ktest *test, const struct step *steps, unsigned int nr)
{
	struct trace_record r;

	for (unsigned int i = 0; i < nr; i++) {
		KTEST_ASSERT_TRUE(test, trace_take(&r));
		KTEST_EXPECT_EQ(test, r.event, steps[i].event);
		KTEST_EXPECT_EQ(test, r.pfn, steps[i].pfn);
		KTEST_EXPECT_EQ(test, r.before, steps[i].before);
		if (r.event != TRACE_EVAC_MOVE && r.event != TRACE_HOLD)
			KTEST_EXPECT_EQ(test, r.count, steps[i].count);
		KTEST_EXPECT_EQ(test, r.after, steps[i].after);
	}
	KTEST_EXPECT_FALSE(test, trace_take(&r));
}

#define PHASE(from, to) { TRACE_EVAC_PHASE, EVAC_##from, EVAC_##to, 4 * PB, start }

/*
 * One record for each announcement: free pageblocks, one with a page to move, and one
 * with a page for which the request waits in vain before the other moves; then again
 * without that page.
 */
static void an_evacuation_is_recorded(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long start = t->base, end = start + 4 * PB;
	const unsigned long pfn = start + PB + 7, stays = start + 2 * PB + 9;
	const struct step steps[] = {
		PHASE(IDLE, ISOLATE),
		PHASE(ISOLATE, DRAIN),
		PHASE(DRAIN, CLASSIFY),
		{ TRACE_EVAC_VERDICT, 0, 0, 0, start },
		{ TRACE_EVAC_VERDICT, 0, 0, 1, start + PB },
		{ TRACE_EVAC_VERDICT, PGTY_KERNEL, MM_REASON_UNMOVABLE, 0, start + 2 * PB },
		{ TRACE_EVAC_VERDICT, 0, 0, 0, start + 3 * PB },
		PHASE(CLASSIFY, WAIT),
		{ TRACE_EVAC_VERDICT, PGTY_KERNEL, MM_REASON_UNMOVABLE, 0, stays },
		PHASE(WAIT, UNDO),
		{ TRACE_HOLD, TRACE_EVAC_PHASE, 0, 0, start },
		PHASE(UNDO, IDLE),
	};
	const struct step again[] = {
		PHASE(IDLE, ISOLATE),
		PHASE(ISOLATE, DRAIN),
		PHASE(DRAIN, CLASSIFY),
		{ TRACE_EVAC_VERDICT, 0, 0, 0, start },
		{ TRACE_EVAC_VERDICT, 0, 0, 1, start + PB },
		{ TRACE_EVAC_VERDICT, 0, 0, 0, start + 2 * PB },
		PHASE(CLASSIFY, MIGRATE),
		{ TRACE_EVAC_MOVE, PGTY_DRIVER, 0, 0, pfn },
		PHASE(MIGRATE, VERIFY),
		PHASE(VERIFY, COMMIT),
		PHASE(COMMIT, IDLE),
	};
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct page_slot slot = { pfn };

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, pfn, 0, PGTY_DRIVER), 0);
	page_set_owner(t->mm, pfn, (u64)(uintptr_t)&slot);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, stays, 0, PGTY_KERNEL), 0);
	policy.limits.wait = true;
	policy.limits.deadline_ns = evac_clock_ns() + SHORT_NS;
	hold_limit_ns = 20 * NSEC_PER_MSEC;
	hold_set(&(struct hold_place){ TRACE_EVAC_PHASE, EVAC_UNDO });
	trace_only("evac:*");
	KTEST_EXPECT_EQ(test, take_contig_range(t->mm, start, end, &policy, NO_WHY),
			-ETIMEDOUT);
	expect_steps(test, steps, ARRAY_SIZE(steps));
	hold_limit_ns = 60 * NSEC_PER_SEC;
	KTEST_EXPECT_EQ(test, slot_pfn(&slot), pfn);
	trace_only(NULL);
	free_pages(t->mm, stays, 0);
	trace_only("evac:*");
	policy.limits.deadline_ns += (time_is_virtual() ? 100 : 3000) * NSEC_PER_MSEC;
	KTEST_EXPECT_EQ(test, take_contig_range(t->mm, start, end, &policy, NO_WHY), 0);
	expect_steps(test, again, ARRAY_SIZE(again));
	trace_only(NULL);
	KTEST_EXPECT_NE(test, slot_pfn(&slot), pfn);
	KTEST_EXPECT_EQ(test, slot_free(t->mm, &slot), 0);
	free_contig_range(t->mm, start, end - start);
}

/*
 * Each request and its answer, as recorded by the device's model, and each
 * configuration read.
 */
static void requests_are_recorded(struct ktest *test)
{
	static const u64 sizes[] = { 300UL << 20, 80UL << 20, 0 };
	struct vmem_rig *rig = vmem_rig_open(test);
	struct fake_vmem *fm = vmem_rig_add(rig, 256UL << 20, 512UL << 20, 2UL << 20);
	unsigned int requests = 0, answers = 0;
	struct trace_record r;

	trace_only("virtio_mem:*");
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned int configs = 0;

		vmem_rig_resize(rig, 0, sizes[i]);
		while (trace_take(&r)) {
			const struct virtio_mem_req *req = &fm->log[(r.count - 1) % FAKE_VMEM_LOG];

			if (r.event == TRACE_VMEM_CONFIG) {
				KTEST_EXPECT_EQ(test, r.pfn, sizes[i] >> PAGE_SHIFT);
				configs++;
				continue;
			}
			KTEST_EXPECT_EQ(test, r.pfn, phys_to_pfn(req->addr));
			KTEST_EXPECT_EQ(test, r.before, req->type);
			if (r.event == TRACE_VMEM_REQUEST)
				requests++;
			else
				answers++;
		}
		KTEST_EXPECT_GE(test, configs, 1);
		KTEST_EXPECT_EQ(test, requests, fm->nr_log);
		KTEST_EXPECT_EQ(test, answers, fm->nr_log);
	}
	trace_only(NULL);
	KTEST_EXPECT_GT(test, requests, 3);
}

static const struct ktest_case failure_cases[] = {
	KTEST_CASE(unpinned_meanwhile),
	KTEST_CASE(failures_are_logged),
	KTEST_CASE(an_evacuation_is_recorded),
	KTEST_CASE(requests_are_recorded),
	{},
};
static struct ktest_suite failure_told_suite = { .name = "failure_told", .cases = failure_cases };
KTEST_SUITE(failure_told_suite);
