/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first movable kind: a driver's page that exactly one slot refers to. The
 * page's owner word is the slot's address, the slot has the pfn. Whoever frees or
 * moves it claims it first; so exactly one wins.
 */
#include "arch/machine.h"
#include "kernel/init.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/internal.h"

static struct page_slot *slot_of(unsigned long pfn)
{
	return (struct page_slot *)(uintptr_t)page_owner_claimed(pfn);
}

static int slot_claim(struct mm *mm, struct migrate_entry *e)
{
	const struct page_slot *slot;
	int err = page_claim(mm, e->pfn, PGTY_DRIVER, e->order);

	if (err)
		return err;
	slot = slot_of(e->pfn);
	if (slot && slot_pfn(slot) == e->pfn)
		return 0;
	/* Its owner has not filled in the slot yet. */
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
	STORE_RELEASE(slot->pfn, e->dst);
}

static void slot_abort(struct mm *mm, struct migrate_entry *e)
{
	(void)mm;
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
	int err;

	if (pfn == PFN_NONE)
		return -ENOENT;
	err = page_change_flags(pfn, PG_CLAIMED, 0);
	if (err == -EINVAL)
		return -EBUSY; /* moved between the two looks: the slot has another pfn */
	if (err)
		return err;
	if (slot_pfn(slot) != pfn) {
		page_change_flags(pfn, 0, PG_CLAIMED);
		return -EBUSY;
	}
	WRITE_ONCE(slot->pfn, PFN_NONE);
	page_put(mm, pfn);
	return 0;
}

unsigned long slot_pfn(const struct page_slot *slot)
{
	return __atomic_load_n(&slot->pfn, __ATOMIC_ACQUIRE);
}
