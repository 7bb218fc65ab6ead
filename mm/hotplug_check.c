/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of mm_check() for memory hotplug: spans, present counts, roots, the states
 * of blocks, headers and unplugged parts, and the reserve.
 */
#include "arch/machine.h"
#include "kernel/sink.h"
#include "lib/bitmap.h"
#include "lib/bitops.h"
#include "mm/hotplug.h"
#include "mm/internal.h"

/* Compare two values: describe and count a difference. */
static unsigned int differ(struct sink *out, const char *what, unsigned long where,
			   unsigned long is, unsigned long wanted)
{
	if (is == wanted)
		return 0;
	if (out)
		sink_printf(out, "%s at 0x%lx: is 0x%lx, should be 0x%lx\n", what, where, is,
			    wanted);
	return 1;
}

static unsigned int check_span(const struct zone *zone, struct sink *out)
{
	unsigned long start = 0, end = 0, present = 0;
	const struct mem_section *ms;

	for_each_section(ms, zone->mm) {
		if (ms->zone != zone)
			continue;
		start = end ? start : ms->start_pfn;
		end = section_end_pfn(ms);
		present += ms->flags & SECTION_ONLINE ? ms->present : 0;
	}
	return differ(out, "zone start", zone->type, zone->start_pfn, start) +
	       differ(out, "zone spanned", zone->type, zone->spanned, end - start) +
	       differ(out, "zone present", zone->type, zone->present, present);
}

static unsigned int check_roots(const struct mm *mm, struct sink *out)
{
	unsigned int bad = 0, empty = 0;

	for (unsigned long r = 0; r < NR_SECTION_ROOTS; r++) {
		const struct section_root *root = mm->root[r];
		unsigned long nr = 0;

		/* Check the shared root, which stands for all empty ones, only once. */
		if (root == &empty_section_root && empty++)
			continue;

		for (unsigned int i = 0; i < SECTIONS_PER_ROOT; i++) {
			const struct mem_section *ms = root->section[i];

			nr += ms != NULL;
			for (unsigned int z = 0; z < NR_ZONES; z++)
				bad += differ(out, "section's bit in zone", r << 8 | i,
					      test_bit(i, root->in_zone[z]),
					      ms && ms->zone == &mm->zone[z]);
			if (ms)
				bad += differ(out, "section number", r << 8 | i, section_nr(ms),
					      r << 8 | i);
		}
		bad += differ(out, "sections of root", r, root->nr_sections, nr);
		bad += differ(out, "root without sections", r, !nr, root == &empty_section_root);
	}
	return bad;
}

/* The direct map covers exactly the mapped pageblocks; that of boot may have holes. */
static unsigned int check_mapped(const struct mem_section *ms, struct sink *out)
{
	unsigned int bad = 0;

	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++) {
		const bool unmapped = ms->unmapped & BIT(b);

		if (unmapped || !(ms->flags & SECTION_EARLY))
			bad += differ(out, "pageblock's direct map", pb_pfn(ms, b),
				      arch_direct_mapped(pfn_to_phys(pb_pfn(ms, b))), !unmapped);
	}
	return bad;
}

/* Every unmapped pageblock is wholly PageOffline, or hole. */
static unsigned int check_unmapped(const struct mem_section *ms, struct sink *out)
{
	unsigned int bad = differ(out, "holes that are mapped", ms->start_pfn,
				  ms->hole & ~ms->unmapped, 0);

	bad += check_mapped(ms, out);
	for (u64 mask = ms->flags & SECTION_ONLINE ? ms->unmapped : 0; mask; mask &= mask - 1) {
		const unsigned int b = __ffs(mask);
		const u64 word = pb_read(&ms->pb[b]);
		const enum page_type want = ms->hole & BIT(b) ? PGTY_HOLE : PGTY_OFFLINE;

		bad += differ(out, "unmapped pageblock's descriptors", pb_pfn(ms, b),
			      word & PB_VALID, 0);
		bad += differ(out, "unmapped pageblock's type", pb_pfn(ms, b),
			      PAGE_WORD_TYPE(pb_const(word)), want);
	}
	return bad;
}

static unsigned int check_header(const struct mem_section *ms, struct sink *out)
{
	unsigned int bad = 0;

	if (!(ms->flags & SECTION_SELF_HOSTED))
		return 0;
	bad += differ(out, "header is unmapped", ms->start_pfn,
		      ms->unmapped & BIT(pageblock_index(ms->host_pfn)), 0);
	for (unsigned long i = 0; ms->flags & SECTION_ONLINE && i < MHP_HEADER_PAGES; i++)
		bad += differ(out, "header frame's type", ms->host_pfn + i,
			      page_type(ms->mm, ms->host_pfn + i), PGTY_MEMMAP);
	return bad;
}

static unsigned int check_section(const struct mem_section *ms, struct sink *out)
{
	const bool online = ms->state == MEM_BLOCK_ONLINE || ms->state == MEM_BLOCK_GOING_OFFLINE;
	unsigned int bad = 0;

	bad += differ(out, "online flag", ms->start_pfn, !!(ms->flags & SECTION_ONLINE), online);
	bad += differ(out, "section's zone", ms->start_pfn, ms->zone != NULL,
		      online || ms->state == MEM_BLOCK_GOING_ONLINE);
	if (!(ms->flags & SECTION_EARLY))
		bad += differ(out, "present frames", ms->start_pfn, ms->present,
			      hweight64(~ms->hole) * PAGEBLOCK_NR_PAGES);
	return bad + check_unmapped(ms, out) + check_header(ms, out);
}

static unsigned int check_reserve_page(const struct mm *mm, unsigned int i, struct sink *out)
{
	const unsigned long pfn = mm->reserve[i];
	const bool boot = pfn_to_section(mm, pfn)->boot & BIT(pageblock_index(pfn));

	return differ(out, "reserve page's type", pfn, page_type(mm, pfn), PGTY_KERNEL) +
	       differ(out, "reserve page's owner word", pfn, page_owner(mm, pfn),
		      OWNER_RESERVE) +
	       differ(out, "reserve page is a guest", pfn, i < mm->nr_guests, !boot);
}

static unsigned int check_owner(const struct mm *mm, const struct memory_owner *owner,
				struct sink *out)
{
	const struct mem_section *ms;
	unsigned long plugged = 0;

	for_each_section(ms, mm)
		plugged += hweight64(section_range_mask(ms, &owner->region) & ~ms->unmapped);
	return differ(out, "owner's plugged frames", owner->region.start_pfn,
		      owner->plugged, plugged * PAGEBLOCK_NR_PAGES);
}

unsigned int hotplug_check(struct mm *mm, struct sink *out)
{
	const struct memory_owner *owner;
	const struct mem_section *ms;
	unsigned long max_pfn = 0;
	unsigned int bad = check_roots(mm, out);

	for (unsigned int z = 0; z < NR_ZONES; z++)
		bad += check_span(&mm->zone[z], out);
	for_each_section(ms, mm) {
		bad += check_section(ms, out);
		max_pfn = section_end_pfn(ms);
	}
	list_for_each_entry(owner, &mm->owners, list)
		bad += check_owner(mm, owner, out);
	bad += differ(out, "max_pfn", 0, mm->max_pfn, max_pfn);
	spin_lock(&mm->reserve_lock);
	for (unsigned int i = 0; i < mm->nr_reserve; i++)
		bad += check_reserve_page(mm, i, out);
	spin_unlock(&mm->reserve_lock);
	return bad;
}
