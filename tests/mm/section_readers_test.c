/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers that do not keep a section from changing: between two steps of a reader, the test
 * makes the reader's data stale. docs/reference/locking.md has the rule.
 */
#include "arch/machine.h"
#include "kernel/hart.h"
#include "kernel/param.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "kernel/trace/hold.h"
#include "mm/slab.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

/* The change that block 1 undergoes, once, when a walker reaches a step. */
static struct race {
	struct window *w;
	struct mem_section *ms;
	enum walk_step at;
	enum {
		LEAVES_ZONE,
		CHANGES_ZONE,
		IS_REMOVED
	} what;
	struct zone *was;
	bool happened;
} race;

/* Set the zone as section_detach_zone() or section_attach_zone() does; check no frames. */
static void move_to(struct zone *to)
{
	struct zone *from = race.ms->zone;
	struct zone *lock = from ? from : to;

	spin_lock(&lock->lock);
	WRITE_ONCE(race.ms->zone, to);
	spin_unlock(&lock->lock);
}

static void race_now(unsigned long pfn, enum walk_step step)
{
	if (step != race.at || pfn != race.ms->start_pfn)
		return;
	hold_walk = NULL;
	race.happened = true;
	if (race.what == IS_REMOVED)
		section_unlink(race.w->mm, race.ms);
	else
		move_to(NULL);
	if (race.what == CHANGES_ZONE)
		move_to(window_zone(race.w, ZONE_MOVABLE));
}

/* Restore block 1, and expect that the race has taken place. */
static void race_end(struct ktest *test)
{
	hold_walk = NULL;
	KTEST_EXPECT_TRUE(test, race.happened);
	if (race.happened && race.what == IS_REMOVED)
		KTEST_ASSERT_EQ(test, section_link(race.w->mm, race.ms), 0);
	else if (race.ms->zone != race.was)
		move_to(race.was);
	race.happened = false;
}

static void race_begin(enum walk_step at, int what)
{
	race.at = at;
	race.what = what;
	race.happened = false;
	hold_walk = race_now;
}

static void unset_hook(void *unused)
{
	(void)unused;
	hold_walk = NULL;
}

/* Open a window: block 0 has boot memory, block 1 is online in Normal, block 2 is offline. */
static struct window *open_race(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	ktest_add_action(test, unset_hook, NULL);
	window_add(test, w, 1, ~0UL);
	window_add(test, w, 2, ~0UL);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_KERNEL), 0);
	race = (struct race){ .w = w, .ms = pfn_to_section(w->mm, window_pfn(w, 1)) };
	race.was = race.ms->zone;
	return w;
}

static void alloc_at_meets_offlining(struct ktest *test)
{
	struct window *w = open_race(test);
	const unsigned long pfn = window_pfn(w, 1) + PB;

	race_begin(WALK_LOCK, LEAVES_ZONE);
	KTEST_EXPECT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_KERNEL), -EINVAL);
	race_end(test);
	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_KERNEL), 0);
	free_pages(w->mm, pfn, 0);
	window_check(test, w);
}

/* The block goes offline and online again, in the other zone: the reader locks that zone. */
static void the_lock_is_that_of_the_zone(struct ktest *test)
{
	struct window *w = open_race(test);
	struct zone *zone;

	race_begin(WALK_LOCK, CHANGES_ZONE);
	pfn_walk_begin();
	zone = section_lock_zone(walk_section(w->mm, window_pfn(w, 1)));
	KTEST_EXPECT_PTR_EQ(test, zone, window_zone(w, ZONE_MOVABLE));
	KTEST_EXPECT_TRUE(test, spin_is_held(&zone->lock));
	KTEST_EXPECT_FALSE(test, spin_is_held(&race.was->lock));
	section_unlock_zone(zone);
	pfn_walk_end();
	race_end(test);
	window_check(test, w);
}

