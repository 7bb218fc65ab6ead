/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps on frames: allocating and freeing, movable pages, isolation, release; each
 * predicted by the model and followed in it.
 */
#include "tests/model/chunks.h"

#include "kernel/hart.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_isolation.h"

struct chunk chunks[MAX_CHUNKS];
unsigned int nr_chunks;

/* Static: a moved array would break the owner words of the slots' pages. */
struct page_slot slots[MAX_CHUNKS];

unsigned long fm_any_frame(struct choices *c)
{
	/*
	 * Mostly a frame of an online section, in one of a few pageblocks, so that steps
	 * meet.
	 */
	const unsigned int where = take_byte(c);
	const unsigned long x = take_bytes(c, 2), sections = fm.nr >> SECTION_PFN_SHIFT;
	unsigned long s = where >> 1;

	while (where < 0xf0 && fm.zone[s % sections] == NR_ZONES)
		s++;
	return fm.base + s % sections * PAGES_PER_SECTION +
	       (where & 1 ? x % 4096 : x % PAGES_PER_SECTION);
}

void frame_steps_start(void)
{
	nr_chunks = 0;
	memset(slots, 0, sizeof(slots));
}

void frame_check_newborn(unsigned long pfn, enum page_type type)
{
	struct page_state st;

	CHECK(page_state_get(fm.mm, pfn, &st) && st.type == type,
	      "pfn %#lx is %s, not %s", pfn, page_type_name(st.type),
	      page_type_name(type));
	CHECK(st.count == type_is_counted(type) &&
		      (type == PGTY_DRIVER || !page_owner(fm.mm, pfn)),
	      "pfn %#lx: count %u owner %#lx", pfn, st.count,
	      (unsigned long)page_owner(fm.mm, pfn));
}

static struct chunk *new_chunk(unsigned long pfn, unsigned int order, enum page_type type)
{
	const enum fm_frame kind = type == PGTY_DRIVER ? FM_SLOT : FM_KERNEL;
	struct chunk *chunk = &chunks[nr_chunks++];

	CHECK(!(pfn & ((1UL << order) - 1)), "pfn %#lx order %u", pfn, order);
	CHECK(fm_all(pfn, 1UL << order, FM_FREE), "pfn %#lx order %u was not free", pfn,
	      order);
	CHECK(!any_isolated(pfn, 1UL << order), "pfn %#lx order %u is isolated", pfn,
	      order);
	frame_check_newborn(pfn, type);
	if (kind == FM_KERNEL)
		page_set_owner(fm.mm, pfn, pfn);
	*chunk = (struct chunk){ .pfn = pfn, .order = order, .kind = kind, .type = type };
	fm_paint(pfn, 1UL << order, kind);
	return chunk;
}

/* Return a type without movable operations: its pages do not move. */
static enum page_type fixed_type(unsigned int which)
{
	static const u8 types[] = { PGTY_KERNEL, PGTY_SLAB,	 PGTY_PGTABLE,
				    PGTY_ANON,	 PGTY_PAGECACHE, PGTY_HUGE };

	return types[which % ARRAY_SIZE(types)];
}

static void step_alloc(struct choices *c)
{
	const unsigned int order = take_below(c, NR_PAGE_ORDERS);
	const u32 mt = take_below(c, 3);
	const unsigned int how = take_byte(c);
	const u32 gfp = mt | GFP_NOWARN | (how & 1 ? GFP_ATOMIC : 0);
	unsigned long pfn;

	if (nr_chunks == MAX_CHUNKS)
		return;
	pfn = alloc_pages(fm.mm, gfp, order, fixed_type(how >> 1));
	CHECK(pfn == PFN_NONE || mt == MIGRATE_MOVABLE ||
		      fm.zone[fm_section(pfn)] == ZONE_NORMAL,
	      "%#lx: kernel data in zone Movable", pfn);
	if (pfn != PFN_NONE)
		new_chunk(pfn, order, fixed_type(how >> 1));
	else
		CHECK(!fm_can_alloc(gfp, order), "gfp %#x order %u: there is one", gfp,
		      order);
}

static struct verdict predict_alloc_at(const struct request *rq)
{
	const unsigned long pfn = rq->range.start_pfn, nr = rq->range.nr_pages;
	struct verdict v = fm_ok();

	if (fm.zone[fm_section(pfn)] == NR_ZONES)
		v.err = -EINVAL;
	else if (!fm_all(pfn, nr, FM_FREE) || any_isolated(pfn, nr))
		v.err = -EBUSY;
	return v;
}

