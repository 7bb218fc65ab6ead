/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hotplug's and the slab's finer rules: what is undone when one of several blocks
 * cannot go, what failures name and what the log says, owners in order, what mm_check()
 * has to find. Host only: it is the same in the guest.
 */
#include <unistd.h>

#include "arch/machine.h"
#include "death.h"
#include "kernel/panic.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "log.h"
#include "mm/pgtable.h"
#include "mm/slab.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

/* Lines of the log that say so of block @n. */
static unsigned int times_failed(const struct window *w, unsigned long n, const char *what)
{
	char words[64];

	snprintf(words, sizeof(words), "memory%lu: %s failed", w->block + n, what);
	return times_logged(words);
}

/* --- several blocks ------------------------------------------------------------- */

/* Blocks 1 and 2 are online; the second cannot go. */
static void second_block_stays(struct ktest *test, struct window *w, bool isolated)
{
	const unsigned long blocks[] = { w->block + 1, w->block + 2 };
	const unsigned long pfn = window_pfn(w, 2) + 20 * PB;
	const struct pfn_range range = { pfn, PB };
	struct window_totals before;
	struct mm_failure why;

	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_SLAB), 0);
	if (isolated)
		KTEST_ASSERT_EQ(test, isolate_range(w->mm, &range, NO_WHY), 0);
	before = window_totals(w);
	KTEST_EXPECT_EQ(test, offline_and_remove_memory(w->mm, blocks, 2, NULL, &why),
			-EBUSY);
	KTEST_EXPECT_EQ(test, why.reason,
			isolated ? MM_REASON_ALREADY_ISOLATED : MM_REASON_UNMOVABLE);
	KTEST_EXPECT_EQ(test, why.pfn, pfn);
	for (unsigned int n = 1; n <= 2; n++)
		KTEST_EXPECT_EQ(test, window_state(w, n), MEM_BLOCK_ONLINE);
	window_expect_totals(test, w, &before);
	if (isolated)
		unisolate_range(w->mm, &range);
	free_pages(w->mm, pfn, 0);
}

/* Both are in the zone where they were, whichever that is, and nothing is isolated. */
static void all_stay_in(struct ktest *test, enum mhp_online_type type)
{
	struct window *w = window_open_owned(test);

	for (unsigned int n = 1; n <= 2; n++) {
		window_add(test, w, n, ~0UL);
		KTEST_ASSERT_EQ(test, window_online(w, n, type), 0);
	}
	second_block_stays(test, w, false);
	second_block_stays(test, w, true);
}

static void all_stay_in_normal(struct ktest *test)
{
	all_stay_in(test, MMOP_ONLINE_KERNEL);
}

static void all_stay_in_movable(struct ktest *test)
{
	all_stay_in(test, MMOP_ONLINE_MOVABLE);
}

/* --- what failures say ------------------------------------------------------------ */

static void failures_name_what_they_mean(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct evacuate_policy policy = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	const struct pfn_range header = { window_pfn(w, 1), PB };
	const struct pfn_range second = { window_pfn(w, 1) + PB, PB };
	struct memory_owner other = { .name = "other",
				      .region = { window_pfn(w, 0), 0 } };
	struct mm_failure why;

	window_add(test, w, 1, ~0UL);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	KTEST_EXPECT_EQ(test, mhp_unplug_prepare(w->mm, &header, NULL, &why), -EBUSY);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_METADATA);
	KTEST_EXPECT_EQ(test, why.type, PGTY_MEMMAP);
	/* Whose the frame in the way is. */
	KTEST_ASSERT_EQ(test,
			take_contig_range(w->mm, second.start_pfn + 7,
					  second.start_pfn + 8, &policy, NO_WHY),
			0);
	KTEST_EXPECT_EQ(test, mhp_unplug_prepare(w->mm, &second, NULL, &why), -EBUSY);
	KTEST_EXPECT_EQ(test, why.pfn, second.start_pfn + 7);
	KTEST_EXPECT_STREQ(test, why.detail, "window");
	release_offline_range(w->mm, second.start_pfn + 7, 1);
	zone_update_watermarks(w->mm);
	/* Page tables that cannot be had. */
	KTEST_ASSERT_EQ(test, mhp_unplug_prepare(w->mm, &second, NULL, &why), 0);
	w->mm->inject = 1;
	KTEST_EXPECT_EQ(test, mhp_plug_range(w->mm, &second, &why), -ENOMEM);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_NO_MEMORY);
	KTEST_EXPECT_EQ(test, why.pfn, second.start_pfn);
	KTEST_EXPECT_EQ(test, mhp_plug_range(w->mm, &second, &why), 0);
	/* Where two regions meet. */
	other.region.nr_pages = 3 * PAGES_PER_SECTION;
	other.region.start_pfn += 32 * PB;
	KTEST_EXPECT_EQ(test, register_memory_owner(w->mm, &other, &why), -EEXIST);
	KTEST_EXPECT_EQ(test, why.pfn, w->owner.region.start_pfn);
}

