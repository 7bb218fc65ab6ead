/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bugs that mm/ stops with a panic: invalid frees, with a report of the frame and its type,
 * and writes to free memory. Each case uses a private mm and runs in its own process; the
 * parent shares the frames but does not use them.
 */
#include <string.h>
#include "kernel/hart.h"
#include "mm/slab.h"

#include "arch/machine.h"
#include "death.h"
#include "mm/poison.h"
#include "tests/mm/test_mm.h"

static struct mm *mm;

static unsigned long get(unsigned int order, enum page_type type)
{
	mm = test_mm_normal(death_test, 1)->mm;
	return alloc_pages(mm, GFP_MOVABLE, order, type);
}

static void free_twice(void)
{
	const unsigned long pfn = get(0, PGTY_SLAB);

	free_pages(mm, pfn, 0);
	free_pages(mm, pfn, 0);
}

static void free_twice_after_drain(void)
{
	const unsigned long pfn = get(2, PGTY_SLAB);

	free_pages(mm, pfn, 2);
	drain_local_pages(mm);
	free_pages(mm, pfn, 2);
}

static void free_large_twice(void)
{
	const unsigned long pfn = get(9, PGTY_KERNEL);

	free_pages(mm, pfn, 9);
	free_pages(mm, pfn, 9);
}

static void free_wrong_order(void)
{
	const unsigned long pfn = get(3, PGTY_KERNEL);

	free_pages(mm, pfn, 2);
}

static void free_tail(void)
{
	const unsigned long pfn = get(3, PGTY_KERNEL);

	free_pages(mm, pfn + 4, 2);
}

static void free_tail_of_large(void)
{
	const unsigned long pfn = get(10, PGTY_KERNEL);

	free_pages(mm, pfn + 512, 9);
}

/* The frame's descriptor is not valid: only the pageblock's word has the state. */
static void free_inside_large(void)
{
	const unsigned long pfn = get(9, PGTY_KERNEL);

	free_pages(mm, pfn + 17, 0);
}

static void free_bad_order(void)
{
	const unsigned long pfn = get(0, PGTY_KERNEL);

	free_pages(mm, pfn, 11);
}

static void free_memmap(void)
{
	unsigned long pfn = get(0, PGTY_KERNEL);

	pfn = mm->zone[ZONE_NORMAL].start_pfn;

	while (page_type(mm, pfn) != PGTY_MEMMAP)
		pfn++;
	free_pages(mm, pfn, 0);
}

static void free_nowhere(void)
{
	const unsigned long pfn = get(0, PGTY_KERNEL);

	free_pages(mm, pfn + 100 * PAGES_PER_SECTION, 0);
}

static void free_offline(void)
{
	struct evacuate_policy policy = {
		.type = PGTY_OFFLINE,
		.limits.deadline_ns = ~0UL,
	};
	unsigned long pfn = get(0, PGTY_KERNEL);

	pfn = take_contig_pages(mm, 1024, &policy, NO_WHY);
	free_pages(mm, pfn + 3, 0);
}

static void free_referenced(void)
{
	const unsigned long pfn = get(0, PGTY_DRIVER);

	if (page_try_get(mm, pfn))
		free_pages(mm, pfn, 0);
}

static void free_pinned(void)
{
	const unsigned long pfn = get(1, PGTY_KERNEL);

	if (page_pin(mm, pfn + 1) == 0)
		free_pages(mm, pfn, 1);
}

/*
 * Allocate a chunk of a counted type in the pageblock that the hart remembers from its last
 * free. The hart's stacks of orders 1 and 2 have room.
 */
static unsigned long get_counted(void)
{
	const unsigned long pair = get(1, PGTY_DRIVER);
	const unsigned long four = alloc_pages(mm, GFP_MOVABLE, 2, PGTY_DRIVER);

	free_pages(mm, pair, 1);
	free_pages(mm, four, 2);
	return alloc_pages(mm, GFP_MOVABLE, 2, PGTY_DRIVER);
}

static void free_counted_wrong_order(void)
{
	free_pages(mm, get_counted(), 1);
}

static void free_counted_pinned(void)
{
	const unsigned long pfn = get_counted();

	if (page_pin(mm, pfn) == 0)
		free_pages(mm, pfn, 2);
}

static void put_uncounted(void)
{
	const unsigned long pfn = get(0, PGTY_SLAB);

	page_put(mm, pfn);
}

static void put_too_often(void)
{
	const unsigned long pfn = get(0, PGTY_DRIVER);

	page_put(mm, pfn);
	page_put(mm, pfn);
}

