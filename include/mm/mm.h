/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_MM_H
#define _MM_MM_H

/*
 * struct mm: all state of one memory: zones, sections, pageblocks. The kernel has one
 * (kernel_mm); a test makes its own on a private window of frames.
 *
 * Locks, outermost first:
 *   mm->hotplug_lock (mutex)  add, online, offline, remove; owners; isolation. A request
 *			       that waits for a free drops it meanwhile
 *   zone->lock (spinlock)     pageblock words, free bits, free counts of a zone
 * Interrupts stay on: interrupt handlers neither allocate nor free.
 *
 * Compare with: Linux include/linux/mmzone.h.
 */
#include "kernel/abi.h"
#include "kernel/hart.h"
#include "kernel/mutex.h"
#include "kernel/notifier.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "kernel/spinlock.h"
#include "kernel/wait.h"
#include "lib/list.h"
#include "mm/page.h"
#include "mm/range.h"

struct memblock;
struct memory_owner;
struct mem_section;
struct section_root;
struct mm_failure;

/* The search trees for free frames: one per (zone, migrate type) that exists. */
enum free_area_id {
	FREE_NORMAL_UNMOVABLE,
	FREE_NORMAL_MOVABLE,
	FREE_NORMAL_RECLAIMABLE,
	FREE_MOVABLE_MOVABLE, /* zone Movable has no other migrate type */
	NR_FREE_AREAS
};

/*
 * Lock keys:
 *   (c) constant while the zone or mm is in use
 *   (h) mm->hotplug_lock
 *   (z) the zone's lock
 *   (r) mm->reserve_lock
 *   (a) atomic operations, or WRITE_ONCE() and READ_ONCE()
 *   (n) has keys of its own
 *
 * Walkers and views read fields of (h) and (z) without the lock, with READ_ONCE(): what
 * they show was true a moment ago.
 */

/* mm->root[]: each root covers 256 sections, 32 GiB: see mm/section.h. */
#define SECTIONS_PER_ROOT 256
#define NR_SECTION_ROOTS  1024 /* 32 TiB */

enum zone_watermark { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARK };

/**
 * struct zone - one zone's counters, in frames, and the top of its search trees
 * @spanned: from the first to the last frame of its sections
 * @present: frames of its online blocks that are memory (not holes)
 * @managed: @present minus firmware, image, boot, memmap and PageOffline frames
 * @free: free in the buddy allocator and not isolated
 * @free_isolated: free in isolated pageblocks
 * @nr_isolated: pageblocks with the isolate bit
 * @nr_watched: pageblocks with the watch bit
 * @avail_orders: for boot memory and for added memory, per migrate type: bit k: some root
 *	   has such a section in avail[area][k]
 * @root_avail: the same per order: which roots (1024 bits)
 * @nr_free_waiters: threads that sleep in @freed
 * @freed: woken only when a frame of an isolated or watched pageblock is freed, or loses
 *	   a pin or reference
 */
struct zone {
	spinlock_t lock;
	struct mm *mm;				/* (c) */
	enum zone_type type;			/* (c) */
	unsigned long start_pfn;		/* (h) */
	unsigned long spanned;			/* (h) */
	unsigned long present;			/* (h) */
	unsigned long managed;			/* (z) */
	unsigned long free;			/* (z) */
	unsigned long free_isolated;		/* (z) */
	unsigned long nr_isolated;		/* (z) */
	unsigned long nr_watched;		/* (z) */
	unsigned long wmark[NR_WMARK];		/* (h) */
	u32 avail_orders[2][NR_MIGRATE_STORED];	/* (z) */
	u64 root_avail[2][NR_MIGRATE_STORED][NR_PAGE_ORDERS][NR_SECTION_ROOTS / 64]; /* (z) */
	u32 nr_free_waiters;			/* (z) */
	struct wait_queue freed;
};

/* One hart's stacks of free chunks; no other hart uses them. See mm/pcp.c. */
struct pcp;

/* Size of the last-resort reserve for page tables and sections, in pages. */
#define MM_RESERVE_PAGES 16

/**
 * struct mm - all state of one memory
 * @pcp: by hart id; never NULL (pcp_none). First, to be cheap for the fast paths
 * @root: see above; never NULL
 * @owners: struct memory_owner, by range
 * @section_pool: free halves of pages that hold section objects (mm/sparse.c)
 * @reserve: pfns of the fixed reserve (mm/mm_reserve.c)
 * @nr_guests: the number of these that are not boot memory
 * @owners_gone: how many owners have left, each after changing the state of its frames
 * @max_pfn: first pfn after the last present section
 * @present_early: present frames of boot sections, for the auto-movable ratio
 * @default_online_type: what add_memory() does after adding
 * @inject: error injection for tests: fail the Nth step from now; 0 is off
 * @nr_slab: frames of type Slab, counted by mm/slab.c
 * @nr_pgtable: frames of type PageTable, counted by mm/mm_reserve.c
 * @nr_guest_tables: the number of these that are not boot memory
 * @vm_events: by enum vm_event, for /proc/vmstat; atomic, never on a fast path
 * @block_log: rate limit of log lines about memory blocks
 * @contig_log: rate limit of log lines about contiguous ranges
 * @phantom: the frames have no memory behind them (tests): never touch their contents
 * @boot: where metadata comes from while mm_populate() makes the early sections, or NULL
 */
