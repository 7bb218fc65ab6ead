/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sections: where their objects come from, how a look-up finds them, their states, and
 * the spans of zones.
 *
 * Physical memory is sparse, so its metadata is a table of two levels. mm->root[] has one
 * pointer for each 32 GiB; a root has one pointer for each 128 MiB to a section object,
 * which holds everything that mm knows about this memory block. Parts of the address space without
 * sections share one root, empty_section_root, which is never written: every look-up is
 * two loads, with no test for a missing root.
 *
 * A section object passes through these steps:
 *
 *	section_alloc()		private: only its creator knows it
 *	section_link()		published: look-ups find it; in no zone
 *	zone_grow()		in a zone (section_attach_zone()); the span covers it
 *	zone_shrink()		in no zone again
 *	section_unlink()	hidden: new look-ups miss it, but a walker that found it
 *				earlier may still read it
 *	(a grace period)	no walker has it any more
 *	section_free()		its memory is reused
 *
 * If the grace period does not end in time, the caller links the section again. The root
 * has not been freed meanwhile, so this cannot fail. An empty root is freed in the same
 * order: look-ups get the shared root instead, a grace period passes, the page is freed;
 * if the grace period times out, the empty root is put back. The state of the block
 * (memory_block_set_state()) is for requests and views; look-ups do not read it.
 *
 * All writers hold mm->hotplug_lock, so they never race with each other; boot code runs
 * alone and needs no lock. A keeper, which holds that lock, a frame of the section or the
 * lock of its zone, may follow the pointers at any time. A walker, which keeps nothing
 * in place, may do so only inside a walk bracket. It loads the section once and the zone
 * once; if it needs the zone's lock, it loads the zone again under that lock
 * (docs/reference/locking.md). The only race is therefore between a writer and a walker. A
 * pointer is published with release, after the object is filled in. The bits in
 * root->present are hints: a walker may see a bit before its pointer or after it, so
 * next_section() trusts the pointer alone. A walker may also see an old mm->max_pfn or zone
 * span.
 *
 * A page holds two section objects, and the pool (mm->section_pool) holds free halves.
 * When both halves of a page are free, the page leaves the pool, so a block that is added
 * and removed again leaves no page allocated.
 *
 * Compare with: Linux mm/sparse.c, mm/sparse-vmemmap.c; pfn_to_online_page().
 */
#include "arch/machine.h"
#include "kernel/trace/hold.h"
#include "kernel/trace/trace.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/hotplug.h"
#include "mm/page_alloc.h"

/* The root of every part of the address space without sections; never written. */
struct section_root empty_section_root;

#define SECTION_OBJECT_SIZE (PAGE_SIZE / 2)

/* A free half of a section page; its start_pfn tells it from a section object. */
struct free_section {
	struct list_head list;
};

#define FREE_SECTION_PFN PFN_NONE

static struct mem_section *other_half(struct mem_section *ms)
{
	return (struct mem_section *)((uintptr_t)ms ^ SECTION_OBJECT_SIZE);
}

static void pool_put(struct mm *mm, struct mem_section *ms)
{
	ms->start_pfn = FREE_SECTION_PFN;
	list_add(&((struct free_section *)(void *)ms)->list, &mm->section_pool);
}

struct mem_section *section_alloc(struct mm *mm)
{
	struct mem_section *ms;
	unsigned long pfn;

	if (!list_empty(&mm->section_pool)) {
		struct list_head *half = mm->section_pool.next;

		list_del(half);
		ms = (void *)half;
	} else {
		pfn = meta_page_alloc(mm, PGTY_KERNEL);
		if (pfn == PFN_NONE)
			return NULL;
		ms = phys_to_virt(pfn_to_phys(pfn));
		pool_put(mm, other_half(ms));
	}
	memset(ms, 0, sizeof(*ms));
	return ms;
}

void section_free(struct mm *mm, struct mem_section *ms)
{
	struct mem_section *other = other_half(ms);

	if (other->start_pfn != FREE_SECTION_PFN) {
		pool_put(mm, ms);
		return;
	}
	list_del(&((struct free_section *)(void *)other)->list);
	meta_page_free(mm, phys_to_pfn(virt_to_phys(min((void *)ms, (void *)other))));
}

