/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The search index: it finds free chunks without free lists. Three levels of bit
 * masks over the pageblocks' index orders,
 *
 *	zone->avail_orders[m][mt]       bit k: some root has order k
 *	zone->root_avail[m][mt][k]      bit r: root r has order k
 *	root->avail[area][k]            bit s: section s has order k
 *	section->avail[k] & ->mt[mt]    bit b: pageblock b's largest chunk is of order k
 *
 * so that a search takes a few loads at any size of memory. A change touches an upper level
 * only if it sets the first bit below or clears the last. The levels of the zone exist twice,
 * for boot memory (m = 0) and for added memory, so that a search can prefer one of them;
 * root->boot tells the sections apart. The index has
 * an order-10 chunk once, under its even pageblock, and not the odd pageblock.
 *
 * Callers hold zone->lock; index_free_mask() reads without it, too.
 * Compare with: Linux struct free_area (lists through pages).
 */
#include "mm/pageblock.h"
#include "mm/pageblock_index.h"

static unsigned int section_area(const struct mem_section *ms, unsigned int mt)
{
	return ms->zone->type == ZONE_MOVABLE ? FREE_MOVABLE_MOVABLE : mt;
}

/*
 * The number of the zone's set of masks that has this section: 1 if it was added, else 0.
 */
static unsigned int section_memory(const struct mem_section *ms)
{
	return !(ms->flags & SECTION_EARLY);
}

/* The sections in word @i of a root's masks that are boot memory or, if @added, were added. */
static u64 root_word(const struct section_root *root, const u64 *words, unsigned int i,
		     unsigned int added)
{
	return words[i] & (root->boot[i] ^ (0 - (u64)added));
}

/* An upper bound of the section numbers. */
static inline unsigned long last_section(const struct mm *mm)
{
	return (READ_ONCE(mm->max_pfn) - 1) >> SECTION_PFN_SHIFT;
}

static void upper_set(struct mem_section *ms, unsigned int mt, unsigned int k)
{
	const unsigned int m = section_memory(ms);
	const unsigned long r = ms->start_pfn >> ROOT_PFN_SHIFT;
	const unsigned int s = (ms->start_pfn >> SECTION_PFN_SHIFT) % SECTIONS_PER_ROOT;
	struct zone *zone = ms->zone;

	zone->mm->root[r]->avail[section_area(ms, mt)][k][s / 64] |= BIT(s % 64);
	zone->root_avail[m][mt][k][r / 64] |= BIT(r % 64);
	zone->avail_orders[m][mt] |= BIT(k);
}

static void upper_clear(struct mem_section *ms, unsigned int mt, unsigned int k)
{
	const unsigned long r = ms->start_pfn >> ROOT_PFN_SHIFT;
	const unsigned int s = (ms->start_pfn >> SECTION_PFN_SHIFT) % SECTIONS_PER_ROOT;
	const unsigned int m = section_memory(ms);
	struct zone *zone = ms->zone;
	const struct section_root *root = zone->mm->root[r];
	u64 *words = zone->mm->root[r]->avail[section_area(ms, mt)][k];

	words[s / 64] &= ~BIT(s % 64);
	if (root_word(root, words, s / 64, m))
		return;
	if (root_word(root, words, 0, m) | root_word(root, words, 1, m) |
	    root_word(root, words, 2, m) | root_word(root, words, 3, m))
		return;
	words = zone->root_avail[m][mt][k];
	words[r / 64] &= ~BIT(r % 64);
	for (unsigned long i = 0; i <= last_section(zone->mm) / SECTIONS_PER_ROOT / 64; i++)
		if (words[i])
			return;
	zone->avail_orders[m][mt] &= ~BIT(k);
}

static void set_index_field(struct pageblock *pb, unsigned int k)
{
	pb_write(pb, (pb_read(pb) & ~PB_INDEX_MASK) | (u64)k << PB_INDEX_SHIFT);
}

static void avail_add(struct mem_section *ms, unsigned int b, unsigned int k)
{
	const unsigned int mt = pb_mt(pb_read(&ms->pb[b]));
	const u64 was = ms->avail[k] & ms->mt[mt];

	WRITE_ONCE(ms->avail[k], ms->avail[k] | BIT(b));
	set_index_field(&ms->pb[b], k);
	if (!was)
		upper_set(ms, mt, k);
}

static void avail_del(struct mem_section *ms, unsigned int b, unsigned int k)
{
	const unsigned int mt = pb_mt(pb_read(&ms->pb[b]));

	WRITE_ONCE(ms->avail[k], ms->avail[k] & ~BIT(b));
	set_index_field(&ms->pb[b], PB_INDEX_NONE);
	if (!(ms->avail[k] & ms->mt[mt]))
		upper_clear(ms, mt, k);
}

/* Is a pageblock with word @w wholly free, not isolated, and of migrate type @mt? */
static bool can_pair(u64 w, unsigned int mt)
{
	return (w & (PB_FREE_MASK | PB_MT_MASK | PB_ISOLATE)) ==
	       (PAGEBLOCK_NR_PAGES | (u64)mt << PB_MT_SHIFT);
}

