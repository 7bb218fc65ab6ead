/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freeing chunks outside of the fast path in pcp.c: check everything, then put the
 * chunk into the hart's cache or, if its pageblock is isolated or watched, into the
 * buddy allocator, which wakes the waiters. Compare with: Linux __free_frozen_pages(),
 * free_pages_prepare().
 */
#include "mm/internal.h"

/**
 * bad_free() - panic, naming the frame and its state
 * @mm: memory
 * @pfn: frame that the caller tried to free
 * @order: order that the caller gave
 * @what: what is wrong with the frame
 */
void bad_free(struct mm *mm, unsigned long pfn, unsigned int order, const char *what)
{
	struct page_state st;

	if (!page_state_get(mm, pfn, &st))
		panic("%s: free of pfn 0x%lx, order %u: no online memory", mm->name, pfn, order);
	panic("%s: free of pfn 0x%lx, order %u: it %s: it is %s, %sorder %u, "
	      "flags 0x%x, count %u, head 0x%lx",
	      mm->name, pfn, order, what, page_type_name(st.type),
	      st.flags & PG_TAIL ? "tail, " : "", st.order, st.flags, st.count, st.head);
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

/*
 * Free a chunk of a counted type after its last reference has gone. Its count is 0, and
 * no mover can claim it: the caller has claimed it, or count 0 rules a claim out.
 */
void free_dead_chunk(struct mm *mm, unsigned long pfn, unsigned int order)
{
	VM_BUG_ON(READ_ONCE(pfn_to_page(pfn)->count));
	free_chunk(mm, pfn_to_section(mm, pfn), pfn, order);
}

/* Say what makes a chunk's word unfit to be freed. */
static const char *check_word(u32 word, unsigned int order)
{
	if (PAGE_WORD_TYPE(word) == PGTY_BUDDY || PAGE_WORD_TYPE(word) == PGTY_CACHED)
		return "is free already";
	if (!type_is_alloc(PAGE_WORD_TYPE(word)))
		return "was not allocated";
	if (PAGE_WORD_FLAGS(word) & PG_TAIL)
		return "is the tail of a chunk";
	if (PAGE_WORD_ORDER(word) != order)
		return "has another order";
	if (PAGE_WORD_FLAGS(word) & PG_CLAIMED)
		return "is being moved";
	if (PAGE_WORD_FLAGS(word) & PG_PINNED)
		return "is pinned";
	return "cannot be freed";
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
	/* No flag, that order, and a type that is given out. */
	if (unlikely(((word ^ order << 16) & 0xffff00U) || !type_is_alloc(PAGE_WORD_TYPE(word))))
		bad_free(mm, pfn, order, order > MAX_PAGE_ORDER ? "has no such order" :
								  check_word(word, order));
	if (type_is_counted(PAGE_WORD_TYPE(word)) &&
	    !__atomic_compare_exchange_n(&pfn_to_page(pfn)->count, &one, 0, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		bad_free(mm, pfn, order, "has other references");
}

/* Free any chunk on the slow path: check everything first. */
void free_checked(struct mm *mm, unsigned long pfn, unsigned int order)
{
	struct mem_section *ms = pfn_to_section(mm, pfn);

	VM_BUG_ON(this_hart()->irq_depth);
	check_chunk(mm, ms, pfn, order);
	free_chunk(mm, ms, pfn, order);
}

void free_pages_slow(struct mm *mm, unsigned long pfn, unsigned int order)
{
	if (order > PCP_SMALL_ORDER)
		pcp_free_high(mm, pfn, order);
	else
		free_checked(mm, pfn, order);
}
