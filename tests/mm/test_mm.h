/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_MM_TEST_MM_H
#define _TESTS_MM_TEST_MM_H

/*
 * A private memory for the allocator's suites, on the window of hotplug_window.h:
 * real frames that the kernel does not use, in the guest and on the host.
 */
#include "mm/buddy.h"
#include "mm/contig.h"
#include "mm/evac.h"
#include "mm/frames.h"
#include "mm/memory_hotplug.h"
#include "mm/page_alloc.h"
#include "mm/page_isolation.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/vmstat.h"
#include "tests/kernel/test_threads.h"
#include "tests/mm/hotplug_window.h"

/**
 * struct test_mm - the memory of an allocator's case
 * @w: the window; its memory is closed and checked when the case ends
 * @mm: that memory; every hart has a page cache
 * @base: first of a run of frames that are all free, aligned to the largest order
 * @nr: frames in that run, a multiple of the largest order
 * @zone: their zone
 */
struct test_mm {
	struct window *w;
	struct mm *mm;
	unsigned long base;
	unsigned long nr;
	struct zone *zone;
};

/* Make a memory of only boot memory, with @sections whole empty sections after the first. */
struct test_mm *test_mm_normal(struct ktest *test, unsigned int sections);

/* Make a memory with boot memory in one section, and the run in another, in zone Movable. */
struct test_mm *test_mm_movable(struct ktest *test);

/* Call mm_check(); differences fail the case. */
void test_mm_check(struct ktest *test, struct test_mm *t);

/* Drain all caches. Return: the free frames of both zones. */
unsigned long test_mm_free(struct ktest *test, struct test_mm *t);

/* Call release_offline_range(), and update the watermarks, as its callers in mm/ do. */
void test_mm_release(struct test_mm *t, unsigned long pfn, unsigned long nr);

/* Is the pageblock of a frame isolated? */
bool test_mm_isolated(const struct mm *mm, unsigned long pfn);

/* Allocate a table of @bytes in the kernel's memory; it is freed when the case ends. */
void *test_mm_table(struct ktest *test, unsigned long bytes);

/* Allocate a movable page of @order at @pfn, with a slot. */
void slot_at(struct ktest *test, struct mm *mm, struct page_slot *slot, unsigned long pfn,
	     unsigned int order);

/* Allocate adjacent movable pages from @pfn on, each with a slot; free all of them. */
void slots_at(struct ktest *test, struct test_mm *t, struct page_slot *slots,
	      unsigned int nr, unsigned long pfn);
void slots_gone(struct ktest *test, struct test_mm *t, struct page_slot *slots,
		unsigned int nr);

/* Make a policy for a test that is not about time: its deadline is far away. */
struct evacuate_policy test_policy(enum evacuate_end end, enum page_type type);

#endif
