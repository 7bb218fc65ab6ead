/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory blocks and owners by the model: adding, onlining, offlining, removing. Each
 * function says what the call must have answered, and follows it.
 */
#include "tests/model/blocks.h"
#include "lib/string.h"

#include "arch/machine.h"
#include "lib/errno.h"

struct block_model blocks[FM_SECTIONS];
u32 blocks_inject;
bool blocks_auto_movable;

static unsigned long early_present;

/* One step that can be made to fail asks. */
bool blocks_fail(void)
{
	return blocks_inject && --blocks_inject == 0;
}

u64 blocks_owner_mask(int owner, unsigned long n)
{
	const struct mem_section probe = { .start_pfn = block_pfn(n) };
	u64 mask = 0;

	if (owner >= 0)
		return section_range_mask(&probe, &owners[owner].owner.region);
	for (unsigned int i = 0; i < NR_OWNERS; i++)
		if (owners[i].registered)
			mask |= section_range_mask(&probe, &owners[i].owner.region);
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
	blocks_inject = 0;
	blocks_auto_movable = false;
	blocks[0] = (struct block_model){ .state = MEM_BLOCK_ONLINE,
					  .hole = ~boot,
					  .header = PAGEBLOCKS_PER_SECTION,
					  .owner = NOBODY };
	blocks_set_plugged(0, boot);
	early_present = BOOT_BYTES >> PAGE_SHIFT;
}

/* --- metadata: frames that mm/ takes for itself ---------------------------- */

/* What a call can take before it has to ask the allocator; looked at before it. */
static bool pool_empty;
static unsigned int stock;

void blocks_look(void)
{
	pool_empty = list_empty(&fm.mm->section_pool);
	stock = fm.mm->nr_reserve;
}

static void meta(unsigned long pfn, unsigned long nr)
{
	if (nr == 1 && fm.frame[pfn - fm.base] == FM_META)
		return;
	CHECK(nr_metas < MAX_META && fm_all(pfn, nr, FM_FREE), "mm/ has taken pfn %#lx",
	      pfn);
	fm_paint(pfn, nr, FM_META);
	metas[nr_metas].pfn = pfn;
	metas[nr_metas++].nr = nr;
}

static unsigned long pfn_of(const void *p)
{
	return phys_to_pfn(virt_to_phys(p));
}

/* The reserve, the pages of section objects, memmaps that lie elsewhere; no other frame. */
static void look_at_meta(void)
{
	const struct list_head *pool = &fm.mm->section_pool;

	while (nr_metas--)
		fm_paint(metas[nr_metas].pfn, metas[nr_metas].nr, FM_FREE);
	nr_metas = 0;
	for (unsigned int i = 0; i < fm.mm->nr_reserve; i++)
		meta(fm.mm->reserve[i], 1);
	for (const struct list_head *half = pool->next; half != pool; half = half->next)
		meta(pfn_of(half), 1);
	for (unsigned long n = 1; n < FM_SECTIONS; n++) {
		const struct mem_section *s = pfn_to_section(fm.mm, block_pfn(n));

		if (!s)
			continue;
		meta(pfn_of(s), 1);
		if (s->flags & SECTION_SELF_HOSTED)
			continue;
		meta(s->host_pfn, MHP_HEADER_PAGES - 1);
		meta(pfn_of(s->free_bits), 1);
	}
}

/* --- adding ---------------------------------------------------------------- */

/* The places of build_section() that can be made to fail, in its order. */
static bool add_fails(u64 plugged, bool self_hosted)
{
	if (pool_empty && blocks_fail())
		return true;
	for (u64 runs = plugged & ~(plugged << 1); runs; runs &= runs - 1)
		if (blocks_fail())
			return true;
	if (!self_hosted && (blocks_fail() || blocks_fail()))
		return true;
	return blocks_fail();
}

/* Memory may be too short for metadata; by how much is not modelled to the frame. */
static bool add_may_fail(bool self_hosted)
{
	return stock < 2 || (!self_hosted && !fm_can_alloc(GFP_KERNEL, 7));
}

struct verdict model_add(unsigned long n, int owner, u64 plugged,
			 enum mhp_online_type type, int ret)
{
	const bool self_hosted =
		!(blocks_owner_mask(-1, n) & ~blocks_owner_mask(owner, n));
	const u64 foreign = plugged & ~blocks_owner_mask(owner, n);
	struct block_model *b = &blocks[n];

