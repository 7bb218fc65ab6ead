/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _MM_PAGE_H
#define _MM_PAGE_H

/*
 * The page descriptor, and the only ways to look at it.
 *
 * A frame's state is said in one of two places. While all 512 frames of a
 * pageblock agree, its pageblock word names one constant descriptor for them
 * and the 512 descriptors are not valid (nobody has written them). As soon as
 * single frames differ, the pageblock is *materialised*: the descriptors are
 * filled from the constant, then the word says "valid". page_state_get() reads
 * either way, re-checks the word, and never sees a mixture.
 *
 * Compare with: Linux include/linux/mm_types.h, page-flags.h (64 bytes there).
 */
#include "kernel/abi.h"
#include "kernel/hart.h"
#include "lib/compiler.h"
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

/* Some files' business only: tools/lint/accessors.py makes a warning of it and knows whose. */
#ifndef __only_for
#define __only_for(what)
#endif

/**
 * struct page - what is known of one frame, 16 bytes
 * @word: type (bits 0-7), flags (8-15), order of its chunk (16-23), zone (24-27)
 * @count: references, for counted types; 0 for the others, but for PageOffline
 * @owner: depends on the type (see PAGE_TYPES)
 *
 * No list links: membership is said by bitmaps and by owners' own tables. PageOffline
 * needs the word alone; a debug build has a canary in the others (mm/internal.h).
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
 * The descriptor's address; it may be not valid: see page_state_get(). Reckoned in
 * integers: even PFN_NONE has one, which nobody may touch.
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

/* The bracket as clang's thread-safety analysis sees it; no such object exists. */
struct __capability("walk bracket") walk_bracket {
	u32 unused;
};
extern struct walk_bracket walk_bracket;

/**
 * pfn_walk_begin() - from here on no section, root or owner that is found goes away
 *
 * Kernel code is not preempted, so between the two no grace period ends: what a
 * look-up finds stays readable, though it may go offline. The hart counts as one that
 * holds a spinlock, so that whatever may sleep panics. Spinlocks may be taken inside,
 * and brackets nest. Costs no atomic. At most one section per bracket: the bracket
 * delays every grace period.
 *
 * Context: any. See "Readers of sections" in docs/reference/locking.md.
 */
static inline void pfn_walk_begin(void) __acquires(walk_bracket) __no_lock_analysis
{
	this_hart()->spin_depth++;
	/* The compiler moves no look in front of it, nor behind pfn_walk_end(). */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void pfn_walk_end(void) __releases(walk_bracket) __no_lock_analysis
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	this_hart()->spin_depth--;
}

/**
 * struct page_state - a consistent copy of what is known of one frame
 * @type: never PGTY_NONE for a frame of an online section
 * @flags: PG_* bits
 * @order: order of the chunk that the frame belongs to (0 if single)
 * @zone: enum zone_type
 * @isolated: its pageblock has the isolate bit
 * @migratetype: of its pageblock, the isolate bit left aside
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
 * Context: any; no lock. It stands in a walk bracket of its own, so @st is true of
 * one moment; what it says may be over at once, unless the caller keeps the section.
 * Return: true; false if @pfn lies in no online section.
 */
bool page_state_get(const struct mm *mm, unsigned long pfn, struct page_state *st);

/**
 * pfn_to_online_page() - the descriptor of any number, if there is one
 *
 * The memmap that it lies in cannot go away before pfn_walk_end(), be the block
 * offlined and removed meanwhile; what it says is for the accessors to read.
 * Context: in a walk bracket. Compare with: Linux's, which may be overtaken by hotplug.
 * Return: NULL if @pfn lies in no online section.
 */
const struct page *pfn_to_online_page(const struct mm *mm, unsigned long pfn)
	__must_hold(walk_bracket);

/* The type alone; PGTY_NONE if @pfn lies in no online section. As page_state_get(). */
enum page_type page_type(const struct mm *mm, unsigned long pfn);

/* Words for people: "Slab", "Offline"; "?" beyond the table. */
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
 * Return: true if the reference was taken; page_put() gives it back.
 */
bool page_try_get(struct mm *mm, unsigned long pfn);

/*
 * Give a reference back; the last one frees the chunk. The last but one wakes an
 * evacuation that waits for the chunk. Thread context, zone->lock not held.
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
 * The owner word of an allocated chunk (head or whole uniform chunk). Only the
 * chunk's owner calls these; the owner serialises.
 */
void page_set_owner(struct mm *mm, unsigned long pfn, u64 owner);
u64 page_owner(const struct mm *mm, unsigned long pfn);


#endif
