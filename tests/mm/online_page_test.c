/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The online callback: chunks of every order, and two small drivers that use it like
 * Linux's hv_balloon and xen/balloon: one backs frames later, one at a time; the other
 * adds all new frames to a balloon. Also the census of all frames.
 */
#include "kernel/sink.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/vmstat.h"
#include "tests/mm/granule_owner.h"
#include "tests/mm/test_mm.h"

#define HEADER MHP_HEADER_PAGES

static const unsigned int orders[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };

static void describe_order(const unsigned int *order, char desc[KTEST_DESC_SIZE])
{
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, desc, KTEST_DESC_SIZE);
	sink_printf(&buffer.sink, "order %u", *order);
}

KTEST_ARRAY_PARAM(order, orders, describe_order)

/* Every second chunk of an order stays offline: the others are free, and merge no further. */
static void chunks_of_every_order(struct ktest *test)
{
	const unsigned int order = *(const unsigned int *)test->param_value;
	struct granule_owner *g = granule_open(test);
	const unsigned long chunk = 1UL << order;

	g->max_order = order;
	for (unsigned long f = ALIGN_UP(HEADER, chunk); f < PAGES_PER_SECTION; f += 2 * chunk)
		granule_withhold(g, f, chunk);
	KTEST_ASSERT_EQ(test, window_online(g->w, 1, MMOP_ONLINE_MOVABLE), 0);
	granule_expect(test, g);
	KTEST_EXPECT_EQ(test, g->chunks[order],
			(PAGES_PER_SECTION - ALIGN_UP(HEADER, chunk)) / chunk / 2);
	for (unsigned int o = order + 1; o < NR_PAGE_ORDERS; o++)
		KTEST_EXPECT_EQ(test, g->chunks[o], 0);
	/* Skippable: withheld frames do not keep the block online. */
	KTEST_EXPECT_EQ(test, window_offline(g->w, 1), 0);
}

/*
 * Like hv_balloon: the host backs frames one at a time, in order of address, at any
 * time. A frame that is not backed at onlining stays offline, and only the host could
 * restore it.
 */
struct hv_balloon {
	struct memory_owner owner;
	struct mm *mm;
	unsigned long covered_end; /* frames below it are backed */
	unsigned long online_from, online_end; /* of the block, once it is online */
};

static struct hv_balloon hv;

static void hv_online_page(struct memory_owner *owner, unsigned long pfn, unsigned int order)
{
	struct hv_balloon *b = container_of(owner, struct hv_balloon, owner);

	b->online_end = pfn + (1UL << order);
	for (unsigned long p = pfn; p < b->online_end && p < b->covered_end; p++)
		generic_online_page(b->mm, p, 0);
}

/* Let the host back @nr more frames; those in online blocks are usable at once. */
static void hv_back(struct hv_balloon *b, unsigned long nr)
{
	for (; nr; nr--, b->covered_end++)
		if (b->covered_end < b->online_end)
			generic_online_page(b->mm, b->covered_end, 0);
	zone_update_watermarks(b->mm);
}

static void hv_balloon_backs_frames_later(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	const unsigned long first = window_pfn(w, 1) + HEADER;
	struct mm_failure why;

	hv = (struct hv_balloon){ .mm = w->mm, .covered_end = first + 700,
				  .owner = { .name = "hv", .online_page = hv_online_page } };
	hv.owner.region = (struct pfn_range){ window_pfn(w, 1), PAGES_PER_SECTION };
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &hv.owner, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, add_memory(w->mm, w->block + 1, &hv.owner, ~0UL, NO_WHY),
			0);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	KTEST_EXPECT_EQ(test, window_managed(w, ZONE_MOVABLE), 700);
	window_check(test, w);
	while (hv.covered_end < window_pfn(w, 2)) {
		/*
		 * A partly backed block cannot go offline; the failure names the first
		 * unbacked frame.
		 */
		KTEST_ASSERT_EQ(test, offline_memory_block(w->mm, w->block + 1, NULL, &why),
				-EBUSY);
		KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NOT_SKIPPABLE);
		KTEST_EXPECT_EQ(test, why.pfn, hv.covered_end);
		KTEST_EXPECT_FALSE(test, page_try_get(w->mm, hv.covered_end));
		hv_back(&hv, min(window_pfn(w, 2) - hv.covered_end,
				 1 + prng_below(&test->prng, 9000)));
		KTEST_ASSERT_EQ(test, window_managed(w, ZONE_MOVABLE), hv.covered_end - first);
		KTEST_ASSERT_EQ(test, window_free(test, w, ZONE_MOVABLE), hv.covered_end - first);
		window_check(test, w);
	}
	KTEST_EXPECT_EQ(test, window_offline(w, 1), 0);
	KTEST_EXPECT_EQ(test, window_remove(w, 1), 0);
}

/* Like xen/balloon: frames are in a balloon, which is a list there and a stack of pfns here. */
#define XEN_FRAMES 4096UL

struct xen_balloon {
	struct memory_owner owner;
	struct mm *mm;
	unsigned long nr;
	unsigned long pfn[XEN_FRAMES];
};

static struct xen_balloon xen;

static void xen_append(struct xen_balloon *b, unsigned long pfn)
{
	b->pfn[b->nr++] = pfn;
}

/*
 * Put new memory into the balloon; give frames that do not fit into the test's stack to the
 * allocator.
 */
static void xen_online_page(struct memory_owner *owner, unsigned long pfn, unsigned int order)
{
	struct xen_balloon *b = container_of(owner, struct xen_balloon, owner);

	if (b->nr + (1UL << order) > XEN_FRAMES) {
		generic_online_page(b->mm, pfn, order);
		return;
	}
	for (unsigned long i = 0; i < 1UL << order; i++)
		xen_append(b, pfn + i);
}

