/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PG_offline_skippable: the truth table of operations that step over, move or take
 * frames; re-onlining restores the same set; a driver that leaves.
 */
#include "kernel/sink.h"
#include "lib/errno.h"
#include "mm/contig.h"
#include "mm/page_alloc.h"
#include "tests/mm/granule_owner.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

enum kind { SKIPPABLE, MOVABLE, PLAIN };
enum request { OFFLINE, CONTIG, COMPACTION };

static const char *const kind_names[] = { "skippable", "movable", "plain" };
static const char *const request_names[] = { "offline", "contig", "compaction" };

/* One row: @reason is MM_REASON_NONE if the request succeeds. */
struct truth {
	enum kind kind;
	enum request request;
	bool gone;
	enum mm_reason reason;
};

static const struct truth truths[] = {
	{ SKIPPABLE, OFFLINE, false, MM_REASON_NONE },
	{ SKIPPABLE, OFFLINE, true, MM_REASON_NOT_SKIPPABLE },
	{ SKIPPABLE, CONTIG, false, MM_REASON_SKIPPABLE_TAKEN },
	{ SKIPPABLE, CONTIG, true, MM_REASON_SKIPPABLE_TAKEN },
	{ SKIPPABLE, COMPACTION, false, MM_REASON_NONE },
	{ SKIPPABLE, COMPACTION, true, MM_REASON_NONE },
	{ MOVABLE, OFFLINE, false, MM_REASON_NONE },
	{ MOVABLE, OFFLINE, true, MM_REASON_NONE },
	{ MOVABLE, CONTIG, false, MM_REASON_NONE },
	{ MOVABLE, CONTIG, true, MM_REASON_NONE },
	{ MOVABLE, COMPACTION, false, MM_REASON_NONE },
	{ MOVABLE, COMPACTION, true, MM_REASON_NONE },
	{ PLAIN, OFFLINE, false, MM_REASON_NOT_SKIPPABLE },
	{ PLAIN, OFFLINE, true, MM_REASON_NOT_SKIPPABLE },
	{ PLAIN, CONTIG, false, MM_REASON_SKIPPABLE_TAKEN },
	{ PLAIN, CONTIG, true, MM_REASON_SKIPPABLE_TAKEN },
	{ PLAIN, COMPACTION, false, MM_REASON_NONE },
	{ PLAIN, COMPACTION, true, MM_REASON_NONE },
};

static void describe_truth(const struct truth *t, char desc[KTEST_DESC_SIZE])
{
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, desc, KTEST_DESC_SIZE);
	sink_printf(&buffer.sink, "%s %s owner-%s", kind_names[t->kind],
		    request_names[t->request], t->gone ? "gone" : "there");
}

KTEST_ARRAY_PARAM(truth, truths, describe_truth)

/* Make frames of this kind in block 1; a failure must name the first of them. */
static struct pfn_range make_frames(struct ktest *test, struct window *w, enum kind kind,
				    struct page_slot *slot)
{
	struct evacuate_policy p = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	struct pfn_range r = { window_pfn(w, 1) + 10 * PB + 100, 37 };

	if (kind == MOVABLE) {
		r = (struct pfn_range){ window_pfn(w, 1) + 10 * PB + 96, 8 };
		slot_at(test, w->mm, slot, r.start_pfn, 3);
		return r;
	}
	p.page_flags = kind == SKIPPABLE ? PG_OFFLINE_SKIPPABLE : 0;
	KTEST_ASSERT_EQ(test,
			take_contig_range(w->mm, r.start_pfn, r.start_pfn + r.nr_pages,
					  &p, NO_WHY),
			0);
	zone_update_watermarks(w->mm);
	return r;
}

static int make_request(struct window *w, enum request request, const struct pfn_range *r,
			struct mm_failure *why)
{
	struct evacuate_policy p = test_policy(EVAC_END_FREE, PGTY_KERNEL);
	int err;

	if (request == OFFLINE)
		return offline_memory_block(w->mm, w->block + 1, NULL, why);
	if (request == COMPACTION) {
		p.flags = EVAC_BEST_EFFORT;
		return evacuate(w->mm, r, 1, &p, why);
	}
	err = alloc_contig_range(w->mm, r->start_pfn, r->start_pfn + r->nr_pages, NULL, why);
	if (!err)
		free_contig_range(w->mm, r->start_pfn, r->nr_pages);
	return err;
}

/*
 * Expect the frames of moved pages free, and the others unchanged, except that they lose the
 * flag with their owner.
 */
static void expect_frames(struct ktest *test, struct window *w, const struct truth *t,
			  const struct pfn_range *r)
{
	struct page_state st;

	for (unsigned long i = 0; i < r->nr_pages; i++) {
		KTEST_ASSERT_TRUE(test, page_state_get(w->mm, r->start_pfn + i, &st));
		KTEST_EXPECT_EQ(test, st.type, t->kind == MOVABLE ? PGTY_BUDDY : PGTY_OFFLINE);
		KTEST_EXPECT_EQ(test, st.flags & PG_OFFLINE_SKIPPABLE,
				t->kind == SKIPPABLE && !t->gone ? PG_OFFLINE_SKIPPABLE : 0);
		KTEST_EXPECT_EQ(test, st.isolated, 0);
	}
}

