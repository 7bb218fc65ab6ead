/* SPDX-License-Identifier: BSD-2-Clause */
/* Random layouts of frames: see the header. */
#include "tests/evacuate/evac_layout.h"
#include "lib/string.h"
#include "tests/kernel/test_threads.h"

unsigned long below(struct model *m, unsigned long n)
{
	return prng_below(&m->test->prng, n);
}

void paint(struct model *m, unsigned long frame, unsigned long nr, enum what to)
{
	memset(m->what + frame, to, nr);
}

static bool all_are(const struct model *m, unsigned long frame, unsigned long nr,
		    enum what what)
{
	for (unsigned long i = 0; i < nr; i++)
		if (m->what[frame + i] != what)
			return false;
	return true;
}

/* --- the layout --------------------------------------------------------------------- */

static u64 some_mask(struct model *m)
{
	const unsigned int from = below(m, 64);

	switch (m->scarce ? 2 : below(m, 4)) {
	case 0:
		return GENMASK(from + below(m, 64 - from), from);
	case 1:
		return prng_u64(&m->test->prng) | BIT(from);
	default:
		return ~0UL;
	}
}

/* What onlining block @n leaves: all free but the unplugged, the holes and the metadata. */
static void paint_online(struct model *m, unsigned int n)
{
	const unsigned long base = n * PAGES_PER_SECTION;
	bool header = false;

	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++) {
		const unsigned long at = base + b * PB;

		if (m->what[at + PB - 1] == HOLE)
			continue;
		if (m->unplugged[n] & BIT(b)) {
			paint(m, at, PB, m->owner ? SKIPPABLE : TAKEN);
			continue;
		}
		paint(m, at, PB, FREE);
		if (!header)
			paint(m, at, MHP_HEADER_PAGES, MEMMAP);
		header = true;
	}
}

void go_online(struct model *m, unsigned int n)
{
	const bool kernel = below(m, 2);

	KTEST_ASSERT_EQ(m->test,
			window_online(m->w, n,
				      kernel ? MMOP_ONLINE_KERNEL : MMOP_ONLINE_MOVABLE),
			0);
	m->online[n] = true;
	m->zone[n] = kernel ? ZONE_NORMAL : ZONE_MOVABLE;
	paint_online(m, n);
}

/* Some partly plugged, the last one perhaps not all the owner's. */
void add_blocks(struct model *m)
{
	const unsigned long nr =
		below(m, 4) ? PAGES_PER_SECTION : PB * (1 + below(m, 64));

	m->last = 1 + below(m, 3);
	m->w->owner.region.nr_pages = (m->last - 1) * PAGES_PER_SECTION + nr;
	paint(m, m->last * PAGES_PER_SECTION + nr, PAGES_PER_SECTION - nr, HOLE);
	KTEST_ASSERT_EQ(m->test, register_memory_owner(m->w->mm, &m->w->owner, NO_WHY),
			0);
	for (unsigned int n = 1; n <= m->last; n++) {
		const u64 owned = n < m->last ? ~0UL : GENMASK(nr / PB - 1, 0);
		u64 plugged = some_mask(m) & owned;

		plugged = plugged ?: BIT(0);
		m->unplugged[n] = owned & ~plugged;
		window_add(m->test, m->w, n, plugged);
		if (n == 1 || below(m, 8))
			go_online(m, n);
	}
}

unsigned long somewhere(struct model *m)
{
	return PAGES_PER_SECTION + below(m, m->last * PAGES_PER_SECTION);
}

/* Allocated exactly when the model has all of it free. */
static bool take_chunk(struct model *m, unsigned long frame, unsigned int order,
		       enum page_type type)
{
	const bool free = m->online[frame / PAGES_PER_SECTION] &&
			  all_are(m, frame, 1UL << order, FREE);

	KTEST_ASSERT_EQ(m->test,
			alloc_pages_at(m->w->mm, m->w->base + frame, order, type) == 0,
			free);
	return free;
}

static unsigned int some_order(struct model *m)
{
	const unsigned int limits[] = { 1, 1, 1, 5, 5, 9, 11 };

	return m->scarce ? 0 : below(m, limits[below(m, ARRAY_SIZE(limits))]);
}

