/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A user may free, pin and unpin frames that "alloc" gave out, in any order, but no other
 * frames. A refusal prints a line; nothing panics.
 */
#include "kernel/console/shell.h"
#include "kernel/ktest.h"
#include "kernel/owner_name.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/kstrtox.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "mm/contig.h"
#include "mm/evac.h"
#include "mm/free.h"
#include "mm/page_alloc.h"

static char text[512];

static int run(const char *format, ...) __printf(1, 2);
static int run(const char *format, ...)
{
	struct sink_buffer answer;
	char line[128];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	sink_buffer_init(&answer, text, sizeof(text));
	return console_run_line(line, &answer.sink);
}

/* Run "alloc" with these words. Return: the pfn that it printed. */
static unsigned long alloc(struct ktest *test, const char *words)
{
	unsigned long pfn = PFN_NONE;
	char *end;

	KTEST_ASSERT_EQ(test, run("alloc %s", words), 0);
	KTEST_ASSERT_EQ(test, strncmp(text, "pfn ", 4), 0);
	end = strchr(text + 4, ' ');
	KTEST_ASSERT_NOT_NULL(test, end);
	*end = '\0';
	KTEST_ASSERT_EQ(test, kstrtou64(text + 4, 0, &pfn), 0);
	return pfn;
}

static void refused(struct ktest *test, const char *command, unsigned long pfn, int err,
		    const char *words)
{
	KTEST_EXPECT_EQ(test, run("%s 0x%lx", command, pfn), err);
	KTEST_EXPECT_NOT_NULL(test, strstr(text, words));
}

/* Allocate, pin, unpin and free a chunk, and also make each request at the wrong time. */
static void live(struct ktest *test, const char *words, unsigned int order)
{
	const unsigned long pfn = alloc(test, words), last = pfn + (1UL << order) - 1;

	refused(test, "unpin", pfn, -EINVAL, "is not pinned");
	KTEST_EXPECT_EQ(test, run("pin 0x%lx", last), 0);
	refused(test, "pin", pfn, -EBUSY, "is pinned already; one \"unpin\" undoes it");
	refused(test, "free", pfn, -EBUSY, "is pinned");
	KTEST_EXPECT_EQ(test, run("unpin 0x%lx", last), 0);
	refused(test, "unpin", last, -EINVAL, "is not pinned");
	if (order)
		refused(test, "free", last, -EINVAL, "belongs to a chunk");
	KTEST_EXPECT_EQ(test, run("free 0x%lx %u", pfn, (order + 1) % NR_PAGE_ORDERS), -EINVAL);
	KTEST_EXPECT_EQ(test, run("free 0x%lx %u", pfn, order), 0);
	refused(test, "free", pfn, -EPERM, "not a page that");
	refused(test, "pin", last, -EPERM, "not a page that");
}

/* The owner word of each page of a user has a name; the next greater word has none. */
static void owner_has_a_name(struct ktest *test)
{
	static const char *const words[] = { "0", "0 movable", "0 movable" };
	unsigned long pfns[ARRAY_SIZE(words)];
	struct page_state st = {};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		pfns[i] = alloc(test, words[i]);
		KTEST_ASSERT_TRUE(test, page_state_get(&kernel_mm, pfns[i], &st));
		KTEST_EXPECT_STREQ(test, owner_name(st.owner), "console");
		if (i == 0)
			KTEST_EXPECT_NULL(test, owner_name(st.owner + 1));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		KTEST_EXPECT_EQ(test, run("free 0x%lx", pfns[i]), 0);
}

static void all_orders_and_types(struct ktest *test)
{
	static const char *const types[] = { "unmovable", "movable", "reclaimable" };
	char words[32];

	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++)
		for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
			snprintf(words, sizeof(words), "%u %s", order, types[i]);
			live(test, words, order);
		}
}

/*
 * A frame of each type in the first memory block: the refusal names the type, and the
 * frame does not change.
 */
static void the_kernels_own_frames(struct ktest *test)
{
	const unsigned long first = kernel_mm.zone[ZONE_NORMAL].start_pfn;
	unsigned long seen = 0;
	struct page_state st;

	for (unsigned long pfn = first; pfn < first + PAGES_PER_SECTION; pfn++) {
		if (!page_state_get(&kernel_mm, pfn, &st) || seen & BIT(st.type))
			continue;
		seen |= BIT(st.type);
		refused(test, "pin", pfn, -EPERM, page_type_name(st.type));
		refused(test, "unpin", pfn, -EPERM, page_type_name(st.type));
		refused(test, "free", pfn, -EPERM, page_type_name(st.type));
	}
	KTEST_EXPECT_TRUE(test, seen & BIT(PGTY_BUDDY));
	refused(test, "pin", PFN_NONE, -ENXIO, "no online memory block");
	refused(test, "free", 0, -ENXIO, "no online memory block");
	KTEST_EXPECT_EQ(test, run("alloc 0 at 0"), -ENXIO);
}

static int run_line(void *line)
{
	char answer_text[64];
	struct sink_buffer answer;

	sink_buffer_init(&answer, answer_text, sizeof(answer_text));
	return console_run_line(line, &answer.sink);
}

/* Run a command at a console on @hart. Return: its status. */
static int run_on(struct ktest *test, unsigned int hart, char *line)
{
	struct thread *thread = thread_create_on(hart, "console2", run_line, line);
	int status = 1;

	KTEST_ASSERT_NOT_NULL(test, thread);
	KTEST_ASSERT_EQ(test, thread_join(thread, WAIT_FOREVER, &status), 0);
	return status;
}