static void truth_table(struct ktest *test)
{
	const struct truth *t = test->param_value;
	struct window *w = window_open_owned(test);
	struct page_slot slot = { PFN_NONE };
	struct mm_failure why = { .pfn = PFN_NONE };
	struct pfn_range r;
	int err;

	window_add_online(test, w, 1, MMOP_ONLINE_MOVABLE);
	r = make_frames(test, w, t->kind, &slot);
	window_add_online(test, w, 2, MMOP_ONLINE_MOVABLE);
	if (t->gone)
		unregister_memory_owner(w->mm, &w->owner);

	err = make_request(w, t->request, &r, &why);
	KTEST_EXPECT_EQ(test, err, t->reason ? mm_reason_errno(t->reason) : 0);
	KTEST_EXPECT_EQ(test, why.migrated, t->kind == MOVABLE);
	if (t->reason) {
		KTEST_EXPECT_EQ(test, why.reason, t->reason);
		KTEST_EXPECT_EQ(test, why.pfn, r.start_pfn);
		KTEST_EXPECT_EQ(test, why.type, PGTY_OFFLINE);
		KTEST_EXPECT_EQ(test, why.phase, EVAC_CLASSIFY);
	}
	if (t->request == OFFLINE && !t->reason)
		KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_OFFLINE);
	else
		expect_frames(test, w, t, &r);
	if (t->kind == MOVABLE) {
		KTEST_EXPECT_NE(test, slot_pfn(&slot), r.start_pfn);
		KTEST_EXPECT_EQ(test, slot_free(w->mm, &slot), 0);
	}
	window_check(test, w);
}

/* Withhold runs of any length anywhere after the header. */
static void withhold_random(struct ktest *test, struct granule_owner *g)
{
	for (unsigned int i = 0; i < 40; i++) {
		const unsigned long nr = 1 + prng_below(&test->prng, i % 4 ? 50 : 1500);
		const unsigned long room = PAGES_PER_SECTION - MHP_HEADER_PAGES - nr;

		granule_withhold(g, MHP_HEADER_PAGES + prng_below(&test->prng, room), nr);
	}
}

/* After offlining and onlining, exactly the same frames are offline, and all others free. */
static void reonlining_restores_the_same_frames(struct ktest *test)
{
	struct granule_owner *g = granule_open(test);
	struct evacuate_policy p = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);

	p.page_flags = PG_OFFLINE_SKIPPABLE;
	withhold_random(test, g);
	for (unsigned int round = 0; round < 3; round++) {
		const unsigned long take = 21000 + 500 * round, nr = 77;

		KTEST_ASSERT_EQ(test, window_online(g->w, 1, MMOP_ONLINE_MOVABLE), 0);
		granule_expect(test, g);
		/*
		 * The owner takes another run while the block is online; the next round
		 * expects this set.
		 */
		for (unsigned long f = take; f < take + nr; f++) {
			const unsigned long pfn = window_pfn(g->w, 1) + f;

			if (!test_bit(f, g->withheld))
				KTEST_ASSERT_EQ(test,
						take_contig_range(g->w->mm, pfn, pfn + 1,
								  &p, NO_WHY),
						0);
		}
		granule_withhold(g, take, nr);
		zone_update_watermarks(g->w->mm);
		granule_expect(test, g);
		KTEST_ASSERT_EQ(test, window_offline(g->w, 1), 0);
	}
	KTEST_EXPECT_EQ(test, window_remove(g->w, 1), 0);
}

/*
 * When the owner leaves, its frames lose the flag; then offlining the block fails at once,
 * with nothing moved, and the failure names the first of them.
 */
static void leaving_driver_clears_the_flag(struct ktest *test)
{
	struct granule_owner *g = granule_open(test);
	struct mm_failure why;

	withhold_random(test, g);
	KTEST_ASSERT_EQ(test, window_online(g->w, 1, MMOP_ONLINE_MOVABLE), 0);
	granule_expect(test, g);
	unregister_memory_owner(g->w->mm, &g->owner);
	g->flags = 0;
	granule_expect(test, g);
	KTEST_EXPECT_EQ(test, offline_memory_block(g->w->mm, g->w->block + 1, NULL, &why), -EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NOT_SKIPPABLE);
	KTEST_EXPECT_EQ(test, why.pfn, window_pfn(g->w, 1) +
			find_next_bit(g->withheld, PAGES_PER_SECTION, 0));
	KTEST_EXPECT_EQ(test, why.phase, EVAC_CLASSIFY);
	KTEST_EXPECT_EQ(test, why.retries, 0);
	KTEST_EXPECT_EQ(test, why.migrated, 0);
	KTEST_EXPECT_LT(test, why.elapsed_ns, NSEC_PER_SEC);
	granule_expect(test, g);
}

static const struct ktest_case skippable_cases[] = {
	KTEST_CASE_PARAM(truth_table, truth_gen_params),
	KTEST_CASE(reonlining_restores_the_same_frames),
	KTEST_CASE(leaving_driver_clears_the_flag),
	{}
};

static struct ktest_suite skippable_suite = {
	.name = "offline_skippable",
	.cases = skippable_cases,
};
KTEST_SUITE(skippable_suite);

static struct ktest_suite real_skippable_suite = {
	.name = "real_offline_skippable",
	.init = window_in_kernel_mm,
	.cases = skippable_cases,
};
KTEST_SUITE(real_skippable_suite);
