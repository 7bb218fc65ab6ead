/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A second hart does not answer: every operation that needs a grace period gives up in
 * time, says so, and undoes what it began. The second hart is only an entry in the table;
 * it answers as often as a case lets it. The suite also tests a second trace ring.
 *
 * The table of harts only grows: the entry stays in it, marked absent. So a suite that
 * needs the number of running harts counts the online harts (tests/kernel/test_threads.h).
 */
#include "host.h"
#include "kernel/printk.h"
#include "kernel/quiesce.h"
#include "kernel/timer.h"
#include "kernel/trace/trace.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/kernel/log.h"
#include "tests/drivers/vmem_rig.h"
#include "tests/mm/test_mm.h"

static struct timer look;
static struct hart *other;
static unsigned int answers, answered;

/* Report the other hart's quiescent point, if the case lets it answer again. */
static void maybe_answer(struct timer *timer)
{
	const u32 depth = this_hart()->irq_depth;

	if (answers && READ_ONCE(other->quiesce) != 0) {
		answers--;
		answered++;
		this_hart()->irq_depth = 0; /* as if the other hart ran this */
		quiesce_serve(other);
		this_hart()->irq_depth = depth;
	}
	timer_set(timer, 1000);
}

static void leave(void *unused)
{
	(void)unused;
	(void)timer_del(&look);
	other->state = HART_ABSENT;
	other->idling = 0;
}

/* Bring the other hart online. It answers @nr times, and never again. */
static void other_hart(struct ktest *test, unsigned int nr)
{
	if (!other) {
		if (nr_harts() > 1)
			ktest_skip(test, "needs a free entry in the table of harts");
		other = hart_register(1);
		other->current = this_hart()->idle;
		timer_init(&look, maybe_answer);
	}
	answers = nr;
	answered = 0;
	if (other->state == HART_ONLINE)
		return;
	other->state = HART_ONLINE;
	timer_set(&look, 1000);
	ktest_add_action(test, leave, NULL);
}

static struct window *online_block(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	window_add_online(test, w, 1, MMOP_ONLINE_MOVABLE);
	return w;
}

static void offline_is_undone(struct ktest *test)
{
	struct window *w = online_block(test);
	const struct window_totals before = window_totals(w);
	struct mm_failure why;

	other_hart(test, 0);
	KTEST_EXPECT_EQ(test, offline_memory_block(w->mm, w->block + 1, NULL, &why),
			-ETIMEDOUT);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_HARTS_BUSY);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ONLINE);
	leave(NULL);
	window_expect_totals(test, w, &before);
	KTEST_EXPECT_EQ(test, window_offline(w, 1), 0);
}

static void contig_is_undone(struct ktest *test)
{
	struct window *w = online_block(test);
	const struct window_totals before = window_totals(w);
	const unsigned long pfn = window_pfn(w, 1) + 20 * PAGEBLOCK_NR_PAGES;
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	struct mm_failure why;

	other_hart(test, 0);
	KTEST_EXPECT_EQ(test, take_contig_range(w->mm, pfn, pfn + 9, &policy, &why),
			-ETIMEDOUT);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_HARTS_BUSY);
	leave(NULL);
	window_expect_totals(test, w, &before);
}

/* A walker may still use the block's memmap, so the block becomes offline again. */
static void remove_is_undone(struct ktest *test)
{
	struct window *w = online_block(test);
	struct mm_failure why;

	KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
	other_hart(test, 0);
	KTEST_EXPECT_EQ(test, try_remove_memory(w->mm, w->block + 1, &why), -ETIMEDOUT);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_HARTS_BUSY);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_OFFLINE);
	leave(NULL);
	KTEST_EXPECT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
	KTEST_EXPECT_EQ(test, window_remove(w, 1), 0);
}

/*
 * The last block of a root is removed, but the second grace period fails: the root
 * stays, and is used again.
 */
static void root_stays(struct ktest *test)
{
	const unsigned long block = SECTIONS_PER_ROOT;
	struct window *w = window_open(test, 32UL << 20);
	struct memory_owner owner = {
		.name = "far",
		.region = { block << SECTION_PFN_SHIFT, PAGES_PER_SECTION },
	};
	struct window_totals before;

	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &owner, NO_WHY), 0);
	before = window_totals(w);
	KTEST_ASSERT_EQ(test, add_memory(w->mm, block, &owner, 1, NO_WHY), 0);
	other_hart(test, 1);
	KTEST_EXPECT_EQ(test, try_remove_memory(w->mm, block, NO_WHY), 0);
	KTEST_EXPECT_PTR_NE(test, w->mm->root[1], &empty_section_root);
	KTEST_EXPECT_EQ(test, w->mm->root[1]->nr_sections, 0);
	leave(NULL);
	KTEST_ASSERT_EQ(test, add_memory(w->mm, block, &owner, 1, NO_WHY), 0);
	KTEST_EXPECT_EQ(test, try_remove_memory(w->mm, block, NO_WHY), 0);
	KTEST_EXPECT_PTR_EQ(test, w->mm->root[1], &empty_section_root);
	window_expect_totals(test, w, &before);
	unregister_memory_owner(w->mm, &owner);
}

