/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of /sys/devices/system/memory, and chmem: the effect of each word, and the
 * words that are refused.
 */
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "tests/console/answer.h"
#include "tests/console/kernel_block.h"

#define ONLINE_WORDS "expected one of: offline online online_kernel online_movable\n"

static void expect_file(struct ktest *test, unsigned long block, const char *name,
			const char *content)
{
	EXPECT_ANSWER(test, 0, content, "cat " SYS_MEMORY "/memory%lu/%s", block, name);
}

/* Write each word to "state" of an offline block; the files show the block's new state. */
static void state(struct ktest *test)
{
	static const struct {
		const char *word, *zone;
	} rows[] = {
		{ "online_kernel", "Normal\n" },
		{ "online_movable", "Movable\n" },
	};
	const unsigned long block = kernel_whole_blocks(test, 1);

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		expect_file(test, block, "state", "offline\n");
		expect_file(test, block, "online", "0\n");
		EXPECT_ANSWER(test, 0, "", "echo %s > " SYS_MEMORY "/memory%lu/state",
			      rows[i].word, block);
		expect_file(test, block, "state", "online\n");
		expect_file(test, block, "online", "1\n");
		expect_file(test, block, "valid_zones", rows[i].zone);
		EXPECT_ANSWER(test, 0, "",
			      "echo offline > " SYS_MEMORY "/memory%lu/state", block);
	}
	EXPECT_ANSWER(test, 0, "", "echo online > " SYS_MEMORY "/memory%lu/state", block);
	expect_file(test, block, "online", "1\n");
	expect_file(test, block, "removable", "1\n");
}

static void online(struct ktest *test)
{
	const unsigned long block = kernel_whole_blocks(test, 1);

	EXPECT_ANSWER(test, 0, "", "echo 1 > " SYS_MEMORY "/memory%lu/online", block);
	expect_file(test, block, "state", "online\n");
	EXPECT_ANSWER(test, 0, "", "echo 0 > " SYS_MEMORY "/memory%lu/online", block);
	expect_file(test, block, "state", "offline\n");
	EXPECT_ANSWER(test, -EINVAL, "\"2\": expected 0 or 1\n",
		      "echo 2 > " SYS_MEMORY "/memory%lu/online", block);
	EXPECT_ANSWER(test, -EINVAL, "\"10\": expected 0 or 1\n",
		      "echo 10 > " SYS_MEMORY "/memory%lu/online", block);
	expect_file(test, block, "state", "offline\n");
}

/* A wrong word, or the word for the block's current state, changes nothing. */
static void refused_words(struct ktest *test)
{
	const unsigned long block = kernel_whole_blocks(test, 1);

	EXPECT_ANSWER(test, -EINVAL, "\"Online\": " ONLINE_WORDS,
		      "echo Online > " SYS_MEMORY "/memory%lu/state", block);
	EXPECT_ANSWER(test, -EINVAL, "\"1\": " ONLINE_WORDS,
		      "echo 1 > " SYS_MEMORY "/memory%lu/state", block);
	KTEST_EXPECT_EQ(test,
			command("echo offline > " SYS_MEMORY "/memory%lu/state", block),
			-EINVAL);
	KTEST_EXPECT_NOT_NULL(test, strstr(answer, ": offline failed: "));
	KTEST_EXPECT_EQ(test, command("echo 0 > " SYS_MEMORY "/memory%lu/online", block),
			-EINVAL);
	KTEST_EXPECT_EQ(test, command("echo online > " SYS_MEMORY "/memory4095/state"),
			-ENOENT);
	expect_file(test, block, "state", "offline\n");
}

/* The word written decides the state of new blocks; a wrong word changes nothing. */
static void auto_online_blocks(struct ktest *test)
{
	static const char *const words[] = { "offline", "online", "online_kernel",
					     "online_movable" };
	char *line = ktest_alloc(test, 64);

	(void)kernel_whole_blocks(test, 1); /* restores the file when the case ends */
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		EXPECT_ANSWER(test, 0, "", "echo %s > " SYS_MEMORY "/auto_online_blocks",
			      words[i]);
		KTEST_EXPECT_EQ(test, kernel_mm.default_online_type, i);
		EXPECT_ANSWER(test, -EINVAL, "\"on\": " ONLINE_WORDS,
			      "echo on > " SYS_MEMORY "/auto_online_blocks");
		snprintf(line, 64, "%s\n", words[i]);
		EXPECT_ANSWER(test, 0, line, "cat " SYS_MEMORY "/auto_online_blocks");
	}
}

static unsigned long nr_blocks(enum memory_block_state state)
{
	unsigned long nr = 0;

	for (unsigned long b = next_memory_block(&kernel_mm, 0); b != PFN_NONE;
	     b = next_memory_block(&kernel_mm, b + 1))
		nr += memory_block_state(&kernel_mm, b) == state;
	return nr;
}

/* chmem SIZE chooses the blocks; if too few are left, it says how many it changed. */
static void chmem_by_size(struct ktest *test)
{
	const unsigned long block = kernel_whole_blocks(test, 3);
	const unsigned long offline = nr_blocks(MEM_BLOCK_OFFLINE);
	const unsigned long online = nr_blocks(MEM_BLOCK_ONLINE);
	char *want = ktest_alloc(test, 128);

	EXPECT_ANSWER(test, 0, "", "chmem -e %luM", (offline - 1) * 128);
	KTEST_EXPECT_EQ(test, nr_blocks(MEM_BLOCK_OFFLINE), 1);
	snprintf(want, 128, "chmem: 1 of 2 blocks changed: no other block is offline\n");
	EXPECT_ANSWER(test, -EBUSY, want, "chmem -e 256M");
	KTEST_EXPECT_EQ(test, nr_blocks(MEM_BLOCK_ONLINE), online + offline);
	EXPECT_ANSWER(test, 0, "", "chmem -d 256M");
	KTEST_EXPECT_EQ(test, nr_blocks(MEM_BLOCK_ONLINE), online + offline - 2);
	EXPECT_ANSWER(test, 0, "", "chmem -e 256M; chmem -d -b %lu-%lu", block,
		      block + 2);
	KTEST_EXPECT_EQ(test, nr_blocks(MEM_BLOCK_OFFLINE), 3);
	EXPECT_ANSWER(test, -EINVAL,
		      "chmem: 100M: not a multiple of the block size, 128M\n",
		      "chmem -e 100M");
	EXPECT_ANSWER(test, -EINVAL, "chmem: 0: no block to change\n",
		      "chmem -d 0");
}

