/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offlining memory blocks: a single block, or several that leave together.
 *
 *	claim all -> drain -> ask the listeners about all -> evacuate all -> hand over all
 *	     \\_________ on failure: tell those that were asked, and release all ________/
 *
 * The state of a claimed block makes every other request fail, so that an evacuation may
 * wait without the hotplug lock: a GOING_OFFLINE block is isolated, a REMOVING block was
 * offline.
 *
 * Compare with: Linux mm/memory_hotplug.c, offline_pages().
 */
#include "mm/hotplug.h"
#include "mm/internal.h"
#include "mm/page_isolation.h"

static int claim_block(struct mem_section *s, enum offline_goal goal, struct mm_failure *why)
{
	const struct pfn_range range = section_range(s);
	int err;

	if (s->flags & SECTION_EARLY)
		return mm_fail(why, MM_REASON_SHARED_BLOCK, s->start_pfn);
	if (s->state == MEM_BLOCK_OFFLINE && goal == OFFLINE_AND_REMOVE) {
		memory_block_set_state(s, MEM_BLOCK_REMOVING);
		return 0;
	}
	if (s->state != MEM_BLOCK_ONLINE)
		return wrong_state(s, why);
	err = isolate_range(s->mm, &range, why);
	if (err)
		return err;
	s->told = (struct notifier_start){ 0 };
	if (goal == OFFLINE_AND_REMOVE)
		s->restore = RESTORE_ZONE(s->zone->type);
	memory_block_set_state(s, MEM_BLOCK_GOING_OFFLINE);
	return 0;
}

/*
 * Undo claim_block(). A listener that hears CANCEL_OFFLINE finds the range still
 * isolated, as it was when the listener agreed; in Linux the pages may be in use again
 * by then.
 */
static void release_block(struct mem_section *s)
{
	const struct pfn_range range = section_range(s);

	if (s->state == MEM_BLOCK_REMOVING) {
		memory_block_set_state(s, MEM_BLOCK_OFFLINE);
		return;
	}
	notify_end(s, MEM_CANCEL_OFFLINE);
	unisolate_range(s->mm, &range);
	s->restore = 0;
	memory_block_set_state(s, MEM_BLOCK_ONLINE);
}

static void release_blocks(struct mem_section *list)
{
	struct mem_section *next;

	for (; list; list = next) {
		next = list->next;
		release_block(list);
	}
}

int claim_blocks(struct mm *mm, const struct block_list *blocks, enum offline_goal goal,
		 struct mem_section **list, struct mm_failure *why)
{
	struct mem_section **tail = list;
	int err = 0;

	*list = NULL;
	for (unsigned int i = 0; i < blocks->nr && !err; i++) {
		struct mem_section *s = find_block(mm, blocks->ids[i], why);

		err = s ? claim_block(s, goal, why) : mm_reason_errno(MM_REASON_NOT_PRESENT);
		if (!err) {
			s->next = NULL;
			*tail = s;
			tail = &s->next;
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

	for (struct mem_section *s = list; s && !err; s = s->next) {
		if (s->state != MEM_BLOCK_GOING_OFFLINE)
			continue;
		if (limits && evac_cancelled(limits))
			err = mm_fail(why, MM_REASON_CANCELLED, PFN_NONE);
		else
			err = notify_start(s, MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE, why);
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
		.name = "offline",
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
	struct mem_section *s;

	for (s = list; s; s = s->next) {
		if (s->state != MEM_BLOCK_GOING_OFFLINE)
			continue;
		/* No new look-up finds the frames; removal waits for readers that did. */
		__atomic_fetch_and(&s->flags, ~(u32)SECTION_ONLINE, __ATOMIC_RELEASE);
		section_account(s, -(long)s->present);
		leave_zone(s);
	}
	zone_update_watermarks(mm);
	for (s = list; s; s = s->next)
		if (s->told.nr)
			notify_end(s, MEM_OFFLINE);
}

int offline_blocks(struct mm *mm, struct mem_section *list,
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
