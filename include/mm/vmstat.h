/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_VMSTAT_H
#define _MM_VMSTAT_H

/* Counters and the census of frames, for /proc, the console and tests. */
#include "mm/mm.h"

/* VM_EVENTS(X): X(NAME, "name in /proc/vmstat"), with Linux's name where it has one. */
#define VM_EVENTS(X)                              \
	X(PGMIGRATE_SUCCESS, "pgmigrate_success") \
	X(PGMIGRATE_FAIL, "pgmigrate_fail")       \
	X(CONTIG_SUCCESS, "contig_alloc_success") \
	X(CONTIG_FAIL, "contig_alloc_fail")       \
	X(OFFLINE_SUCCESS, "offline_success")     \
	X(OFFLINE_FAIL, "offline_fail")           \
	X(PCP_DRAIN, "pcp_drain_all")             \
	X(COMPACT_ISOLATED, "compact_isolated")   \
	X(EXTFRAG, "pgalloc_extfrag")

enum vm_event {
#define X(name, str) VM_##name,
	VM_EVENTS(X)
#undef X
	NR_VM_EVENTS
};
static_assert(NR_VM_EVENTS <= 16, "struct mm has room for 16");

/* Count events: relaxed atomic; any thread context, never on the order-0 fast path. */
static inline void vm_event_inc(struct mm *mm, enum vm_event event, unsigned long n)
{
	__atomic_fetch_add(&mm->vm_events[event], n, __ATOMIC_RELAXED);
}

unsigned long vm_event_read(const struct mm *mm, unsigned int event);
const char *vm_event_name(unsigned int event);

/* "Normal", "Movable". */
const char *zone_name(unsigned int zone);

/**
 * mm_census() - count the frames of all online sections by type
 * @nr: set to the counts; nr[PGTY_NONE] stays 0 in a healthy memory
 *
 * Opens one walk bracket per section; not an exact snapshot while other harts allocate.
 * Context: thread.
 */
void mm_census(const struct mm *mm, unsigned long nr[NR_PAGE_TYPES]);

/**
 * struct pageblock_look - the contents of one pageblock, or of several that are alike
 * @types: a bit for each type of the frames
 * @migratetype: also of isolated pageblocks
 * @blocks: number of pageblocks; more than one only if they are uniform
 * @isolated: they have the isolate bit
 * @pinned: a chunk in them is pinned
 */
struct pageblock_look {
	u32 types;
	u8 migratetype, blocks;
	bool isolated, pinned;
};

/**
 * pageblock_look() - look at the frames of a pageblock, and of those after it that are alike
 * @ms: an online section, from walk_section()
 * @b: the pageblock
 * @nr: by type, gets the number of frames added
 *
 * A uniform pageblock costs a few instructions, any other a step for each chunk. A frame
 * that another hart changes meanwhile counts in its old state or in its new state.
 * Context: in a walk bracket; no lock.
 */
struct pageblock_look pageblock_look(const struct mem_section *ms, unsigned int b,
				     unsigned long nr[NR_PAGE_TYPES])
	__must_hold(walk_bracket);

/*
 * Count the frames in the caches of all harts, of type Cached; other harts' counts may be
 * stale.
 */
unsigned long pcp_cached_pages(const struct mm *mm);

/* One hart's cache for one zone, in frames; another hart's count may be stale. */
struct pcp_info {
	unsigned long count;
	unsigned long high;
	unsigned long batch;
};
void pcp_read_info(const struct zone *zone, unsigned int hart, struct pcp_info *info);

#endif
