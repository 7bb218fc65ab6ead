/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The finer rules of sections and what lies below them: the search index and zone
 * spans across roots as far as addresses reach, boot memory, metadata that comes out
 * of the reserve, and what owners are given and told. Host only: it is the same in the
 * guest.
 */
#include "arch/machine.h"
#include "death.h"
#include "host.h"
#include "kernel/console/export.h"
#include "kernel/param.h"
#include "kernel/sink.h"
#include "kernel/timer.h"
#include "kernel/trace/trace.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "log.h"
#include "mm/pgtable.h"
#include "mm/slab.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

/* --- the index and the spans, over many roots ---------------------------------------- */

/* Sections by number, in four roots; no frame of theirs is ever looked at. */
static const unsigned long far_nr[] = {
	5,
	63 * SECTIONS_PER_ROOT,
	70 * SECTIONS_PER_ROOT + 1,
	70 * SECTIONS_PER_ROOT + 255,
	(NR_SECTION_ROOTS - 1) * SECTIONS_PER_ROOT + 200,
};
#define NR_FAR ARRAY_SIZE(far_nr)

static struct mm far_mm;
static struct mem_section far_section[NR_FAR];

/* One free pageblock in each. */
static struct zone *far_zone(void)
{
	static struct section_root roots[NR_FAR];
	struct zone *zone = &far_mm.zone[ZONE_MOVABLE];

	mm_init(&far_mm, "far");
	memset(roots, 0, sizeof(roots));
	for (unsigned int i = 0; i < NR_FAR; i++) {
		struct mem_section *s = &far_section[i];
		struct section_root **root = &far_mm.root[far_nr[i] / SECTIONS_PER_ROOT];

		if (*root == &empty_section_root)
			*root = &roots[i];
		*s = (struct mem_section){ .mm = &far_mm,
					   .zone = zone,
					   .start_pfn = far_nr[i] << SECTION_PFN_SHIFT };
		s->mt[MIGRATE_MOVABLE] = ~0UL;
		s->pb[0].word =
			pb_word_uniform((u64)MIGRATE_MOVABLE << PB_MT_SHIFT,
					page_word(PGTY_BUDDY, 0, 0, ZONE_MOVABLE));
		(*root)->section[far_nr[i] % SECTIONS_PER_ROOT] = s;
	}
	return zone;
}

/* Wherever a free chunk is it is found, the lowest first, until there is none. */
static void index_reaches_all_roots(struct ktest *test)
{
	struct zone *zone = far_zone();
	unsigned int b;

	for (unsigned int i = 0; i < NR_FAR; i++)
		index_file(&far_section[i], 0);
	for (unsigned int i = 0; i < NR_FAR; i++) {
		KTEST_ASSERT_PTR_EQ(test, index_find(zone, MIGRATE_MOVABLE, 3, &b),
				    &far_section[i]);
		index_unfile(&far_section[i], 0);
	}
	KTEST_EXPECT_NULL(test, index_find(zone, MIGRATE_MOVABLE, 3, &b));
	/* In the other order the lowest is there to the last. */
	for (unsigned int i = 0; i < NR_FAR; i++)
		index_file(&far_section[i], 0);
	for (unsigned int i = NR_FAR; i-- > 0;) {
		KTEST_EXPECT_PTR_EQ(test, index_find(zone, MIGRATE_MOVABLE, 3, &b),
				    &far_section[0]);
		index_unfile(&far_section[i], 0);
	}
	KTEST_EXPECT_EQ(test, zone->avail_orders[MIGRATE_MOVABLE], 0);
}

static void expect_span(struct ktest *test, const struct zone *zone, unsigned int first,
			unsigned int last)
{
	KTEST_EXPECT_EQ(test, zone->start_pfn >> SECTION_PFN_SHIFT, far_nr[first]);
	KTEST_EXPECT_EQ(test, zone->spanned >> SECTION_PFN_SHIFT,
			far_nr[last] + 1 - far_nr[first]);
}

