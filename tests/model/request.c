/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests predicted, made and followed: see the header. Also checks of the movable pages,
 * and of the failures that the layout alone does not explain.
 */
#include "tests/model/request.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "tests/model/chunks.h"

struct liar liar;

/* --- limits of a request --------------------------------------------------- */

static bool copies_may_fail;
static unsigned int asked_for, asks_left;

/* Answer yes from the chosen question on. */
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

/* --- pages that have moved ------------------------------------------------- */

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
		CHECK(fm_all(chunk->pfn, 1UL << chunk->order, FM_FREE), "moved to %#lx, not free",
		      chunk->pfn);
		CHECK(!all_emptied || !fm.target[fm_pageblock(chunk->pfn)],
		      "%#lx: moved within the range", chunk->pfn);
		CHECK(!any_isolated(chunk->pfn, 1UL << chunk->order),
		      "moved into an isolated pageblock");
		CHECK(*content(chunk->pfn) == chunk->slot, "%#lx: other content", chunk->pfn);
		fm_paint(chunk->pfn, 1UL << chunk->order, FM_SLOT);
		used[fm.zone[fm_section(chunk->pfn)]] = true;
	}
	for (unsigned int z = 0; z < NR_ZONES && all_emptied; z++)
		CHECK(!used[z] || fm_zone_free(z) >= fm.mm->zone[z].wmark[WMARK_MIN],
		      "moved into zone %u, where %lu are free", z, fm_zone_free(z));
}

/*
 * Mark the pageblocks that the request empties; if it failed late, up to the end of the
 * zone in which it failed.
 */
static void set_target(const struct request *rq, const struct verdict *v, bool late,
		       const struct mm_failure *why)
{
	const unsigned long start = rq->range.start_pfn;
	unsigned long end = start + rq->range.nr_pages;

	fm_clear_target();
	for (unsigned int i = 0; i < rq->nr && v->moves; i++)
		if (fm.zone[rq->block[i]] != NR_ZONES)
			fm_add_target(fm.base + rq->block[i] * PAGES_PER_SECTION,
				      PAGES_PER_SECTION);
	end = late && why->pfn < end ? fm_run_end(why->pfn, end) : min(end, v->moves);
	if (end > start)
		fm_add_target(start, end - start);
}

/* Is everything that the request empties isolated before the first page moves? */
static bool in_one_go(const struct request *rq)
{
	const unsigned long end = rq->range.start_pfn + rq->range.nr_pages;

	return rq->nr || fm_run_end(rq->range.start_pfn, end) == end;
}

/* --- failures that do not depend on the layout ----------------------------- */

/* May the moves of pages fail like this, before the request ends as the verdict says? */
static bool is_late(const struct verdict *v, const struct mm_failure *why)
{
	return (why->reason == MM_REASON_NO_TARGET ||
		why->reason == MM_REASON_CLAIM_LOST ||
		why->reason == MM_REASON_CANCELLED ||
		why->reason == MM_REASON_COPY_FAILED) &&
	       (why->pfn == PFN_NONE ? v->moves != 0 : why->pfn < v->moves);
}

/* Check that a failure that the model did not predict has a cause. */
static void expect_cause(const struct request *rq, const struct mm_failure *why)
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
		CHECK(why->retries == rq->policy.limits.retries, "%u retries, of %u",
		      why->retries, rq->policy.limits.retries);
		return;
	}
	CHECK(why->reason == MM_REASON_NO_TARGET && chunks[i].kind == FM_SLOT,
	      "%s, pfn %#lx", mm_reason_name(why->reason), why->pfn);
	CHECK(!fm_can_alloc(GFP_MOVABLE, chunks[i].order), "order %u: there is one",
	      chunks[i].order);
}

/* --- what each request leaves as it is ------------------------------------- */

static u8 migratetypes[FM_PAGEBLOCKS];

/* Call @fn for each pageblock of the request's range that is online. */
static void for_range(const struct request *rq,
		      void (*fn)(unsigned long b, unsigned int mt))
{
	for (unsigned long pfn = ALIGN_DOWN(rq->range.start_pfn, PAGEBLOCK_NR_PAGES);
	     pfn < range_end(&rq->range); pfn += PAGEBLOCK_NR_PAGES)
		if (fm.zone[fm_section(pfn)] != NR_ZONES)
			fn(fm_pageblock(pfn), pb_mt(pfn_pageblock(fm.mm, pfn)->word));
}