/*
 * If a block already has the requested state, or is online in another zone, a line says
 * so.
 */
static void chmem_with_nothing_to_do(struct ktest *test)
{
	const unsigned long b = kernel_whole_blocks(test, 2);
	char *want = ktest_alloc(test, 128);

	snprintf(want, 128, "chmem: nothing to do: no block in %lu-%lu is online\n", b, b + 1);
	EXPECT_ANSWER(test, 0, want, "chmem -d -b %lu-%lu", b, b + 1);
	EXPECT_ANSWER(test, 0, "", "chmem -e -z Normal -b %lu-%lu", b, b + 1);
	snprintf(want, 128, "chmem: nothing to do: memory%lu is online\n", b);
	EXPECT_ANSWER(test, 0, want, "chmem -e -b %lu", b);
	EXPECT_ANSWER(test, 0, want, "chmem -e -z normal -b %lu", b);
	snprintf(want, 128,
		 "chmem: memory%lu is online in zone Normal; take it offline first: "
		 "chmem -d -b %lu\n", b, b);
	EXPECT_ANSWER(test, -EBUSY, want, "chmem -e -z movable -b %lu", b);
	KTEST_EXPECT_EQ(test, memory_block_state(&kernel_mm, b), MEM_BLOCK_ONLINE);
	EXPECT_ANSWER(test, 0, "", "chmem -d -b %lu; chmem -e -z movable -b %lu", b, b);
}

/* Return the size after @name, in tenths of MiB; *@digit is the value of its last digit. */
static u64 size_after(struct ktest *test, const char *name, u64 *digit)
{
	const char *at = strstr(answer, name);
	u64 tenths = 0;

	KTEST_ASSERT_NOT_NULL(test, at);
	for (at += strlen(name); *at == ' '; at++)
		;
	for (; *at >= '0' && *at <= '9'; at++)
		tenths = tenths * 10 + 10 * (*at - '0');
	if (*at == '.') {
		tenths += at[1] - '0';
		at += 2;
	}
	*digit = *at == 'G' ? 1024 : 1;
	return tenths * *digit;
}

/* lsmem's last line leaves out holes and unplugged memory; the lines above count blocks. */
static void lsmem_counts_what_is_there(struct ktest *test)
{
	u64 digit, before, block;

	KTEST_ASSERT_EQ(test, command("lsmem"), 0);
	before = size_after(test, "\nPresent memory:", &digit);
	/* Half of the block is a hole; of the rest, 30 of 32 pageblocks are plugged. */
	block = kernel_blocks_add(test, 1, PAGES_PER_SECTION / 2, BIT(30) - 1);
	for (unsigned int i = 0; i < 2; i++) {
		KTEST_ASSERT_EQ(test, command("lsmem"), 0);
		KTEST_EXPECT_LE(test, size_after(test, "\nPresent memory:", &digit),
				before + 600 + digit);
		KTEST_EXPECT_GE(test, size_after(test, "\nPresent memory:", &digit) + digit,
				before + 600);
		KTEST_ASSERT_EQ(test, command("chmem -e -b %lu; lsmem", (unsigned long)block), 0);
	}
}

/* chmem -d SIZE goes from the top; for a block that stays it takes the next lower block. */
static void chmem_leaves_out_what_stays(struct ktest *test)
{
	const unsigned long first = kernel_whole_blocks(test, 2);
	unsigned long top = first, online, pfn;

	EXPECT_ANSWER(test, 0, "", "chmem -e -b %lu-%lu", first, first + 1);
	for (unsigned long b = first; b != PFN_NONE; b = next_memory_block(&kernel_mm, b + 1))
		if (memory_block_state(&kernel_mm, b) == MEM_BLOCK_ONLINE)
			top = b;
	pfn = top * PAGES_PER_SECTION + PAGES_PER_SECTION / 2;
	online = nr_blocks(MEM_BLOCK_ONLINE);
	KTEST_ASSERT_EQ(test, command("alloc 0 unmovable at 0x%lx", pfn), 0);
	KTEST_EXPECT_EQ(test, command("chmem -d 128M"), 0);
	KTEST_EXPECT_EQ(test, nr_blocks(MEM_BLOCK_ONLINE), online - 1);
	KTEST_EXPECT_EQ(test, memory_block_state(&kernel_mm, top), MEM_BLOCK_ONLINE);
	EXPECT_ANSWER(test, 0, "", "free 0x%lx; chmem -e 128M", pfn);
}

static const struct ktest_case cases[] = {
	KTEST_CASE(state),	   KTEST_CASE(online),
	KTEST_CASE(refused_words), KTEST_CASE(auto_online_blocks),
	KTEST_CASE(chmem_by_size), KTEST_CASE(chmem_leaves_out_what_stays),
	KTEST_CASE(chmem_with_nothing_to_do), KTEST_CASE(lsmem_counts_what_is_there),
	{},
};

static struct ktest_suite suite = { .name = "memory_files", .cases = cases };
KTEST_SUITE(suite);
