/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plugging and unplugging parts of blocks: a driver plugs and unplugs whole pageblocks
 * of blocks that it has added, or that share boot memory with its region. Unplugged
 * frames are PageOffline, skippable, and not mapped: a stray access traps.
 *
 * Compare with: Linux drivers/virtio/virtio_mem.c, virtio_mem_fake_offline(); there
 * the direct map stays.
 */
#include "arch/machine.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "mm/evac.h"
#include "mm/hotplug.h"
#include "mm/page_alloc.h"
#include "mm/page_isolation.h"
#include "mm/pageblock.h"

/* Check that a range is present, has no hole, and is unmapped (@unmapped ~0) or mapped (0). */
static int check_sections(struct mm *mm, const struct pfn_range *range, u64 unmapped,
			  struct mm_failure *why)
{
	struct pfn_range part;

	if (!range->nr_pages || !IS_ALIGNED(range->start_pfn | range->nr_pages, PAGEBLOCK_NR_PAGES))
		return mm_fail(why, MM_REASON_MISALIGNED, range->start_pfn);
	for_each_section_part(part, range) {
		const struct mem_section *ms = pfn_to_section(mm, part.start_pfn);
		const u64 mask = range_mask(&part);
		u64 wrong;

		if (!ms)
			return mm_fail(why, MM_REASON_NOT_PRESENT, part.start_pfn);
		if (mask & ms->hole)
			return mm_fail(why, MM_REASON_HOLE, pb_pfn(ms, __ffs(mask & ms->hole)));
		wrong = mask & (ms->unmapped ^ unmapped);
		if (wrong)
			return mm_fail(why, MM_REASON_WRONG_STATE, pb_pfn(ms, __ffs(wrong)));
	}
	return 0;
}

/* Release the online parts of a range to the allocator. */
static void release_parts(struct mm *mm, const struct pfn_range *range)
{
	struct pfn_range part;

	for_each_section_part(part, range)
		if (pfn_to_section(mm, part.start_pfn)->zone)
			release_offline_range(mm, part.start_pfn, part.nr_pages);
}

/* Note which pageblocks of a range are in the direct map now. */
static void set_unmapped(struct mm *mm, const struct pfn_range *range, bool unmapped)
{
	struct pfn_range part;

	for_each_section_part(part, range) {
		struct mem_section *ms = pfn_to_section(mm, part.start_pfn);
		const u64 mask = range_mask(&part);

		WRITE_ONCE(ms->unmapped, unmapped ? ms->unmapped | mask : ms->unmapped & ~mask);
		section_count_plugged(ms, mask, unmapped ? -1 : 1);
	}
}

int map_direct(struct mm *mm, const struct pfn_range *range)
{
	if (mm_inject_fail(mm))
		return -ENOMEM;
	return arch_map_direct(pfn_to_phys(range->start_pfn), range->nr_pages << PAGE_SHIFT);
}

/* Map a range and, where its blocks are online, release it; the caller has checked it. */
static int plug_locked(struct mm *mm, const struct pfn_range *range)
{
	int err = map_direct(mm, range);

	if (err)
		return err;
	set_unmapped(mm, range, false);
	release_parts(mm, range);
	zone_update_watermarks(mm);
	return 0;
}

int plug_memory(struct mm *mm, const struct pfn_range *range, struct mm_failure *why)
{
	int err;

	mutex_lock(&mm->hotplug_lock);
	err = check_sections(mm, range, ~0UL, why);
	if (!err && plug_locked(mm, range))
		err = mm_fail(why, MM_REASON_NO_MEMORY, range->start_pfn);
	mutex_unlock(&mm->hotplug_lock);
	return err;
}

/* Refuse a block's own metadata: it leaves only by offline_and_remove_memory(). */
static int check_headers(struct mm *mm, const struct pfn_range *range, struct mm_failure *why)
{
	struct pfn_range part;

	for_each_section_part(part, range) {
		const struct mem_section *ms = pfn_to_section(mm, part.start_pfn);

		if (!(section_header(ms) & range_mask(&part)))
			continue;
		(void)mm_fail(why, MM_REASON_METADATA, ms->host_pfn);
		why->type = PGTY_MEMMAP;
		return mm_reason_errno(MM_REASON_METADATA);
	}
	return 0;
}

/* The longest part of a range from @pfn on that lies in one zone, or outside all zones. */
static struct pfn_range zone_run(struct mm *mm, const struct pfn_range *range,
				 unsigned long pfn)
{
	const struct zone *zone = pfn_to_section(mm, pfn)->zone;
	unsigned long end = pfn;

	while (end < range_end(range) && pfn_to_section(mm, end)->zone == zone)
		end = section_end(end);
	return (struct pfn_range){ pfn, min(end, range_end(range)) - pfn };
}

/* Take all frames out of the allocator, zone by zone; on failure, give them all back. */
static int take_frames(struct mm *mm, const struct pfn_range *range,
		       const struct evacuate_policy *policy, struct mm_failure *why)
{
	unsigned long pfn = range->start_pfn;
	struct pfn_range run;
	int err = 0;

	while (pfn < range_end(range)) {
		run = zone_run(mm, range, pfn);
		if (pfn_to_section(mm, pfn)->zone)
			err = evacuate_locked(mm, &run, 1, policy, why);
		if (err)
			break;
		pfn = range_end(&run);
	}
	if (!err)
		return 0;
	mm_failure_name(mm, why);
	release_parts(mm, &(struct pfn_range){ range->start_pfn, pfn - range->start_pfn });
	return err;
}

static int unplug_locked(struct mm *mm, const struct pfn_range *range,
			 const struct evac_limits *limits, struct mm_failure *why)
{
	struct evacuate_policy policy = {
		.end = EVAC_END_ALLOC,
		.type = PGTY_OFFLINE,
		.page_flags = PG_OFFLINE_SKIPPABLE,
		.limits = limits ? *limits : evac_limits(EVAC_FOR_UNPLUG, 1),
	};
	int err;

	/* A wait would drop the lock while parts in other zones are already taken. */
	policy.limits.wait = false;
	err = take_frames(mm, range, &policy, why);
	if (err)
		return err;
	arch_unmap_direct(pfn_to_phys(range->start_pfn), range->nr_pages << PAGE_SHIFT);
	set_unmapped(mm, range, true);
	zone_update_watermarks(mm);
	return 0;
}

int unplug_memory(struct mm *mm, const struct pfn_range *range,
		  const struct evac_limits *limits, struct mm_failure *why)
{
	int err = hotplug_lock(mm, limits, why);

	if (err)
		return err;
	unwatch_range(mm, range);
	err = check_sections(mm, range, 0, why);
	if (!err)
		err = check_headers(mm, range, why);
	if (!err)
		err = unplug_locked(mm, range, limits, why);
	if (err)
		watch_blocker(mm, why);
	mutex_unlock(&mm->hotplug_lock);
	return err;
}
