/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps on blocks: requests by random choices, owners that come and leave, refusals and
 * failures anywhere.
 */
#include "tests/model/blocks.h"

#include "arch/machine.h"
#include "kernel/param.h"
#include "lib/kstrtox.h"

struct owner_model owners[NR_OWNERS];

/* The counters that must return to their first values after every input. */
struct totals {
	unsigned long zone[NR_ZONES][5];
	unsigned long max_pfn, reserve;
};

static struct totals at_first;

/* --- the owners ------------------------------------------------------------ */

/* Give the chunk to the allocator, except the runs of 32 frames that the owner keeps. */
static void keeper_online(struct memory_owner *owner, unsigned long pfn,
			  unsigned int order)
{
	const struct owner_model *o = container_of(owner, struct owner_model, owner);
	const unsigned long end = pfn + (1UL << order);
	const unsigned int part = o->keeps ? min(order, 5U) : order;
	const struct mem_section *ms = pfn_to_section(fm.mm, pfn);
	const struct pfn_range chunk = { pfn, 1UL << order };
	const u64 mask = section_range_mask(ms->start_pfn, &chunk),
		  unplugged = ms->unmapped & mask;

	CHECK(!unplugged || unplugged == mask, "half plugged: %#lx order %u", pfn, order);
	CHECK(ms->host_pfn - pfn >= chunk.nr_pages, "%#lx order %u has the metadata", pfn,
	      order);
	if (!arch_direct_mapped(pfn_to_phys(pfn)))
		return;
	for (; pfn < end; pfn += 1UL << part) {
		const struct pfn_range kept = { pfn, 1UL << part };

		if (!owner_keeps(o, pfn))
			generic_online_page(fm.mm, pfn, part);
		else if (o->flags)
			mark_offline_frames(fm.mm, &kept, o->flags);
	}
}

static void set_region(unsigned int i, const char *name, unsigned long first,
		       unsigned long end)
{
	owners[i].owner.name = name;
	owners[i].owner.region = (struct pfn_range){ fm.base + first * PAGEBLOCK_NR_PAGES,
						     (end - first) * PAGEBLOCK_NR_PAGES };
}

static void owner_comes(unsigned int i)
{
	request_make(&(struct request){
		.kind = &owner_request,
		.range = owners[i].owner.region,
		.owner = i,
	});
}

static void read_totals(struct totals *t)
{
	for (unsigned int z = 0; z < NR_ZONES; z++) {
		const struct zone *zone = &fm.mm->zone[z];
		const unsigned long values[] = { zone->start_pfn, zone->spanned,
						 zone->present, zone->managed,
						 zone->free };

		for (unsigned int i = 0; i < ARRAY_SIZE(values); i++)
			t->zone[z][i] = values[i];
	}
	t->max_pfn = fm.mm->max_pfn;
	t->reserve = fm.mm->nr_reserve;
}

/* Refill the reserve, so that it has the same frames for every input. */
static void refill(void)
{
	mm_reserve_drop(fm.mm);
	frame_settle();
	mm_reserve_refill(fm.mm);
	drain_local_pages(fm.mm);
}

void blocks_start(void)
{
	const unsigned long pb = PAGEBLOCKS_PER_SECTION;

	fm.mm->default_online_type = MMOP_OFFLINE;
	blocks_setup();
	set_region(0, "beside boot", BOOT_BYTES >> (PAGEBLOCK_ORDER + PAGE_SHIFT),
		   3 * pb);
	set_region(1, "keeper", 3 * pb, 4 * pb + 32);
	set_region(2, "static", 4 * pb + 32, 5 * pb + 40);
	owners[1].owner.online_page = keeper_online;
	owners[0].owner.unit_pages = 2 * PAGES_PER_SECTION;
	owners[1].owner.unit_pages = PAGES_PER_SECTION;
	owners[2].owner.unit_pages = owners[2].owner.region.nr_pages;
	for (unsigned int i = 0; i < NR_OWNERS; i++)
		owner_comes(i);
	listeners_setup();
	listeners_refuse((struct refusal){ 0 });
	refill();
	blocks_check();
	fm_check();
	read_totals(&at_first);
}

/* --- steps on blocks ------------------------------------------------------- */

/* Choose a block; rarely the block of boot memory, on which few steps can succeed. */
static unsigned long any_block(struct choices *c)
{
	const unsigned int x = take_byte(c);

	return x < 0xf0 ? 1 + x % (FM_SECTIONS - 1) : 0;
}

static u64 any_mask(struct choices *c)
{
	const unsigned int first = take_below(c, 64), nr = 1 + take_below(c, 64 - first);

	return (nr == 64 ? ~0UL : (1UL << nr) - 1) << first;
}

