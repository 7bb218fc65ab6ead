/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random layouts against a model that sees the layout alone, a byte per frame: offline
 * and contig succeed exactly when the model says so, fail at the frame that it names,
 * and have moved nothing then. Plus what isolation must leave alone.
 */
#include "arch/machine.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/mm/test_mm.h"

#define PB	  PAGEBLOCK_NR_PAGES
#define NR_SLOTS  120
#define NR_CHUNKS 40
#define ROUNDS	  60

enum what { FREE, MOVABLE, PINNED, FIXED, TAKEN, SKIPPABLE };

struct model {
	struct ktest *test;
	struct test_mm *t;
	u8 *what; /* of the frames [base, base + nr) */
	struct page_slot slots[NR_SLOTS];
	unsigned int order[NR_SLOTS];
};

static void paint(struct model *m, unsigned long pfn, unsigned long nr, enum what to)
{
	for (unsigned long i = 0; i < nr; i++)
		if (pfn + i - m->t->base < m->t->nr)
			m->what[pfn + i - m->t->base] = to;
}

/* Where movable pages are now is asked of their slots; all else is as it was laid out. */
static void repaint_slots(struct model *m)
{
	for (unsigned long i = 0; i < m->t->nr; i++)
		if (m->what[i] == MOVABLE)
			m->what[i] = FREE;
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		if (m->what[slot_pfn(&m->slots[i]) - m->t->base] != PINNED)
			paint(m, slot_pfn(&m->slots[i]), 1UL << m->order[i], MOVABLE);
}

static unsigned long somewhere(struct model *m, unsigned int order)
{
	return m->t->base + ALIGN_DOWN(prng_below(&m->test->prng, m->t->nr), 1UL << order);
}

static void lay_out(struct model *m)
{
	struct mm *mm = m->t->mm;
	struct evacuate_policy take = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);

	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		m->order[i] = prng_below(&m->test->prng, 5);
		for (;;) {
			const unsigned long pfn = somewhere(m, m->order[i]);

			if (alloc_pages_at(mm, pfn, m->order[i], PGTY_DRIVER))
				continue;
			m->slots[i].pfn = pfn;
			page_set_owner(mm, pfn, (uintptr_t)&m->slots[i]);
			break;
		}
		if (i % 8 == 0 && page_pin(mm, m->slots[i].pfn) == 0)
			paint(m, m->slots[i].pfn, 1UL << m->order[i], PINNED);
	}
	for (unsigned int i = 0; i < NR_CHUNKS; i++) {
		const unsigned int order = prng_below(&m->test->prng, 4);
		const unsigned long pfn = somewhere(m, order);

		take.page_flags = i % 2 ? PG_OFFLINE_SKIPPABLE : 0;
		if (i < NR_CHUNKS / 2 && alloc_pages_at(mm, pfn, order, PGTY_SLAB) == 0)
			paint(m, pfn, 1UL << order, FIXED);
		else if (i >= NR_CHUNKS / 2 &&
			 buddy_range_free(pfn_to_section(mm, pfn), pfn, order) &&
			 alloc_contig_range(mm, pfn, pfn + (1UL << order), &take, NULL) == 0)
			paint(m, pfn, 1UL << order, i % 2 ? SKIPPABLE : TAKEN);
	}
}

static void clean_up(struct model *m)
{
	struct mm *mm = m->t->mm;

	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		const unsigned long pfn = slot_pfn(&m->slots[i]);

		if (pfn - m->t->base < m->t->nr && m->what[pfn - m->t->base] == PINNED)
			KTEST_EXPECT_EQ(m->test, page_unpin(mm, pfn), 0);
		KTEST_EXPECT_EQ(m->test, slot_free(mm, &m->slots[i]), 0);
	}
	for (unsigned long i = 0; i < m->t->nr; i++) {
		struct page_state st;

		if (m->what[i] == FIXED && page_state_get(mm, m->t->base + i, &st) &&
		    st.head == m->t->base + i)
			free_pages(mm, st.head, st.order);
		else if (m->what[i] == TAKEN || m->what[i] == SKIPPABLE)
			test_mm_release(m->t, m->t->base + i, 1);
	}
}

