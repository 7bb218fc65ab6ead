/* SPDX-License-Identifier: BSD-2-Clause */
/* The model's state of memory blocks, and its checks against mm: see the header. */
#include "tests/model/blocks.h"
#include "lib/string.h"

#include "arch/machine.h"
#include "lib/errno.h"

struct block_model blocks[FM_SECTIONS];
bool blocks_auto_movable;
u64 blocks_ratio;

static unsigned long early_present;

u64 blocks_owner_mask(int owner, unsigned long n)
{
	u64 mask = 0;

	if (owner >= 0)
		return section_range_mask(block_pfn(n), &owners[owner].owner.region);
	for (unsigned int i = 0; i < NR_OWNERS; i++)
		if (owners[i].registered)
			mask |= section_range_mask(block_pfn(n), &owners[i].owner.region);
	return mask;
}

void blocks_set_plugged(unsigned long n, u64 plugged)
{
	blocks[n].plugged = plugged;
	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++)
		fm.unmapped[n * PAGEBLOCKS_PER_SECTION + b] = !(plugged >> b & 1);
}

/* Frames that mm/ has taken for itself, as last seen. */
#define MAX_META 64
static struct {
	unsigned long pfn, nr;
} metas[MAX_META];
static unsigned int nr_metas;

void blocks_setup(void)
{
	const u64 boot = (1UL << (BOOT_BYTES >> (PAGEBLOCK_ORDER + PAGE_SHIFT))) - 1;

	memset(blocks, 0, sizeof(blocks));
	memset(owners, 0, sizeof(owners));
	nr_metas = 0;
	blocks_auto_movable = false;
	blocks_ratio = 301;
	blocks[0] = (struct block_model){ .state = MEM_BLOCK_ONLINE,
					  .hole = ~boot,
					  .header = PAGEBLOCKS_PER_SECTION,
					  .owner = NOBODY };
	blocks_set_plugged(0, boot);
	early_present = BOOT_BYTES >> PAGE_SHIFT;
}

/* --- metadata: frames that mm/ takes for itself ---------------------------- */

static void meta(unsigned long pfn, unsigned long nr)
{
	if (nr == 1 && fm.frame[pfn - fm.base] == FM_META)
		return;
	CHECK(nr_metas < MAX_META && fm_all(pfn, nr, FM_FREE), "mm/ has taken pfn %#lx: not free",
	      pfn);
	fm_paint(pfn, nr, FM_META);
	metas[nr_metas].pfn = pfn;
	metas[nr_metas++].nr = nr;
}

static unsigned long pfn_of(const void *p)
{
	return phys_to_pfn(virt_to_phys(p));
}

/*
 * Follow mm's metadata: the reserve, the pages of section objects, and memmaps that lie
 * elsewhere; no other frame.
 */
static void look_at_meta(void)
{
	const struct list_head *pool = &fm.mm->section_pool;

	for (; nr_metas; nr_metas--) {
		const unsigned long pfn = metas[nr_metas - 1].pfn;

		/* A frame that left the reserve may belong to a request by now. */
		if (fm.frame[pfn - fm.base] == FM_META)
			fm_paint(pfn, metas[nr_metas - 1].nr, FM_FREE);
	}
	for (unsigned int i = 0; i < fm.mm->nr_reserve; i++)
		meta(fm.mm->reserve[i], 1);
	for (const struct list_head *half = pool->next; half != pool; half = half->next)
		meta(pfn_of(half), 1);
	for (unsigned long n = 1; n < FM_SECTIONS; n++) {
		const struct mem_section *ms = pfn_to_section(fm.mm, block_pfn(n));

		if (!ms)
			continue;
		meta(pfn_of(ms), 1);
		if (ms->flags & SECTION_SELF_HOSTED)
			continue;
		meta(ms->host_pfn, MHP_HEADER_PAGES - 1);
		meta(pfn_of(ms->free_bits), 1);
	}
}

/* --- which zone ------------------------------------------------------------ */

static unsigned long present_frames(unsigned long n)
{
	return hweight64(~blocks[n].hole) * PAGEBLOCK_NR_PAGES;
}

/*
 * Sum the present frames of a zone's online blocks: those of @owner, or all if @owner is
 * NR_OWNERS.
 */
static s64 zone_present(unsigned int zone, unsigned int owner)
{
	s64 sum = 0;

	for (unsigned long n = 0; n < FM_SECTIONS; n++)
		if (fm.zone[n] == zone &&
		    (owner == NR_OWNERS || blocks[n].owner == (int)owner))
			sum += present_frames(n);
	return sum;
}

static bool in_span(unsigned int zone, unsigned long n)
{
	bool below = false, above = false;

	for (unsigned long i = 0; i < FM_SECTIONS; i++)
		if (fm.zone[i] == zone) {
			below |= i <= n;
			above |= i >= n;
		}
	return below && above;
}

static enum zone_type auto_movable_zone(unsigned long n)
{
	const int owner = blocks[n].owner;
	unsigned long unit = 1, first = n;
	s64 left, nobodys = zone_present(ZONE_MOVABLE, NR_OWNERS);

