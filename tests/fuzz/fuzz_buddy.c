/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page allocator, isolation and contiguous allocation against a byte per
 * frame: what is free, whose, movable, pinned, offline or isolated. The model says
 * which requests for exact places succeed, and which frame a failure must name.
 */
#include "tests/fuzz/fuzz.h"
#include <string.h>

#include "arch/machine.h"
#include "kernel/sink.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "mm/contig.h"
#include "mm/hotplug.h"
#include "mm/internal.h"
#include "mm/memblock.h"
#include "mm/page_isolation.h"
#include "tests/host/host.h"

#define SECTIONS   2UL
#define NR_FRAMES  (SECTIONS * PAGES_PER_SECTION)
#define MAX_CHUNKS 200
#define MAX_OPS	   120

enum model { FREE, OTHER, KERNEL, SLOT, PINNED, OFFLINE };

struct chunk {
	unsigned long pfn; /* of a slot's page: where it was last seen */
	unsigned int order;
	enum model kind;
	unsigned int slot; /* of SLOT and PINNED: which */
};

static struct mm mm;
static unsigned long base;
static u8 model[NR_FRAMES];
static u8 isolated[NR_FRAMES / PAGEBLOCK_NR_PAGES];
static struct chunk chunks[MAX_CHUNKS];
static unsigned int nr_chunks;
static unsigned long free_at_first;

static void sink_write(struct sink *sink, const char *text, size_t len)
{
	(void)sink;
	fwrite(text, 1, len, stderr);
}

static struct sink err = { .write = sink_write };

static void paint(unsigned long pfn, unsigned long nr, enum model to)
{
	memset(model + (pfn - base), to, nr);
}

static bool all_are(unsigned long pfn, unsigned long nr, enum model what)
{
	const u8 *m = model + (pfn - base);

	return m[0] == what && memcmp(m, m + 1, nr - 1) == 0;
}

static bool any_isolated(unsigned long pfn, unsigned long nr)
{
	for (unsigned long p = pfn; p < pfn + nr; p = (p | (PAGEBLOCK_NR_PAGES - 1)) + 1)
		if (isolated[(p - base) >> PAGEBLOCK_ORDER])
			return true;
	return false;
}

/* --- one memory for all inputs: each one gives everything back ------------------- */

static void setup(void)
{
	static struct memblock mb;

	host_init();
	base = phys_to_pfn(HOST_PHYS_START);
	mb.mapped = 1;
	CHECK(arch_map_direct(HOST_PHYS_START, SECTIONS * SECTION_SIZE) == 0, "map");
	CHECK(memblock_add(&mb, HOST_PHYS_START, SECTIONS * SECTION_SIZE) == 0, "memblock");
	mm_init(&mm, "fuzz");
	CHECK(mm_populate(&mm, &mb) == 0, "populate");
	CHECK(mm_hart_init(&mm, 0) == 0, "pcp");
	CHECK(set_movable_ops(PGTY_DRIVER, &slot_movable_ops) == 0, "ops");
	drain_local_pages(&mm);
	for (unsigned long i = 0; i < NR_FRAMES; i++)
		model[i] = page_type(&mm, base + i) == PGTY_BUDDY ? FREE : OTHER;
	free_at_first = mm.zone[0].free;
}

/* --- model and memory agree? --------------------------------------------------------- */

static enum page_type type_of(enum model m)
{
	static const u8 types[] = {
		[KERNEL] = PGTY_KERNEL, [SLOT] = PGTY_DRIVER,
		[PINNED] = PGTY_DRIVER, [OFFLINE] = PGTY_OFFLINE,
	};

	return types[m];
}

static void check_frames(void)
{
	unsigned long free = 0;

	drain_local_pages(&mm);
	for (unsigned long i = 0; i < NR_FRAMES; i++) {
		const u64 w = pfn_pageblock(&mm, base + i)->word;
		enum page_type type;

		/* At once, where both say that all is free. */
		if (pb_all_free(w) && i % PAGEBLOCK_NR_PAGES == 0 &&
		    all_are(base + i, PAGEBLOCK_NR_PAGES, FREE)) {
			free += PAGEBLOCK_NR_PAGES;
			i += PAGEBLOCK_NR_PAGES - 1;
			continue;
		}
		if (model[i] == OTHER)
			continue;
		type = page_type(&mm, base + i);
		if (model[i] == FREE)
			CHECK(type == PGTY_BUDDY, "pfn %#lx is %s", base + i, page_type_name(type));
		else
			CHECK(type == type_of(model[i]), "pfn %#lx is %s, model %u", base + i,
			      page_type_name(type), model[i]);
		free += model[i] == FREE;
	}
	CHECK(mm.zone[0].free + mm.zone[0].free_isolated == free, "%lu and %lu free, model %lu",
	      mm.zone[0].free, mm.zone[0].free_isolated, free);
	CHECK(mm_check(&mm, &err) == 0, "mm_check");
}

