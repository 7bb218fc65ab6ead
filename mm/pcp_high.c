/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Per-hart caches of the orders above PCP_SMALL_ORDER: a few chunks each, and no more
 * pages than the hart's share allows. A chunk of order 9 or 10 mostly is uniform: its
 * type changes by one compare and swap on its pageblock's word, because another hart may
 * isolate it at the same time. See pcp.c.
 */
#include "mm/internal.h"

static __noinline __cold unsigned long trace_high(unsigned long pfn, unsigned int order,
						  enum page_type before, enum page_type after)
{
	trace_emit(TRACE_FRAMES, .pfn = pfn, .count = 1U << order, .before = before,
		   .after = after);
	return pfn;
}

/**
 * pcp_alloc_high() - allocate a chunk above PCP_SMALL_ORDER, from the cache if possible
 * @mm: memory
 * @gfp: GFP_*, without GFP_ZERO
 * @order: order, MAX_PAGE_ORDER at most
 * @type: the chunk's new type; a counted type cannot use a uniform chunk of the cache
 *
 * Return: the chunk's first frame, or PFN_NONE.
 */
__leaf unsigned long pcp_alloc_high(struct mm *mm, u32 gfp, unsigned int order,
				    enum page_type type)
{
	const struct hart *hart = this_hart();
	struct pcp *pcp = mm->pcp[hart->id];
	struct pcp_stack *st = &pcp->high[(gfp % 4) << 4 | order];
	const unsigned long pfn = st->top[-1];
	struct pageblock *pb;
	u64 w;

	if (unlikely((long)pfn < 0 || !type_is_alloc(type)))
		return alloc_uncached(mm, gfp, order, type);
	pb = pfn_pageblock(mm, pfn);
	w = pb_read(pb);
	if (unlikely(w & PB_VALID)) {
		struct page *page = pfn_to_page(pfn);

		page_born(page, page->word + type - PGTY_CACHED);
	} else if (likely(!type_is_counted(type))) {
		WRITE_ONCE(pb->owner, 0);
		pageblock_cas_type(pb, w, type);
	} else {
		return alloc_uncached(mm, gfp, order, type);
	}
	st->top--;
	pcp->high_pages -= 1UL << order;
	if (unlikely(READ_ONCE(hart->trace_mask)))
		return trace_high(pfn, order, PGTY_CACHED, type);
	return pfn;
}

/* Push a chunk that already has type Cached. */
static inline void push_high(struct pcp *pcp, struct pcp_stack *st, unsigned long pfn,
			     unsigned int order)
{
	*st->top++ = pfn;
	pcp->high_pages += 1UL << order;
	pcp->armed |= 1UL << (st - pcp->high);
}

/**
 * pcp_free_high() - free a chunk above PCP_SMALL_ORDER, into the cache if possible
 * @mm: memory
 * @pfn: as passed to free_pages(), unchecked
 * @order: as passed to free_pages(), unchecked
 *
 * free_checked() handles counted types, isolated or watched chunks, a full stack, and
 * reports errors.
 */
__leaf void pcp_free_high(struct mm *mm, unsigned long pfn, unsigned int order)
{
	const struct hart *hart = this_hart();
	struct pcp *pcp = mm->pcp[hart->id];
	struct mem_section *ms = pfn_to_section(mm, pfn);
	struct pcp_stack *st;
	struct pageblock *pb;
	u32 word, type;
	u64 w;

	if (unlikely(!ms || order > MAX_PAGE_ORDER ||
		     pcp->high_pages + (1UL << order) > READ_ONCE(pcp->high_limit)))
		return free_checked(mm, pfn, order);
	pb = &ms->pb[pageblock_index(pfn)];
	w = pb_read(pb);
	if (order > PAGEBLOCK_ORDER)
		w |= pb_read(pb + 1) & PB_AWAITED;
	word = frame_word(w, pfn);
	type = (word << 8) - (order << 24 | PGTY_FIRST_PLAIN << 8);
	st = &pcp->high[pb_mt(w) << 4 | order];
	if (unlikely(type > (PGTY_LAST_PLAIN - PGTY_FIRST_PLAIN) << 8 || w & PB_AWAITED ||
		     pfn & ((1UL << order) - 1) || st->top >= st->base + READ_ONCE(st->cap)))
		return free_checked(mm, pfn, order);
	if (w & PB_VALID)
		WRITE_ONCE(pfn_to_page(pfn)->word,
			   page_word(PGTY_CACHED, 0, order, PAGE_WORD_ZONE(word)));
	else
		pageblock_cas_type(pb, w, PGTY_CACHED);
	push_high(pcp, st, pfn, order);
	if (unlikely(READ_ONCE(hart->trace_mask)))
		trace_high(pfn, order, PAGE_WORD_TYPE(word), PGTY_CACHED);
}
