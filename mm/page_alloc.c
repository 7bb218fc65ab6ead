/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page allocator. There is one way down:
 *
 *	alloc_pages()	the hart's stack (pcp.h); if it is empty:
 *	zone_alloc()	choose the zone, check the watermarks
 *	rmqueue.c	choose the memory and the migrate type; refill the stack too
 *	buddy.c		take a chunk
 *
 *	free_pages()	the hart's stack; if it is full, or anything is unusual:
 *	free_checked()	check everything; the stack, or if the pageblock is awaited:
 *	buddy.c		free the chunk, which wakes the waiters
 *
 * Compare with: Linux mm/page_alloc.c.
 */
#include "arch/machine.h"
#include "kernel/printk.h"
#include "kernel/trace/trace.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/time.h"
#include "mm/buddy.h"
#include "mm/free.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/poison.h"
#include "mm/rmqueue.h"
#include "mm/vmstat.h"
#include "mm/zone.h"

/* Longest time that a failing allocation waits for its one grace period. */
#define ALLOC_DRAIN_NS NSEC_PER_SEC

/* Bulk: drop the lock every BULK_BATCH frames, so that other harts can take it. */
#define BULK_BATCH 4096UL

/* --- behind the caches ----------------------------------------------------------- */

static unsigned int gfp_migratetype(u32 gfp)
{
	BUG_ON((gfp & GFP_MOVABLE) && (gfp & GFP_RECLAIMABLE));
	return gfp & (GFP_MOVABLE | GFP_RECLAIMABLE);
}
static_assert(GFP_MOVABLE == MIGRATE_MOVABLE && GFP_RECLAIMABLE == MIGRATE_RECLAIMABLE,
	      "the two gfp bits are the migrate type");

/* Allocate a chunk; refill the hart's stack too if it has one and the zone has plenty. */
static unsigned long zone_alloc(struct zone *zone, u32 gfp, unsigned int order,
				enum page_type type)
{
	const unsigned int mt = gfp_migratetype(gfp);
	const struct pcp_stack *st = pcp_stack(zone->mm->pcp[this_hart()->id], mt, order);
	const unsigned long batch = READ_ONCE(st->batch);
	const bool fill = order <= PCP_SMALL_ORDER && batch &&
			  zone_watermark_ok(zone, batch << order, gfp);
	unsigned long pfn;

	if (!zone_watermark_ok(zone, 1UL << order, gfp))
		return PFN_NONE;
	spin_lock(&zone->lock);
	pfn = rmqueue(zone, mt, order, type, fill);
	spin_unlock(&zone->lock);
	return pfn;
}

static unsigned long try_alloc(struct mm *mm, u32 gfp, unsigned int order,
			       enum page_type type)
{
	unsigned long pfn = PFN_NONE;

	if ((gfp & (GFP_MOVABLE | GFP_NORMAL)) == GFP_MOVABLE)
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

/* Drain this hart's cache and try again, then every hart's and try again, then fail. */
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
static unsigned long alloc_uncached(struct mm *mm, u32 gfp, unsigned int order,
				    enum page_type type)
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

/* --- allocating ------------------------------------------------------------------ */

static __noinline __cold unsigned long trace_alloc(unsigned long pfn, unsigned int order,
						   enum page_type type)
{
	trace_emit(TRACE_FRAMES, .pfn = pfn, .count = 1U << order, .before = PGTY_CACHED,
		   .after = type);
	return pfn;
}

/*
 * Allocate a chunk of order 1 to 10 from the cache. In the cache, a chunk of order 9 or 10
 * is uniform, and a counted type cannot use it.
 */
static __leaf __noinline unsigned long alloc_chunk(struct mm *mm, u32 gfp, unsigned int order,
						   enum page_type type)
{
	struct pcp *pcp = mm->pcp[this_hart()->id];
	struct pcp_stack *st = pcp_stack(pcp, gfp % PCP_ROWS, order);
	unsigned long *top, pfn;

