/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of mm/ that only the host can run: they use up the kernel's own memory, set up
 * boot memory again, check page tables and snapshots, and put descriptors out of reach.
 */
#include <unistd.h>

#include "arch/machine.h"
#include "host.h"
#include "kernel/console/export.h"
#include "kernel/sink.h"
#include "kernel/trace/trace.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/pgtable.h"
#include "tests/mm/test_mm.h"

#define PB PAGEBLOCK_NR_PAGES

/* A range's partial frames at its ends do not become memory; boot pages are zeroed. */
static void boot_pages_are_whole_and_zero(struct ktest *test)
{
	struct window *w = window_open_raw(test, 1UL << 20);
	const phys_addr_t base = pfn_to_phys(w->base);
	const struct memblock kept = memblock;
	const struct memblock_region *r = &w->mb.memory.region[0];
	phys_addr_t page;

	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, base + 1, 8 * PAGE_SIZE), 0);
	KTEST_EXPECT_EQ(test, r->base, base + PAGE_SIZE);
	KTEST_EXPECT_EQ(test, r->size, 7 * PAGE_SIZE);
	memset(phys_to_virt(r->base), 0xff, r->size);
	memblock = w->mb;
	page = memblock_alloc(PAGE_SIZE, PAGE_SIZE);
	memblock = kept;
	KTEST_ASSERT_EQ(test, page, base + PAGE_SIZE);
	KTEST_EXPECT_NULL(test, memchr_inv(phys_to_virt(page), 0, PAGE_SIZE));
	KTEST_EXPECT_EQ(test, kernel_mm.nr_reserve, MM_RESERVE_PAGES);
}

/* The allocator must not give out a frame that holds a page table of early boot. */
static void boot_page_tables_stay(struct ktest *test)
{
	const unsigned long pfn = phys_to_pfn(virt_to_phys(
		kernel_mm.root[HOST_PHYS_START >> PAGE_SHIFT >> ROOT_PFN_SHIFT]));

	KTEST_ASSERT_EQ(test, page_type(&kernel_mm, pfn), PGTY_BOOT);
	pgtable_free_page(pfn_to_phys(pfn));
	KTEST_EXPECT_EQ(test, page_type(&kernel_mm, pfn), PGTY_BOOT);
}

/* With no frame left in the kernel's memory, a page table comes out of the reserve. */
static void page_tables_from_the_reserve(struct ktest *test)
{
	const unsigned long max = kernel_mm.zone[ZONE_NORMAL].managed;
	unsigned long *pfns = test_mm_table(test, max * sizeof(*pfns)), nr;
	const u32 reserve = kernel_mm.nr_reserve;
	phys_addr_t table;

	drain_local_pages(&kernel_mm);
	nr = alloc_pages_bulk(&kernel_mm, GFP_ATOMIC | GFP_NOWARN, PGTY_KERNEL, max,
			      pfns);
	table = pgtable_alloc_page();
	if (table) {
		KTEST_EXPECT_EQ(test, page_type(&kernel_mm, phys_to_pfn(table)),
				PGTY_PGTABLE);
		KTEST_EXPECT_EQ(test, kernel_mm.nr_reserve, reserve - 1);
		pgtable_free_page(table);
	}
	free_pages_bulk(&kernel_mm, pfns, nr);
	KTEST_EXPECT_NE(test, table, 0);
	KTEST_EXPECT_EQ(test, kernel_mm.nr_reserve, reserve);
}

struct parts {
	struct sink sink;
	unsigned int nr, last;
	u64 frames;
};

static void take_part(struct sink *sink, const char *bytes, size_t len)
{
	struct parts *parts = container_of(sink, struct parts, sink);
	const struct trace_record *r = (const void *)bytes;

	for (; len; len -= sizeof(*r), r++) {
		parts->nr += r->event == TRACE_SNAP_PART;
		parts->last += r->event == TRACE_SNAP_END && r->after;
		if (r->event == TRACE_FRAMES)
			parts->frames += r->count;
	}
}

/*
 * A snapshot that does not fit into one buffer has several parts, each frame in one of
 * them.
 */
