/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command "churn": fills the memory, frees a part of it at random, and fills it again,
 * on any number of harts. The chunks that it holds at its end show where the allocator
 * places frames: tools/bench then shrinks the device, or reads the counts that the
 * command prints.
 */
#include "tests/bench/bench.h"
#include "kernel/console/shell.h"
#include "kernel/hart.h"
#include "kernel/ktest_prng.h"
#include "kernel/thread.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"
#include "mm/evacuate.h"
#include "mm/vmstat.h"

#define TABLE_ORDER MAX_PAGE_ORDER
#define NR_CHUNKS   ((PAGE_SIZE << TABLE_ORDER) / sizeof(struct chunk))
#define HUGE_ROUNDS 100 /* as LLFree's authors count them */
#define HUGE_SHARE  10

/* A chunk that one worker holds: a movable page with its slot, or kernel data. */
struct chunk {
	struct page_slot slot;
	u8 order;
	bool unmovable;
};

/* The command's arguments. Shares are in percent of the chunks or of all managed frames. */
struct plan {
	unsigned int harts, seed, unmovable, order, keep, refill;
};

/* One hart's chunks. @room: the limit of @frames. @refused: see take(). */
struct worker {
	struct chunk *chunk;
	struct prng prng;
	unsigned long frames, room, chunks[2], refused;
};

static struct plan plan;
static struct worker workers[MAX_HARTS];

static unsigned long all_frames(bool free)
{
	unsigned long nr = 0;

	for (unsigned int i = 0; i < NR_ZONES; i++)
		nr += READ_ONCE(*(free ? &kernel_mm.zone[i].free : &kernel_mm.zone[i].managed));
	return nr;
}

/* Is there more free memory than the zones keep back? */
static bool memory_left(void)
{
	unsigned long kept = 0;

	for (unsigned int i = 0; i < NR_ZONES; i++)
		kept += READ_ONCE(kernel_mm.zone[i].wmark[WMARK_HIGH]);
	return all_frames(true) > kept;
}

static bool holds(const struct chunk *c)
{
	return slot_pfn(&c->slot) != PFN_NONE;
}

/*
 * Allocate a chunk. A request for kernel data that fails while memory is left counts as
 * refused. Return: false if the memory is full.
 */
static bool take(struct worker *w, struct chunk *c)
{
	int err = 0;

	c->order = prng_below(&w->prng, plan.order + 1);
	c->unmovable = prng_below(&w->prng, 100) < plan.unmovable;
	if (c->unmovable)
		c->slot.pfn = alloc_pages(&kernel_mm, GFP_KERNEL | GFP_NOWARN, c->order,
					  PGTY_KERNEL);
	else
		err = slot_alloc(&kernel_mm, &c->slot, c->order);
	if (holds(c)) {
		w->frames += 1UL << c->order;
		w->chunks[c->unmovable]++;
		return true;
	}
	w->refused += c->unmovable && memory_left();
	return err == 0 && memory_left();
}

static void give(struct worker *w, struct chunk *c)
{
	if (c->unmovable) {
		free_pages(&kernel_mm, c->slot.pfn, c->order);
		c->slot.pfn = PFN_NONE;
	} else if (slot_free(&kernel_mm, &c->slot)) {
		return; /* migration holds it */
	}
	w->frames -= 1UL << c->order;
	w->chunks[c->unmovable]--;
}

/* Return the @i-th chunk in an order that is unrelated to addresses. */
static struct chunk *scattered(const struct worker *w, unsigned long i)
{
	return &w->chunk[i * 0x9e3779b1UL % NR_CHUNKS];
}
static_assert(NR_CHUNKS && !(NR_CHUNKS & (NR_CHUNKS - 1)), "odd steps reach each chunk");

static int fill(void *arg)
{
	struct worker *w = arg;

	for (unsigned long i = 0; i < NR_CHUNKS && w->frames < w->room; i++) {
		if (!holds(&w->chunk[i]) && !take(w, &w->chunk[i]))
			break;
		cond_resched();
	}
	return 0;
}

/* Free each chunk with a probability of @percent in 100. */
static void thin_out(struct worker *w, unsigned int percent)
{
	for (unsigned long i = 0; i < NR_CHUNKS; i++) {
		struct chunk *c = scattered(w, i);

		if (holds(c) && prng_below(&w->prng, 100) < percent)
			give(w, c);
		cond_resched();
	}
}

static int thin(void *arg)
{
	thin_out(arg, 100 - plan.keep);
	return 0;
}

/* Run LLFree's measurement: in each round, free a tenth of the chunks and allocate as many. */
static int churn_on(void *arg)
{
	struct worker *w = arg;

	w->room = w->frames;
	for (unsigned int round = 0; round < HUGE_ROUNDS; round++) {
		thin_out(w, HUGE_SHARE);
		fill(w);
	}
	return 0;
}

