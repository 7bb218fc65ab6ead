/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scans of evacuate(): classify, collect for migration, wait, verify. They run
 * without zone->lock: the ranges are isolated and drained, so frames can only change
 * towards free. They judge the type first, then the flags, and never a reference
 * count. Compare with: Linux has_unmovable_pages(), isolate_migratepages.
 */
#include "kernel/mutex.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "mm/buddy.h"
#include "mm/descriptor.h"
#include "mm/evac.h"
#include "mm/section.h"

/* The meaning of a chunk for an evacuation. */
enum verdict {
	VERDICT_EMPTY,	 /* free, or the policy steps over it */
	VERDICT_MOVABLE, /* can be moved */
	VERDICT_BLOCKS,	 /* only its owner can free it */
};

static enum verdict judge_offline(const struct evac *e, const struct page_state *st,
				  enum mm_reason *reason)
{
	/* An allocation steps over no frame, because it must not have gaps. */
	if ((st->flags & PG_OFFLINE_SKIPPABLE) && (e->policy->flags & EVAC_SKIP_SKIPPABLE) &&
	    e->policy->end != EVAC_END_ALLOC)
		return VERDICT_EMPTY;
	*reason = e->policy->end == EVAC_END_OFFLINE ? MM_REASON_NOT_SKIPPABLE
						     : MM_REASON_SKIPPABLE_TAKEN;
	return VERDICT_BLOCKS;
}

static enum verdict judge(const struct evac *e, const struct page_state *st,
			  enum mm_reason *reason)
{
	*reason = MM_REASON_UNMOVABLE;
	switch (page_type_mobility(st->type)) {
	case PAGE_MOBILITY_FREE:
		/*
		 * The chunk is cached, of order 10, and its other half is isolated; a
		 * drain follows soon.
		 */
		*reason = MM_REASON_NOT_FREE;
		return st->type == PGTY_BUDDY ? VERDICT_EMPTY : VERDICT_BLOCKS;
	case PAGE_MOBILITY_OWNER:
		return judge_offline(e, st, reason);
	case PAGE_MOBILITY_NOTRAM:
		*reason = MM_REASON_HOLE;
		return e->policy->end == EVAC_END_OFFLINE ? VERDICT_EMPTY : VERDICT_BLOCKS;
	case PAGE_MOBILITY_OPS:
		*reason = st->flags & PG_PINNED ? MM_REASON_PINNED : MM_REASON_UNMOVABLE;
		return movable_types >> st->type & 1 && !(st->flags & PG_PINNED)
			       ? VERDICT_MOVABLE
			       : VERDICT_BLOCKS;
	default:
		return VERDICT_BLOCKS;
	}
}

/*
 * Find the next chunk with a frame in [*pfn, end) that is not free. Sets *pfn to that
 * frame and *next to the first frame after the chunk.
 */
static bool next_chunk(const struct mm *mm, unsigned long *pfn, unsigned long end,
		       struct page_state *st, unsigned long *next)
{
	*pfn = next_used(mm, *pfn, end);
	if (*pfn >= end || !page_state_isolated(mm, *pfn, st))
		return false;
	if (st->uniform && st->order < PAGEBLOCK_ORDER)
		*next = pageblock_end(*pfn);
	else
		*next = st->head + (1UL << st->order);
	*next = max(*next, *pfn + 1);
	return true;
}

/**
 * evac_can_wait() - check whether the evacuation may wait for a frame of this type
 * @e: the evacuation
 * @type: type of a frame that blocks
 *
 * Only allocated and cached frames can be freed, so the request waits only for those. A
 * PageOffline frame returns only when its owner decides so, or plugs it.
 */
bool evac_can_wait(const struct evac *e, enum page_type type)
{
	return e->policy->limits.wait && (type == PGTY_CACHED || type_is_alloc(type));
}

/* Handle a frame that blocks: ignore it, note that a wait is needed, or give up. */
static int classify_blocking(struct evac *e, enum mm_reason reason, unsigned long pfn,
			     const struct page_state *st)
{
	if (e->policy->flags & EVAC_BEST_EFFORT)
		return 0;
	if (!evac_can_wait(e, st->type))
		return evac_fail(e, reason, pfn, st);
	e->must_wait = true;
	return 0;
}