	if (unlikely(order > MAX_PAGE_ORDER))
		return alloc_uncached(mm, gfp, order, type);
	top = st->top - 1;
	pfn = *top;
	if (unlikely((long)pfn < 0 || (order < PAGEBLOCK_ORDER ?
					       !head_alloc(pfn_to_page(pfn), type) :
					       !type_is_plain(type))))
		return alloc_uncached(mm, gfp, order, type);
	if (order >= PAGEBLOCK_ORDER)
		pageblock_set_type(pcp_pageblock(mm, pcp, pfn), PGTY_CACHED, type);
	st->top = top;
	if (order > PCP_SMALL_ORDER)
		pcp->high_pages -= 1UL << order;
	if (unlikely(READ_ONCE(this_hart()->trace_mask)))
		return trace_alloc(pfn, order, type);
	return pfn;
}

__leaf unsigned long alloc_pages(struct mm *mm, u32 gfp, unsigned int order,
				 enum page_type type)
{
	struct pcp_stack *st;
	unsigned long *top, pfn;

	if (unlikely(order))
		return alloc_chunk(mm, gfp, order, type);
	st = pcp_stack(mm->pcp[this_hart()->id], gfp % PCP_ROWS, 0);
	top = st->top - 1;
	pfn = *top;
	/* PFN_NONE, from an empty stack or an always-empty row, is negative. */
	if (unlikely((long)pfn < 0 || !head_alloc(pfn_to_page(pfn), type)))
		return alloc_uncached(mm, gfp, 0, type);
	st->top = top;
	if (unlikely(READ_ONCE(this_hart()->trace_mask)))
		return trace_alloc(pfn, 0, type);
	return pfn;
}
static_assert(GFP_ZERO < PCP_ROWS && GFP_ZERO > NR_MIGRATE_STORED,
	      "zeroing takes a row that holds nothing, as does the row of no pageblock");

/* Take one given chunk of a section; its zone is locked. */
static int take_chunk(struct mem_section *ms, unsigned long pfn, unsigned int order, u32 word)
{
	const unsigned long end = pfn + (1UL << order);
	const unsigned int b = pageblock_index(pfn);
	u64 w = pb_read(&ms->pb[b]);

	if (order > PAGEBLOCK_ORDER)
		w |= pb_read(&ms->pb[b + 1]);
	if (w & PB_ISOLATE || section_next_used(ms, pfn, end) < end)
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

/* --- freeing --------------------------------------------------------------------- */

static __noinline __cold void trace_free(unsigned long pfn, unsigned int order,
					 enum page_type type)
{
	trace_emit(TRACE_FRAMES, .pfn = pfn, .count = 1U << order, .before = type,
		   .after = PGTY_CACHED);
}

/* Put a checked chunk without users into the hart's cache or the buddy allocator. */
static void free_chunk(struct mm *mm, struct mem_section *ms, unsigned long pfn,
		       unsigned int order)
{
	struct pageblock *pb = &ms->pb[pageblock_index(pfn)];
	struct zone *zone = ms->zone;
	const u64 w = pb_read(pb);

	if (order <= PCP_SMALL_ORDER && !(w & PB_AWAITED) && pcp_push(mm, pb, pfn, order))
		return;
	if (unlikely(page_poison))
		poison_fill(mm, pfn, 1UL << order);
	spin_lock(&zone->lock);
	buddy_free(ms, pfn, order);
	spin_unlock(&zone->lock);
}

/**
 * free_frozen_pages() - free a chunk of a counted type after its count reached 0
 * @mm: memory
 * @pfn: its head
 * @order: its order
 *
 * No mover can claim it: the caller has claimed it, or count 0 rules a claim out.
 * Context: thread; takes zone->lock. Compare with: Linux free_frozen_pages().
 */
void free_frozen_pages(struct mm *mm, unsigned long pfn, unsigned int order)
{
	VM_BUG_ON(READ_ONCE(pfn_to_page(pfn)->count));
	free_chunk(mm, pfn_to_section(mm, pfn), pfn, order);
}

/* Panic unless the chunk is allocated, has no flags, and is of this order. */
static void check_chunk(struct mm *mm, const struct mem_section *ms, unsigned long pfn,
			unsigned int order)
{
	const char *wrong = "is in no online section";
	u32 one = 1, word;
	u64 w;

	if (unlikely(!ms || !ms->zone))
		bad_free(mm, pfn, order, wrong);
	w = pb_read(&ms->pb[pageblock_index(pfn)]);
	if (w & PB_VALID)
		word = READ_ONCE(pfn_to_page(pfn)->word);
	else
		word = pb_const(w) | (pfn % PAGEBLOCK_NR_PAGES ? PG_TAIL << 8 : 0);
	/* It must have no flag, this order, and a type that alloc_pages() gives out. */
	if (unlikely(((word ^ order << 16) & 0xffff00U) || !type_is_alloc(PAGE_WORD_TYPE(word))))
		bad_free(mm, pfn, order, order > MAX_PAGE_ORDER ? "has no such order" : NULL);
	if (type_is_counted(PAGE_WORD_TYPE(word)) &&
	    !__atomic_compare_exchange_n(&pfn_to_page(pfn)->count, &one, 0, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		bad_free(mm, pfn, order, "has other references");
}

/* Free any chunk: check everything first. */
static void free_checked(struct mm *mm, unsigned long pfn, unsigned int order)
{
	struct mem_section *ms = pfn_to_section(mm, pfn);

	VM_BUG_ON(this_hart()->irq_depth);
	check_chunk(mm, ms, pfn, order);
	free_chunk(mm, ms, pfn, order);
}

/* The pageblock of a chunk that the caller frees; NULL if it is in no section. */
static __always_inline struct pageblock *freed_pageblock(const struct mm *mm, unsigned long pfn)
{
	struct mem_section *ms = pfn_to_section(mm, pfn);

	VM_BUG_ON(this_hart()->irq_depth);
	return likely(ms) ? &ms->pb[pageblock_index(pfn)] : NULL;
}

/*
 * Free a chunk that has a descriptor of its own into the hart's cache. Return: false, with
 * nothing changed, if it needs free_checked(): it is wrong, shared, in a pageblock that is
 * awaited, or its stack is full. @word: set to its old descriptor word.
 */
static __always_inline bool free_head(struct pcp *pcp, const struct pageblock *pb,
				      unsigned long pfn, unsigned int order, u32 *word)
{
	const u64 state = pb_read_owned(pb) >> PB_MT_SHIFT & (PCP_STATES - 1);
	struct pcp_stack *st = pcp->row[state] + (int)order;
	struct page *page = pfn_to_page(pfn);
	unsigned long *const top = st->top;

	*word = page->word;
	if (unlikely(top >= st->limit || !head_free(page, *word, order)))
		return false;
	*top = pfn;
	st->top = top + 1;
	return true;
}

/* Free a chunk of order 1 to 10 that the cache refused; its stack may just not be open. */
static __leaf __noinline void free_refused(struct mm *mm, unsigned long pfn, unsigned int order,
					   struct pcp *pcp, struct pageblock *pb)
{
	if (order > PCP_SMALL_ORDER && pcp_arm(pcp, pb_mt(pb_read(pb)), order))
		return free_pages(mm, pfn, order);
	free_checked(mm, pfn, order);
}

/* Free a chunk of order 9 or 10. If it is plain, it is uniform and has no descriptor. */
static __leaf __noinline void free_whole(struct mm *mm, unsigned long pfn, unsigned int order,
					 struct pcp *pcp, struct pageblock *pb)
{
	const unsigned long pages = 1UL << order;
	u64 w = pb_read_owned(pb);
	struct pcp_stack *st = pcp_stack(pcp, pb_mt(w), order);
	const u32 word = pb_const(w), type = (word << 8) - (order << 24 | PGTY_FIRST_PLAIN << 8);

	if (order > PAGEBLOCK_ORDER)
		w |= pb_read_owned(pb + 1) & PB_AWAITED;
	if (unlikely(pcp->high_pages + pages > READ_ONCE(pcp->high_limit) || st->top >= st->limit ||
		     type > (PGTY_LAST_PLAIN - PGTY_FIRST_PLAIN) << 8 ||
		     (w & (PB_VALID | PB_AWAITED)) | (pfn & (pages - 1))))
		return free_refused(mm, pfn, order, pcp, pb);
	pageblock_set_type(pb, PAGE_WORD_TYPE(word), PGTY_CACHED);
	*st->top++ = pfn;
	pcp->high_pages += pages;
	pcp_remember(pcp, pb, pfn);
	if (unlikely(READ_ONCE(this_hart()->trace_mask)))
		trace_free(pfn, order, PAGE_WORD_TYPE(word));
}

/* Free a chunk of any order but 0. */
static __leaf __noinline void free_order(struct mm *mm, unsigned long pfn, unsigned int order)
{
	struct pcp *pcp = mm->pcp[this_hart()->id];
	struct pageblock *pb = pcp->pb;
	unsigned long pages;
	u32 word;

	if (unlikely(pcp->block != pfn >> PAGEBLOCK_ORDER))
		pb = freed_pageblock(mm, pfn);
	if (unlikely(!pb || order > MAX_PAGE_ORDER))
		return free_checked(mm, pfn, order);
	if (order >= PAGEBLOCK_ORDER)
		return free_whole(mm, pfn, order, pcp, pb);
	pages = order > PCP_SMALL_ORDER ? 1UL << order : 0;
	if (unlikely(pcp->high_pages + pages > READ_ONCE(pcp->high_limit) ||
		     !free_head(pcp, pb, pfn, order, &word)))
		return free_refused(mm, pfn, order, pcp, pb);
	pcp->high_pages += pages;
	pcp_remember(pcp, pb, pfn);
	if (unlikely(READ_ONCE(this_hart()->trace_mask)))
		trace_free(pfn, order, PAGE_WORD_TYPE(word));
}

__leaf void free_pages(struct mm *mm, unsigned long pfn, unsigned int order)
{
	struct pageblock *pb;
	struct pcp *pcp;
	u32 word;

	if (unlikely(order))
		return free_order(mm, pfn, order);
	pcp = mm->pcp[this_hart()->id];
	if (likely(pcp->block == pfn >> PAGEBLOCK_ORDER)) {
		if (unlikely(!free_head(pcp, pcp->pb, pfn, 0, &word)))
			return free_checked(mm, pfn, 0);
	} else {
		pb = freed_pageblock(mm, pfn);
		if (unlikely(!pb || !free_head(pcp, pb, pfn, 0, &word)))
			return free_checked(mm, pfn, 0);
		pcp_remember(pcp, pb, pfn);
	}
	if (unlikely(READ_ONCE(this_hart()->trace_mask)))
		trace_free(pfn, 0, PAGE_WORD_TYPE(word));
}

/* --- many single frames at once, a pageblock or a word of free bits at a time ----- */

static unsigned long zone_bulk(struct zone *zone, u32 gfp, enum page_type type,
			       unsigned long nr, unsigned long *pfns)
{
	const unsigned int mt = gfp_migratetype(gfp);
	unsigned long got = 0;

	while (got < nr) {
		unsigned long part = min(nr - got, BULK_BATCH), n;

		if (!zone_watermark_ok(zone, part, gfp) && !zone_watermark_ok(zone, part = 1, gfp))
			break;
		spin_lock(&zone->lock);
		n = rmqueue_bulk(zone, mt, type, part, pfns + got);
		spin_unlock(&zone->lock);
		if (!n)
			break;
		got += n;
	}
	return got;
}

unsigned long alloc_pages_bulk(struct mm *mm, u32 gfp, enum page_type type, unsigned long nr,
			       unsigned long *pfns)
{
	unsigned long got = 0;

	BUG_ON(!type_is_alloc(type) || (gfp & GFP_ZERO));
	if ((gfp & (GFP_MOVABLE | GFP_NORMAL)) == GFP_MOVABLE)
		got = zone_bulk(mm_zone(mm, ZONE_MOVABLE), gfp, type, nr, pfns);
	if (got < nr)
		got += zone_bulk(mm_zone(mm, ZONE_NORMAL), gfp, type, nr - got, pfns + got);
	/* The slow path gets the rest, frame by frame: it drains and warns. */
	for (; got < nr; got++) {
		pfns[got] = alloc_pages(mm, gfp, 0, type);
		if (pfns[got] == PFN_NONE)
			break;
	}
	return got;
}

/*
 * Free the leading frames that lie in one zone, under one hold of its lock, as far as their
 * descriptors allow it. Return: how many; if 0, the first frame needs the slow path.
 */
static unsigned long zone_free_bulk(struct mm *mm, const unsigned long *pfns, unsigned long nr)
{
	struct mem_section *ms = pfn_to_section(mm, pfns[0]);
	struct zone *zone = ms ? ms->zone : NULL;
	unsigned long done;

	if (!zone || page_poison)
		return 0;
	spin_lock(&zone->lock);
	done = buddy_free_singles(zone, pfns, min(nr, BULK_BATCH),
				  page_word(PGTY_FIRST_PLAIN, 0, 0, zone->type),
				  PGTY_LAST_PLAIN - PGTY_FIRST_PLAIN);
	spin_unlock(&zone->lock);
	return done;
}

void free_pages_bulk(struct mm *mm, const unsigned long *pfns, unsigned long nr)
{
	unsigned long i = 0;

	while (i < nr) {
		const unsigned long n = zone_free_bulk(mm, pfns + i, nr - i);

		if (n == 0)
			free_pages(mm, pfns[i], 0);
		i += n ? n : 1;
	}
}