/* The span's new end is found in whichever root it lies. */
static void spans_shrink_across_roots(struct ktest *test)
{
	struct zone *zone = far_zone();

	for (unsigned int last = 0; last < NR_FAR; last++)
		zone_grow(zone, &far_section[last]);
	for (unsigned int last = NR_FAR - 1; last; last--) {
		expect_span(test, zone, 0, last);
		zone_shrink(zone, &far_section[last]);
	}
	for (unsigned int last = 1; last < NR_FAR; last++)
		zone_grow(zone, &far_section[last]);
	for (unsigned int first = 0; first < NR_FAR - 1; first++) {
		expect_span(test, zone, first, NR_FAR - 1);
		zone_shrink(zone, &far_section[first]);
	}
	zone_shrink(zone, &far_section[NR_FAR - 1]);
	KTEST_EXPECT_EQ(test, zone->spanned, 0);
}

/* A root that cannot be had: the block is not there, and its metadata went back. */
static void root_that_cannot_be_had(struct ktest *test)
{
	const unsigned long block = SECTIONS_PER_ROOT, pfn = block << SECTION_PFN_SHIFT;
	struct window *w = window_open(test, 32UL << 20);
	/* Two share the block: its metadata comes from memory that is there. */
	struct memory_owner low = { .name = "low", .region = { pfn, 32 * PB } };
	struct memory_owner high = { .name = "high",
				     .region = { pfn + 32 * PB, 32 * PB } };
	struct window_totals before;
	unsigned int failed = 0;
	int err;

	KTEST_ASSERT_PTR_EQ(test, w->mm->root[1], &empty_section_root);
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &low, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &high, NO_WHY), 0);
	before = window_totals(w);
	do {
		w->mm->inject = failed + 1;
		err = add_memory(w->mm, block, &low, 0xff, NO_WHY);
		failed += err != 0;
		mm_reserve_refill(w->mm);
		if (err) {
			KTEST_EXPECT_EQ(test, err, -ENOMEM);
			window_expect_totals(test, w, &before);
			KTEST_EXPECT_PTR_EQ(test, w->mm->root[1], &empty_section_root);
		}
	} while (err && failed < 20);
	w->mm->inject = 0;
	/* Object, map, free bits, descriptors, memmap, root. */
	KTEST_EXPECT_EQ(test, failed, 6);
	KTEST_EXPECT_EQ(test, try_remove_memory(w->mm, block, NO_WHY), 0);
	window_expect_totals(test, w, &before);
	unregister_memory_owner(w->mm, &low);
	unregister_memory_owner(w->mm, &high);
}

/* --- boot memory ----------------------------------------------------------------------- */

/* Ranges of one section share its object: what is set aside does not grow with them. */
static void ranges_share_a_section(struct ktest *test)
{
	struct window *w = window_open_raw(test, SECTION_SIZE);
	const phys_addr_t base = pfn_to_phys(w->base);
	u64 boot = 0;

	for (unsigned int i = 0; i < 6; i++)
		KTEST_ASSERT_EQ(
			test, memblock_add(&w->mb, base + (8UL << 20) * i, 4UL << 20), 0);
	KTEST_ASSERT_EQ(test, window_populate(w), 0);
	for (unsigned int i = 0; i < w->mb.reserved.nr; i++)
		if (w->mb.reserved.region[i].type == PGTY_BOOT)
			boot += w->mb.reserved.region[i].size;
	KTEST_EXPECT_EQ(test, boot, 2 * PAGE_SIZE); /* the section object, and the root */
}

static void memory_beyond_the_table(struct ktest *test)
{
	struct window *w = window_open_raw(test, SECTION_SIZE);
	const phys_addr_t end = (phys_addr_t)NR_SECTION_ROOTS << ROOT_PFN_SHIFT
							      << PAGE_SHIFT;

	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, pfn_to_phys(w->base), SECTION_SIZE),
			0);
	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, end, 5UL << 20), 0);
	log_mark();
	KTEST_EXPECT_EQ(test, mm_populate(w->mm, &w->mb), -E2BIG);
	KTEST_EXPECT_TRUE(test, times_logged("metadata of 133 MiB of memory lies beyond"));
}

