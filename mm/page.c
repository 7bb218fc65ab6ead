/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading frames: consistent copies of their state without a lock, references, pins and
 * owner words. tools/lint/accessors.py lists the other files that touch descriptors.
 *
 * A reader loads the pageblock word, then perhaps descriptors, then the word again: if
 * "valid" or the sequence changed meanwhile, it starts over.
 * Compare with: Linux mm/debug.c snapshot_page().
 */
#include "kernel/trace/hold.h"
#include "kernel/trace/trace.h"
#include "lib/errno.h"
#include "mm/memory_hotplug.h"
#include "mm/free.h"
#include "mm/page_isolation.h"
#include "mm/pageblock.h"
#include "mm/vmstat.h"

static const struct {
	const char *name;
	u8 count, mobility;
	s8 kpf;
} types[] = {
#define X(ident, str, cnt, alloc, mob, kpf_bit, owner, meaning)                                 \
	[PGTY_##ident] = { str, PAGE_COUNT_##cnt, PAGE_MOBILITY_##mob, kpf_bit },
	PAGE_TYPES(X)
#undef X
};

static const char *const migratetypes[] = { MIGRATE_TYPES(TABLE_WORD) };

const char *page_type_name(enum page_type type)
{
	return type < NR_PAGE_TYPES ? types[type].name : "?";
}

const char *migratetype_name(unsigned int migratetype)
{
	return migratetype < NR_MIGRATE_TYPES ? migratetypes[migratetype] : "?";
}

enum page_count_rule page_type_count_rule(enum page_type type)
{
	return type < NR_PAGE_TYPES ? types[type].count : PAGE_COUNT_NONE;
}

enum page_mobility page_type_mobility(enum page_type type)
{
	return type < NR_PAGE_TYPES ? types[type].mobility : PAGE_MOBILITY_FIXED;
}

int page_type_kpf(enum page_type type)
{
	return type < NR_PAGE_TYPES ? types[type].kpf : -1;
}

/* The section of a pfn, if the section is online and so has readable descriptors. */
static struct mem_section *online_section(const struct mm *mm, unsigned long pfn)
	__must_hold(walk_bracket)
{
	struct mem_section *ms = walk_section(mm, pfn);

	return ms && (READ_ONCE(ms->flags) & SECTION_ONLINE) ? ms : NULL;
}

/* Load a descriptor's word and count together. Acquire: later loads stay behind this one. */
static u64 word_and_count(const struct page *page)
{
	return __atomic_load_n((const u64 *)page, __ATOMIC_ACQUIRE);
}

/*
 * Fill @st from @desc, see word_and_count(). The type decides: types without a count or
 * owner show none, whatever lies in these words.
 */
static void fill_state(struct page_state *st, u64 desc, u64 owner)
{
	st->type = PAGE_WORD_TYPE(desc);
	st->flags = PAGE_WORD_FLAGS(desc);
	st->order = PAGE_WORD_ORDER(desc);
	st->zone = PAGE_WORD_ZONE(desc);
	st->count = type_is_counted(st->type) ? desc >> 32 : 0;
	st->owner = type_is_alloc(st->type) ? owner : 0;
}

/* Read a uniform pageblock's word; in the second half of an order-10 chunk, the head's. */
static bool state_uniform(const struct mem_section *ms, unsigned long pfn, u64 w,
			  struct page_state *st)
{
	const struct pageblock *pb = &ms->pb[pageblock_index(pfn)];
	const unsigned int order = PAGE_WORD_ORDER(pb_const(w));
	u64 head = w;

	if (PAGE_WORD_FLAGS(pb_const(w)) & PG_TAIL) {
		head = pb_read(--pb);
		if ((head & PB_VALID) || PAGE_WORD_ORDER(pb_const(head)) != order)
			return false;
	}
	fill_state(st, pb_const(head), pageblock_owner(pb));
	st->head = pfn & ~((1UL << order) - 1);
	if (st->head != pfn)
		st->flags |= PG_TAIL;
	st->uniform = 1;
	return true;
}

/* Read a valid pageblock: the frame's own descriptor and, if it is a tail, its head's. */
static bool state_valid(const struct mem_section *ms, unsigned long pfn, u64 w,
			struct page_state *st)
{
	const struct pageblock *pb = &ms->pb[pageblock_index(pfn)];
	const struct page *page = pfn_to_page(pfn);
	const u64 own = word_and_count(page);
	u64 desc = own;

	st->head = pfn;
	if (PAGE_WORD_FLAGS(own) & PG_TAIL) {
		st->head = pfn & ~((1UL << PAGE_WORD_ORDER(own)) - 1);
		page = pfn_to_page(st->head);
		if (!(pb_read(&ms->pb[pageblock_index(st->head)]) & PB_VALID))
			return false;
		desc = word_and_count(page);
		if ((desc ^ own) & (0xffU << 16) || PAGE_WORD_FLAGS(desc) & PG_TAIL)
			return false;
	}
	fill_state(st, desc, READ_ONCE(page->owner));
	st->flags |= PAGE_WORD_FLAGS(own) & PG_TAIL;
	st->uniform = 0;
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* the re-checks come after those loads */
	return !((pb_read(pb) ^ w) & PB_STATE_MASK) &&
	       READ_ONCE(page->word) == (u32)desc;
}

static bool state_try(const struct mem_section *ms, unsigned long pfn, struct page_state *st)
{
	const u64 w = pb_read(&ms->pb[pageblock_index(pfn)]);

	st->isolated = !!(w & PB_ISOLATE);
	st->migratetype = pb_mt(w);
	return w & PB_VALID ? state_valid(ms, pfn, w, st) : state_uniform(ms, pfn, w, st);
}

/* The number of times that a reader tries without the lock before it takes the lock. */
#define STATE_TRIES 16

/* Read under the zone's lock. If the caller already holds it, one more try succeeds. */
static bool state_locked(const struct mem_section *ms, unsigned long pfn, struct page_state *st)
	__must_hold(walk_bracket)
{
	struct zone *zone = section_zone(ms);
	bool found;

	if (zone && spin_is_held(&zone->lock))
		return state_try(ms, pfn, st);
	zone = section_lock_zone(ms);
	if (!zone)
		return false;
	found = state_try(ms, pfn, st);
	section_unlock_zone(zone);
	return found;
}

bool page_state_get(const struct mm *mm, unsigned long pfn, struct page_state *st)
{
	const struct mem_section *ms;
	bool found = false;

	pfn_walk_begin();
	ms = online_section(mm, pfn);
	for (unsigned int i = 0; ms && !found && i < STATE_TRIES; i++)
		found = state_try(ms, pfn, st);
	if (ms && unlikely(!found))
		found = state_locked(ms, pfn, st);
	pfn_walk_end();
	return found;
}

/*
 * page_state_get() for a frame of an online, isolated range: no hart can allocate there, so
 * a single frame needs no re-check. At worst the answer is a moment old.
 */
bool page_state_isolated(const struct mm *mm, unsigned long pfn, struct page_state *st)
{
	const struct page *page = pfn_to_page(pfn);
	const u64 w = pb_read(pfn_pageblock(mm, pfn));
	u64 desc;

	if (!(w & PB_VALID))
		return page_state_get(mm, pfn, st);
	desc = word_and_count(page);
	if (PAGE_WORD_FLAGS(desc) & PG_TAIL)
		return page_state_get(mm, pfn, st);
	*st = (struct page_state){ .isolated = 1, .migratetype = pb_mt(w), .head = pfn };
	fill_state(st, desc, READ_ONCE(page->owner));
	return true;
}

/* Count @frames frames by type and flags of @w: the word that they share, or their head's. */
static void look_add(struct pageblock_look *look, u32 w, unsigned long frames,
		     unsigned long nr[NR_PAGE_TYPES])
{
	const unsigned int type = PAGE_WORD_TYPE(w) < NR_PAGE_TYPES ? PAGE_WORD_TYPE(w) : PGTY_NONE;

	nr[type] += frames;
	look->types |= BIT(type);
	look->pinned |= !!(PAGE_WORD_FLAGS(w) & PG_PINNED);
}

/*
 * Count the frames from @pfn on, up to @end, that are alike: free frames, a chunk, or
 * single frames with equal words. Sets @w to their word; for a chunk, to its head's.
 */
static __always_inline unsigned long alike(const struct mem_section *ms, unsigned long pfn,
					   unsigned long end, u32 *w)
{
	const struct page *page = pfn_to_page(pfn);
	const unsigned int off = pfn % PAGEBLOCK_NR_PAGES;
	unsigned long next = pfn + 1;
	unsigned int order;

	*w = READ_ONCE(page->word);
	order = PAGE_WORD_ORDER(*w);
	if (PAGE_WORD_TYPE(*w) == PGTY_BUDDY)
		return max(bits_next_clear(pb_bits(ms, pageblock_index(pfn)), off), off + 1) - off;
	if (PAGE_WORD_FLAGS(*w) & PG_TAIL)
		*w = READ_ONCE(pfn_to_page(pfn & ~((1UL << order) - 1))->word);
	if (order)
		return min(ALIGN_UP(next, 1UL << order), end) - pfn;
	if (pfn == ms->host_pfn && PAGE_WORD_TYPE(*w) == PGTY_MEMMAP)
		return min(pfn + MHP_HEADER_PAGES, end) - pfn;
	while (next < end && READ_ONCE((++page)->word) == *w)
		next++;
	return next - pfn;
}

/* The bits that are equal in pageblocks that are alike; index and sequence may differ. */
#define PB_ALIKE (0xffffUL << PB_CONST_SHIFT | PB_VALID | PB_ISOLATE | PB_MT_MASK)

/* Uniform: the second half of an order-10 chunk, or a run of pageblocks that are alike. */
static unsigned int look_uniform(const struct pageblock *pb, const struct pageblock *end, u64 w,
				 struct pageblock_look *look, unsigned long nr[NR_PAGE_TYPES])
{
	const bool tail = PAGE_WORD_FLAGS(pb_const(w)) & PG_TAIL;
	const u32 word = pb_const(tail ? pb_read(pb - 1) : w);
	unsigned int n = 1;

	while (!tail && ++pb < end && !((pb_read_owned(pb) ^ w) & PB_ALIKE))
		n++;
	look_add(look, word, n * PAGEBLOCK_NR_PAGES, nr);
	return n;
}

/*
 * If a pageblock becomes uniform meanwhile, its descriptors stay as they were at that
 * moment, and the section stays readable: no re-check is needed.
 */
struct pageblock_look pageblock_look(const struct mem_section *ms, unsigned int b,
				     unsigned long nr[NR_PAGE_TYPES])
{
	const u64 w = pb_read(&ms->pb[b]);
	struct pageblock_look look = {
		.migratetype = pb_mt(w), .blocks = 1, .isolated = w & PB_ISOLATE,
	};
	const struct pageblock *pb = &ms->pb[b], *stop = ms->pb + PAGEBLOCKS_PER_SECTION;
	const unsigned long end = pb_pfn(ms, b + 1);
	unsigned long frames;
	u32 word;

	if (!(w & PB_VALID))
		look.blocks = look_uniform(pb, stop, w, &look, nr);
	else
		for (unsigned long pfn = pb_pfn(ms, b); pfn < end; pfn += frames) {
			frames = alike(ms, pfn, end, &word);
			look_add(&look, word, frames, nr);
		}
	return look;
}

const struct page *pfn_to_online_page(const struct mm *mm, unsigned long pfn)
{
	return online_section(mm, pfn) ? pfn_to_page(pfn) : NULL;
}

enum page_type page_type(const struct mm *mm, unsigned long pfn)
{
	struct page_state st;

	return page_state_get(mm, pfn, &st) ? st.type : PGTY_NONE;
}

/* The head's descriptor of an allocated chunk in a valid pageblock, or NULL. */
static struct page *head_descriptor(const struct mm *mm, unsigned long pfn)
	__must_hold(walk_bracket)
{
	const struct mem_section *ms = online_section(mm, pfn);
	struct page *page = pfn_to_page(pfn);
	u32 word;

	if (!ms || !(pb_read(&ms->pb[pageblock_index(pfn)]) & PB_VALID))
		return NULL;
	word = __atomic_load_n(&page->word, __ATOMIC_ACQUIRE);
	if (PAGE_WORD_FLAGS(word) & PG_TAIL)
		page = pfn_to_page(pfn & ~((1UL << PAGE_WORD_ORDER(word)) - 1));
	return page;
}

/* Take a reference. The chunk may change hands between the loads of type and count. */
static bool try_get(struct mm *mm, unsigned long pfn) __must_hold(walk_bracket)
{
	struct page *page = head_descriptor(mm, pfn);
	u32 count;

	if (!page || !type_is_counted(PAGE_WORD_TYPE(READ_ONCE(page->word))))
		return false;
	walk_announce(pfn, WALK_COUNT);
	/* The chunk may become PageOffline now: then its count is 0, or OFFLINE_COUNT. */
	count = READ_ONCE(page->count);
	do {
		if ((s32)count <= 0)
			return false;
	} while (!__atomic_compare_exchange_n(&page->count, &count, count + 1, false,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	/* The count was above zero: the chunk lives. Does @page still describe @pfn? */
	if (head_descriptor(mm, pfn) == page)
		return true;
	page_put(mm, page_to_pfn(page));
	return false;
}

bool page_try_get(struct mm *mm, unsigned long pfn)
{
	bool got;

	pfn_walk_begin();
	got = try_get(mm, pfn);
	pfn_walk_end();
	return got;
}

/*
 * Wake the evacuations that may wait for a chunk, after it has lost a pin or a
 * reference: it may be movable now. The waiter registers under this same lock.
 */
static void wake_evacuation(struct mm *mm, unsigned long pfn) __must_hold(walk_bracket)
{
	struct mem_section *ms = walk_section(mm, pfn);
	struct zone *zone;

	/* Order the caller's change before this load: pairs with watch_blocker(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ms || !(pb_read(&ms->pb[pageblock_index(pfn)]) & PB_AWAITED))
		return;
	zone = section_lock_zone(ms);
	if (!zone)
		return;
	wake_waiters(ms, pageblock_index(pfn));
	section_unlock_zone(zone);
}

void page_put(struct mm *mm, unsigned long pfn)
{
	struct page *page;
	u32 count;

	/* The section may go as soon as the reference is gone. */
	pfn_walk_begin();
	page = head_descriptor(mm, pfn);
	if (!page || !type_is_counted(PAGE_WORD_TYPE(READ_ONCE(page->word))))
		bad_free(mm, pfn, 0, "has no count to put");
	/* Release: all accesses to the page come before its free. */
	count = __atomic_fetch_sub(&page->count, 1, __ATOMIC_ACQ_REL);
	if (unlikely(count == 0))
		bad_free(mm, pfn, 0, "has a count of 0 already");
	if (count == 1)
		free_frozen_pages(mm, page_to_pfn(page),
				  PAGE_WORD_ORDER(READ_ONCE(page->word)));
	else if (count == 2)
		wake_evacuation(mm, pfn);
	pfn_walk_end();
}

/* Trace the new flags of a chunk; @word is its old word. */
static inline void trace_flags(unsigned long head, u32 word, u32 flags)
{
	trace_emit(TRACE_FRAMES, .pfn = head, .count = 1U << PAGE_WORD_ORDER(word),
		   .before = PAGE_WORD_TYPE(word), .after = PAGE_WORD_TYPE(word), .flags = flags);
}

/* Set the flags @set of an allocated chunk and clear the flags @clear. */
static int change_flag(struct mm *mm, unsigned long pfn, u32 set, u32 clear)
	__must_hold(walk_bracket)
{
	struct mem_section *ms = online_section(mm, pfn);
	struct page_state st;
	int err;

	if (!ms || !page_state_get(mm, pfn, &st))
		return -EINVAL;
	if (!type_is_alloc(st.type))
		return -EINVAL;
	if (!st.uniform)
		return page_change_flags(st.head, set, clear);
	err = pageblock_change_flags(&ms->pb[pageblock_index(st.head)], st.type, set, clear);
	if (!err)
		trace_flags(st.head, page_word(st.type, 0, st.order, 0),
			    ((st.flags & ~PG_TAIL) | set) & ~clear);
	return err;
}

/**
 * page_change_flags() - set and clear flags of an allocated chunk's head, atomically
 * @head: its first frame, in a valid pageblock
 * @set: PG_*, none of them set yet; PG_CLAIMED must not be set, unless @clear has it
 * @clear: PG_*
 *
 * Return: 0; -EBUSY if a mover has claimed the chunk, a flag of @set is already set, or
 * the caller wants to claim a pinned chunk; -EINVAL if @head is no longer an allocated
 * head.
 */
int page_change_flags(unsigned long head, u32 set, u32 clear)
{
	struct page *page = pfn_to_page(head);
	u32 w = READ_ONCE(page->word);

	VM_BUG_ON(set & PG_OFFLINE_SKIPPABLE);
	do {
		if (!type_is_alloc(PAGE_WORD_TYPE(w)) || PAGE_WORD_FLAGS(w) & PG_TAIL)
			return -EINVAL;
		if (PAGE_WORD_FLAGS(w) & (set | (PG_CLAIMED & ~clear)))
			return -EBUSY;
		if ((set & PG_CLAIMED) && (PAGE_WORD_FLAGS(w) & PG_PINNED))
			return -EBUSY;
	} while (!__atomic_compare_exchange_n(&page->word, &w, (w | set << 8) & ~(clear << 8),
					      false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	trace_flags(head, w, (PAGE_WORD_FLAGS(w) | set) & ~clear);
	return 0;
}

/**
 * page_claim() - become the only mover of a chunk
 * @pfn: the chunk's head; the caller keeps its section
 * @type: counted type that the chunk must have
 * @order: order that the chunk must have
 *
 * Until page_unclaim() or the free, no other mover can claim the chunk, and its count is
 * 0, so no walker can take a reference. The claim has taken the only reference, the
 * owner's: to free the chunk, the owner would have to claim it first, which fails now.
 * Return: 0; -EBUSY if it is pinned or claimed; -EAGAIN if the claim lost a race or there
 * are other references; -ENOENT if it has become something else.
 */
int page_claim(struct mm *mm, unsigned long pfn, enum page_type type, unsigned int order)
{
	struct page *page = pfn_to_page(pfn);
	u32 w, one = 1;

	if (!(pb_read(pfn_pageblock(mm, pfn)) & PB_VALID))
		return -ENOENT;
	w = READ_ONCE(page->word);
	if (PAGE_WORD_TYPE(w) != type || PAGE_WORD_ORDER(w) != order ||
	    PAGE_WORD_FLAGS(w) & PG_TAIL)
		return -ENOENT;
	if (PAGE_WORD_FLAGS(w))
		return -EBUSY;
	if (!__atomic_compare_exchange_n(&page->word, &w, w | PG_CLAIMED << 8, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return -EAGAIN;
	if (!__atomic_compare_exchange_n(&page->count, &one, 0, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED)) {
		__atomic_fetch_and(&page->word, ~((u32)PG_CLAIMED << 8), __ATOMIC_RELEASE);
		return -EAGAIN;
	}
	trace_flags(pfn, w, PG_CLAIMED);
	return 0;
}

/**
 * next_plain_run() - find the next frame in use, and the end of the run that it begins
 * @ms: section that the caller keeps, or a walker's
 * @pfn: where to start; set to the next frame that is not free, or to @end
 * @end: exclusive, in the same pageblock
 * @types: bit t: a run may consist of frames of type t
 *
 * A run is of single frames of one type without flags. This is the scans' fast path: it
 * takes no lock. Outside of an isolated range its answer is a hint.
 * Return: the frame after the run; *@pfn if no run begins there.
 */
unsigned long next_plain_run(const struct mem_section *ms, unsigned long *pfn,
			     unsigned long end, u32 types)
{
	const unsigned int b = pageblock_index(*pfn);
	const u64 state = pb_read(&ms->pb[b]);
	unsigned long at = *pfn;
	const struct page *page;
	u32 w;

	if (!(state & PB_VALID))
		return *pfn = pb_all_free(state) ? end : at;
	at = min(pb_pfn(ms, b) + bits_next_clear(pb_bits(ms, b), at % PAGEBLOCK_NR_PAGES),
		 end);
	*pfn = at;
	page = pfn_to_page(at);
	if (at >= end)
		return end;
	w = READ_ONCE(page->word) << 8; /* without the zone */
	if (w >= NR_PAGE_TYPES << 8 || !(types >> (w >> 8) & 1))
		return at;
	while (++at < end && READ_ONCE((++page)->word) << 8 == w)
		;
	return at;
}

/* Count the frames of some types in a pageblock, which is valid or was when the caller looked. */
unsigned int pageblock_count(const struct mem_section *ms, unsigned int b, u32 types)
{
	const unsigned long end = pb_pfn(ms, b + 1);
	unsigned long sum = 0;
	u32 word = 0;

	for (unsigned long pfn = pb_pfn(ms, b), next; pfn < end; pfn = next) {
		next = next_plain_run(ms, &pfn, end, types);
		if (next == pfn && pfn < end) {
			next += alike(ms, pfn, end, &word);
			if (!(types >> min(PAGE_WORD_TYPE(word), 31U) & 1))
				continue;
		}
		sum += next - pfn;
	}
	return sum;
}

/* End a claim: the owner has the chunk again, with one reference. */
void page_unclaim(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);

	/* Trace before another mover can claim it, so that the mover's record comes
	 * later. */
	trace_flags(pfn, READ_ONCE(page->word), 0);
	__atomic_store_n(&page->count, 1, __ATOMIC_RELAXED);
	__atomic_fetch_and(&page->word, ~((u32)PG_CLAIMED << 8), __ATOMIC_RELEASE);
}

int page_pin(struct mm *mm, unsigned long pfn)
{
	int err;

	pfn_walk_begin();
	err = change_flag(mm, pfn, PG_PINNED, 0);
	pfn_walk_end();
	return err;
}

int page_unpin(struct mm *mm, unsigned long pfn)
{
	int err;

	pfn_walk_begin();
	err = change_flag(mm, pfn, 0, PG_PINNED);
	wake_evacuation(mm, pfn);
	pfn_walk_end();
	return err;
}

void page_set_owner(struct mm *mm, unsigned long pfn, u64 owner)
{
	struct pageblock *pb = pfn_pageblock(mm, pfn);

	/* Release: a reader of the owner word may follow it. */
	if (pb_read(pb) & PB_VALID)
		STORE_RELEASE(pfn_to_page(pfn)->owner, owner);
	else
		pageblock_set_owner(pb, owner);
}

u64 page_owner(const struct mm *mm, unsigned long pfn)
{
	const struct pageblock *pb = pfn_pageblock(mm, pfn);

	return pb_read(pb) & PB_VALID ? READ_ONCE(pfn_to_page(pfn)->owner) : pageblock_owner(pb);
}