/* --- steps ------------------------------------------------------------------------------ */

static unsigned long any_frame(struct choices *c)
{
	/* Mostly within a few pageblocks, so that things meet. */
	const u64 x = take_bytes(c, 3);

	return base + (x & 0x800000 ? PAGES_PER_SECTION + x % 4096 : x % NR_FRAMES);
}

static struct chunk *new_chunk(unsigned long pfn, unsigned int order, enum model kind)
{
	struct chunk *chunk = &chunks[nr_chunks++];

	CHECK(!(pfn & ((1UL << order) - 1)), "pfn %#lx order %u", pfn, order);
	CHECK(all_are(pfn, 1UL << order, FREE), "pfn %#lx order %u was not free", pfn, order);
	CHECK(!any_isolated(pfn, 1UL << order), "pfn %#lx order %u is isolated", pfn, order);
	chunk->pfn = pfn;
	chunk->order = order;
	chunk->kind = kind;
	paint(pfn, 1UL << order, kind);
	return chunk;
}

static void op_alloc(struct choices *c)
{
	const unsigned int order = take_below(c, NR_PAGE_ORDERS);
	const u32 gfp = (take_byte(c) % 3) | GFP_NOWARN | (take_byte(c) & 1 ? GFP_ATOMIC : 0);
	unsigned long pfn;

	if (nr_chunks == MAX_CHUNKS)
		return;
	pfn = alloc_pages(&mm, gfp, order, PGTY_KERNEL);
	if (pfn != PFN_NONE)
		new_chunk(pfn, order, KERNEL);
}

static void op_alloc_at(struct choices *c)
{
	const unsigned int order = take_below(c, NR_PAGE_ORDERS);
	const unsigned long pfn = ALIGN_DOWN(any_frame(c), 1UL << order);
	const bool can = all_are(pfn, 1UL << order, FREE) && !any_isolated(pfn, 1UL << order);
	int ret;

	if (nr_chunks == MAX_CHUNKS)
		return;
	ret = alloc_pages_at(&mm, pfn, order, PGTY_KERNEL);
	CHECK(ret == (can ? 0 : -EBUSY), "pfn %#lx order %u: %d, model %d", pfn, order, ret, can);
	if (can)
		new_chunk(pfn, order, KERNEL);
}

/* Slots are static: a moved array would break their pages' owner words. */
static struct page_slot slots[MAX_CHUNKS];

static void op_slot(struct choices *c)
{
	const unsigned int order = take_below(c, 4);
	struct page_slot *slot = NULL;

	for (unsigned int i = 0; i < MAX_CHUNKS && !slot; i++)
		if (slots[i].pfn == 0)
			slot = &slots[i];
	if (!slot || nr_chunks == MAX_CHUNKS || slot_alloc(&mm, slot, order))
		return;
	new_chunk(slot->pfn, order, SLOT)->slot = slot - slots;
}

static void free_one(unsigned int i)
{
	struct chunk *chunk = &chunks[i];

	if (chunk->kind == PINNED) {
		CHECK(slot_free(&mm, &slots[chunk->slot]) == -EBUSY, "freed a pinned page");
		CHECK(page_unpin(&mm, chunk->pfn) == 0, "unpin");
		chunk->kind = SLOT;
	}
	if (chunk->kind == SLOT) {
		struct page_slot *slot = &slots[chunk->slot];

		CHECK(slot->pfn == chunk->pfn, "slot at %#lx, model %#lx", (unsigned long)slot->pfn,
		      chunk->pfn);
		CHECK(slot_free(&mm, slot) == 0, "slot_free");
		slot->pfn = 0;
	} else {
		free_pages(&mm, chunk->pfn, chunk->order);
	}
	paint(chunk->pfn, 1UL << chunk->order, FREE);
	chunks[i] = chunks[--nr_chunks];
}

static void op_pin(unsigned int i)
{
	struct chunk *chunk = &chunks[i];

	if (chunk->kind == SLOT && page_pin(&mm, chunk->pfn) == 0)
		chunk->kind = PINNED;
	else if (chunk->kind == PINNED && page_unpin(&mm, chunk->pfn) == 0)
		chunk->kind = SLOT;
	paint(chunk->pfn, 1UL << chunk->order, chunk->kind);
}