static int make_alloc_at(const struct request *rq, struct mm_failure *why)
{
	const unsigned int order = order_of(rq->range.nr_pages);

	(void)why;
	/* alloc_pages_at() drains only this hart's cache, and takes no frame from others. */
	CHECK(nr_harts() == 1 || drain_all_pages(fm.mm, STEP_NS) == 0, "drain");
	return alloc_pages_at(fm.mm, rq->range.start_pfn, order, PGTY_KERNEL);
}

static void follow_alloc_at(const struct request *rq)
{
	new_chunk(rq->range.start_pfn, order_of(rq->range.nr_pages), PGTY_KERNEL);
}

const struct request_kind alloc_at_request = { "alloc_pages_at", predict_alloc_at,
					       make_alloc_at,	 NULL,
					       follow_alloc_at,	 NULL };

static void step_alloc_at(struct choices *c)
{
	const unsigned int order = take_below(c, NR_PAGE_ORDERS);
	const unsigned long pfn = ALIGN_DOWN(fm_any_frame(c), 1UL << order);

	if (nr_chunks == MAX_CHUNKS)
		return;
	CHECK(!order || alloc_pages_at(fm.mm, pfn + 1, order, PGTY_KERNEL) == -EINVAL,
	      "pfn %#lx order %u", pfn + 1, order);
	request_make(&(struct request){ .kind = &alloc_at_request,
					.range = { pfn, 1UL << order } });
}

static void step_slot(struct choices *c)
{
	const unsigned int order = take_below(c, 5);
	struct page_slot *slot = NULL;
	struct chunk *chunk;

	for (unsigned int i = 0; i < MAX_CHUNKS && !slot; i++)
		if (slots[i].pfn == 0)
			slot = &slots[i];
	if (!slot || nr_chunks == MAX_CHUNKS)
		return;
	if (slot_alloc(fm.mm, slot, order)) {
		CHECK(!fm_can_alloc(GFP_MOVABLE, order), "slot of order %u: there is one",
		      order);
		return;
	}
	chunk = new_chunk(slot->pfn, order, PGTY_DRIVER);
	chunk->slot = slot - slots;
	*content(slot->pfn) = chunk->slot;
}

static void free_one(unsigned int i)
{
	struct chunk *chunk = &chunks[i];

	if (chunk->kind == FM_HELD) {
		page_put(fm.mm, chunk->pfn);
		chunk->kind = FM_SLOT;
	}
	if (chunk->kind == FM_PINNED) {
		CHECK(slot_free(fm.mm, &slots[chunk->slot]) == -EBUSY,
		      "freed a pinned page");
		CHECK(page_unpin(fm.mm, chunk->pfn) == 0, "unpin");
		chunk->kind = FM_SLOT;
	}
	if (chunk->kind == FM_SLOT) {
		struct page_slot *slot = &slots[chunk->slot];

		CHECK(slot->pfn == chunk->pfn, "slot at %#lx, model %#lx",
		      (unsigned long)slot->pfn, chunk->pfn);
		CHECK(*content(chunk->pfn) == chunk->slot, "%#lx: other content", chunk->pfn);
		CHECK(slot_free(fm.mm, slot) == 0, "slot_free");
		slot->pfn = 0;
	} else {
		CHECK(page_type(fm.mm, chunk->pfn) == chunk->type &&
			      page_owner(fm.mm, chunk->pfn) == chunk->pfn,
		      "pfn %#lx is %s, not %s", chunk->pfn,
		      page_type_name(page_type(fm.mm, chunk->pfn)),
		      page_type_name(chunk->type));
		free_pages(fm.mm, chunk->pfn, chunk->order);
	}
	fm_paint(chunk->pfn, 1UL << chunk->order, FM_FREE);
	chunks[i] = chunks[--nr_chunks];
}

static void step_pin(unsigned int i)
{
	struct chunk *chunk = &chunks[i];

	if (chunk->kind == FM_SLOT && page_pin(fm.mm, chunk->pfn) == 0)
		chunk->kind = FM_PINNED;
	else if (chunk->kind == FM_PINNED && page_unpin(fm.mm, chunk->pfn) == 0)
		chunk->kind = FM_SLOT;
	fm_paint(chunk->pfn, 1UL << chunk->order, chunk->kind);
}

/* Take or drop a second reference: while a page has one, it cannot move. */
static void step_hold(struct choices *c)
{
	struct chunk *chunk = &chunks[take_below(c, MAX_CHUNKS) % max(nr_chunks, 1U)];

	if (!nr_chunks || (chunk->kind != FM_SLOT && chunk->kind != FM_HELD))
		return;
	if (chunk->kind == FM_HELD)
		page_put(fm.mm, chunk->pfn);
	else
		CHECK(page_try_get(fm.mm, chunk->pfn), "%#lx: no reference", chunk->pfn);
	chunk->kind = chunk->kind == FM_HELD ? FM_SLOT : FM_HELD;
	fm_paint(chunk->pfn, 1UL << chunk->order, chunk->kind);
}

