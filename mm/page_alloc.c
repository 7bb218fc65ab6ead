/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page allocator behind the harts' caches: it chooses the zone and the migrate type,
 * checks the watermarks, and tries everything before an allocation fails.
 *
 * If a zone has no free chunk of the wanted migrate type, it falls back to the other
 * types, in Linux's order. If the pageblock with their largest free chunk is at least
 * half free, the allocator claims all of it by retagging it, so that later requests of
 * the same kind find room there and the types stay apart. Otherwise it takes the
 * smallest chunk that fits, without retagging. Zone Movable serves only GFP_MOVABLE and
 * has no other types to fall back to.
 *
 * Compare with: Linux mm/page_alloc.c.
 */
#include "arch/machine.h"
#include "kernel/printk.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/internal.h"
#include "mm/vmstat.h"

/* Longest time that a failing allocation waits for its one grace period. */
#define ALLOC_DRAIN_NS NSEC_PER_SEC

/**
 * zone_init() - make an empty zone
 * @zone: zeroed or reused storage
 * @mm: memory that it belongs to
 * @type: which zone of @mm
 */
void zone_init(struct zone *zone, struct mm *mm, enum zone_type type)
{
	memset(zone, 0, sizeof(*zone));
	spin_lock_init(&zone->lock, "zone->lock");
	wait_queue_init(&zone->freed, "zone->freed");
	zone->mm = mm;
	zone->type = type;
}

unsigned int gfp_migratetype(u32 gfp)
{
	BUG_ON((gfp & GFP_MOVABLE) && (gfp & GFP_RECLAIMABLE));
	return gfp & (GFP_MOVABLE | GFP_RECLAIMABLE);
}
static_assert(GFP_MOVABLE == MIGRATE_MOVABLE && GFP_RECLAIMABLE == MIGRATE_RECLAIMABLE,
	      "the two gfp bits are the migrate type");

/* The other types that a request falls back to, in this order. */
static const u8 fallbacks[NR_MIGRATE_STORED][2] = {
	[MIGRATE_UNMOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE },
	[MIGRATE_MOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE },
	[MIGRATE_RECLAIMABLE] = { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE },
};

/**
 * claim_pageblock() - retag a pageblock of another migrate type that is half free
 * @zone: zone, locked; not Movable
 * @mt: the new migrate type
 * @order: the pageblock's largest free chunk has at least this order
 *
 * Return: true if it claimed a pageblock.
 */
bool claim_pageblock(struct zone *zone, unsigned int mt, unsigned int order)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(fallbacks[mt]); i++) {
		unsigned int b;
		struct mem_section *ms = index_find_largest(zone, fallbacks[mt][i], order, &b);

		if (!ms || pb_free(pb_word(ms, b)) < PAGEBLOCK_NR_PAGES / 2)
			continue;
		if (order == MAX_PAGE_ORDER)
			pageblock_set_migratetype(ms, b + 1, mt);
		pageblock_set_migratetype(ms, b, mt);
		vm_event_inc(zone->mm, VM_EXTFRAG, 1);
		return true;
	}
	return false;
}

static unsigned long steal_chunk(struct zone *zone, unsigned int mt, unsigned int order,
				 enum page_type type)
{
	unsigned long pfn = PFN_NONE;

	for (unsigned int i = 0; i < ARRAY_SIZE(fallbacks[mt]) && pfn == PFN_NONE; i++)
		pfn = buddy_alloc(zone, fallbacks[mt][i], order, type);
	return pfn;
}

/* Take one chunk of a zone, of @mt or of a fallback type; zone->lock held. */
unsigned long rmqueue(struct zone *zone, unsigned int mt, unsigned int order,
		      enum page_type type)
{
	unsigned long pfn = buddy_alloc(zone, mt, order, type);

	if (pfn != PFN_NONE || zone->type == ZONE_MOVABLE)
		return pfn;
	if (claim_pageblock(zone, mt, order))
		return buddy_alloc(zone, mt, order, type);
	return steal_chunk(zone, mt, order, type);
}