/* References: on movable pages only, and each is given back at once. */
static void op_reference(struct choices *c)
{
	const unsigned long pfn = any_frame(c);
	const enum model m = model[pfn - base];
	const bool got = page_try_get(&mm, pfn);

	CHECK(got == (m == SLOT || m == PINNED), "pfn %#lx, model %u: got %d", pfn, m, got);
	if (got)
		page_put(&mm, pfn);
}

static void op_bulk(struct choices *c)
{
	static unsigned long pfns[4000];
	const unsigned long nr = 1 + take_bytes(c, 2) % ARRAY_SIZE(pfns);
	const unsigned long got =
		alloc_pages_bulk(&mm, GFP_MOVABLE | GFP_NOWARN, PGTY_KERNEL, nr, pfns);

	for (unsigned long i = 0; i < got; i++) {
		CHECK(all_are(pfns[i], 1, FREE) && !any_isolated(pfns[i], 1), "bulk: pfn %#lx",
		      pfns[i]);
		paint(pfns[i], 1, KERNEL);
	}
	free_pages_bulk(&mm, pfns, got);
	for (unsigned long i = 0; i < got; i++)
		paint(pfns[i], 1, FREE);
}

/* Where an evacuation of the range must fail, and why; PFN_NONE if nowhere. */
static unsigned long first_blocker(unsigned long pfn, unsigned long nr, enum mm_reason *reason)
{
	for (unsigned long p = pfn; p < pfn + nr; p++) {
		const enum model m = model[p - base];

		if (m == FREE || m == SLOT)
			continue;
		*reason = m == PINNED ? MM_REASON_PINNED
			  : m == OFFLINE ? MM_REASON_SKIPPABLE_TAKEN
					 : MM_REASON_UNMOVABLE;
		return p;
	}
	return PFN_NONE;
}

/* Slots' pages may have moved: their old frames are free or taken, the new ones theirs. */
static void follow_slots(unsigned long pfn, unsigned long nr, enum model now)
{
	for (unsigned int i = 0; i < nr_chunks; i++) {
		struct chunk *chunk = &chunks[i];

		if (chunk->kind == SLOT && slots[chunk->slot].pfn != chunk->pfn)
			paint(chunk->pfn, 1UL << chunk->order, FREE);
	}
	for (unsigned int i = 0; i < nr_chunks; i++) {
		struct chunk *chunk = &chunks[i];

		if (chunk->kind != SLOT || slots[chunk->slot].pfn == chunk->pfn)
			continue;
		chunk->pfn = slots[chunk->slot].pfn;
		CHECK(all_are(chunk->pfn, 1UL << chunk->order, FREE), "moved to %#lx", chunk->pfn);
		CHECK(chunk->pfn + (1UL << chunk->order) <= pfn || chunk->pfn >= pfn + nr,
		      "moved inside");
		CHECK(!any_isolated(chunk->pfn, 1UL << chunk->order), "moved to isolated");
		paint(chunk->pfn, 1UL << chunk->order, SLOT);
	}
	if (now != FREE) {
		CHECK(all_are(pfn, nr, FREE), "range is not empty");
		paint(pfn, nr, now);
	}
}

static void op_contig(struct choices *c)
{
	const bool offline = take_byte(c) & 1;
	struct evacuate_policy policy = {
		.name = "fuzz",
		.end = EVAC_END_ALLOC,
		.type = offline ? PGTY_OFFLINE : PGTY_KERNEL,
		.max_retries = 1,
		.deadline_ns = ktime_ns() + NSEC_PER_SEC,
	};
	const unsigned long pfn = any_frame(c);
	const unsigned long nr = min(1 + take_bytes(c, 2) % 5000, base + NR_FRAMES - pfn);
	enum mm_reason reason = MM_REASON_NONE;
	const unsigned long blocker = first_blocker(pfn, nr, &reason);
	struct mm_failure why;
	int ret = alloc_contig_range(&mm, pfn, pfn + nr, &policy, &why);

	if (any_isolated(pfn, nr)) {
		CHECK(ret == -EBUSY && why.reason == MM_REASON_ALREADY_ISOLATED, "%d %u", ret,
		      why.reason);
		return;
	}
	if (blocker != PFN_NONE) {
		CHECK(ret && why.pfn == blocker && why.reason == reason && !why.migrated,
		      "%d: pfn %#lx reason %u moved %lu, model pfn %#lx reason %u", ret, why.pfn,
		      why.reason, why.migrated, blocker, reason);
		return;
	}
	CHECK(!ret || why.reason == MM_REASON_NO_TARGET, "%d: reason %u", ret, why.reason);
	follow_slots(pfn, nr, ret ? FREE : OFFLINE);
	if (ret)
		return;
	if (offline)
		return;
	/* Given back in two parts. */
	free_contig_range(&mm, pfn, nr / 3);
	free_contig_range(&mm, pfn + nr / 3, nr - nr / 3);
	paint(pfn, nr, FREE);
}

