/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random layouts against a model that sees the layout alone, a byte per frame: offline
 * of a memory block, contig and compaction succeed exactly when the model says so, give
 * the reason and name the frame that it names, and have moved nothing where it is final.
 *
 * The model asks nothing of mm/ but where the movable pages are by now (their slots)
 * and the watermarks. Other layouts: ktest.seed=N; each line "layout N" has its own.
 */
#include "kernel/sink.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/evacuate/evac_layout.h"

#define NR_REQUESTS 10U

enum request { CONTIG, OFFLINE, COMPACTION, NR_REQUEST_KINDS };

static const char *const request_names[] = { "contig", "offline", "compaction" };

struct verdict {
	enum mm_reason reason;
	unsigned long pfn;
};

static unsigned long verdicts[NR_REQUEST_KINDS][NR_MM_REASONS];

/* --- the model ---------------------------------------------------------------------- */

/* Where movable pages are now is asked of their slots; all else is as it was laid out. */
static void repaint_slots(struct model *m)
{
	for (unsigned long i = 0; i < NR_FRAMES; i++)
		if (m->what[i] == MOVABLE || m->what[i] == HELD)
			m->what[i] = FREE;
	for (unsigned int i = 0; i < m->nr_slots; i++)
		paint(m, slot_pfn(&m->slot[i]) - m->w->base, 1UL << m->order[i],
		      m->kind[i]);
}

/* Frames for pages of order 0 that must leave [start, end): outside of its pageblocks. */
static unsigned long room(const struct model *m, unsigned long start, unsigned long end)
{
	unsigned long free[NR_ZONES] = { 0 }, sum = 0;

	start = ALIGN_DOWN(start, PB);
	end = ALIGN_UP(end, PB);
	for (unsigned long i = 0; i < NR_FRAMES; i++)
		if (m->what[i] == FREE && m->online[i / PAGES_PER_SECTION] &&
		    (i < start || i >= end))
			free[m->zone[i / PAGES_PER_SECTION]]++;
	for (unsigned int z = 0; z < NR_ZONES; z++)
		sum += free[z] - min(free[z], m->w->mm->zone[z].wmark[WMARK_MIN]);
	return sum;
}

static enum mm_reason reason_for(enum what what, enum request request)
{
	switch (what) {
	case PINNED:
		return MM_REASON_PINNED;
	case HOLE:
		return request == OFFLINE ? MM_REASON_NONE : MM_REASON_HOLE;
	case TAKEN:
		return request == OFFLINE ? MM_REASON_NOT_SKIPPABLE
					  : MM_REASON_SKIPPABLE_TAKEN;
	case SKIPPABLE:
		return request == OFFLINE ? MM_REASON_NONE : MM_REASON_SKIPPABLE_TAKEN;
	case MEMMAP:
		return request == OFFLINE ? MM_REASON_NONE : MM_REASON_UNMOVABLE;
	case FIXED:
		return MM_REASON_UNMOVABLE;
	default:
		return MM_REASON_NONE;
	}
}

/* The chunk of a movable page that frame @i belongs to. */
static unsigned long chunk_of(const struct model *m, unsigned long i, unsigned long *end)
{
	for (unsigned int s = 0; s < m->nr_slots; s++) {
		const unsigned long head = slot_pfn(&m->slot[s]) - m->w->base;

		if (i >= head && i < head + (1UL << m->order[s])) {
			*end = head + (1UL << m->order[s]);
			return head;
		}
	}
	panic("evac_model: frame %#lx is movable, and no slot's", i);
}

/* What can be moved: the last page that could not be is named, once it was tried. */
static struct verdict model_moves(const struct model *m, unsigned long start,
				  unsigned long end)
{
	unsigned long left = m->scarce ? room(m, start, end) : ~0UL, next;
	struct verdict v = { MM_REASON_NONE, PFN_NONE };

	for (unsigned long i = start; i < end; i = next) {
		unsigned long head;

		next = i + 1;
		if (m->what[i] != MOVABLE && m->what[i] != HELD)
			continue;
		head = chunk_of(m, i, &next);
		if (m->what[i] == HELD)
			v = (struct verdict){ MM_REASON_CLAIM_LOST, head };
		else if (left == 0)
			v = (struct verdict){ MM_REASON_NO_TARGET, head };
		else
			left--;
	}
	return v;
}

static struct verdict model_verdict(const struct model *m, enum request request,
				    unsigned long start, unsigned long end)
{
	for (unsigned long i = start; i < end; i = (i | (PAGES_PER_SECTION - 1)) + 1) {
		const unsigned long n = i / PAGES_PER_SECTION;

		if (!m->online[n])
			return (struct verdict){ MM_REASON_NOT_PRESENT, i };
		if (m->zone[n] != m->zone[start / PAGES_PER_SECTION])
			return (struct verdict){ MM_REASON_ZONE_MIX, i };
	}
	for (unsigned long i = start; i < end && request != COMPACTION; i++)
		if (reason_for(m->what[i], request) != MM_REASON_NONE)
			return (struct verdict){ reason_for(m->what[i], request), i };
	if (request == COMPACTION)
		return (struct verdict){ MM_REASON_NONE, PFN_NONE };
	return model_moves(m, start, end);
}

