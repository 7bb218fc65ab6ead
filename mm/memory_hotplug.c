/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Onlining and offlining memory blocks: a single block, or several that leave together.
 *
 * Costs are per pageblock: the block's frames start as PageOffline and isolated, with one
 * word for each pageblock. Onlining releases them in runs, and ends the isolation of all at
 * once. Offlining is one evacuation of all the blocks:
 *
 *	claim all -> drain -> ask the listeners about all -> evacuate all -> hand over all
 *	     \_________ on failure: tell those that were asked, and release all ________/
 *
 * The state of a claimed block makes every other request fail, so that an evacuation may
 * wait without the hotplug lock: a GOING_OFFLINE block is isolated, a REMOVING block was
 * offline.
 *
 * Compare with: Linux mm/memory_hotplug.c, online_pages(), offline_pages(),
 * offline_and_remove_memory().
 */
#include "arch/machine.h"
#include "kernel/printk.h"
#include "lib/bitops.h"
#include "mm/evac.h"
#include "mm/frames.h"
#include "mm/hotplug.h"
#include "mm/page_alloc.h"
#include "mm/page_isolation.h"
#include "mm/pageblock.h"

static struct memory_notify section_notify(struct mem_section *ms)
{
	return (struct memory_notify){ ms->mm, ms->start_pfn, PAGES_PER_SECTION };
}

int register_memory_notifier(struct mm *mm, struct notifier_block *nb)
{
	return notifier_register(&mm->notifiers, nb);
}

void unregister_memory_notifier(struct mm *mm, struct notifier_block *nb)
{
	(void)notifier_unregister(&mm->notifiers, nb);
}

static int notify_start(struct mem_section *ms, enum mem_event going, enum mem_event cancel,
		 struct mm_failure *why)
{
	struct memory_notify data = section_notify(ms);
	int err = notifier_call_start(&ms->mm->notifiers, going, cancel, &data, &ms->notified);

	if (!err)
		return 0;
	mm_fail(why, MM_REASON_VETO, ms->start_pfn);
	why->detail = ms->notified.veto->name;
	return err;
}

static void notify_end(struct mem_section *ms, enum mem_event end)
{
	struct memory_notify data = section_notify(ms);

	notifier_call_end(&ms->mm->notifiers, end, &data, &ms->notified);
}

/*
 * Hotplugged memory starts as PageOffline and isolated, with the migrate type that takes
 * effect when the isolation ends. Unplugged frames are skippable as long as they have an
 * owner that can restore them.
 */
static void init_memmap(struct mem_section *ms, enum zone_type zone, enum mhp_online_type type)
{
	const unsigned int mt = type == MMOP_ONLINE_KERNEL ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE;
	const u64 state = (u64)mt << PB_MT_SHIFT | PB_ISOLATE;
	const u64 unplugged = ms->unmapped & ~ms->hole;
	const u64 skippable = unplugged ? unplugged & owned_mask(ms) : 0;

	pageblocks_init(ms, ~ms->hole & ~skippable, page_word(PGTY_OFFLINE, 0, 0, zone), state);
	if (skippable)
		pageblocks_init(ms, skippable,
				page_word(PGTY_OFFLINE, PG_OFFLINE_SKIPPABLE, 0, zone), state);
	if (ms->hole)
		pageblocks_init(ms, ms->hole, page_word(PGTY_HOLE, 0, 0, zone), state);
	/* The header cannot move: group it with unmovable frames; zone Movable has none. */
	if (section_header(ms) && zone == ZONE_NORMAL)
		pageblock_set_migratetype(ms, pageblock_index(ms->host_pfn), MIGRATE_UNMOVABLE);
}

/* Give the frames of the block's own metadata their own type; they stay allocated. */
static void mark_header(const struct mem_section *ms)
{
	const struct pfn_range header = { ms->host_pfn, MHP_HEADER_PAGES };

	frames_change(ms->mm, &header, PGTY_NONE, PGTY_MEMMAP, 0);
}

