/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PageOffline needs only the type word of its descriptor: a debug build fills the other
 * words, in both forms, and mm_check() names a frame if its words were written.
 * tests/host/mm_panic_test.c shows that the kernel panics when the type of such a frame
 * ends. Without DEBUG the words are 0.
 */
#include "kernel/sink.h"
#include "lib/string.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

/* Expect a filled Offline frame, in the state that is read without a lock and in the bytes. */
static void expect_filled(struct ktest *test, const struct mm *mm, unsigned long pfn, bool uniform)
{
	const struct page *page = pfn_to_page(pfn);
	struct page_state st;

	KTEST_ASSERT_TRUE(test, page_state_get(mm, pfn, &st));
	KTEST_EXPECT_EQ(test, st.type, PGTY_OFFLINE);
	KTEST_EXPECT_EQ(test, st.uniform, uniform);
	KTEST_EXPECT_EQ(test, st.count, 0);
	KTEST_EXPECT_EQ(test, st.owner, 0);
	KTEST_EXPECT_EQ(test, uniform ? OFFLINE_COUNT : page->count, OFFLINE_COUNT);
	KTEST_EXPECT_EQ(test, uniform ? pfn_pageblock(mm, pfn)->owner : page->owner, OFFLINE_OWNER);
}

static void materialise(struct window *w, unsigned long pfn)
{
	struct mem_section *ms = pfn_to_section(w->mm, pfn);

	spin_lock(&ms->zone->lock);
	pageblock_materialise(ms, pageblock_index(pfn));
	spin_unlock(&ms->zone->lock);
}

/*
 * Frames that were withheld at onlining and frames that contig took, single or as whole
 * pageblocks, have the same bytes.
 */
static void filled_in_both_forms(struct ktest *test)
{
	struct evacuate_policy p = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	struct window *w = window_open_owned(test);
	const unsigned long withheld = window_pfn(w, 1) + 3 * PB, taken = withheld + 2 * PB;

	p.page_flags = PG_OFFLINE_SKIPPABLE;
	window_add(test, w, 1, ~BIT(3));
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_KERNEL), 0);
	KTEST_ASSERT_EQ(test, take_contig_range(w->mm, taken, taken + PB + 5, &p, NO_WHY),
			0);
	zone_update_watermarks(w->mm);
	expect_filled(test, w->mm, withheld + 1, true);
	expect_filled(test, w->mm, taken + 1, true);
	expect_filled(test, w->mm, taken + PB, false);
	expect_filled(test, w->mm, taken + PB + 4, false);
	materialise(w, withheld);
	materialise(w, taken);
	expect_filled(test, w->mm, withheld + 511, false);
	KTEST_EXPECT_MEMEQ(test, pfn_to_page(withheld), pfn_to_page(taken),
			   PB * sizeof(struct page));
	KTEST_EXPECT_MEMEQ(test, pfn_to_page(withheld), pfn_to_page(taken + PB),
			   5 * sizeof(struct page));
	/*
	 * The single descriptor of a pageblock is filled again when its type changes, and
	 * when contig completes the pageblock.
	 */
	frames_change(w->mm, &(struct pfn_range){ withheld, PB }, PGTY_NONE, PGTY_OFFLINE,
		      PG_OFFLINE_SKIPPABLE);
	expect_filled(test, w->mm, withheld, true);
	release_offline_range(w->mm, taken + PB, 5);
	release_offline_range(w->mm, taken, PB - 1);
	KTEST_ASSERT_EQ(test, take_contig_range(w->mm, taken, taken + PB - 1, &p, NO_WHY),
			0);
	expect_filled(test, w->mm, taken + 7, true);
	release_offline_range(w->mm, taken, PB);
	zone_update_watermarks(w->mm);
	window_check(test, w);
	KTEST_EXPECT_EQ(test, window_offline(w, 1), 0);
}

/* Expect that mm_check() finds one difference, and names the frame and the word. */
static void expect_found(struct ktest *test, struct mm *mm, unsigned long pfn, const char *what)
{
	char text[256], want[64];
	struct sink_buffer out;

	sink_buffer_init(&out, want, sizeof(want));
	sink_printf(&out.sink, "0x%lx is Offline, its %s is 0x", pfn, what);
	sink_buffer_init(&out, text, sizeof(text));
	KTEST_EXPECT_EQ(test, mm_check(mm, &out.sink), 1);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, want));
}

/* mm_check() finds a word that a stale pointer has written. */
static void stale_writes_are_found(struct ktest *test)
{
	struct evacuate_policy p = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	struct test_mm *t = test_mm_normal(test, 1);
	struct page *page = pfn_to_page(t->base + PB + 9);
	struct pageblock *pb = pfn_pageblock(t->mm, t->base);

	KTEST_ASSERT_EQ(test,
			take_contig_range(t->mm, t->base, t->base + PB + 10, &p, NO_WHY),
			0);
	KTEST_EXPECT_EQ(test, mm_check(t->mm, ktest_sink(test)), 0);
	page->count++;
	expect_found(test, t->mm, t->base + PB + 9, "count");
	page->count = 1;
	expect_found(test, t->mm, t->base + PB + 9, "count");
	page->count = OFFLINE_COUNT;
	page->owner ^= BIT(63);
	expect_found(test, t->mm, t->base + PB + 9, "owner");
	page->owner = OFFLINE_OWNER;
	pb->owner ^= 1;
	expect_found(test, t->mm, t->base, "owner");
	pb->owner = OFFLINE_OWNER;
	test_mm_release(t, t->base, PB + 10);
}

/*
 * page_try_get() has read "counted" just before the frame becomes PageOffline: it must not
 * take the canary for a count.
 */
static void canary_is_no_count(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const unsigned long pfn = alloc_pages(t->mm, GFP_MOVABLE, 0, PGTY_DRIVER);
	struct page *page = pfn_to_page(pfn);

	KTEST_EXPECT_EQ(test, page->count, 1);
	page->count = OFFLINE_COUNT;
	KTEST_EXPECT_FALSE(test, page_try_get(t->mm, pfn));
	KTEST_EXPECT_EQ(test, page->count, OFFLINE_COUNT);
	page->count = 1;
	page_put(t->mm, pfn);
}

static const struct ktest_case canary_cases[] = {
	KTEST_CASE(filled_in_both_forms),
	KTEST_CASE(stale_writes_are_found),
	KTEST_CASE(canary_is_no_count),
	{}
};

static struct ktest_suite canary_suite = { .name = "offline_canary", .cases = canary_cases };
KTEST_SUITE(canary_suite);
