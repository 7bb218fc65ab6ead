/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _KERNEL_ABI_H
#define _KERNEL_ABI_H

/*
 * The numbers that leave the kernel: frame types, migrate types, block states,
 * online types, phases of an evacuation, failure reasons. The console, the
 * trace, the host's tools and the tables in docs/reference/ take their words
 * from the tables below, and from nowhere else.
 *
 * Append only: a number, once given, never changes its meaning. The same rule holds for
 * the event ids in kernel/trace/trace_events.h.
 *
 * This header includes nothing, so that host programs can use it as it is.
 */

/* An X for the tables below: each row begins with a name and a word, and this yields the word. */
#define TABLE_WORD(name, word, ...) word,

/*
 * PAGE_TYPES(X): X(NAME, "Name", COUNT, ALLOC, MOBILITY, KPF, "owner word", "meaning")
 *   COUNT     NONE: no reference count, ever; COUNTED: has one
 *   ALLOC     YES: alloc_pages() gives it out, and free_pages() takes it back; or NO
 *   MOBILITY  FIXED: never moves. FREE: not in use. OPS: moves through the type's
 *             movable_ops. OWNER: the owner decides (PageOffline: skippable).
 *             NOTRAM: there is no memory to move.
 *   KPF       the closest of Linux's kpageflags bits (uapi kernel-page-flags.h), or -1
 * Every frame of an online section has exactly one of these; 0 is never stored.
 */
#define PAGE_TYPES(X)                                                                          \
	X(NONE, "None", NONE, NO, FIXED, -1, "-",                                              \
	  "never valid: a frame without a type is a bug")                                      \
	X(BUDDY, "Buddy", NONE, NO, FREE, 10, "-", "free, in the buddy allocator")             \
	X(CACHED, "Cached", NONE, NO, FREE, -1, "-", "free, in one hart's page cache")         \
	X(OFFLINE, "Offline", NONE, NO, OWNER, 23, "none: looked up by range",                 \
	  "logically offline inside an online block; stays frozen")                            \
	X(PGTABLE, "PageTable", NONE, YES, FIXED, 26, "eighths in use", "a page table")        \
	X(SLAB, "Slab", NONE, YES, FIXED, 7, "struct slab *", "slab objects")                  \
	X(KERNEL, "Kernel", NONE, YES, FIXED, -1, "the user's", "kernel data")                 \
	X(DRIVER, "Driver", COUNTED, YES, OPS, -1, "the slot that refers to it",               \
	  "a driver's movable page, known to one slot")                                        \
	X(ANON, "Anon", COUNTED, YES, OPS, 12, "page-table slot", "anonymous memory")          \
	X(PAGECACHE, "PageCache", COUNTED, YES, OPS, 5, "cache slot", "page cache")            \
	X(HUGE, "Huge", COUNTED, YES, OPS, 17, "slot", "huge page, head or tail")              \
	X(FIRMWARE, "Firmware", NONE, NO, FIXED, 32, "-", "reserved by the firmware")          \
	X(IMAGE, "Image", NONE, NO, FIXED, 32, "-", "the kernel image")                        \
	X(BOOT, "Boot", NONE, NO, FIXED, 32, "-", "allocated before the allocator was up")     \
	X(MEMMAP, "Memmap", NONE, NO, FIXED, 32, "section", "page descriptors and free bits")  \
	X(HOLE, "Hole", NONE, NO, NOTRAM, 20, "-", "no memory here")                           \
	X(DEVICE, "Device", NONE, NO, NOTRAM, 20, "-", "a device's memory")

enum page_type {
#define X(name, ...) PGTY_##name,
	PAGE_TYPES(X)
#undef X
	NR_PAGE_TYPES
};

enum page_count_rule {
	PAGE_COUNT_NONE,    /* no reference count; page_try_get() fails by construction */
	PAGE_COUNT_COUNTED, /* lives while its count is above zero */
};

enum page_mobility {
	PAGE_MOBILITY_FIXED,  /* never moves; only its owner can free it */
	PAGE_MOBILITY_FREE,   /* not in use */
	PAGE_MOBILITY_OPS,    /* moves through its type's movable_ops */
	PAGE_MOBILITY_OWNER,  /* PageOffline: skippable or not */
	PAGE_MOBILITY_NOTRAM, /* no memory to move */
};

/* The flags next to the type: 8 bits in the descriptor's word. */
#define PAGE_FLAGS(X)                                                                          \
	X(TAIL, 0, "tail", "belongs to the chunk with its head at pfn & ~mask(order)")         \
	X(OFFLINE_SKIPPABLE, 1, "skippable",                                                   \
	  "PageOffline only: the owner restores it at re-onlining, offlining may step over")   \
	X(CLAIMED, 2, "claimed", "isolated for migration by exactly one mover")                \
	X(PINNED, 3, "pinned", "must stay where it is until it is unpinned")                   \
	X(POISON, 4, "poison", "filled with the poison pattern when it was freed")             \
	X(HWPOISON, 5, "hwpoison", "marked broken: never handed out again")

