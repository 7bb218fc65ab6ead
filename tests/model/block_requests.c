/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests on whole memory blocks: adding, onlining, offlining, removing. */
#include "lib/errno.h"
#include "tests/model/blocks.h"

/* --- onlining: all frames of a block --------------------------------------- */

bool owner_keeps(const struct owner_model *o, unsigned long pfn)
{
	return o->keeps >> pfn / 32 % 8 & 1;
}

/* Make all plugged frames free, except the metadata and the frames that their owner keeps. */
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

/* Make a verdict the listener's refusal of this block, with the listener's error. */
static void becomes_veto(struct verdict *v, unsigned long n)
{
	fm_becomes(v, MM_REASON_VETO, block_pfn(n));
	v->err = blocks_refusal.error;
}

/*
 * Judge the onlining of an offline block: it lacks memory, a listener refuses, or it
 * succeeds.
 */
static struct verdict judge_online(unsigned long n)
{
	struct verdict v = { .pfn = PFN_NONE, .steps = 1 };

	if (fm.inject == 1)
		fm_becomes(&v, MM_REASON_NO_MEMORY, block_pfn(n));
	else if (listeners_refuse_nth(MEM_GOING_ONLINE, 0))
		becomes_veto(&v, n);
	return v;
}

/*
 * Check that pageblocks are Unmovable if the block was onlined for kernel memory, or if they
 * hold its header in zone Normal, and else Movable.
 */
static void check_migratetypes(unsigned long n)
{
	const struct block_model *b = &blocks[n];

	for (unsigned int i = 0; i < PAGEBLOCKS_PER_SECTION; i++) {
		const unsigned long pfn = block_pfn(n) + i * PAGEBLOCK_NR_PAGES;
		const bool kernel = b->type == MMOP_ONLINE_KERNEL ||
				    (i == b->header && fm.zone[n] == ZONE_NORMAL);
		const unsigned int mt = pb_mt(pfn_pageblock(fm.mm, pfn)->word);

		CHECK(mt == (kernel ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE),
		      "block %lu pageblock %u is %s", n, i, migratetype_name(mt));
	}
}

/* Follow an onlining: the block has gone online, or a listener has refused. */
static void settle_online(unsigned long n, enum mhp_online_type type, enum zone_type zone)
{
	if (model_start(MEM_GOING_ONLINE, MEM_CANCEL_ONLINE, n))
		return;
	blocks[n].state = MEM_BLOCK_ONLINE;
	blocks[n].type = type;
	fm.zone[n] = zone;
	paint_online(n);
	check_migratetypes(n);
	blocks_check_marks();
	model_end(MEM_ONLINE, n);
}

/* Follow an onlining inside another request, which succeeds even if the onlining fails. */
static void try_online(unsigned long n, enum mhp_online_type type, enum zone_type zone)
{
	const struct verdict v = judge_online(n);

	fm_use_steps(v.steps);
	if (v.reason != MM_REASON_NO_MEMORY)
		settle_online(n, type, zone);
}

static struct verdict predict_online(const struct request *rq)
{
	const enum memory_block_state state = blocks[rq->block[0]].state;

	if (state == MEM_BLOCK_ABSENT)
		return fm_fail(MM_REASON_NOT_PRESENT, PFN_NONE);
	if (state != MEM_BLOCK_OFFLINE || rq->type == MMOP_OFFLINE)
		return fm_fail(MM_REASON_WRONG_STATE, PFN_NONE);
	return judge_online(rq->block[0]);
}

static int make_online(const struct request *rq, struct mm_failure *why)
{
	return online_memory_block(fm.mm, block_id(rq->block[0]), rq->type, why);
}

static void follow_online(const struct request *rq)
{
	settle_online(rq->block[0], rq->type, blocks_zone_for(rq->block[0], rq->type));
}

static void fail_online(const struct request *rq, const struct verdict *v)
{
	if (v->reason == MM_REASON_VETO)
		settle_online(rq->block[0], rq->type, NR_ZONES);
}

const struct request_kind online_request = { "online_memory_block", predict_online,
					     make_online,	    NULL,
					     follow_online,	    fail_online };

/* --- adding ---------------------------------------------------------------- */

/* Count the steps of build_section() that can be made to fail. */
static unsigned int add_steps(u64 plugged, bool self_hosted)
{
	return list_empty(&fm.mm->section_pool) + hweight64(plugged & ~(plugged << 1)) +
	       (self_hosted ? 1 : 3);
}

/* Is all of the block's memory in the owner's region? */
static bool is_self_hosted(const struct request *rq)
{
	return !(blocks_owner_mask(-1, rq->block[0]) &
		 ~blocks_owner_mask(rq->owner, rq->block[0]));
}

/* Pages in the reserve before an add. */
static unsigned int stock;

static struct verdict predict_add(const struct request *rq)
{
	const unsigned long n = rq->block[0];
	const u64 foreign = rq->plugged & ~blocks_owner_mask(rq->owner, n);
	struct verdict v = fm_ok();