/* --- requests ----------------------------------------------------------------------- */

/* A range that a request is about; a whole block for offline, mostly one that is online. */
static void some_range(struct model *m, enum request request, unsigned long *start,
		       unsigned long *end)
{
	static const unsigned long most[] = { 8, 600, 5000, 20000,
					      2 * PAGES_PER_SECTION };
	unsigned long nr = 1 + below(m, most[below(m, ARRAY_SIZE(most))]);

	*start = somewhere(m);
	if (request == OFFLINE || !below(m, 4)) {
		*start = ALIGN_DOWN(*start, PAGES_PER_SECTION);
		nr = PAGES_PER_SECTION;
	}
	if (request != OFFLINE && !below(m, 3)) {
		/* At pages that are to move. */
		*start = m->nr_slots
				 ? slot_pfn(&m->slot[below(m, m->nr_slots)]) - m->w->base
				 : *start;
		*start += below(m, 4);
		*start = max(*start - min(*start, 2UL), PAGES_PER_SECTION);
	}
	*end = min(*start + nr, NR_FRAMES);
}

static int make_request(struct model *m, enum request request, unsigned long start,
			unsigned long end, struct mm_failure *why)
{
	const bool alloc = request == CONTIG;
	struct evacuate_policy p =
		test_policy(alloc ? EVAC_END_ALLOC : EVAC_END_FREE, PGTY_KERNEL);
	const struct pfn_range r = { m->w->base + start, end - start };

	if (request == OFFLINE)
		return offline_memory_block(
			m->w->mm, m->w->block + start / PAGES_PER_SECTION, NULL, why);
	p.flags = alloc ? 0 : EVAC_BEST_EFFORT;
	return evacuate(m->w->mm, &r, 1, &p, why);
}

/* A request that worked: the frames are what they should be, and go back. */
static void put_back(struct model *m, enum request request, unsigned long start,
		     unsigned long end)
{
	const unsigned long n = start / PAGES_PER_SECTION;
	const bool all = !m->scarce || room(m, start, end) >= NR_SLOTS;

	repaint_slots(m);
	if (request != COMPACTION || all)
		for (unsigned long i = start; i < end; i++)
			KTEST_ASSERT_NE(m->test, m->what[i], MOVABLE);
	if (request == CONTIG) {
		for (unsigned long i = start; i < end; i += 1 + (end - start) / 100)
			KTEST_ASSERT_EQ(m->test, page_type(m->w->mm, m->w->base + i),
					PGTY_KERNEL);
		free_contig_range(m->w->mm, m->w->base + start, end - start);
	}
	if (request == OFFLINE) {
		KTEST_ASSERT_EQ(m->test, window_state(m->w, n), MEM_BLOCK_OFFLINE);
		m->online[n] = false;
		go_online(m, n);
	}
}

static void try_request(struct model *m, enum request request, unsigned long start,
			unsigned long end)
{
	struct mm_failure why = { .pfn = PFN_NONE };
	struct verdict v;
	int err;

	v = model_verdict(m, request, start, end);
	err = make_request(m, request, start, end, &why);
	verdicts[request][v.reason]++;
	if (why.reason != v.reason ||
	    why.pfn != (v.reason ? m->w->base + v.pfn : why.pfn))
		ktest_info(m->test,
			   "%s of frames %#lx-%#lx, window at pfn %#lx, %u harts",
			   request_names[request], start, end, m->w->base, nr_harts());
	KTEST_ASSERT_EQ(m->test, why.reason, v.reason);
	KTEST_ASSERT_EQ(m->test, err, v.reason ? mm_reason_errno(v.reason) : 0);
	if (err == 0) {
		put_back(m, request, start, end);
		return;
	}
	KTEST_ASSERT_EQ(m->test, why.pfn, m->w->base + v.pfn);
	if (v.reason != MM_REASON_CLAIM_LOST && v.reason != MM_REASON_NO_TARGET)
		KTEST_ASSERT_EQ(m->test, why.migrated, 0);
	repaint_slots(m);
}

/* --- scarce targets ------------------------------------------------------------------ */