static void note_migratetype(unsigned long b, unsigned int mt)
{
	migratetypes[b] = mt;
}

static void check_migratetype(unsigned long b, unsigned int mt)
{
	CHECK(mt == migratetypes[b], "pageblock %lu became %s, was %s", b,
	      migratetype_name(mt), migratetype_name(migratetypes[b]));
}

/* --- one request ----------------------------------------------------------- */

static bool lies(const struct request *rq, enum lie lie)
{
	const bool changes_nothing = !rq->nr && !rq->range.nr_pages;

	if (liar.lie != lie || liar.kind != rq->kind || liar.told ||
	    (lie == LIE_FORGET && changes_nothing))
		return false;
	liar.told = true;
	return true;
}

struct verdict predict(const struct request *rq)
{
	struct verdict v = rq->kind->predict(rq);

	if (!v.err && lies(rq, LIE_END))
		v = fm_fail(MM_REASON_NO_RANGE, PFN_NONE);
	else if (v.err && v.reason && lies(rq, LIE_REASON))
		v.reason = v.reason == MM_REASON_NO_RANGE ? MM_REASON_HOLE
							  : MM_REASON_NO_RANGE;
	else if (v.err && v.pfn != PFN_NONE && lies(rq, LIE_PFN))
		v.pfn++;
	return v;
}

/* Must a failure for this reason name the frame that is in the way? */
static bool names_a_frame(enum mm_reason reason)
{
	return reason == MM_REASON_UNMOVABLE || reason == MM_REASON_PINNED ||
	       reason == MM_REASON_METADATA || reason == MM_REASON_NOT_SKIPPABLE ||
	       reason == MM_REASON_SKIPPABLE_TAKEN;
}

static void expect(const char *what, int ret, const struct mm_failure *why,
		   const struct verdict *v)
{
	struct page_state st;

	CHECK(ret == v->err, "%s: %d, model %d (%s, pfn %#lx)", what, ret, v->err,
	      mm_reason_name(v->reason), v->pfn);
	if (!ret)
		return;
	CHECK(why->reason == v->reason && why->pfn == v->pfn,
	      "%s: %s, pfn %#lx; model: %s, pfn %#lx", what, mm_reason_name(why->reason),
	      why->pfn, mm_reason_name(v->reason), v->pfn);
	CHECK(v->reason != MM_REASON_VETO || strcmp(why->detail, "refuser") == 0,
	      "%s: refused by %s", what, why->detail);
	CHECK(!names_a_frame(v->reason) || !page_state_get(fm.mm, v->pfn, &st) ||
		      (why->type == st.type && why->owner == st.owner),
	      "%s: pfn %#lx is %s, not %s, owner %#lx", what, v->pfn,
	      page_type_name(st.type), page_type_name(why->type),
	      (unsigned long)why->owner);
	CHECK(v->moves || !(why->migrated | why->retries), "%s: moved %lu in vain", what,
	      (unsigned long)why->migrated);
}

int request_make(const struct request *rq)
{
	const struct request_kind *kind = rq->kind;
	struct mm_failure why = { .pfn = PFN_NONE };
	const bool told = liar.told;
	struct verdict v = predict(rq);
	bool late;
	int ret;

	for_range(rq, note_migratetype);
	ret = kind->make(rq, &why);
	for_range(rq, check_migratetype);
	late = ret && is_late(&v, &why);
	set_target(rq, &v, late, &why);
	frame_follow_slots(!ret || in_one_go(rq));
	if (late)
		expect_cause(rq, &why);
	if (late || (ret && kind->otherwise && kind->otherwise(rq, &v, &why))) {
		v = (struct verdict){ mm_reason_errno(why.reason), why.reason, why.pfn,
				      .moves = v.moves };
		liar.told = told; /* the prediction was not used, so no lie was told */
	}
	expect(kind->name, ret, &why, &v);
	fm_use_steps(v.steps);
	if (!ret && !lies(rq, LIE_FORGET))
		kind->follow(rq);
	else if (ret && kind->fail)
		kind->fail(rq, &v);
	return ret;
}
