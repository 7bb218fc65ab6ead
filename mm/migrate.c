/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Migration: a vector of {pfn, order, kind}, and for each entry
 *
 *	claim -> allocate the target -> copy -> commit -> free the source
 *	                  \______________\-> abort
 *
 * The one loop for all movable pages. What differs per kind is behind four
 * operations. Compare with: Linux migrate_pages() and its lists of folios.
 */
#include "lib/errno.h"
#include "mm/internal.h"
#include "mm/vmstat.h"

static const struct movable_ops *movable_ops[NR_PAGE_TYPES];

int set_movable_ops(enum page_type type, const struct movable_ops *ops)
{
	if (page_type_mobility(type) != PAGE_MOBILITY_OPS)
		return -EINVAL;
	if (movable_ops[type] && movable_ops[type] != ops)
		return -EEXIST;
	movable_ops[type] = ops;
	return 0;
}

bool type_is_movable(enum page_type type)
{
	return type < NR_PAGE_TYPES && movable_ops[type];
}

/* The claimed page's copy and switch. Return: 0, or a negative errno with nothing changed. */
static int move_claimed(struct mm *mm, const struct movable_ops *ops, struct migrate_entry *e)
{
	const u32 gfp = GFP_MOVABLE | GFP_NOWARN | GFP_NODRAIN;
	int err;

	e->dst = alloc_pages(mm, gfp, e->order, e->kind);
	if (e->dst == PFN_NONE)
		return -ENOMEM;
	err = ops->copy(mm, e);
	if (err) {
		free_pages(mm, e->dst, e->order);
		e->dst = PFN_NONE;
		return err;
	}
	ops->commit(mm, e);
	free_dead_chunk(mm, e->pfn, e->order);
	return 0;
}

static int migrate_one(struct mm *mm, struct migrate_entry *e)
{
	const struct movable_ops *ops = movable_ops[e->kind];
	int err;

	e->dst = PFN_NONE;
	if (!ops)
		return -EBUSY;
	err = ops->claim(mm, e);
	if (err)
		return err;
	err = move_claimed(mm, ops, e);
	if (err)
		ops->abort(mm, e);
	return err;
}

unsigned int migrate_pages(struct mm *mm, struct migrate_entry *e, unsigned int nr)
{
	unsigned int moved = 0;

	for (unsigned int i = 0; i < nr; i++) {
		e[i].result = migrate_one(mm, &e[i]);
		moved += e[i].result == 0;
		trace_emit(TRACE_EVAC_MOVE, .pfn = e[i].pfn, .count = (u32)e[i].dst,
			   .before = e[i].kind, .after = -e[i].result, .flags = e[i].order);
	}
	if (moved)
		vm_event_inc(mm, VM_PGMIGRATE_SUCCESS, moved);
	if (moved < nr)
		vm_event_inc(mm, VM_PGMIGRATE_FAIL, nr - moved);
	return moved;
}