/**
 * index_add() - put a pageblock into the index, by the free frames it has now
 * @ms: section with a zone
 * @b: pageblock, not in the index; if isolated or without free frames, it stays out
 */
void index_add(struct mem_section *ms, unsigned int b)
{
	const u64 w = pb_read(&ms->pb[b]);

	if (!pb_free(w) || (w & PB_ISOLATE))
		return;
	if (!pb_all_free(w)) {
		avail_add(ms, b, bits_max_order(pb_bits(ms, b)));
		return;
	}
	if (!can_pair(pb_read(&ms->pb[b ^ 1]), pb_mt(w))) {
		avail_add(ms, b, PAGEBLOCK_ORDER);
		return;
	}
	avail_del(ms, b ^ 1, PAGEBLOCK_ORDER);
	avail_add(ms, b & ~1U, MAX_PAGE_ORDER);
}

/**
 * index_remove() - take a pageblock out of the index
 * @ms: section with a zone
 * @b: pageblock; if it is half of an order-10 chunk, the other half stays in the index
 */
void index_remove(struct mem_section *ms, unsigned int b)
{
	unsigned int k = pb_index(pb_read(&ms->pb[b]));
	const unsigned int even = b & ~1U;

	if (k < MAX_PAGE_ORDER) {
		avail_del(ms, b, k);
	} else if (pb_index(pb_read(&ms->pb[even])) == MAX_PAGE_ORDER) {
		avail_del(ms, even, MAX_PAGE_ORDER);
		avail_add(ms, b ^ 1, PAGEBLOCK_ORDER);
	}
}

/* Move a valid pageblock to another order; PB_INDEX_NONE: no frame is free. */
void index_update(struct mem_section *ms, unsigned int b, unsigned int order)
{
	const unsigned int old = pb_index(pb_read(&ms->pb[b]));

	if (old == order)
		return;
	if (old != PB_INDEX_NONE)
		avail_del(ms, b, old);
	if (order != PB_INDEX_NONE)
		avail_add(ms, b, order);
}

/* Split every pair that @mask cuts through, so that the index lists each half alone. */
static inline void split_border_pairs(struct mem_section *ms, u64 mask)
{
	const u64 even = 0x5555555555555555ULL;
	const u64 lone = (mask ^ (mask >> 1)) & even;
	u64 pairs = ms->avail[MAX_PAGE_ORDER] & lone;

	while (pairs) {
		const unsigned int b = __ffs(pairs);

		avail_del(ms, b, MAX_PAGE_ORDER);
		avail_add(ms, b, PAGEBLOCK_ORDER);
		avail_add(ms, b + 1, PAGEBLOCK_ORDER);
		pairs &= pairs - 1;
	}
}

/* Take the pageblocks of @mask out of the index of one order. */
static inline void remove_order(struct mem_section *ms, u64 mask, unsigned int k)
{
	const u64 was = ms->avail[k];

	if (!(was & mask))
		return;
	WRITE_ONCE(ms->avail[k], was & ~mask);
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
		if ((was & mask & ms->mt[mt]) && !(ms->avail[k] & ms->mt[mt]))
			upper_clear(ms, mt, k);
}

/**
 * index_remove_mask() - take many pageblocks of a section out of the index
 * @ms: section with a zone
 * @mask: bit b: pageblock b
 *
 * The caller clears the index fields of their words: it rewrites the words anyway.
 */
void index_remove_mask(struct mem_section *ms, u64 mask)
{
	split_border_pairs(ms, mask);
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
		remove_order(ms, mask, k);
}

/*
 * index_remove_mask() for pageblocks that are all in index_free_mask(): the index lists
 * them under two orders only.
 */
void index_remove_free_mask(struct mem_section *ms, u64 mask)
{
	split_border_pairs(ms, mask);
	remove_order(ms, mask, PAGEBLOCK_ORDER);
	remove_order(ms, mask, MAX_PAGE_ORDER);
}

/* index_add_free_mask() for the pageblocks of one migrate type. */
static void add_free(struct mem_section *ms, u64 mask, unsigned int mt)
{
	const u64 even = 0x5555555555555555ULL;
	const u64 none_to_pair = (u64)(PB_INDEX_NONE - MAX_PAGE_ORDER) << PB_INDEX_SHIFT;
	u64 pairs = mask & (mask >> 1) & even;
	u64 lone = mask & ~(pairs | pairs << 1);

	if (pairs && !(ms->avail[MAX_PAGE_ORDER] & ms->mt[mt]))
		upper_set(ms, mt, MAX_PAGE_ORDER);
	WRITE_ONCE(ms->avail[MAX_PAGE_ORDER], ms->avail[MAX_PAGE_ORDER] | pairs);
	for_each_run(run, pairs | pairs << 1) {
		const struct pageblock *const end = run_end(ms, run);

		for (struct pageblock *pb = run_start(ms, run); pb < end; pb += 2)
			WRITE_ONCE(pb->word, READ_ONCE(pb->word) - none_to_pair);
	}
	for (; lone; lone &= lone - 1)
		index_add(ms, __ffs(lone));
}