/* Choose an owner: mostly an owner of a part of the block. */
static unsigned int any_owner(struct choices *c, unsigned long n)
{
	const unsigned int x = take_byte(c);
	unsigned int i = x % NR_OWNERS;

	while (x < 0xf0 && n && !blocks_owner_mask(i, n))
		i = (i + 1) % NR_OWNERS;
	return i;
}

static void step_add(struct choices *c)
{
	struct request rq = { .kind = &add_request, .block = { any_block(c) }, .nr = 1 };
	const unsigned int how = take_byte(c);

	rq.owner = any_owner(c, rq.block[0]);
	rq.type = how & 0x80 ? how % NR_ONLINE_TYPES : MMOP_OFFLINE;
	rq.plugged = blocks_owner_mask(rq.owner, rq.block[0]);
	if (!owners[rq.owner].registered)
		return;
	if (how & 0x40)
		rq.plugged = any_mask(c) | any_mask(c);
	if ((how & 0x70) != 0x70)
		rq.plugged &= blocks_owner_mask(rq.owner, rq.block[0]);
	request_make(&rq);
}

static void step_online(struct choices *c)
{
	static const u8 types[] = { MMOP_ONLINE_MOVABLE, MMOP_ONLINE, MMOP_ONLINE_KERNEL,
				    MMOP_ONLINE_MOVABLE, MMOP_ONLINE, MMOP_ONLINE_KERNEL,
				    MMOP_OFFLINE };
	struct request rq = { .kind = &online_request,
			      .block = { any_block(c) },
			      .nr = 1 };

	rq.type = types[take_below(c, ARRAY_SIZE(types))];
	request_make(&rq);
}

static void step_offline(struct choices *c)
{
	struct request rq = { .kind = &offline_request,
			      .block = { any_block(c) },
			      .nr = 1 };

	rq.policy = frame_policy(c);
	request_make(&rq);
}

static void step_remove(struct choices *c)
{
	request_make(&(struct request){
		.kind = &remove_request, .block = { any_block(c) }, .nr = 1 });
}

static void step_leave(struct choices *c)
{
	const unsigned int wanted = take_byte(c);
	struct request rq = { .kind = wanted & 0x40 ? &offline_request : &leave_request,
			      .policy = frame_policy(c) };

	for (unsigned long n = 0; n < FM_SECTIONS; n++)
		if (wanted >> n & 1 &&
		    (wanted & 0x80 || blocks[n].state != MEM_BLOCK_ABSENT))
			rq.block[rq.nr++] = n;
	request_make(&rq);
}

/* Can a pageblock be unplugged (if @plugged), or plugged (if not)? */
static bool can_change(unsigned long pb, bool plugged)
{
	const struct block_model *b = &blocks[pb / PAGEBLOCKS_PER_SECTION];
	const unsigned int i = pb % PAGEBLOCKS_PER_SECTION;

	return b->state != MEM_BLOCK_ABSENT && !(b->hole >> i & 1) && i != b->header &&
	       (b->plugged >> i & 1) == plugged;
}

/*
 * Choose a range outside of boot memory: mostly a few pageblocks, the first of which can
 * change.
 */
static struct pfn_range any_range(struct choices *c, bool plugged)
{
	const unsigned long first = BOOT_BYTES >> (PAGEBLOCK_ORDER + PAGE_SHIFT);
	const unsigned int how = take_byte(c), block = take_below(c, FM_SECTIONS);
	unsigned long pb =
		block * PAGEBLOCKS_PER_SECTION + take_below(c, PAGEBLOCKS_PER_SECTION);
	unsigned long nr = 1 + how % (how & 0x40 ? 100 : 8);
	struct pfn_range r;

	pb = max(pb, first);
	while (!(how & 0x80) && pb < FM_PAGEBLOCKS - 1 && !can_change(pb, plugged))
		pb++;
	nr = min(nr, FM_PAGEBLOCKS - pb);
	r = (struct pfn_range){ fm.base + pb * PAGEBLOCK_NR_PAGES,
				nr * PAGEBLOCK_NR_PAGES };
	if (how == 0xff)
		r.nr_pages--;
	return r;
}

static void step_plug(struct choices *c)
{
	request_make(
		&(struct request){ .kind = &plug_request, .range = any_range(c, false) });
}

static void step_unplug(struct choices *c)
{
	struct request rq = { .kind = &unplug_request, .range = any_range(c, true) };

	rq.policy = frame_policy(c);
	if (request_make(&rq) || take_byte(c) & 1)
		return;
	rq.kind = &plug_request;
	request_make(&rq);
}

static void step_owner(struct choices *c)
{
	const unsigned int i = take_below(c, NR_OWNERS);

	if (owners[i].registered) {
		unregister_memory_owner(fm.mm, &owners[i].owner);
		model_owner_leaves(i);
	} else {
		owner_comes(i);
	}
}