/* Classify one pageblock's frames; stop at the first frame that can never leave. */
static int classify_part(struct evac *e, unsigned long pfn, unsigned long end)
{
	const struct mem_section *const ms = pfn_to_section(e->mm, pfn);
	struct trace_args args = { .pfn = pfn };
	unsigned long next;
	struct page_state st;
	enum mm_reason reason;
	int err = 0;

	for (; !err && pfn < end; pfn = next) {
		enum verdict verdict;

		next = next_plain_run(ms, &pfn, end, movable_types);
		args.count += next - pfn;
		e->empty &= next == pfn;
		if (next != pfn)
			continue;
		if (pfn >= end || !next_chunk(e->mm, &pfn, end, &st, &next))
			break;
		verdict = judge(e, &st, &reason);
		if (verdict == VERDICT_EMPTY)
			continue;
		e->empty = false;
		if (verdict == VERDICT_MOVABLE)
			args.count += min(next, end) - pfn;
		if (verdict != VERDICT_BLOCKS)
			continue;
		args.before = st.type;
		args.after = reason;
		err = classify_blocking(e, reason, pfn, &st);
	}
	evac_announce(e, TRACE_EVAC_VERDICT, &args);
	return err;
}

/* Classify a range; adjacent wholly free pageblocks share one verdict. */
static int classify_range(struct evac *e, unsigned long pfn, unsigned long end)
{
	int err = 0;

	while (!err && pfn < end) {
		const unsigned long used = next_used(e->mm, pfn, end);
		const unsigned long stop = used < end ? ALIGN_DOWN(used, PAGEBLOCK_NR_PAGES) : end;

		if (stop > pfn) {
			evac_announce(e, TRACE_EVAC_VERDICT, &(struct trace_args){ .pfn = pfn });
			pfn = stop;
			continue;
		}
		err = classify_part(e, pfn, min(pageblock_end(pfn), end));
		pfn = pageblock_end(pfn);
	}
	return err;
}

/**
 * evac_classify() - make the final judgement of all ranges, in one read-only pass
 * @e: isolated and drained; sets e->empty if nothing is left to do, and e->must_wait if the
 *	evacuation has to wait for a frame
 *
 * Return: 0 if nothing hopeless stands in the way; else a negative errno, with e->why set.
 */
int evac_classify(struct evac *e)
{
	struct evac_cursor at = {};
	int err = 0;

	e->empty = true;
	e->must_wait = false;
	while (!err && evac_next_range(e, &at)) {
		err = classify_range(e, at.range.start_pfn, range_end(&at.range));
		cond_resched();
	}
	return err;
}

/*
 * The vector of the pages that move. One is enough: the hotplug lock admits one mover per
 * memory, and only tests have several memories.
 */
static DEFINE_MUTEX(vector_lock);
static struct migrate_vector vector __guarded_by(vector_lock);

/* The number of pages collected for moving, and the errno of one that did not move. */
struct collected {
	unsigned int nr;
	int err;
};

/* Note why an entry did not move. Return: its errno; 0 if it need not be tried again. */
static int note_result(struct evac *e, const struct migrate_entry *m)
{
	struct page_state st;
	enum mm_reason reason = MM_REASON_COPY_FAILED;

	if (m->result == 0 || m->result == -ENOENT || !page_state_get(e->mm, m->pfn, &st))
		return 0;
	if (st.flags & PG_PINNED)
		reason = MM_REASON_PINNED;
	else if (m->result == -ENOMEM)
		reason = MM_REASON_NO_TARGET;
	else if (m->result == -EAGAIN || m->result == -EBUSY)
		reason = MM_REASON_CLAIM_LOST;
	evac_fail(e, reason, m->pfn, &st);
	return m->result;
}

/* Move the collected pages. -ENOMEM overrides their other errnos, because a drain may help. */
static void move_vector(struct evac *e, struct collected *vec) __must_hold(vector_lock)
{
	const unsigned int moved = migrate_pages(e, &vector, vec->nr);

	e->why->migrated += moved;
	for (unsigned int i = moved == vec->nr ? moved : 0; i < vec->nr; i++) {
		const int result = note_result(e, &vector.entry[i]);

		if (result && vec->err != -ENOMEM)
			vec->err = result;
	}
	vec->nr = 0;
	cond_resched();
}

