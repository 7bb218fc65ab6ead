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

struct memory_owner;
struct mm_failure;

/**
 * struct pageblock - the state of 512 frames, 2 MiB
 * @word: counts, migrate type and, while all frames agree, their descriptor: mm/pageblock.h
 * @owner: owner word of a chunk that covers the pageblock
 */
struct pageblock {
	u64 word __only_for("pageblock words");
	u64 owner __only_for("pageblock words");
};

/* The search trees for free frames: one per (zone, migrate type) that exists. */
enum free_area_id {
	FREE_NORMAL_UNMOVABLE,
	FREE_NORMAL_MOVABLE,
	FREE_NORMAL_RECLAIMABLE,
	FREE_MOVABLE_MOVABLE, /* zone Movable has no other migrate type */
	NR_FREE_AREAS
};

/* Bits of mem_section.flags. */
#define SECTION_PRESENT	    BIT(0) /* added: it has metadata */
#define SECTION_ONLINE	    BIT(1) /* its memmap may be read */
#define SECTION_EARLY	    BIT(2) /* from boot; metadata in boot memory; never offline */
#define SECTION_SELF_HOSTED BIT(3) /* metadata lies in its own first plugged granule */

/*
 * Lock keys:
 *   (c) constant while the section, zone or mm is in use
 *   (h) mm->hotplug_lock
 *   (z) lock of the zone that the section is in; mm->hotplug_lock if it is in none
 *   (b) both of these to write, one of them to read
 *   (e) the request that takes the block away, in state GOING_OFFLINE or REMOVING
 *   (r) mm->reserve_lock
 *   (a) atomic operations, or WRITE_ONCE() and READ_ONCE()
 *   (n) has keys of its own
 *
 * Walkers and views read fields of (h), (z) and (b) without the lock, by READ_ONCE(): what
 * they show was true a moment ago.
 */

/**
 * struct mem_section - 128 MiB of frames, which is also one memory block
 * @avail: bit b of avail[k]: pageblock b's largest free chunk has order k and it
 *	   is not isolated (k = 10: b is even and b, b+1 are one free chunk)
 * @mt: bit b of mt[t]: pageblock b has stored migrate type t
 * @free_bits: 1 = free, 512 bits per pageblock; valid per pageblock (PB_VALID)
 * @start_pfn: first frame
 * @zone: NULL unless online (or being onlined); set and cleared under that zone's lock
 * @flags: SECTION_*
 * @unmapped: bit b: pageblock b is not in the direct map
 * @hole: bit b: all of pageblock b is hole (no memory belongs there)
 * @boot: bit b: pageblock b holds memory from boot, which no memory_owner can have
 * @present: frames that are memory: all but holes
 * @host_pfn: first of the MHP_HEADER_PAGES metadata frames, or PFN_NONE
 * @state: enum memory_block_state; only memory_block_set_state() changes it
 * @online_type: type that the block was onlined with, for restoring it
 * @restore: set while a request removes it: the zone to which online_section() brings it
 *	   back if the memory cannot be removed after all; see RESTORE_ZONE()
 * @next: links the blocks of one request; used while GOING_OFFLINE or REMOVING
 * @told: GOING_OFFLINE: the listeners that must hear how it ends
 * @owner: the owner that added it; NULL for boot memory
 * @pb: the 64 pageblocks
 */
struct mem_section {
	u64 avail[NR_PAGE_ORDERS];	/* (z) */
	u64 mt[NR_MIGRATE_STORED];	/* (z) */
	u64 *free_bits;			/* (c) */
	unsigned long start_pfn;	/* (c) */
	struct zone *zone __only_for("zones of kept sections"); /* (b) */
	struct mm *mm;			/* (c) */
	u64 unmapped;			/* (h) */
	u64 hole;			/* (h) */
	u64 boot;			/* (c) */
	u32 flags;			/* (h) */
	u8 state;			/* (h) */
	u8 online_type;			/* (h) */
	u8 restore;			/* (h) */
	u32 present;			/* (h) */
	unsigned long host_pfn;		/* (c) */
	struct memory_owner *owner;	/* (h) */
	struct mem_section *next;	/* (e) */
	struct notifier_start told;	/* (e) */
	struct pageblock pb[PAGEBLOCKS_PER_SECTION]; /* (z) */
};
static_assert(sizeof(struct mem_section) <= 2048, "two sections fit a page");

/*
 * A look-up finds a section by two loads: mm->root[pfn >> 23]->section[...]. A root
 * covers 32 GiB and takes one page; entries without a root point to one shared root
 * without sections, so that no look-up tests for NULL twice.
 * @avail: bit s of avail[area][k]: section s of this root has a bit in avail[k]
 *	   and belongs to that area.
 * @in_zone: bit s of in_zone[z]: section s belongs to zone z (for its span)
 * @present: bit s: section[s] is not NULL
 * @nr_sections: pointers in section[]; at 0 the root's page is freed
 */
#define SECTIONS_PER_ROOT 256
#define NR_SECTION_ROOTS  1024 /* 32 TiB */
#define ROOT_PFN_SHIFT	  (SECTION_PFN_SHIFT + 8)

