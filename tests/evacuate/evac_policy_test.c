/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that contradict themselves are refused, with nothing changed: on a private
 * mm and on the kernel's.
 */
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/mm/test_mm.h"

#define NR_FRAMES 700UL /* more than a pageblock */

/* Find free frames that no other thread allocates during the request. */
static unsigned long free_frames(struct ktest *test, struct mm *mm)
{
	const unsigned long pfn = alloc_contig_pages(mm, NR_FRAMES, NULL, NO_WHY);

	KTEST_ASSERT_NE(test, pfn, PFN_NONE);
	free_contig_range(mm, pfn, NR_FRAMES);
	return pfn;
}

static const struct bad_policy {
	const char *name;
	enum evacuate_end end;
	enum page_type type;
	u32 page_flags;
	u32 flags;
} bad_policies[] = {
	{ "skippable_kernel", EVAC_END_ALLOC, PGTY_KERNEL, PG_OFFLINE_SKIPPABLE, 0 },
	{ "skippable_driver", EVAC_END_ALLOC, PGTY_DRIVER, PG_OFFLINE_SKIPPABLE, 0 },
	{ "skippable_huge", EVAC_END_ALLOC, PGTY_HUGE, PG_OFFLINE_SKIPPABLE, 0 },
	{ "skippable_free", EVAC_END_FREE, PGTY_OFFLINE, PG_OFFLINE_SKIPPABLE, 0 },
	{ "pinned_offline", EVAC_END_ALLOC, PGTY_OFFLINE, PG_PINNED, 0 },
	{ "claimed_driver", EVAC_END_ALLOC, PGTY_DRIVER, PG_CLAIMED, 0 },
	{ "tail_kernel", EVAC_END_ALLOC, PGTY_KERNEL, PG_TAIL, 0 },
	{ "device", EVAC_END_ALLOC, PGTY_DEVICE, 0, 0 },
	{ "hole", EVAC_END_ALLOC, PGTY_HOLE, 0, 0 },
	{ "buddy", EVAC_END_ALLOC, PGTY_BUDDY, 0, 0 },
	{ "no_type", EVAC_END_ALLOC, PGTY_NONE, 0, 0 },
	{ "beyond_the_table", EVAC_END_ALLOC, NR_PAGE_TYPES, 0, 0 },
	{ "best_effort_alloc", EVAC_END_ALLOC, PGTY_KERNEL, 0, EVAC_BEST_EFFORT },
};

static void bad_policy_desc(const struct bad_policy *p, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, p->name, KTEST_DESC_SIZE);
}
KTEST_ARRAY_PARAM(bad_policy, bad_policies, bad_policy_desc)

static void refused(struct ktest *test, struct mm *mm)
{
	const struct bad_policy *bad = test->param_value;
	struct evacuate_policy p = test_policy(bad->end, bad->type);
	const unsigned long pfn = free_frames(test, mm);
	const struct pfn_range range = { pfn, NR_FRAMES };
	struct mm_failure why = { 0 };
	struct page_state st;

	p.page_flags = bad->page_flags;
	p.flags = bad->flags;
	KTEST_EXPECT_EQ(test, evacuate(mm, &range, 1, &p, &why), -EINVAL);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_BAD_POLICY);
	if (bad->end == EVAC_END_ALLOC)
		KTEST_EXPECT_EQ(test,
				take_contig_range(mm, pfn, pfn + NR_FRAMES, &p, &why),
				-EINVAL);
	for (unsigned long i = 0; i < NR_FRAMES; i++) {
		KTEST_ASSERT_TRUE(test, page_state_get(mm, pfn + i, &st));
		KTEST_ASSERT_FALSE(test, st.isolated || (st.flags & PG_OFFLINE_SKIPPABLE));
	}
	KTEST_EXPECT_EQ(test, mm_check(mm, NULL), 0);
}

static void contradictions(struct ktest *test)
{
	refused(test, test_mm_normal(test, 1)->mm);
}

static void contradictions_on_the_machine(struct ktest *test)
{
	refused(test, &kernel_mm);
}

/* Some frames of a range are PageOffline and skippable: the range is not granted with a gap. */
static void not_granted(struct ktest *test, struct mm *mm)
{
	struct evacuate_policy take = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	struct evacuate_policy p = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	const unsigned long pfn = free_frames(test, mm), at = pfn + 300;
	struct mm_failure why;

	take.page_flags = PG_OFFLINE_SKIPPABLE;
	KTEST_ASSERT_EQ(test, take_contig_range(mm, at, at + 3, &take, NO_WHY), 0);
	p.flags = EVAC_SKIP_SKIPPABLE | EVAC_QUIET;
	KTEST_EXPECT_EQ(test, take_contig_range(mm, pfn, pfn + NR_FRAMES, &p, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_SKIPPABLE_TAKEN);
	KTEST_EXPECT_EQ(test, why.pfn, at);
	p.type = PGTY_OFFLINE;
	p.page_flags = PG_OFFLINE_SKIPPABLE;
	KTEST_EXPECT_EQ(test, take_contig_range(mm, pfn, pfn + NR_FRAMES, &p, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, page_type(mm, at + 1), PGTY_OFFLINE);
	KTEST_EXPECT_NE(test, page_type(mm, pfn), PGTY_KERNEL);
	release_offline_range(mm, at, 3);
	zone_update_watermarks(mm);
	/* Without frames to step over, the flag does no harm. */
	p.page_flags = 0;
	p.type = PGTY_KERNEL;
	KTEST_ASSERT_EQ(test, take_contig_range(mm, pfn, pfn + NR_FRAMES, &p, &why), 0);
	free_contig_range(mm, pfn, NR_FRAMES);
	KTEST_EXPECT_EQ(test, mm_check(mm, NULL), 0);
}

static void stepped_over_is_not_granted(struct ktest *test)
{
	not_granted(test, test_mm_normal(test, 1)->mm);
}

static void stepped_over_is_not_granted_on_the_machine(struct ktest *test)
{
	not_granted(test, &kernel_mm);
}

/* Frames in use must not go offline: a request to offline with best effort is refused. */
static void offline_is_no_best_effort(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct evacuate_policy p = test_policy(EVAC_END_OFFLINE, PGTY_NONE);
	const unsigned long pfn = window_pfn(w, 1) + PAGEBLOCK_NR_PAGES;
	const struct pfn_range range = { pfn, PAGEBLOCK_NR_PAGES };
	struct mm_failure why;

	window_add_online(test, w, 1, MMOP_ONLINE_KERNEL);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_KERNEL), 0);
	p.flags = EVAC_BEST_EFFORT;
	KTEST_EXPECT_EQ(test, evacuate(w->mm, &range, 1, &p, &why), -EINVAL);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_BAD_POLICY);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_ONLINE);
	free_pages(w->mm, pfn, 0);
	window_check(test, w);
}

static const struct ktest_case policy_cases[] = {
	KTEST_CASE_PARAM(contradictions, bad_policy_gen_params),
	KTEST_CASE_PARAM(contradictions_on_the_machine, bad_policy_gen_params),
	KTEST_CASE(stepped_over_is_not_granted),
	KTEST_CASE(stepped_over_is_not_granted_on_the_machine),
	KTEST_CASE(offline_is_no_best_effort),
	{}
};

static struct ktest_suite policy_suite = { .name = "evac_policy", .cases = policy_cases };
KTEST_SUITE(policy_suite);
