/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Removing memory blocks. First look-ups stop finding a block, then every hart passes a
 * quiescent point, then memmap and direct map go: a walker never meets a missing memmap.
 *
 * Compare with: Linux mm/memory_hotplug.c, try_remove_memory(),
 * offline_and_remove_memory().
 */
#include "arch/machine.h"
#include "kernel/printk.h"
#include "mm/hotplug.h"
#include "mm/internal.h"

/* Destroy a section after the grace period, when no walker can see it any more. */
static void destroy_section(struct mem_section *s)
{
	struct mm *mm = s->mm;
	const unsigned long pfn = s->start_pfn;

	section_drop_memmap(s);
	/* Unplugged parts are holes in this range; one shoot-down covers all. */
	arch_unmap_direct(pfn_to_phys(pfn), SECTION_SIZE);
	memory_block_set_state(s, MEM_BLOCK_ABSENT);
	section_free(mm, s);
	section_root_put(mm, pfn);
}

/*
 * Remove the sections of a list, linked by ->next and all offline, after one grace
 * period; all or none.
 */
static int remove_sections(struct mm *mm, struct mem_section *list, struct mm_failure *why)
{
	struct mem_section *s, *next;

	for (s = list; s; s = s->next) {
		if (s->state != MEM_BLOCK_REMOVING)
			memory_block_set_state(s, MEM_BLOCK_REMOVING);
		section_unlink(mm, s);
	}
	if (mm_inject_fail(mm) || drain_all_pages(mm, MHP_GRACE_NS)) {
		for (s = list; s; s = s->next) {
			/* The root still exists, so this cannot fail. */
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

/* Bring a section online again, with its previous online type, in its previous zone. */
static void restore_section(struct mem_section *s)
{
	struct mm_failure why = { .pfn = PFN_NONE };

	if (online_section(s, s->online_type, &why))
		memory_block_report(s->mm, section_nr(s), "online again", &why);
	s->restore = 0;
}

/* The removal failed: bring the blocks that this request took offline online again. */
static void restore_sections(struct mem_section *list)
{
	for (struct mem_section *s = list; s; s = s->next)
		if (s->restore)
			restore_section(s);
}

int offline_and_remove_memory(struct mm *mm, const unsigned long *blocks, unsigned int nr,
			      const struct evac_limits *limits, struct mm_failure *why)
{
	const struct block_list ids = { blocks, nr };
	struct mem_section *list;
	int err = hotplug_lock(mm, limits, why);

	if (err)
		return err;
	for (unsigned int i = 0; i < nr; i++)
		unwatch_range(mm, &(struct pfn_range){ blocks[i] << SECTION_PFN_SHIFT,
						       PAGES_PER_SECTION });
	err = claim_blocks(mm, &ids, OFFLINE_AND_REMOVE, &list, why);
	if (!err)
		err = offline_blocks(mm, list, limits, why);
	if (err)
		watch_blocker(mm, why);
	if (!err) {
		err = remove_sections(mm, list, why);
		if (err)
			restore_sections(list);
	}
	mutex_unlock(&mm->hotplug_lock);
	return err;
}
