/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event counters and the census of frames, for the user and for tests.
 *
 * Compare with: Linux mm/vmstat.c, fs/proc/page.c.
 */
#include "mm/vmstat.h"
#include "mm/memory_hotplug.h"

void vm_event_inc(struct mm *mm, enum vm_event event, unsigned long n)
{
	__atomic_fetch_add(&mm->vm_events[event], n, __ATOMIC_RELAXED);
}

unsigned long vm_event_read(const struct mm *mm, unsigned int event)
{
	return event < NR_VM_EVENTS ? READ_ONCE(mm->vm_events[event]) : 0;
}

const char *vm_event_name(unsigned int event)
{
	static const char *const names[] = { VM_EVENTS(TABLE_WORD) };

	return event < NR_VM_EVENTS ? names[event] : "?";
}

const char *zone_name(unsigned int zone)
{
	static const char *const names[] = { ZONES(TABLE_WORD) };

	return zone < NR_ZONES ? names[zone] : "?";
}

/* Count one pageblock: at once if it is uniform, else frame by frame. */
static void census_pageblock(const struct mm *mm, unsigned long pfn, unsigned long nr[])
{
	unsigned long end = pfn + PAGEBLOCK_NR_PAGES;
	struct page_state st;

	for (; pfn < end; pfn++) {
		if (!page_state_get(mm, pfn, &st))
			return;
		if (st.uniform && IS_ALIGNED(pfn, PAGEBLOCK_NR_PAGES)) {
			nr[st.type] += PAGEBLOCK_NR_PAGES;
			return;
		}
		nr[st.type]++;
	}
}

void mm_census(const struct mm *mm, unsigned long nr[NR_PAGE_TYPES])
{
	unsigned long block, pfn;
	unsigned int i;

	for (i = 0; i < NR_PAGE_TYPES; i++)
		nr[i] = 0;
	for (block = next_memory_block(mm, 0); block != PFN_NONE;
	     block = next_memory_block(mm, block + 1)) {
		pfn = block * PAGES_PER_SECTION;
		pfn_walk_begin();
		for (i = 0; i < PAGEBLOCKS_PER_SECTION; i++)
			census_pageblock(mm, pfn + i * PAGEBLOCK_NR_PAGES, nr);
		pfn_walk_end();
	}
}
