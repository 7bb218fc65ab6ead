/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps on frames that both fuzzers take: allocating and freeing, movable pages, contig,
 * isolation, release; each predicted by the model and followed in it.
 */
#include "tests/model/frames.h"

#include "arch/machine.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "mm/contig.h"
#include "mm/page_isolation.h"
#include <string.h>

#define MAX_CHUNKS 200

struct chunk {
	unsigned long pfn; /* of a slot's page: where it was last seen */
	unsigned int order;
	enum fm_frame kind;
	unsigned int slot; /* of SLOT and PINNED: which */
};

static struct chunk chunks[MAX_CHUNKS];
static unsigned int nr_chunks;

/* Slots are static: a moved array would break their pages' owner words. */
static struct page_slot slots[MAX_CHUNKS];

unsigned long fm_any_frame(struct choices *c)
{
	/* Mostly of an online section, and within a few pageblocks, so that things meet. */
	const unsigned int where = take_byte(c);
	const unsigned long x = take_bytes(c, 2), sections = fm.nr >> SECTION_PFN_SHIFT;
	unsigned long s = where >> 1;

	while (where < 0xf0 && fm.zone[s % sections] == NR_ZONES)
		s++;
	return fm.base + s % sections * PAGES_PER_SECTION +
	       (where & 1 ? x % 4096 : x % PAGES_PER_SECTION);
}

static bool any_isolated(unsigned long pfn, unsigned long nr)
{
	return fm_first_isolated(pfn, nr) != PFN_NONE;
}

static struct chunk *new_chunk(unsigned long pfn, unsigned int order, enum fm_frame kind)
{
	struct chunk *chunk = &chunks[nr_chunks++];

	CHECK(!(pfn & ((1UL << order) - 1)), "pfn %#lx order %u", pfn, order);
	CHECK(fm_all(pfn, 1UL << order, FM_FREE), "pfn %#lx order %u was not free", pfn,
	      order);
	CHECK(!any_isolated(pfn, 1UL << order), "pfn %#lx order %u is isolated", pfn,
	      order);
	*chunk = (struct chunk){ .pfn = pfn, .order = order, .kind = kind };
	fm_paint(pfn, 1UL << order, kind);
	return chunk;
}

static void step_alloc(struct choices *c)
{
	const unsigned int order = take_below(c, NR_PAGE_ORDERS);
	const u32 gfp =
		take_below(c, 3) | GFP_NOWARN | (take_byte(c) & 1 ? GFP_ATOMIC : 0);
	unsigned long pfn;

	if (nr_chunks == MAX_CHUNKS)
		return;
	pfn = alloc_pages(&kernel_mm, gfp, order, PGTY_KERNEL);
	if (pfn != PFN_NONE)
		new_chunk(pfn, order, FM_KERNEL);
	else
		CHECK(!fm_can_alloc(gfp, order), "gfp %#x order %u: there is one", gfp,
		      order);
}

static void step_alloc_at(struct choices *c)
{
	const unsigned int order = take_below(c, NR_PAGE_ORDERS);
	const unsigned long pfn = ALIGN_DOWN(fm_any_frame(c), 1UL << order);
	int want = -EBUSY, ret;

	if (nr_chunks == MAX_CHUNKS)
		return;
	if (fm.zone[fm_section(pfn)] == NR_ZONES)
		want = -EINVAL;
	else if (fm_all(pfn, 1UL << order, FM_FREE) && !any_isolated(pfn, 1UL << order))
		want = 0;
	ret = alloc_pages_at(&kernel_mm, pfn, order, PGTY_KERNEL);
	CHECK(ret == want, "pfn %#lx order %u: %d, model %d", pfn, order, ret, want);
	if (!ret)
		new_chunk(pfn, order, FM_KERNEL);
}

/* What a slot's page holds: it has to move with it. */
static u64 *content(unsigned long pfn)
{
	return phys_to_virt(pfn_to_phys(pfn));
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
	if (slot_alloc(&kernel_mm, slot, order)) {
		CHECK(!fm_can_alloc(GFP_MOVABLE, order), "slot of order %u: there is one",
		      order);
		return;
	}
	chunk = new_chunk(slot->pfn, order, FM_SLOT);
	chunk->slot = slot - slots;
	*content(slot->pfn) = chunk->slot;
}

