/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_PAGE_H
#define _MM_PAGE_H

/*
 * The page descriptor, and the only ways to read it.
 *
 * A frame's state is in one of two places. While all 512 frames of a pageblock agree,
 * the pageblock word has one constant descriptor for all of them, and the 512
 * descriptors are not valid (unwritten or stale). As soon as single frames differ, the
 * pageblock is *materialised*: mm/ fills the descriptors from the constant, then makes
 * the word say "valid". page_state_get() reads either form, re-checks the word, and
 * never returns a mixture.
 *
 * Compare with: Linux include/linux/mm_types.h, page-flags.h (64 bytes there).
 */
#include "kernel/abi.h"
#include "kernel/hart.h"
#include "lib/types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define MAX_PAGE_ORDER	   10 /* the largest buddy: 4 MiB, two pageblocks */
#define NR_PAGE_ORDERS	   (MAX_PAGE_ORDER + 1)
#define PAGEBLOCK_ORDER	   9 /* 2 MiB */
#define PAGEBLOCK_NR_PAGES (1UL << PAGEBLOCK_ORDER)
#define PAGEBLOCK_SIZE	   (PAGEBLOCK_NR_PAGES << PAGE_SHIFT)

#define SECTION_SHIFT	   27 /* 128 MiB, as on Linux/riscv */
#define SECTION_PFN_SHIFT  (SECTION_SHIFT - PAGE_SHIFT)
#define PAGES_PER_SECTION  (1UL << SECTION_PFN_SHIFT)
#define PAGEBLOCKS_PER_SECTION (PAGES_PER_SECTION >> PAGEBLOCK_ORDER)

#define PFN_NONE (~0UL) /* "no frame"; 0 is a frame */

static inline unsigned long phys_to_pfn(phys_addr_t paddr)
{
	return paddr >> PAGE_SHIFT;
}

static inline phys_addr_t pfn_to_phys(unsigned long pfn)
{
	return (phys_addr_t)pfn << PAGE_SHIFT;
}

/* Only for the files that tools/lint/accessors.py lists; it warns about uses in other files. */
#ifndef __only_for
#define __only_for(what)
#endif

/**
 * struct page - the descriptor of one frame, 16 bytes
 * @word: type (bits 0-7), flags (8-15), order of its chunk (16-23), zone (24-27)
 * @count: references, for counted types; 0 for the others, except PageOffline
 * @owner: depends on the type (see PAGE_TYPES)
 *
 * It has no list links: bitmaps and the owners' own tables record membership. A
 * PageOffline frame uses only @word; a debug build has a canary in the other fields
 * (mm/descriptor.h).
 */
struct page {
	u32 word __only_for("descriptors");
	u32 count __only_for("descriptors");
	u64 owner __only_for("descriptors");
};
static_assert(sizeof(struct page) == 16, "the page descriptor is 16 bytes");

/* Descriptors of all frames, virtually contiguous; set by the machine at boot. */
extern struct page *vmemmap __only_for("addresses of descriptors");

/*
 * Return the address of a descriptor, valid or not: see page_state_get(). Uses integer
 * arithmetic, so that even PFN_NONE has an address, which no code may access.
 */
__only_for("addresses of descriptors")
static inline struct page *pfn_to_page(unsigned long pfn)
{
	return (struct page *)((uintptr_t)vmemmap + pfn * sizeof(struct page));
}

static inline unsigned long page_to_pfn(const struct page *page)
{
	return (unsigned long)(page - vmemmap);
}

#define PG_TAIL		     BIT(PG_TAIL_BIT)
#define PG_OFFLINE_SKIPPABLE BIT(PG_OFFLINE_SKIPPABLE_BIT)
#define PG_CLAIMED	     BIT(PG_CLAIMED_BIT)
#define PG_PINNED	     BIT(PG_PINNED_BIT)
#define PG_POISON	     BIT(PG_POISON_BIT)
#define PG_HWPOISON	     BIT(PG_HWPOISON_BIT)

#define PAGE_WORD_TYPE(w)  ((enum page_type)((w) & 0xff))
#define PAGE_WORD_FLAGS(w) (((w) >> 8) & 0xff)
#define PAGE_WORD_ORDER(w) (((w) >> 16) & 0xff)
#define PAGE_WORD_ZONE(w)  (((w) >> 24) & 0xf)

static inline u32 page_word(enum page_type type, unsigned int flags, unsigned int order,
			    unsigned int zone)
{
	return (u32)type | (u32)flags << 8 | (u32)order << 16 | (u32)zone << 24;
}