static void release_allocated(void)
{
	const unsigned long pfn = get(0, PGTY_SLAB);

	release_offline_range(mm, pfn, 1);
}

static void free_bulk_twice(void)
{
	unsigned long pfns[2];

	pfns[0] = pfns[1] = get(0, PGTY_KERNEL);
	free_pages_bulk(mm, pfns, 2);
}

#if EBB_DEBUG
/*
 * Make a whole pageblock and 10 frames after it PageOffline. Return the descriptor of one
 * of the 10 frames, for writes through a stale pointer.
 */
static struct page *stale_offline(void)
{
	struct evacuate_policy policy = {
		.type = PGTY_OFFLINE,
		.limits.deadline_ns = ~0UL,
	};
	unsigned long pfn = get(0, PGTY_KERNEL);

	pfn = take_contig_pages(mm, PAGEBLOCK_NR_PAGES + 10, &policy, NO_WHY);
	return pfn_to_page(pfn + PAGEBLOCK_NR_PAGES + 7);
}

static void stale_put(void)
{
	struct page *page = stale_offline();

	page->count--;
	release_offline_range(mm, page_to_pfn(page) - 2, 3);
}

static void stale_owner(void)
{
	struct page *page = stale_offline();

	page->owner = 0;
	release_offline_range(mm, page_to_pfn(page), 1);
}

static void stale_owner_of_pageblock(void)
{
	const unsigned long pfn = page_to_pfn(stale_offline()) - PAGEBLOCK_NR_PAGES;

	pfn_pageblock(mm, pfn)->owner = 1;
	release_offline_range(mm, pfn - 7, PAGEBLOCK_NR_PAGES);
}

/* A part of the pageblock changes: mm/ checks the canary before it writes descriptors. */
static void stale_owner_of_part(void)
{
	const unsigned long pfn = page_to_pfn(stale_offline()) - PAGEBLOCK_NR_PAGES;

	pfn_pageblock(mm, pfn)->owner = 1;
	frames_change(mm, &(struct pfn_range){ pfn, 3 }, PGTY_NONE, PGTY_MEMMAP, 0);
}

/* The frames become PageOffline again, with other flags. */
static void stale_put_marked(void)
{
	struct page *page = stale_offline();

	page->count = 0;
	frames_change(mm, &(struct pfn_range){ page_to_pfn(page) - 7, 10 }, PGTY_NONE, PGTY_OFFLINE,
		      0);
}

/* The whole pageblock becomes PageOffline, so only the pageblock's word has the type. */
static void stale_put_merged(void)
{
	struct evacuate_policy policy = {
		.type = PGTY_OFFLINE,
		.limits.deadline_ns = ~0UL,
	};
	struct page *page = stale_offline();
	const unsigned long pfn = page_to_pfn(page) - 7;

	page->count++;
	(void)!take_contig_range(mm, pfn + 10, pfn + PAGEBLOCK_NR_PAGES, &policy, NO_WHY);
}

static void stale_put_offlined(void)
{
	struct window *w = window_open_owned(death_test);
	const unsigned long pfn = window_pfn(w, 1);

	mm = w->mm;
	window_add(death_test, w, 1, 1);
	(void)!window_online(w, 1, MMOP_ONLINE_MOVABLE);
	(void)!window_offline(w, 1);
	(void)!window_online(w, 1, MMOP_ONLINE_MOVABLE);
	pfn_pageblock(mm, pfn + PAGEBLOCK_NR_PAGES)->owner = 3;
	(void)!window_offline(w, 1);
}

static void free_in_interrupt(void)
{
	const unsigned long pfn = get(0, PGTY_SLAB);

	this_hart()->irq_depth++;
	free_pages(mm, pfn, 0);
}

static void materialised_twice(void)
{
	struct test_mm *t = test_mm_normal(death_test, 1);

	if (alloc_pages_at(t->mm, t->base, 0, PGTY_KERNEL) == 0)
		pageblock_materialise(pfn_to_section(t->mm, t->base),
				      pageblock_index(t->base));
}
#endif

static void bad_type(void)
{
	(void)!get(9, PGTY_OFFLINE);
}

/* Allocate with a bad type while the hart's cache holds a chunk of that order. */
static void bad_type_warm(unsigned int order, enum page_type type)
{
	const unsigned long pfn = get(order, PGTY_KERNEL);

	free_pages(mm, pfn, order);
	(void)!alloc_pages(mm, GFP_MOVABLE, order, type);
}

