/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm against the model: for every layout and every request, errno, reason, frame and
 * counters are the model's, and a request that fails changes nothing. The layouts and
 * the requests are random; ktest.seed=N gives others. fuzz_buddy and fuzz_hotplug search
 * for layouts and requests that reach new branches.
 */
#include "kernel/param.h"
#include "kernel/sink.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "tests/mm/test_mm.h"
#include "tests/model/blocks.h"

#define STEP_BYTES 8 /* choices of a step, mostly fewer */

static struct ktest *running;

void check_failed(const char *file, unsigned int line, const char *cond, const char *fmt,
		  ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	(void)vscnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	KTEST_FAIL_AND_ABORT(running, "%s:%u: %s: %s", file, line, cond, text);
	panic("a case goes on");
}

struct sink *check_sink(void)
{
	return ktest_sink(running);
}

/* Make random choices for @steps steps. */
static struct choices choose(struct ktest *test, unsigned int steps)
{
	const size_t size = steps * STEP_BYTES;
	u8 *data = ktest_alloc(test, size);

	for (size_t i = 0; i < size; i++)
		data[i] = prng_below(&test->prng, 256);
	return (struct choices){ data, size };
}

static void start(struct ktest *test, struct window *w, unsigned long sections)
{
	running = test;
	mm_reserve_drop(w->mm);
	for (unsigned int hart = 0; hart < nr_harts(); hart++)
		KTEST_ASSERT_EQ(test, mm_hart_init(w->mm, hart), 0);
	fm_start(w->mm, w->base, sections, test_mm_table(test, FM_FRAMES));
}

static int free_mine(void *unused)
{
	(void)unused;
	frame_free_share(hart_rank(), nr_online_harts());
	return 0;
}

/* Free chunks on all harts: the frames stay in the harts' caches, and still count as free. */
static void free_on_all_harts(struct ktest *test)
{
	struct crew crew;

	crew_start(test, &crew, free_mine, NULL);
	(void)crew_join(test, &crew);
	frame_follow_freed();
}

/* The number of runs on the real machine: few enough for a slow host. */
#define REAL_RUNS 40

static const u8 runs[128];

static void run_desc(const u8 *run, char desc[KTEST_DESC_SIZE])
{
	snprintf(desc, KTEST_DESC_SIZE, "run %lu", (unsigned long)(run - runs));
}
KTEST_ARRAY_PARAM(run, runs, run_desc)

static const void *some_runs(const void *prev, char desc[KTEST_DESC_SIZE])
{
	const bool enough = prev == &runs[REAL_RUNS - 1] && !time_is_virtual();

	return enough ? NULL : run_gen_params(prev, desc);
}

/* Steps on frames, in memory that stays online. */
static void frames_follow_the_model(struct ktest *test)
{
	enum {
		STEPS = 120
	};
	struct window *w = window_open_raw(test, 2 * SECTION_SIZE);
	struct choices c = choose(test, STEPS);
	unsigned long free;

	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, pfn_to_phys(w->base), w->mapped), 0);
	KTEST_ASSERT_EQ(test, window_populate(w), 0);
	start(test, w, 2);
	free = fm_zone_free(ZONE_NORMAL);
	for (unsigned int i = 0; i < STEPS; i++) {
		frame_step(&c, take_below(&c, NR_ALL_STEPS));
		if (i == STEPS / 2)
			free_on_all_harts(test);
		if (i % 32 == 31)
			fm_check();
	}
	frame_give_back();
	frame_settle();
	fm_check();
	KTEST_EXPECT_EQ(test, fm_zone_free(ZONE_NORMAL), free);
}

static void contig_zones(void *unused)
{
	(void)unused;
	(void)!param_set("memory_hotplug.online_policy", "contig-zones");
	(void)!param_set("memory_hotplug.auto_movable_ratio", "301");
}