/* A descriptor that makes no sense sends the reader to the slow path, under the lock. */
static void a_frames_state_meets_offlining(struct ktest *test)
{
	struct window *w = open_race(test);
	const unsigned long pfn = window_pfn(w, 1) + PB;
	struct page_state st;
	u32 word;

	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_KERNEL), 0);
	word = pfn_to_page(pfn + 1)->word;
	pfn_to_page(pfn + 1)->word = page_word(PGTY_KERNEL, PG_TAIL, 1, ZONE_NORMAL);
	race_begin(WALK_LOCK, LEAVES_ZONE);
	KTEST_EXPECT_FALSE(test, page_state_get(w->mm, pfn + 1, &st));
	race_end(test);
	pfn_to_page(pfn + 1)->word = word;
	KTEST_EXPECT_TRUE(test, page_state_get(w->mm, pfn + 1, &st));
	free_pages(w->mm, pfn, 0);
	window_check(test, w);
}

static void valid_zones_meet_offlining(struct ktest *test)
{
	struct window *w = open_race(test);
	enum zone_type zones[NR_ZONES];

	race_begin(WALK_ZONE, LEAVES_ZONE);
	KTEST_EXPECT_EQ(test, memory_block_valid_zones(w->mm, w->block + 1, zones), 2);
	race_end(test);
	race_begin(WALK_ZONE, IS_REMOVED);
	KTEST_EXPECT_EQ(test, memory_block_valid_zones(w->mm, w->block + 1, zones), 1);
	KTEST_EXPECT_EQ(test, memory_block_valid_zones(w->mm, w->block + 1, zones), 0);
	race_end(test);
	KTEST_EXPECT_EQ(test, memory_block_valid_zones(w->mm, w->block + 1, zones), 1);
}

static void restore_policy(void *unused)
{
	(void)unused;
	(void)!param_set("memory_hotplug.online_policy", "contig-zones");
}

/* auto-movable looks at every block of a unit; meanwhile the first block leaves. */
static void auto_movable_meets_removal(struct ktest *test)
{
	struct window *w = open_race(test);
	enum zone_type zones[NR_ZONES];

	w->owner.unit_pages = w->owner.region.nr_pages;
	ktest_add_action(test, restore_policy, NULL);
	KTEST_ASSERT_EQ(test, param_set("memory_hotplug.online_policy", "auto-movable"),
			0);
	for (int what = LEAVES_ZONE; what <= IS_REMOVED; what++) {
		race_begin(WALK_ZONE, what);
		KTEST_EXPECT_EQ(test,
				memory_block_valid_zones(w->mm, w->block + 2, zones), 2);
		KTEST_EXPECT_EQ(test, zones[0],
				what == CHANGES_ZONE ? ZONE_MOVABLE : ZONE_NORMAL);
		race_end(test);
	}
}

/* 64 MiB fit only in block 1, and that block leaves while the request judges it. */
static void contig_search_meets_removal(struct ktest *test)
{
	struct evacuate_policy p = test_policy(EVAC_END_ALLOC, PGTY_KERNEL);
	const unsigned long nr = PAGES_PER_SECTION / 2;
	struct window *w = open_race(test);
	unsigned long pfn;

	p.flags |= EVAC_QUIET;
	race_begin(WALK_ZONE, IS_REMOVED);
	KTEST_EXPECT_EQ(test, take_contig_pages(w->mm, nr, &p, NO_WHY), PFN_NONE);
	race_end(test);
	pfn = take_contig_pages(w->mm, nr, &p, NO_WHY);
	KTEST_ASSERT_NE(test, pfn, PFN_NONE);
	free_contig_range(w->mm, pfn, nr);
	window_check(test, w);
}