/* What an added block says is plugged must be the owner's. */
static void plugged_beside_the_region(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	struct mm_failure why;

	w->owner.region.start_pfn += 8 * PB;
	w->owner.region.nr_pages -= PAGES_PER_SECTION;
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	KTEST_EXPECT_EQ(test, add_memory(w->mm, w->block + 1, &w->owner, 0xff0, &why),
			-EINVAL);
	KTEST_EXPECT_EQ(test, why.reason, MM_REASON_HOLE);
	KTEST_EXPECT_EQ(test, why.pfn, window_pfn(w, 1) + 4 * PB);
}

static int veto(struct notifier_block *nb, unsigned long event, void *data)
{
	(void)nb;
	(void)data;
	return event == MEM_GOING_ONLINE ? -EPERM : 0;
}

/* A line for what failed, none for what made no sense. */
static void log_has_what_failed(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct notifier_block nb = { .fn = veto, .name = "no" };
	const unsigned long pfn = window_pfn(w, 1) + 20 * PB;

	KTEST_ASSERT_EQ(test, register_memory_notifier(w->mm, &nb), 0);
	w->mm->default_online_type = MMOP_ONLINE_MOVABLE;
	log_mark();
	window_add(test, w, 1, ~0UL);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_OFFLINE);
	KTEST_EXPECT_EQ(test, times_failed(w, 1, "online"), 1);
	unregister_memory_notifier(w->mm, &nb);

	KTEST_EXPECT_EQ(test, window_offline(w, 1), -EINVAL);
	KTEST_EXPECT_EQ(test, times_failed(w, 1, "offline"), 0);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_SLAB), 0);
	KTEST_EXPECT_EQ(test, window_offline(w, 1), -EBUSY);
	KTEST_EXPECT_EQ(test, times_failed(w, 1, "offline"), 1);
	free_pages(w->mm, pfn, 0);
}

struct later {
	struct window *w;
	unsigned long pfn;
};

static int free_later(void *arg)
{
	struct later *later = arg;

	msleep(50);
	free_pages(later->w->mm, later->pfn, 0);
	return 0;
}

/* A caller who wants to wait for a free may do so with a whole block. */
static void offline_waits_if_asked_to(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct evacuate_policy policy = test_policy(EVAC_END_OFFLINE, PGTY_OFFLINE);
	struct later later = { w, window_pfn(w, 1) + 20 * PB };
	struct thread *thread;

	window_add(test, w, 1, ~0UL);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, later.pfn, 0, PGTY_SLAB), 0);
	policy.limits.wait = true;
	thread = thread_create("later", free_later, &later);
	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_EXPECT_EQ(test,
			offline_memory_block(w->mm, w->block + 1, &policy.limits, NO_WHY),
			0);
	KTEST_EXPECT_EQ(test, thread_join(thread, ktime_ns() + STEP_NS, NULL), 0);
}

static void poisoned_block_stays_offline(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct mm_failure why;

	window_add(test, w, 1, ~0UL);
	pfn_to_section(w->mm, window_pfn(w, 1))->nr_hwpoison = 1;
	KTEST_EXPECT_EQ(test,
			online_memory_block(w->mm, w->block + 1, MMOP_ONLINE, &why),
			-EHWPOISON);
	KTEST_EXPECT_EQ(test, window_state(w, 1), MEM_BLOCK_OFFLINE);
}

/* AddressSanitizer's; not there in a build for another one, and not used beside walks. */
int __asan_address_is_poisoned(const volatile void *addr) __attribute__((weak));

static bool is_poisoned(unsigned long pfn, bool otherwise)
{
	if (!__asan_address_is_poisoned || nr_online_harts() > 1)
		return otherwise;
	return __asan_address_is_poisoned(pfn_to_page(pfn));
}

