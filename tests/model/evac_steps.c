/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps that empty ranges: contig, compaction, the search for a place; what became of
 * the movable pages, and whether a failure is possible that depends on more than the layout.
 */
#include "tests/model/chunks.h"

#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/contig.h"

static bool copies_may_fail;
static unsigned int asked_for, asks_left;

/* Yes, from the chosen question on. */
static bool cancelled(void *cookie)
{
	(void)cookie;
	asks_left -= asks_left != 0;
	return frame_was_cancelled();
}

struct evacuate_policy frame_policy(struct choices *c)
{
	const unsigned int odd = take_byte(c);

	fm.copy_failed = false;
	fm.copies_fail = copies_may_fail && odd >= 0xf0 ? odd & 7 : 0;
	asked_for = asks_left = odd >= 0xe0 && odd < 0xf0 ? 1 + odd % 4 : 0;
	return (struct evacuate_policy){
		.name = "fuzz",
		.end = EVAC_END_ALLOC,
		.type = PGTY_KERNEL,
		.flags = EVAC_QUIET,
		.limits.retries = odd % 3,
		.limits.deadline_ns = ktime_ns() + STEP_NS,
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

void frame_copies_may_fail(void)
{
	static struct movable_ops ops;

	copies_may_fail = true;
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
		CHECK(!used[z] || fm_zone_free(z) >= fm.mm->zone[z].wmark[WMARK_MIN],
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
	while (i < nr_chunks && chunks[i].pfn != why->pfn)
		i++;
	CHECK(i < nr_chunks && fm.target[fm_pageblock(why->pfn)],
	      "%s: pfn %#lx is no page that must move", mm_reason_name(why->reason),
	      why->pfn);
	if (why->reason == MM_REASON_CLAIM_LOST) {
		CHECK(chunks[i].kind == FM_HELD, "pfn %#lx has one reference", why->pfn);
		return;
	}
	CHECK(why->reason == MM_REASON_NO_TARGET && chunks[i].kind == FM_SLOT,
	      "%s, pfn %#lx", mm_reason_name(why->reason), why->pfn);
	CHECK(!fm_can_alloc(GFP_MOVABLE, chunks[i].order), "order %u: there is one",
	      chunks[i].order);
}

void frame_expect_emptied(void)
{
	for (unsigned int i = 0; i < nr_chunks; i++)
		CHECK(!fm.target[fm_pageblock(chunks[i].pfn)], "%#lx is still there",
		      chunks[i].pfn);
}

void step_contig(struct choices *c)
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
	ret = take_contig_range(fm.mm, pfn, pfn + nr, &policy, &why);
	fm_set_target(pfn, nr);
	if (v.err) {
		fm_expect("contig", ret, &why, &v);
		CHECK(!why.migrated && !why.retries, "contig: moved %lu in vain",
		      why.migrated);
		return;
	}
	frame_follow_slots(true);
	if (ret) {
		frame_expect_late_failure(&why);
		return;
	}
	CHECK(fm_all(pfn, nr, FM_FREE) && !frame_was_cancelled(), "%#lx+%lu: not empty",
	      pfn, nr);
	CHECK(kind || (!page_owner(fm.mm, pfn) && !page_owner(fm.mm, pfn + nr - 1)),
	      "%#lx+%lu: born with an owner", pfn, nr);
	if (kind) {
		fm_paint(pfn, nr, kind > 1 ? FM_SKIPPABLE : FM_OFFLINE);
		return;
	}
	/* Given back in two parts. */
	free_contig_range(fm.mm, pfn, nr / 3);
	free_contig_range(fm.mm, pfn + nr / 3, nr - nr / 3);
}

/* Whatever can move has moved, or has no target; the rest stays as it is. */
void step_compact(struct choices *c)
{
	struct evacuate_policy policy = frame_policy(c);
	const unsigned long pfn = fm_any_frame(c);
	const unsigned long nr = min(1 + take_bytes(c, 2) % 5000, fm.base + fm.nr - pfn);
	const struct pfn_range range = { pfn, nr };
	const struct verdict v = fm_judge_range(pfn, nr);
	struct mm_failure why;
	int ret;

	policy.end = EVAC_END_FREE;
	policy.type = PGTY_NONE;
	policy.flags |= EVAC_BEST_EFFORT;
	ret = evacuate(fm.mm, &range, 1, &policy, &why);
	fm_set_target(pfn, nr);
	if (v.err) {
		fm_expect("compaction", ret, &why, &v);
		return;
	}
	frame_follow_slots(true);
	if (ret) {
		frame_expect_late_failure(&why);
		return;
	}
	for (unsigned int i = 0; i < nr_chunks && !fm.copy_failed; i++)
		CHECK(chunks[i].kind != FM_SLOT || chunks[i].pfn - pfn >= nr ||
			      !fm_can_alloc(GFP_MOVABLE, chunks[i].order),
		      "%#lx stays, and there is a place", chunks[i].pfn);
}

/* The first place of a search in a zone where all is free already; PFN_NONE. */
static unsigned long first_free_place(unsigned int z, unsigned long nr)
{
	const struct zone *zone = &fm.mm->zone[z];
	const unsigned long step =
		IS_POWER_OF_2(nr) ? nr : min(PAGEBLOCK_NR_PAGES, roundup_pow_of_two(nr));

	for (unsigned long pfn = ALIGN_UP(zone->start_pfn, step);
	     pfn + nr <= zone->start_pfn + zone->spanned; pfn += step)
		if (fm_all(pfn, nr, FM_FREE) && !any_isolated(pfn, nr) &&
		    !fm_judge_range(pfn, nr).err && fm.zone[fm_section(pfn)] == z)
			return pfn;
	return PFN_NONE;
}

/* Free places before those that must be emptied, zone Normal before Movable. */
void step_search(struct choices *c)
{
	struct evacuate_policy policy = frame_policy(c);
	const unsigned long nr = 1 + take_bytes(c, 2) % 5000;
	struct mm_failure why;
	unsigned long pfn, place;

	CHECK(drain_all_pages(fm.mm, STEP_NS) == 0, "drain");
	place = first_free_place(ZONE_NORMAL, nr);
	pfn = take_contig_pages(fm.mm, nr, &policy, &why);
	memset(fm.target, 1, sizeof(fm.target));
	frame_follow_slots(false);
	if (frame_was_cancelled())
		place = pfn;
	CHECK(place == PFN_NONE || pfn == PFN_NONE || !why.migrated,
	      "%#lx is free, and %lu moved", place, (unsigned long)why.migrated);
	CHECK(place == PFN_NONE || pfn == place, "%#lx, and the first free place is %#lx",
	      pfn, place);
	if (pfn != PFN_NONE) {
		CHECK(fm_all(pfn, nr, FM_FREE), "%#lx+%lu: not empty", pfn, nr);
		free_contig_range(fm.mm, pfn, nr);
	} else if (!frame_was_cancelled()) {
		CHECK(first_free_place(ZONE_MOVABLE, nr) == PFN_NONE, "there is one");
	}
}

/* Nearly nothing can be had until the marks are set anew. */
void step_scarce(struct choices *c)
{
	const unsigned int how = take_byte(c);

	zone_update_watermarks(fm.mm);
	for (unsigned int z = 0; z < NR_ZONES && how & 1; z++) {
		const unsigned long free = fm_zone_free(z);

		fm.mm->zone[z].wmark[WMARK_MIN] = free - min(free, how / 2UL);
	}
}