static void free_one(unsigned int i)
{
	struct chunk *chunk = &chunks[i];

	if (chunk->kind == FM_PINNED) {
		CHECK(slot_free(&kernel_mm, &slots[chunk->slot]) == -EBUSY,
		      "freed a pinned page");
		CHECK(page_unpin(&kernel_mm, chunk->pfn) == 0, "unpin");
		chunk->kind = FM_SLOT;
	}
	if (chunk->kind == FM_SLOT) {
		struct page_slot *slot = &slots[chunk->slot];

		CHECK(slot->pfn == chunk->pfn, "slot at %#lx, model %#lx",
		      (unsigned long)slot->pfn, chunk->pfn);
		CHECK(*content(chunk->pfn) == chunk->slot, "content of %#lx", chunk->pfn);
		CHECK(slot_free(&kernel_mm, slot) == 0, "slot_free");
		slot->pfn = 0;
	} else {
		free_pages(&kernel_mm, chunk->pfn, chunk->order);
	}
	fm_paint(chunk->pfn, 1UL << chunk->order, FM_FREE);
	chunks[i] = chunks[--nr_chunks];
}

static void step_pin(unsigned int i)
{
	struct chunk *chunk = &chunks[i];

	if (chunk->kind == FM_SLOT && page_pin(&kernel_mm, chunk->pfn) == 0)
		chunk->kind = FM_PINNED;
	else if (chunk->kind == FM_PINNED && page_unpin(&kernel_mm, chunk->pfn) == 0)
		chunk->kind = FM_SLOT;
	fm_paint(chunk->pfn, 1UL << chunk->order, chunk->kind);
}

/* References: on movable pages only, and each is given back at once. */
static void step_reference(struct choices *c)
{
	const unsigned long pfn = fm_any_frame(c);
	const enum fm_frame m = fm.frame[pfn - fm.base];
	const bool got = page_try_get(&kernel_mm, pfn);

	CHECK(got == (m == FM_SLOT || m == FM_PINNED), "pfn %#lx, model %u: got %d", pfn,
	      m, got);
	if (got)
		page_put(&kernel_mm, pfn);
}

static void step_bulk(struct choices *c)
{
	static unsigned long pfns[4000];
	const unsigned long nr = 1 + take_bytes(c, 2) % ARRAY_SIZE(pfns);
	const u32 gfp = take_below(c, 3) | GFP_NOWARN;
	const unsigned long got =
		alloc_pages_bulk(&kernel_mm, gfp, PGTY_KERNEL, nr, pfns);

	for (unsigned long i = 0; i < got; i++) {
		CHECK(fm_all(pfns[i], 1, FM_FREE) && !any_isolated(pfns[i], 1),
		      "bulk: pfn %#lx", pfns[i]);
		fm_paint(pfns[i], 1, FM_KERNEL);
	}
	CHECK(got == nr || !fm_can_alloc(gfp, 0), "bulk: %lu of %lu, and there is one",
	      got, nr);
	free_pages_bulk(&kernel_mm, pfns, got);
	for (unsigned long i = 0; i < got; i++)
		fm_paint(pfns[i], 1, FM_FREE);
}

/* --- evacuation ------------------------------------------------------------ */

static unsigned int asks_left;

static bool cancelled(void *cookie)
{
	(void)cookie;
	return asks_left && --asks_left == 0;
}

static unsigned int asked_for;

struct evacuate_policy frame_policy(struct choices *c)
{
	const unsigned int odd = take_byte(c);

	fm.copy_failed = false;
	fm.copies_fail = odd >= 0xf0 ? odd & 7 : 0;
	asked_for = asks_left = odd >= 0xe0 && odd < 0xf0 ? 1 + odd % 4 : 0;
	return (struct evacuate_policy){
		.name = "fuzz",
		.end = EVAC_END_ALLOC,
		.type = PGTY_KERNEL,
		.limits.retries = odd % 3,
		.limits.deadline_ns = ktime_ns() + NSEC_PER_SEC,
		.limits.cancelled = cancelled,
	};
}

bool frame_was_cancelled(void)
{
	return asked_for && !asks_left;
}

static int copy_or_not(struct mm *mm, struct migrate_entry *e)
{
	if (fm.copies_fail) {
		fm.copies_fail--;
		fm.copy_failed = true;
		return -EIO;
	}
	return slot_movable_ops.copy(mm, e);
}