	stock = fm.mm->nr_reserve;
	if (blocks[n].state != MEM_BLOCK_ABSENT)
		return fm_fail(MM_REASON_EXISTS, block_pfn(n));
	if (!rq->plugged || foreign)
		return fm_fail(MM_REASON_HOLE,
			       block_pfn(n) + (foreign ? __ffs(foreign) : 0) *
						      PAGEBLOCK_NR_PAGES);
	v.steps = add_steps(rq->plugged, is_self_hosted(rq));
	if (fm.inject && fm.inject <= v.steps)
		fm_becomes(&v, MM_REASON_NO_MEMORY, block_pfn(n));
	return v;
}

static int make_add(const struct request *rq, struct mm_failure *why)
{
	int ret;

	fm.mm->default_online_type = rq->type;
	ret = add_memory(fm.mm, block_id(rq->block[0]), &owners[rq->owner].owner,
			 rq->plugged, why);
	fm.mm->default_online_type = MMOP_OFFLINE;
	return ret;
}

/*
 * An add may lack memory for metadata. The model does not know exactly how many frames
 * are missing, nor at which step the add fails.
 */
static bool add_otherwise(const struct request *rq, const struct verdict *v,
			  const struct mm_failure *why)
{
	const bool is_short =
		stock < 2 || (!is_self_hosted(rq) && !fm_can_alloc(GFP_KERNEL, 7));

	if (!v->steps || why->reason != MM_REASON_NO_MEMORY || !is_short)
		return false;
	fm.inject = fm.mm->inject;
	return true;
}

static void follow_add(const struct request *rq)
{
	const unsigned long n = rq->block[0];

	blocks[n] = (struct block_model){
		.state = MEM_BLOCK_OFFLINE,
		.hole = ~blocks_owner_mask(-1, n),
		.header =
			is_self_hosted(rq) ? __ffs(rq->plugged) : PAGEBLOCKS_PER_SECTION,
		.owner = rq->owner,
	};
	blocks_set_plugged(n, rq->plugged);
	if (rq->type != MMOP_OFFLINE)
		try_online(n, rq->type, blocks_zone_for(n, rq->type));
}

const struct request_kind add_request = { "add_memory",	 predict_add, make_add,
					  add_otherwise, follow_add,  NULL };

/* --- offlining, and leaving for good --------------------------------------- */

/* Can a block begin to go offline? */
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

/* Judge all frames of a block except its own metadata. */
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

/* The blocks of a request that have to go offline, in the order of the request. */
struct leaving {
	unsigned long n[FM_SECTIONS];
	unsigned int nr;
};

static struct leaving leaving_of(const struct request *rq)
{
	struct leaving l = { .nr = 0 };

	for (unsigned int i = 0; i < rq->nr; i++)
		if (blocks[rq->block[i]].state == MEM_BLOCK_ONLINE)
			l.n[l.nr++] = rq->block[i];
	return l;
}

static bool leaves_for_good(const struct request *rq)
{
	return rq->kind == &leave_request;
}

/*
 * Judge the blocks' states before the listeners are asked; if one of several blocks
 * fails, the failure names it.
 */
static struct verdict judge_list(const struct request *rq)
{
	struct verdict v = fm_ok();

	for (unsigned int i = 0; i < rq->nr && !v.err; i++) {
		const unsigned long n = rq->block[i];

		if (blocks[n].state == MEM_BLOCK_ABSENT)
			v = fm_fail(MM_REASON_NOT_PRESENT, PFN_NONE);
		else if (blocks[n].state != MEM_BLOCK_OFFLINE || !leaves_for_good(rq))
			v = judge_prepare(n);
		if (v.err && rq->nr > 1 && v.pfn == PFN_NONE)
			v.pfn = block_pfn(n);
	}
	return v;
}

/*
 * The request asks all listeners before it looks at a frame, and looks at all frames before
 * it moves a page.
 */
static struct verdict predict_leave(const struct request *rq)
{
	const struct leaving l = leaving_of(rq);
	struct verdict v = judge_list(rq);

	for (unsigned int i = 0; i < l.nr && !v.err; i++)
		if (listeners_refuse_nth(MEM_GOING_OFFLINE, i))
			becomes_veto(&v, l.n[i]);
	for (unsigned int i = 0; i < l.nr && !v.err; i++)
		v = judge_block(l.n[i]);
	if (v.err)
		return v;
	v.moves = PFN_NONE;
	v.steps = leaves_for_good(rq);
	if (v.steps && fm.inject == 1)
		fm_becomes(&v, MM_REASON_HARTS_BUSY, PFN_NONE);
	return v;
}

static void list_ids(const struct request *rq, unsigned long *ids)
{
	for (unsigned int i = 0; i < rq->nr; i++)
		ids[i] = block_id(rq->block[i]);
}

static int make_offline(const struct request *rq, struct mm_failure *why)
{
	unsigned long ids[FM_SECTIONS];

	if (rq->nr == 1)
		return offline_memory_block(fm.mm, block_id(rq->block[0]),
					    &rq->policy.limits, why);
	list_ids(rq, ids);
	return offline_memory_blocks(fm.mm, ids, rq->nr, &rq->policy.limits, why);
}

