/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Migration: a vector of {pfn, order, kind}, and for each entry
 *
 *	claim -> allocate the target -> copy -> commit
 *	                  \______________\-> abort
 *
 * All movable pages go through this one loop; four operations hide how the kinds differ.
 * The loop frees the sources at the end, together. Compare with: Linux migrate_pages()
 * and its lists of folios.
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

/* Claim a page, copy it and switch to the copy. Return: 0; or an errno, nothing changed. */
static int migrate_one(struct mm *mm, struct migrate_entry *e)
{
	const struct movable_ops *ops = movable_ops[e->kind];
	const u32 gfp = GFP_MOVABLE | GFP_NOWARN | GFP_NODRAIN;
	int err;

	e->dst = PFN_NONE;
	err = ops->claim(mm, e);
	if (err)
		return err;
	e->dst = alloc_pages(mm, gfp, e->order, e->kind);
	err = e->dst == PFN_NONE ? -ENOMEM : ops->copy(mm, e);
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
static void free_sources(struct mm *mm, const struct migrate_entry *e, unsigned int nr)
{
	unsigned long pfns[EVAC_VECTOR], n = 0;

	for (const struct migrate_entry *const end = e + nr; e < end; e++) {
		if (n && e->kind != e[-1].kind) {
			free_claimed(mm, pfns, n, e[-1].kind);
			n = 0;
		}
		if (e->result)
			continue;
		if (e->order || page_poison)
			free_frozen_pages(mm, e->pfn, e->order);
		else
			pfns[n++] = e->pfn;
	}
	if (n)
		free_claimed(mm, pfns, n, e[-1].kind);
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

unsigned int migrate_pages(struct evac *evac, struct migrate_entry *e, unsigned int nr)
{
	struct mm *mm = evac->mm;
	unsigned int moved = 0;

	for (unsigned int i = 0; i < nr; i++) {
		e[i].result = migrate_one(mm, &e[i]);
		moved += e[i].result == 0;
		if (unlikely(evac_announcing()))
			announce_move(evac, &e[i]);
	}
	free_sources(mm, e, nr);
	if (moved)
		vm_event_inc(mm, VM_PGMIGRATE_SUCCESS, moved);
	if (moved < nr)
		vm_event_inc(mm, VM_PGMIGRATE_FAIL, nr - moved);
	return moved;
}