static void counts_meet_offlining(struct ktest *test)
{
	struct window *w = open_race(test);
	struct zone *normal = window_zone(w, ZONE_NORMAL);
	unsigned long all[NR_MIGRATE_TYPES][NR_PAGE_ORDERS], less[NR_MIGRATE_TYPES][NR_PAGE_ORDERS];
	unsigned long blocks[NR_MIGRATE_TYPES];
	unsigned long sum = 0;
	struct pcp_info info;

	KTEST_ASSERT_EQ(test, mm_hart_init(w->mm, this_hart()->id), 0);
	drain_local_pages(w->mm);
	zone_count_free(normal, all);
	race_begin(WALK_LOCK, LEAVES_ZONE);
	zone_count_free(normal, less);
	race_end(test);
	KTEST_EXPECT_GE(test, all[MIGRATE_UNMOVABLE][MAX_PAGE_ORDER] -
				      less[MIGRATE_UNMOVABLE][MAX_PAGE_ORDER],
			PAGEBLOCKS_PER_SECTION / 2 - 1);
	race_begin(WALK_ZONE, LEAVES_ZONE);
	zone_count_blocks(normal, blocks);
	race_end(test);
	for (unsigned int mt = 0; mt < NR_MIGRATE_TYPES; mt++)
		sum += blocks[mt];
	KTEST_EXPECT_EQ(test, sum, PAGEBLOCKS_PER_SECTION); /* block 0's */
	KTEST_ASSERT_EQ(test,
			alloc_pages_at(w->mm, window_pfn(w, 1) + PB, 0, PGTY_KERNEL), 0);
	free_pages(w->mm, window_pfn(w, 1) + PB, 0);
	race_begin(WALK_ZONE, LEAVES_ZONE);
	pcp_read_info(normal, this_hart()->id, &info);
	race_end(test);
	KTEST_EXPECT_EQ(test, info.count, 0);
}

/* The block leaves its zone just before page_put() or page_unpin() wakes a waiter. */
static void a_wake_up_meets_offlining(struct ktest *test)
{
	struct window *w = open_race(test);
	const unsigned long pfn = window_pfn(w, 1) + PB;
	const struct pfn_range range = { pfn, PB };

	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, pfn, 0, PGTY_DRIVER), 0);
	KTEST_ASSERT_EQ(test, isolate_range(w->mm, &range, NO_WHY), 0);
	KTEST_ASSERT_TRUE(test, page_try_get(w->mm, pfn));
	race_begin(WALK_LOCK, LEAVES_ZONE);
	page_put(w->mm, pfn);
	race_end(test);
	KTEST_ASSERT_EQ(test, page_pin(w->mm, pfn), 0);
	race_begin(WALK_LOCK, LEAVES_ZONE);
	KTEST_EXPECT_EQ(test, page_unpin(w->mm, pfn), 0);
	race_end(test);
	unisolate_range(w->mm, &range);
	free_pages(w->mm, pfn, 0);
	window_check(test, w);
}

/* Free the chunk that the walker has found, and give its first frame to another user. */
static void chunk_is_another(unsigned long pfn, enum walk_step step)
{
	struct mm *mm = race.w->mm;

	if (step != WALK_COUNT)
		return;
	hold_walk = NULL;
	page_put(mm, pfn);
	race.happened = alloc_pages_at(mm, pfn - 1, 0, PGTY_DRIVER) == 0;
}

static void a_reference_is_of_the_chunk_asked_for(struct ktest *test)
{
	struct window *w = open_race(test);
	const unsigned long head = window_pfn(w, 1) + PB;
	struct page_state st;

	KTEST_ASSERT_EQ(test, alloc_pages_at(w->mm, head, 1, PGTY_DRIVER), 0);
	hold_walk = chunk_is_another;
	KTEST_EXPECT_FALSE(test, page_try_get(w->mm, head + 1));
	KTEST_EXPECT_TRUE(test, race.happened);
	KTEST_ASSERT_TRUE(test, page_state_get(w->mm, head, &st));
	KTEST_EXPECT_EQ(test, st.order, 0);
	KTEST_EXPECT_EQ(test, st.count, 1);
	page_put(w->mm, head);
	window_check(test, w);
}

static unsigned long cached_pfn;

/* Allocate the frame on top of this hart's cache as a counted page, without the lock. */
static void cached_becomes_counted(unsigned long pfn, enum walk_step step)
{
	if (step != WALK_CHECK || pfn != cached_pfn)
		return;
	hold_walk = NULL;
	race.happened = alloc_pages(race.w->mm, GFP_MOVABLE, 0, PGTY_DRIVER) == pfn;
}

/* mm_check() has read "Cached, no count"; the current count belongs to a later use. */
static void a_check_meets_an_allocation(struct ktest *test)
{
	struct window *w = open_race(test);

	KTEST_ASSERT_EQ(test, mm_hart_init(w->mm, this_hart()->id), 0);
	cached_pfn = alloc_pages(w->mm, GFP_MOVABLE, 0, PGTY_DRIVER);
	KTEST_ASSERT_NE(test, cached_pfn, PFN_NONE);
	free_pages(w->mm, cached_pfn, 0);
	hold_walk = cached_becomes_counted;
	window_check(test, w);
	KTEST_ASSERT_TRUE(test, race.happened);
	free_pages(w->mm, cached_pfn, 0);
}