static void bad_type_cached(void)
{
	bad_type_warm(0, PGTY_DEVICE);
}

static void bad_type_cached_itself(void)
{
	bad_type_warm(3, PGTY_CACHED);
}

static void bad_type_cached_large(void)
{
	bad_type_warm(9, PGTY_DEVICE);
}

static void bad_type_bulk(void)
{
	unsigned long pfn = get(0, PGTY_KERNEL);

	(void)!alloc_pages_bulk(mm, GFP_KERNEL, PGTY_BOOT, 1, &pfn);
}

static unsigned long poisoned(unsigned int order)
{
	page_poison = true;
	return get(order, PGTY_KERNEL);
}

static void write_after_free(void)
{
	const unsigned long pfn = poisoned(0);

	free_pages(mm, pfn, 0);
	memset((char *)phys_to_virt(pfn_to_phys(pfn)) + 0x123, 0x5c, 1);
	(void)!alloc_pages_at(mm, pfn, 0, PGTY_KERNEL);
}

static void write_after_free_large(void)
{
	const unsigned long pfn = poisoned(9);

	free_pages(mm, pfn, 9);
	memset((char *)phys_to_virt(pfn_to_phys(pfn + 77)) + 0x123, 0x5c, 1);
	(void)!alloc_pages_at(mm, pfn, 9, PGTY_KERNEL);
}

static void bulk_free_referenced(void)
{
	const unsigned long pfn = get(0, PGTY_DRIVER);

	if (page_try_get(mm, pfn))
		free_pages_bulk(mm, &pfn, 1);
}

static void free_inside_pageblock(void)
{
	(void)get(0, PGTY_KERNEL);
	free_pages(mm, alloc_pages(mm, GFP_MOVABLE, 9, PGTY_KERNEL) + 17, 9);
}

static void free_claimed(void)
{
	const unsigned long pfn = get(0, PGTY_DRIVER);

	if (page_claim(mm, pfn, PGTY_DRIVER, 0) == 0)
		free_pages(mm, pfn, 0);
}

static void bulk_after_a_stray_write(void)
{
	unsigned long pfn;

	page_poison = true;
	pfn = get(0, PGTY_KERNEL);
	free_pages(mm, pfn, 0);
	memset(phys_to_virt(pfn_to_phys(pfn)), 0x5c, 1);
	(void)!alloc_pages_bulk(mm, GFP_MOVABLE, PGTY_KERNEL, 1, &pfn);
}

static void frames_that_are_free(void)
{
	struct test_mm *t = test_mm_normal(death_test, 1);

	if (alloc_pages_at(t->mm, t->base, 0, PGTY_KERNEL) == 0)
		frames_change(t->mm, &(struct pfn_range){ t->base, PAGEBLOCK_NR_PAGES },
			      PGTY_NONE, PGTY_OFFLINE, 0);
}

static void kfree_of_the_middle(void)
{
	kfree((char *)phys_to_virt(pfn_to_phys(kernel_mm.reserve[0])) + 8);
}

static struct kmem_cache *cache_of(const char *name)
{
	mm = test_mm_normal(death_test, 1)->mm;
	return kmem_cache_create(mm, name, 64, 8);
}

static void free_object_twice(void)
{
	struct kmem_cache *cache = cache_of("one");
	void *obj = kmem_cache_alloc(cache, GFP_KERNEL);

	/* A second object keeps the slab from being freed. */
	if (kmem_cache_alloc(cache, GFP_KERNEL) != NULL)
		kmem_cache_free(cache, obj);
	kmem_cache_free(cache, obj);
}

static void free_inside_object(void)
{
	struct kmem_cache *cache = cache_of("one");

	kmem_cache_free(cache, (char *)kmem_cache_alloc(cache, GFP_KERNEL) + 8);
}

static void free_into_other_cache(void)
{
	struct kmem_cache *one = cache_of("one");
	struct kmem_cache *two = kmem_cache_create(mm, "two", 64, 8);

	kmem_cache_free(two, kmem_cache_alloc(one, GFP_KERNEL));
}