	if (b->state != MEM_BLOCK_ABSENT)
		return fm_fail(MM_REASON_EXISTS, block_pfn(n));
	if (!plugged || foreign)
		return fm_fail(MM_REASON_HOLE,
			       block_pfn(n) + (foreign ? __ffs(foreign) : 0) *
						      PAGEBLOCK_NR_PAGES);
	if (ret == -ENOMEM && add_may_fail(self_hosted)) {
		/* Before which of the steps that can be made to fail is not known. */
		blocks_inject = fm.mm->inject;
		return fm_fail(MM_REASON_NO_MEMORY, block_pfn(n));
	}
	if (add_fails(plugged, self_hosted))
		return fm_fail(MM_REASON_NO_MEMORY, block_pfn(n));
	*b = (struct block_model){ .state = MEM_BLOCK_OFFLINE,
				   .hole = ~blocks_owner_mask(-1, n),
				   .header = self_hosted ? __ffs(plugged)
							 : PAGEBLOCKS_PER_SECTION,
				   .owner = owner };
	blocks_set_plugged(n, plugged);
	if (type != MMOP_OFFLINE)
		(void)model_online(n, type);
	return fm_ok();
}

/* --- which zone ------------------------------------------------------------ */

static unsigned long present_frames(unsigned long n)
{
	return hweight64(~blocks[n].hole) * PAGEBLOCK_NR_PAGES;
}

/* Of a zone's online blocks: those of an owner, or all with NR_OWNERS. */
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

#define RATIO 301 /* percent, unless it is set otherwise */

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
	left = RATIO * (s64)early_present - 100 * (s64)(unit * PAGES_PER_SECTION);
	for (unsigned int i = 0; i < NR_OWNERS; i++) {
		const s64 movable = zone_present(ZONE_MOVABLE, i);
		const s64 own = RATIO * zone_present(ZONE_NORMAL, i) - 100 * movable;

		if (!owners[i].registered)
			continue;
		nobodys -= movable;
		left += own < 0 || (int)i == owner ? own : 0;
	}
	return left >= 100 * nobodys ? ZONE_MOVABLE : ZONE_NORMAL;
}

static enum zone_type zone_for(unsigned long n, enum mhp_online_type type)
{
	if (type == MMOP_ONLINE_KERNEL)
		return ZONE_NORMAL;
	if (type == MMOP_ONLINE_MOVABLE)
		return ZONE_MOVABLE;
	if (blocks_auto_movable)
		return auto_movable_zone(n);
	return in_span(ZONE_NORMAL, n) && !in_span(ZONE_MOVABLE, n) ? ZONE_NORMAL
								    : ZONE_MOVABLE;
}

/* --- onlining -------------------------------------------------------------- */

bool owner_keeps(const struct owner_model *o, unsigned long pfn)
{
	return o->keeps >> pfn / 32 % 8 & 1;
}

/* All that is plugged becomes free, but for what its owner keeps and the metadata. */
static void paint_online(unsigned long n)
{
	const struct block_model *b = &blocks[n];
	const u64 known = blocks_owner_mask(-1, n);
	const struct owner_model *keeper = &owners[1];
	const u64 kept = keeper->registered ? blocks_owner_mask(1, n) & b->plugged : 0;

	for (unsigned int i = 0; i < PAGEBLOCKS_PER_SECTION; i++) {
		const unsigned long pfn = block_pfn(n) + i * PAGEBLOCK_NR_PAGES;
		const u64 bit = 1UL << i;

		fm_paint(pfn, PAGEBLOCK_NR_PAGES,
			 b->hole & bit	    ? FM_HOLE
			 : b->plugged & bit ? FM_FREE
			 : known & bit	    ? FM_SKIPPABLE
					    : FM_OFFLINE);
		for (unsigned long p = pfn; kept & bit && p < pfn + PAGEBLOCK_NR_PAGES;
		     p += 32)
			if (owner_keeps(keeper, p))
				fm_paint(p, 32,
					 keeper->flags ? FM_SKIPPABLE : FM_OFFLINE);
		if (i == b->header)
			fm_paint(pfn, MHP_HEADER_PAGES, FM_MEMMAP);
	}
}

static struct verdict online_in(unsigned long n, enum zone_type zone)
{
	int err;

	if (blocks_fail())
		return fm_fail(MM_REASON_NO_MEMORY, block_pfn(n));
	err = model_start(MEM_GOING_ONLINE, MEM_CANCEL_ONLINE, n);
	if (err)
		return (struct verdict){ err, MM_REASON_VETO, block_pfn(n) };
	blocks[n].state = MEM_BLOCK_ONLINE;
	fm.zone[n] = zone;
	paint_online(n);
	model_end(MEM_ONLINE, n);
	return fm_ok();
}

