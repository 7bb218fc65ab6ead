/* SPDX-License-Identifier: BSD-2-Clause */
/* The byte-per-frame model: see the header. */
#include "mm/page_alloc.h"
#include "tests/model/frames.h"

#include "kernel/timer.h"
#include "lib/string.h"

struct frame_model fm;

static enum fm_frame first_state(enum page_type type)
{
	switch (type) {
	case PGTY_NONE:
		return FM_ABSENT;
	case PGTY_BUDDY:
		return FM_FREE;
	case PGTY_HOLE:
		return FM_HOLE;
	case PGTY_KERNEL:
		return FM_KERNEL;
	default:
		return FM_FIXED;
	}
}

void fm_start(struct mm *mm, unsigned long base, unsigned long sections, u8 *frames)
{
	fm = (struct frame_model){ .mm = mm, .base = base, .frame = frames };
	fm.nr = sections * PAGES_PER_SECTION;
	frame_steps_start();
	/* A frame in a hart's cache does not have the type of a free frame. */
	CHECK(drain_all_pages(mm, NSEC_PER_SEC) == 0, "drain");
	for (unsigned long i = 0; i < fm.nr; i++)
		fm.frame[i] = first_state(page_type(mm, base + i));
	for (unsigned long b = 0; b < fm.nr >> PAGEBLOCK_ORDER; b++)
		fm.unmapped[b] = fm.frame[b << PAGEBLOCK_ORDER] == FM_ABSENT ||
				 fm.frame[b << PAGEBLOCK_ORDER] == FM_HOLE;
	for (unsigned long s = 0; s < sections; s++)
		fm.zone[s] = fm.frame[s * PAGES_PER_SECTION] ? ZONE_NORMAL : NR_ZONES;
}

/* --- questions ------------------------------------------------------------- */

void fm_paint(unsigned long pfn, unsigned long nr, enum fm_frame to)
{
	memset(fm.frame + (pfn - fm.base), to, nr);
}

bool fm_all(unsigned long pfn, unsigned long nr, enum fm_frame what)
{
	const u8 *m = fm.frame + (pfn - fm.base);

	return m[0] == what && memcmp(m, m + 1, nr - 1) == 0;
}

unsigned long fm_first_isolated(unsigned long pfn, unsigned long nr)
{
	for (unsigned long p = ALIGN_DOWN(pfn, PAGEBLOCK_NR_PAGES); p < pfn + nr;
	     p += PAGEBLOCK_NR_PAGES)
		if (fm.isolated[fm_pageblock(p)])
			return p;
	return PFN_NONE;
}

struct verdict fm_fail(enum mm_reason reason, unsigned long pfn)
{
	return (struct verdict){ mm_reason_errno(reason), reason, pfn, .moves = 0 };
}

static enum mm_reason blocks(enum fm_frame what, bool offline)
{
	switch (what) {
	case FM_FREE:
	case FM_SLOT:
	case FM_HELD:
		return MM_REASON_NONE;
	case FM_PINNED:
		return MM_REASON_PINNED;
	case FM_HOLE:
		return offline ? MM_REASON_NONE : MM_REASON_HOLE;
	case FM_SKIPPABLE:
		return offline ? MM_REASON_NONE : MM_REASON_SKIPPABLE_TAKEN;
	case FM_OFFLINE:
		return offline ? MM_REASON_NOT_SKIPPABLE : MM_REASON_SKIPPABLE_TAKEN;
	default:
		return MM_REASON_UNMOVABLE;
	}
}

/*
 * Is this a frame of the reserve in added memory? The reserve gives it up before an
 * evacuation looks at it.
 */
static bool is_guest(unsigned long pfn)
{
	for (unsigned int i = 0; i < fm.mm->nr_reserve; i++)
		if (fm.mm->reserve[i] == pfn)
			return !(pfn_to_section(fm.mm, pfn)->boot & BIT(pageblock_index(pfn)));
	return false;
}

struct verdict fm_judge(unsigned long pfn, unsigned long nr, bool offline)
{
	for (unsigned long p = pfn; p < pfn + nr; p++) {
		const enum fm_frame what = fm.frame[p - fm.base];
		const enum mm_reason reason = blocks(what, offline);

		if (reason != MM_REASON_NONE && !(what == FM_META && is_guest(p)))
			return fm_fail(reason, p);
	}
	return fm_ok();
}

struct verdict fm_judge_range(unsigned long pfn, unsigned long nr)
{
	const unsigned int zone = fm.zone[fm_section(pfn)];
	unsigned long isolated;

	for (unsigned long p = pfn; p < pfn + nr; p = (p | (PAGES_PER_SECTION - 1)) + 1) {
		if (fm.zone[fm_section(p)] == NR_ZONES)
			return fm_fail(MM_REASON_NOT_PRESENT, p);
		if (fm.zone[fm_section(p)] != zone)
			return fm_fail(MM_REASON_ZONE_MIX, p);
	}
	isolated = fm_first_isolated(pfn, nr);
	if (isolated != PFN_NONE)
		return fm_fail(MM_REASON_ALREADY_ISOLATED, isolated);
	return fm_ok();
}

