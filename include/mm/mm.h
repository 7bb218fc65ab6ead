/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_MM_H
#define _MM_MM_H

/*
 * struct mm: all of one memory's state. The kernel has one (kernel_mm); a test
 * makes its own on a private window of frames. Zones, sections, pageblocks.
 *
 * Locks, outermost first:
 *   mm->hotplug_lock (mutex)  add, online, offline, remove; owners; isolation. A request
 *			       that waits for a free gives it up for that time
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

struct memory_owner;
struct mm_failure;

/* A range of frames. */
struct pfn_range {
	unsigned long start_pfn;
	unsigned long nr_pages;
};

/* The first frame behind a range. */
static inline unsigned long range_end(const struct pfn_range *r)
{
	return r->start_pfn + r->nr_pages;
}

/*
 * The pageblock word, 64 bits, changed under zone->lock and read without it:
 *
 *   bits  0-9   free: free frames in the buddy allocator, 0..512
 *   bits 10-12  migrate type (preserved across isolation)
 *   bit  13     isolate
 *   bit  14     valid: the 512 descriptors and the 64 bytes of free bits are valid
 *   bit  15     watch: an owner is told when a frame of it is freed, unpinned, un-isolated
 *   bits 16-47  the constant descriptor's word, when not valid (see page_word())
 *   bits 48-51  index order: the order of its largest free chunk, as filed in
 *               the section's avail[] masks; 15 if filed nowhere
 *   bits 52-63  sequence: counts changes of "valid", for readers without a lock
 *
 * When not valid: constant type Buddy <=> free == 512, and the free bits are not
 * maintained. Types with a count are never said by a pageblock word. A chunk of
 * order 9 or 10 may be: its head is the (first) pageblock's first frame, its
 * owner word is pageblock.owner of the first.
 */
struct pageblock {
	u64 word __only_for("pageblock words");
	u64 owner __only_for("pageblock words");
};

#define PB_FREE_MASK	0x3ffUL
#define PB_MT_SHIFT	10
#define PB_MT_MASK	(7UL << PB_MT_SHIFT)
#define PB_ISOLATE	BIT(13)
#define PB_VALID	BIT(14)
#define PB_WATCH	BIT(15)
#define PB_CONST_SHIFT	16
#define PB_CONST_MASK	(0xffffffffUL << PB_CONST_SHIFT)
#define PB_INDEX_SHIFT	48
#define PB_INDEX_MASK	(0xfUL << PB_INDEX_SHIFT)
#define PB_INDEX_NONE	15
#define PB_SEQ_SHIFT	52

/* Where a search for free frames looks: one tree per (zone, migrate type) that exists. */
enum free_area_id {
	FREE_NORMAL_UNMOVABLE,
	FREE_NORMAL_MOVABLE,
	FREE_NORMAL_RECLAIMABLE,
	FREE_MOVABLE_MOVABLE, /* zone Movable holds nothing else */
	NR_FREE_AREAS
};

/* Bits of mem_section.flags. */
#define SECTION_PRESENT	    BIT(0) /* added: metadata is there */
#define SECTION_ONLINE	    BIT(1) /* its memmap may be read */
#define SECTION_EARLY	    BIT(2) /* from boot; metadata in boot memory; never offline */
#define SECTION_SELF_HOSTED BIT(3) /* metadata lies in its own first plugged granule */

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
 * @boot: bit b: pageblock b holds memory from boot, which nobody else can own
 * @present: frames that are memory: all but holes
 * @host_pfn: first of the MHP_HEADER_PAGES metadata frames, or PFN_NONE
 * @state: enum memory_block_state, changed by memory_block_set_state() alone
 * @online_type: with which it was onlined, for restoring it
 * @restore: leaves with others; online_section() brings it back to this zone if the memory
 *	   cannot be removed after all: see RESTORE_ZONE()
 * @next: links the blocks of one request to offline; theirs while GOING_OFFLINE or REMOVING
 * @told: GOING_OFFLINE: who is to hear its end
 * @owner: who added it; NULL for boot memory
 * @pb: the 64 pageblocks
 */
struct mem_section {
	u64 avail[NR_PAGE_ORDERS];
	u64 mt[NR_MIGRATE_STORED];
	u64 *free_bits;
	unsigned long start_pfn;
	struct zone *zone __only_for("zones of kept sections");
	struct mm *mm;
	u64 unmapped;
	u64 hole;
	u64 boot;
	u32 flags;
	u8 state;
	u8 online_type;
	u8 nr_hwpoison;
	u8 restore;
	u32 present;
	unsigned long host_pfn;
	struct memory_owner *owner;
	struct mem_section *next;
	struct notifier_start told;
	struct pageblock pb[PAGEBLOCKS_PER_SECTION];
};
static_assert(sizeof(struct mem_section) <= 2048, "two sections fit a page");