/* When unregistering ends, no hart still uses an owner that it looked up before. */
static void owners_leave_after_a_grace_period(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	other_hart(test, 1);
	unregister_memory_owner(w->mm, &w->owner);
	KTEST_EXPECT_EQ(test, answered, 1);
}

/* A hart that waits for an interrupt gets one; a busy hart answers by itself. */
static void idle_harts_are_kicked(struct ktest *test)
{
	other_hart(test, 1);
	(void)host_was_kicked(other->id);
	KTEST_EXPECT_EQ(test, synchronize_harts(NSEC_PER_SEC), 0);
	KTEST_EXPECT_FALSE(test, host_was_kicked(other->id));
	other_hart(test, 1);
	other->idling = 1;
	KTEST_EXPECT_EQ(test, synchronize_harts(NSEC_PER_SEC), 0);
	KTEST_EXPECT_TRUE(test, host_was_kicked(other->id));
}

/* The host may stop a hart for a long time, while other harts need many grace periods. */
static void a_silent_hart_is_named_now_and_then(struct ktest *test)
{
	const u64 start = ktime_ns();

	other_hart(test, 0);
	log_mark();
	for (unsigned int i = 0; i < 60; i++)
		KTEST_EXPECT_EQ(test, synchronize_harts(NSEC_PER_MSEC), -ETIMEDOUT);
	KTEST_EXPECT_GT(test, times_logged("\n"), 1);
	KTEST_EXPECT_LE(test, times_logged("reached no quiescent point"),
			RATELIMIT_BURST * (2 + (ktime_ns() - start) / RATELIMIT_NS));
}

static struct timer later;
static const struct mutex *looked_at;
static bool was_free;

static void answer_once(struct timer *)
{
	answers = 1;
}

static void answer_and_look(struct timer *)
{
	was_free = !((uintptr_t)READ_ONCE(looked_at->owner) & ~MUTEX_CHECKED);
	answers = 1;
}

/* The machine is stopped for longer than the limit; then the other hart answers. */
static void stop_and_answer(struct timer *timer)
{
	host_jump_clock(60 * NSEC_PER_SEC);
	timer_init(timer, answer_once);
	timer_set(timer, NSEC_PER_MSEC);
}

static void never_later(void *)
{
	(void)timer_del(&later);
}

/* Unregistering waits however long the hart's walk takes, without the hotplug lock. */
static void owners_leave_however_long_it_takes(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	looked_at = &w->mm->hotplug_lock;
	other_hart(test, 0);
	timer_init(&later, answer_and_look);
	timer_set(&later, 5 * MHP_GRACE_NS / 2);
	ktest_add_action(test, never_later, NULL);
	unregister_memory_owner(w->mm, &w->owner);
	KTEST_EXPECT_EQ(test, answered, 1);
	KTEST_EXPECT_TRUE(test, was_free);
}

static void time_without_work_is_no_silence(struct ktest *test)
{
	other_hart(test, 0);
	timer_init(&later, stop_and_answer);
	timer_set(&later, NSEC_PER_MSEC);
	ktest_add_action(test, never_later, NULL);
	KTEST_EXPECT_EQ(test, synchronize_harts(NSEC_PER_SEC), 0);
	KTEST_EXPECT_EQ(test, answered, 1);
}

static void end_function(struct timer *)
{
	answered++;
	STORE_RELEASE(other->quiesce, QUIESCE_NONE);
}

/* The other hart enters the function in time, and leaves it long after the deadline. */
static void enter_function(struct timer *timer)
{
	WRITE_ONCE(other->quiesce, QUIESCE_RUNNING);
	timer_init(timer, end_function);
	timer_set(timer, 5 * NSEC_PER_SEC);
}

static void function_that_runs_is_awaited(struct ktest *test)
{
	other_hart(test, 0);
	timer_init(&later, enter_function);
	timer_set(&later, NSEC_PER_MSEC);
	ktest_add_action(test, never_later, NULL);
	KTEST_EXPECT_EQ(test, synchronize_harts(NSEC_PER_SEC), 0);
	KTEST_EXPECT_EQ(test, answered, 1);
}

/*
 * virtio-mem gives up at the first timeout, without trying each granule, and retries later.
 */