/* A page that a hart has freed lies in that hart's cache; another hart can still get it. */
static void frame_in_a_harts_cache(struct ktest *test)
{
	const unsigned long pfn = alloc(test, "0 movable");
	char release[32], take[48];
	struct hart *hart;
	unsigned int last = 0;

	snprintf(release, sizeof(release), "free 0x%lx", pfn);
	snprintf(take, sizeof(take), "alloc 0 movable at 0x%lx", pfn);
	for_each_hart(hart) {
		KTEST_EXPECT_EQ(test, run_on(test, last, release), 0);
		KTEST_ASSERT_EQ(test, run_on(test, hart->id, take), 0);
		last = hart->id;
	}
	KTEST_EXPECT_EQ(test, run("%s", release), 0);
}

/* While "contig" has a range, no user at another console can pin or free a part of it. */
static void range_of_contig(struct ktest *test)
{
	const unsigned long nr = PAGEBLOCK_NR_PAGES + 3;
	const unsigned long pfn = alloc_contig_pages(&kernel_mm, nr, NULL, NO_WHY);

	KTEST_ASSERT_NE(test, pfn, PFN_NONE);
	refused(test, "pin", pfn, -EPERM, "is Kernel");
	refused(test, "free", pfn + nr - 1, -EPERM, "is Kernel");
	free_contig_range(&kernel_mm, pfn, nr);
}

/* While migration holds a page, free and pin are refused. */
static void page_of_a_mover(struct ktest *test)
{
	struct migrate_entry e = { .pfn = alloc(test, "0 movable"), .kind = PGTY_DRIVER };

	KTEST_ASSERT_EQ(test, slot_movable_ops.claim(&kernel_mm, &e), 0);
	refused(test, "free", e.pfn, -EBUSY, "is being moved");
	refused(test, "pin", e.pfn, -EBUSY, "is being moved");
	refused(test, "unpin", e.pfn, -EINVAL, "is not pinned");
	slot_movable_ops.abort(&kernel_mm, &e);
	KTEST_EXPECT_EQ(test, run("pin 0x%lx", e.pfn), 0);
	KTEST_EXPECT_EQ(test, slot_movable_ops.claim(&kernel_mm, &e), -EBUSY);
	KTEST_EXPECT_EQ(test, run("unpin 0x%lx", e.pfn), 0);
	KTEST_ASSERT_EQ(test, slot_movable_ops.claim(&kernel_mm, &e), 0);
	e.dst = alloc_pages(&kernel_mm, GFP_MOVABLE, 0, PGTY_DRIVER);
	KTEST_ASSERT_NE(test, e.dst, PFN_NONE);
	slot_movable_ops.commit(&kernel_mm, &e);
	refused(test, "pin", e.pfn, -EBUSY, "is being moved");
	KTEST_EXPECT_EQ(test, run("free 0x%lx", e.dst), 0);
	free_frozen_pages(&kernel_mm, e.pfn, 0);
}

/* --- two consoles ------------------------------------------------------------- */

#define ROUNDS 300

static unsigned long shared_pfn;
static unsigned int nr_won, nr_ready;

/* At a second console, free each page that the case frees, at the same time. */
static int other_console(void *unused)
{
	static char answer_text[256];
	struct sink_buffer answer;
	char line[64];

	(void)unused;
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		while (__atomic_load_n(&nr_ready, __ATOMIC_ACQUIRE) != round)
			yield();
		snprintf(line, sizeof(line), "free 0x%lx", shared_pfn);
		sink_buffer_init(&answer, answer_text, sizeof(answer_text));
		if (console_run_line(line, &answer.sink) == 0)
			__atomic_fetch_add(&nr_won, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&nr_ready, ROUNDS, __ATOMIC_RELEASE);
	}
	return 0;
}

/* Of two consoles that free the same page, exactly one succeeds. */
static void two_free_one_page(struct ktest *test)
{
	struct thread *other;
	unsigned int won = 0;

	nr_won = nr_ready = 0;
	other = thread_create("console2", other_console, NULL);
	KTEST_ASSERT_NOT_NULL(test, other);
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		shared_pfn = alloc(test, round % 2 ? "0 unmovable" : "1 movable");
		__atomic_store_n(&nr_ready, round, __ATOMIC_RELEASE);
		won += run("free 0x%lx", shared_pfn) == 0;
		while (__atomic_load_n(&nr_ready, __ATOMIC_ACQUIRE) != round + ROUNDS)
			yield();
	}
	KTEST_ASSERT_EQ(test, thread_join(other, WAIT_FOREVER, NULL), 0);
	KTEST_EXPECT_EQ(test, won + nr_won, ROUNDS);
}

static const struct ktest_case cases[] = {
	KTEST_CASE(all_orders_and_types),
	KTEST_CASE(owner_has_a_name),
	KTEST_CASE(the_kernels_own_frames),
	KTEST_CASE(frame_in_a_harts_cache),
	KTEST_CASE(range_of_contig),
	KTEST_CASE(page_of_a_mover),
	KTEST_CASE(two_free_one_page),
	{},
};

static struct ktest_suite suite = { .name = "person_page", .cases = cases };
KTEST_SUITE(suite);
