/* SPDX-License-Identifier: BSD-2-Clause */
/* The command "map": the meaning of each letter, and the rows. */
#include "kernel/console/shell.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "mm/memory_hotplug.h"
#include "mm/page_isolation.h"
#include "mm/pageblock.h"
#include "tests/console/answer.h"
#include "tests/console/kernel_block.h"

#define PB PAGEBLOCK_NR_PAGES

/* Return the letters between the bars of the first row. */
static const char *letters(struct ktest *test)
{
	char *start = strchr(answer, '|'), *end;

	KTEST_ASSERT_NOT_NULL(test, start);
	end = strchr(start + 1, '|');
	KTEST_ASSERT_NOT_NULL(test, end);
	*end = '\0';
	KTEST_EXPECT_EQ(test, end - start - 1, PAGEBLOCKS_PER_SECTION);
	return start + 1;
}

/* Add a block: its second half is a hole, and its pageblocks 30 and 31 are unplugged. */
static unsigned long odd_block(struct ktest *test)
{
	return kernel_blocks_add(test, 1, PAGES_PER_SECTION / 2, BIT(30) - 1);
}

static void offline_block(struct ktest *test)
{
	const unsigned long block = odd_block(test);
	const char *row;

	KTEST_ASSERT_EQ(test, command("map %lu", block), 0);
	KTEST_EXPECT_NOT_NULL(test, strstr(answer, " offline       -       |"));
	row = letters(test);
	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++)
		KTEST_EXPECT_EQ(test, row[b], b < 30 ? 'o' : b < 32 ? '_' : ' ');
}

/* Bring pageblocks into several states, and expect the letter of each state. */
static void online_block(struct ktest *test)
{
	const unsigned long block = odd_block(test), first = block * PAGES_PER_SECTION;
	const struct pfn_range isolated = { first + 9 * PB, PB };
	const char *row;

	KTEST_ASSERT_EQ(test, command("chmem -e -z Movable -b %lu", block), 0);
	KTEST_ASSERT_EQ(test, command("alloc 0 movable at 0x%lx", first + 3 * PB), 0);
	KTEST_ASSERT_EQ(test, command("alloc 0 movable at 0x%lx", first + 5 * PB + 1), 0);
	mutex_lock(&kernel_mm.hotplug_lock);
	KTEST_EXPECT_EQ(test, isolate_range(&kernel_mm, &isolated, NO_WHY), 0);
	KTEST_EXPECT_EQ(test, command("map %lu", block), 0);
	unisolate_range(&kernel_mm, &isolated);
	mutex_unlock(&kernel_mm.hotplug_lock);
	KTEST_EXPECT_NOT_NULL(test, strstr(answer, " online        Movable |"));
	row = letters(test);
	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++)
		KTEST_EXPECT_EQ(test, row[b],
				b == 0		   ? 'K'
				: b == 3 || b == 5 ? 'M'
				: b == 9	   ? 'I'
				: b < 30	   ? '.'
				: b < 32	   ? '_'
						   : ' ');
	KTEST_EXPECT_EQ(
		test,
		command("free 0x%lx; free 0x%lx", first + 3 * PB, first + 5 * PB + 1), 0);
}

static void set_kind(unsigned long pfn, enum migratetype type)
{
	struct zone *zone = &kernel_mm.zone[ZONE_NORMAL];

	spin_lock(&zone->lock);
	pageblock_set_migratetype(pfn_to_section(&kernel_mm, pfn), pageblock_index(pfn),
				  type);
	spin_unlock(&zone->lock);
}