/* --- what makes the next steps different ----------------------------------- */

/* Set the policy of "online", and auto_movable_ratio to one of eight values. */
static void set_policy(bool auto_movable, unsigned int which)
{
	static const char *const ratios[] = { "301", "0",   "100", "250",
					      "499", "500", "1",   "999" };

	blocks_auto_movable = auto_movable;
	CHECK(param_set("memory_hotplug.online_policy",
			auto_movable ? "auto-movable" : "contig-zones") == 0 &&
		      param_set("memory_hotplug.auto_movable_ratio", ratios[which]) ==
			      0 &&
		      kstrtou64(ratios[which], 10, &blocks_ratio) == 0,
	      "policy");
}

static void step_knob(struct choices *c)
{
	const unsigned int which = take_byte(c);

	if (which % 4 == 0)
		set_policy(which & 0x10, which >> 5);
	else if (which % 4 == 1)
		owners[1].flags = which & 0x10 ? PG_OFFLINE_SKIPPABLE : 0,
		owners[1].keeps = take_byte(c);
	else
		listeners_refuse((struct refusal){
			.event = take_below(c, NR_MEM_EVENTS),
			.left = 1 + which / 4 % 4,
			.place = which / 16 % 3,
			.error = -(int)(1 + take_below(c, 30)),
		});
}

void block_step(struct choices *c, unsigned int which)
{
	static void (*const steps[])(struct choices * c) = {
		step_add,     step_add,	    step_online, step_online,
		step_offline, step_offline, step_remove, step_leave,
		step_plug,    step_unplug,  step_owner,	 step_knob,
	};
	const unsigned int odd = take_byte(c);

	fm_clear_target();
	fm.mm->inject = fm.inject = odd >= 0xc0 ? 1 + odd % 8 : 0;
	steps[which % ARRAY_SIZE(steps)](c);
	CHECK(fm.mm->inject == fm.inject, "%u steps from failing, model %u",
	      fm.mm->inject, fm.inject);
	fm.mm->inject = fm.inject = 0;
	blocks_check();
}

/* --- the end of an input --------------------------------------------------- */

/* An empty list of choices: nothing is cancelled, and no copy fails. */
static struct choices never;

/*
 * Remove all blocks. Metadata of a block may lie in another block or in the reserve, so
 * repeat while a pass removes some block.
 */
static void remove_all(void)
{
	bool some = true;

	while (some) {
		some = false;
		mm_reserve_drop(fm.mm);
		blocks_check();
		for (unsigned long n = 1; n < FM_SECTIONS; n++) {
			const struct request rq = { .kind = &leave_request,
						    .block = { n },
						    .nr = 1,
						    .policy = frame_policy(&never) };

			if (blocks[n].state == MEM_BLOCK_ABSENT)
				continue;
			some |= !request_make(&rq);
			blocks_check();
		}
	}
	for (unsigned long n = 1; n < FM_SECTIONS; n++)
		CHECK(blocks[n].state == MEM_BLOCK_ABSENT, "block %lu stays", n);
}

/* Unplug the memory that shares a block with boot memory. */
static void unplug_rest(void)
{
	const unsigned long first = BOOT_BYTES >> (PAGEBLOCK_ORDER + PAGE_SHIFT);

	for (unsigned long b = first; b < PAGEBLOCKS_PER_SECTION; b++) {
		const struct request rq = { .kind = &unplug_request,
					    .range = { fm.base + b * PAGEBLOCK_NR_PAGES,
						       PAGEBLOCK_NR_PAGES },
					    .policy = frame_policy(&never) };

		CHECK(fm.unmapped[b] || request_make(&rq) == 0, "pageblock %lu stays", b);
	}
}

void blocks_give_back(void)
{
	struct totals now;

	listeners_refuse((struct refusal){ 0 });
	set_policy(false, 0);
	owners[1].keeps = 0;
	frame_give_back();
	for (unsigned int i = 0; i < NR_OWNERS; i++)
		if (!owners[i].registered)
			owner_comes(i);
	remove_all();
	unplug_rest();
	refill();
	blocks_check();
	fm_check();
	read_totals(&now);
	for (unsigned int z = 0; z < NR_ZONES; z++)
		for (unsigned int i = 0; i < ARRAY_SIZE(now.zone[z]); i++)
			CHECK(now.zone[z][i] == at_first.zone[z][i],
			      "zone %u: total %u: %lu, was %lu", z, i, now.zone[z][i],
			      at_first.zone[z][i]);
	CHECK(now.max_pfn == at_first.max_pfn && now.reserve == at_first.reserve,
	      "max_pfn %#lx reserve %lu", now.max_pfn, now.reserve);
}
