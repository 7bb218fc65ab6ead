/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Onlining a memory block; memory_offline.c takes blocks offline. Costs are per
 * pageblock: the block's frames start as PageOffline, one word for each pageblock;
 * onlining releases them in runs while isolated and ends the isolation for all at once.
 *
 * Compare with: Linux mm/memory_hotplug.c, online_pages().
 */
#include "arch/machine.h"
#include "kernel/printk.h"
#include "lib/bitops.h"
#include "mm/frames.h"
#include "mm/hotplug.h"
#include "mm/internal.h"
#include "mm/page_isolation.h"

static struct memory_notify section_notify(struct mem_section *s)
{
	return (struct memory_notify){ s->mm, s->start_pfn, PAGES_PER_SECTION };
}

int register_memory_notifier(struct mm *mm, struct notifier_block *nb)
{
	return notifier_register(&mm->notifiers, nb);
}

void unregister_memory_notifier(struct mm *mm, struct notifier_block *nb)
{
	(void)notifier_unregister(&mm->notifiers, nb);
}

int notify_start(struct mem_section *s, enum mem_event going, enum mem_event cancel,
		 struct mm_failure *why)
{
	struct memory_notify data = section_notify(s);
	int err = notifier_call_start(&s->mm->notifiers, going, cancel, &data, &s->told);

	if (!err)
		return 0;
	mm_fail(why, MM_REASON_VETO, s->start_pfn);
	why->detail = s->told.veto->name;
	return err;
}

void notify_end(struct mem_section *s, enum mem_event end)
{
	struct memory_notify data = section_notify(s);

	notifier_call_end(&s->mm->notifiers, end, &data, &s->told);
}

/*
 * Seed 001: hotplugged memory starts as PageOffline and isolated, with the migrate type
 * that takes effect when the isolation ends. Unplugged frames are skippable as long as
 * they have an owner that can restore them.
 */
static void init_memmap(struct mem_section *s, enum zone_type zone, enum mhp_online_type type)
{
	const unsigned int mt = type == MMOP_ONLINE_KERNEL ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE;
	const u64 state = (u64)mt << PB_MT_SHIFT | PB_ISOLATE;
	const u64 unplugged = s->unmapped & ~s->hole;
	const u64 skippable = unplugged & owner_mask(s->mm, NULL, s);

	pageblocks_init(s, ~s->hole & ~skippable, page_word(PGTY_OFFLINE, 0, 0, zone), state);
	pageblocks_init(s, skippable, page_word(PGTY_OFFLINE, PG_OFFLINE_SKIPPABLE, 0, zone),
			state);
	pageblocks_init(s, s->hole, page_word(PGTY_HOLE, 0, 0, zone), state);
	if (!(s->flags & SECTION_SELF_HOSTED))
		return;
	/* The header stays, so group it with unmovable frames; Movable has none. */
	if (zone == ZONE_NORMAL && mt != MIGRATE_UNMOVABLE)
		pageblocks_init(s, BIT(pageblock_index(s->host_pfn)),
				page_word(PGTY_OFFLINE, 0, 0, zone),
				(u64)MIGRATE_UNMOVABLE << PB_MT_SHIFT | PB_ISOLATE);
}

/* The block's own metadata stays, as frames of a type of their own. */
static void mark_header(const struct mem_section *s)
{
	const struct pfn_range header = { s->host_pfn, MHP_HEADER_PAGES };

	if (s->flags & SECTION_SELF_HOSTED)
		frames_change(s->mm, &header, PGTY_NONE, PGTY_MEMMAP, 0);
}

void generic_online_page(struct mm *mm, unsigned long pfn, unsigned int order)
{
	const struct pfn_range chunk = { pfn, 1UL << order };
	const struct mem_section *s = pfn_to_section(mm, pfn);

	/* A chunk that was never plugged has no memory to give. */
	if (WARN_ON_ONCE(!s || (section_range_mask(s, &chunk) & s->unmapped)))
		return;
	release_offline_range(mm, pfn, chunk.nr_pages);
}

/* The pageblock that starts with the block's own metadata; 64 if there is none. */
static unsigned int header_pageblock(const struct mem_section *s)
{
	return s->flags & SECTION_SELF_HOSTED ? pageblock_index(s->host_pfn) :
						PAGEBLOCKS_PER_SECTION;
}

/* The frames of one run of pageblocks, without those of the header. */
static struct pfn_range run_range(const struct mem_section *s, unsigned int first,
				  unsigned int nr)
{
	unsigned long start = pb_pfn(s, first), end = start + nr * PAGEBLOCK_NR_PAGES;

	if (header_pageblock(s) == first)
		start += MHP_HEADER_PAGES;
	return (struct pfn_range){ start, end - start };
}

static void release_run(struct mem_section *s, u64 run)
{
	const struct pfn_range range = run_range(s, __ffs(run), hweight64(run));

	release_offline_range(s->mm, range.start_pfn, range.nr_pages);
}

