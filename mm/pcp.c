/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Per-hart page caches: stacks of free chunks by migrate type and order. A hart
 * uses its stacks without lock, atomics or masking interrupts: kernel code is not
 * preempted, and interrupt handlers neither allocate nor free. Other harts reach
 * them only by a grace period (drain_all_pages()).
 *
 * A cached chunk has type Cached: in its head's descriptor, or in the pageblock's word if
 * it is a whole uniform pageblock. Its tails stay as they are. Frames of isolated
 * pageblocks never enter a cache; frames that are cached when their pageblock is isolated
 * leave in the next drain.
 *
 * Compare with: Linux struct per_cpu_pages (lists, a lock, masked interrupts).
 */
#include "kernel/quiesce.h"
#include "kernel/trace/trace.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pageblock_index.h"
#include "mm/pcp.h"
#include "mm/poison.h"

/* Largest number of chunks in a stack, by order; PCP_MAX_CHUNKS is the sum. */
static const u16 pcp_chunks[NR_PAGE_ORDERS] = { 256, 32, 16, 8, 4, 4, 4, 4, 4, 2, 2 };

struct pcp pcp_none;

static void init_empty(struct pcp_stack *st, unsigned long *base)
{
	st->base = st->top = st->limit = base;
}

/* Make all stacks empty; they can hold nothing until pcp_set_limits(). */
void pcp_init(struct pcp *pcp)
{
	memset(pcp, 0, sizeof(*pcp));
	pcp->block = PFN_NONE;
	pcp->none = PFN_NONE;
	for (unsigned int i = 0; i < ARRAY_SIZE(pcp->stack); i++)
		init_empty(&pcp->stack[i], &pcp->none + 1);
	for (unsigned int i = 0; i < PCP_STATES; i++)
		pcp->row[i] = pcp_stack(pcp, NR_MIGRATE_STORED, 0);
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++) {
		unsigned long *slot = pcp->slots[mt];

		pcp->row[PB_VALID >> PB_MT_SHIFT | mt] = pcp_stack(pcp, mt, 0);
		for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
			struct pcp_stack *st = pcp_stack(pcp, mt, order);

			*slot++ = PFN_NONE;
			init_empty(st, slot);
			slot += pcp_chunks[order];
		}
	}
}

/* From this share on, the small orders have their full number of chunks. */
#define FULL_SHARE (pcp_chunks[0] * 2UL * 12)

/*
 * Set a hart's limits. Its share is 1/8 of the memory divided by the number of harts
 * with caches: half of it for small orders, half for the others.
 */
static void set_limits(struct pcp *pcp, unsigned long share)
{
	const bool same = min(share, pcp->share) >= FULL_SHARE && !page_poison;

	WRITE_ONCE(pcp->high_limit, share / 2);
	pcp->share = share;
	if (same)
		return;
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++) {
		for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
			struct pcp_stack *st = pcp_stack(pcp, mt, order);
			unsigned long nr = pcp_chunks[order];

			if (order <= PCP_SMALL_ORDER)
				nr = min(nr, (share / 2 / 12) >> order);
			if (page_poison)
				nr = 0;
			WRITE_ONCE(st->cap, nr);
			WRITE_ONCE(st->batch, (nr + 3) / 4);
		}
	}
}

/* Adjust the limits to the managed count; small changes are not worth the work. */
void pcp_set_limits(struct mm *mm)
{
	const unsigned int last = nr_harts();
	unsigned long managed = 0, nr = 0, share, diff;

	for (unsigned int i = 0; i < NR_ZONES; i++)
		managed += READ_ONCE(mm->zone[i].managed);
	for (unsigned int i = 0; i < last; i++)
		nr += mm->pcp[i] != &pcp_none;
	share = managed / (8 * max(nr, 1UL));
	for (unsigned int i = 0; i < last; i++) {
		struct pcp *pcp = mm->pcp[i];

		if (pcp == &pcp_none)
			continue;
		diff = share > pcp->share ? share - pcp->share : pcp->share - share;
		if (diff > pcp->share / 16 || page_poison)
			set_limits(pcp, share);
	}
}

/* Let a stack take chunks, and note that a drain must empty it. */
static void arm(struct pcp *pcp, struct pcp_stack *st, unsigned int mt, unsigned int order)
{
	pcp->armed |= 1UL << (mt * 16 + order);
	st->limit = st->base + READ_ONCE(st->cap);
}

/**
 * pcp_arm() - open a stack that was not used since the last drain
 * @pcp: the caller's
 * @mt: migrate type
 * @order: 0..MAX_PAGE_ORDER
 *
 * Return: false if it is open already, or may hold nothing.
 */
bool pcp_arm(struct pcp *pcp, unsigned int mt, unsigned int order)
{
	struct pcp_stack *st = pcp_stack(pcp, mt, order);

	if (st->limit != st->base || !READ_ONCE(st->cap))
		return false;
	arm(pcp, st, mt, order);
	return true;
}

