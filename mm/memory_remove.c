/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Removing memory blocks. Look-ups stop finding a block first, then every hart
 * passes a quiescent point, then memmap and direct map go: a walker never meets
 * a memmap that is gone.
 *
 * Compare with: Linux mm/memory_hotplug.c, try_remove_memory(),
 * offline_and_remove_memory().
 */
#include "arch/machine.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "mm/hotplug.h"
#include "mm/internal.h"

/* After the grace period: nobody looks at the section any more. */
static void destroy_section(struct mem_section *s)
{
	struct mm *mm = s->mm;
	const unsigned long pfn = s->start_pfn;

	section_drop_memmap(s);
	/* What was never plugged is a hole in this range; one shoot-down for all. */
	arch_unmap_direct(pfn_to_phys(pfn), SECTION_SIZE);
	memory_block_set_state(s, MEM_BLOCK_ABSENT);
	section_free(mm, s);
	section_root_put(mm, pfn);
}

/*
 * Sections on a list by ->next, all offline: they go away behind one grace period,
 * or none goes.
 */
static int remove_sections(struct mm *mm, struct mem_section *list, struct mm_failure *why)
{
	struct mem_section *s, *next;

	for (s = list; s; s = s->next) {
		if (s->state != MEM_BLOCK_REMOVING)
			memory_block_set_state(s, MEM_BLOCK_REMOVING);
		section_unlink(mm, s);
	}
	if (mm_inject_fail(mm) || mm_grace_period(mm, MHP_GRACE_NS)) {
		for (s = list; s; s = s->next) {
			/* Its root is still there: this cannot fail. */
			BUG_ON(section_link(mm, s));
			memory_block_set_state(s, MEM_BLOCK_OFFLINE);
		}
		return mm_fail(why, MM_REASON_HARTS_BUSY, PFN_NONE);
	}
	for (s = list; s; s = next) {
		next = s->next;
		destroy_section(s);
	}
	return 0;
}

int try_remove_memory(struct mm *mm, unsigned long block, struct mm_failure *why)
{
	struct mem_section *s;
	int err;

	mutex_lock(&mm->hotplug_lock);
	s = find_block(mm, block, why);
	if (!s) {
		err = mm_reason_errno(MM_REASON_NOT_PRESENT);
	} else if (s->flags & SECTION_EARLY) {
		err = mm_fail(why, MM_REASON_SHARED_BLOCK, s->start_pfn);
	} else if (s->state != MEM_BLOCK_OFFLINE) {
		err = mm_fail(why, MM_REASON_NOT_OFFLINE, s->start_pfn);
	} else {
		s->next = NULL;
		err = remove_sections(mm, s, why);
	}
	mutex_unlock(&mm->hotplug_lock);
	return err;
}

/* Online again as it was onlined, and in the zone that it was in. */
static void restore_section(struct mem_section *s)
{
	struct mm_failure why = { .pfn = PFN_NONE };

	if (online_section(s, s->online_type, &why))
		memory_block_report(s->mm, section_nr(s), "online again", &why);
	s->restore = 0;
}

/* They could not be removed: those that this request took offline go online again. */
static void restore_sections(struct mem_section *list)
{
	for (struct mem_section *s = list; s; s = s->next)
		if (s->restore)
			restore_section(s);
}

int offline_and_remove_memory(struct mm *mm, const unsigned long *blocks, unsigned int nr,
			      const struct evacuate_policy *policy, struct mm_failure *why)
{
	const struct block_list ids = { blocks, nr };
	struct mem_section *list;
	int err = hotplug_lock(mm, policy, why);

	if (err)
		return err;
	for (unsigned int i = 0; i < nr; i++)
		unwatch_range(mm, policy, &(struct pfn_range){ blocks[i] << SECTION_PFN_SHIFT,
							       PAGES_PER_SECTION });
	err = claim_blocks(mm, &ids, OFFLINE_AND_REMOVE, &list, why);
	if (!err)
		err = offline_blocks(mm, list, policy, why);
	if (err)
		watch_blocker(mm, policy, why);
	if (!err) {
		err = remove_sections(mm, list, why);
		if (err)
			restore_sections(list);
	}
	mutex_unlock(&mm->hotplug_lock);
	return err;
}