void generic_online_page(struct mm *mm, unsigned long pfn, unsigned int order)
{
	const struct pfn_range chunk = { pfn, 1UL << order };
	const struct mem_section *ms = pfn_to_section(mm, pfn);

	/* A chunk that was never plugged has no memory to give. */
	if (WARN_ON_ONCE(!ms || (section_range_mask(ms->start_pfn, &chunk) & ms->unmapped)))
		return;
	release_offline_range(mm, pfn, chunk.nr_pages);
}

/*
 * Offer the owner each naturally aligned chunk of a run of plugged or of unplugged
 * pageblocks. If the run starts with a header, leave that out.
 */
static void offer_run(struct mem_section *ms, u64 run, struct memory_owner *owner)
{
	struct pfn_range r = run_range(ms, run);

	if (run & section_header(ms)) {
		r.start_pfn += MHP_HEADER_PAGES;
		r.nr_pages -= MHP_HEADER_PAGES;
	}
	while (r.nr_pages) {
		const unsigned int order = min(min(__ffs(r.start_pfn), __fls(r.nr_pages)),
					       (unsigned int)MAX_PAGE_ORDER);

		owner->online_page(owner, r.start_pfn, order);
		r.start_pfn += 1UL << order;
		r.nr_pages -= 1UL << order;
	}
}

/* Offer pageblocks run by run; a header within a run starts a new run. */
static void offer_pageblocks(struct mem_section *ms, u64 mask, struct memory_owner *owner)
{
	const u64 header = section_header(ms);

	for_each_run(run, mask & (header - 1))
		offer_run(ms, run, owner);
	for_each_run(run, mask & -header)
		offer_run(ms, run, owner);
}

/*
 * Offer pageblocks to those owners that have online_page() and so decide about each chunk.
 * Return: the other plugged pageblocks.
 */
static u64 offer_frames(struct mem_section *ms)
{
	u64 generic = ~ms->hole & ~ms->unmapped;
	struct memory_owner *owner;

	list_for_each_entry(owner, &ms->mm->owners, list) {
		const u64 mask = section_range_mask(ms->start_pfn, &owner->region);

		if (!owner->online_page)
			continue;
		if (mask & section_header(ms))
			mark_header(ms);
		generic &= ~mask;
		offer_pageblocks(ms, mask & ~ms->unmapped, owner);
		offer_pageblocks(ms, mask & ms->unmapped, owner);
	}
	return generic;
}

static void leave_zone(struct mem_section *ms)
{
	struct zone *zone = ms->zone;

	section_detach_zone(ms);
	zone_shrink(zone, ms);
	memory_block_set_state(ms, MEM_BLOCK_OFFLINE);
	arch_poison_range(pfn_to_page(ms->start_pfn), MEMMAP_SIZE);
}

static int wrong_state(const struct mem_section *ms, struct mm_failure *why)
{
	int err = mm_fail(why, MM_REASON_WRONG_STATE, PFN_NONE);

	why->detail = memory_block_state_name(ms->state);
	return err;
}