static void shrinking_gives_up(struct ktest *test)
{
	struct vmem_rig *rig = vmem_rig_open(test);
	u64 start;

	vmem_rig_add(rig, 128UL << 20, 256UL << 20, 2UL << 20);
	vmem_rig_resize(rig, 0, 256UL << 20);
	other_hart(test, 0);
	start = ktime_ns();
	vmem_rig_resize(rig, 0, 0);
	KTEST_EXPECT_EQ(test, rig->vm[0]->result, -ETIMEDOUT);
	KTEST_EXPECT_SOON(test, ktime_ns() - start, 3 * NSEC_PER_SEC / 2);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 256UL << 20);
	leave(NULL);
	vmem_rig_settle(rig, 0);
	KTEST_EXPECT_EQ(test, vmem_rig_plugged(rig, 0), 0);
	vmem_rig_check(rig);
}

/* --- its trace ring ---------------------------------------------------------------- */

static struct trace_record records[4096];
static u64 was_on;
static u32 seq_before;

static void rings_as_before(void *unused)
{
	(void)unused;
	trace_clear();
	ebb_trace.enabled = was_on;
	ebb_trace.seq = seq_before;
	for (unsigned int i = 0; i < MAX_HARTS; i++)
		harts[i].trace_mask = was_on;
}

/* Trace only test marks. Give the second ring @nr records, all with sequence number @seq. */
static struct trace_ring_info *two_rings(struct ktest *test, u64 nr, u32 seq)
{
	struct trace_ring_info *info;

	other_hart(test, 0);
	KTEST_ASSERT_EQ(test, ebb_trace.nr_records, ARRAY_SIZE(records));
	was_on = ebb_trace.enabled;
	seq_before = ebb_trace.seq;
	(void)trace_set("*", TRACE_OFF);
	trace_clear();
	ktest_add_action(test, rings_as_before, NULL);
	KTEST_ASSERT_EQ(test, trace_set("ktest:mark", TRACE_ON), 1);
	info = &ebb_trace.ring[other->id];
	trace_ring_init(other, records, (uintptr_t)records);
	for (u64 i = 0; i < ARRAY_SIZE(records); i++)
		records[i] = (struct trace_record){ .event = TRACE_TEST_MARK,
						    .hart = (u8)other->id,
						    .seq = seq };
	info->head = nr;
	return info;
}

/* Sequence numbers wrap: numbers before the wrap are older than numbers after it. */
static void sequence_goes_round(struct ktest *test)
{
	struct trace_record record;

	two_rings(test, 1, 1);
	ebb_trace.seq = ~0U;
	trace_emit(TRACE_TEST_MARK, .pfn = 7);
	KTEST_ASSERT_TRUE(test, trace_take(&record));
	KTEST_EXPECT_EQ(test, record.pfn, 7);
	KTEST_ASSERT_TRUE(test, trace_take(&record));
	KTEST_EXPECT_EQ(test, record.hart, other->id);
	KTEST_EXPECT_FALSE(test, trace_take(&record));
}

/* In an overrun ring, the reader's position stays until a record is taken from that ring. */
static void taking_moves_one_ring(struct ktest *test)
{
	struct trace_ring_info *info =
		two_rings(test, 2 * ARRAY_SIZE(records), ebb_trace.seq + 1000);
	struct trace_record record;

	trace_emit(TRACE_TEST_MARK, .pfn = 7);
	KTEST_ASSERT_TRUE(test, trace_take(&record));
	KTEST_EXPECT_EQ(test, record.pfn, 7);
	KTEST_EXPECT_EQ(test, info->tail, 0);
	KTEST_ASSERT_TRUE(test, trace_take(&record));
	KTEST_EXPECT_EQ(test, info->tail, ARRAY_SIZE(records) + 2);
}

static const struct ktest_case silent_hart_cases[] = {
	KTEST_CASE(offline_is_undone),
	KTEST_CASE(contig_is_undone),
	KTEST_CASE(remove_is_undone),
	KTEST_CASE(root_stays),
	KTEST_CASE(owners_leave_after_a_grace_period),
	KTEST_CASE(idle_harts_are_kicked),
	KTEST_CASE(a_silent_hart_is_named_now_and_then),
	KTEST_CASE(owners_leave_however_long_it_takes),
	KTEST_CASE(time_without_work_is_no_silence),
	KTEST_CASE(function_that_runs_is_awaited),
	KTEST_CASE(shrinking_gives_up),
	KTEST_CASE(sequence_goes_round),
	KTEST_CASE(taking_moves_one_ring),
	{},
};
static struct ktest_suite silent_hart_suite = { .name = "silent_hart",
						.cases = silent_hart_cases };
KTEST_SUITE(silent_hart_suite);
