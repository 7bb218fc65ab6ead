/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reserve: up to MM_RESERVE_PAGES frames, set aside for section objects, roots and
 * page tables, so that memory can be added even when the allocator has none left. Each
 * add refills the reserve afterwards.
 *
 * Boot memory is preferred, both when the reserve is filled and when a frame is taken from
 * it, because boot memory is never removed and metadata is kept for a long time. A frame
 * of any other memory is called a guest: when an evacuation isolates its pageblock, the
 * guest leaves the reserve, so that the reserve never prevents memory from being removed.
 * mm->nr_guests counts the guests; mm->reserve_lock protects it and the reserve.
 *
 * Page tables are guests, too, if boot memory has no frame for them: then they move to other
 * memory before an evacuation. mm->nr_guest_tables counts them.
 *
 * A frame in the reserve is allocated and of type Kernel. Its owner word identifies it to
 * mm_failure_print() (mm/failure.c); frames taken from the reserve also have it.
 */
#include "arch/machine.h"
#include "kernel/owner_name.h"
#include "kernel/quiesce.h"
#include "lib/bitops.h"
#include "lib/string.h"
#include "mm/frames.h"
#include "mm/hotplug.h"
#include "mm/memblock.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pgtable.h"

OWNER_NAME(reserve, OWNER_RESERVE, 1, "reserve for metadata of memory blocks");
OWNER_NAME(metadata, OWNER_METADATA, 1, "metadata of another memory block");

#define META_GFP (GFP_KERNEL | GFP_ATOMIC | GFP_NOWARN | GFP_NODRAIN)

static u32 allocator_up; /* kernel_mm has frames; set once at boot */

static bool is_boot_memory(const struct mm *mm, unsigned long pfn)
{
	return pfn_to_section(mm, pfn)->boot & BIT(pageblock_index(pfn));
}

static bool is_isolated(const struct mm *mm, unsigned long pfn)
{
	return pb_read(pfn_pageblock(mm, pfn)) & PB_ISOLATE;
}

/* Remove entry @i; mm->reserve_lock held. */
static unsigned long reserve_remove(struct mm *mm, unsigned int i)
{
	const unsigned long pfn = mm->reserve[i];

	WRITE_ONCE(mm->nr_guests, mm->nr_guests - !is_boot_memory(mm, pfn));
	WRITE_ONCE(mm->nr_reserve, mm->nr_reserve - 1);
	mm->reserve[i] = mm->reserve[mm->nr_reserve];
	return pfn;
}

/*
 * Take a frame out of the reserve: preferably boot memory, else a guest if @guest allows
 * it. Return: PFN_NONE if there is none.
 */
static unsigned long reserve_pop(struct mm *mm, bool guest)
{
	unsigned long pfn = PFN_NONE;
	unsigned int i;

	spin_lock(&mm->reserve_lock);
	for (i = mm->nr_reserve; i > 1 && !is_boot_memory(mm, mm->reserve[i - 1]); i--)
		;
	if (i && (guest || is_boot_memory(mm, mm->reserve[i - 1])))
		pfn = reserve_remove(mm, i - 1);
	spin_unlock(&mm->reserve_lock);
	return pfn;
}

/*
 * Put a frame of type Kernel into the reserve. Return: false if there is no room, or if its
 * pageblock is isolated: reserve_guests_leave() may have run already and miss the frame.
 */
static bool reserve_push(struct mm *mm, unsigned long pfn)
{
	bool pushed;

	spin_lock(&mm->reserve_lock);
	pushed = mm->nr_reserve < MM_RESERVE_PAGES && !is_isolated(mm, pfn);
	if (pushed) {
		page_set_owner(mm, pfn, OWNER_RESERVE);
		mm->reserve[mm->nr_reserve] = pfn;
		WRITE_ONCE(mm->nr_guests, mm->nr_guests + !is_boot_memory(mm, pfn));
		WRITE_ONCE(mm->nr_reserve, mm->nr_reserve + 1);
	}
	spin_unlock(&mm->reserve_lock);
	return pushed;
}