/* Deflate: free all frames alike, whether they were withheld at onlining or taken later. */
static void xen_increase_reservation(struct xen_balloon *b, unsigned long nr)
{
	while (nr--)
		generic_online_page(b->mm, b->pfn[--b->nr], 0);
	zone_update_watermarks(b->mm);
}

/* Inflate: take frames from the allocator, and bring them into the same state. */
static int xen_decrease_reservation(struct xen_balloon *b, unsigned long nr)
{
	const struct evacuate_policy p = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);

	while (nr--) {
		const unsigned long pfn = take_contig_pages(b->mm, 1, &p, NO_WHY);

		if (pfn == PFN_NONE)
			return -ENOMEM;
		xen_append(b, pfn);
	}
	zone_update_watermarks(b->mm);
	return 0;
}

static void xen_balloon_gets_new_frames(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	unsigned long appended;
	long managed;
	struct page_state st;

	memset(&xen, 0, sizeof(xen));
	xen.mm = w->mm;
	xen.owner = (struct memory_owner){ .name = "xen", .online_page = xen_online_page };
	xen.owner.region = (struct pfn_range){ window_pfn(w, 1), PAGES_PER_SECTION };
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &xen.owner, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, add_memory(w->mm, w->block + 1, &xen.owner, ~0UL, NO_WHY),
			0);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_KERNEL), 0);
	appended = xen.nr;
	managed = window_managed(w, ZONE_NORMAL);
	KTEST_EXPECT_GT(test, appended, XEN_FRAMES / 2);
	window_check(test, w);

	xen_increase_reservation(&xen, 1000);
	KTEST_EXPECT_EQ(test, window_managed(w, ZONE_NORMAL), managed + 1000);
	KTEST_ASSERT_EQ(test, xen_decrease_reservation(&xen, 300), 0);
	KTEST_EXPECT_EQ(test, window_managed(w, ZONE_NORMAL), managed + 700);
	window_check(test, w);
	/* Both kinds of frame look the same, and no walker can take a reference on them. */
	for (unsigned long i = 0; i < xen.nr; i++) {
		KTEST_ASSERT_TRUE(test, page_state_get(w->mm, xen.pfn[i], &st));
		KTEST_ASSERT_EQ(test, st.type, PGTY_OFFLINE);
		KTEST_ASSERT_EQ(test, st.flags | st.count, 0);
		KTEST_ASSERT_FALSE(test, page_try_get(w->mm, xen.pfn[i]));
	}
	KTEST_EXPECT_EQ(test, window_offline(w, 1), -EBUSY);
	xen_increase_reservation(&xen, xen.nr);
	KTEST_EXPECT_EQ(test, window_managed(w, ZONE_NORMAL), managed + appended);
	window_check(test, w);
	KTEST_EXPECT_EQ(test, window_offline(w, 1), 0);
}

/* Expect one type for each frame of an online section; the types add up to the counters. */
static void census_adds_up(struct ktest *test, struct mm *mm)
{
	unsigned long nr[NR_PAGE_TYPES], sum = 0, sections = 0, present = 0, managed = 0;
	const struct mem_section *ms;

	mm_census(mm, nr);
	for (unsigned int t = 0; t < NR_PAGE_TYPES; t++)
		sum += nr[t];
	for (ms = next_section(mm, 0); ms; ms = next_section(mm, section_nr(ms) + 1))
		sections += !!(ms->flags & SECTION_ONLINE);
	for (unsigned int z = 0; z < NR_ZONES; z++) {
		present += mm->zone[z].present;
		managed += mm->zone[z].managed;
	}
	KTEST_EXPECT_EQ(test, nr[PGTY_NONE], 0);
	KTEST_EXPECT_EQ(test, sum, sections * PAGES_PER_SECTION);
	KTEST_EXPECT_EQ(test, sum - nr[PGTY_HOLE] - nr[PGTY_DEVICE], present);
	KTEST_EXPECT_EQ(test, present - nr[PGTY_FIRMWARE] - nr[PGTY_IMAGE] - nr[PGTY_BOOT] -
				      nr[PGTY_MEMMAP] - nr[PGTY_OFFLINE], managed);
}

static void census_over_every_section(struct ktest *test)
{
	struct granule_owner *g = granule_open(test);

	granule_withhold(g, 5000, 1234);
	if (kernel_mm.name)
		census_adds_up(test, &kernel_mm);
	census_adds_up(test, g->w->mm);
	KTEST_ASSERT_EQ(test, window_online(g->w, 1, MMOP_ONLINE_MOVABLE), 0);
	census_adds_up(test, g->w->mm);
	unregister_memory_owner(g->w->mm, &g->owner);
	census_adds_up(test, g->w->mm);
}

static const struct ktest_case online_page_cases[] = {
	KTEST_CASE_PARAM(chunks_of_every_order, order_gen_params),
	KTEST_CASE(hv_balloon_backs_frames_later),
	KTEST_CASE(xen_balloon_gets_new_frames),
	KTEST_CASE(census_over_every_section),
	{}
};

static struct ktest_suite online_page_suite = {
	.name = "online_page",
	.cases = online_page_cases,
};
KTEST_SUITE(online_page_suite);

static struct ktest_suite real_online_page_suite = {
	.name = "real_online_page",
	.init = window_in_kernel_mm,
	.cases = online_page_cases,
};
KTEST_SUITE(real_online_page_suite);