/* Can the zone give @nr more frames? GFP_ATOMIC may use up the reserve below min. */
bool zone_watermark_ok(const struct zone *zone, unsigned long nr, u32 gfp)
{
	const unsigned long min_free = gfp & GFP_ATOMIC ? 0 : READ_ONCE(zone->wmark[WMARK_MIN]);

	return READ_ONCE(zone->free) >= nr + min_free;
}

/* Allocate the chunk that pcp_refill() took in addition to the batch. */
static void hand_out(unsigned long pfn, unsigned int order, u32 word)
{
	chunk_write(pfn, order, word);
	trace_emit(TRACE_FRAMES, .pfn = pfn, .count = 1U << order, .before = PGTY_CACHED,
		   .after = PAGE_WORD_TYPE(word));
}

/* Allocate a chunk; refill the hart's stack too if it has one and the zone has plenty. */
static unsigned long zone_alloc(struct zone *zone, u32 gfp, unsigned int order,
				enum page_type type)
{
	const unsigned int mt = gfp_migratetype(gfp);
	const struct pcp_stack *st = pcp_stack(zone->mm->pcp[this_hart()->id], mt, order);
	const unsigned long batch = READ_ONCE(st->batch);
	const bool fill = order <= PCP_SMALL_ORDER && batch &&
			  zone_watermark_ok(zone, batch << order, gfp);
	unsigned long pfn = PFN_NONE;

	if (!zone_watermark_ok(zone, 1UL << order, gfp))
		return PFN_NONE;
	spin_lock(&zone->lock);
	if (fill) {
		pfn = pcp_refill(zone, mt, order);
		if (pfn == PFN_NONE && zone->type != ZONE_MOVABLE &&
		    claim_pageblock(zone, mt, order))
			pfn = pcp_refill(zone, mt, order);
	}
	if (pfn == PFN_NONE)
		pfn = rmqueue(zone, mt, order, type);
	else
		hand_out(pfn, order, page_word(type, 0, order, zone->type));
	spin_unlock(&zone->lock);
	return pfn;
}

static unsigned long try_alloc(struct mm *mm, u32 gfp, unsigned int order,
			       enum page_type type)
{
	unsigned long pfn = PFN_NONE;

	if (gfp & GFP_MOVABLE)
		pfn = zone_alloc(mm_zone(mm, ZONE_MOVABLE), gfp, order, type);
	if (pfn == PFN_NONE)
		pfn = zone_alloc(mm_zone(mm, ZONE_NORMAL), gfp, order, type);
	return pfn;
}

