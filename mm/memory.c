/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory blocks as the user sees them: their ids, states and state names, and the
 * choice of a zone for each. A memory block is one section.
 *
 * Compare with: Linux drivers/base/memory.c; zone choice: mm/memory_hotplug.c.
 */
#include "kernel/param.h"
#include "kernel/sink.h"
#include "mm/hotplug.h"
#include "mm/pageblock.h"
#include "mm/pageblock_index.h"
#include "mm/pgtable.h"
#include "mm/vmstat.h"

static const char *const state_names[] = { BLOCK_STATES(TABLE_WORD) };

static const char *const online_type_names[] = { ONLINE_TYPES(TABLE_WORD) NULL };

enum online_policy { POLICY_CONTIG_ZONES, POLICY_AUTO_MOVABLE };

static const char *const policy_names[] = { "contig-zones", "auto-movable", NULL };

static bool movable_node;
static u32 online_policy = POLICY_CONTIG_ZONES;
static u64 auto_movable_ratio = 301;
static u32 memhp_default_state = MMOP_ONLINE;

PARAM_ENUM("memhp_default_state", memhp_default_state, online_type_names,
	   "the state of added memory blocks; \"online\" (the default) takes zone "
	   "Normal, but zone Movable for a block that lies in it");
PARAM_BOOL("movable_node", movable_node,
	   "\"online\" puts blocks that lie in no zone or in both into zone Movable, which kernel "
	   "data cannot use; off (the default): zone Normal, where movable pages come first");
PARAM_ENUM("memory_hotplug.online_policy", online_policy, policy_names,
	   "how \"online\" chooses a zone: contig-zones (the default), or auto-movable: zone "
	   "Movable up to memory_hotplug.auto_movable_ratio, then zone Normal");
PARAM_RANGE("memory_hotplug.auto_movable_ratio", auto_movable_ratio, 0, 100000,
	   "auto-movable: the most that zone Movable may have, in percent of boot memory; a "
	   "device's own memory in zone Normal counts like boot memory");

enum mhp_online_type default_online_type(void)
{
	return memhp_default_state;
}

/* Look up a block by its id, which may be any number, as a walker. */
static const struct mem_section *walk_block(const struct mm *mm, unsigned long block)
	__must_hold(walk_bracket)
{
	return block > PFN_NONE >> SECTION_PFN_SHIFT
		       ? NULL
		       : walk_section(mm, block << SECTION_PFN_SHIFT);
}

enum memory_block_state memory_block_state(const struct mm *mm, unsigned long block)
{
	const struct mem_section *ms;
	enum memory_block_state state;

	pfn_walk_begin();
	ms = walk_block(mm, block);
	state = ms ? READ_ONCE(ms->state) : MEM_BLOCK_ABSENT;
	pfn_walk_end();
	return state;
}

const char *memory_block_state_name(enum memory_block_state state)
{
	return (unsigned int)state < NR_BLOCK_STATES ? state_names[state] : "?";
}

const char *online_type_name(enum mhp_online_type type)
{
	return (unsigned int)type < NR_ONLINE_TYPES ? online_type_names[type] : "?";
}

unsigned long next_memory_block(const struct mm *mm, unsigned long block)
{
	const struct mem_section *ms;
	unsigned long next;

	if (block >= (unsigned long)NR_SECTION_ROOTS * SECTIONS_PER_ROOT)
		return PFN_NONE;
	pfn_walk_begin();
	ms = walk_next_section(mm, block);
	next = ms ? section_nr(ms) : PFN_NONE;
	pfn_walk_end();
	return next;
}

static bool zone_intersects(const struct zone *zone, unsigned long block)
{
	const unsigned long first = READ_ONCE(zone->start_pfn), nr = READ_ONCE(zone->spanned);
	const unsigned long start = block << SECTION_PFN_SHIFT;

	return nr && start < first + nr && start + PAGES_PER_SECTION > first;
}

/*
 * Would Movable, grown by @pages of @owner, stay within the ratio? Boot memory counts
 * for every owner; an owner's memory in Normal counts only for that owner's memory in
 * Movable.
 */
static bool auto_movable_fits(const struct mm *mm, const struct memory_owner *owner, s64 pages)
	__must_hold(walk_bracket)
{
	const s64 ratio = auto_movable_ratio;
	s64 left = ratio * mm->present_early - 100 * pages;
	s64 unowned = mm->zone[ZONE_MOVABLE].present;
	const struct memory_owner *o;

	list_for_each_entry(o, &mm->owners, list) {
		const s64 own = ratio * o->present[ZONE_NORMAL] - 100 * o->present[ZONE_MOVABLE];

		unowned -= o->present[ZONE_MOVABLE];
		left += o == owner ? own : min(own, (s64)0);
	}
	return left >= 100 * unowned;
}

/* The zone of the owner's first block in [first, end) that has a zone; NULL if none has. */
static const struct zone *unit_zone(const struct mm *mm, const struct memory_owner *owner,
				    unsigned long first, unsigned long end)
	__must_hold(walk_bracket)
{
	const struct zone *zone = NULL;
	const struct mem_section *ms;

	while (!zone && (ms = walk_next_section(mm, first)) != NULL && section_nr(ms) < end) {
		zone = READ_ONCE(ms->owner) == owner ? section_zone(ms) : NULL;
		first = section_nr(ms) + 1;
	}
	return zone;
}