/* Release plugged pageblocks run by run; no owner has a callback for them. */
static void online_runs(struct mem_section *s, u64 plugged)
{
	const bool hosted = s->flags & SECTION_SELF_HOSTED;
	const u64 below = hosted ? BIT(header_pageblock(s)) - 1 : ~0UL;

	/* A header within a run starts a new run. */
	for_each_run(run, plugged & below)
		release_run(s, run);
	for_each_run(run, plugged & ~below)
		release_run(s, run);
}

/* Offer the frames after the header in its pageblock, in naturally aligned chunks. */
static void online_header_rest(struct mem_section *s, struct memory_owner *owner)
{
	struct pfn_range rest = run_range(s, header_pageblock(s), 1);

	while (rest.nr_pages) {
		const unsigned int order = __ffs(rest.start_pfn);

		owner->online_page(owner, rest.start_pfn, order);
		rest.start_pfn += 1UL << order;
		rest.nr_pages -= 1UL << order;
	}
}

/* Offer the owner each of its chunks: of order 10 where two pageblocks are alike. */
static void online_chunks(struct mem_section *s, struct memory_owner *owner, u64 mask)
{
	const unsigned int header = header_pageblock(s);

	for (unsigned int b = 0; b < PAGEBLOCKS_PER_SECTION; b++) {
		const u64 pair = b % 2 ? 0 : 3UL << b;
		const u64 unmapped = s->unmapped & pair;

		if (!(mask & BIT(b)))
			continue;
		if (b == header) {
			online_header_rest(s, owner);
		} else if (pair && (mask & pair) == pair && b + 1 != header &&
			   (!unmapped || unmapped == pair)) {
			owner->online_page(owner, pb_pfn(s, b), MAX_PAGE_ORDER);
			b++;
		} else {
			owner->online_page(owner, pb_pfn(s, b), PAGEBLOCK_ORDER);
		}
	}
}

static void online_frames(struct mem_section *s)
{
	u64 generic = ~s->hole & ~s->unmapped;
	struct memory_owner *owner;

	list_for_each_entry(owner, &s->mm->owners, list) {
		const u64 mask = owner->online_page ? owner_mask(s->mm, owner, s) : 0;

		generic &= ~mask;
		if (mask)
			online_chunks(s, owner, mask);
	}
	online_runs(s, generic);
}

void leave_zone(struct mem_section *s)
{
	struct zone *zone = s->zone;

	section_detach_zone(s);
	zone_shrink(zone, s);
	memory_block_set_state(s, MEM_BLOCK_OFFLINE);
	arch_poison_range(pfn_to_page(s->start_pfn), MEMMAP_SIZE);
}

int wrong_state(const struct mem_section *s, struct mm_failure *why)
{
	int err = mm_fail(why, MM_REASON_WRONG_STATE, PFN_NONE);

	why->detail = memory_block_state_name(s->state);
	return err;
}

int online_section(struct mem_section *s, enum mhp_online_type type, struct mm_failure *why)
{
	struct mm *mm = s->mm;
	const struct pfn_range range = section_range(s);
	struct zone *zone;
	int err;

	assert_mutex_held(&mm->hotplug_lock);
	zone = &mm->zone[s->restore ? s->restore - RESTORE_ZONE(0) :
				      (int)zone_for_block(mm, section_nr(s), type)];
	if (s->state != MEM_BLOCK_OFFLINE || type == MMOP_OFFLINE)
		return wrong_state(s, why);
	if (mm_inject_fail(mm))
		return mm_fail(why, MM_REASON_NO_MEMORY, s->start_pfn);

	arch_unpoison_range(pfn_to_page(s->start_pfn), MEMMAP_SIZE);
	init_memmap(s, zone->type, type);
	section_attach_zone(s, zone);
	mark_header(s);
	zone_grow(zone, s);
	memory_block_set_state(s, MEM_BLOCK_GOING_ONLINE);
	err = notify_start(s, MEM_GOING_ONLINE, MEM_CANCEL_ONLINE, why);
	if (err) {
		leave_zone(s);
		return err;
	}
	online_frames(s);
	s->online_type = type;
	section_account(s, s->present);
	/* Release: a reader that sees the flag also sees descriptors and words. */
	__atomic_fetch_or(&s->flags, SECTION_ONLINE, __ATOMIC_RELEASE);
	unisolate_range(mm, &range);
	memory_block_set_state(s, MEM_BLOCK_ONLINE);
	zone_update_watermarks(mm);
	notify_end(s, MEM_ONLINE);
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
	struct mem_section *s = NULL;

	if (block < (unsigned long)NR_SECTION_ROOTS * SECTIONS_PER_ROOT)
		s = pfn_to_section(mm, block << SECTION_PFN_SHIFT);
	if (!s)
		(void)mm_fail(why, MM_REASON_NOT_PRESENT, PFN_NONE);
	return s;
}

int online_memory_block(struct mm *mm, unsigned long block, enum mhp_online_type type,
			struct mm_failure *why)
{
	struct mem_section *s;
	int err;

	mutex_lock(&mm->hotplug_lock);
	s = find_block(mm, block, why);
	err = s ? online_section(s, type, why) : mm_reason_errno(why->reason);
	mutex_unlock(&mm->hotplug_lock);
	if (err)
		memory_block_report(mm, block, "online", why);
	return err;
}