/* A page that does not suit its pageblock's migrate type has another letter. */
static void content_and_type(struct ktest *test)
{
	static const struct {
		const char *alloc;
		enum migratetype type;
		char letter;
	} rows[] = {
		{ "unmovable", MIGRATE_UNMOVABLE, 'U' },
		{ "unmovable", MIGRATE_RECLAIMABLE, 'R' },
		{ "unmovable", MIGRATE_MOVABLE, 'u' },
		{ "movable", MIGRATE_MOVABLE, 'M' },
		{ "movable", MIGRATE_UNMOVABLE, 'm' },
		{ "movable", MIGRATE_RECLAIMABLE, 'm' },
	};
	const unsigned long block = kernel_whole_blocks(test, 1);
	const unsigned long pfn = block * PAGES_PER_SECTION + PB;

	KTEST_ASSERT_EQ(test, command("chmem -e -z Normal -b %lu", block), 0);
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		const unsigned int row = i / 2, order = i % 2 ? 9 : 0;

		/* The last frame alone, then all of them. */
		const unsigned long at = pfn + (order ? 0 : PB - 1);
		const char *kind = rows[row].alloc;

		KTEST_ASSERT_EQ(test, command("alloc %u %s at 0x%lx", order, kind, at), 0);
		set_kind(pfn, rows[row].type);
		KTEST_ASSERT_EQ(test, command("map %lu", block), 0);
		KTEST_EXPECT_NOT_NULL(test, strstr(answer, " online        Normal  |"));
		KTEST_EXPECT_EQ(test, letters(test)[1], rows[row].letter);
		KTEST_ASSERT_EQ(test, command("pin 0x%lx; map %lu", at, block), 0);
		KTEST_EXPECT_EQ(test, letters(test)[1], 'P');
		KTEST_ASSERT_EQ(test, command("unpin 0x%lx; free 0x%lx", at, at), 0);
		KTEST_ASSERT_EQ(test, command("map %lu", block), 0);
		KTEST_EXPECT_EQ(test, letters(test)[1], '.');
	}
}

/*
 * The map shows the page that is in the way of "chmem -d"; a movable page in the same
 * pageblock does not hide it.
 */
static void what_is_in_the_way(struct ktest *test)
{
	const unsigned long block = kernel_whole_blocks(test, 1);
	const unsigned long pfn = block * PAGES_PER_SECTION + 7 * PB;

	KTEST_ASSERT_EQ(test, command("chmem -e -z Normal -b %lu", block), 0);
	KTEST_ASSERT_EQ(test, command("alloc 0 movable at 0x%lx", pfn), 0);
	KTEST_ASSERT_EQ(test, command("alloc 0 at 0x%lx", pfn + 9), 0);
	set_kind(pfn, MIGRATE_MOVABLE);
	KTEST_ASSERT_EQ(test, command("map %lu", block), 0);
	KTEST_EXPECT_EQ(test, letters(test)[7], 'u');
	KTEST_ASSERT_EQ(test, command("free 0x%lx; map %lu", pfn + 9, block), 0);
	KTEST_EXPECT_EQ(test, letters(test)[7], 'M');
	KTEST_EXPECT_EQ(test, command("free 0x%lx", pfn), 0);
}

static unsigned int rows_of_answer(void)
{
	unsigned int rows = 0;

	for (const char *at = answer; (at = strstr(at, "memory")) != NULL; at++)
		rows++;
	return rows;
}

/* Both forms of a range show the blocks from the first to the last number. */
static void ranges(struct ktest *test)
{
	const unsigned long first = kernel_whole_blocks(test, 3);

	for (unsigned int nr = 1; nr <= 3; nr++) {
		KTEST_ASSERT_EQ(test, command("map %lu-%lu", first, first + nr - 1), 0);
		KTEST_EXPECT_EQ(test, rows_of_answer(), nr);
		KTEST_ASSERT_EQ(test, command("map %lu -n %lu", first, first + nr - 1), 0);
		KTEST_EXPECT_EQ(test, rows_of_answer(), nr);
	}
}

/* -c colours the map. With -n, or on any sink other than the terminal's, it is plain. */
static void colours(struct ktest *test)
{
	const unsigned long block = kernel_whole_blocks(test, 1);

	EXPECT_MENTION(test, "|\033[33mo\033[0m\033[33mo\033[0m", "map -c %lu", block);
	EXPECT_MENTION(test, "\033[32m.\033[0m free", "map -c %lu", block);
	KTEST_EXPECT_EQ(test, command("map -c -n %lu", block), 0);
	KTEST_EXPECT_NULL(test, strchr(answer, '\033'));
	KTEST_EXPECT_EQ(test, command("map %lu", block), 0);
	KTEST_EXPECT_NULL(test, strchr(answer, '\033'));
}

/* Without a number, map prints a row for each block, then the legend. */
static void all_blocks(struct ktest *test)
{
	const char *at;
	char name[24];

	KTEST_ASSERT_EQ(test, command("map"), 0);
	at = answer;
	for (unsigned long b = next_memory_block(&kernel_mm, 0); b != PFN_NONE;
	     b = next_memory_block(&kernel_mm, b + 1)) {
		snprintf(name, sizeof(name), "memory%-5lu ", b);
		KTEST_EXPECT_EQ(test, strncmp(at, name, strlen(name)), 0);
		at = strchr(at, '\n');
		KTEST_ASSERT_NOT_NULL(test, at);
		at++;
	}
	KTEST_EXPECT_STREQ(test, at,
			   "one letter = 2 MiB: _ unplugged, I isolated, K kernel, P pinned, "
			   "u unmovable among movable, R reclaimable, U unmovable, M movable, "
			   "m movable among unmovable, o offline, . free, blank hole\n");
}

