/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steps of a vector of pages, each of which may fail: pages of two kinds and several
 * orders, more than two vectors of them, with a random result for every page. What moves
 * and what stays, and every counter, must be as the results say. Runs in its own process,
 * because movable_ops cannot be removed.
 */
#include "death.h"
#include "kernel/ktest_prng.h"
#include "kernel/panic.h"
#include "lib/errno.h"
#include "mm/buddy.h"
#include "mm/descriptor.h"
#include "mm/page_alloc.h"
#include "mm/vmstat.h"
#include "tests/mm/test_mm.h"

#define AREA	 (4U * PAGEBLOCK_NR_PAGES)
#define ORDERS	 4U
#define NR_PAGES 1100 /* more than two vectors, whatever the orders are */

/* The step at which a page's move ends. */
enum fate {
	MOVES,
	CLAIM_LOST,
	CLAIM_GONE,
	COPY_FAILS,
	NR_FATES,
};

/* A page of the area, by the index of its first frame. */
struct subject {
	bool is_slot, was_aborted;
	u8 order, fate;
	unsigned long at; /* where it is now */
	struct page_slot slot;
};

static struct subject subjects[AREA];
static unsigned long base;

static void expect(bool ok, const char *what, unsigned long i)
{
	if (!ok)
		panic("not so: page %lu: %s", i, what);
}

static struct subject *subject_of(const struct migrate_entry *e)
{
	return &subjects[e->pfn - base];
}

static int some_claim(struct mm *mm, struct migrate_entry *e)
{
	if (subject_of(e)->fate == CLAIM_LOST)
		return -EAGAIN;
	if (subject_of(e)->fate == CLAIM_GONE)
		return -ENOENT;
	return page_claim(mm, e->pfn, PGTY_ANON, e->order);
}

static int some_copy(struct mm *mm, struct migrate_entry *e)
{
	struct page_state st;

	expect(page_state_get(mm, e->pfn, &st) && (st.flags & PG_CLAIMED),
	       "copied without a claim", e->pfn - base);
	expect(page_state_get(mm, e->dst, &st) && st.type == PGTY_ANON &&
		       st.order == e->order && st.count == 1 && !st.isolated,
	       "the target is born with the type", e->pfn - base);
	return subject_of(e)->fate == COPY_FAILS ? -EIO : 0;
}

static void some_commit(struct mm *, struct migrate_entry *e)
{
	expect(subject_of(e)->at == e->pfn, "moved twice", e->pfn - base);
	subject_of(e)->at = e->dst;
}

static void some_abort(struct mm *, struct migrate_entry *e)
{
	expect(!subject_of(e)->was_aborted, "aborted twice", e->pfn - base);
	subject_of(e)->was_aborted = true;
	page_unclaim(e->pfn);
}

static const struct movable_ops some_ops = { some_claim, some_copy, some_commit, some_abort };

/* Allocate the page at index @i; most pages are single frames. */
static void place(struct test_mm *t, unsigned int i)
{
	struct prng *prng = &death_test->prng;
	struct subject *s = &subjects[i];

	*s = (struct subject){ .is_slot = prng_below(prng, 3) == 0, .at = base + i };
	s->order = prng_below(prng, 4) ? 0 : min(prng_below(prng, ORDERS), (u64)__ffs(i | 8));
	s->fate = prng_below(prng, s->is_slot ? CLAIM_GONE : NR_FATES);
	if (s->is_slot) {
		slot_at(death_test, t->mm, &s->slot, s->at, s->order);
		if (s->fate == CLAIM_LOST)
			expect(page_try_get(t->mm, s->at), "a reference", i);
	} else {
		expect(!alloc_pages_at(t->mm, s->at, s->order, PGTY_ANON), "allocated", i);
	}
}

/* Check where a page is, and that nothing holds it. */
static void check_subject(struct test_mm *t, unsigned long i)
{
	const struct subject *s = &subjects[i];
	const unsigned long at = s->is_slot ? slot_pfn(&s->slot) : s->at;
	const bool moved = at != base + i;
	struct page_state st;

	expect(moved == (s->fate == MOVES), "moves if nothing fails", i);
	expect(s->was_aborted == (s->fate == COPY_FAILS), "aborted if the copy fails", i);
	expect(!moved || at - base >= AREA, "leaves the area", i);
	expect(!moved || page_type(t->mm, base + i) == PGTY_BUDDY, "the source is free", i);
	expect(page_state_get(t->mm, at, &st) && st.head == at && st.order == s->order &&
		       st.type == (s->is_slot ? PGTY_DRIVER : PGTY_ANON) && !st.flags,
	       "is whole, and not claimed", i);
}

/* Free a page, by its slot or as a chunk. */
static void remove(struct test_mm *t, unsigned long i)
{
	struct subject *s = &subjects[i];

	if (s->is_slot && s->fate == CLAIM_LOST)
		page_put(t->mm, s->at);
	if (s->is_slot)
		expect(!slot_free(t->mm, &s->slot), "its slot frees it", i);
	else
		free_pages(t->mm, s->at, s->order);
}

static void random_results(void)
{
	struct test_mm *t = test_mm_normal(death_test, 1);
	const struct pfn_range area = { t->base, AREA };
	struct evacuate_policy policy = test_policy(EVAC_END_FREE, PGTY_NONE);
	const unsigned long free = test_mm_free(death_test, t);
	static u16 page[NR_PAGES];
	unsigned int nr = 0, moving = 0;
	struct mm_failure why;

	base = t->base;
	policy.flags = EVAC_BEST_EFFORT;
	expect(!set_movable_ops(PGTY_ANON, &some_ops), "operations", 0);
	for (unsigned int i = 0; i < AREA && nr < NR_PAGES; i += 1U << subjects[i].order) {
		page[nr++] = i;
		place(t, i);
		moving += subjects[i].fate == MOVES;
	}
	expect(nr > 2 * EVAC_VECTOR, "more than two vectors", nr);
	expect(!evacuate(t->mm, &area, 1, &policy, &why), "the best that can be done", nr);
	expect(why.migrated == moving, "counted as moved", why.migrated);
	expect(vm_event_read(t->mm, VM_PGMIGRATE_SUCCESS) == moving, "success", moving);
	expect(vm_event_read(t->mm, VM_PGMIGRATE_FAIL) == nr - moving, "failure", nr - moving);
	for (unsigned int i = 0; i < nr; i++)
		check_subject(t, page[i]);
	expect(!mm_check(t->mm, ktest_sink(death_test)), "mm_check", 0);
	for (unsigned int i = 0; i < nr; i++)
		remove(t, page[i]);
	expect(test_mm_free(death_test, t) == free, "no frame is lost", nr);
	panic("every page is where its fate says");
}

static const struct death deaths[] = {
	{ "random_results", random_results, "every page is where its fate says" },
};
KTEST_ARRAY_PARAM(death, deaths, death_desc)

static const struct ktest_case cases[] = {
	KTEST_CASE_PARAM(expect_death, death_gen_params),
	{},
};
static struct ktest_suite suite = { .name = "migrate_steps", .cases = cases };
KTEST_SUITE(suite);