/* Memory is what is there of whole frames; boot pages hold nothing of before. */
static void boot_pages_are_whole_and_zero(struct ktest *test)
{
	struct window *w = window_open_raw(test, 1UL << 20);
	const phys_addr_t base = pfn_to_phys(w->base);
	const struct memblock kept = memblock;
	const struct memblock_region *r = &w->mb.memory.region[0];
	phys_addr_t page;

	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, base + 1, 8 * PAGE_SIZE), 0);
	KTEST_EXPECT_EQ(test, r->base, base + PAGE_SIZE);
	KTEST_EXPECT_EQ(test, r->size, 7 * PAGE_SIZE);
	memset(phys_to_virt(r->base), 0xff, r->size);
	memblock = w->mb;
	page = memblock_alloc(PAGE_SIZE, PAGE_SIZE);
	memblock = kept;
	KTEST_ASSERT_EQ(test, page, base + PAGE_SIZE);
	KTEST_EXPECT_NULL(test, memchr_inv(phys_to_virt(page), 0, PAGE_SIZE));
	KTEST_EXPECT_EQ(test, kernel_mm.nr_reserve, MM_RESERVE_PAGES);
}

/* --- the reserve ------------------------------------------------------------------------ */

/* Metadata may have the last frames: without it no memory comes to help. */
static void metadata_may_have_the_last(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	unsigned long pfn;

	KTEST_ASSERT_EQ(test, t->mm->nr_reserve, 0);
	t->zone->wmark[WMARK_MIN] += 2 * t->nr;
	KTEST_EXPECT_EQ(test, alloc_pages(t->mm, GFP_KERNEL | GFP_NOWARN, 0, PGTY_KERNEL),
			PFN_NONE);
	pfn = meta_page_alloc(t->mm, PGTY_KERNEL);
	t->zone->wmark[WMARK_MIN] -= 2 * t->nr;
	KTEST_ASSERT_NE(test, pfn, PFN_NONE);
	meta_page_free(t->mm, pfn);
	mm_reserve_drop(t->mm);
}

/* A page table of early boot is no frame to give away. */
static void boot_page_tables_stay(struct ktest *test)
{
	const unsigned long pfn = phys_to_pfn(virt_to_phys(
		kernel_mm.root[HOST_PHYS_START >> PAGE_SHIFT >> ROOT_PFN_SHIFT]));

	KTEST_ASSERT_EQ(test, page_type(&kernel_mm, pfn), PGTY_BOOT);
	pgtable_free_page(pfn_to_phys(pfn));
	KTEST_EXPECT_EQ(test, page_type(&kernel_mm, pfn), PGTY_BOOT);
}

/* With no frame left in the kernel's memory, a page table comes out of the reserve. */
static void page_tables_from_the_reserve(struct ktest *test)
{
	const unsigned long max = kernel_mm.zone[ZONE_NORMAL].managed;
	unsigned long *pfns = test_mm_table(test, max * sizeof(*pfns)), nr;
	const u32 reserve = kernel_mm.nr_reserve;
	phys_addr_t table;

	drain_local_pages(&kernel_mm);
	nr = alloc_pages_bulk(&kernel_mm, GFP_ATOMIC | GFP_NOWARN, PGTY_KERNEL, max,
			      pfns);
	table = pgtable_alloc_page();
	if (table) {
		KTEST_EXPECT_EQ(test, page_type(&kernel_mm, phys_to_pfn(table)),
				PGTY_PGTABLE);
		KTEST_EXPECT_EQ(test, kernel_mm.nr_reserve, reserve - 1);
		pgtable_free_page(table);
	}
	free_pages_bulk(&kernel_mm, pfns, nr);
	KTEST_EXPECT_NE(test, table, 0);
	KTEST_EXPECT_EQ(test, kernel_mm.nr_reserve, reserve);
}

/* --- what owners are given, and what is said ------------------------------------------------ */

struct chunks {
	struct window *w;
	struct memory_owner owner;
	struct ktest *test;
	unsigned int nr;
};

/* All of a chunk is plugged, or nothing; the block's own metadata is in none. */
static void one_chunk(struct memory_owner *owner, unsigned long pfn, unsigned int order)
{
	struct chunks *c = container_of(owner, struct chunks, owner);
	const struct mem_section *s = pfn_to_section(c->w->mm, pfn);
	const struct pfn_range chunk = { pfn, 1UL << order };
	const u64 mask = section_range_mask(s, &chunk);

	KTEST_EXPECT_TRUE(c->test, !(s->unmapped & mask) || (s->unmapped & mask) == mask);
	KTEST_EXPECT_FALSE(c->test, s->host_pfn - pfn < chunk.nr_pages);
	c->nr++;
	if (!(s->unmapped & mask))
		generic_online_page(c->w->mm, pfn, order);
}

