/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Migration: the entries {pfn, order, kind} of a vector take these steps together:
 *
 *	claim each -> allocate all targets -> for each: copy -> commit
 *	      \__ lost: left out     \__ none ________\__ failed: abort
 *
 * All movable pages go through these steps; four operations hide how the kinds differ.
 * The last step frees the sources, together. Compare with: Linux migrate_pages() and its
 * lists of folios.
 */
#include "lib/errno.h"
#include "mm/buddy.h"
#include "mm/evac.h"
#include "mm/free.h"
#include "mm/page_alloc.h"
#include "mm/poison.h"
#include "mm/section.h"
#include "mm/vmstat.h"

static const struct movable_ops *movable_ops[NR_PAGE_TYPES];
u32 movable_types;

int set_movable_ops(enum page_type type, const struct movable_ops *ops)
{
	if (page_type_mobility(type) != PAGE_MOBILITY_OPS)
		return -EINVAL;
	if (movable_ops[type] && movable_ops[type] != ops)
		return -EEXIST;
	movable_ops[type] = ops;
	movable_types |= 1U << type;
	return 0;
}

static void claim_all(struct mm *mm, struct migrate_entry *e, unsigned int nr)
{
	for (const struct migrate_entry *const end = e + nr; e < end; e++) {
		e->dst = PFN_NONE;
		e->result = movable_ops[e->kind]->claim(mm, e);
	}
}

/*
 * Allocate targets for the claimed entries of the run at the start of [e, end) that are single
 * frames of one kind. @pfns: scratch space. Return: the entry after the run.
 */
static struct migrate_entry *single_targets(struct mm *mm, u32 gfp, struct migrate_entry *e,
					    const struct migrate_entry *end,
					    unsigned long *pfns)
{
	struct migrate_entry *const first = e;
	unsigned long nr = 0, used = 0;

	for (; e < end && !e->order && e->kind == first->kind; e++)
		nr += !e->result;
	nr = alloc_pages_bulk(mm, gfp, first->kind, nr, pfns);
	for (struct migrate_entry *to = first; used < nr; to++)
		if (!to->result)
			to->dst = pfns[used++];
	return e;
}

/* The gfp flags for targets. With EVAC_SAME_ZONE, all pages are in the zone of @pfn. */
static u32 target_gfp(const struct evac *evac, unsigned long pfn)
{
	const u32 gfp = GFP_MOVABLE | GFP_NOWARN | GFP_NODRAIN;

	if (!(evac->policy->flags & EVAC_SAME_ZONE) ||
	    pfn_to_section(evac->mm, pfn)->zone->type != ZONE_NORMAL)
		return gfp;
	return gfp | GFP_NORMAL;
}

/* Give each claimed entry a target; if there is none, its dst stays PFN_NONE. */
static void find_targets(const struct evac *evac, struct migrate_vector *vec, unsigned int nr)
{
	struct mm *mm = evac->mm;
	const u32 gfp = target_gfp(evac, vec->entry[0].pfn);
	struct migrate_entry *e = vec->entry;
	const struct migrate_entry *const end = e + nr;

	while (e < end) {
		if (!e->order) {
			e = single_targets(mm, gfp, e, end, vec->pfn);
			continue;
		}
		if (!e->result)
			e->dst = alloc_pages(mm, gfp, e->order, e->kind);
		e++;
	}
}

/* Copy a claimed page and switch to the copy. Return: 0; an errno, with nothing changed. */
static int move_claimed(struct mm *mm, struct migrate_entry *e)
{
	const struct movable_ops *ops = movable_ops[e->kind];
	const int err = e->dst == PFN_NONE ? -ENOMEM : ops->copy(mm, e);

	if (!err) {
		ops->commit(mm, e);
		return 0;
	}
	if (e->dst != PFN_NONE)
		free_pages(mm, e->dst, e->order);
	e->dst = PFN_NONE;
	ops->abort(mm, e);
	return err;
}

/* Free single frames without users, all claimed and of one kind. */
static void free_claimed(struct mm *mm, const unsigned long *pfns, unsigned long nr,
			 unsigned int kind)
{
	for (unsigned long done = 0, n; done < nr; done += n) {
		struct zone *zone = pfn_to_section(mm, pfns[done])->zone;
		const u32 word = page_word(kind, PG_CLAIMED, 0, zone->type);

		spin_lock(&zone->lock);
		n = buddy_free_singles(zone, pfns + done, nr - done, word, 0);
		spin_unlock(&zone->lock);
		if (unlikely(!n))
			bad_free(mm, pfns[done], 0, "was moved, and is not claimed");
	}
}

/* Free the sources of the pages that moved; single frames together. */
static void free_sources(struct mm *mm, struct migrate_vector *vec, unsigned int nr)
{
	const struct migrate_entry *e = vec->entry, *const end = e + nr;
	unsigned long n = 0;

	for (; e < end; e++) {
		if (n && e->kind != e[-1].kind) {
			free_claimed(mm, vec->pfn, n, e[-1].kind);
			n = 0;
		}
		if (e->result)
			continue;
		if (e->order || page_poison)
			free_frozen_pages(mm, e->pfn, e->order);
		else
			vec->pfn[n++] = e->pfn;
	}
	if (n)
		free_claimed(mm, vec->pfn, n, e[-1].kind);
}

static void announce_move(struct evac *evac, const struct migrate_entry *e)
{
	const struct trace_args args = {
		.pfn = e->pfn,
		.count = (u32)e->dst,
		.before = e->kind,
		.after = -e->result,
		.flags = e->order,
	};

	evac_announce(evac, TRACE_EVAC_MOVE, &args);
}

unsigned int migrate_pages(struct evac *evac, struct migrate_vector *vec, unsigned int nr)
{
	struct mm *mm = evac->mm;
	unsigned int moved = 0;

	claim_all(mm, vec->entry, nr);
	find_targets(evac, vec, nr);
	for (unsigned int i = 0; i < nr; i++) {
		struct migrate_entry *e = &vec->entry[i];

		if (!e->result)
			e->result = move_claimed(mm, e);
		moved += !e->result;
		if (unlikely(evac_announcing()))
			announce_move(evac, e);
	}
	free_sources(mm, vec, nr);
	if (moved)
		vm_event_inc(mm, VM_PGMIGRATE_SUCCESS, moved);
	if (moved < nr)
		vm_event_inc(mm, VM_PGMIGRATE_FAIL, nr - moved);
	return moved;
}