int online_section(struct mem_section *ms, enum mhp_online_type type, struct mm_failure *why)
{
	struct mm *mm = ms->mm;
	struct zone *zone;
	u64 generic;
	int err;

	assert_mutex_held(&mm->hotplug_lock);
	zone = &mm->zone[ms->restore ? ms->restore - RESTORE_ZONE(0) :
				      (int)zone_for_block(mm, section_nr(ms), type)];
	if (ms->state != MEM_BLOCK_OFFLINE || type == MMOP_OFFLINE)
		return wrong_state(ms, why);
	if (mm_inject_fail(mm))
		return mm_fail(why, MM_REASON_NO_MEMORY, ms->start_pfn);

	arch_unpoison_range(pfn_to_page(ms->start_pfn), MEMMAP_SIZE);
	init_memmap(ms, zone->type, type);
	section_attach_zone(ms, zone, PAGEBLOCKS_PER_SECTION);
	zone_grow(zone, ms);
	memory_block_set_state(ms, MEM_BLOCK_GOING_ONLINE);
	err = notify_start(ms, MEM_GOING_ONLINE, MEM_CANCEL_ONLINE, why);
	if (err) {
		leave_zone(ms);
		return err;
	}
	generic = offer_frames(ms);
	ms->online_type = type;
	section_account(ms, ms->present);
	/* Release: a reader that sees the flag also sees descriptors and words. */
	__atomic_fetch_or(&ms->flags, SECTION_ONLINE, __ATOMIC_RELEASE);
	frames_online(ms, generic);
	memory_block_set_state(ms, MEM_BLOCK_ONLINE);
	zone_update_watermarks(mm);
	notify_end(ms, MEM_ONLINE);
	return 0;
}

void memory_block_print_failure(unsigned long block, const char *what,
				const struct mm_failure *why, struct sink *out)
{
	sink_printf(out, "memory%lu: %s failed: ", block, what);
	mm_failure_print(why, out);
	sink_puts(out, "\n");
}

void memory_block_report(struct mm *mm, unsigned long block, const char *what,
			 const struct mm_failure *why)
{
	char text[256];
	struct sink_buffer buffer;

	/* Do not log a request that the block's state forbids: the caller gets the reason. */
	if (why->reason == MM_REASON_WRONG_STATE || why->reason == MM_REASON_NOT_PRESENT)
		return;
	sink_buffer_init(&buffer, text, sizeof(text));
	memory_block_print_failure(block, what, why, &buffer.sink);
	pr_warn_ratelimited(&mm->block_log, "%s", text);
}

struct mem_section *find_block(struct mm *mm, unsigned long block, struct mm_failure *why)
{
	struct mem_section *ms = NULL;

	if (block < (unsigned long)NR_SECTION_ROOTS * SECTIONS_PER_ROOT)
		ms = pfn_to_section(mm, block << SECTION_PFN_SHIFT);
	if (!ms)
		(void)mm_fail(why, MM_REASON_NOT_PRESENT, PFN_NONE);
	return ms;
}

int online_memory_block(struct mm *mm, unsigned long block, enum mhp_online_type type,
			struct mm_failure *why)
{
	struct mem_section *ms;
	int err;

	mutex_lock(&mm->hotplug_lock);
	ms = find_block(mm, block, why);
	err = ms ? online_section(ms, type, why) : mm_reason_errno(why->reason);
	mutex_unlock(&mm->hotplug_lock);
	if (err)
		memory_block_report(mm, block, "online", why);
	return err;
}

/* --- offlining ------------------------------------------------------------------ */

/* The state into which a request brings its blocks. */
enum offline_goal {
	OFFLINE_ONLY,	    /* take them offline; refuse a block that is already offline */
	OFFLINE_AND_REMOVE, /* remove them too; accept a block that is already offline */
};

/* Ids of memory blocks, each once. */
struct block_list {
	const unsigned long *ids;
	unsigned int nr;
};

static int claim_block(struct mem_section *ms, enum offline_goal goal, struct mm_failure *why)
{
	const struct pfn_range range = section_range(ms);
	int err;

	if (ms->flags & SECTION_EARLY)
		return mm_fail(why, MM_REASON_SHARED_BLOCK, ms->start_pfn);
	if (ms->state == MEM_BLOCK_OFFLINE && goal == OFFLINE_AND_REMOVE) {
		memory_block_set_state(ms, MEM_BLOCK_REMOVING);
		return 0;
	}
	if (ms->state != MEM_BLOCK_ONLINE)
		return wrong_state(ms, why);
	err = isolate_range(ms->mm, &range, why);
	if (err)
		return err;
	ms->notified = (struct notifier_start){ 0 };
	if (goal == OFFLINE_AND_REMOVE)
		ms->restore = RESTORE_ZONE(ms->zone->type);
	memory_block_set_state(ms, MEM_BLOCK_GOING_OFFLINE);
	return 0;
}

