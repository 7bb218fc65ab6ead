/* SPDX-License-Identifier: BSD-2-Clause */
/* The private memory of the hotplug suites: see the header. */
#include "tests/mm/hotplug_window.h"
#include "arch/machine.h"
#include "arch/machine_info.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/mm/borrowed_blocks.h"
#include "tests/mm/kernel_window.h"

static struct window window;

#define DRAIN_NS (60 * NSEC_PER_SEC)
static_assert(MAX_BORROWED >= WINDOW_BLOCKS, "a window can be borrowed");

/*
 * In each of the machine's ranges, search above the RAM that the kernel uses; device regions
 * lie between the ranges.
 */
unsigned long window_find(void)
{
	const struct machine_info *info = machine_info();
	const struct memblock_region *last = &memblock.memory.region[memblock.memory.nr - 1];

	for (unsigned int i = 0; i < info->nr_memory; i++) {
		const struct mem_range *ram = &info->memory[i];
		phys_addr_t start = ram->start;

		if (memblock.memory.nr)
			start = max(start, last->base + last->size);
		start = ALIGN_UP(start, SECTION_SIZE);
		if (start + WINDOW_BLOCKS * SECTION_SIZE <= ram->start + ram->size)
			return phys_to_pfn(start);
	}
	return PFN_NONE;
}

static void window_close(void *ctx)
{
	struct window *w = ctx;

	mm_depopulate(w->mm);
	/*
	 * Unmap all of block 0: a case that ends early leaves memory plugged next to
	 * boot memory.
	 */
	arch_unmap_direct(pfn_to_phys(w->base), max(w->mapped, SECTION_SIZE));
}

static void place(struct window *w, unsigned long base)
{
	w->base = base;
	w->block = base >> SECTION_PFN_SHIFT;
	w->owner.name = "window";
	w->owner.region.start_pfn = window_pfn(w, 1);
	w->owner.region.nr_pages = (WINDOW_BLOCKS - 1) * PAGES_PER_SECTION;
}

/*
 * For a window in kernel_mm try the device's blocks first, for a private window spare RAM. A
 * window in kernel_mm does not use its block 0.
 */
static unsigned long find_frames(struct ktest *test, bool kernels)
{
	const unsigned long lent = kernels ? borrow_blocks(test, WINDOW_BLOCKS - 1) : PFN_NONE;
	unsigned long base = lent == PFN_NONE ? window_find() : lent - PAGES_PER_SECTION;

	if (base == PFN_NONE && !kernels)
		base = borrow_blocks(test, WINDOW_BLOCKS);
	if (base == PFN_NONE)
		ktest_skip(test,
			   "no RAM above mem=, and no virtio-mem device with %lu MiB plugged; "
			   "type: make ut MEM=",
			   WINDOW_BLOCKS * SECTION_SIZE >> 20);
	return base;
}

struct window *window_open_raw(struct ktest *test, u64 map_bytes)
{
	struct window *w = &window;

	memset(w, 0, sizeof(*w));
	place(w, find_frames(test, false));
	w->mapped = map_bytes;
	KTEST_ASSERT_EQ(test, arch_map_direct(pfn_to_phys(w->base), map_bytes), 0);
	w->mm = &w->own;
	mm_init(w->mm, "window");
	w->mm->default_online_type = MMOP_OFFLINE;
	w->mb.mapped = 1;
	ktest_add_action(test, window_close, w);
	return w;
}

static bool is_memory(const struct memblock *mb, phys_addr_t start, u64 size)
{
	for (unsigned int i = 0; i < mb->memory.nr; i++) {
		const struct memblock_region *r = &mb->memory.region[i];

		if (start < r->base + r->size && r->base < start + size)
			return true;
	}
	return false;
}

int window_populate(struct window *w)
{
	const phys_addr_t end = pfn_to_phys(w->base) + w->mapped;

	for (phys_addr_t at = pfn_to_phys(w->base); at + PAGEBLOCK_SIZE <= end;
	     at += PAGEBLOCK_SIZE)
		if (!is_memory(&w->mb, at, PAGEBLOCK_SIZE))
			arch_unmap_direct(at, PAGEBLOCK_SIZE);
	return mm_populate(w->mm, &w->mb);
}

/* Note the counts before the case: a window in kernel_mm is only a part of that memory. */
static void note_frames(struct ktest *test, struct window *w)
{
	KTEST_ASSERT_EQ(test, drain_all_pages(w->mm, DRAIN_NS), 0);
	for (unsigned int z = 0; z < NR_ZONES; z++) {
		w->managed[z] = w->mm->zone[z].managed;
		w->free[z] = w->mm->zone[z].free;
	}
}