/* Log a failed allocation, at most one line a second. */
static void alloc_failed(struct mm *mm, u32 gfp, unsigned int order, enum page_type type)
{
	static u64 next_ns;
	const u64 now = arch_clock_ns();
	u64 next = READ_ONCE(next_ns);

	if (gfp & GFP_NOWARN || now < next ||
	    !__atomic_compare_exchange_n(&next_ns, &next, now + NSEC_PER_SEC, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	pr_warn("%s: no memory: order %u for %s, gfp 0x%x, free Normal %lu (min %lu), "
		"Movable %lu (min %lu)",
		mm->name, order, page_type_name(type), gfp, mm->zone[ZONE_NORMAL].free,
		mm->zone[ZONE_NORMAL].wmark[WMARK_MIN], mm->zone[ZONE_MOVABLE].free,
		mm->zone[ZONE_MOVABLE].wmark[WMARK_MIN]);
}

/* Out of free chunks: drain this hart's cache, then every hart's, then fail. */
static unsigned long alloc_drained(struct mm *mm, u32 gfp, unsigned int order,
				   enum page_type type)
{
	unsigned long pfn;

	drain_local_pages(mm);
	pfn = try_alloc(mm, gfp, order, type);
	if (pfn == PFN_NONE && !(gfp & GFP_NODRAIN)) {
		vm_event_inc(mm, VM_PCP_DRAIN, 1);
		if (drain_all_pages(mm, ALLOC_DRAIN_NS) == 0)
			pfn = try_alloc(mm, gfp, order, type);
	}
	if (pfn == PFN_NONE)
		alloc_failed(mm, gfp, order, type);
	return pfn;
}

/* Allocate from the zones, bypassing the caches of the higher orders. */
unsigned long alloc_uncached(struct mm *mm, u32 gfp, unsigned int order, enum page_type type)
{
	unsigned long pfn;

	BUG_ON(order > MAX_PAGE_ORDER || !type_is_alloc(type));
	VM_BUG_ON(this_hart()->irq_depth);
	if (gfp & GFP_ZERO) {
		pfn = alloc_pages(mm, gfp & ~GFP_ZERO, order, type);
		if (pfn != PFN_NONE && !mm->phantom)
			memset(phys_to_virt(pfn_to_phys(pfn)), 0, PAGE_SIZE << order);
		return pfn;
	}
	pfn = try_alloc(mm, gfp, order, type);
	return likely(pfn != PFN_NONE) ? pfn : alloc_drained(mm, gfp, order, type);
}

/* The slow path: larger orders, refill, fallback, failure. */
unsigned long alloc_pages_slow(struct mm *mm, u32 gfp, unsigned int order,
			       enum page_type type)
{
	if (order > PCP_SMALL_ORDER && order <= MAX_PAGE_ORDER && !(gfp & GFP_ZERO))
		return pcp_alloc_high(mm, gfp, order, type);
	return alloc_uncached(mm, gfp, order, type);
}

/* Take one given chunk of a section; its zone is locked. */
static int take_chunk(struct mem_section *ms, unsigned long pfn, unsigned int order, u32 word)
{
	const unsigned int b = pageblock_index(pfn);
	u64 w = pb_word(ms, b);

	if (order > PAGEBLOCK_ORDER)
		w |= pb_word(ms, b + 1);
	if (w & PB_ISOLATE || !buddy_range_free(ms, pfn, order))
		return -EBUSY;
	buddy_take(ms, pfn, order, word);
	return 0;
}

int alloc_pages_at(struct mm *mm, unsigned long pfn, unsigned int order, enum page_type type)
{
	struct mem_section *ms;
	struct zone *zone;
	int ret = -EINVAL;

	if (order > MAX_PAGE_ORDER || !IS_ALIGNED(pfn, 1UL << order) || !type_is_alloc(type))
		return ret;
	drain_local_pages(mm);
	pfn_walk_begin();
	ms = walk_section(mm, pfn);
	zone = ms ? section_lock_zone(ms) : NULL;
	if (zone) {
		ret = take_chunk(ms, pfn, order, page_word(type, 0, order, zone->type));
		section_unlock_zone(zone);
	}
	pfn_walk_end();
	return ret;
}

unsigned long zone_free_pages(const struct zone *zone)
{
	return READ_ONCE(zone->free);
}

static unsigned long int_sqrt(unsigned long x)
{
	unsigned long root = 0;

	for (unsigned long bit = 1UL << 62; bit; bit >>= 2) {
		const unsigned long trial = root + bit;

		root >>= 1;
		if (x >= trial) {
			x -= trial;
			root += bit;
		}
	}
	return root;
}

/*
 * Linux's formulas: min is 4 * sqrt(KiB of zone Normal) KiB, at least 128 KiB and at
 * most 256 MiB. In zone Movable, which serves no kernel data, min is 1/1024 of the
 * frames, 32..128. low is min plus a quarter of min, or plus 0.1 % of the zone if that
 * is more; high is min plus twice that.
 */
void zone_update_watermarks(struct mm *mm)
{
	for (unsigned int i = 0; i < NR_ZONES; i++) {
		struct zone *zone = &mm->zone[i];
		const unsigned long managed = READ_ONCE(zone->managed);
		unsigned long min_free, step;

		if (i == ZONE_NORMAL)
			min_free = min(max(int_sqrt(managed * 4 * 16) / 4, 32UL), 65536UL);
		else
			min_free = min(max(managed / 1024, 32UL), 128UL);
		min_free = min(min_free, managed / 16);
		step = max(min_free / 4, managed / 1000);
		WRITE_ONCE(zone->wmark[WMARK_MIN], min_free);
		WRITE_ONCE(zone->wmark[WMARK_LOW], min_free + step);
		WRITE_ONCE(zone->wmark[WMARK_HIGH], min_free + 2 * step);
	}
	pcp_set_limits(mm);
}