/* Try to take a reference on any frame, and drop it at once: only counted types have one. */
static void step_reference(struct choices *c)
{
	const unsigned long pfn = fm_any_frame(c);
	const enum fm_frame m = fm.frame[pfn - fm.base];
	const bool got = page_try_get(fm.mm, pfn);

	CHECK(got == (m == FM_SLOT || m == FM_HELD || m == FM_PINNED ||
		      (m == FM_KERNEL && type_is_counted(page_type(fm.mm, pfn)))),
	      "pfn %#lx, model %u: got %d", pfn, m, got);
	if (got)
		page_put(fm.mm, pfn);
}

static void check_bulk(const unsigned long *pfns, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++) {
		CHECK(fm_all(pfns[i], 1, FM_FREE) && !any_isolated(pfns[i], 1),
		      "bulk: pfn %#lx", pfns[i]);
		frame_check_newborn(pfns[i], PGTY_KERNEL);
		page_set_owner(fm.mm, pfns[i], pfns[i]);
		fm_paint(pfns[i], 1, FM_KERNEL);
	}
}

/*
 * Check that a bulk allocation took no zone below its lowest mark. Cached frames do not
 * count.
 */
static void check_marks(const unsigned long *before)
{
	for (unsigned int z = 0; z < NR_ZONES; z++) {
		const struct zone *zone = &fm.mm->zone[z];

		CHECK(zone->free >= min(before[z], zone->wmark[WMARK_MIN]),
		      "zone %u has %lu left of %lu", z, zone->free, before[z]);
	}
}

static void step_bulk(struct choices *c)
{
	static unsigned long pfns[4000];
	const unsigned long nr = 1 + take_bytes(c, 2) % ARRAY_SIZE(pfns);
	const u32 gfp = take_below(c, 3) | GFP_NOWARN;
	const unsigned long before[NR_ZONES] = { fm.mm->zone[ZONE_NORMAL].free,
						 fm.mm->zone[ZONE_MOVABLE].free };
	const unsigned long got = alloc_pages_bulk(fm.mm, gfp, PGTY_KERNEL, nr, pfns);

	check_bulk(pfns, got);
	check_marks(before);
	CHECK(got == nr || !fm_can_alloc(gfp, 0), "bulk: %lu of %lu, and there is one",
	      got, nr);
	free_pages_bulk(fm.mm, pfns, got);
	for (unsigned long i = 0; i < got; i++)
		fm_paint(pfns[i], 1, FM_FREE);
}

/* --- offline frames, isolation, migrate types ------------------------------ */

static bool can_release(unsigned long pfn)
{
	const u8 what = fm.frame[pfn - fm.base];

	return (what == FM_OFFLINE || what == FM_SKIPPABLE) &&
	       !fm.unmapped[fm_pageblock(pfn)];
}

/* Return the first frame from @pfn on that can be released; the end if there is none. */
static unsigned long next_to_release(unsigned long pfn)
{
	const unsigned long end = fm.base + fm.nr;

	while (pfn < end && !can_release(pfn))
		if (pfn % PAGEBLOCK_NR_PAGES == 0 &&
		    fm_all(pfn, PAGEBLOCK_NR_PAGES, fm.frame[pfn - fm.base]))
			pfn += PAGEBLOCK_NR_PAGES;
		else
			pfn++;
	return pfn;
}

/* Release the first run of offline frames from @pfn on. Return: false if there is none. */
static bool release_from(unsigned long pfn, unsigned long max_nr)
{
	unsigned long nr = 0;

	pfn = next_to_release(pfn);
	while (nr < max_nr && pfn + nr < fm.base + fm.nr && can_release(pfn + nr))
		nr++;
	if (!nr)
		return false;
	release_offline_range(fm.mm, pfn, nr);
	zone_update_watermarks(fm.mm);
	fm_paint(pfn, nr, FM_FREE);
	return true;
}

static struct verdict predict_isolate(const struct request *rq)
{
	const unsigned long end = range_end(&rq->range);

	for (unsigned long p = rq->range.start_pfn; p < end; p += PAGEBLOCK_NR_PAGES)
		if (fm.zone[fm_section(p)] == NR_ZONES)
			return fm_fail(MM_REASON_NOT_PRESENT, p);
		else if (fm.isolated[fm_pageblock(p)])
			return fm_fail(MM_REASON_ALREADY_ISOLATED, p);
	return fm_ok();
}

static int make_isolate(const struct request *rq, struct mm_failure *why)
{
	return isolate_range(fm.mm, &rq->range, why);
}

static void follow_isolate(const struct request *rq)
{
	memset(fm.isolated + fm_pageblock(rq->range.start_pfn), 1,
	       rq->range.nr_pages >> PAGEBLOCK_ORDER);
	CHECK(drain_all_pages(fm.mm, STEP_NS) == 0, "drain");
}