static void chunks_are_plugged_or_not(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);
	struct chunks c = { .w = w, .test = test, .owner = w->owner };
	const struct pfn_range first = { window_pfn(w, 1), PB };
	struct window_totals before;

	c.owner.online_page = one_chunk;
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &c.owner, NO_WHY), 0);
	/* The header is the second of a pair whose first half comes later; then halves. */
	KTEST_ASSERT_EQ(test, add_memory(w->mm, w->block + 1, &c.owner, 0x9e, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, mhp_plug_range(w->mm, &first, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	/* The rest of the header: 2^7..2^8 frames behind 129; then single ones and pairs. */
	KTEST_EXPECT_GT(test, c.nr, 28);
	before = window_totals(w);
	/* Who gives a chunk that was never plugged is not believed. */
	ktest_expect_warnings(test, 1);
	generic_online_page(w->mm, window_pfn(w, 1) + 10 * PB, PAGEBLOCK_ORDER);
	window_expect_totals(test, w, &before);
	KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
	KTEST_ASSERT_EQ(test, window_remove(w, 1), 0);
	unregister_memory_owner(w->mm, &c.owner);
}

static void default_states_are_heard(struct ktest *test)
{
	struct window *w = window_open_owned(test);

	window_add(test, w, 1, ~0UL);
	KTEST_EXPECT_EQ(test, zone_for_block(w->mm, w->block + 1, MMOP_ONLINE),
			ZONE_MOVABLE);
	KTEST_ASSERT_EQ(test, param_set("movable_node", "off"), 0);
	KTEST_EXPECT_EQ(test, zone_for_block(w->mm, w->block + 1, MMOP_ONLINE),
			ZONE_NORMAL);
	KTEST_ASSERT_EQ(test, param_set("movable_node", "on"), 0);
	KTEST_ASSERT_EQ(test, param_set("memhp_default_state", "online_movable"), 0);
	mm_init(&far_mm, "far");
	KTEST_EXPECT_EQ(test, far_mm.default_online_type, MMOP_ONLINE_MOVABLE);
	KTEST_ASSERT_EQ(test, param_set("memhp_default_state", "online"), 0);
}

static void contig_zones(void *unused)
{
	(void)unused;
	(void)!param_set("memory_hotplug.online_policy", "contig-zones");
}

/* What another owner has in a unit's first block does not decide about the unit. */
static void units_are_their_owners(struct ktest *test)
{
	struct window *w = window_open(test, SECTION_SIZE);
	struct memory_owner other = { .name = "other",
				      .region = { window_pfn(w, 1), 32 * PB } };

	w->owner.region.start_pfn += 32 * PB;
	w->owner.region.nr_pages -= 32 * PB;
	w->owner.unit_pages = 2 * PAGES_PER_SECTION;
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &other, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	KTEST_ASSERT_EQ(test, add_memory(w->mm, w->block + 1, &other, 0xff, NO_WHY), 0);
	window_add(test, w, 2, ~0UL);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_KERNEL), 0);
	ktest_add_action(test, contig_zones, NULL);
	KTEST_ASSERT_EQ(test, param_set("memory_hotplug.online_policy", "auto-movable"),
			0);
	KTEST_EXPECT_EQ(test, zone_for_block(w->mm, w->block + 2, MMOP_ONLINE),
			ZONE_MOVABLE);
	KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
	KTEST_ASSERT_EQ(test, window_remove(w, 1), 0);
	KTEST_ASSERT_EQ(test, window_remove(w, 2), 0);
	unregister_memory_owner(w->mm, &other);
}

static int slow_veto(struct notifier_block *nb, unsigned long event, void *data)
{
	(void)nb;
	(void)data;
	if (event != MEM_GOING_OFFLINE)
		return 0;
	msleep(70);
	return -EPERM;
}

