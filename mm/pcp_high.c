/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Per-hart caches of the orders above PCP_SMALL_ORDER: a few chunks each, bounded
 * in pages by the hart's share. A chunk of order 9 or 10 mostly is uniform: its type
 * changes by one compare and swap on its pageblock's word, because another hart
 * may isolate it at the same time. See pcp.c.
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
 * pcp_alloc_high() - a chunk above PCP_SMALL_ORDER out of the caller's cache
 * @mm: memory
 * @mt: migrate type
 * @order: order
 * @type: what it becomes; a uniform chunk does not fit a type with a count
 *
 * Return: its first frame, or PFN_NONE.
 */
unsigned long pcp_alloc_high(struct mm *mm, unsigned int mt, unsigned int order,
			     enum page_type type)
{
	struct pcp *pcp = mm->pcp[this_hart()->id];
	struct pcp_stack *st = &pcp->high[mt * 16 + order];
	struct pageblock *pb;
	unsigned long pfn;
	u64 w;

	if (st->top == st->base)
		return PFN_NONE;
	pfn = st->top[-1];
	pb = pfn_pageblock(mm, pfn);
	w = pb_read(pb);
	if (w & PB_VALID) {
		struct page *page = pfn_to_page(pfn);

		page->owner = 0;
		WRITE_ONCE(page->word, page->word + type - PGTY_CACHED);
		WRITE_ONCE(page->count, type_is_counted(type));
	} else if (!type_is_counted(type)) {
		WRITE_ONCE(pb->owner, 0);
		pageblock_cas_type(pb, w, type);
	} else {
		return PFN_NONE;
	}
	st->top--;
	pcp->high_pages -= 1UL << order;
	return likely(!this_hart()->trace_mask) ? pfn : trace_high(pfn, order, PGTY_CACHED, type);
}

/**
 * pcp_free_high() - free an allocated chunk of a type without a count into the cache
 * @mm: memory
 * @pfn: whatever free_pages() was given
 * @order: the same
 *
 * Return: false if nothing was done, because there is no room, the chunk is isolated,
 * or something is wrong with it.
 */
bool pcp_free_high(struct mm *mm, unsigned long pfn, unsigned int order)
{
	struct pcp *pcp = mm->pcp[this_hart()->id];
	struct mem_section *ms = pfn_to_section(mm, pfn);
	const unsigned long pages = 1UL << order;
	struct pcp_stack *st;
	struct pageblock *pb;
	struct page *page;
	u32 word, type;
	u64 w;

	if (!ms || order > MAX_PAGE_ORDER || pfn & (pages - 1) ||
	    pcp->high_pages + pages > READ_ONCE(pcp->high_limit))
		return false;
	pb = &ms->pb[pageblock_index(pfn)];
	page = pfn_to_page(pfn);
	w = pb_read(pb);
	word = w & PB_VALID ? READ_ONCE(page->word) : pb_const(w);
	type = (word << 8) - (order << 24 | PGTY_FIRST_ALLOC << 8);
	st = &pcp->high[pb_mt(w) * 16 + order];
	if (type > (PGTY_KERNEL - PGTY_FIRST_ALLOC) << 8 || w & PB_ISOLATE ||
	    (order > PAGEBLOCK_ORDER && pb_read(pb + 1) & PB_ISOLATE) ||
	    st->top >= st->base + READ_ONCE(st->cap))
		return false;
	if (w & PB_VALID)
		WRITE_ONCE(page->word, page_word(PGTY_CACHED, 0, order, PAGE_WORD_ZONE(word)));
	else
		pageblock_cas_type(pb, w, PGTY_CACHED);
	*st->top++ = pfn;
	pcp->high_pages += pages;
	pcp->armed |= 1UL << (pb_mt(w) * 16 + order);
	if (unlikely(this_hart()->trace_mask))
		trace_high(pfn, order, PAGE_WORD_TYPE(word), PGTY_CACHED);
	return true;
}