/* Keep a unit in a single zone: the zone of its online blocks, else Movable if the unit fits. */
static enum zone_type auto_movable_zone(const struct mm *mm, unsigned long block)
	__must_hold(walk_bracket)
{
	const struct mem_section *ms = walk_block(mm, block);
	const struct memory_owner *owner = ms ? READ_POINTER(ms->owner) : NULL;
	unsigned long unit = 1, first = block;
	const struct zone *zone;

	if (owner && owner->unit_pages) {
		const unsigned long base = owner->region.start_pfn >> SECTION_PFN_SHIFT;

		unit = DIV_ROUND_UP(owner->unit_pages, PAGES_PER_SECTION);
		first = base + (block - base) / unit * unit;
	}
	zone = unit_zone(mm, owner, first, first + unit);
	if (zone)
		return zone->type;
	return auto_movable_fits(mm, owner, unit * PAGES_PER_SECTION) ? ZONE_MOVABLE : ZONE_NORMAL;
}

enum zone_type zone_for_block(struct mm *mm, unsigned long block, enum mhp_online_type type)
{
	bool in_normal, in_movable;

	if (type == MMOP_ONLINE_KERNEL)
		return ZONE_NORMAL;
	if (type == MMOP_ONLINE_MOVABLE)
		return ZONE_MOVABLE;
	if (online_policy == POLICY_AUTO_MOVABLE) {
		enum zone_type zone;

		pfn_walk_begin();
		zone = auto_movable_zone(mm, block);
		pfn_walk_end();
		return zone;
	}
	in_normal = zone_intersects(&mm->zone[ZONE_NORMAL], block);
	in_movable = zone_intersects(&mm->zone[ZONE_MOVABLE], block);
	if (in_normal != in_movable)
		return in_normal ? ZONE_NORMAL : ZONE_MOVABLE;
	return movable_node ? ZONE_MOVABLE : ZONE_NORMAL;
}

unsigned int memory_block_valid_zones(struct mm *mm, unsigned long block,
				      enum zone_type zones[NR_ZONES])
{
	const struct mem_section *ms;
	const struct zone *zone;
	enum zone_type first;

	pfn_walk_begin();
	ms = walk_block(mm, block);
	zone = ms ? section_zone(ms) : NULL;
	pfn_walk_end();
	if (!ms)
		return 0;
	if (zone) {
		zones[0] = zone->type;
		return 1;
	}
	first = zone_for_block(mm, block, MMOP_ONLINE);
	zones[0] = first;
	zones[1] = first == ZONE_NORMAL ? ZONE_MOVABLE : ZONE_NORMAL;
	return 2;
}

/* The types of frames in use: only evacuation or their users can free them. */
#define X(name, str, count, alloc, mob, ...)                                                   \
	| (u32)(PAGE_MOBILITY_##mob == PAGE_MOBILITY_FIXED ||                                  \
		PAGE_MOBILITY_##mob == PAGE_MOBILITY_OPS) << PGTY_##name
enum { TYPES_IN_USE = (0U PAGE_TYPES(X)) & ~(1U << PGTY_MEMMAP) };
#undef X

static unsigned int count_used(const struct mem_section *ms, unsigned int b)
	__must_hold(walk_bracket)
{
	const u64 word = pb_read(&ms->pb[b]);

	if (!(word & PB_VALID))
		return TYPES_IN_USE >> PAGE_WORD_TYPE(pb_const(word)) & 1 ? PAGEBLOCK_NR_PAGES : 0;
	/* If only the block's own metadata is left, there is no frame to look at. */
	if (PAGEBLOCK_NR_PAGES - pb_free(word) <=
	    (section_header(ms) & BIT(b) ? MHP_HEADER_PAGES : 0))
		return 0;
	return pageblock_count(ms, b, TYPES_IN_USE);
}

unsigned int pageblocks_used(const struct mm *mm, unsigned long block, u64 mask)
{
	const struct mem_section *ms;
	unsigned int used = 0;

	pfn_walk_begin();
	ms = walk_block(mm, block);
	if (!ms || READ_ONCE(ms->state) != MEM_BLOCK_ONLINE)
		mask = 0;
	else
		mask &= ~index_free_mask(ms);
	for (; mask; mask &= mask - 1)
		used += count_used(ms, __ffs(mask));
	pfn_walk_end();
	return used;
}

void mm_describe_fault(phys_addr_t paddr, struct sink *out)
{
	const unsigned long pfn = phys_to_pfn(paddr);
	const struct mem_section *ms;
	struct memory_owner *owner;
	struct page_state st;

	if (!kernel_mm.name) {
		sink_puts(out, "before memory management was up\n");
		return;
	}
	/* The bracket forbids sleeping; the sink of a panic never sleeps. */
	pfn_walk_begin();
	ms = walk_section(&kernel_mm, pfn);
	owner = memory_owner_of(&kernel_mm, pfn);
	sink_printf(out, "pfn 0x%lx: memory%lu", pfn, pfn >> SECTION_PFN_SHIFT);
	if (!ms) {
		sink_puts(out, ", no such block");
	} else {
		sink_printf(out, " (%s), pageblock %u %s",
			    memory_block_state_name(ms->state), pageblock_index(pfn),
			    ms->unmapped & BIT(pageblock_index(pfn)) ? "unmapped" : "mapped");
		if (page_state_get(&kernel_mm, pfn, &st))
			sink_printf(out, ", %s", page_type_name(st.type));
	}
	if (owner) {
		sink_printf(out, ", owner %s", owner->name);
		if (owner->describe) {
			sink_puts(out, ", ");
			owner->describe(owner, pfn, out);
		}
	}
	pfn_walk_end();
	sink_puts(out, "\n");
}