/*
 * Put many wholly free pageblocks into the index at once. Those in @mask are not in the
 * index, not isolated and wholly free. This also sets the index fields of their words.
 */
void index_add_free_mask(struct mem_section *ms, u64 mask)
{
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
		if (mask & ms->mt[mt])
			add_free(ms, mask & ms->mt[mt], mt);
}

/* The first or last set bit. */
static __always_inline unsigned int end_bit(u64 mask, bool down)
{
	return down ? __fls(mask) : __ffs(mask);
}

/* The number of the nearest root that has a chunk of order @k; there must be one. */
static __always_inline unsigned long nearest_root(const struct zone *zone, unsigned int from,
						  unsigned int k, unsigned long last, bool down)
{
	const u64 *roots = zone->root_avail[!!(from & SEARCH_ADDED)][from & SEARCH_TYPE][k];
	unsigned long i = down ? last / 64 : 0;

	while (!roots[i])
		i += down ? -1 : 1;
	return i * 64 + end_bit(roots[i], down);
}

/* The nearest section that has a chunk of order @k; there must be one. */
static __always_inline struct mem_section *
nearest_section(const struct zone *zone, unsigned int from, unsigned int k, bool down)
{
	const unsigned long last = last_section(zone->mm), last_root = last / SECTIONS_PER_ROOT;
	const unsigned long r = nearest_root(zone, from, k, last_root, down);
	const struct section_root *root = zone->mm->root[r];
	const unsigned int added = !!(from & SEARCH_ADDED);
	const unsigned int area =
		zone->type == ZONE_MOVABLE ? FREE_MOVABLE_MOVABLE : from & SEARCH_TYPE;
	unsigned long i = 0;
	u64 word;

	if (down)
		i = (r == last_root ? last % SECTIONS_PER_ROOT : SECTIONS_PER_ROOT - 1) / 64;
	while (!(word = root_word(root, root->avail[area][k], i, added)))
		i += down ? -1 : 1;
	return root->section[i * 64 + end_bit(word, down)];
}

/*
 * Find the nearest pageblock with a largest chunk of order @k. @down: search from the
 * top; each caller passes a constant, so the compiler makes a function for each
 * direction.
 */
static __always_inline struct mem_section *
find_from(const struct zone *zone, unsigned int from, unsigned int k, unsigned int *b, bool down)
{
	struct mem_section *ms = nearest_section(zone, from, k, down);

	*b = end_bit(ms->avail[k] & ms->mt[from & SEARCH_TYPE], down);
	return ms;
}

static struct mem_section *find(const struct zone *zone, unsigned int from,
				unsigned int order, unsigned int k, unsigned int *b)
{
	struct mem_section *ms;

	if (!(from & SEARCH_DOWN))
		return find_from(zone, from, k, b, false);
	ms = find_from(zone, from, k, b, true);
	/* The index lists a pair under its lower half; from the top, the upper is nearer. */
	if (k == MAX_PAGE_ORDER && order < MAX_PAGE_ORDER)
		*b |= 1;
	return ms;
}

static u32 orders_available(const struct zone *zone, unsigned int from)
{
	return zone->avail_orders[!!(from & SEARCH_ADDED)][from & SEARCH_TYPE];
}

/**
 * index_find() - find the best fit: the smallest largest chunk of a pageblock that will do
 * @zone: zone, locked
 * @from: migrate type and SEARCH_*; among equally good pageblocks, the nearest
 * @order: smallest order that will do
 * @b: set to the pageblock
 *
 * Return: its section, or NULL if there is none.
 */
struct mem_section *index_find(struct zone *zone, unsigned int from, unsigned int order,
			       unsigned int *b)
{
	const u32 orders = orders_available(zone, from) >> order;

	return orders ? find(zone, from, order, order + __ffs(orders), b) : NULL;
}

/*
 * Find a pageblock to claim as a whole: the nearest free pageblock, or else the pageblock
 * with the largest free chunk, of at least @order.
 */
struct mem_section *index_find_largest(struct zone *zone, unsigned int from,
				       unsigned int order, unsigned int *b)
{
	const u32 orders = orders_available(zone, from);
	struct mem_section *ms, *lone;
	unsigned int lone_b;

	if (!(orders >> order))
		return NULL;
	ms = find(zone, from, order, __fls(orders), b);
	if (order > PAGEBLOCK_ORDER || orders < (3U << PAGEBLOCK_ORDER))
		return ms;
	/* There are pairs, and pageblocks without a free buddy. */
	lone = find(zone, from, order, PAGEBLOCK_ORDER, &lone_b);
	if ((pb_pfn(lone, lone_b) > pb_pfn(ms, *b)) == !!(from & SEARCH_DOWN)) {
		*b = lone_b;
		ms = lone;
	}
	return ms;
}