/* A run of offline frames goes back to the allocator. */
static void release_from(unsigned long pfn, unsigned long max_nr)
{
	unsigned long nr = 0;

	while (nr < max_nr && pfn + nr < base + NR_FRAMES && model[pfn + nr - base] == OFFLINE)
		nr++;
	if (!nr)
		return;
	release_offline_range(&mm, pfn, nr);
	zone_update_watermarks(&mm);
	paint(pfn, nr, FREE);
}

static void op_release(struct choices *c)
{
	unsigned long pfn = any_frame(c);

	while (pfn < base + NR_FRAMES && model[pfn - base] != OFFLINE)
		pfn++;
	if (pfn < base + NR_FRAMES)
		release_from(pfn, 1 + take_bytes(c, 2));
}

static void op_isolate(struct choices *c)
{
	const unsigned long first = (any_frame(c) - base) >> PAGEBLOCK_ORDER;
	const unsigned long nr = min(1UL + take_below(c, 9), ARRAY_SIZE(isolated) - first);
	const struct pfn_range range = { base + (first << PAGEBLOCK_ORDER), nr << PAGEBLOCK_ORDER };
	const bool already = any_isolated(range.start_pfn, range.nr_pages);
	int ret = isolate_range(&mm, &range, NULL);

	CHECK(ret == (already ? -EBUSY : 0), "isolate %lu+%lu: %d", first, nr, ret);
	if (ret)
		return;
	memset(isolated + first, 1, nr);
	CHECK(drain_all_pages(&mm, NSEC_PER_SEC) == 0, "drain");
}

static void unisolate_from(unsigned long first)
{
	unsigned long nr = 0;

	while (first + nr < ARRAY_SIZE(isolated) && isolated[first + nr])
		nr++;
	if (!nr)
		return;
	unisolate_range(&mm, &(struct pfn_range){ base + (first << PAGEBLOCK_ORDER),
						  nr << PAGEBLOCK_ORDER });
	memset(isolated + first, 0, nr);
}

static void op_retag(struct choices *c)
{
	const unsigned long pfn = any_frame(c);
	struct mem_section *ms = pfn_to_section(&mm, pfn);

	spin_lock(&ms->zone->lock);
	pageblock_set_migratetype(ms, pageblock_index(pfn), take_below(c, NR_MIGRATE_STORED));
	spin_unlock(&ms->zone->lock);
}

static void step(struct choices *c)
{
	switch (take_byte(c) % 12) {
	case 0:
	case 1:
		op_alloc(c);
		break;
	case 2:
		op_alloc_at(c);
		break;
	case 3:
		op_slot(c);
		break;
	case 4:
		if (nr_chunks)
			free_one(take_byte(c) % nr_chunks);
		break;
	case 5:
		if (nr_chunks)
			op_pin(take_byte(c) % nr_chunks);
		break;
	case 6:
		op_reference(c);
		break;
	case 7:
		op_bulk(c);
		break;
	case 8:
		op_contig(c);
		break;
	case 9:
		op_release(c);
		break;
	case 10:
		if (take_byte(c) & 1)
			op_isolate(c);
		else
			unisolate_from(take_byte(c) % ARRAY_SIZE(isolated));
		break;
	case 11:
		op_retag(c);
		break;
	}
}

static void give_back(void)
{
	for (unsigned long first = 0; first < ARRAY_SIZE(isolated); first++)
		unisolate_from(first);
	while (nr_chunks)
		free_one(nr_chunks - 1);
	for (unsigned long i = 0; i < NR_FRAMES; i++)
		if (model[i] == OFFLINE)
			release_from(base + i, NR_FRAMES);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct choices c = { data, size };

	if (!base)
		setup();
	for (unsigned int i = 0; i < MAX_OPS && c.size; i++) {
		step(&c);
		if (i % 32 == 31)
			check_frames();
	}
	check_frames();
	give_back();
	drain_local_pages(&mm);
	CHECK(mm.zone[0].free == free_at_first, "%lu free, %lu at first", mm.zone[0].free,
	      free_at_first);
	return 0;
}