/*
 * Sections are found by two loads: mm->root[pfn >> 23]->section[...]. A root
 * covers 32 GiB and takes one page; a root that was never needed points to one
 * shared root without sections, so that no look-up tests for NULL twice.
 * @avail: bit s of avail[area][k]: section s of this root has a bit in avail[k]
 *	   and belongs to that area.
 * @in_zone: bit s of in_zone[z]: section s belongs to zone z (for its span)
 * @present: bit s: section[s] is not NULL
 * @nr_sections: pointers in section[]; at 0 the root's page is given back
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
 * struct zone - one zone's counters and the top of its search trees; in frames
 * @spanned: from the first to the last frame of its sections
 * @present: frames of its online blocks that are memory (not holes)
 * @managed: present less firmware, image, boot, memmap and PageOffline frames
 * @free: free in the buddy allocator and not isolated
 * @free_isolated: free in isolated pageblocks
 * @nr_isolated: pageblocks with the isolate bit
 * @nr_watched: pageblocks with the watch bit
 * @avail_orders: per area: bit k: some root has a bit in avail[area][k]
 * @root_avail: per area and order: which roots (1024 bits)
 * @freed: woken, in the "this block is isolated" branch of the free path only
 */
struct zone {
	spinlock_t lock;
	struct mm *mm;
	enum zone_type type;
	unsigned long start_pfn;
	unsigned long spanned;
	unsigned long present;
	unsigned long managed;
	unsigned long free;
	unsigned long free_isolated;
	unsigned long nr_isolated;
	unsigned long nr_watched;
	unsigned long wmark[NR_WMARK];
	u32 avail_orders[NR_MIGRATE_STORED];
	u64 root_avail[NR_MIGRATE_STORED][NR_PAGE_ORDERS][NR_SECTION_ROOTS / 64];
	u32 nr_free_waiters;
	struct wait_queue freed;
};

/* Per hart: stacks of free chunks, used by their hart alone. See mm/pcp.c. */
struct pcp;

/* How many pages the last-resort reserve for page tables and sections holds. */
#define MM_RESERVE_PAGES 16

/**
 * struct mm - all of one memory's state
 * @pcp: by hart id; never NULL (pcp_none). First: near for the allocator's short way
 * @root: see above; never NULL
 * @owners: struct memory_owner, by range
 * @section_pool: free halves of pages that hold section objects (mm/sparse.c)
 * @reserve: pfns of the fixed reserve
 * @owners_gone: how many owners have left; what their frames are has changed then
 * @max_pfn: one past the last section that is there
 * @present_early: present frames of boot sections, for the auto-movable ratio
 * @default_online_type: what add_memory() does after adding
 * @inject: error injection for tests: the how manyth step from now fails; 0 is off
 * @vm_events: counted by enum vm_event, for /proc/vmstat; atomic, never on a fast path
 * @block_log: of lines about memory blocks; @contig_log: about contiguous ranges
 * @phantom: no memory stands behind the frames (tests): contents are never touched
 */
struct mm {
	struct pcp *pcp[MAX_HARTS];
	struct section_root *root[NR_SECTION_ROOTS] __only_for("section roots");
	struct zone zone[NR_ZONES];
	struct mutex hotplug_lock;
	struct list_head owners;
	u32 owners_gone;
	struct list_head section_pool;
	struct notifier_chain notifiers;
	unsigned long reserve[MM_RESERVE_PAGES];
	unsigned int nr_reserve;
	u32 inject;
	spinlock_t reserve_lock;
	unsigned long max_pfn;
	unsigned long present_early;
	enum mhp_online_type default_online_type;
	u64 vm_events[16];
	struct ratelimit_state block_log, contig_log;
	bool phantom;
	const char *name;
};

extern struct mm kernel_mm;
extern struct section_root empty_section_root;

/*
 * The section of any pfn below 32 TiB, or NULL. Two loads. For callers that keep the
 * section: by the hotplug lock, by a frame of it that is theirs, by having isolated it,
 * by its zone's lock. All others are walkers, and call walk_section().
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
 * walk_section() - a walker's look-up; once per bracket and section
 * @mm: memory
 * @pfn: any number
 *
 * Context: in a walk bracket. Return: the section, which stays readable until the
 * bracket ends, whatever becomes of its block; or NULL.
 */
static inline struct mem_section *walk_section(const struct mm *mm, unsigned long pfn)
	__must_hold(walk_bracket)
{
	return pfn_to_section(mm, pfn);
}

/* The same: the first section whose number is at least @nr; NULL at the end. */
struct mem_section *walk_next_section(const struct mm *mm, unsigned long nr)
	__must_hold(walk_bracket);