static void prepare_ops(void)
{
	static struct movable_ops ops;

	if (ops.copy)
		return;
	ops = slot_movable_ops;
	ops.copy = copy_or_not;
	CHECK(set_movable_ops(PGTY_DRIVER, &ops) == 0, "ops");
}

void frame_follow_slots(bool all_emptied)
{
	bool used[NR_ZONES + 1] = { false };

	for (unsigned int i = 0; i < nr_chunks; i++) {
		struct chunk *chunk = &chunks[i];

		if (chunk->kind != FM_SLOT || slots[chunk->slot].pfn == chunk->pfn)
			continue;
		CHECK(fm.target[fm_pageblock(chunk->pfn)], "%#lx moved", chunk->pfn);
		fm_paint(chunk->pfn, 1UL << chunk->order, FM_FREE);
	}
	for (unsigned int i = 0; i < nr_chunks; i++) {
		struct chunk *chunk = &chunks[i];

		if (chunk->kind != FM_SLOT || slots[chunk->slot].pfn == chunk->pfn)
			continue;
		chunk->pfn = slots[chunk->slot].pfn;
		CHECK(fm_all(chunk->pfn, 1UL << chunk->order, FM_FREE), "moved to %#lx",
		      chunk->pfn);
		CHECK(!all_emptied || !fm.target[fm_pageblock(chunk->pfn)],
		      "%#lx: moved inside", chunk->pfn);
		CHECK(!any_isolated(chunk->pfn, 1UL << chunk->order),
		      "moved to isolated");
		CHECK(*content(chunk->pfn) == chunk->slot, "content of %#lx", chunk->pfn);
		fm_paint(chunk->pfn, 1UL << chunk->order, FM_SLOT);
		used[fm.zone[fm_section(chunk->pfn)]] = true;
	}
	for (unsigned int z = 0; z < NR_ZONES && all_emptied; z++)
		CHECK(!used[z] || fm_zone_free(z) >= kernel_mm.zone[z].wmark[WMARK_MIN],
		      "moved into zone %u, where %lu are free", z, fm_zone_free(z));
}

void frame_expect_late_failure(const struct mm_failure *why)
{
	unsigned int i = 0;

	if (frame_was_cancelled()) {
		CHECK(why->reason == MM_REASON_CANCELLED, "%s",
		      mm_reason_name(why->reason));
		return;
	}
	if (why->reason == MM_REASON_COPY_FAILED) {
		CHECK(fm.copy_failed, "nothing made a copy fail");
		return;
	}
	CHECK(why->reason == MM_REASON_NO_TARGET, "%s, pfn %#lx",
	      mm_reason_name(why->reason), why->pfn);
	while (i < nr_chunks && chunks[i].pfn != why->pfn)
		i++;
	CHECK(i < nr_chunks && chunks[i].kind == FM_SLOT, "pfn %#lx is no movable page",
	      why->pfn);
	CHECK(!fm_can_alloc(GFP_MOVABLE, chunks[i].order), "order %u: there is one",
	      chunks[i].order);
}

static void step_contig(struct choices *c)
{
	struct evacuate_policy policy = frame_policy(c);
	const unsigned int kind = take_below(c, 4);
	const unsigned long pfn = fm_any_frame(c);
	const unsigned long nr = min(1 + take_bytes(c, 2) % 5000, fm.base + fm.nr - pfn);
	const struct verdict v = fm_judge_contig(pfn, nr);
	struct mm_failure why;
	int ret;

	policy.type = kind ? PGTY_OFFLINE : PGTY_KERNEL;
	policy.page_flags = kind > 1 ? PG_OFFLINE_SKIPPABLE : 0;
	ret = take_contig_range(&kernel_mm, pfn, pfn + nr, &policy, &why);
	fm_set_target(pfn, nr);
	if (v.err) {
		fm_expect("contig", ret, &why, &v);
		CHECK(!why.migrated, "contig: moved %lu in vain", why.migrated);
		return;
	}
	frame_follow_slots(true);
	if (ret) {
		frame_expect_late_failure(&why);
		return;
	}
	CHECK(fm_all(pfn, nr, FM_FREE) && !frame_was_cancelled(), "%#lx+%lu: not empty",
	      pfn, nr);
	if (kind) {
		fm_paint(pfn, nr, kind > 1 ? FM_SKIPPABLE : FM_OFFLINE);
		return;
	}
	/* Given back in two parts. */
	free_contig_range(&kernel_mm, pfn, nr / 3);
	free_contig_range(&kernel_mm, pfn + nr / 3, nr - nr / 3);
}

