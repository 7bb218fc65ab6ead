/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pages that belong to a person at a console: allocated by "alloc" and not yet freed
 * by "free".
 *
 * A page's type and owner word tell its owner: is_persons() has the rule. Only this file
 * frees, pins and unpins such pages. person_lock makes check and action one step: what was
 * checked under the lock stays true, however many consoles there are. A mover does not take
 * the lock; holding the slot of a movable page keeps movers away (mm/page_slot.c).
 *
 * This file prints nothing: a console may stall, and others wait for the lock.
 */
#include "kernel/console/person_page.h"
#include "kernel/mutex.h"
#include "kernel/owner_name.h"
#include "lib/errno.h"
#include "lib/time.h"
#include "mm/evacuate.h"

/* Limit on the wait of "alloc at" for the harts to drain their caches. */
#define DRAIN_NS NSEC_PER_SEC

/* Owner word of a person's unmovable pages: "console" in ASCII. */
#define PERSON_OWNER 0x00656c6f736e6f63ULL

/* Serialises requests for a person's pages; protects the use of the slots. */
static DEFINE_MUTEX(person_lock);

/* Slots of a person's movable pages; only the first nr_used have ever been used. */
static struct page_slot slots[PERSON_MOVABLE_PAGES];
static unsigned int nr_used;

OWNER_NAME(person, PERSON_OWNER, 1, "console");
OWNER_NAME(person_slots, (uintptr_t)slots, sizeof(slots), "console");

static struct page_slot *slot_of_owner(u64 owner)
{
	struct page_slot *slot = (struct page_slot *)(uintptr_t)owner;

	return slot >= slots && slot < slots + nr_used ? slot : NULL;
}

/* Check whether the page belongs to a person. */
static bool is_persons(const struct page_state *st)
{
	switch (st->type) {
	case PGTY_KERNEL:
		return st->owner == PERSON_OWNER;
	case PGTY_DRIVER:
		return slot_of_owner(st->owner);
	default:
		return false;
	}
}

/* --- alloc ------------------------------------------------------------------ */

static struct page_slot *slot_take(void)
{
	for (unsigned int i = 0; i < nr_used; i++)
		if (slot_pfn(&slots[i]) == PFN_NONE)
			return &slots[i];
	return nr_used < ARRAY_SIZE(slots) ? &slots[nr_used++] : NULL;
}

static int slot_alloc_at(struct page_slot *slot, unsigned long pfn, unsigned int order)
{
	const int err = alloc_pages_at(&kernel_mm, pfn, order, PGTY_DRIVER);

	if (err)
		return err;
	slot->pfn = pfn;
	page_set_owner(&kernel_mm, pfn, (uintptr_t)slot);
	return 0;
}

static int alloc_movable(const struct person_alloc *r, unsigned long *pfn)
{
	struct page_slot *slot = slot_take();
	int err;

	if (!slot)
		return -ENOSPC;
	slot->pfn = PFN_NONE;
	err = r->at == PFN_NONE ? slot_alloc(&kernel_mm, slot, r->order)
				: slot_alloc_at(slot, r->at, r->order);
	*pfn = slot_pfn(slot);
	return err;
}

static int alloc_fixed(const struct person_alloc *r, unsigned long *pfn)
{
	int err = 0;

	if (r->at != PFN_NONE) {
		*pfn = r->at;
		err = alloc_pages_at(&kernel_mm, r->at, r->order, PGTY_KERNEL);
	} else {
		*pfn = alloc_pages(&kernel_mm, r->gfp | GFP_NOWARN, r->order, PGTY_KERNEL);
		if (*pfn == PFN_NONE)
			err = -ENOMEM;
	}
	if (!err)
		page_set_owner(&kernel_mm, *pfn, PERSON_OWNER);
	return err;
}

static int try_alloc(const struct person_alloc *r, unsigned long *pfn)
{
	int err;

	mutex_lock(&person_lock);
	err = r->gfp & GFP_MOVABLE ? alloc_movable(r, pfn) : alloc_fixed(r, pfn);
	mutex_unlock(&person_lock);
	return err;
}

int person_page_alloc(const struct person_alloc *r, unsigned long *pfn)
{
	const int err = try_alloc(r, pfn);

	/* The frame may be free in a hart's cache, for example after "free" on that hart. */
	if (err != -EBUSY || drain_all_pages(&kernel_mm, DRAIN_NS))
		return err;
	return try_alloc(r, pfn);
}

/* --- free, pin, unpin -------------------------------------------------------- */

/* Get the state of a person's page; it stays the person's while person_lock is held. */
static enum person_result look(unsigned long pfn, struct page_state *st)
{
	bool found;

	assert_mutex_held(&person_lock);
	pfn_walk_begin();
	found = page_state_get(&kernel_mm, pfn, st);
	pfn_walk_end();
	if (!found)
		return PERSON_NO_BLOCK;
	return is_persons(st) ? PERSON_DONE : PERSON_NOT_YOURS;
}

static enum person_result free_chunk(const struct page_state *st)
{
	struct page_slot *slot = slot_of_owner(st->owner);

	if (!slot) {
		page_set_owner(&kernel_mm, st->head, 0);
		free_pages(&kernel_mm, st->head, st->order);
		return PERSON_DONE;
	}
	return slot_pfn(slot) != st->head || slot_free(&kernel_mm, slot) ? PERSON_MOVING
									 : PERSON_DONE;
}

static enum person_result try_free(unsigned long pfn, unsigned int order, struct page_state *st)
{
	const enum person_result seen = look(pfn, st);

	if (seen)
		return seen;
	if (st->head != pfn)
		return PERSON_TAIL;
	if (order != PERSON_ANY_ORDER && order != st->order)
		return PERSON_OTHER_ORDER;
	return st->flags & PG_PINNED ? PERSON_PINNED : free_chunk(st);
}

static enum person_result try_pin(unsigned long pfn, struct page_state *st)
{
	const enum person_result seen = look(pfn, st);
	struct page_slot *slot;
	int err;

	if (seen)
		return seen;
	if (st->flags & PG_PINNED)
		return PERSON_PINNED_ALREADY;
	slot = slot_of_owner(st->owner);
	err = slot ? slot_pin(&kernel_mm, slot, st->head) : page_pin(&kernel_mm, st->head);
	return err ? PERSON_MOVING : PERSON_DONE;
}

/* Unpin a page without holding its slot: a pinned page does not move. */
static enum person_result try_unpin(unsigned long pfn, struct page_state *st)
{
	const enum person_result seen = look(pfn, st);

	if (seen)
		return seen;
	if (!(st->flags & PG_PINNED) || page_unpin(&kernel_mm, st->head))
		return PERSON_NOT_PINNED;
	return PERSON_DONE;
}

enum person_result person_page_free(unsigned long pfn, unsigned int order, struct page_state *st)
{
	enum person_result result;

	mutex_lock(&person_lock);
	result = try_free(pfn, order, st);
	mutex_unlock(&person_lock);
	return result;
}

enum person_result person_page_set_pinned(unsigned long pfn, bool pinned, struct page_state *st)
{
	enum person_result result;

	mutex_lock(&person_lock);
	result = pinned ? try_pin(pfn, st) : try_unpin(pfn, st);
	mutex_unlock(&person_lock);
	return result;
}