	if (owner >= 0 && owners[owner].owner.unit_pages) {
		const unsigned long base =
			fm_section(owners[owner].owner.region.start_pfn);

		unit = DIV_ROUND_UP(owners[owner].owner.unit_pages, PAGES_PER_SECTION);
		first = base + (n - base) / unit * unit;
	}
	for (unsigned long i = first; i < min(first + unit, FM_SECTIONS); i++)
		if (fm.zone[i] != NR_ZONES && blocks[i].owner == owner)
			return fm.zone[i];
	left = (s64)blocks_ratio * (s64)early_present -
	       100 * (s64)(unit * PAGES_PER_SECTION);
	for (unsigned int i = 0; i < NR_OWNERS; i++) {
		const s64 movable = zone_present(ZONE_MOVABLE, i);
		const s64 own =
			(s64)blocks_ratio * zone_present(ZONE_NORMAL, i) - 100 * movable;

		if (!owners[i].registered)
			continue;
		nobodys -= movable;
		left += own < 0 || (int)i == owner ? own : 0;
	}
	return left >= 100 * nobodys ? ZONE_MOVABLE : ZONE_NORMAL;
}

enum zone_type blocks_zone_for(unsigned long n, enum mhp_online_type type)
{
	if (type == MMOP_ONLINE_KERNEL)
		return ZONE_NORMAL;
	if (type == MMOP_ONLINE_MOVABLE)
		return ZONE_MOVABLE;
	if (blocks_auto_movable)
		return auto_movable_zone(n);
	return in_span(ZONE_MOVABLE, n) && !in_span(ZONE_NORMAL, n) ? ZONE_MOVABLE
								    : ZONE_NORMAL;
}

/* --- model and memory agree? ----------------------------------------------- */

void blocks_check_marks(void)
{
	for (unsigned int z = 0; z < NR_ZONES; z++) {
		unsigned long was[NR_WMARK];

		memcpy(was, fm.mm->zone[z].wmark, sizeof(was));
		zone_update_watermarks(fm.mm);
		CHECK(memcmp(was, fm.mm->zone[z].wmark, sizeof(was)) == 0,
		      "zone %u: the lowest mark was %lu, is %lu", z, was[WMARK_MIN],
		      fm.mm->zone[z].wmark[WMARK_MIN]);
	}
}

/*
 * Check the look-ups of block @n, of the next block and of its zones, and which parts
 * are mapped.
 */
static void check_look_ups(unsigned long n)
{
	const struct block_model *b = &blocks[n];
	const bool online = b->state == MEM_BLOCK_ONLINE;
	unsigned long next = n;
	enum zone_type zones[NR_ZONES];

	while (next < FM_SECTIONS && blocks[next].state == MEM_BLOCK_ABSENT)
		next++;
	next = next < FM_SECTIONS ? block_id(next) : PFN_NONE;
	CHECK(next_memory_block(fm.mm, block_id(n)) == next, "the block after block %lu", n);
	CHECK(memory_block_valid_zones(fm.mm, block_id(n), zones) ==
			      (b->state == MEM_BLOCK_ABSENT ? 0 : 1U + !online) &&
		      (b->state == MEM_BLOCK_ABSENT ||
		       zones[0] ==
			       (online ? fm.zone[n] : blocks_zone_for(n, MMOP_ONLINE))),
	      "valid zones of block %lu", n);
	for (unsigned int i = 0; i < PAGEBLOCKS_PER_SECTION; i++) {
		const unsigned long pfn = block_pfn(n) + i * PAGEBLOCK_NR_PAGES;

		CHECK(arch_direct_mapped(pfn_to_phys(pfn)) == (b->plugged >> i & 1),
		      "block %lu: is pageblock %u mapped?", n, i);
		pfn_walk_begin();
		CHECK(!pfn_to_online_page(fm.mm, pfn) == !online, "pfn %#lx", pfn);
		pfn_walk_end();
	}
}

/* Check that owners are sorted by region, each with the sums over its online blocks. */
static void check_owners(void)
{
	const struct memory_owner *owner;
	unsigned long end = 0;

	list_for_each_entry(owner, &fm.mm->owners, list) {
		CHECK(owner->region.start_pfn >= end, "owner %s", owner->name);
		end = range_end(&owner->region);
	}
	for (unsigned int i = 0; i < NR_OWNERS; i++)
		for (unsigned int z = 0; z < NR_ZONES && owners[i].registered; z++)
			CHECK((s64)owners[i].owner.present[z] == zone_present(z, i),
			      "owner %u has %lu in zone %u, model %lu", i,
			      owners[i].owner.present[z], z,
			      (unsigned long)zone_present(z, i));
}

void blocks_check(void)
{
	look_at_meta();
	for (unsigned long n = 0; n < FM_SECTIONS; n++) {
		const struct mem_section *ms = pfn_to_section(fm.mm, block_pfn(n));
		const enum memory_block_state state =
			memory_block_state(fm.mm, fm.base / PAGES_PER_SECTION + n);

		CHECK(state == blocks[n].state, "block %lu is %s, model %s", n,
		      memory_block_state_name(state),
		      memory_block_state_name(blocks[n].state));
		check_look_ups(n);
		CHECK(state != MEM_BLOCK_ONLINE || !n || ms->online_type == blocks[n].type,
		      "block %lu is %s", n, online_type_name(ms->online_type));
		CHECK(!ms || (ms->unmapped == ~blocks[n].plugged &&
			     ms->hole == blocks[n].hole),
		      "block %lu: unmapped %#lx hole %#lx; model %#lx %#lx", n,
		      (unsigned long)ms->unmapped, (unsigned long)ms->hole,
		      (unsigned long)~blocks[n].plugged, (unsigned long)blocks[n].hole);
	}
	check_owners();
	listeners_check();
}