void mm_exhaust(struct mm *mm)
{
	while (alloc_pages(mm, GFP_KERNEL | GFP_ATOMIC | GFP_NOWARN | GFP_NODRAIN, 0,
			   PGTY_KERNEL) != PFN_NONE)
		;
}

long window_managed(struct window *w, enum zone_type zone)
{
	return (long)(READ_ONCE(w->mm->zone[zone].managed) - w->managed[zone]);
}

long window_free(struct ktest *test, struct window *w, enum zone_type zone)
{
	KTEST_EXPECT_EQ(test, drain_all_pages(w->mm, DRAIN_NS), 0);
	return (long)(READ_ONCE(w->mm->zone[zone].free) - w->free[zone]);
}

static void open_private(struct ktest *test, struct window *w, u64 boot_bytes)
{
	KTEST_ASSERT_EQ(test, memblock_add(&w->mb, pfn_to_phys(w->base), boot_bytes), 0);
	KTEST_ASSERT_EQ(test, window_populate(w), 0);
	mm_reserve_refill(w->mm);
}

struct window *window_open(struct ktest *test, u64 boot_bytes)
{
	struct window *w = &window;

	if (wants_kernel_window(test)) {
		memset(w, 0, sizeof(*w));
		place(w, find_frames(test, true));
		kernel_window_open(test, w);
	} else {
		open_private(test, window_open_raw(test, boot_bytes), boot_bytes);
	}
	note_frames(test, w);
	return w;
}

struct window *window_open_owned(struct ktest *test)
{
	struct window *w = window_open(test, 32UL << 20);

	KTEST_ASSERT_EQ(test, register_memory_owner(w->mm, &w->owner, NO_WHY), 0);
	return w;
}

/* Expect that the watermarks follow a change of the managed count by hotplug at once. */
static void check_watermarks(struct ktest *test, struct window *w)
{
	for (unsigned int z = 0; z < NR_ZONES; z++) {
		struct zone *zone = &w->mm->zone[z];
		unsigned long was[NR_WMARK];

		memcpy(was, zone->wmark, sizeof(was));
		zone_update_watermarks(w->mm);
		KTEST_EXPECT_MEMEQ(test, was, zone->wmark, sizeof(was));
	}
}

void window_check(struct ktest *test, struct window *w)
{
	KTEST_EXPECT_EQ(test, mm_check(w->mm, ktest_sink(test)), 0);
	check_watermarks(test, w);
}

void window_add(struct ktest *test, struct window *w, unsigned long n, u64 plugged)
{
	struct mm_failure why;

	KTEST_ASSERT_EQ(test, add_memory(w->mm, w->block + n, &w->owner, plugged, &why), 0);
}

void window_add_online(struct ktest *test, struct window *w, unsigned long n,
		       enum mhp_online_type type)
{
	window_add(test, w, n, ~0UL);
	KTEST_ASSERT_EQ(test, window_online(w, n, type), 0);
}

struct memory_owner *window_owner_of(struct window *w, unsigned long pfn)
{
	struct memory_owner *owner;

	pfn_walk_begin();
	owner = memory_owner_of(w->mm, pfn);
	pfn_walk_end();
	return owner;
}

enum memory_block_state window_state(const struct window *w, unsigned long n)
{
	return memory_block_state(w->mm, w->block + n);
}

int window_online(struct window *w, unsigned long n, enum mhp_online_type type)
{
	return online_memory_block(w->mm, w->block + n, type, NO_WHY);
}

int window_offline(struct window *w, unsigned long n)
{
	return offline_memory_block(w->mm, w->block + n, NULL, NO_WHY);
}

int window_remove(struct window *w, unsigned long n)
{
	return try_remove_memory(w->mm, w->block + n, NO_WHY);
}

struct window_totals window_totals(const struct window *w)
{
	struct window_totals t = { .reserve = w->mm->nr_reserve, .max_pfn = w->mm->max_pfn };

	for (unsigned int z = 0; z < NR_ZONES; z++) {
		const struct zone *zone = &w->mm->zone[z];

		t.zone[z].start = zone->start_pfn;
		t.zone[z].spanned = zone->spanned;
		t.zone[z].present = zone->present;
		t.zone[z].managed = zone->managed;
		t.zone[z].free = zone->free;
		t.zone[z].isolated = zone->nr_isolated;
	}
	return t;
}

void window_expect_totals(struct ktest *test, struct window *w,
			  const struct window_totals *before)
{
	const struct window_totals now = window_totals(w);

	KTEST_EXPECT_MEMEQ(test, &now, before, sizeof(now));
	window_check(test, w);
}