#define USAGE "usage: map [-c | -n] [BLOCK | FIRST-LAST]\n"

static void wrong_words(struct ktest *test)
{
	EXPECT_ANSWER(test, -ENOENT, "map: there is no memory4095; see lsmem\n",
		      "map 4095");
	EXPECT_ANSWER(test, -ENOENT, "map: no memory block in 9-7; see lsmem\n",
		      "map 9-7");
	EXPECT_ANSWER(test, -ENOENT, "map: no memory block in 4094-4095; see lsmem\n",
		      "map 4094 4095");
	EXPECT_ANSWER(test, -EINVAL, USAGE, "map all");
	EXPECT_ANSWER(test, -EINVAL, USAGE, "map -x");
	EXPECT_ANSWER(test, -EINVAL, USAGE, "map 1-");
	EXPECT_ANSWER(test, -EINVAL, USAGE, "map 1 2 3");
	EXPECT_ANSWER(test, -EINVAL, USAGE, "map 1-2 3");
}

/*
 * If a user gives frames or an address instead of blocks, the answer says in which block
 * they lie.
 */
static void frames_instead_of_blocks(struct ktest *test)
{
	const unsigned long block = kernel_whole_blocks(test, 1);
	const unsigned long pfn = block * PAGES_PER_SECTION;
	char *want = ktest_alloc(test, 160);

	for (unsigned int shift = 0; shift <= PAGE_SHIFT; shift += PAGE_SHIFT) {
		snprintf(want, 160, "map: expected block numbers, such as 16 or 16-18; "
				    "0x%lx lies in memory%lu\n", (pfn + 7) << shift, block);
		EXPECT_ANSWER(test, -ENOENT, want, "map 0x%lx-0x%lx", (pfn + 7) << shift,
			      (pfn + 0x400) << shift);
	}
	snprintf(want, 160, "chmem: expected block numbers, such as 16 or 16-18; 0x%lx lies in "
			    "memory%lu\n", pfn, block);
	EXPECT_ANSWER(test, -ENOENT, want, "chmem -e -b 0x%lx", pfn);
}

/* On a narrow terminal, the letters are below the block's name, and no line is too long. */
static void narrow_terminal(struct ktest *test)
{
	static const struct {
		size_t columns;
		unsigned int lines; /* of the letters */
	} rows[] = { { 100, 1 }, { 99, 1 }, { 80, 1 }, { 66, 1 }, { 65, 2 }, { 40, 2 }, { 33, 4 } };
	const unsigned long block = kernel_whole_blocks(test, 1);

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sink_buffer out;
		unsigned int bars = 0;
		char line[32], *at;

		sink_buffer_init(&out, answer, sizeof(answer));
		out.sink.columns = rows[i].columns;
		snprintf(line, sizeof(line), "map %lu", block);
		KTEST_ASSERT_EQ(test, console_run_line(line, &out.sink), 0);
		KTEST_EXPECT_NOT_NULL(test, strstr(answer, "blank hole\n"));
		for (at = answer; *at; at = strchr(at, '\n') + 1) {
			KTEST_EXPECT_LE(test, (size_t)(strchr(at, '\n') - at), rows[i].columns);
			bars += strchr(at, '|') && strchr(at, '|') < strchr(at, '\n');
		}
		KTEST_EXPECT_EQ(test, bars, rows[i].lines);
	}
}

static const struct ktest_case cases[] = {
	KTEST_CASE(offline_block),
	KTEST_CASE(online_block),
	KTEST_CASE(content_and_type),
	KTEST_CASE(what_is_in_the_way),
	KTEST_CASE(ranges),
	KTEST_CASE(colours),
	KTEST_CASE(all_blocks),
	KTEST_CASE(wrong_words),
	KTEST_CASE(frames_instead_of_blocks),
	KTEST_CASE(narrow_terminal),
	{},
};

static struct ktest_suite suite = { .name = "map", .cases = cases };
KTEST_SUITE(suite);
