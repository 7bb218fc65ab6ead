/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MM_HOTPLUG_WINDOW_H
#define _TESTS_MM_HOTPLUG_WINDOW_H

/*
 * A memory for a case, on real frames that the kernel does not use. In the guest these are
 * RAM above mem=, else blocks of the virtio-mem device; without either, the case is skipped.
 * On the host they are a part of the memory file. A part of the window's block 0 is boot
 * memory; the rest of the window is a region that an owner adds.
 *
 * The window can also lie in the kernel's own memory: a suite with cases that do not depend
 * on block 0 exists a second time, with .init = window_in_kernel_mm. Its blocks are the
 * device's, if the device has enough plugged; other harts and the kernel's own threads use
 * that memory during the case.
 */
#include "kernel/ktest.h"
#include "mm/hotplug.h"
#include "mm/memblock.h"

#define WINDOW_BLOCKS 6UL

/**
 * struct window - the memory of a case
 * @mm: the memory: @own, or kernel_mm
 * @own: a private memory
 * @mb: the memblock from which @own was made
 * @base: first pfn of the window
 * @block: first block id
 * @owner: "window", not registered yet; its region is the window after block 0
 * @mapped: bytes of block 0 that are mapped
 * @managed, @free: frames of each zone when the window was opened, see window_managed()
 */
struct window {
	struct mm *mm;
	struct mm own;
	struct memblock mb;
	unsigned long base;
	unsigned long block;
	struct memory_owner owner;
	u64 mapped;
	unsigned long managed[NR_ZONES];
	unsigned long free[NR_ZONES];
};

/**
 * window_find() - look for the window
 *
 * Return: the first pfn of WINDOW_BLOCKS whole blocks of spare RAM; PFN_NONE.
 */
unsigned long window_find(void);

/* Place the case's windows in kernel_mm; for suites on the real machine. */
int window_in_kernel_mm(struct ktest *test);

/**
 * window_open() - make a memory with @boot_bytes at the start of block 0
 * @test: the case; it is skipped if there is no window
 * @boot_bytes: a multiple of the page size, at most a block
 *
 * Added blocks stay offline unless the case changes mm.default_online_type. When
 * the case ends everything is unmapped. In kernel_mm there is no block 0; at the end all
 * owners in the window leave, and its blocks are emptied and removed.
 */
struct window *window_open(struct ktest *test, u64 boot_bytes);

/**
 * window_open_raw() - make a memory, but let the case fill w->mb and call window_populate()
 * @map_bytes: how much to map for the case, from the start of the window on
 */
struct window *window_open_raw(struct ktest *test, u64 map_bytes);

/* Call mm_populate() with w->mb; map only memory, as the machine does. */
int __must_check window_populate(struct window *w);

/* Call window_open() with 32 MiB, and register the owner. */
struct window *window_open_owned(struct ktest *test);

/* Allocate every free frame; closing the window frees them. */
void mm_exhaust(struct mm *mm);

/* Return the first pfn of the n-th block of the window. */
static inline unsigned long window_pfn(const struct window *w, unsigned long n)
{
	return w->base + n * PAGES_PER_SECTION;
}

static inline struct zone *window_zone(struct window *w, enum zone_type zone)
{
	return &w->mm->zone[zone];
}

/*
 * Return the zone's managed frames, or its free frames with all caches drained, minus those
 * at the opening.
 */
long window_managed(struct window *w, enum zone_type zone);
long window_free(struct ktest *test, struct window *w, enum zone_type zone);

/* Compare all counters with the frames; differences fail the case. */
void window_check(struct ktest *test, struct window *w);

/* Add block @n with these pageblocks plugged; a failure ends the case. */
void window_add(struct ktest *test, struct window *w, unsigned long n, u64 plugged);

/* Add block @n with all of it plugged, and online it with @type. */
void window_add_online(struct ktest *test, struct window *w, unsigned long n,
		       enum mhp_online_type type);

/* Return the owner of a frame, looked up in a walk bracket. */
struct memory_owner *window_owner_of(struct window *w, unsigned long pfn);

/* Query, online, offline or remove block @n. Return: the state, or the call's result. */
enum memory_block_state window_state(const struct window *w, unsigned long n);
int window_online(struct window *w, unsigned long n, enum mhp_online_type type);
int window_offline(struct window *w, unsigned long n);
int window_remove(struct window *w, unsigned long n);

/* All counters that must be the same after a round trip. */
struct window_totals {
	struct {
		unsigned long start, spanned, present, managed, free, isolated;
	} zone[NR_ZONES];
	unsigned long reserve;
	unsigned long max_pfn;
};

struct window_totals window_totals(const struct window *w);

/* Expect unchanged counters, and call window_check(). */
void window_expect_totals(struct ktest *test, struct window *w,
			  const struct window_totals *before);

#endif
