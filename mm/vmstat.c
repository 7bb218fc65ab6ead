/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers for the user and for tests: event counters, the census of frames, free chunks
 * per order as the buddy lists of Linux would have them, pageblocks per migrate type, and
 * the harts' caches. Only the event counters are maintained here; slabs and page tables are
 * counted where they are made. Each call counts everything else again, so the allocator
 * pays nothing for it.
 *
 * Compare with: Linux mm/vmstat.c, mm/show_mem.c, fs/proc/page.c.
 */
#include "lib/bitops.h"
#include "lib/string.h"
#include "mm/hotplug.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/vmstat.h"

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

/* The first section at or above block @nr, NULL at the end; advances @nr past it. */
static const struct mem_section *next_walked(const struct mm *mm, unsigned long *nr)
	__must_hold(walk_bracket)
{
	const struct mem_section *ms = walk_next_section(mm, *nr);

	*nr = ms ? section_nr(ms) + 1 : *nr;
	return ms;
}

void mm_census(const struct mm *mm, unsigned long nr[NR_PAGE_TYPES])
{
	const struct mem_section *ms;
	unsigned long at = 0;

	for (unsigned int type = 0; type < NR_PAGE_TYPES; type++)
		nr[type] = 0;
	do {
		pfn_walk_begin();
		ms = next_walked(mm, &at);
		if (ms && READ_ONCE(ms->flags) & SECTION_ONLINE)
			for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION;)
				b += pageblock_look(ms, b, nr).blocks;
		pfn_walk_end();
	} while (ms);
}

/* --- free chunks, pageblocks and caches ------------------------------------------ */

static unsigned int shown_migratetype(u64 w)
{
	return w & PB_ISOLATE ? MIGRATE_ISOLATE : pb_mt(w);
}

/*
 * Count a section's free chunks. The index has the pageblocks that are free as a whole,
 * unless they are isolated.
 */
static void count_section(const struct mem_section *ms, unsigned long nr[][NR_PAGE_ORDERS])
{
	const u64 pairs = ms->avail[MAX_PAGE_ORDER], lone = ms->avail[PAGEBLOCK_ORDER];

	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++) {
		nr[mt][MAX_PAGE_ORDER] += hweight64(pairs & ms->mt[mt]);
		nr[mt][PAGEBLOCK_ORDER] += hweight64(lone & ms->mt[mt]);
	}
	for (u64 rest = ~(pairs | pairs << 1 | lone); rest; rest &= rest - 1) {
		const unsigned int b = __ffs(rest);
		const u64 w = pb_read(&ms->pb[b]);

		if (pb_all_free(w))
			nr[MIGRATE_ISOLATE][PAGEBLOCK_ORDER]++;
		else if (pb_free(w))
			bits_count(pb_bits(ms, b), nr[shown_migratetype(w)]);
	}
}

void zone_count_free(struct zone *zone, unsigned long nr[NR_MIGRATE_TYPES][NR_PAGE_ORDERS])
{
	const struct mem_section *ms;
	unsigned long at = 0;

	memset(nr, 0, NR_MIGRATE_TYPES * sizeof(nr[0]));
	do {
		struct zone *locked;

		pfn_walk_begin();
		ms = next_walked(zone->mm, &at);
		locked = ms ? section_lock_zone(ms) : NULL;
		if (locked == zone)
			count_section(ms, nr);
		if (locked)
			section_unlock_zone(locked);
		pfn_walk_end();
	} while (ms);
}

void zone_count_blocks(struct zone *zone, unsigned long nr[NR_MIGRATE_TYPES])
{
	const struct mem_section *ms;
	unsigned long at = 0;

	for (unsigned int mt = 0; mt < NR_MIGRATE_TYPES; mt++)
		nr[mt] = 0;
	do {
		pfn_walk_begin();
		ms = next_walked(zone->mm, &at);
		if (ms && section_zone(ms) == zone)
			for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++)
				nr[shown_migratetype(pb_read(&ms->pb[b]))]++;
		pfn_walk_end();
	} while (ms);
}

unsigned long pcp_cached_pages(const struct mm *mm)
{
	unsigned long nr = 0;

	for (unsigned int hart = 0; hart < nr_harts(); hart++)
		for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++)
			for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
				const struct pcp_stack *st = pcp_stack(mm->pcp[hart], mt, order);

				nr += (READ_ONCE(st->top) - READ_ONCE(st->base)) << order;
			}
	return nr;
}

/* Is @pfn, any number, a frame of the zone? */
static bool in_zone(const struct zone *zone, unsigned long pfn)
{
	const struct mem_section *ms;
	bool found;

	pfn_walk_begin();
	ms = walk_section(zone->mm, pfn);
	found = ms && section_zone(ms) == zone;
	pfn_walk_end();
	return found;
}

void pcp_read_info(const struct zone *zone, unsigned int hart, struct pcp_info *info)
{
	struct pcp *pcp = zone->mm->pcp[hart];

	*info = (struct pcp_info){ .high = READ_ONCE(pcp->high_limit) };
	for (unsigned int mt = 0; mt < NR_MIGRATE_STORED; mt++) {
		const struct pcp_stack *st = pcp_stack(pcp, mt, 0);

		info->high += READ_ONCE(st->cap);
		info->batch = max(info->batch, (unsigned long)READ_ONCE(st->batch));
		for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
			const struct pcp_stack *s = pcp_stack(pcp, mt, order);
			const unsigned long *base = READ_ONCE(s->base);
			const unsigned long *top = READ_ONCE(s->top);

			/* Another hart may pop entries of its stack during the count. */
			for (const unsigned long *p = base; p < top; p++)
				if (in_zone(zone, READ_ONCE(*p)))
					info->count += 1UL << order;
		}
	}
}