/* Run random steps: of @of steps, about @about_blocks are on blocks, the rest on frames. */
static void live(struct ktest *test, unsigned int steps, unsigned int about_blocks,
		 unsigned int of)
{
	struct window *w = window_open(test, BOOT_BYTES);
	struct choices c = choose(test, steps);

	ktest_add_action(test, contig_zones, NULL);
	start(test, w, FM_SECTIONS);
	blocks_start();
	for (unsigned int i = 0; i < steps; i++) {
		if (i < 20 || take_below(&c, of) < about_blocks)
			block_step(&c, take_below(&c, NR_BLOCK_STEPS));
		else
			frame_step(&c, take_below(&c, NR_ALL_STEPS));
		/* Any evacuation, not only that of a block, may change the reserve's frames. */
		blocks_check();
		/* A forgotten frame may leave with its block: after a lie, check each step. */
		if (i % 8 == 7 || liar.told)
			fm_check();
	}
	free_on_all_harts(test);
	blocks_give_back();
}

/* Blocks that come and go, whole and in parts. */
static void blocks_follow_the_model(struct ktest *test)
{
	live(test, 100, 3, 5);
}

/* Blocks full of frames that move, and of some that do not. */
static void evacuations_follow_the_model(struct ktest *test)
{
	live(test, 160, 1, 6);
}

/* --- the checks themselves ------------------------------------------------- */

static const struct request_kind *const kinds[] = {
	&alloc_at_request, &isolate_request, &contig_request,  &compact_request,
	&add_request,	   &online_request,  &offline_request, &leave_request,
	&remove_request,   &plug_request,    &unplug_request,  &owner_request,
};

static void kind_desc(const struct request_kind *const *kind, char desc[KTEST_DESC_SIZE])
{
	strscpy(desc, (*kind)->name, KTEST_DESC_SIZE);
}
KTEST_ARRAY_PARAM(kind, kinds, kind_desc)

static void life_with_a_lie(struct ktest *test)
{
	live(test, 120, 1, 2);
}

/*
 * Can a request of this kind show this lie? A failure of alloc_pages_at() has neither reason
 * nor frame, registering an owner never fails, and compaction changes nothing that the model
 * would have to follow.
 */
static bool can_lie(const struct request_kind *kind, enum lie lie)
{
	if (kind == &alloc_at_request || kind == &owner_request)
		return lie == LIE_END || lie == LIE_FORGET;
	return kind != &compact_request || lie != LIE_FORGET;
}

static void no_lie(void *unused)
{
	(void)unused;
	liar = (struct liar){ .lie = LIE_NONE };
}

/*
 * Repeat the inner case until the model has lied: the case must pass without the lie, and
 * fail with it.
 */
static void expect_noticed(struct ktest *test)
{
	static const struct ktest_case cases[] = { KTEST_CASE(life_with_a_lie), {} };
	static struct ktest_suite suite = { .name = "inner", .cases = cases };
	static struct ktest_suite *const suites[] = { &suite };
	char text[1000];

	for (unsigned int run = 0; run < 100 && !liar.told; run++) {
		const struct ktest_options options = { .seed = 1 + prng_below(&test->prng,
									      1U << 30) };
		enum ktest_status status;
		struct sink_buffer log;

		sink_buffer_init(&log, text, sizeof(text));
		status = ktest_run_suites(&options, suites, 1, &log.sink);
		if (status != (liar.told ? KTEST_FAIL : KTEST_PASS))
			KTEST_FAIL(test, "lie %u, told %u: %s", liar.lie, liar.told,
				   text);
	}
	KTEST_EXPECT_TRUE(test, liar.told);
}

/* The checks notice each kind of wrong prediction of each kind of request. */
static void wrong_predictions_are_noticed(struct ktest *test)
{
	const struct request_kind *const *kind = test->param_value;

	ktest_add_action(test, no_lie, NULL);
	for (enum lie lie = LIE_NONE + 1; lie < NR_LIES; lie++) {
		if (!can_lie(*kind, lie))
			continue;
		liar = (struct liar){ .kind = *kind, .lie = lie };
		expect_noticed(test);
	}
}

static const struct ktest_case model_cases[] = {
	KTEST_CASE_PARAM(frames_follow_the_model, some_runs),
	KTEST_CASE_PARAM(blocks_follow_the_model, some_runs),
	KTEST_CASE_PARAM(evacuations_follow_the_model, some_runs),
	KTEST_CASE_PARAM(wrong_predictions_are_noticed, kind_gen_params),
	{},
};
static struct ktest_suite model_suite = { .name = "model", .cases = model_cases };
KTEST_SUITE(model_suite);