/*
 * Undo claim_block(). A listener that hears CANCEL_OFFLINE finds the range still
 * isolated, as it was when the listener agreed; in Linux the pages may be in use again
 * by then.
 */
static void release_block(struct mem_section *ms)
{
	const struct pfn_range range = section_range(ms);

	if (ms->state == MEM_BLOCK_REMOVING) {
		memory_block_set_state(ms, MEM_BLOCK_OFFLINE);
		return;
	}
	notify_end(ms, MEM_CANCEL_OFFLINE);
	unisolate_range(ms->mm, &range);
	ms->restore = 0;
	memory_block_set_state(ms, MEM_BLOCK_ONLINE);
}

static void release_blocks(struct mem_section *list)
{
	for (; list; list = list->next)
		release_block(list);
}

/*
 * Claim all of these blocks, or none, so that they refuse other requests
 * @blocks: if a block cannot be claimed, why->pfn lies in that block
 * @list: set to the claimed blocks, linked by ->next: GOING_OFFLINE and isolated, or
 *	REMOVING
 *
 * Context: hotplug lock held.
 * Return: 0; or a negative errno, with @why set.
 */
static int claim_blocks(struct mm *mm, const struct block_list *blocks, enum offline_goal goal,
		 struct mem_section **list, struct mm_failure *why)
{
	struct mem_section **tail = list;
	int err = 0;

	*list = NULL;
	for (unsigned int i = 0; i < blocks->nr && !err; i++) {
		struct mem_section *ms = find_block(mm, blocks->ids[i], why);

		err = ms ? claim_block(ms, goal, why) : mm_reason_errno(MM_REASON_NOT_PRESENT);
		if (!err) {
			ms->next = NULL;
			*tail = ms;
			tail = &ms->next;
		} else if (blocks->nr > 1 && why->pfn == PFN_NONE) {
			why->pfn = blocks->ids[i] << SECTION_PFN_SHIFT;
		}
	}
	if (err)
		release_blocks(*list);
	return err;
}

/* Ask the listeners about all blocks, before any block is emptied. */
static int ask_listeners(struct mem_section *list, const struct evac_limits *limits,
			 struct mm_failure *why)
{
	int err = 0;

	for (struct mem_section *ms = list; ms && !err; ms = ms->next) {
		if (ms->state != MEM_BLOCK_GOING_OFFLINE)
			continue;
		if (limits && evac_cancelled(limits))
			err = mm_fail(why, MM_REASON_CANCELLED, PFN_NONE);
		else
			err = notify_start(ms, MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE, why);
	}
	return err;
}

static unsigned int count_leaving(const struct mem_section *list)
{
	unsigned int nr = 0;

	for (; list; list = list->next)
		nr += list->state == MEM_BLOCK_GOING_OFFLINE;
	return nr;
}

static int empty_blocks(struct mm *mm, struct mem_section *list,
			const struct evac_limits *limits, struct mm_failure *why)
{
	const struct evacuate_policy policy = {
		.end = EVAC_END_OFFLINE,
		.flags = EVAC_SKIP_SKIPPABLE | EVAC_ISOLATED,
		.limits = limits ? *limits
				 : evac_limits(EVAC_FOR_OFFLINE, count_leaving(list)),
	};
	const int err = evacuate_blocks(mm, list, &policy, why);

	if (err)
		mm_failure_name(mm, why);
	return err;
}