/**
 * section_zone() - a walker's look at the zone of a section; once per look-up
 * @ms: from walk_section()
 *
 * Context: in a walk bracket. Return: its zone at this moment, NULL if it is in none. A
 * zone itself never goes away, but the section may have left it when this returns.
 */
struct zone *section_zone(const struct mem_section *ms) __must_hold(walk_bracket);

/**
 * section_lock_zone() - take the lock of the zone that a section belongs to
 * @ms: from walk_section()
 *
 * The section leaves its zone under that lock only, so until it is given back, @ms is in
 * the zone that is returned.
 * Context: in a walk bracket, no zone's lock held. Return: the zone, locked, to be given
 * to section_unlock_zone(); NULL, and no lock, if the section went offline.
 */
struct zone *section_lock_zone(const struct mem_section *ms) __must_hold(walk_bracket);

static inline void section_unlock_zone(struct zone *zone) __no_lock_analysis
{
	spin_unlock(&zone->lock);
}

static inline unsigned int pageblock_index(unsigned long pfn)
{
	return (pfn >> PAGEBLOCK_ORDER) % PAGEBLOCKS_PER_SECTION;
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
 * No sections, no harts' caches; mm_populate() or add_memory() bring frames.
 */
void mm_init(struct mm *mm, const char *name);

/**
 * mm_boot() - build kernel_mm out of memblock
 *
 * Called once, on the boot hart, when the direct map is up: makes the memmap of
 * every boot section, types what is reserved, and frees the rest to the buddy
 * allocator. memblock_alloc() must not be called afterwards.
 * Return: 0; -ENOMEM if the memmap does not fit the boot memory (said in words).
 */
int __must_check mm_boot(void);

struct memblock;

/**
 * mm_populate() - give an empty memory its early sections, out of a memblock
 * @mm: after mm_init()
 * @mb: memory and reserved ranges; metadata is allocated from it
 *
 * What mm_boot() does for kernel_mm; tests do it for windows of their own. The
 * direct map of all memory in @mb is up. O(pageblocks).
 * Context: thread or boot, nobody else uses @mm.
 * Return: 0; -ENOMEM if the metadata does not fit; -E2BIG beyond what can be addressed.
 */
int __must_check mm_populate(struct mm *mm, struct memblock *mb);

/**
 * mm_depopulate() - forget all sections of a test's memory, early ones too
 * @mm: not kernel_mm; nobody uses it
 *
 * Unmaps the memmaps and the direct map of added blocks; early sections' own memory
 * stays mapped, it belongs to who made the window.
 */
void mm_depopulate(struct mm *mm);

/* The page cache of one more hart (hart id below 8); before the hart runs. */
int __must_check mm_hart_init(struct mm *mm, unsigned int hart);

struct sink;

/**
 * mm_check() - recompute every counter and index from the frames and compare
 * @out: where differences are described, one a line; may be NULL
 *
 * Context: thread; takes the hotplug lock, then each zone's lock per section.
 * Other harts' caches are looked at through the frames' types.
 * Return: the number of differences found; 0 is healthy.
 */
unsigned int mm_check(struct mm *mm, struct sink *out);

/**
 * struct mm_failure - why something failed, for the caller, the log and the console
 * @reason: MM_REASON_*; decides the words
 * @pfn: the first frame that stood in the way, or PFN_NONE
 * @type: that frame's type
 * @owner: that frame's owner word
 * @cause: if the time was up or it was cancelled: why the frame stood in the way until then
 * @phase: EVAC_* in which it failed
 * @retries: how often it was tried
 * @scans: how often the ranges were searched for what is still in the way
 * @migrated: pages that were moved before it failed (0 for hopeless ranges)
 * @elapsed_ns: how long it took
 * @detail: a name that helps (slab cache, notifier, hart), or NULL; static storage
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

/* "pfn 0x90a40 is Slab, cache foo (3 retries, 12 ms)" to a sink in one write; no newline. */
void mm_failure_print(const struct mm_failure *why, struct sink *out);

/* "is pinned"; and what one can do about it: "unpin it first". */
const char *mm_reason_name(enum mm_reason reason);
const char *mm_reason_hint(enum mm_reason reason);

/* Fill @why->detail, if it is NULL, from the frame: name of its slab cache or owner. */
void mm_failure_name(struct mm *mm, struct mm_failure *why);

/* The errno that a reason stands for, negated: VETO -> -EBUSY, DEADLINE -> -ETIMEDOUT ... */
int mm_reason_errno(enum mm_reason reason);

/* Fill @why (may be NULL) and return mm_reason_errno(reason). */
int mm_fail(struct mm_failure *why, enum mm_reason reason, unsigned long pfn);

/* Name the memory block and granule of a stray physical address (panic path, no locks). */
void mm_describe_fault(phys_addr_t paddr, struct sink *out);

#endif