static const struct death deaths[] = {
	{ "free_twice", free_twice, "it is free already: it is Cached, order 0" },
	{ "free_twice_after_drain", free_twice_after_drain,
	  "it is free already: it is Buddy" },
	{ "free_large_twice", free_large_twice,
	  "order 9: it is free already: it is Cached" },
	{ "free_wrong_order", free_wrong_order,
	  "it has another order: it is Kernel, order 3" },
	{ "free_counted_wrong_order", free_counted_wrong_order,
	  "it has another order: it is Driver, order 2" },
	{ "free_counted_pinned", free_counted_pinned, "pinned" },
	{ "free_tail", free_tail,
	  "it is the tail of a chunk: it is Kernel, tail, order 3" },
	{ "free_tail_of_large", free_tail_of_large,
	  "it is the tail of a chunk: it is Kernel, tail" },
	{ "free_inside_large", free_inside_large,
	  "it is the tail of a chunk: it is Kernel, tail" },
	{ "free_bad_order", free_bad_order, "order 11: it has no such order" },
	{ "free_memmap", free_memmap, "it was not allocated: it is Memmap" },
	{ "free_nowhere", free_nowhere, "no online memory" },
	{ "free_offline", free_offline, "it was not allocated: it is Offline" },
	{ "free_referenced", free_referenced, "it has other references: it is Driver" },
	{ "free_pinned", free_pinned, "it is pinned: it is Kernel" },
	{ "put_uncounted", put_uncounted, "it has no count to put: it is Slab" },
	{ "put_too_often", put_too_often, "it has no count to put: it is Cached" },
	{ "release_allocated", release_allocated, "it is Slab, not Offline" },
	{ "free_bulk_twice", free_bulk_twice, "it is free already: it is Buddy" },
#if EBB_DEBUG
	{ "stale_put", stale_put,
	  "07 is Offline, its count is 0xc0ff11e4 instead of 0xc0ff11e5" },
	{ "stale_owner", stale_owner,
	  "07 is Offline, its owner is 0x0 instead of 0xff11e0ff11e0ff1" },
	{ "stale_owner_of_pageblock", stale_owner_of_pageblock,
	  "00 is Offline, its pageblock's owner is 0x1 instead of 0xff11e0ff11e0ff1" },
	{ "stale_owner_of_part", stale_owner_of_part,
	  "is Offline, its pageblock's owner is 0x1 instead of 0xff11e0ff11e0ff1" },
	{ "stale_put_marked", stale_put_marked,
	  "07 is Offline, its count is 0x0 instead of 0xc0ff11e5" },
	{ "stale_put_merged", stale_put_merged,
	  "07 is Offline, its count is 0xc0ff11e6 instead of 0xc0ff11e5" },
	{ "stale_put_offlined", stale_put_offlined,
	  "00 is Offline, its pageblock's owner is 0x3 instead of 0xff11e0ff11e0ff1" },
	{ "free_in_interrupt", free_in_interrupt, "BUG at mm/page_alloc.c" },
	{ "materialised_twice", materialised_twice, "BUG at mm/pageblock.c" },
#endif
	{ "bad_type", bad_type, "BUG at mm/page_alloc.c" },
	{ "bad_type_cached", bad_type_cached, "BUG at mm/page_alloc.c" },
	{ "bad_type_cached_itself", bad_type_cached_itself, "BUG at mm/page_alloc.c" },
	{ "bad_type_cached_large", bad_type_cached_large, "BUG at mm/page_alloc.c" },
	{ "bad_type_bulk", bad_type_bulk, "BUG at mm/page_alloc.c" },
	{ "write_after_free", write_after_free,
	  "was written while it was free: byte 0x123 is 0x5c" },
	{ "write_after_free_large", write_after_free_large,
	  "was written while it was free: byte 0x123 is 0x5c" },
	{ "bulk_free_referenced", bulk_free_referenced, "it has other references" },
	{ "free_inside_pageblock", free_inside_pageblock, "it is the tail of a chunk" },
	{ "free_claimed", free_claimed, "it is being moved: it is Driver" },
	{ "bulk_after_a_stray_write", bulk_after_a_stray_write,
	  "written while it was free" },
	{ "frames_that_are_free", frames_that_are_free, "BUG at mm/frames.c" },
	{ "kfree_of_the_middle", kfree_of_the_middle,
	  "is not the start of an allocation" },
	{ "free_object_twice", free_object_twice, "double free of" },
	{ "free_inside_object", free_inside_object, "is not an object of cache one" },
	{ "free_into_other_cache", free_into_other_cache,
	  "of cache one, freed as one of two" },
};

KTEST_ARRAY_PARAM(death, deaths, death_desc)

static const struct ktest_case mm_panic_cases[] = {
	{ .name = "mm_panics", .run = expect_death, .params = death_gen_params }, {}
};

static struct ktest_suite mm_panic_suite = { .name = "mm_panic",
					     .cases = mm_panic_cases };
KTEST_SUITE(mm_panic_suite);