static void *object;
static struct kmem_cache *object_cache;

/* Free the slab, and give its page to another user. */
static void slab_is_freed(unsigned long pfn, enum walk_step step)
{
	const unsigned long page = phys_to_pfn(virt_to_phys(object));

	(void)pfn;
	if (step != WALK_LOCK)
		return;
	hold_walk = NULL;
	kmem_cache_free(object_cache, object);
	race.happened = alloc_pages_at(race.w->mm, page, 0, PGTY_KERNEL) == 0;
	memset(phys_to_virt(pfn_to_phys(page)), 0x77, PAGE_SIZE);
}

static void a_slabs_name_meets_its_freeing(struct ktest *test)
{
	struct window *w = open_race(test);
	unsigned long page;

	object_cache = kmem_cache_create(w->mm, "passing", 64, 8);
	KTEST_ASSERT_NOT_NULL(test, object_cache);
	object = kmem_cache_alloc(object_cache, GFP_KERNEL);
	KTEST_ASSERT_NOT_NULL(test, object);
	page = phys_to_pfn(virt_to_phys(object));
	KTEST_EXPECT_STREQ(test, slab_name_of(w->mm, page), "passing");
	hold_walk = slab_is_freed;
	KTEST_EXPECT_NULL(test, slab_name_of(w->mm, page));
	KTEST_ASSERT_TRUE(test, race.happened);
	free_pages(w->mm, page, 0);
	KTEST_EXPECT_EQ(test, kmem_cache_destroy(object_cache), 0);
	window_check(test, w);
}

/* --- on other harts, with real offlining --------------------------------------------- */

static int offline_block(void *arg)
{
	return window_offline(arg, 1);
}

/* Release the held offlining, and wait until the block has left its zone. */
static void let_it_go_offline(unsigned long pfn, enum walk_step step)
{
	const u64 limit = ktime_ns() + 60 * NSEC_PER_SEC;

	if (step != WALK_LOCK || pfn != race.ms->start_pfn)
		return;
	hold_walk = NULL;
	hold_go();
	while (READ_ONCE(race.ms->zone) && ktime_ns() < limit)
		arch_cpu_relax();
	race.happened = !READ_ONCE(race.ms->zone);
}

static int walk_block(void *arg)
{
	struct window *w = arg;

	hold_walk = let_it_go_offline;
	return alloc_pages_at(w->mm, window_pfn(w, 1) + PB, 0, PGTY_KERNEL);
}

static int join(struct ktest *test, struct thread *thread)
{
	int result = 1;

	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_ASSERT_EQ(test,
			thread_join(thread, ktime_ns() + 100 * NSEC_PER_SEC, &result), 0);
	return result;
}

static void a_bracket_does_not_keep_a_block_online(struct ktest *test)
{
	const struct hold_place commit = { TRACE_EVAC_PHASE, EVAC_COMMIT };
	struct window *w = open_race(test);
	struct thread *offline, *walker;

	if (nr_online_harts() < 2)
		ktest_skip(test, "a walker does not yield its hart: this needs two harts");
	hold_set(&commit);
	offline = thread_create_on(0, "offline", offline_block, w);
	KTEST_ASSERT_NOT_NULL(test, offline);
	KTEST_ASSERT_TRUE(test, hold_wait(ktime_ns() + 60 * NSEC_PER_SEC, NULL));
	walker = thread_create_on(1, "walker", walk_block, w);
	KTEST_EXPECT_EQ(test, join(test, walker), -EINVAL);
	KTEST_EXPECT_EQ(test, join(test, offline), 0);
	KTEST_EXPECT_TRUE(test, race.happened);
	window_check(test, w);
}

#define CYCLES 100U

static u32 cycles_left;