static int make_leave(const struct request *rq, struct mm_failure *why)
{
	unsigned long ids[FM_SECTIONS];

	list_ids(rq, ids);
	return offline_and_remove_memory(fm.mm, ids, rq->nr, &rq->policy.limits, why);
}

/*
 * Count the blocks that the listeners were asked about; a cancelled request stops
 * asking.
 */
static unsigned int nr_asked(const struct leaving *l, enum mm_reason reason,
			     unsigned long pfn)
{
	unsigned int nr = 0;

	if (reason == MM_REASON_CANCELLED)
		while (nr < l->nr && listeners_were_asked(l->n[nr]))
			nr++;
	else if (reason == MM_REASON_VETO)
		while (nr < l->nr && block_pfn(l->n[nr++]) != pfn)
			;
	else
		nr = l->nr;
	return nr;
}

/* Was the request cancelled before the listeners were asked about all of its blocks? */
static bool leave_otherwise(const struct request *rq, const struct verdict *v,
			    const struct mm_failure *why)
{
	const struct leaving l = leaving_of(rq);

	(void)v;
	return why->reason == MM_REASON_CANCELLED && frame_was_cancelled() &&
	       !judge_list(rq).err && nr_asked(&l, MM_REASON_CANCELLED, 0) < l.nr;
}

static void all_offline(const struct leaving *l)
{
	frame_expect_emptied();
	for (unsigned int i = 0; i < l->nr; i++)
		(void)model_start(MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE, l->n[i]);
	for (unsigned int i = 0; i < l->nr; i++) {
		blocks[l->n[i]].state = MEM_BLOCK_OFFLINE;
		fm_paint(block_pfn(l->n[i]), PAGES_PER_SECTION, FM_ABSENT);
		fm.zone[l->n[i]] = NR_ZONES;
		blocks_check_marks();
	}
	for (unsigned int i = 0; i < l->nr; i++)
		model_end(MEM_OFFLINE, l->n[i]);
}

static void forget_block(unsigned long n)
{
	blocks[n] = (struct block_model){ .state = MEM_BLOCK_ABSENT, .owner = NOBODY };
	blocks_set_plugged(n, 0);
}

static void follow_leave(const struct request *rq)
{
	const struct leaving l = leaving_of(rq);

	all_offline(&l);
	for (unsigned int i = 0; i < rq->nr && leaves_for_good(rq); i++)
		forget_block(rq->block[i]);
}

/* Bring the blocks that the request has offlined back online, in their zones. */
static void restore(const struct leaving *l)
{
	u8 zones[FM_SECTIONS];

	memcpy(zones, fm.zone, sizeof(zones));
	all_offline(l);
	for (unsigned int i = 0; i < l->nr; i++)
		try_online(l->n[i], blocks[l->n[i]].type, zones[l->n[i]]);
}

/* Follow a failure: the listeners that heard a start hear an end. */
static void fail_leave(const struct request *rq, const struct verdict *v)
{
	const struct leaving l = leaving_of(rq);
	unsigned int agreed = 0;

	if (v->reason == MM_REASON_HARTS_BUSY)
		restore(&l);
	if (v->reason == MM_REASON_HARTS_BUSY || judge_list(rq).err)
		return;
	for (unsigned int i = 0; i < nr_asked(&l, v->reason, v->pfn); i++)
		agreed += !model_start(MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE, l.n[i]);
	for (unsigned int i = 0; i < agreed; i++)
		model_end(MEM_CANCEL_OFFLINE, l.n[i]);
}

const struct request_kind offline_request = { "offline_memory_block", predict_leave,
					      make_offline,	      leave_otherwise,
					      follow_leave,	      fail_leave };
const struct request_kind leave_request = { "offline_and_remove_memory",
					    predict_leave,
					    make_leave,
					    leave_otherwise,
					    follow_leave,
					    fail_leave };

/* --- removing -------------------------------------------------------------- */

static struct verdict predict_remove(const struct request *rq)
{
	const unsigned long n = rq->block[0];
	struct verdict v = { .pfn = PFN_NONE, .steps = 1 };

	if (blocks[n].state == MEM_BLOCK_ABSENT)
		return fm_fail(MM_REASON_NOT_PRESENT, PFN_NONE);
	if (n == 0)
		return fm_fail(MM_REASON_SHARED_BLOCK, block_pfn(n));
	if (blocks[n].state != MEM_BLOCK_OFFLINE)
		return fm_fail(MM_REASON_NOT_OFFLINE, block_pfn(n));
	if (fm.inject == 1)
		fm_becomes(&v, MM_REASON_HARTS_BUSY, PFN_NONE);
	return v;
}

static int make_remove(const struct request *rq, struct mm_failure *why)
{
	return try_remove_memory(fm.mm, block_id(rq->block[0]), why);
}

static void follow_remove(const struct request *rq)
{
	forget_block(rq->block[0]);
}

const struct request_kind remove_request = { "try_remove_memory", predict_remove,
					     make_remove,	  NULL,
					     follow_remove,	  NULL };
