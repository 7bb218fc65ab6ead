/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MM_HOTPLUG_WINDOW_H
#define _TESTS_MM_HOTPLUG_WINDOW_H

/*
 * A private memory on real frames that the kernel does not use: RAM above mem= in
 * the guest (without any the cases are skipped), a part of the memory file on the
 * host. Block 0 of the window is boot memory in part, the rest is a region that
 * an owner brings.
 */
#include "kernel/ktest.h"
#include "mm/hotplug.h"
#include "mm/memblock.h"

#define WINDOW_BLOCKS 6UL

/**
 * struct window - the private memory of a case
 * @mm: the memory: @own
 * @mb: what it was made of
 * @base: first pfn of the window
 * @block: first block id
 * @owner: "window", not registered yet; region: all of the window behind block 0
 * @mapped: bytes of block 0 that are mapped
 */
struct window {
	struct mm *mm;
	struct mm own;
	struct memblock mb;
	unsigned long base;
	unsigned long block;
	struct memory_owner owner;
	u64 mapped;
};

/**
 * window_find() - look for the window
 *
 * Return: the first pfn of WINDOW_BLOCKS whole blocks of spare RAM; PFN_NONE.
 */
unsigned long window_find(void);

/**
 * window_open() - a memory with @boot_bytes at the start of block 0
 * @test: the case; it is skipped if there is no window
 * @boot_bytes: a multiple of the page size, at most a block
 *
 * Added blocks stay offline unless the case changes mm.default_online_type. When
 * the case ends mm_check() is called and everything is unmapped.
 */
struct window *window_open(struct ktest *test, u64 boot_bytes);

/**
 * window_open_raw() - the same, but the case fills w->mb and calls window_populate()
 * @map_bytes: from the start of the window on, mapped for it
 */
struct window *window_open_raw(struct ktest *test, u64 map_bytes);

/* mm_populate() with w->mb, as the machine would: what is no memory is not mapped. */
int __must_check window_populate(struct window *w);

/* window_open() with 32 MiB, the owner registered. */
struct window *window_open_owned(struct ktest *test);

/* First pfn of the n-th block of the window. */
static inline unsigned long window_pfn(const struct window *w, unsigned long n)
{
	return w->base + n * PAGES_PER_SECTION;
}

static inline struct zone *window_zone(struct window *w, enum zone_type zone)
{
	return &w->mm->zone[zone];
}

/* Compare all counters with the frames; differences fail the case. */
void window_check(struct ktest *test, struct window *w);

/* Add block @n with @plugged; it must work. */
void window_add(struct ktest *test, struct window *w, unsigned long n, u64 plugged);

/* Whose a frame is, looked up as a walker. */
struct memory_owner *window_owner_of(struct window *w, unsigned long pfn);

/* What a caller would do to block @n, and what comes of it. */
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

/* The counters are as they were, and window_check(). */
void window_expect_totals(struct ktest *test, struct window *w,
			  const struct window_totals *before);

#endif