struct verdict fm_judge_contig(unsigned long pfn, unsigned long nr)
{
	const struct verdict v = fm_judge_range(pfn, nr);

	return v.err ? v : fm_judge(pfn, nr, false);
}

/*
 * Does an open pageblock have a free chunk of an order? Order 10: with the next
 * pageblock.
 */
static bool pageblock_fits(unsigned long b, unsigned int order)
{
	const unsigned long pfn = fm.base + (b << PAGEBLOCK_ORDER), nr = 1UL << order;

	if (order > PAGEBLOCK_ORDER)
		return !(b & 1) && !fm.isolated[b + 1] && !fm.target[b + 1] &&
		       fm_all(pfn, nr, FM_FREE) &&
		       pb_mt(pfn_pageblock(fm.mm, pfn)->word) ==
			       pb_mt(pfn_pageblock(fm.mm, pfn + nr / 2)->word);
	for (unsigned long p = pfn; p < pfn + PAGEBLOCK_NR_PAGES; p += nr)
		if (fm_all(p, nr, FM_FREE))
			return true;
	return false;
}

/* Is a pageblock in this zone, and can its frames be allocated? */
static bool is_open(unsigned long b, unsigned int zone)
{
	return fm.zone[b / PAGEBLOCKS_PER_SECTION] == zone && !fm.isolated[b] &&
	       !fm.target[b];
}

unsigned long fm_zone_free(unsigned int zone)
{
	unsigned long free = 0;

	for (unsigned long i = 0; i < fm.nr; i++)
		if (!is_open(i >> PAGEBLOCK_ORDER, zone))
			i |= PAGEBLOCK_NR_PAGES - 1;
		else
			free += fm.frame[i] == FM_FREE;
	return free;
}

static bool zone_can_alloc(unsigned int zone, u32 gfp, unsigned int order)
{
	const unsigned long min_free =
		gfp & GFP_ATOMIC ? 0 : fm.mm->zone[zone].wmark[WMARK_MIN];
	unsigned long b = 0;

	while (b < fm.nr >> PAGEBLOCK_ORDER &&
	       !(is_open(b, zone) && pageblock_fits(b, order)))
		b++;
	return b < fm.nr >> PAGEBLOCK_ORDER &&
	       fm_zone_free(zone) >= (1UL << order) + min_free;
}

bool fm_can_alloc(u32 gfp, unsigned int order)
{
	return zone_can_alloc(ZONE_NORMAL, gfp, order) ||
	       ((gfp & GFP_MOVABLE) && zone_can_alloc(ZONE_MOVABLE, gfp, order));
}

void fm_add_target(unsigned long pfn, unsigned long nr)
{
	for (unsigned long p = ALIGN_DOWN(pfn, PAGEBLOCK_NR_PAGES); p < pfn + nr;
	     p += PAGEBLOCK_NR_PAGES)
		fm.target[fm_pageblock(p)] = 1;
}

unsigned long fm_run_end(unsigned long pfn, unsigned long end)
{
	unsigned long next = pfn;

	while (next < end && fm.zone[fm_section(next)] == fm.zone[fm_section(pfn)])
		next = min((next | (PAGES_PER_SECTION - 1)) + 1, end);
	return next;
}

/* --- model and memory agree? ----------------------------------------------- */

/* The sums over all frames of a zone. */
struct sums {
	unsigned long start, end, present, managed, free, free_isolated, isolated, cached;
};

static enum page_type type_of(enum fm_frame what)
{
	static const u8 types[] = {
		[FM_FREE] = PGTY_BUDDY,	     [FM_KERNEL] = PGTY_KERNEL,
		[FM_META] = PGTY_KERNEL,     [FM_SLOT] = PGTY_DRIVER,
		[FM_HELD] = PGTY_DRIVER,     [FM_PINNED] = PGTY_DRIVER,
		[FM_OFFLINE] = PGTY_OFFLINE, [FM_SKIPPABLE] = PGTY_OFFLINE,
		[FM_MEMMAP] = PGTY_MEMMAP,   [FM_HOLE] = PGTY_HOLE,
	};

	return types[what];
}

static void check_frame(unsigned long pfn, enum fm_frame what,
			const struct page_state *st)
{
	const u8 flags = what == FM_SKIPPABLE ? PG_OFFLINE_SKIPPABLE
			 : what == FM_PINNED  ? PG_PINNED
					      : 0;

	if (what == FM_FIXED)
		CHECK(st->type == PGTY_BOOT || st->type == PGTY_MEMMAP, "pfn %#lx is %s",
		      pfn, page_type_name(st->type));
	else if (what == FM_FREE)
		CHECK(st->type == PGTY_BUDDY ||
			      (st->type == PGTY_CACHED && !st->isolated),
		      "pfn %#lx is %s, not free", pfn, page_type_name(st->type));
	else if (what == FM_KERNEL)
		CHECK(type_is_alloc(st->type) && st->type != PGTY_DRIVER &&
			      !(st->flags & ~PG_TAIL),
		      "pfn %#lx is %s, flags %#x", pfn, page_type_name(st->type),
		      st->flags);
	else
		CHECK(st->type == type_of(what) && (st->flags & ~PG_TAIL) == flags,
		      "pfn %#lx is %s, flags %#x; model %u", pfn,
		      page_type_name(st->type), st->flags, what);
}