struct verdict model_online(unsigned long n, enum mhp_online_type type)
{
	if (blocks[n].state == MEM_BLOCK_ABSENT)
		return fm_fail(MM_REASON_NOT_PRESENT, PFN_NONE);
	if (blocks[n].state != MEM_BLOCK_OFFLINE || type == MMOP_OFFLINE)
		return fm_fail(MM_REASON_WRONG_STATE, PFN_NONE);
	return online_in(n, zone_for(n, type));
}

/* --- offlining and removing ------------------------------------------------ */

/* Whether a block can begin to go offline; @isolated: those before it have, in this call. */
static struct verdict judge_prepare(unsigned long n)
{
	if (n == 0)
		return fm_fail(MM_REASON_SHARED_BLOCK, block_pfn(n));
	if (blocks[n].state != MEM_BLOCK_ONLINE)
		return fm_fail(MM_REASON_WRONG_STATE, PFN_NONE);
	if (fm_first_isolated(block_pfn(n), PAGES_PER_SECTION) != PFN_NONE)
		return fm_fail(MM_REASON_ALREADY_ISOLATED,
			       fm_first_isolated(block_pfn(n), PAGES_PER_SECTION));
	return fm_ok();
}

/* All frames but the block's own metadata. */
static struct verdict judge_block(unsigned long n)
{
	const unsigned long start = block_pfn(n), end = start + PAGES_PER_SECTION;
	const unsigned int header = blocks[n].header;
	unsigned long behind = start;
	struct verdict v = fm_ok();

	if (header < PAGEBLOCKS_PER_SECTION) {
		v = fm_judge(start, header * PAGEBLOCK_NR_PAGES, true);
		behind += header * PAGEBLOCK_NR_PAGES + MHP_HEADER_PAGES;
	}
	return v.err ? v : fm_judge(behind, end - behind, true);
}

/* Blocks that leave together, in the order of the call. */
struct leaving {
	unsigned long n[FM_SECTIONS];
	unsigned int nr;
};

/* How many agreed; a call that is cancelled does not ask about the next. */
static struct verdict ask_all(const struct leaving *l, bool late, unsigned int *agreed)
{
	for (*agreed = 0; *agreed < l->nr; (*agreed)++) {
		const unsigned long n = l->n[*agreed];
		int err;

		if (late && !listeners_were_asked(n))
			break;
		err = model_start(MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE, n);
		if (err)
			return (struct verdict){ err, MM_REASON_VETO, block_pfn(n) };
	}
	return fm_ok();
}

/* @late: the call failed for a reason that only it can know. */
static struct verdict leave_all(const struct leaving *l, const struct mm_failure *late)
{
	unsigned int agreed;
	struct verdict v = ask_all(l, late, &agreed);

	for (unsigned int i = 0; i < l->nr && agreed == l->nr && !v.err; i++)
		v = judge_block(l->n[i]);
	if (!v.err && late) {
		frame_expect_late_failure(late);
		v = fm_fail(late->reason, late->pfn);
	}
	for (unsigned int i = 0; i < agreed && v.err; i++)
		model_end(MEM_CANCEL_OFFLINE, l->n[i]);
	if (!v.err)
		frame_expect_emptied();
	for (unsigned int i = 0; i < l->nr && !v.err; i++) {
		blocks[l->n[i]].state = MEM_BLOCK_OFFLINE;
		fm_paint(block_pfn(l->n[i]), PAGES_PER_SECTION, FM_ABSENT);
		fm.zone[l->n[i]] = NR_ZONES;
	}
	for (unsigned int i = 0; i < l->nr && !v.err; i++)
		model_end(MEM_OFFLINE, l->n[i]);
	return v;
}

bool blocks_late(int ret, const struct mm_failure *why)
{
	return ret && (why->reason == MM_REASON_NO_TARGET ||
		       why->reason == MM_REASON_CLAIM_LOST ||
		       why->reason == MM_REASON_CANCELLED ||
		       why->reason == MM_REASON_COPY_FAILED);
}

struct verdict model_offline(unsigned long n, int ret, const struct mm_failure *why)
{
	struct verdict v = fm_ok();

	if (blocks[n].state == MEM_BLOCK_ABSENT)
		return fm_fail(MM_REASON_NOT_PRESENT, PFN_NONE);
	v = judge_prepare(n);
	if (v.err)
		return v;
	fm_set_target(block_pfn(n), PAGES_PER_SECTION);
	frame_follow_slots(true);
	v = leave_all(&(struct leaving){ { n }, 1 }, blocks_late(ret, why) ? why : NULL);
	CHECK(!v.err || blocks_late(ret, why) || !why->migrated,
	      "block %lu: moved %lu in vain", n, (unsigned long)why->migrated);
	return v;
}