void memory_block_set_state(struct mem_section *ms, enum memory_block_state state)
{
	enum memory_block_state before = ms->state;

	WRITE_ONCE(ms->state, state);
	trace_emit(TRACE_BLOCK_STATE, .pfn = ms->start_pfn, .count = PAGES_PER_SECTION,
		   .before = before, .after = state, .flags = ms->zone ? ms->zone->type : 0xff);
}

int section_link(struct mm *mm, struct mem_section *ms)
{
	struct section_root **slot = &mm->root[ms->start_pfn >> ROOT_PFN_SHIFT];
	struct section_root *root = *slot;

	if (root == &empty_section_root) {
		unsigned long pfn = meta_page_alloc(mm, PGTY_KERNEL);

		if (pfn == PFN_NONE)
			return -ENOMEM;
		root = phys_to_virt(pfn_to_phys(pfn));
		memset(root, 0, sizeof(*root));
		/* Release: a look-up that finds the root sees it zeroed. */
		__atomic_store_n(slot, root, __ATOMIC_RELEASE);
	}
	root->nr_sections++;
	__set_bit(section_nr(ms) % SECTIONS_PER_ROOT, root->present);
	if (ms->flags & SECTION_EARLY)
		__set_bit(section_nr(ms) % SECTIONS_PER_ROOT, root->boot);
	/* Release: a look-up that finds the section sees it filled in. */
	__atomic_store_n(&root->section[section_nr(ms) % SECTIONS_PER_ROOT], ms,
			 __ATOMIC_RELEASE);
	WRITE_ONCE(mm->max_pfn, max(mm->max_pfn, section_end_pfn(ms)));
	return 0;
}

/* The first pfn after the last present section; searches down from root @r. */
static unsigned long last_pfn(const struct mm *mm, unsigned long r)
{
	for (;; r--) {
		const struct section_root *root = mm->root[r];

		if (root->nr_sections)
			return (r * SECTIONS_PER_ROOT +
				find_last_bit(root->present, SECTIONS_PER_ROOT) + 1)
			       << SECTION_PFN_SHIFT;
		if (!r)
			return 0;
	}
}

void section_unlink(struct mm *mm, struct mem_section *ms)
{
	struct section_root *root = mm->root[ms->start_pfn >> ROOT_PFN_SHIFT];

	WRITE_ONCE(root->section[section_nr(ms) % SECTIONS_PER_ROOT], NULL);
	root->nr_sections--;
	__clear_bit(section_nr(ms) % SECTIONS_PER_ROOT, root->present);
	if (section_end_pfn(ms) == mm->max_pfn)
		WRITE_ONCE(mm->max_pfn, last_pfn(mm, ms->start_pfn >> ROOT_PFN_SHIFT));
}

void section_root_put(struct mm *mm, unsigned long pfn)
{
	struct section_root **slot = &mm->root[pfn >> ROOT_PFN_SHIFT];
	struct section_root *root = *slot;

	if (root == &empty_section_root || root->nr_sections)
		return;
	WRITE_ONCE(*slot, &empty_section_root);
	/* A hart that does not answer may still read the root: then keep it, empty. */
	if (drain_all_pages(mm, MHP_GRACE_NS))
		WRITE_ONCE(*slot, root);
	else
		meta_page_free(mm, phys_to_pfn(virt_to_phys(root)));
}

struct mem_section *next_section(const struct mm *mm, unsigned long nr)
{
	const unsigned long end = READ_ONCE(mm->max_pfn);
	const unsigned long nr_roots = DIV_ROUND_UP(end, 1UL << ROOT_PFN_SHIFT);
	unsigned long i = nr % SECTIONS_PER_ROOT;

	for (unsigned long r = nr / SECTIONS_PER_ROOT; r < nr_roots; r++, i = 0) {
		/* Acquire: pairs with section_link(). */
		struct section_root *root = __atomic_load_n(&mm->root[r], __ATOMIC_ACQUIRE);

		for (;; i++) {
			struct mem_section *ms;

			i = find_next_bit(root->present, SECTIONS_PER_ROOT, i);
			if (i >= SECTIONS_PER_ROOT)
				break;
			/* A bit may change before its pointer or after it. */
			ms = __atomic_load_n(&root->section[i], __ATOMIC_ACQUIRE);
			if (ms)
				return ms;
		}
	}
	return NULL;
}

/* --- look-ups by walkers --------------------------------------------------------- */