/* The first frame that neither moves nor is stepped over; PFN_NONE. */
static unsigned long model_blocker(const struct model *m, unsigned long pfn, unsigned long nr,
				   bool offline)
{
	for (unsigned long i = pfn - m->t->base; nr--; i++)
		if (m->what[i] > MOVABLE && !(offline && m->what[i] == SKIPPABLE))
			return m->t->base + i;
	return PFN_NONE;
}

/* What was emptied goes back: all but what was skipped. */
static void put_back(struct model *m, const struct pfn_range *r, bool offline)
{
	if (!offline) {
		free_contig_range(m->t->mm, r->start_pfn, r->nr_pages);
		return;
	}
	for (unsigned long i = 0; i < r->nr_pages; i++)
		if (m->what[r->start_pfn - m->t->base + i] != SKIPPABLE)
			test_mm_release(m->t, r->start_pfn + i, 1);
	unisolate_range(m->t->mm, r);
}

static unsigned int try_range(struct model *m, bool offline)
{
	struct evacuate_policy p = test_policy(offline ? EVAC_END_OFFLINE : EVAC_END_ALLOC,
					       offline ? PGTY_OFFLINE : PGTY_KERNEL);
	const unsigned long nr = offline ? PB * (1 + prng_below(&m->test->prng, 3))
					 : 1 + prng_below(&m->test->prng, 1500);
	const unsigned long at = prng_below(&m->test->prng, m->t->nr - nr);
	const struct pfn_range r = { m->t->base + (offline ? ALIGN_DOWN(at, PB) : at), nr };
	const unsigned long blocker = model_blocker(m, r.start_pfn, nr, offline);
	struct mm_failure why;
	int err;

	p.flags = offline ? EVAC_SKIP_SKIPPABLE : EVAC_QUIET;
	err = evacuate(m->t->mm, &r, 1, &p, &why);
	KTEST_ASSERT_EQ(m->test, err == 0, blocker == PFN_NONE);
	if (err) {
		KTEST_ASSERT_EQ(m->test, why.pfn, blocker);
		KTEST_ASSERT_EQ(m->test, why.migrated, 0);
		KTEST_ASSERT_EQ(m->test, why.phase, EVAC_CLASSIFY);
		return 0;
	}
	put_back(m, &r, offline);
	repaint_slots(m);
	return 1;
}

static void layout_decides(struct ktest *test, bool offline)
{
	struct model *m = ktest_alloc(test, sizeof(*m));
	unsigned int done = 0;

	*m = (struct model){ .test = test, .t = test_mm_normal(test, 1) };
	m->what = test_mm_table(test, m->t->nr);
	memset(m->what, FREE, m->t->nr);
	lay_out(m);
	repaint_slots(m);
	for (unsigned int i = 0; i < ROUNDS; i++)
		done += try_range(m, offline);
	test_mm_check(test, m->t);
	clean_up(m);
	ktest_info(test, "%u of %u ranges could be emptied", done, ROUNDS);
	KTEST_EXPECT_GT(test, done, ROUNDS / 10);
	KTEST_EXPECT_LT(test, done, ROUNDS - ROUNDS / 10);
	test_mm_check(test, m->t);
}

static void contig_as_the_layout_says(struct ktest *test)
{
	layout_decides(test, false);
}

static void offline_as_the_layout_says(struct ktest *test)
{
	layout_decides(test, true);
}

static const struct ktest_case model_cases[] = {
	KTEST_CASE(contig_as_the_layout_says),
	KTEST_CASE(offline_as_the_layout_says),
	{},
};
static struct ktest_suite model_suite = { .name = "evac_model", .cases = model_cases };
KTEST_SUITE(model_suite);