/* Can a descriptor be read at all? The kernel of the host says so, without a fault. */
static bool is_mapped(unsigned long pfn)
{
	int ends[2];
	bool mapped;

	if (pipe(ends))
		return false;
	mapped = write(ends[1], pfn_to_page(pfn), 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return mapped;
}

/* Descriptors of a block are for nobody while it is offline, and gone with it. */
static void memmap_is_out_of_reach(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	const unsigned long pfn = window_pfn(w, 1);

	for (unsigned int i = 0; i < 2; i++) {
		window_add(test, w, 1, ~0UL);
		KTEST_EXPECT_TRUE(test, is_poisoned(pfn, true));
		KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
		KTEST_EXPECT_FALSE(test, is_poisoned(pfn, false));
		KTEST_EXPECT_TRUE(test, is_mapped(pfn));
		KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
		KTEST_EXPECT_TRUE(test, is_poisoned(pfn, true));
		KTEST_ASSERT_EQ(test, window_remove(w, 1), 0);
		KTEST_EXPECT_FALSE(test, is_mapped(pfn));
	}
}

/* --- owners and the reserve --------------------------------------------------------- */

static void owners_are_in_order(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	struct memory_owner owners[3], *owner;
	unsigned long last = 0;

	for (unsigned int i = 0; i < 3; i++) {
		owners[i] = (struct memory_owner){
			.name = "part",
			.region = { window_pfn(w, 1 + (i + 1) % 3), PAGES_PER_SECTION },
		};
		mm_reserve_drop(w->mm);
		KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &owners[i], NO_WHY),
				0);
		KTEST_EXPECT_EQ(test, w->mm->nr_reserve, MM_RESERVE_PAGES);
	}
	list_for_each_entry(owner, &w->mm->owners, list) {
		KTEST_EXPECT_GT(test, owner->region.start_pfn, last);
		last = owner->region.start_pfn;
	}
	for (unsigned int i = 0; i < 3; i++)
		unregister_memory_owner(w->mm, &owners[i]);
}

static void page_tables_are_zeroed(struct ktest *test)
{
	const unsigned long pfn = alloc_pages(&kernel_mm, GFP_KERNEL, 0, PGTY_KERNEL);
	phys_addr_t table;

	KTEST_ASSERT_NE(test, pfn, PFN_NONE);
	memset(phys_to_virt(pfn_to_phys(pfn)), 0xff, PAGE_SIZE);
	free_pages(&kernel_mm, pfn, 0);
	table = pgtable_alloc_page();
	KTEST_EXPECT_EQ(test, table, pfn_to_phys(pfn));
	KTEST_EXPECT_NULL(test, memchr_inv(phys_to_virt(table), 0, PAGE_SIZE));
	free_pages(&kernel_mm, phys_to_pfn(table), 0);
}

/* --- mm_check() ------------------------------------------------------------------- */

/* Each of these alone is found, once, or as often as two of its parts look at it. */
static void check_finds_each(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct mem_section *ms = pfn_to_section(t->mm, t->base);
	struct section_root *root = t->mm->root[t->base >> ROOT_PFN_SHIFT];
	u32 *word;
	u64 free;

	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, 0, PGTY_SLAB), 0);
	KTEST_ASSERT_EQ(test, mm_check(t->mm, NULL), 0);