/**
 * pcp_refill() - take a batch of chunks from a zone into the caller's empty stack
 * @zone: locked
 * @from: migrate type and SEARCH_*
 * @order: up to PCP_SMALL_ORDER
 *
 * Return: one more chunk, typed Cached and not in the stack; PFN_NONE if there is none.
 */
unsigned long pcp_refill(struct zone *zone, unsigned int from, unsigned int order)
{
	const unsigned int mt = from & SEARCH_TYPE;
	struct pcp *pcp = zone->mm->pcp[this_hart()->id];
	struct pcp_stack *st = pcp_stack(pcp, mt, order);
	unsigned int nr = READ_ONCE(st->batch);

	arm(pcp, st, mt, order);
	if (order == 0) {
		st->top += buddy_alloc_singles(zone, from, nr, st->top, PGTY_CACHED);
	} else {
		while (nr-- && (*st->top = buddy_alloc(zone, from, order, PGTY_CACHED)) != PFN_NONE)
			st->top++;
	}
	return st->top == st->base ? PFN_NONE : *--st->top;
}

/* Free the leading chunks of a list that lie in one zone. Return: how many, at least 1. */
static unsigned long flush_zone(struct mm *mm, const unsigned long *pfn, unsigned long nr,
				unsigned int order)
{
	struct mem_section *ms = pfn_to_section(mm, *pfn);
	struct zone *zone = ms->zone;
	unsigned long done = 0;

	spin_lock(&zone->lock);
	if (!order)
		done = buddy_free_singles(zone, pfn, nr,
					  page_word(PGTY_CACHED, 0, 0, zone->type), 0);
	for (; order && ms && ms->zone == zone;
	     ms = done < nr ? pfn_to_section(mm, pfn[done]) : NULL)
		buddy_free(ms, pfn[done++], order);
	spin_unlock(&zone->lock);
	BUG_ON(!done);
	return done;
}

/* Move the top @nr entries of a stack to the buddy allocator, zone by zone. */
static void flush(struct mm *mm, struct pcp_stack *st, unsigned int order, unsigned long nr)
{
	unsigned long *const first = st->top - nr;

	for (unsigned long done = 0; done < nr;)
		done += flush_zone(mm, first + done, nr - done, order);
	st->top = first;
}

/* Find the stack of a small order and make room for a chunk; NULL if it may hold none. */
static struct pcp_stack *low_stack(struct mm *mm, struct pcp *pcp, unsigned int mt,
				   unsigned int order)
{
	struct pcp_stack *st = pcp_stack(pcp, mt, order);
	const unsigned long batch = READ_ONCE(st->batch);

	if (st->top >= st->base + READ_ONCE(st->cap)) {
		if (!batch)
			return NULL;
		flush(mm, st, order, min(batch, (unsigned long)(st->top - st->base)));
	}
	return st;
}

/**
 * pcp_push() - keep a chunk that the caller has freed, if there is room
 * @mm: memory
 * @pb: its pageblock, which is valid and not isolated
 * @pfn: first frame; the chunk is checked and has no other user
 * @order: 0..PCP_SMALL_ORDER
 *
 * Return: false if the caller must give the chunk to the buddy allocator.
 */
bool pcp_push(struct mm *mm, struct pageblock *pb, unsigned long pfn, unsigned int order)
{
	struct pcp *pcp = mm->pcp[this_hart()->id];
	const unsigned int mt = pb_mt(pb_read(pb));
	struct pcp_stack *st = low_stack(mm, pcp, mt, order);
	struct page *page = pfn_to_page(pfn);
	const u32 word = READ_ONCE(page->word);

	if (!st)
		return false;
	arm(pcp, st, mt, order);
	pcp_remember(pcp, pb, pfn);
	WRITE_ONCE(page->word, page_word(PGTY_CACHED, 0, order, PAGE_WORD_ZONE(word)));
	*st->top++ = pfn;
	trace_emit(TRACE_FRAMES, .pfn = pfn, .count = 1U << order,
		   .before = PAGE_WORD_TYPE(word), .after = PGTY_CACHED);
	return true;
}

void drain_local_pages(struct mm *mm)
{
	struct pcp *pcp = mm->pcp[this_hart()->id];

	/* Harts without caches share pcp_none: do not write even its empty fields. */
	if (pcp == &pcp_none)
		return;
	for (; pcp->armed; pcp->armed &= pcp->armed - 1) {
		const unsigned int at = __ffs(pcp->armed);
		struct pcp_stack *st = pcp_stack(pcp, at / 16, at % 16);

		flush(mm, st, at % 16, st->top - st->base);
		st->limit = st->base;
	}
	pcp->high_pages = 0;
	pcp->block = PFN_NONE;
}

static void drain_fn(void *arg)
{
	drain_local_pages(arg);
}

/* The drain also makes the harts forget the last pageblock that they freed into. */
int drain_all_pages(struct mm *mm, u64 timeout_ns)
{
	return on_each_hart(drain_fn, mm, timeout_ns);
}