/* Give an allocated single frame another allocated type. */
static void page_retype(struct mm *mm, unsigned long pfn, enum page_type type)
{
	frames_change(mm, &(struct pfn_range){ pfn, 1 }, PGTY_NONE, type, 0);
}

/* Take a page of boot memory for an early section's object or root; it is never freed. */
static unsigned long early_page(struct memblock *mb)
{
	const phys_addr_t page = memblock_alloc_from(mb, PAGE_SIZE, PAGE_SIZE, PGTY_BOOT);

	return page ? phys_to_pfn(page) : PFN_NONE;
}

unsigned long meta_page_alloc(struct mm *mm, enum page_type type)
{
	unsigned long pfn;

	if (mm_inject_fail(mm))
		return PFN_NONE;
	if (mm->boot)
		return early_page(mm->boot);
	pfn = reserve_pop(mm, true);
	if (pfn == PFN_NONE)
		pfn = alloc_pages(mm, META_GFP, 0, type);
	else if (type != PGTY_KERNEL)
		page_retype(mm, pfn, type);
	if (pfn != PFN_NONE && type == PGTY_KERNEL)
		page_set_owner(mm, pfn, OWNER_METADATA);
	return pfn;
}

static phys_addr_t zeroed_page(unsigned long pfn)
{
	if (pfn == PFN_NONE)
		return 0;
	memset(phys_to_virt(pfn_to_phys(pfn)), 0, PAGE_SIZE);
	return pfn_to_phys(pfn);
}

void meta_page_free(struct mm *mm, unsigned long pfn)
{
	if (READ_ONCE(mm->nr_reserve) < MM_RESERVE_PAGES) {
		if (page_type(mm, pfn) != PGTY_KERNEL)
			page_retype(mm, pfn, PGTY_KERNEL);
		if (reserve_push(mm, pfn))
			return;
	}
	free_pages(mm, pfn, 0);
}

/*
 * Allocate a frame of boot memory. The allocator prefers boot memory, but this hart's cache
 * may hold other frames.
 */
static unsigned long alloc_boot_frame(struct mm *mm)
{
	unsigned long pfn;

	drain_local_pages(mm);
	pfn = alloc_pages(mm, GFP_KERNEL | GFP_NOWARN | GFP_NODRAIN, 0, PGTY_KERNEL);
	if (pfn == PFN_NONE || is_boot_memory(mm, pfn))
		return pfn;
	free_pages(mm, pfn, 0);
	return PFN_NONE;
}

/* Remove a guest; if @isolated, from an isolated pageblock. Return: its pfn, or PFN_NONE. */
static unsigned long guest_pop(struct mm *mm, bool isolated)
{
	unsigned long pfn = PFN_NONE;

	spin_lock(&mm->reserve_lock);
	for (unsigned int i = 0; i < mm->nr_reserve && pfn == PFN_NONE; i++)
		if (!is_boot_memory(mm, mm->reserve[i]) &&
		    (!isolated || is_isolated(mm, mm->reserve[i])))
			pfn = reserve_remove(mm, i);
	spin_unlock(&mm->reserve_lock);
	return pfn;
}

void mm_reserve_refill(struct mm *mm)
{
	bool room = true; /* boot memory has frames to replace guests with */

	while (READ_ONCE(mm->nr_reserve) < MM_RESERVE_PAGES || (room && READ_ONCE(mm->nr_guests))) {
		unsigned long boot = PFN_NONE, pfn;

		if (READ_ONCE(mm->nr_reserve) < MM_RESERVE_PAGES)
			pfn = alloc_pages(mm, GFP_KERNEL | GFP_NOWARN | GFP_NODRAIN, 0,
					  PGTY_KERNEL);
		else
			pfn = guest_pop(mm, false);
		if (pfn == PFN_NONE)
			return;
		if (room && !is_boot_memory(mm, pfn)) {
			boot = alloc_boot_frame(mm);
			room = boot != PFN_NONE;
		}
		if (boot != PFN_NONE) {
			free_pages(mm, pfn, 0);
			pfn = boot;
		}
		if (!reserve_push(mm, pfn)) {
			free_pages(mm, pfn, 0);
			return;
		}
	}
}