struct mm {
	struct pcp *pcp[MAX_HARTS];			/* (c) */
	struct section_root *root[NR_SECTION_ROOTS] __only_for("section roots"); /* (h) */
	struct zone zone[NR_ZONES];			/* (n) */
	struct mutex hotplug_lock;
	struct list_head owners;			/* (h) */
	u32 owners_gone;				/* (h) */
	struct list_head section_pool;			/* (h) */
	struct notifier_chain notifiers;
	unsigned long reserve[MM_RESERVE_PAGES];	/* (r) */
	unsigned int nr_reserve;			/* (r) */
	unsigned int nr_guests;				/* (r) */
	u32 inject;					/* (h) */
	spinlock_t reserve_lock;
	unsigned long max_pfn;				/* (h) */
	unsigned long present_early;			/* (c) */
	enum mhp_online_type default_online_type;	/* (a) */
	unsigned long nr_slab, nr_pgtable;		/* (a) */
	unsigned long nr_guest_tables;			/* (a) */
	u64 vm_events[16];				/* (a) */
	struct ratelimit_state block_log, contig_log;	/* (n) */
	bool phantom;					/* (c) */
	struct memblock *boot;				/* (c) */
	const char *name;				/* (c) */
};

extern struct mm kernel_mm;

static inline struct zone *mm_zone(struct mm *mm, enum zone_type type)
{
	return &mm->zone[type];
}

/**
 * mm_init() - make an empty memory
 * @mm: zeroed or reused storage
 * @name: for messages
 *
 * It has no sections and no harts' caches; mm_populate() or add_memory() bring frames.
 */
void mm_init(struct mm *mm, const char *name);

/**
 * mm_boot() - build kernel_mm out of memblock
 *
 * Called once, on the boot hart, when the direct map is up: makes the memmap of
 * every boot section, types reserved frames, and frees the rest to the buddy
 * allocator. Nothing may call memblock_alloc() afterwards.
 * Return: 0; -ENOMEM, after a message, if the memmap does not fit the boot memory.
 */
int __must_check mm_boot(void);

/**
 * mm_populate() - give an empty memory its early sections, out of a memblock
 * @mm: after mm_init()
 * @mb: memory and reserved ranges; metadata is allocated from it
 *
 * mm_boot() calls this for kernel_mm, and tests call it for their windows. The direct map of
 * all memory in @mb must be up. O(pageblocks).
 * Context: thread or boot; no other user of @mm.
 * Return: 0; -ENOMEM if the metadata does not fit; -E2BIG if memory lies beyond the
 * addressable range.
 */
int __must_check mm_populate(struct mm *mm, struct memblock *mb);

/**
 * mm_depopulate() - drop all sections of a test's memory, including early ones
 * @mm: not kernel_mm; no longer in use
 *
 * Unmaps the memmaps, and the direct map of added blocks. The memory of early sections
 * stays mapped: it belongs to the test that made the window.
 */
void mm_depopulate(struct mm *mm);

/* Make the page cache of one more hart (hart id below 8), before the hart runs. */
int __must_check mm_hart_init(struct mm *mm, unsigned int hart);

struct sink;

/**
 * mm_check() - recompute every counter and index from the frames and compare
 * @out: gets one line for each difference; may be NULL
 *
 * Sees other harts' caches only through the types of their frames.
 * Context: thread; takes the hotplug lock, then each zone's lock in turn.
 * Return: the number of differences found; 0 is healthy.
 */
unsigned int mm_check(struct mm *mm, struct sink *out);

/**
 * struct mm_failure - the reason why something failed, for the caller, the log and the console
 * @reason: MM_REASON_*; selects the words
 * @pfn: the first frame that stood in the way, or PFN_NONE
 * @type: that frame's type
 * @owner: that frame's owner word
 * @cause: after a deadline or a cancel: why the frame stood in the way until then
 * @phase: EVAC_* in which it failed
 * @retries: migration passes after the first
 * @scans: how often the evacuation searched its ranges for frames still in the way
 * @migrated: pages that moved before the failure (0 for hopeless ranges)
 * @elapsed_ns: how long it took
 * @detail: a helpful name (slab cache, notifier, hart), or NULL; static storage
 */
struct mm_failure {
	enum mm_reason reason;
	enum mm_reason cause;
	enum page_type type;
	enum evac_phase phase;
	unsigned int retries;
	unsigned int scans;
	unsigned long pfn;
	u64 owner;
	unsigned long migrated;
	u64 elapsed_ns;
	const char *detail;
};

/* For a caller that needs only the errno: no function accepts NULL as the failure. */
#define NO_WHY (&(struct mm_failure){ .pfn = PFN_NONE })

/* Write "pfn 0x90a40 is Slab, cache foo (3 retries, 12 ms)" at once; no newline. */
void mm_failure_print(const struct mm_failure *why, struct sink *out);

/* Return a reason in words ("is pinned"), and the hint for the user ("unpin it first"). */
const char *mm_reason_name(enum mm_reason reason);
const char *mm_reason_hint(enum mm_reason reason);

/* Fill @why->detail, if it is NULL, from the frame: name of its slab cache or owner. */
void mm_failure_name(struct mm *mm, struct mm_failure *why);

/* Return the negated errno of a reason: VETO -> -EBUSY, DEADLINE -> -ETIMEDOUT ... */
int mm_reason_errno(enum mm_reason reason);

/* Fill @why and return mm_reason_errno(reason). */
int mm_fail(struct mm_failure *why, enum mm_reason reason, unsigned long pfn);

#endif