/* Add one page; move the vector when it is full. Return: non-zero to stop the pass. */
static int collect(struct evac *e, struct collected *vec, unsigned long pfn,
		   unsigned int order, enum page_type kind) __must_hold(vector_lock)
{
	vector.entry[vec->nr++] =
		(struct migrate_entry){ .pfn = pfn, .order = order, .kind = kind };
	if (vec->nr < EVAC_VECTOR)
		return 0;
	move_vector(e, vec);
	return evac_stop(e);
}

/*
 * Collect the movable frames among [*@at, end) of one pageblock. Sets *@at to the end, or to
 * the end of a chunk that covers the next pageblock, too.
 */
static int collect_part(struct evac *e, struct collected *vec, unsigned long *at,
			unsigned long end) __must_hold(vector_lock)
{
	const struct mem_section *const ms = pfn_to_section(e->mm, *at);
	unsigned long pfn = *at;
	int stop = 0;

	while (!stop && pfn < end) {
		unsigned long next = next_plain_run(ms, &pfn, end, movable_types);
		enum page_type kind;
		struct page_state st;
		enum mm_reason reason;

		if (next != pfn) {
			for (kind = page_type_own(pfn); pfn < next && !stop; pfn++)
				stop = collect(e, vec, pfn, 0, kind);
			continue;
		}
		if (pfn >= end || !next_chunk(e->mm, &pfn, end, &st, &next))
			break;
		if (judge(e, &st, &reason) == VERDICT_MOVABLE)
			stop = collect(e, vec, st.head, st.order, st.type);
		pfn = next;
	}
	*at = max(pfn, end);
	return stop;
}

/**
 * evac_migrate() - move all movable pages, in one pass
 * @e: classified
 *
 * Return: 0 if all of them moved or vanished; else a page's errno, with e->why set.
 */
int evac_migrate(struct evac *e)
{
	struct collected vec = {};
	struct evac_cursor at = {};
	int err = 0;

	mutex_lock(&vector_lock);
	while (!err && evac_next_range(e, &at)) {
		unsigned long pfn = at.range.start_pfn;
		const unsigned long end = range_end(&at.range);

		while (!err && (pfn = next_used(e->mm, pfn, end)) < end)
			err = collect_part(e, &vec, &pfn, min(pageblock_end(pfn), end));
	}
	if (!err && vec.nr)
		move_vector(e, &vec);
	mutex_unlock(&vector_lock);
	return err ? err : vec.err;
}

/* Restart evac_find_blocker()'s search at the first frame. */
void evac_restart_search(struct evac *e)
{
	e->at = (struct evac_cursor){};
	e->at_pfn = 0;
	e->why->scans++;
	if (!evac_next_range(e, &e->at))
		e->at.range = (struct pfn_range){};
}

/* Is this chunk in the way? In phase WAIT a movable chunk is not: it moves later. */
static bool in_the_way(const struct evac *e, const struct page_state *st, enum mm_reason *reason)
{
	const enum verdict verdict = judge(e, st, reason);

	if (verdict == VERDICT_MOVABLE)
		*reason = MM_REASON_NOT_FREE;
	return verdict == VERDICT_BLOCKS || (verdict == VERDICT_MOVABLE && e->phase != EVAC_WAIT);
}

/**
 * evac_find_blocker() - find the next chunk that is neither free nor to be skipped
 * @e: after evac_restart_search(); what could move has moved, or the phase is WAIT
 * @chunk: set to that chunk, if there is one
 *
 * Resumes where it stopped: a free frame in an isolated pageblock stays free.
 * Return: 0 if nothing is in the way any more; else a negative errno, with e->why set.
 */
int evac_find_blocker(struct evac *e, struct pfn_range *chunk)
{
	do {
		const unsigned long end = range_end(&e->at.range);
		unsigned long pfn = max(e->at.range.start_pfn, e->at_pfn), next;
		struct page_state st;
		enum mm_reason reason;

		for (; next_chunk(e->mm, &pfn, end, &st, &next); pfn = next) {
			if (!in_the_way(e, &st, &reason))
				continue;
			e->at_pfn = pfn;
			*chunk = (struct pfn_range){ pfn, min(next, end) - pfn };
			evac_announce(e, TRACE_EVAC_VERDICT,
				      &(struct trace_args){ .pfn = pfn, .before = st.type,
							    .after = reason });
			return evac_fail(e, reason, pfn, &st);
		}
		e->at_pfn = 0;
	} while (evac_next_range(e, &e->at));
	return 0;
}