struct mm;

/* The walk bracket for clang's thread-safety analysis; no such object exists. */
struct __capability("walk bracket") walk_bracket {
	u32 unused;
};
extern struct walk_bracket walk_bracket;

/**
 * pfn_walk_begin() - keep every section, root and owner that a look-up finds readable
 *
 * Kernel code is not preempted, so no grace period ends before pfn_walk_end(): what a
 * look-up finds stays readable, though it may go offline. The hart counts as holding a
 * spinlock, so that a function that may sleep panics. Code inside may take spinlocks,
 * and brackets nest. A bracket costs no atomic operation. Walk at most one section per
 * bracket: it delays every grace period.
 *
 * Context: any. See "Readers of sections" in docs/reference/locking.md.
 */
static inline void pfn_walk_begin(void) __acquires(walk_bracket) __no_lock_analysis
{
	this_hart()->spin_depth++;
	/* The compiler must not move a load out of the bracket. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void pfn_walk_end(void) __releases(walk_bracket) __no_lock_analysis
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	this_hart()->spin_depth--;
}

/**
 * struct page_state - a consistent copy of one frame's state
 * @type: never PGTY_NONE for a frame of an online section
 * @flags: PG_* bits
 * @order: order of the chunk that the frame belongs to (0 if single)
 * @zone: enum zone_type
 * @isolated: its pageblock has the isolate bit
 * @migratetype: of its pageblock, regardless of the isolate bit
 * @uniform: the answer came from the pageblock word
 * @count: references (head's, for a tail)
 * @owner: owner word (head's, for a tail)
 * @head: first frame of its chunk
 */
struct page_state {
	enum page_type type;
	u8 flags;
	u8 order;
	u8 zone;
	u8 isolated;
	u8 migratetype;
	u8 uniform;
	u32 count;
	u64 owner;
	unsigned long head;
};

/**
 * page_state_get() - read one frame's state
 * @mm: the memory it belongs to
 * @pfn: any number
 * @st: filled on success
 *
 * Opens its own walk bracket, so @st was true at one moment, but may be stale at once,
 * unless the caller keeps the section.
 * Context: any; no lock.
 * Return: true; false if @pfn lies in no online section.
 */
bool page_state_get(const struct mm *mm, unsigned long pfn, struct page_state *st);

/**
 * pfn_to_online_page() - get the descriptor of any number, if there is one
 *
 * The memmap around it cannot go away before pfn_walk_end(), even if the block goes
 * offline and is removed meanwhile. Only the accessors may read the descriptor.
 * Context: in a walk bracket. Compare with: Linux's, which can race with hotplug.
 * Return: NULL if @pfn lies in no online section.
 */
const struct page *pfn_to_online_page(const struct mm *mm, unsigned long pfn)
	__must_hold(walk_bracket);

/*
 * Get the type alone, as page_state_get() does; PGTY_NONE if @pfn lies in no online section.
 */
enum page_type page_type(const struct mm *mm, unsigned long pfn);

/* Return the name for the user: "Slab", "Offline"; "?" beyond the table. */
const char *page_type_name(enum page_type type);
const char *migratetype_name(unsigned int migratetype);
enum page_count_rule page_type_count_rule(enum page_type type);
enum page_mobility page_type_mobility(enum page_type type);
int page_type_kpf(enum page_type type);

/**
 * page_try_get() - take a reference on an allocated page of a counted type
 *
 * Fails by construction on types without a count (PageOffline above all), on
 * free frames and on a count of zero. Lock-free; any number, any context.
 * Return: true if the reference was taken; page_put() drops it.
 */
bool page_try_get(struct mm *mm, unsigned long pfn);

/*
 * Drop a reference; the last drop frees the chunk. The last but one wakes an evacuation
 * that waits for the chunk. Thread context, zone->lock not held.
 */
void page_put(struct mm *mm, unsigned long pfn);

/*
 * Pin and unpin a frame's chunk against migration; -EINVAL if it is not allocated,
 * -EBUSY if it is pinned already or being moved. Unpinning wakes an evacuation that
 * waits for the chunk. Thread context, zone->lock not held.
 */
int page_pin(struct mm *mm, unsigned long pfn);
int page_unpin(struct mm *mm, unsigned long pfn);

/*
 * Set or read the owner word of an allocated chunk (its head, or a whole uniform chunk).
 * Only the chunk's owner calls these, and serialises the calls.
 */
void page_set_owner(struct mm *mm, unsigned long pfn, u64 owner);
u64 page_owner(const struct mm *mm, unsigned long pfn);

#endif