struct section_root {
	struct mem_section *section[SECTIONS_PER_ROOT];
	u64 avail[NR_FREE_AREAS][NR_PAGE_ORDERS][SECTIONS_PER_ROOT / 64];
	u64 in_zone[NR_ZONES][SECTIONS_PER_ROOT / 64];
	u64 present[SECTIONS_PER_ROOT / 64];
	unsigned long nr_sections;
};
static_assert(sizeof(struct section_root) <= PAGE_SIZE, "a root fits a page");

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
 * @avail_orders: per area: bit k: some root has a bit in avail[area][k]
 * @root_avail: per area and order: which roots (1024 bits)
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
	u32 avail_orders[NR_MIGRATE_STORED];	/* (z) */
	u64 root_avail[NR_MIGRATE_STORED][NR_PAGE_ORDERS][NR_SECTION_ROOTS / 64]; /* (z) */
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
 * @nr_guests: so many of them, the first ones, are not boot memory
 * @owners_gone: how many owners have left; each one changed the state of its frames
 * @max_pfn: first pfn after the last present section
 * @present_early: present frames of boot sections, for the auto-movable ratio
 * @default_online_type: what add_memory() does after adding
 * @inject: error injection for tests: fail the Nth step from now; 0 is off
 * @vm_events: by enum vm_event, for /proc/vmstat; atomic, never on a fast path
 * @block_log: rate limit of log lines about memory blocks
 * @contig_log: rate limit of log lines about contiguous ranges
 * @phantom: the frames have no memory behind them (tests): never touch their contents
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
	u64 vm_events[16];				/* (a) */
	struct ratelimit_state block_log, contig_log;	/* (n) */
	bool phantom;					/* (c) */
	const char *name;				/* (c) */
};

extern struct mm kernel_mm;
extern struct section_root empty_section_root;

/*
 * The section of a pfn, or NULL: two loads; any number will do. Only for callers that
 * keep the section in place: by the hotplug lock, by owning a frame of it, by having
 * isolated it, or by its zone's lock. All other readers are walkers and call
 * walk_section().
 */
__only_for("kept sections")
static inline struct mem_section *pfn_to_section(const struct mm *mm, unsigned long pfn)
{
	if (unlikely(pfn >> ROOT_PFN_SHIFT >= NR_SECTION_ROOTS))
		return NULL;
	return READ_POINTER(READ_POINTER(mm->root[pfn >> ROOT_PFN_SHIFT])
				    ->section[(pfn >> SECTION_PFN_SHIFT) % SECTIONS_PER_ROOT]);
}

/**
 * walk_section() - look a section up as a walker, once per bracket and section
 * @mm: memory
 * @pfn: any number
 *
 * Context: in a walk bracket.
 * Return: the section, or NULL. It stays readable until the bracket ends, even if its
 * block goes offline or is removed.
 */
static inline struct mem_section *walk_section(const struct mm *mm, unsigned long pfn)
	__must_hold(walk_bracket)
{
	return pfn_to_section(mm, pfn);
}

/* walk_section() for the first present section numbered @nr or above; NULL at the end. */
struct mem_section *walk_next_section(const struct mm *mm, unsigned long nr)
	__must_hold(walk_bracket);

/**
 * section_zone() - load a section's zone as a walker, once per look-up
 * @ms: from walk_section()
 *
 * Context: in a walk bracket.
 * Return: the zone at this moment, or NULL if the section is in none. Zones are
 * permanent, but the section may have left the zone by the time this returns.
 */
struct zone *section_zone(const struct mem_section *ms) __must_hold(walk_bracket);

/**
 * section_lock_zone() - take the lock of the zone that a section belongs to
 * @ms: from walk_section()
 *
 * A section leaves its zone only under that lock, so @ms stays in the returned zone
 * until the caller releases the lock.
 * Context: in a walk bracket, no zone's lock held.
 * Return: the zone, locked, for section_unlock_zone(); NULL, with no lock held, if the
 * section is in no zone.
 */
struct zone *section_lock_zone(const struct mem_section *ms) __must_hold(walk_bracket);

static inline void section_unlock_zone(struct zone *zone) __no_lock_analysis
{
	spin_unlock(&zone->lock);
}

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

struct memblock;

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
 * Context: thread; takes the hotplug lock, then one zone's lock after the other.
 * Return: the number of differences found; 0 is healthy.
 */
unsigned int mm_check(struct mm *mm, struct sink *out);

/**
 * struct mm_failure - why something failed, for the caller, the log and the console
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

/* For a caller that looks at the errno only: no function takes NULL for the failure. */
#define NO_WHY (&(struct mm_failure){ .pfn = PFN_NONE })

/* Write "pfn 0x90a40 is Slab, cache foo (3 retries, 12 ms)" at once; no newline. */
void mm_failure_print(const struct mm_failure *why, struct sink *out);

/* "is pinned"; and the hint for the user: "unpin it first". */
const char *mm_reason_name(enum mm_reason reason);
const char *mm_reason_hint(enum mm_reason reason);

/* Fill @why->detail, if it is NULL, from the frame: name of its slab cache or owner. */
void mm_failure_name(struct mm *mm, struct mm_failure *why);

/* The errno that a reason stands for, negated: VETO -> -EBUSY, DEADLINE -> -ETIMEDOUT ... */
int mm_reason_errno(enum mm_reason reason);

/* Fill @why and return mm_reason_errno(reason). */
int mm_fail(struct mm_failure *why, enum mm_reason reason, unsigned long pfn);

#endif