static void failures_in_words(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	struct notifier_block nb = { .fn = slow_veto, .name = "slow" };
	struct mm_failure why = { .pfn = window_pfn(w, 1),
				  .type = PGTY_OFFLINE,
				  .reason = MM_REASON_ZONE_MIX };
	struct sink_buffer buffer;
	char text[160];

	sink_buffer_init(&buffer, text, sizeof(text));
	mm_failure_print(&why, &buffer.sink);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "pfn 0x"));
	KTEST_EXPECT_NOT_NULL(test, strstr(text, " spans two zones"));
	KTEST_EXPECT_NULL(test, strstr(text, ", pfn"));
	/* Who knows it already is not corrected. */
	why.detail = "somebody";
	mm_failure_name(w->mm, &why);
	KTEST_EXPECT_STREQ(test, why.detail, "somebody");
	/* The time that a request took, a listener's included. */
	window_add(test, w, 1, ~0UL);
	KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
	KTEST_ASSERT_EQ(test, register_memory_notifier(w->mm, &nb), 0);
	KTEST_EXPECT_EQ(test, offline_memory_block(w->mm, w->block + 1, NULL, &why),
			-EPERM);
	KTEST_EXPECT_GE(test, why.elapsed_ns, 70 * NSEC_PER_MSEC);
	unregister_memory_notifier(w->mm, &nb);
}

/* Who leaves between a start and its end, and comes back, was not told of this start. */
static unsigned int nr_ends;

static int count_ends(struct notifier_block *nb, unsigned long event, void *data)
{
	(void)nb;
	(void)data;
	nr_ends += event == 2;
	return 0;
}

static void former_lives_of_listeners(struct ktest *test)
{
	struct notifier_block nb = { .fn = count_ends, .name = "back" };
	struct notifier_start start;
	struct notifier_chain chain;

	notifier_chain_init(&chain, "chain");
	nr_ends = 0;
	KTEST_ASSERT_EQ(test, notifier_register(&chain, &nb), 0);
	KTEST_ASSERT_EQ(test, notifier_call_start(&chain, 1, 3, NULL, &start), 0);
	KTEST_ASSERT_EQ(test, notifier_unregister(&chain, &nb), 0);
	KTEST_ASSERT_EQ(test, notifier_register(&chain, &nb), 0);
	notifier_call_end(&chain, 2, NULL, &start);
	KTEST_EXPECT_EQ(test, nr_ends, 0);
	KTEST_ASSERT_EQ(test, notifier_call_start(&chain, 1, 3, NULL, &start), 0);
	notifier_call_end(&chain, 2, NULL, &start);
	KTEST_EXPECT_EQ(test, nr_ends, 1);
}

/* --- readers -------------------------------------------------------------------------------- */

static u64 seq_of(const struct test_mm *t)
{
	return pfn_pageblock(t->mm, t->base)->word >> PB_SEQ_SHIFT & 0xfff;
}

/* Each change of a pageblock's form raises its sequence, for who reads meanwhile. */
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
	/* A new life goes on where the last one ended. */
	alone = *ms;
	alone.zone = NULL;
	seq = alone.pb[1].word >> PB_SEQ_SHIFT & 0xfff;
	pageblock_init_range(&alone, 1, 1, page_word(PGTY_OFFLINE, 0, 0, ZONE_NORMAL), 0);
	KTEST_EXPECT_EQ(test, alone.pb[1].word >> PB_SEQ_SHIFT & 0xfff,
			(seq + 1) & 0xfff);
}

/* The block that a hart knows by heart is forgotten before its memmap may go. */
static void grace_period_forgets_the_block(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	const struct pcp *pcp = t->mm->pcp[this_hart()->id];

	for (unsigned int i = 0; i < 2; i++) {
		KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base, 0, PGTY_KERNEL), 0);
		free_pages(t->mm, t->base, 0);
	}
	KTEST_ASSERT_NE(test, pcp->block, PFN_NONE);
	KTEST_ASSERT_EQ(test, mm_grace_period(t->mm, STEP_NS), 0);
	KTEST_EXPECT_EQ(test, pcp->block, PFN_NONE);
}

/* --- a picture in parts ---------------------------------------------------------- */

struct parts {
	struct sink sink;
	unsigned int nr, last;
	u64 frames;
};

