/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first movable kind: a driver's page that exactly one slot refers to. The
 * page's owner word is the slot's address; the slot has the pfn.
 *
 * A mover finds the page first and the slot through it; the owner finds the slot first
 * and the page through it. So mover and owner must lock both: a bit in the slot's word
 * locks the slot, PG_CLAIMED locks the page. The owner locks the slot before it touches the
 * page. Otherwise the page could move after the owner has read the slot, and the old frame
 * could already belong to another user. The loser of either race gives up; neither waits.
 */
#include "arch/machine.h"
#include "kernel/init.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/descriptor.h"
#include "mm/evac.h"
#include "mm/page_alloc.h"

#define SLOT_LOCKED BIT(63) /* in page_slot.pfn: its owner or a mover is at work */

/* Lock a slot that refers to @pfn. Return: false if it does not, or is already locked. */
static bool slot_trylock(struct page_slot *slot, unsigned long pfn)
{
	__typeof__(slot->pfn) seen = pfn;

	return __atomic_compare_exchange_n(&slot->pfn, &seen, pfn | SLOT_LOCKED, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Unlock a slot, which then refers to @pfn. */
static void slot_unlock(struct page_slot *slot, unsigned long pfn)
{
	STORE_RELEASE(slot->pfn, pfn);
}

static struct page_slot *slot_of(unsigned long pfn)
{
	return (struct page_slot *)(uintptr_t)page_owner_claimed(pfn);
}

static int slot_claim(struct mm *mm, struct migrate_entry *e)
{
	struct page_slot *slot;
	int err = page_claim(mm, e->pfn, PGTY_DRIVER, e->order);

	if (err)
		return err;
	slot = slot_of(e->pfn);
	if (slot && slot_trylock(slot, e->pfn))
		return 0;
	/* The owner has not filled in the slot yet, or is at work on the page. */
	page_unclaim(e->pfn);
	return -EAGAIN;
}

static int slot_copy(struct mm *mm, struct migrate_entry *e)
{
	if (!mm->phantom)
		memcpy(phys_to_virt(pfn_to_phys(e->dst)), phys_to_virt(pfn_to_phys(e->pfn)),
		       PAGE_SIZE << e->order);
	return 0;
}

static void slot_commit(struct mm *mm, struct migrate_entry *e)
{
	struct page_slot *slot = slot_of(e->pfn);

	(void)mm;
	page_set_owner_claimed(e->dst, (uintptr_t)slot);
	slot_unlock(slot, e->dst);
}

static void slot_abort(struct mm *mm, struct migrate_entry *e)
{
	(void)mm;
	slot_unlock(slot_of(e->pfn), e->pfn);
	page_unclaim(e->pfn);
}

const struct movable_ops slot_movable_ops = {
	.claim = slot_claim,
	.copy = slot_copy,
	.commit = slot_commit,
	.abort = slot_abort,
};

static int slot_init(void)
{
	return set_movable_ops(PGTY_DRIVER, &slot_movable_ops);
}
INITCALL(core, slot_init);

int slot_alloc(struct mm *mm, struct page_slot *slot, unsigned int order)
{
	const unsigned long pfn = alloc_pages(mm, GFP_MOVABLE, order, PGTY_DRIVER);

	if (pfn == PFN_NONE)
		return -ENOMEM;
	WRITE_ONCE(slot->pfn, pfn);
	page_set_owner(mm, pfn, (uintptr_t)slot);
	return 0;
}

int slot_free(struct mm *mm, struct page_slot *slot)
{
	const unsigned long pfn = slot_pfn(slot);

	if (pfn == PFN_NONE)
		return -ENOENT;
	if (!slot_trylock(slot, pfn))
		return -EBUSY;
	/* Fails if the page is pinned, or claimed by a mover (which cannot get the slot). */
	if (page_change_flags(pfn, PG_CLAIMED, 0)) {
		slot_unlock(slot, pfn);
		return -EBUSY;
	}
	slot_unlock(slot, PFN_NONE);
	page_put(mm, pfn);
	return 0;
}

int slot_pin(struct mm *mm, struct page_slot *slot, unsigned long pfn)
{
	int err;

	if (!slot_trylock(slot, pfn))
		return -EBUSY;
	err = page_pin(mm, pfn);
	slot_unlock(slot, pfn);
	return err;
}

unsigned long slot_pfn(const struct page_slot *slot)
{
	const unsigned long pfn = __atomic_load_n(&slot->pfn, __ATOMIC_ACQUIRE);

	return pfn == PFN_NONE ? pfn : pfn & ~SLOT_LOCKED;
}
