/* SPDX-License-Identifier: BSD-2-Clause */
/* The command dump_page, and wrong words that the commands about frames refuse. */
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/vsprintf.h"
#include "mm/page_alloc.h"
#include "mm/page_isolation.h"
#include "mm/slab.h"
#include "tests/console/answer.h"
#include "tests/console/kernel_block.h"

/* Add a block, with its last pageblock unplugged, to zone Movable. Return: its first pfn. */
static unsigned long movable_block(struct ktest *test)
{
	const unsigned long block =
		kernel_blocks_add(test, 1, PAGES_PER_SECTION, ~0UL >> 1);

	KTEST_ASSERT_EQ(test, command("chmem -e -z Movable -b %lu", block), 0);
	return block * PAGES_PER_SECTION;
}

/* Expect exactly this answer about a frame of movable_block(). */
static void expect_state(struct ktest *test, unsigned long pfn, const char *state,
			 const char *kept, const char *more)
{
	char *want = ktest_alloc(test, 512);

	snprintf(want, 512,
		 "pfn 0x%lx: %s\n    memory%lu, pageblock %lu: Movable, %s\n%s"
		 "    added by lender\n    descriptor at 0x%lx\n",
		 pfn, state, pfn / PAGES_PER_SECTION,
		 pfn % PAGES_PER_SECTION / PAGEBLOCK_NR_PAGES, kept, more,
		 (unsigned long)pfn_to_page(pfn));
	EXPECT_ANSWER(test, 0, want, "dump_page 0x%lx", pfn);
}

static void free_and_unplugged(struct ktest *test)
{
	const unsigned long first = movable_block(test);
	const unsigned long last = first + PAGES_PER_SECTION - PAGEBLOCK_NR_PAGES;
	char *state = ktest_alloc(test, 128);

	snprintf(state, 128, "Memmap, order 0, head 0x%lx, zone Movable, flags none",
		 first + 5);
	KTEST_ASSERT_EQ(test, command("dump_page 0x%lx", first + 5), 0);
	expect_state(test, first + 5, state, "a descriptor per frame", "");
	snprintf(state, 128, "Buddy, order 0, head 0x%lx, zone Movable, flags none",
		 first + 1024);
	expect_state(test, first + 1024, state, "one descriptor for all its frames", "");
	snprintf(state, 128,
		 "Offline, order 0, head 0x%lx, zone Movable, flags skippable", last + 7);
	expect_state(test, last + 7, state, "one descriptor for all its frames", "");
}

/* A movable page has a count, an owner, and flags that come and go. */
static void allocated(struct ktest *test)
{
	const unsigned long pfn = movable_block(test) + 3 * PAGEBLOCK_NR_PAGES + 8;
	char *state = ktest_alloc(test, 128), *more = ktest_alloc(test, 64);
	struct page_state st;

	KTEST_ASSERT_EQ(test, command("alloc 3 movable at 0x%lx", pfn), 0);
	KTEST_ASSERT_TRUE(test, page_state_get(&kernel_mm, pfn, &st));
	snprintf(more, 64, "    count 1\n    owner console\n");
	snprintf(state, 128, "Driver, order 3, head 0x%lx, zone Movable, flags none",
		 pfn);
	expect_state(test, pfn, state, "a descriptor per frame", more);
	KTEST_EXPECT_EQ(test, command("pin 0x%lx", pfn), 0);
	snprintf(state, 128, "Driver, order 3, head 0x%lx, zone Movable, flags pinned",
		 pfn);
	expect_state(test, pfn, state, "a descriptor per frame", more);
	snprintf(state, 128,
		 "Driver, order 3, head 0x%lx, zone Movable, flags tail,pinned", pfn);
	expect_state(test, pfn + 7, state, "a descriptor per frame", more);
	KTEST_EXPECT_EQ(test, command("unpin 0x%lx; free 0x%lx", pfn, pfn), 0);
}

/* The kernel's own memory: a slab page has its cache's name instead of an owner. */
static void of_the_kernel(struct ktest *test)
{
	struct kmem_cache *cache = kmem_cache_create(&kernel_mm, "dumped", 64, 8);
	void *obj;

	KTEST_ASSERT_NOT_NULL(test, cache);
	obj = kmem_cache_alloc(cache, GFP_KERNEL);
	KTEST_ASSERT_NOT_NULL(test, obj);
	EXPECT_MENTION(test, ": Slab, order 0, head ", "dump_page 0x%lx",
		       phys_to_pfn(virt_to_phys(obj)));
	KTEST_EXPECT_NOT_NULL(test, strstr(answer,
					   "    slab cache dumped\n    descriptor at "));
	KTEST_EXPECT_NULL(test, strstr(answer, "owner"));
	KTEST_EXPECT_NULL(test, strstr(answer, "count"));
	KTEST_EXPECT_NULL(test, strstr(answer, "added by"));
	kmem_cache_free(cache, obj);
	KTEST_EXPECT_EQ(test, kmem_cache_destroy(cache), 0);
}

