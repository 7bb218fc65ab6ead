/* SPDX-License-Identifier: BSD-2-Clause */
/* The private memory of the allocator's suites: see the header. */
#include "tests/mm/test_mm.h"
#include "arch/machine.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"

static struct test_mm test_mm;

/* Expect correct counters, after the case has freed everything. */
static void close_check(void *ctx)
{
	struct ktest *test = ctx;

	test_mm_check(test, &test_mm);
}

static struct test_mm *opened(struct ktest *test, struct window *w)
{
	struct test_mm *t = &test_mm;

	t->w = w;
	t->mm = w->mm;
	for (unsigned int hart = 0; hart < nr_harts(); hart++)
		KTEST_ASSERT_EQ(test, mm_hart_init(t->mm, hart), 0);
	/* From here on zone->free counts all free frames: the caches are empty. */
	KTEST_ASSERT_EQ(test, drain_all_pages(t->mm, STEP_NS), 0);
	t->zone = pfn_to_section(t->mm, t->base)->zone;
	ktest_add_action(test, close_check, test);
	return t;
}

struct test_mm *test_mm_normal(struct ktest *test, unsigned int sections)
{
	const u64 bytes = (sections + 1) * SECTION_SIZE;
	struct window *w = window_open_raw(test, bytes);

	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, pfn_to_phys(w->base), bytes), 0);
	KTEST_ASSERT_EQ(test, mm_populate(w->mm, &w->mb), 0);
	test_mm.base = window_pfn(w, 1);
	test_mm.nr = sections * PAGES_PER_SECTION;
	return opened(test, w);
}

struct test_mm *test_mm_movable(struct ktest *test)
{
	struct window *w = window_open(test, SECTION_SIZE);

	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	window_add_online(test, w, 1, MMOP_ONLINE_MOVABLE);
	/* The block's own metadata lies in its first pageblock. */
	test_mm.base = window_pfn(w, 1) + (1UL << MAX_PAGE_ORDER);
	test_mm.nr = PAGES_PER_SECTION - (1UL << MAX_PAGE_ORDER);
	return opened(test, w);
}

void test_mm_check(struct ktest *test, struct test_mm *t)
{
	KTEST_EXPECT_EQ(test, mm_check(t->mm, ktest_sink(test)), 0);
}

unsigned long test_mm_free(struct ktest *test, struct test_mm *t)
{
	KTEST_EXPECT_EQ(test, drain_all_pages(t->mm, STEP_NS), 0);
	return t->mm->zone[ZONE_NORMAL].free + t->mm->zone[ZONE_MOVABLE].free;
}

void test_mm_release(struct test_mm *t, unsigned long pfn, unsigned long nr)
{
	release_offline_range(t->mm, pfn, nr);
	zone_update_watermarks(t->mm);
}

static void free_table(void *table)
{
	const unsigned long pfn = phys_to_pfn(virt_to_phys(table));
	struct page_state st;

	if (page_state_get(&kernel_mm, pfn, &st))
		free_pages(&kernel_mm, pfn, st.order);
}

bool test_mm_isolated(const struct mm *mm, unsigned long pfn)
{
	struct page_state st;

	return page_state_get(mm, pfn, &st) && st.isolated;
}

void *test_mm_table(struct ktest *test, unsigned long bytes)
{
	const unsigned long pfn = alloc_pages(&kernel_mm, GFP_KERNEL,
					      order_of(DIV_ROUND_UP(bytes, PAGE_SIZE)),
					      PGTY_KERNEL);
	void *table;

	KTEST_ASSERT_NE(test, pfn, PFN_NONE);
	table = phys_to_virt(pfn_to_phys(pfn));
	ktest_add_action(test, free_table, table);
	return table;
}

struct evacuate_policy test_policy(enum evacuate_end end, enum page_type type)
{
	return (struct evacuate_policy){
		.end = end,
		.type = type,
		.limits.retries = 3,
		.limits.deadline_ns = ktime_ns() + STEP_NS,
	};
}

void slot_at(struct ktest *test, struct mm *mm, struct page_slot *slot, unsigned long pfn,
	     unsigned int order)
{
	KTEST_ASSERT_EQ(test, alloc_pages_at(mm, pfn, order, PGTY_DRIVER), 0);
	slot->pfn = pfn;
	page_set_owner(mm, pfn, (uintptr_t)slot);
}

void slots_at(struct ktest *test, struct test_mm *t, struct page_slot *slots,
	      unsigned int nr, unsigned long pfn)
{
	for (unsigned int i = 0; i < nr; i++)
		slot_at(test, t->mm, &slots[i], pfn + i, 0);
}

void slots_gone(struct ktest *test, struct test_mm *t, struct page_slot *slots,
		unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		KTEST_EXPECT_EQ(test, slot_free(t->mm, &slots[i]), 0);
		KTEST_EXPECT_EQ(test, slot_free(t->mm, &slots[i]), -ENOENT);
	}
}
