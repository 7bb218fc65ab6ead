/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm_check() finds each word and counter that disagrees with the frames.
 */
#include "lib/string.h"
#include "tests/kernel/strict_sink.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

/* Several checks of mm_check() may see the same fault; each of them reports it once. */
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
	SPOILED(t->zone->free, 1, 1);
	SPOILED(t->zone->free_isolated, 1, 1);
	SPOILED(t->zone->nr_isolated, 1, 1);
	SPOILED(t->zone->present, 1, 2);
	SPOILED(t->zone->managed, 1, 1);
	SPOILED(t->mm->max_pfn, 1, 1);
	SPOILED(t->zone->avail_orders[0][MIGRATE_MOVABLE], 1, 1);
	SPOILED(ms->avail[MAX_PAGE_ORDER], 1, 1);
	SPOILED(ms->mt[MIGRATE_UNMOVABLE], 4, 3);
	SPOILED(root->avail[MIGRATE_RECLAIMABLE][3]
			   [section_nr(ms) % SECTIONS_PER_ROOT / 64],
		BIT(section_nr(ms) % 64), 1);
	SPOILED(ms->pb[0].word, (u64)(8 ^ 7) << PB_INDEX_SHIFT, 1);
	word = &pfn_to_page(t->base)->word;
	SPOILED(*word, page_word(0, 0, 0, ZONE_MOVABLE) ^ page_word(0, 0, 0, ZONE_NORMAL),
		1);
	SPOILED(*word, PG_TAIL << 8, 1);
	SPOILED(*word, PG_OFFLINE_SKIPPABLE << 8, 1);
	SPOILED(*word, PGTY_SLAB ^ PGTY_NONE, 1);
	SPOILED(pfn_to_page(t->base)->count, 1, 1);
	SPOILED(*pb_bits(ms, 0), 1, 5);
	/* The type of a free frame. */
	word = &pfn_to_page(t->base + 1)->word;
	SPOILED(*word, PGTY_BUDDY ^ PGTY_SLAB, 1);
	/* A word's free count and the zone's sum: of a valid pageblock, then of a uniform one. */
	SPOILED(ms->pb[0].word, 1, 2);
	KTEST_ASSERT_EQ(test, alloc_pages_at(t->mm, t->base + 2 * PB, 9, PGTY_SLAB), 0);
	memset(pb_bits(ms, 2), 0, PB_WORDS * sizeof(u64)); /* unused if uniform */
	SPOILED(ms->pb[2].word, 1, 2);
	free_pages(t->mm, t->base + 2 * PB, 9);
	/* A free frame in a chunk that looks right: the check reports frame and sum. */
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

/*
 * There are more findings than fit into the buffer: mm_check() counts each, and writes them
 * with no lock held.
 */
static void findings_are_written_later(struct ktest *test)
{
	struct test_mm *t = test_mm_normal(test, 1);
	struct mem_section *ms = pfn_to_section(t->mm, t->base);
	struct strict_sink strict = STRICT_SINK;
	struct sink_buffer buffer;
	char *text = ktest_alloc(test, 8192);
	unsigned int found;

	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
		ms->avail[k] = ~ms->avail[k];
	found = mm_check(t->mm, &strict.sink);
	sink_buffer_init(&buffer, text, 8192);
	KTEST_EXPECT_EQ(test, mm_check(t->mm, &buffer.sink), found);
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
		ms->avail[k] = ~ms->avail[k];
	EXPECT_STRICT(test, &strict);
	KTEST_EXPECT_GT(test, found, 100);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, "mm_check: pageblock 0x"));
	KTEST_EXPECT_EQ(test, text[buffer.len - 1], '\n');
	KTEST_EXPECT_EQ(test, mm_check(t->mm, NULL), 0);
}

static const struct ktest_case mm_check_cases[] = {
	KTEST_CASE(check_finds_each),
	KTEST_CASE(findings_are_written_later),
	{},
};
static struct ktest_suite mm_check_suite = { .name = "mm_check",
					     .cases = mm_check_cases };
KTEST_SUITE(mm_check_suite);