/* Run a step on all harts at once; together they may hold @percent of the managed frames. */
static int run_step(int (*step)(void *arg), unsigned int percent)
{
	struct thread *thread[MAX_HARTS];
	int err = 0, result;

	for (unsigned int i = 0; i < plan.harts; i++) {
		workers[i].room = all_frames(false) / 100 * percent / plan.harts;
		thread[i] = thread_create_on(i, "churn", step, &workers[i]);
	}
	for (unsigned int i = 0; i < plan.harts; i++) {
		if (!thread[i] || thread_join(thread[i], WAIT_FOREVER, &result))
			result = -ENOMEM;
		err = err ? err : result;
	}
	return err;
}

static void drop(void)
{
	for (unsigned int i = 0; i < MAX_HARTS; i++) {
		struct worker *w = &workers[i];

		if (!w->chunk)
			continue;
		thin_out(w, 100);
		free_pages(&kernel_mm, phys_to_pfn(virt_to_phys(w->chunk)), TABLE_ORDER);
		memset(w, 0, sizeof(*w));
	}
}

/* Allocate a table for each hart, in boot memory as long as it has room. */
static int start(void)
{
	drop();
	for (unsigned int i = 0; i < plan.harts; i++) {
		const unsigned long pfn =
			alloc_pages(&kernel_mm, GFP_KERNEL, TABLE_ORDER, PGTY_KERNEL);

		if (pfn == PFN_NONE)
			return -ENOMEM;
		workers[i].chunk = phys_to_virt(pfn_to_phys(pfn));
		prng_init(&workers[i].prng, plan.seed * MAX_HARTS + i);
		for (unsigned long c = 0; c < NR_CHUNKS; c++)
			workers[i].chunk[c].slot.pfn = PFN_NONE;
	}
	return 0;
}

/* Return the whole free pageblocks, in 1/1000 % of those that the free frames could form. */
static u64 huge_milli(void)
{
	unsigned long nr[NR_MIGRATE_TYPES][NR_PAGE_ORDERS], huge = 0;

	if (drain_all_pages(&kernel_mm, NSEC_PER_SEC))
		return 0;
	for (unsigned int z = 0; z < NR_ZONES; z++) {
		zone_count_free(&kernel_mm.zone[z], nr);
		for (unsigned int mt = 0; mt < NR_MIGRATE_TYPES; mt++)
			huge += nr[mt][PAGEBLOCK_ORDER] + 2 * nr[mt][MAX_PAGE_ORDER];
	}
	return huge * 100000 / max(all_frames(true) / PAGEBLOCK_NR_PAGES, 1UL);
}

static int run_plan(struct sink *out)
{
	struct worker sum = {};
	int err = start();
	u64 huge;

	err = err ? err : run_step(fill, 100);
	err = err ? err : run_step(thin, 100);
	err = err ? err : plan.refill ? run_step(fill, plan.refill) : run_step(churn_on, 100);
	for (unsigned int i = 0; i < plan.harts; i++) {
		sum.frames += workers[i].frames;
		sum.refused += workers[i].refused;
		sum.chunks[0] += workers[i].chunks[0];
		sum.chunks[1] += workers[i].chunks[1];
	}
	huge = huge_milli();
	sink_printf(out, "churn: %s: holds %lu frames, %lu movable and %lu unmovable chunks; "
		    "%lu refused; %lu.%03lu %% of the free frames in whole pageblocks\n",
		    err ? "no memory" : "done", sum.frames, sum.chunks[0], sum.chunks[1],
		    sum.refused, huge / 1000, huge % 1000);
	return err;
}

static int cmd_churn(int argc, char **argv, struct sink *out)
{
	unsigned int *const number[] = { &plan.harts, &plan.seed, &plan.unmovable,
					 &plan.order, &plan.keep, &plan.refill };

	if (argc == 2 && strcmp(argv[1], "drop") == 0) {
		drop();
		return 0;
	}
	if (argc != 1 + ARRAY_SIZE(number))
		return COMMAND_USAGE;
	for (unsigned int i = 0; i < ARRAY_SIZE(number); i++)
		if (kstrtouint(argv[i + 1], 10, number[i]))
			return COMMAND_USAGE;
	if (!plan.harts || plan.harts > nr_harts() || plan.unmovable > 100 ||
	    plan.order > MAX_PAGE_ORDER || plan.keep > 100 || plan.refill > 100)
		return COMMAND_USAGE;
	return run_plan(out);
}
COMMAND(churn, "churn drop | HARTS SEED UNMOVABLE% ORDER KEEP% REFILL%",
	"for the bench: fill the memory with chunks up to ORDER, free some, refill (0%: churn on)",
	"churn 1 1 10 4 25 40", cmd_churn);