/* Offline and online block 1, alternating its zone, and remove and add block 2. */
static int cycle_blocks(void *arg)
{
	struct window *w = arg;
	const unsigned long block = w->block + 2;
	int bad = 0;

	for (unsigned int i = 0; i < CYCLES; i++) {
		if (window_offline(w, 1) == 0)
			bad += window_online(w, 1,
					     i % 2 ? MMOP_ONLINE_MOVABLE
						   : MMOP_ONLINE_KERNEL) != 0;
		if (try_remove_memory(w->mm, block, NO_WHY) == 0)
			bad += add_memory(w->mm, block, &w->owner, ~0UL, NO_WHY) != 0;
		WRITE_ONCE(cycles_left, CYCLES - 1 - i);
		yield();
	}
	return bad;
}

/*
 * "chmem -d -b 1; chmem -e -b 1" runs during "alloc 0 movable at ..." and readers of
 * both blocks.
 */
static void blocks_come_and_go_under_readers(struct ktest *test)
{
	struct window *w = open_race(test);
	enum zone_type zones[NR_ZONES];
	unsigned long got = 0, tried = 0;
	struct thread *thread;

	cycles_left = CYCLES;
	thread = thread_create("cycle", cycle_blocks, w);
	for (; READ_ONCE(cycles_left); tried++) {
		const unsigned long pfn = window_pfn(w, 1) + PB + tried % (32 * PB);

		if (alloc_pages_at(w->mm, pfn, 0, PGTY_DRIVER) == 0) {
			got++;
			free_pages(w->mm, pfn, 0);
		}
		KTEST_EXPECT_NE(test,
				memory_block_valid_zones(w->mm, w->block + 2, zones), 1);
		(void)pageblocks_used(w->mm, pfn >> SECTION_PFN_SHIFT,
				      BIT(pageblock_index(pfn)));
		cond_resched();
	}
	KTEST_EXPECT_EQ(test, join(test, thread), 0);
	ktest_info(test, "%lu of %lu frames were free", got, tried);
	drain_local_pages(w->mm);
	window_check(test, w);
}

static u64 seq_of(const struct test_mm *t)
{
	return pfn_pageblock(t->mm, t->base)->word >> PB_SEQ_SHIFT & 0xfff;
}

/* Each change of a pageblock's form raises its sequence number, so a reader notices it. */
static void forms_change_in_sequence(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct mem_section *ms = pfn_to_section(t->mm, t->base);
	struct mem_section alone;
	u64 seq;

	drain_local_pages(t->mm);
	seq = seq_of(t);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, 0, PGTY_KERNEL), 0);
	KTEST_EXPECT_EQ(test, seq_of(t), (seq + 1) & 0xfff);
	free_pages(t->mm, t->base, 0);
	drain_local_pages(t->mm);
	KTEST_EXPECT_EQ(test, seq_of(t), (seq + 2) & 0xfff);
	/* A block that is added again continues its previous sequence numbers. */
	alone = *ms;
	alone.zone = NULL;
	seq = alone.pb[1].word >> PB_SEQ_SHIFT & 0xfff;
	pageblocks_init(&alone, BIT(1), page_word(PGTY_OFFLINE, 0, 0, ZONE_NORMAL), 0);
	KTEST_EXPECT_EQ(test, alone.pb[1].word >> PB_SEQ_SHIFT & 0xfff,
			(seq + 1) & 0xfff);
}

static const struct ktest_case reader_cases[] = {
	KTEST_CASE(alloc_at_meets_offlining),
	KTEST_CASE(the_lock_is_that_of_the_zone),
	KTEST_CASE(a_frames_state_meets_offlining),
	KTEST_CASE(valid_zones_meet_offlining),
	KTEST_CASE(auto_movable_meets_removal),
	KTEST_CASE(contig_search_meets_removal),
	KTEST_CASE(counts_meet_offlining),
	KTEST_CASE(a_wake_up_meets_offlining),
	KTEST_CASE(a_reference_is_of_the_chunk_asked_for),
	KTEST_CASE(a_check_meets_an_allocation),
	KTEST_CASE(a_slabs_name_meets_its_freeing),
	KTEST_CASE(a_bracket_does_not_keep_a_block_online),
	KTEST_CASE(blocks_come_and_go_under_readers),
	KTEST_CASE(forms_change_in_sequence),
	{}
};

static struct ktest_suite reader_suite = {
	.name = "section_readers",
	.cases = reader_cases,
};
KTEST_SUITE(reader_suite);