struct mem_section *walk_next_section(const struct mm *mm, unsigned long nr)
{
	VM_BUG_ON(!this_hart()->spin_depth);
	return next_section(mm, nr);
}

struct zone *section_zone(const struct mem_section *ms)
{
	walk_announce(ms->start_pfn, WALK_ZONE);
	return READ_ONCE(ms->zone);
}

/*
 * Lock the section's new zone: the section left @zone while the walker waited for the lock.
 * If the section is in another zone now, it went offline and online again. That happens at
 * most once: its next offlining waits for a grace period, and none ends inside a bracket.
 */
static __noinline __cold struct zone *lock_again(const struct mem_section *ms,
						 struct zone *zone) __no_lock_analysis
{
	spin_unlock(&zone->lock);
	return section_lock_zone(ms);
}

struct zone *section_lock_zone(const struct mem_section *ms) __no_lock_analysis
{
	struct zone *zone = READ_ONCE(ms->zone);

	if (unlikely(!zone))
		return NULL;
	walk_announce(ms->start_pfn, WALK_LOCK);
	spin_lock(&zone->lock);
	return likely(READ_ONCE(ms->zone) == zone) ? zone : lock_again(ms, zone);
}

/* --- zones and parts ------------------------------------------------------------- */

u64 section_range_mask(unsigned long first, const struct pfn_range *range)
{
	unsigned long start = max(range->start_pfn, first);
	unsigned long end = min(range->start_pfn + range->nr_pages, first + PAGES_PER_SECTION);

	if (start >= end)
		return 0;
	return GENMASK(pageblock_index(end - 1), pageblock_index(start));
}

/* First section of the zone at or above @nr; there is one. */
static unsigned long first_in_zone(const struct zone *zone, unsigned long nr)
{
	unsigned long i = nr % SECTIONS_PER_ROOT;

	for (unsigned long r = nr / SECTIONS_PER_ROOT;; r++, i = 0) {
		i = find_next_bit(zone->mm->root[r]->in_zone[zone->type], SECTIONS_PER_ROOT, i);
		if (i < SECTIONS_PER_ROOT)
			return r * SECTIONS_PER_ROOT + i;
	}
}

/* Last section of the zone below @nr; there is one. */
static unsigned long last_in_zone(const struct zone *zone, unsigned long nr)
{
	unsigned long size = nr % SECTIONS_PER_ROOT;

	for (unsigned long r = nr / SECTIONS_PER_ROOT;; r--, size = SECTIONS_PER_ROOT) {
		unsigned long i = find_last_bit(zone->mm->root[r]->in_zone[zone->type], size);

		if (i < size)
			return r * SECTIONS_PER_ROOT + i;
	}
}

void zone_grow(struct zone *zone, struct mem_section *ms)
{
	struct section_root *root = zone->mm->root[ms->start_pfn >> ROOT_PFN_SHIFT];
	unsigned long start = ms->start_pfn, end = section_end_pfn(ms);

	if (zone->spanned) {
		start = min(start, zone->start_pfn);
		end = max(end, zone->start_pfn + zone->spanned);
	}
	WRITE_ONCE(zone->start_pfn, start);
	WRITE_ONCE(zone->spanned, end - start);
	__set_bit(section_nr(ms) % SECTIONS_PER_ROOT, root->in_zone[zone->type]);
}

void zone_shrink(struct zone *zone, struct mem_section *ms)
{
	struct section_root *root = zone->mm->root[ms->start_pfn >> ROOT_PFN_SHIFT];
	unsigned long first = zone->start_pfn >> SECTION_PFN_SHIFT;
	unsigned long last = ((zone->start_pfn + zone->spanned) >> SECTION_PFN_SHIFT) - 1;
	unsigned long nr = section_nr(ms);

	__clear_bit(nr % SECTIONS_PER_ROOT, root->in_zone[zone->type]);
	if (first == last) {
		WRITE_ONCE(zone->start_pfn, 0);
		WRITE_ONCE(zone->spanned, 0);
		return;
	}
	/* The other end of the span is a section of the zone: both searches end. */
	if (nr == first)
		first = first_in_zone(zone, nr + 1);
	if (nr == last)
		last = last_in_zone(zone, nr);
	WRITE_ONCE(zone->start_pfn, first << SECTION_PFN_SHIFT);
	WRITE_ONCE(zone->spanned, (last + 1 - first) << SECTION_PFN_SHIFT);
}