void tables_reclaim(void)
{
	const phys_addr_t tables = arch_tables_take();

	if (!tables)
		return;
	if (synchronize_harts(MHP_GRACE_NS))
		arch_tables_keep(tables);
	else
		arch_tables_free(tables);
}

/* Is a page table in the way of an evacuation? */
static bool table_leaves(phys_addr_t table)
{
	const unsigned long pfn = phys_to_pfn(table);

	return !is_boot_memory(&kernel_mm, pfn) && is_isolated(&kernel_mm, pfn);
}

/* Move page tables. A table that cannot move stays, and the evacuation fails and names it. */
static void guest_tables_leave(struct mm *mm)
{
	struct mem_section *ms;

	for_each_section(ms, mm)
		if (arch_tables_move(ms->start_pfn, table_leaves))
			break;
	tables_reclaim();
}

void reserve_guests_leave(struct mm *mm)
{
	const bool tables = READ_ONCE(mm->nr_guest_tables);
	bool left = tables;
	unsigned long pfn;

	/*
	 * Guests leave before the tables move: a table that moves may take a page of the
	 * reserve.
	 */
	for (; (pfn = guest_pop(mm, true)) != PFN_NONE; left = true)
		free_pages(mm, pfn, 0);
	if (tables)
		guest_tables_leave(mm);
	if (left)
		mm_reserve_refill(mm);
}

void mm_reserve_drop(struct mm *mm)
{
	unsigned long pfn;

	while ((pfn = reserve_pop(mm, true)) != PFN_NONE)
		free_pages(mm, pfn, 0);
}

u64 pgtable_note(phys_addr_t paddr)
{
	return page_owner_claimed(phys_to_pfn(paddr));
}

void pgtable_set_note(phys_addr_t paddr, u64 note)
{
	page_set_owner_claimed(phys_to_pfn(paddr), note);
}

void pgtable_use_allocator(void)
{
	allocator_up = 1;
}

/*
 * Allocate a frame for a page table: boot memory if any is free or in the reserve, because
 * a table serves several blocks, and each of them may leave. A table in other memory is a
 * guest, and moves when an evacuation isolates its pageblock.
 */
static unsigned long table_frame(struct mm *mm)
{
	unsigned long pfn = alloc_pages(mm, META_GFP, 0, PGTY_PGTABLE), boot = PFN_NONE;

	if (pfn != PFN_NONE && is_boot_memory(mm, pfn))
		return pfn;
	if (pfn != PFN_NONE)
		boot = alloc_boot_frame(mm);
	if (boot == PFN_NONE)
		boot = reserve_pop(mm, pfn == PFN_NONE);
	if (boot == PFN_NONE)
		return pfn;
	if (pfn != PFN_NONE)
		free_pages(mm, pfn, 0);
	page_retype(mm, boot, PGTY_PGTABLE);
	return boot;
}

static void count_table(unsigned long pfn, long nr)
{
	__atomic_fetch_add(&kernel_mm.nr_pgtable, nr, __ATOMIC_RELAXED);
	if (!is_boot_memory(&kernel_mm, pfn))
		__atomic_fetch_add(&kernel_mm.nr_guest_tables, nr, __ATOMIC_RELAXED);
}

phys_addr_t pgtable_alloc_page(void)
{
	unsigned long pfn;

	if (!allocator_up)
		return memblock_alloc(PAGE_SIZE, PAGE_SIZE);
	pfn = mm_inject_fail(&kernel_mm) ? PFN_NONE : table_frame(&kernel_mm);
	if (pfn == PFN_NONE)
		return 0;
	count_table(pfn, 1);
	page_set_owner_claimed(pfn, 0);
	return zeroed_page(pfn);
}

void pgtable_free_page(phys_addr_t paddr)
{
	/* A table that pgtable_alloc_page() took from memblock is of type Boot: it stays. */
	if (page_type(&kernel_mm, phys_to_pfn(paddr)) != PGTY_PGTABLE)
		return;
	count_table(phys_to_pfn(paddr), -1);
	meta_page_free(&kernel_mm, phys_to_pfn(paddr));
}