static void forget_block(unsigned long n)
{
	blocks[n] = (struct block_model){ .state = MEM_BLOCK_ABSENT, .owner = NOBODY };
	blocks_set_plugged(n, 0);
}

struct verdict model_remove(unsigned long n)
{
	if (blocks[n].state == MEM_BLOCK_ABSENT)
		return fm_fail(MM_REASON_NOT_PRESENT, PFN_NONE);
	if (n == 0)
		return fm_fail(MM_REASON_SHARED_BLOCK, block_pfn(n));
	if (blocks[n].state != MEM_BLOCK_OFFLINE)
		return fm_fail(MM_REASON_NOT_OFFLINE, block_pfn(n));
	if (blocks_fail())
		return fm_fail(MM_REASON_HARTS_BUSY, PFN_NONE);
	forget_block(n);
	return fm_ok();
}

/* Those that this call has offlined, of these zones, go online again. */
static void restore(const struct leaving *l, const u8 *zones)
{
	for (unsigned int i = 0; i < l->nr; i++)
		(void)online_in(l->n[i], zones[i]);
}

/* What blocks of a call must be; the failure of several names the one. */
static struct verdict judge_list(const unsigned long *list, unsigned int nr)
{
	struct verdict v = fm_ok();

	for (unsigned int i = 0; i < nr && !v.err; i++) {
		if (blocks[list[i]].state == MEM_BLOCK_ABSENT)
			v = fm_fail(MM_REASON_NOT_PRESENT, PFN_NONE);
		else if (blocks[list[i]].state != MEM_BLOCK_OFFLINE || list[i] == 0)
			v = judge_prepare(list[i]);
		if (v.err && nr > 1 && v.pfn == PFN_NONE)
			v.pfn = block_pfn(list[i]);
	}
	return v;
}

struct verdict model_offline_and_remove(const unsigned long *list, unsigned int nr,
					int ret, const struct mm_failure *why)
{
	struct verdict v = judge_list(list, nr);
	struct leaving leaving = { .nr = 0 };
	u8 zones[FM_SECTIONS];

	if (v.err)
		return v;
	fm_set_target(0, 0);
	for (unsigned int i = 0; i < nr; i++) {
		if (blocks[list[i]].state != MEM_BLOCK_ONLINE)
			continue;
		memset(fm.target + list[i] * PAGEBLOCKS_PER_SECTION, 1,
		       PAGEBLOCKS_PER_SECTION);
		zones[leaving.nr] = fm.zone[list[i]];
		leaving.n[leaving.nr++] = list[i];
	}
	frame_follow_slots(true);
	v = leave_all(&leaving, blocks_late(ret, why) ? why : NULL);
	if (v.err)
		return v;
	if (blocks_fail()) {
		restore(&leaving, zones);
		return fm_fail(MM_REASON_HARTS_BUSY, PFN_NONE);
	}
	for (unsigned int i = 0; i < nr; i++)
		forget_block(list[i]);
	return v;
}

void blocks_check(void)
{
	look_at_meta();
	for (unsigned long n = 0; n < FM_SECTIONS; n++) {
		const struct mem_section *s = pfn_to_section(fm.mm, block_pfn(n));
		const enum memory_block_state state =
			memory_block_state(fm.mm, fm.base / PAGES_PER_SECTION + n);

		CHECK(state == blocks[n].state, "block %lu is %s, model %s", n,
		      memory_block_state_name(state),
		      memory_block_state_name(blocks[n].state));
		CHECK(!s || (s->unmapped == ~blocks[n].plugged &&
			     s->hole == blocks[n].hole),
		      "block %lu: unmapped %#lx hole %#lx; model %#lx %#lx", n,
		      (unsigned long)s->unmapped, (unsigned long)s->hole,
		      (unsigned long)~blocks[n].plugged, (unsigned long)blocks[n].hole);
	}
	for (unsigned int i = 0; i < NR_OWNERS; i++)
		for (unsigned int z = 0; z < NR_ZONES && owners[i].registered; z++)
			CHECK((s64)owners[i].owner.present[z] == zone_present(z, i),
			      "owner %u has %lu in zone %u, model %lu", i,
			      owners[i].owner.present[z], z,
			      (unsigned long)zone_present(z, i));
	listeners_check();
}
