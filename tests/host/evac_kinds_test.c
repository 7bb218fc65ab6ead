/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evacuate() with a second kind of movable pages, with poison, and with the release of
 * frames that are not PageOffline. Each case runs in its own process, because
 * movable_ops cannot be removed, and because some cases end in a panic.
 */
#include "arch/machine.h"
#include "death.h"
#include "kernel/panic.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/poison.h"
#include "tests/mm/test_mm.h"

/* The results of fake_ops. No slot refers to pages of this kind. */
static int claim_result, copy_result;
static bool pin_first; /* a user pins the page after it was judged, before its claim */

static int fake_claim(struct mm *mm, struct migrate_entry *e)
{
	if (pin_first && page_pin(mm, e->pfn))
		return -EIO;
	return claim_result ? claim_result : page_claim(mm, e->pfn, PGTY_ANON, e->order);
}

static int fake_copy(struct mm *mm, struct migrate_entry *e)
{
	(void)mm;
	(void)e;
	return copy_result;
}

static void fake_commit(struct mm *mm, struct migrate_entry *e)
{
	(void)mm;
	(void)e;
}

static void fake_abort(struct mm *mm, struct migrate_entry *e)
{
	(void)mm;
	page_unclaim(e->pfn);
}

static const struct movable_ops fake_ops = { fake_claim, fake_copy, fake_commit,
					     fake_abort };

static struct test_mm *child_mm;

static int take(struct mm_failure *why)
{
	return alloc_contig_range(child_mm->mm, child_mm->base, child_mm->base + 4, NULL,
				  why);
}

static void expect(bool ok, const char *what)
{
	if (!ok)
		panic("not so: %s", what);
}

static void second_kind(void)
{
	struct test_mm *t = child_mm = test_mm_normal(death_test, 1);
	struct page_slot slot;
	struct mm_failure why;
	unsigned long free;

	expect(set_movable_ops(PGTY_SLAB, &fake_ops) == -EINVAL, "slab never moves");
	expect(set_movable_ops(PGTY_DRIVER, &fake_ops) == -EEXIST,
	       "the first operations stay");
	expect(alloc_pages_at(t->mm, t->base + 1, 0, PGTY_ANON) == 0, "alloc");
	expect(take(&why) == -EBUSY && why.reason == MM_REASON_UNMOVABLE,
	       "no operations");
	expect(set_movable_ops(PGTY_ANON, &fake_ops) == 0, "operations");
	free = test_mm_free(death_test, t);

	copy_result = -EIO;
	expect(take(&why) == -EIO && why.reason == MM_REASON_COPY_FAILED,
	       "the copy fails");
	expect(why.pfn == t->base + 1 && why.type == PGTY_ANON, "which page");
	expect(test_mm_free(death_test, t) == free, "its target is free again");
	copy_result = 0;
	claim_result = -ENOENT;
	expect(take(&why) == -EBUSY && why.reason == MM_REASON_NOT_FREE,
	       "it says it is gone");
	expect(why.retries == 0, "and is not asked again");
	claim_result = 0;
	pin_first = true;
	expect(take(&why) == -EBUSY && why.reason == MM_REASON_PINNED, "a pin before the claim");
	expect(why.pfn == t->base + 1 && why.migrated == 0, "which page, and it stays");
	expect(page_unpin(t->mm, t->base + 1) == 0, "it is pinned, not claimed");
	pin_first = false;
	slot_at(death_test, t->mm, &slot, t->base, 0);
	expect(take(&why) == 0 && why.migrated == 2, "two kinds at once");
	panic("all of it is so");
}

static void stray_write_before_contig(void)
{
	unsigned long pfn;

	page_poison = true;
	child_mm = test_mm_normal(death_test, 1);
	pfn = child_mm->base;
	/*
	 * The second page stays allocated: without it the pageblock would become a single
	 * free chunk that was never filled with the pattern.
	 */
	if (alloc_pages_at(child_mm->mm, pfn, 0, PGTY_KERNEL) == 0 &&
	    alloc_pages_at(child_mm->mm, pfn + 10, 0, PGTY_KERNEL) == 0)
		free_pages(child_mm->mm, pfn, 0);
	memset((char *)phys_to_virt(pfn_to_phys(pfn)) + 5, 0x5c, 1);
	(void)!take(NO_WHY);
}

/* When a page moves away, its old frame is poisoned. */
static void stray_write_after_move(void)
{
	struct page_slot slot;
	unsigned long pfn;

	page_poison = true;
	child_mm = test_mm_normal(death_test, 1);
	pfn = child_mm->base;
	slot_at(death_test, child_mm->mm, &slot, pfn, 0);
	memset(phys_to_virt(pfn_to_phys(pfn)), 1, PAGE_SIZE);
	if (take(NO_WHY) == 0)
		panic("moved; the frame has 0x%02x",
		      *(u8 *)phys_to_virt(pfn_to_phys(pfn)));
}

static void release_of_a_chunk(void)
{
	struct test_mm *t = test_mm_normal(death_test, 1);

	if (alloc_pages_at(t->mm, t->base, 9, PGTY_KERNEL) == 0)
		release_offline_range(t->mm, t->base, PAGEBLOCK_NR_PAGES);
}

static const struct death deaths[] = {
	{ "second_kind", second_kind, "all of it is so" },
	{ "stray_write_before_contig", stray_write_before_contig, "byte 0x5 is 0x5c" },
	{ "stray_write_after_move", stray_write_after_move, "the frame has 0xaa" },
	{ "release_of_a_chunk", release_of_a_chunk, "it is Kernel, not Offline" },
};
KTEST_ARRAY_PARAM(death, deaths, death_desc)

static const struct ktest_case evac_kinds_cases[] = {
	KTEST_CASE_PARAM(expect_death, death_gen_params),
	{},
};
static struct ktest_suite evac_kinds_suite = { .name = "evac_kinds",
					       .cases = evac_kinds_cases };
KTEST_SUITE(evac_kinds_suite);