enum page_flag_bit {
#define X(name, bit, str, meaning) PG_##name##_BIT = bit,
	PAGE_FLAGS(X)
#undef X
};

/* MIGRATE_TYPES(X): X(NAME, "Name as in Linux's /proc/pagetypeinfo", "meaning") */
#define MIGRATE_TYPES(X)                                                                       \
	X(UNMOVABLE, "Unmovable", "kernel data that stays")                                    \
	X(MOVABLE, "Movable", "content that can be migrated")                                  \
	X(RECLAIMABLE, "Reclaimable", "kernel data that can be dropped")                       \
	X(HIGHATOMIC, "HighAtomic", "Linux's reserve; ebb never stores it")                    \
	X(ISOLATE, "Isolate", "a view: the isolate bit is set; never stored as a type")

enum migratetype {
#define X(name, str, meaning) MIGRATE_##name,
	MIGRATE_TYPES(X)
#undef X
	NR_MIGRATE_TYPES,
	NR_MIGRATE_STORED = MIGRATE_RECLAIMABLE + 1, /* those a pageblock word stores */
};

/* ZONES(X): X(NAME, "Name as in Linux", "meaning") */
#define ZONES(X)                                                                               \
	X(NORMAL, "Normal", "anything may live here")                                          \
	X(MOVABLE, "Movable", "movable content only, so that its blocks can leave")

enum zone_type {
#define X(name, str, meaning) ZONE_##name,
	ZONES(X)
#undef X
	NR_ZONES
};

/* ZONE_COUNTERS(X): X(NAME, field of struct zone, "meaning"), for mm:zone_count. */
#define ZONE_COUNTERS(X)                                                                       \
	X(START_PFN, start_pfn, "first frame of its span")                                     \
	X(SPANNED, spanned, "frames from the first to the last section")                       \
	X(PRESENT, present, "frames that are memory")                                          \
	X(MANAGED, managed, "present frames that can be allocated")                            \
	X(FREE, free, "free frames, not isolated")                                             \
	X(FREE_ISOLATED, free_isolated, "free frames of isolated pageblocks")                  \
	X(NR_ISOLATED, nr_isolated, "isolated pageblocks")

enum zone_counter {
#define X(name, field, meaning) ZONE_COUNTER_##name,
	ZONE_COUNTERS(X)
#undef X
	NR_ZONE_COUNTERS
};

/* BLOCK_STATES(X): the states of a memory block, with Linux's sysfs words. */
#define BLOCK_STATES(X)                                                                        \
	X(ABSENT, "absent", "not added")                                                       \
	X(OFFLINE, "offline", "added; its memmap must not be used")                            \
	X(GOING_ONLINE, "going-online", "online in progress: nothing allocatable yet")         \
	X(ONLINE, "online", "its free frames can be allocated")                                \
	X(GOING_OFFLINE, "going-offline", "being emptied: isolated, still partly in use")      \
	X(REMOVING, "removing", "offline, and its memmap is going away")

enum memory_block_state {
#define X(name, str, meaning) MEM_BLOCK_##name,
	BLOCK_STATES(X)
#undef X
	NR_BLOCK_STATES
};

/* ONLINE_TYPES(X): X(NAME, "word", "meaning"), as written to memoryN/state. */
#define ONLINE_TYPES(X)                                                                        \
	X(OFFLINE, "offline", "leave it offline")                                              \
	X(ONLINE, "online", "zone by the default rule")                                        \
	X(ONLINE_KERNEL, "online_kernel", "into zone Normal")                                  \
	X(ONLINE_MOVABLE, "online_movable", "into zone Movable")

enum mhp_online_type {
#define X(name, str, meaning) MMOP_##name,
	ONLINE_TYPES(X)
#undef X
	NR_ONLINE_TYPES
};

/* MEM_EVENTS(X): the events of memory notifiers, in the order of a block's life. */
#define MEM_EVENTS(X)                                                                          \
	X(GOING_ONLINE, "going-online", "may be vetoed; nothing is allocatable")               \
	X(CANCEL_ONLINE, "cancel-online", "end after going-online: it did not happen")         \
	X(ONLINE, "online", "end after going-online: it happened")                             \
	X(GOING_OFFLINE, "going-offline", "may be vetoed; the range is isolated")              \
	X(CANCEL_OFFLINE, "cancel-offline", "end after going-offline: it did not happen")      \
	X(OFFLINE, "offline", "end after going-offline: it happened")