/* A page that kernel code has allocated without an owner word. */
static void of_a_nameless_user(struct ktest *test)
{
	unsigned long pfn = alloc_pages(&kernel_mm, GFP_KERNEL, 0, PGTY_KERNEL);

	KTEST_ASSERT_NE(test, pfn, PFN_NONE);
	EXPECT_MENTION(test, "    owner the kernel, which gave it no name\n", "dump_page 0x%lx",
		       pfn);
	free_pages(&kernel_mm, pfn, 0);
}

static void isolated(struct ktest *test)
{
	const struct pfn_range range = { movable_block(test) + PAGEBLOCK_NR_PAGES,
					 PAGEBLOCK_NR_PAGES };

	mutex_lock(&kernel_mm.hotplug_lock);
	KTEST_EXPECT_EQ(test, isolate_range(&kernel_mm, &range, NO_WHY), 0);
	EXPECT_MENTION(test, "pageblock 1: Movable, isolated, one descriptor for all",
		       "dump_page 0x%lx", range.start_pfn);
	unisolate_range(&kernel_mm, &range);
	mutex_unlock(&kernel_mm.hotplug_lock);
}

/* dump_page describes only the frames of online blocks. */
static void no_such_frame(struct ktest *test)
{
	const unsigned long pfn = kernel_whole_blocks(test, 1) * PAGES_PER_SECTION;
	char *want = ktest_alloc(test, 128);

	snprintf(want, 128, "dump_page: pfn 0x%lx lies in no online memory block\n", pfn);
	EXPECT_ANSWER(test, -ENXIO, want, "dump_page 0x%lx", pfn);
	EXPECT_ANSWER(
		test, -ENXIO,
		"dump_page: pfn 0xffffffffffffffff lies in no online memory block\n",
		"dump_page 0xffffffffffffffff");
}

/* For an address instead of a frame number, dump_page suggests the number. */
static void address(struct ktest *test)
{
	const unsigned long pfn = movable_block(test) + 5;
	char *want = ktest_alloc(test, 160);

	for (unsigned int i = 0; i < 2; i++) {
		snprintf(want, 160,
			 "dump_page: expected a frame number, not an address; did you mean "
			 "0x%lx?\n",
			 pfn);
		EXPECT_ANSWER(test, -ENXIO, want, "dump_page 0x%lx",
			      pfn_to_phys(pfn) + i * 8);
	}
}

static void wrong_words(struct ktest *test)
{
	static const char *const commands[] = { "dump_page", "free", "pin", "unpin" };
	char *want = ktest_alloc(test, 128);

	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		snprintf(want, 128,
			 "%s: \"5x\" is not a frame number (0x90a40 or decimal)\n",
			 commands[i]);
		EXPECT_ANSWER(test, -EINVAL, want, "%s 5x", commands[i]);
		KTEST_EXPECT_EQ(test, command("%s", commands[i]), -EINVAL);
		KTEST_EXPECT_EQ(test, strncmp(answer, "usage: ", 7), 0);
	}
	EXPECT_ANSWER(test, -EINVAL,
		      "alloc: \"x\" is not a frame number (0x90a40 or decimal)\n",
		      "alloc 0 at x");
	EXPECT_ANSWER(test, -EINVAL, "alloc: \"11\" is not an order, 0 to 10\n",
		      "alloc 11");
	EXPECT_ANSWER(test, -EINVAL, "alloc: \"-1\" is not an order, 0 to 10\n",
		      "alloc -1");
	EXPECT_ANSWER(test, -EINVAL, "free: \"big\" is not an order, 0 to 10\n",
		      "free 1 big");
	EXPECT_ANSWER(test, -EINVAL, "alloc: pfn 0x3 is not aligned to order 2\n",
		      "alloc 2 at 3");
}

static const struct ktest_case cases[] = {
	KTEST_CASE(free_and_unplugged),
	KTEST_CASE(allocated),
	KTEST_CASE(of_the_kernel),
	KTEST_CASE(of_a_nameless_user),
	KTEST_CASE(isolated),
	KTEST_CASE(no_such_frame),
	KTEST_CASE(address),
	KTEST_CASE(wrong_words),
	{},
};

static struct ktest_suite suite = { .name = "dump_page", .cases = cases };
KTEST_SUITE(suite);
