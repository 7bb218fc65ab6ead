/* SPDX-License-Identifier: BSD-2-Clause */
/* The owner that decides about each frame: see the header. */
#include "tests/mm/granule_owner.h"
#include "lib/bitops.h"
#include "lib/string.h"

static struct granule_owner granules;

static bool is_withheld(const struct granule_owner *g, unsigned long pfn)
{
	return test_bit(pfn % PAGES_PER_SECTION, g->withheld);
}

/* Return the order of the largest aligned chunk at @pfn, up to @end and the owner's limit. */
static unsigned int chunk_order(const struct granule_owner *g, unsigned long pfn,
				unsigned long end)
{
	unsigned int order = min((unsigned int)__ffs(pfn | 1UL << MAX_PAGE_ORDER), g->max_order);

	while (pfn + (1UL << order) > end)
		order--;
	return order;
}

static void give_away(struct granule_owner *g, unsigned long pfn, unsigned long end)
{
	while (pfn < end) {
		const unsigned int order = chunk_order(g, pfn, end);

		generic_online_page(g->w->mm, pfn, order);
		g->chunks[order]++;
		pfn += 1UL << order;
	}
}

static void granule_online(struct memory_owner *owner, unsigned long pfn, unsigned int order)
{
	struct granule_owner *g = container_of(owner, struct granule_owner, owner);
	const unsigned long end = pfn + (1UL << order);

	for (unsigned long run = pfn; pfn < end; pfn = run) {
		while (run < end && is_withheld(g, run) == is_withheld(g, pfn))
			run++;
		if (is_withheld(g, pfn))
			mark_offline_frames(g->w->mm, &(struct pfn_range){ pfn, run - pfn },
					    g->flags);
		else
			give_away(g, pfn, run);
	}
}

struct granule_owner *granule_open(struct ktest *test)
{
	struct granule_owner *g = &granules;

	memset(g, 0, sizeof(*g));
	g->w = window_open(test, 32UL << 20);
	g->flags = PG_OFFLINE_SKIPPABLE;
	g->max_order = MAX_PAGE_ORDER;
	g->owner.name = "granules";
	g->owner.online_page = granule_online;
	g->owner.region = (struct pfn_range){ window_pfn(g->w, 1), PAGES_PER_SECTION };
	KTEST_ASSERT_EQ(test, register_memory_owner(g->w->mm, &g->owner, NO_WHY), 0);
	KTEST_ASSERT_EQ(
		test, add_memory(g->w->mm, g->w->block + 1, &g->owner, ~0UL, NO_WHY), 0);
	return g;
}

unsigned long granule_withheld(const struct granule_owner *g)
{
	unsigned long nr = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(g->withheld); i++)
		nr += hweight64(g->withheld[i]);
	return nr;
}

void granule_withhold(struct granule_owner *g, unsigned long first, unsigned long nr)
{
	for (unsigned long f = first; f < first + nr; f++)
		g->withheld[f / 64] |= BIT(f % 64);
}

void granule_expect(struct ktest *test, struct granule_owner *g)
{
	const unsigned long nr = PAGES_PER_SECTION - MHP_HEADER_PAGES - granule_withheld(g);

	KTEST_EXPECT_EQ(test, window_managed(g->w, ZONE_MOVABLE), nr);
	KTEST_EXPECT_EQ(test, window_free(test, g->w, ZONE_MOVABLE), nr);
	for (unsigned long f = 0; f < PAGES_PER_SECTION; f++) {
		const bool kept = test_bit(f, g->withheld);
		struct page_state st;

		KTEST_ASSERT_TRUE(test, page_state_get(g->w->mm, window_pfn(g->w, 1) + f, &st));
		KTEST_ASSERT_EQ(test, st.type, f < MHP_HEADER_PAGES ? PGTY_MEMMAP :
					       kept ? PGTY_OFFLINE : PGTY_BUDDY);
		KTEST_ASSERT_EQ(test, st.flags & PG_OFFLINE_SKIPPABLE, kept ? g->flags : 0);
		KTEST_ASSERT_EQ(test, st.isolated, 0);
	}
	window_check(test, g->w);
}