enum mem_event {
#define X(name, str, meaning) MEM_##name,
	MEM_EVENTS(X)
#undef X
	NR_MEM_EVENTS
};

/* EVAC_PHASES(X): the steps of evacuate(), in order (docs/explanation/evacuation.md). */
#define EVAC_PHASES(X)                                                                         \
	X(IDLE, "idle", "not started")                                                         \
	X(ISOLATE, "isolate", "set the isolate bit over the whole target")                     \
	X(DRAIN, "drain", "empty the harts' page caches by one grace period")                  \
	X(CLASSIFY, "classify", "one read-only pass, the verdict is final")                    \
	X(MIGRATE, "migrate", "move what is movable")                                          \
	X(WAIT, "wait", "wait for a blocking page to be freed")                                \
	X(VERIFY, "verify", "everything free or skippable?")                                   \
	X(COMMIT, "commit", "hand the frames over")                                            \
	X(UNDO, "undo", "failure: restore everything")

enum evac_phase {
#define X(name, str, meaning) EVAC_##name,
	EVAC_PHASES(X)
#undef X
	NR_EVAC_PHASES
};

/*
 * MM_REASONS(X): X(NAME, errno, "words", "hint"): why an operation failed, for programs and
 * in words, and what the user can do. mm_failure_print() writes the words, the details (pfn,
 * type, owner), and the hint after a ";".
 */
#define MM_REASONS(X)                                                                              \
	X(NONE, 0, "no failure", "it worked")                                                      \
	X(UNMOVABLE, EBUSY, "is unmovable", "its type never moves, so its owner must free it")     \
	X(NOT_SKIPPABLE, EBUSY, "is offline and not skippable",                                    \
	  "only its driver can bring it back")                                                     \
	X(SKIPPABLE_TAKEN, EBUSY, "is offline already", "contig cannot take a driver's frames")    \
	X(PINNED, EBUSY, "is pinned", "unpin it first")                                            \
	X(CLAIM_LOST, EAGAIN, "is being moved by another request", "try again")                    \
	X(NO_TARGET, ENOMEM, "has no free frame to move to", "free memory, or shrink less")        \
	X(COPY_FAILED, EIO, "could not be copied", "its owner refused the move")                   \
	X(ALREADY_ISOLATED, EBUSY, "is isolated by another request", "wait for the other request") \
	X(HARTS_BUSY, ETIMEDOUT, "a hart did not reach a quiescent point",                         \
	  "the log says which, and why it spins")                                                  \
	X(DEADLINE, ETIMEDOUT, "deadline passed", "try again, or wait for longer")                 \
	X(CANCELLED, EINTR, "cancelled", "by Ctrl-C, or because the target changed")               \
	X(VETO, EBUSY, "refused by a notifier", "its driver must agree first")                     \
	X(OUT_OF_RANGE, E2BIG, "is outside the addressable range", "see the boot log's limits")    \
	X(EXISTS, EEXIST, "exists already", "it overlaps a block or region that was added")        \
	X(NOT_PRESENT, ENOENT, "does not exist", "no such block was added: see lsmem")             \
	X(WRONG_STATE, EINVAL, "is in the wrong state", "see lsmem")                               \
	X(SHARED_BLOCK, EBUSY, "shares its block with boot memory",                                \
	  "such a block never goes offline")                                                       \
	X(MISALIGNED, EINVAL, "is not aligned", "align it to a memory block or a pageblock")       \
	X(NO_MEMORY, ENOMEM, "no memory for metadata", "the reserve is used up: free memory")      \
	X(ZONE_MIX, EINVAL, "spans two zones", "one zone at a time")                               \
	X(NOT_FREE, EBUSY, "is not free", "free it first")                                         \
	X(NO_RANGE, ENOMEM, "no such free range", "nothing large enough can be emptied")           \
	X(HOLE, EINVAL, "is a hole", "there is no memory")                                         \
	X(HWPOISON, EHWPOISON, "has a broken frame",                                               \
	  "it cannot be used again until it is replaced")                                          \
	X(METADATA, EBUSY, "holds its block's metadata", "it leaves last, with the whole block")   \
	X(NOT_OFFLINE, EBUSY, "is not offline", "take the block offline first")                    \
	X(LOCKED, EBUSY, "another request is at work", "try again when that has ended")            \
	X(BAD_POLICY, EINVAL, "the request contradicts itself", "its parts exclude each other")

enum mm_reason {
#define X(name, ...) MM_REASON_##name,
	MM_REASONS(X)
#undef X
	NR_MM_REASONS
};

#endif