/* --- offline frames, isolation, migrate types ------------------------------ */

static bool can_release(unsigned long pfn)
{
	const u8 what = fm.frame[pfn - fm.base];

	return (what == FM_OFFLINE || what == FM_SKIPPABLE) &&
	       !fm.unmapped[fm_pageblock(pfn)];
}

/* The first frame from @pfn on that can be released; the end if there is none. */
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

/* The first run of offline frames from @pfn on goes back. Return: was there one? */
static bool release_from(unsigned long pfn, unsigned long max_nr)
{
	unsigned long nr = 0;

	pfn = next_to_release(pfn);
	while (nr < max_nr && pfn + nr < fm.base + fm.nr && can_release(pfn + nr))
		nr++;
	if (!nr)
		return false;
	release_offline_range(&kernel_mm, pfn, nr);
	zone_update_watermarks(&kernel_mm);
	fm_paint(pfn, nr, FM_FREE);
	return true;
}

static void step_isolate(struct choices *c)
{
	const unsigned long pfn = ALIGN_DOWN(fm_any_frame(c), PAGEBLOCK_NR_PAGES);
	const unsigned long nr =
		min((1UL + take_below(c, 9)) << PAGEBLOCK_ORDER, fm.base + fm.nr - pfn);
	const struct pfn_range range = { pfn, nr };
	struct verdict v = fm_ok();
	struct mm_failure why;
	int ret = isolate_range(&kernel_mm, &range, &why);

	for (unsigned long p = pfn; p < pfn + nr && !v.err; p += PAGEBLOCK_NR_PAGES)
		if (fm.zone[fm_section(p)] == NR_ZONES)
			v = fm_fail(MM_REASON_NOT_PRESENT, p);
		else if (fm.isolated[fm_pageblock(p)])
			v = fm_fail(MM_REASON_ALREADY_ISOLATED, p);
	fm_expect("isolate", ret, &why, &v);
	if (ret)
		return;
	memset(fm.isolated + fm_pageblock(pfn), 1, nr >> PAGEBLOCK_ORDER);
	CHECK(drain_all_pages(&kernel_mm, NSEC_PER_SEC) == 0, "drain");
}

static void unisolate_from(unsigned long first)
{
	unsigned long nr = 0;

	while (first + nr < FM_PAGEBLOCKS && fm.isolated[first + nr])
		nr++;
	if (!nr)
		return;
	unisolate_range(&kernel_mm,
			&(struct pfn_range){ fm.base + (first << PAGEBLOCK_ORDER),
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

/* Zone Movable knows one migrate type. */
static void step_retag(struct choices *c)
{
	const unsigned long pfn = fm_any_frame(c);
	struct mem_section *ms = pfn_to_section(&kernel_mm, pfn);
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

	prepare_ops();
	fm_set_target(0, 0);
	if (which < ARRAY_SIZE(steps))
		steps[which](c);
	else if (which == ARRAY_SIZE(steps))
		release_from(fm_any_frame(c), 1 + take_bytes(c, 2));
	else if (nr_chunks && take_byte(c) & 1)
		step_pin(take_byte(c) % nr_chunks);
	else if (nr_chunks)
		free_one(take_byte(c) % nr_chunks);
}
static_assert(NR_FRAME_STEPS == 13, "eleven of the table and two more");

/* What an input has retagged, and what allocations have claimed, is as at boot again. */
void frame_settle(void)
{
	drain_local_pages(&kernel_mm);
	for (unsigned long pfn = fm.base; pfn < fm.base + fm.nr;
	     pfn += PAGEBLOCK_NR_PAGES) {
		struct mem_section *ms = pfn_to_section(&kernel_mm, pfn);

		if (fm.zone[fm_section(pfn)] == NR_ZONES)
			continue;
		spin_lock(&ms->zone->lock);
		pageblock_set_migratetype(ms, pageblock_index(pfn), MIGRATE_MOVABLE);
		spin_unlock(&ms->zone->lock);
	}
}

void frame_give_back(void)
{
	for (unsigned long b = 0; b < FM_PAGEBLOCKS; b++)
		unisolate_from(b);
	while (nr_chunks)
		free_one(nr_chunks - 1);
	while (release_from(fm.base, fm.nr))
		;
}