static void sum_frames(struct sums *sums, enum fm_frame what, bool isolated,
		       unsigned long nr)
{
	if (what == FM_HOLE)
		return;
	sums->present += nr;
	if (what != FM_FIXED && what != FM_MEMMAP && what != FM_OFFLINE &&
	    what != FM_SKIPPABLE)
		sums->managed += nr;
	if (what == FM_FREE)
		*(isolated ? &sums->free_isolated : &sums->free) += nr;
}

static void check_pageblock(unsigned long b, unsigned int zone, struct sums *sums)
{
	const unsigned long pfn = fm.base + (b << PAGEBLOCK_ORDER);
	const bool valid = pfn_pageblock(fm.mm, pfn)->word & PB_VALID;
	const unsigned int step =
		valid || !fm_all(pfn, PAGEBLOCK_NR_PAGES, fm.frame[b << PAGEBLOCK_ORDER])
			? 1
			: PAGEBLOCK_NR_PAGES;

	sums->isolated += fm.isolated[b];
	for (unsigned int i = 0; i < PAGEBLOCK_NR_PAGES; i += step) {
		const enum fm_frame what = fm.frame[(b << PAGEBLOCK_ORDER) + i];
		struct page_state st;

		CHECK(page_state_get(fm.mm, pfn + i, &st), "pfn %#lx is not online",
		      pfn + i);
		CHECK(st.zone == zone && st.isolated == fm.isolated[b],
		      "pfn %#lx: zone %u isolated %u; model %u %u", pfn + i, st.zone,
		      st.isolated, zone, fm.isolated[b]);
		check_frame(pfn + i, what, &st);
		sum_frames(sums, what, fm.isolated[b], step);
		sums->cached += (st.type == PGTY_CACHED) * step;
	}
}

static void check_counter(unsigned int z, const char *name, unsigned long is,
			  unsigned long model)
{
	CHECK(is == model, "zone %u: %s is %lu, model %lu", z, name, is, model);
}

/* Sum the free frames that /proc/buddyinfo shows for the migrate types from @mt to @end. */
static unsigned long free_by_order(struct zone *zone, unsigned int mt, unsigned int end)
{
	unsigned long nr[NR_MIGRATE_TYPES][NR_PAGE_ORDERS], sum = 0;

	zone_count_free(zone, nr);
	for (; mt < end; mt++)
		for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
			sum += nr[mt][k] << k;
	return sum;
}

static void check_zone(unsigned int z, const struct sums *sums)
{
	struct zone *zone = &fm.mm->zone[z];

	check_counter(z, "start", zone->start_pfn, sums->start);
	check_counter(z, "spanned", zone->spanned, sums->end - sums->start);
	check_counter(z, "present", zone->present, sums->present);
	check_counter(z, "managed", zone->managed, sums->managed);
	check_counter(z, "free and cached", zone->free + sums->cached, sums->free);
	check_counter(z, "free_isolated", zone->free_isolated, sums->free_isolated);
	check_counter(z, "nr_isolated", zone->nr_isolated, sums->isolated);
	check_counter(z, "free by order",
		      free_by_order(zone, 0, MIGRATE_ISOLATE) + sums->cached, sums->free);
	check_counter(z, "free_isolated by order",
		      free_by_order(zone, MIGRATE_ISOLATE, MIGRATE_ISOLATE + 1),
		      sums->free_isolated);
}

void fm_check(void)
{
	struct sums sums[NR_ZONES] = { 0 };

	for (unsigned long s = 0; s < fm.nr >> SECTION_PFN_SHIFT; s++) {
		const unsigned long pfn = fm.base + s * PAGES_PER_SECTION;
		const unsigned int z = fm.zone[s];
		struct page_state st;

		CHECK(page_state_get(fm.mm, pfn + 1, &st) == (z != NR_ZONES),
		      "pfn %#lx: zone %u", pfn, z);
		CHECK((page_type(fm.mm, pfn) != PGTY_NONE) == (z != NR_ZONES),
		      "pfn %#lx is %s, model: zone %u", pfn,
		      page_type_name(page_type(fm.mm, pfn)), z);
		if (z == NR_ZONES)
			continue;
		if (!sums[z].start)
			sums[z].start = pfn;
		sums[z].end = pfn + PAGES_PER_SECTION;
		for (unsigned long b = 0; b < PAGEBLOCKS_PER_SECTION; b++)
			check_pageblock(s * PAGEBLOCKS_PER_SECTION + b, z, &sums[z]);
	}
	for (unsigned int z = 0; z < NR_ZONES; z++)
		check_zone(z, &sums[z]);
	CHECK(mm_check(fm.mm, check_sink()) == 0, "mm_check");
}