static void take_part(struct sink *sink, const char *bytes, size_t len)
{
	struct parts *parts = container_of(sink, struct parts, sink);
	const struct trace_record *r = (const void *)bytes;

	for (; len; len -= sizeof(*r), r++) {
		parts->nr += r->event == TRACE_SNAP_PART;
		parts->last += r->event == TRACE_SNAP_END && r->after;
		if (r->event == TRACE_FRAMES)
			parts->frames += r->count;
	}
}

/* What does not fit one buffer comes in several, each frame once. */
static void snapshots_are_complete(struct ktest *test)
{
	enum {
		NR = 6000
	};
	unsigned long *pfns = test_mm_table(test, NR * sizeof(*pfns));
	struct parts parts = { .sink = { .write = take_part } };
	unsigned long blocks = 0;

	for (unsigned long b = next_memory_block(&kernel_mm, 0); b != PFN_NONE;
	     b = next_memory_block(&kernel_mm, b + 1))
		blocks++;
	KTEST_ASSERT_EQ(test,
			alloc_pages_bulk(&kernel_mm, GFP_KERNEL, PGTY_KERNEL, NR, pfns),
			NR);
	for (unsigned int i = 0; i < NR; i += 2)
		free_pages(&kernel_mm, pfns[i], 0);
	drain_local_pages(&kernel_mm);
	KTEST_EXPECT_EQ(test, snapshot_write(&parts.sink), 0);
	for (unsigned int i = 1; i < NR; i += 2)
		free_pages(&kernel_mm, pfns[i], 0);
	KTEST_EXPECT_GE(test, parts.nr, 2);
	KTEST_EXPECT_EQ(test, parts.last, 1);
	KTEST_EXPECT_EQ(test, parts.frames, blocks * PAGES_PER_SECTION);
}

/* --- what must not be ------------------------------------------------------------------------ */

static void frames_that_are_free(void)
{
	struct test_mm *t = test_mm_normal(death_test, 1);

	if (alloc_pages_at(t->mm, t->base, 0, PGTY_KERNEL) == 0)
		frames_set(t->mm, t->base, PB, page_word(PGTY_OFFLINE, 0, 0, ZONE_NORMAL),
			   0);
}

static void materialised_twice(void)
{
	struct test_mm *t = test_mm_normal(death_test, 1);

	if (alloc_pages_at(t->mm, t->base, 0, PGTY_KERNEL) == 0)
		pageblock_materialise(pfn_to_section(t->mm, t->base),
				      pageblock_index(t->base));
}

static void kfree_of_the_middle(void)
{
	kfree((char *)phys_to_virt(pfn_to_phys(kernel_mm.reserve[0])) + 8);
}

static const struct death deaths[] = {
	{ "frames_that_are_free", frames_that_are_free, "BUG at mm/pageblock.c" },
	{ "materialised_twice", materialised_twice, "BUG at mm/pageblock.c" },
	{ "kfree_of_the_middle", kfree_of_the_middle,
	  "is not the start of what was allocated" },
};
KTEST_ARRAY_PARAM(death, deaths, death_desc)

static const struct ktest_case section_rules_cases[] = {
	KTEST_CASE(index_reaches_all_roots),
	KTEST_CASE(spans_shrink_across_roots),
	KTEST_CASE(root_that_cannot_be_had),
	KTEST_CASE(ranges_share_a_section),
	KTEST_CASE(memory_beyond_the_table),
	KTEST_CASE(boot_pages_are_whole_and_zero),
	KTEST_CASE(metadata_may_have_the_last),
	KTEST_CASE(boot_page_tables_stay),
	KTEST_CASE(page_tables_from_the_reserve),
	KTEST_CASE(chunks_are_plugged_or_not),
	KTEST_CASE(default_states_are_heard),
	KTEST_CASE(units_are_their_owners),
	KTEST_CASE(failures_in_words),
	KTEST_CASE(former_lives_of_listeners),
	KTEST_CASE(forms_change_in_sequence),
	KTEST_CASE(grace_period_forgets_the_block),
	KTEST_CASE(snapshots_are_complete),
	KTEST_CASE_PARAM(expect_death, death_gen_params),
	{},
};
static struct ktest_suite section_rules_suite = { .name = "section_rules",
						  .cases = section_rules_cases };
KTEST_SUITE(section_rules_suite);