void put_slot(struct model *m, unsigned long at, enum what kind)
{
	const unsigned int i = m->nr_slots, order = some_order(m);
	const unsigned long frame = ALIGN_DOWN(at, 1UL << order);
	const unsigned long pfn = m->w->base + frame;

	if (i == NR_SLOTS || !take_chunk(m, frame, order, PGTY_DRIVER))
		return;
	m->nr_slots++;
	m->slot[i].pfn = pfn;
	m->order[i] = order;
	m->kind[i] = kind;
	page_set_owner(m->w->mm, pfn, (uintptr_t)&m->slot[i]);
	paint(m, frame, 1UL << order, kind);
	if (kind == PINNED)
		KTEST_ASSERT_EQ(m->test, page_pin(m->w->mm, pfn), 0);
	if (kind == HELD)
		KTEST_ASSERT_TRUE(m->test, page_try_get(m->w->mm, pfn));
}

static void put_fixed(struct model *m)
{
	/* Types without operations do not move, whatever their kind could do. */
	static const u8 types[] = { PGTY_PGTABLE, PGTY_SLAB,	  PGTY_KERNEL,
				    PGTY_ANON,	  PGTY_PAGECACHE, PGTY_HUGE };
	const unsigned int order = some_order(m);
	const unsigned long frame = ALIGN_DOWN(somewhere(m), 1UL << order);

	if (take_chunk(m, frame, order, types[below(m, ARRAY_SIZE(types))]))
		paint(m, frame, 1UL << order, FIXED);
}

/* PageOffline frames of a driver, in any number at any place. */
static void put_offline(struct model *m, enum what kind)
{
	struct evacuate_policy take = test_policy(EVAC_END_ALLOC, PGTY_OFFLINE);
	const unsigned long frame = somewhere(m);
	unsigned long nr = 1 + below(m, below(m, 2) ? 8 : 1500);

	nr = min(nr, PAGES_PER_SECTION - frame % PAGES_PER_SECTION);
	take.page_flags = kind == SKIPPABLE ? PG_OFFLINE_SKIPPABLE : 0;
	if (!m->online[frame / PAGES_PER_SECTION] || !all_are(m, frame, nr, FREE))
		return;
	KTEST_ASSERT_EQ(m->test,
			take_contig_range(m->w->mm, m->w->base + frame,
					  m->w->base + frame + nr, &take, NO_WHY),
			0);
	zone_update_watermarks(m->w->mm);
	paint(m, frame, nr, kind);
}

/* Chunks that some hart frees, so that they rest in its cache: free, all the same. */
static void put_freed(struct model *m)
{
	const unsigned int order = some_order(m);
	const unsigned long frame = ALIGN_DOWN(somewhere(m), 1UL << order);

	if (m->nr_freed < NR_FREED && take_chunk(m, frame, order, PGTY_SLAB)) {
		paint(m, frame, 1UL << order, FIXED);
		m->freed[m->nr_freed++] = (struct freed){ m->w->base + frame, order };
	}
}

static int free_mine(void *arg)
{
	struct model *m = arg;

	for (unsigned int i = hart_rank(); i < m->nr_freed; i += nr_online_harts())
		free_pages(m->w->mm, m->freed[i].pfn, m->freed[i].order);
	return 0;
}

void free_on_all_harts(struct model *m)
{
	struct crew crew;

	crew_start(m->test, &crew, free_mine, m);
	(void)crew_join(m->test, &crew);
	for (unsigned int i = 0; i < m->nr_freed; i++)
		paint(m, m->freed[i].pfn - m->w->base, 1UL << m->freed[i].order, FREE);
	m->nr_freed = 0;
}

void lay_out(struct model *m)
{
	static const u8 kinds[] = { FIXED, PINNED, TAKEN, SKIPPABLE, HELD };
	static const u8 most[] = { 1, 2, 3, 12, 60 };

	for (unsigned int i = below(m, 100); i > 0; i--)
		put_freed(m);
	for (unsigned int i = below(m, NR_SLOTS); i > 0; i--)
		put_slot(m, somewhere(m), MOVABLE);
	for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (unsigned int i = below(m, most[below(m, ARRAY_SIZE(most))]); i > 0;
		     i--) {
			if (kinds[k] == FIXED)
				put_fixed(m);
			else if (kinds[k] >= TAKEN)
				put_offline(m, kinds[k]);
			else
				put_slot(m, somewhere(m), kinds[k]);
		}
	}
}

void owner_leaves(struct model *m)
{
	unregister_memory_owner(m->w->mm, &m->w->owner);
	m->owner = false;
	for (unsigned long i = 0; i < NR_FRAMES; i++)
		if (m->what[i] == SKIPPABLE)
			m->what[i] = TAKEN;
}