/* The blocks are empty: take them offline and out of their zones. */
static void hand_over(struct mm *mm, struct mem_section *list)
{
	struct mem_section *ms;

	for (ms = list; ms; ms = ms->next) {
		if (ms->state != MEM_BLOCK_GOING_OFFLINE)
			continue;
		/*
		 * No new look-up finds the frames; removal waits for readers that have
		 * found them.
		 */
		__atomic_fetch_and(&ms->flags, ~(u32)SECTION_ONLINE, __ATOMIC_RELEASE);
		section_account(ms, -(long)ms->present);
		leave_zone(ms);
	}
	zone_update_watermarks(mm);
	for (ms = list; ms; ms = ms->next)
		if (ms->notified.nr)
			notify_end(ms, MEM_OFFLINE);
}

/*
 * Empty the claimed blocks of a list and take them offline, all or none
 *
 * Judges all blocks before the first page moves. On failure it releases the claims.
 * Context: hotplug lock held; dropped meanwhile if the limits allow waiting.
 * Return: 0; or a negative errno, with @why set.
 */
static int offline_blocks(struct mm *mm, struct mem_section *list,
		   const struct evac_limits *limits, struct mm_failure *why)
{
	int err = 0;

	if (!count_leaving(list))
		return 0;
	if (drain_all_pages(mm, MHP_GRACE_NS))
		err = mm_fail(why, MM_REASON_HARTS_BUSY, PFN_NONE);
	if (!err)
		err = ask_listeners(list, limits, why);
	if (!err)
		err = empty_blocks(mm, list, limits, why);
	if (err)
		release_blocks(list);
	else
		hand_over(mm, list);
	return err;
}

int offline_memory_blocks(struct mm *mm, const unsigned long *blocks, unsigned int nr,
			  const struct evac_limits *limits, struct mm_failure *why)
{
	const struct block_list ids = { blocks, nr };
	struct mem_section *list;
	u64 start = evac_clock_ns();
	int err;

	err = hotplug_lock(mm, limits, why);
	if (!err) {
		err = claim_blocks(mm, &ids, OFFLINE_ONLY, &list, why);
		if (!err)
			err = offline_blocks(mm, list, limits, why);
		mutex_unlock(&mm->hotplug_lock);
	}
	if (!err)
		return 0;
	why->elapsed_ns = evac_clock_ns() - start;
	memory_block_report(mm, nr == 1 || why->pfn == PFN_NONE ? blocks[0] :
								  why->pfn >> SECTION_PFN_SHIFT,
			    "offline", why);
	return err;
}

int offline_memory_block(struct mm *mm, unsigned long block,
			 const struct evac_limits *limits, struct mm_failure *why)
{
	return offline_memory_blocks(mm, &block, 1, limits, why);
}

/* Bring a section online again, with its previous online type, in its previous zone. */
static void restore_section(struct mem_section *ms)
{
	struct mm_failure why = { .pfn = PFN_NONE };

	if (online_section(ms, ms->online_type, &why))
		memory_block_report(ms->mm, section_nr(ms), "online again", &why);
	ms->restore = 0;
}

/* After a failed removal, undo the offlining: online the blocks that the request offlined. */
static void restore_sections(struct mem_section *list)
{
	for (struct mem_section *ms = list; ms; ms = ms->next)
		if (ms->restore)
			restore_section(ms);
}

int offline_and_remove_memory(struct mm *mm, const unsigned long *blocks, unsigned int nr,
			      const struct evac_limits *limits, struct mm_failure *why)
{
	const struct block_list ids = { blocks, nr };
	struct mem_section *list;
	int err = hotplug_lock(mm, limits, why);

	if (err)
		return err;
	for (unsigned int i = 0; i < nr; i++)
		unwatch_range(mm, &(struct pfn_range){ blocks[i] << SECTION_PFN_SHIFT,
						       PAGES_PER_SECTION });
	err = claim_blocks(mm, &ids, OFFLINE_AND_REMOVE, &list, why);
	if (!err)
		err = offline_blocks(mm, list, limits, why);
	if (err)
		watch_blocker(mm, why);
	if (!err) {
		err = remove_sections(mm, list, why);
		if (err)
			restore_sections(list);
	}
	mutex_unlock(&mm->hotplug_lock);
	return err;
}