/* All free frames outside of [start, end), and about as many back as must leave it. */
static void use_up(struct model *m, unsigned long start, unsigned long end)
{
	struct mm *mm = m->w->mm;
	const u32 gfp = GFP_MOVABLE | GFP_ATOMIC | GFP_NOWARN;
	const struct pfn_range target = { m->w->base + start, end - start };
	unsigned long *pfns = test_mm_table(m->test, NR_FRAMES * sizeof(*pfns));
	unsigned long nr = 0, got, left = 0, moving = 0;

	KTEST_ASSERT_EQ(m->test, isolate_range(mm, &target, NO_WHY), 0);
	KTEST_ASSERT_EQ(m->test, drain_all_pages(mm, STEP_NS), 0);
	do {
		got = alloc_pages_bulk(mm, gfp, PGTY_SLAB, NR_FRAMES - nr, pfns + nr);
		nr += got;
	} while (got);
	unisolate_range(mm, &target);
	for (unsigned long i = 0; i < nr; i++)
		paint(m, pfns[i] - m->w->base, 1, FIXED);
	for (unsigned long i = start; i < end; i++)
		moving += m->what[i] == MOVABLE;
	for (unsigned int z = 0; z < NR_ZONES; z++)
		left += mm->zone[z].wmark[WMARK_MIN];
	for (left = min(left + below(m, 2 * moving + 10), nr); left > 0; left--) {
		const unsigned long i = below(m, nr), pfn = pfns[i];

		pfns[i] = pfns[--nr];
		free_pages(mm, pfn, 0);
		paint(m, pfn - m->w->base, 1, FREE);
	}
}

/* Pageblocks of one block, or all of it, full of movable pages, with few that are held. */
static void scarce_target(struct model *m, unsigned long *start, unsigned long *end)
{
	const unsigned int first = below(m, 3) ? below(m, PAGEBLOCKS_PER_SECTION) : 0;
	const unsigned int nr = first ? 1 + below(m, PAGEBLOCKS_PER_SECTION - first)
				      : PAGEBLOCKS_PER_SECTION;
	const unsigned int moving =
		below(m, 2) ? NR_SLOTS : 60; /* of so many one is held */

	*start = PAGES_PER_SECTION + first * PB;
	*end = *start + nr * PB;
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		put_slot(m, *start + below(m, nr * PB),
			 below(m, moving) ? MOVABLE : HELD);
}

/* --- cases --------------------------------------------------------------------------- */

static struct model model;
static u8 layouts[48];

static void describe_layout(const u8 *layout, char desc[KTEST_DESC_SIZE])
{
	struct sink_buffer buffer;

	sink_buffer_init(&buffer, desc, KTEST_DESC_SIZE);
	sink_printf(&buffer.sink, "layout %lu", layout - layouts);
}

KTEST_ARRAY_PARAM(layout, layouts, describe_layout)

static struct model *open_model(struct ktest *test, bool scarce)
{
	struct model *m = &model;

	*m = (struct model){ .test = test,
			     .w = window_open(test, SECTION_SIZE),
			     .owner = true,
			     .scarce = scarce };
	m->what = test_mm_table(test, NR_FRAMES);
	memset(m->what, FREE, NR_FRAMES);
	paint(m, 0, PAGES_PER_SECTION, FIXED);
	m->online[0] = true;
	for (unsigned int hart = 0; hart < nr_harts(); hart++)
		KTEST_ASSERT_EQ(test, mm_hart_init(m->w->mm, hart), 0);
	add_blocks(m);
	return m;
}

static void print_verdicts(struct ktest *test)
{
	for (unsigned int k = 0; k < NR_REQUEST_KINDS; k++)
		for (unsigned int r = 0; r < NR_MM_REASONS; r++)
			if (verdicts[k][r])
				ktest_info(test, "%s: %lu %s", request_names[k],
					   verdicts[k][r], mm_reason_name(r));
}

static void close_model(struct model *m)
{
	window_check(m->test, m->w);
	if (m->test->param_value == &layouts[ARRAY_SIZE(layouts) - 1])
		print_verdicts(m->test);
}

static void the_layout_decides(struct ktest *test)
{
	struct model *m = open_model(test, false);

	lay_out(m);
	free_on_all_harts(m);
	if (!below(m, 5))
		owner_leaves(m);
	for (unsigned int i = 0; i < NR_REQUESTS; i++) {
		const enum request request = below(m, NR_REQUEST_KINDS);
		unsigned long start, end;

		some_range(m, request, &start, &end);
		if (request != OFFLINE || m->online[start / PAGES_PER_SECTION])
			try_request(m, request, start, end);
	}
	close_model(m);
}

static void so_does_the_room_outside(struct ktest *test)
{
	struct model *m = open_model(test, true);
	unsigned long start, end;

	scarce_target(m, &start, &end);
	use_up(m, start, end);
	for (unsigned int i = 0; i < 3; i++) {
		if (end - start == PAGES_PER_SECTION && below(m, 2))
			try_request(m, OFFLINE, start, end);
		else
			try_request(m, below(m, 4) ? CONTIG : COMPACTION,
				    start + below(m, PB), end - below(m, PB - 1));
	}
	close_model(m);
}

static const struct ktest_case model_cases[] = {
	KTEST_CASE_PARAM(the_layout_decides, layout_gen_params),
	KTEST_CASE_PARAM(so_does_the_room_outside, layout_gen_params),
	{}
};
static struct ktest_suite model_suite = { .name = "evac_model", .cases = model_cases };
KTEST_SUITE(model_suite);