const struct request_kind isolate_request = { "isolate", predict_isolate, make_isolate,
					      NULL,	 follow_isolate,  NULL };

static void step_isolate(struct choices *c)
{
	const unsigned long pfn = ALIGN_DOWN(fm_any_frame(c), PAGEBLOCK_NR_PAGES);
	const unsigned long nr = (1UL + take_below(c, 9)) << PAGEBLOCK_ORDER;

	request_make(&(struct request){
		.kind = &isolate_request,
		.range = { pfn, min(nr, fm.base + fm.nr - pfn) },
	});
}

static void unisolate_from(unsigned long first)
{
	unsigned long nr = 0;

	while (first + nr < FM_PAGEBLOCKS && fm.isolated[first + nr])
		nr++;
	if (!nr)
		return;
	unisolate_range(fm.mm, &(struct pfn_range){ fm.base + (first << PAGEBLOCK_ORDER),
						    nr << PAGEBLOCK_ORDER });
	memset(fm.isolated + first, 0, nr);
}

static void step_unisolate(struct choices *c)
{
	unsigned long b = fm_pageblock(fm_any_frame(c));

	while (b < FM_PAGEBLOCKS && !fm.isolated[b])
		b++;
	if (b < FM_PAGEBLOCKS)
		unisolate_from(b);
}

/* Change the migrate type of a pageblock; zone Movable has only one type. */
static void step_retag(struct choices *c)
{
	const unsigned long pfn = fm_any_frame(c);
	struct mem_section *ms = pfn_to_section(fm.mm, pfn);
	const unsigned int mt = take_below(c, NR_MIGRATE_STORED);

	if (fm.zone[fm_section(pfn)] != ZONE_NORMAL)
		return;
	spin_lock(&ms->zone->lock);
	pageblock_set_migratetype(ms, pageblock_index(pfn), mt);
	spin_unlock(&ms->zone->lock);
}

void frame_step(struct choices *c, unsigned int which)
{
	static void (*const steps[])(struct choices * c) = {
		step_alloc,   step_alloc,     step_alloc_at, step_slot,
		step_slot,    step_reference, step_bulk,     step_contig,
		step_isolate, step_unisolate, step_retag,
	};
	static void (*const more[NR_ALL_STEPS - NR_FRAME_STEPS])(struct choices * c) = {
		step_hold, step_compact, step_search, step_scarce
	};

	fm_clear_target();
	if (which >= NR_FRAME_STEPS)
		more[which - NR_FRAME_STEPS](c);
	else if (which < ARRAY_SIZE(steps))
		steps[which](c);
	else if (which == ARRAY_SIZE(steps))
		release_from(fm_any_frame(c), 1 + take_bytes(c, 2));
	else if (nr_chunks && take_byte(c) & 1)
		step_pin(take_byte(c) % nr_chunks);
	else if (nr_chunks)
		free_one(take_byte(c) % nr_chunks);
}
static_assert(NR_FRAME_STEPS == 13, "eleven of the table and two more");

/* Reset the migrate types that steps and allocations have changed to those of boot. */
void frame_settle(void)
{
	zone_update_watermarks(fm.mm);
	CHECK(drain_all_pages(fm.mm, STEP_NS) == 0, "drain");
	for (unsigned long pfn = fm.base; pfn < fm.base + fm.nr;
	     pfn += PAGEBLOCK_NR_PAGES) {
		struct mem_section *ms = pfn_to_section(fm.mm, pfn);

		if (fm.zone[fm_section(pfn)] == NR_ZONES)
			continue;
		spin_lock(&ms->zone->lock);
		pageblock_set_migratetype(ms, pageblock_index(pfn), MIGRATE_MOVABLE);
		spin_unlock(&ms->zone->lock);
	}
}

void frame_free_share(unsigned int rank, unsigned int of)
{
	for (unsigned int i = rank; i < nr_chunks; i += of)
		if (chunks[i].kind == FM_KERNEL)
			free_pages(fm.mm, chunks[i].pfn, chunks[i].order);
}

void frame_follow_freed(void)
{
	for (unsigned int i = nr_chunks; i-- > 0;)
		if (chunks[i].kind == FM_KERNEL) {
			fm_paint(chunks[i].pfn, 1UL << chunks[i].order, FM_FREE);
			chunks[i] = chunks[--nr_chunks];
		}
}

void frame_give_back(void)
{
	fm_clear_target();
	for (unsigned long b = 0; b < FM_PAGEBLOCKS; b++)
		unisolate_from(b);
	while (nr_chunks)
		free_one(nr_chunks - 1);
	while (release_from(fm.base, fm.nr))
		;
}