static void snapshots_are_complete(struct ktest *test)
{
	enum {
		NR = 6000
	};
	unsigned long *pfns = test_mm_table(test, NR * sizeof(*pfns));
	struct parts parts = { .sink = { .write = take_part } };
	unsigned long blocks = 0;

	for (unsigned long b = next_memory_block(&kernel_mm, 0); b != PFN_NONE;
	     b = next_memory_block(&kernel_mm, b + 1))
		blocks++;
	KTEST_ASSERT_EQ(test,
			alloc_pages_bulk(&kernel_mm, GFP_KERNEL, PGTY_KERNEL, NR, pfns),
			NR);
	for (unsigned int i = 0; i < NR; i += 2)
		free_pages(&kernel_mm, pfns[i], 0);
	drain_local_pages(&kernel_mm);
	KTEST_EXPECT_EQ(test, snapshot_write(&parts.sink), 0);
	for (unsigned int i = 1; i < NR; i += 2)
		free_pages(&kernel_mm, pfns[i], 0);
	KTEST_EXPECT_GE(test, parts.nr, 2);
	KTEST_EXPECT_EQ(test, parts.last, 1);
	KTEST_EXPECT_EQ(test, parts.frames, blocks * PAGES_PER_SECTION);
}

/*
 * AddressSanitizer's function; NULL under other sanitizers. With several harts, descriptors
 * are never poisoned: another hart may be walking them.
 */
int __asan_address_is_poisoned(const volatile void *addr) __attribute__((weak));

static bool is_poisoned(unsigned long pfn, bool otherwise)
{
	if (!__asan_address_is_poisoned || nr_online_harts() > 1)
		return otherwise;
	return __asan_address_is_poisoned(pfn_to_page(pfn));
}

/* Is the frame's descriptor mapped? write() returns an error where a load would fault. */
static bool is_mapped(unsigned long pfn)
{
	int ends[2];
	bool mapped;

	if (pipe(ends))
		return false;
	mapped = write(ends[1], pfn_to_page(pfn), 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return mapped;
}

/* An offline block's descriptors are out of reach, and are unmapped with the block. */
static void memmap_is_out_of_reach(struct ktest *test)
{
	struct window *w = window_open_owned(test);
	const unsigned long pfn = window_pfn(w, 1);

	for (unsigned int i = 0; i < 2; i++) {
		window_add(test, w, 1, ~0UL);
		KTEST_EXPECT_TRUE(test, is_poisoned(pfn, true));
		KTEST_ASSERT_EQ(test, window_online(w, 1, MMOP_ONLINE_MOVABLE), 0);
		KTEST_EXPECT_FALSE(test, is_poisoned(pfn, false));
		KTEST_EXPECT_TRUE(test, is_mapped(pfn));
		KTEST_ASSERT_EQ(test, window_offline(w, 1), 0);
		KTEST_EXPECT_TRUE(test, is_poisoned(pfn, true));
		KTEST_ASSERT_EQ(test, window_remove(w, 1), 0);
		KTEST_EXPECT_FALSE(test, is_mapped(pfn));
	}
}

static void page_tables_are_zeroed(struct ktest *test)
{
	const unsigned long pfn = alloc_pages(&kernel_mm, GFP_KERNEL, 0, PGTY_KERNEL);
	phys_addr_t table;

	KTEST_ASSERT_NE(test, pfn, PFN_NONE);
	memset(phys_to_virt(pfn_to_phys(pfn)), 0xff, PAGE_SIZE);
	free_pages(&kernel_mm, pfn, 0);
	table = pgtable_alloc_page();
	KTEST_EXPECT_EQ(test, table, pfn_to_phys(pfn));
	KTEST_EXPECT_NULL(test, memchr_inv(phys_to_virt(table), 0, PAGE_SIZE));
	pgtable_free_page(table);
}

static const struct ktest_case host_mm_cases[] = {
	KTEST_CASE(boot_pages_are_whole_and_zero),
	KTEST_CASE(boot_page_tables_stay),
	KTEST_CASE(page_tables_from_the_reserve),
	KTEST_CASE(snapshots_are_complete),
	KTEST_CASE(memmap_is_out_of_reach),
	KTEST_CASE(page_tables_are_zeroed),
	{},
};
static struct ktest_suite host_mm_suite = { .name = "host_mm", .cases = host_mm_cases };
KTEST_SUITE(host_mm_suite);