#define SPOILED(what, xor, times)                                    \
	do {                                                         \
		(what) ^= (xor);                                     \
		KTEST_EXPECT_EQ(test, mm_check(t->mm, NULL), times); \
		(what) ^= (xor);                                     \
	} while (0)
	SPOILED(t->zone->free_isolated, 1, 1);
	SPOILED(t->zone->present, 1, 2);
	SPOILED(t->zone->managed, 1, 1);
	SPOILED(t->mm->max_pfn, 1, 1);
	SPOILED(ms->mt[MIGRATE_UNMOVABLE], 4, 3);
	SPOILED(root->avail[MIGRATE_RECLAIMABLE][3]
			   [section_nr(ms) % SECTIONS_PER_ROOT / 64],
		BIT(section_nr(ms) % 64), 1);
	SPOILED(ms->pb[0].word, (u64)(8 ^ 7) << PB_INDEX_SHIFT, 1);
	word = &pfn_to_page(t->base)->word;
	SPOILED(*word, page_word(0, 0, 0, ZONE_MOVABLE) ^ page_word(0, 0, 0, ZONE_NORMAL),
		1);
	SPOILED(*word, PG_TAIL << 8, 1);
	/* Of a free frame. */
	word = &pfn_to_page(t->base + 1)->word;
	SPOILED(*word, PGTY_BUDDY ^ PGTY_SLAB, 1);
	/* The word's own count, and the zone's sum of them; of a valid and a uniform one. */
	SPOILED(ms->pb[0].word, 1, 2);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + 2 * PB, 9, PGTY_SLAB), 0);
	memset(pb_bits(ms, 2), 0, PB_WORDS * sizeof(u64)); /* they mean nothing now */
	SPOILED(ms->pb[2].word, 1, 2);
	free_pages(t->mm, t->base + 2 * PB, 9);
	/* A free frame that is a tail, of a chunk that looks right: it, and the sum. */
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + 4, 1, PGTY_SLAB), 0);
	pfn_to_page(t->base + 5)->word ^= PGTY_BUDDY ^ PGTY_SLAB;
	*pb_bits(ms, 0) ^= BIT(5);
	free = pb_free(ms->pb[0].word);
	SPOILED(ms->pb[0].word, free ^ (free + 1), 2);
	*pb_bits(ms, 0) ^= BIT(5);
	pfn_to_page(t->base + 5)->word ^= PGTY_BUDDY ^ PGTY_SLAB;
	free_pages(t->mm, t->base + 4, 1);
#undef SPOILED
	free_pages(t->mm, t->base, 0);
}

/* --- slab ------------------------------------------------------------------------- */

static void slabs_are_kernel_data(struct ktest *test)
{
	struct test_mm *t = test_mm_movable(test);

	/* The table has room for 64. */
	for (unsigned int i = 0; i < 200; i++) {
		struct kmem_cache *cache = kmem_cache_create(t->mm, "many", 64, 8);
		void *obj;

		KTEST_ASSERT_NOT_NULL(test, cache);
		obj = kmem_cache_alloc(cache, GFP_MOVABLE);
		KTEST_ASSERT_NOT_NULL(test, obj);
		KTEST_EXPECT_PTR_EQ(
			test, pfn_to_section(t->mm, phys_to_pfn(virt_to_phys(obj)))->zone,
			mm_zone(t->mm, ZONE_NORMAL));
		kmem_cache_free(cache, obj);
		KTEST_ASSERT_EQ(test, kmem_cache_destroy(cache), 0);
	}
}

/* On a private memory: the kernel's frames are shared with the parent process. */
static struct mm *mm;

static struct kmem_cache *cache_of(const char *name)
{
	mm = test_mm_normal(death_test, 1)->mm;
	return kmem_cache_create(mm, name, 64, 8);
}

static void free_object_twice(void)
{
	struct kmem_cache *cache = cache_of("one");
	void *obj = kmem_cache_alloc(cache, GFP_KERNEL);

	/* Another one keeps the slab. */
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
	{ "free_object_twice", free_object_twice, "double free of" },
	{ "free_inside_object", free_inside_object, "is no object of cache one" },
	{ "free_into_other_cache", free_into_other_cache,
	  "of cache one, freed as one of two" },
};
KTEST_ARRAY_PARAM(death, deaths, death_desc)

static const struct ktest_case hotplug_rules_cases[] = {
	KTEST_CASE(all_stay_in_normal),
	KTEST_CASE(all_stay_in_movable),
	KTEST_CASE(failures_name_what_they_mean),
	KTEST_CASE(plugged_beside_the_region),
	KTEST_CASE(log_has_what_failed),
	KTEST_CASE(offline_waits_if_asked_to),
	KTEST_CASE(poisoned_block_stays_offline),
	KTEST_CASE(memmap_is_out_of_reach),
	KTEST_CASE(owners_are_in_order),
	KTEST_CASE(page_tables_are_zeroed),
	KTEST_CASE(check_finds_each),
	KTEST_CASE(slabs_are_kernel_data),
	KTEST_CASE_PARAM(expect_death, death_gen_params),
	{},
};
static struct ktest_suite hotplug_rules_suite = { .name = "hotplug_rules",
						  .cases = hotplug_rules_cases };
KTEST_SUITE(hotplug_rules_suite);
