/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adding, onlining, offlining and removing memory blocks, without a device: the machine
 * has more RAM than mem= lets the kernel use, and this file's memory owner adds the rest.
 */
#include "tests/bench/bench.h"
#include "arch/machine_info.h"
#include "arch/thread.h"
#include "kernel/hart.h"
#include "kernel/printk.h"
#include "kernel/timer.h"
#include "kernel/trace/trace.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/contig.h"
#include "mm/evac.h"
#include "mm/memblock.h"
#include "mm/memory_hotplug.h"

#define ALL_PLUGGED   (~0UL)
#define GROWTH_BLOCKS 512UL

static struct memory_owner owner = { .name = "bench" };

/* Find @nr whole blocks of RAM above the memory that the kernel uses; 0 if there are fewer. */
static unsigned long spare_blocks(unsigned long nr)
{
	const struct machine_info *info = machine_info();
	const struct mem_range *top = &info->memory[info->nr_memory - 1];
	const struct memblock_type *used = &memblock.memory;
	phys_addr_t end = used->region[used->nr - 1].base + used->region[used->nr - 1].size;
	unsigned long first = ALIGN_UP(end, 1UL << SECTION_SHIFT) >> SECTION_SHIFT;

	if (((first + nr) << SECTION_SHIFT) > top->start + top->size)
		return 0;
	return first;
}

static int own(struct sink *out, const char *id, unsigned long *first, unsigned long nr)
{
	struct mm_failure why;

	*first = spare_blocks(nr);
	if (*first == 0)
		return bench_fail(out, id, "boot with more RAM than mem= says");
	owner.region.start_pfn = *first * PAGES_PER_SECTION;
	owner.region.nr_pages = nr * PAGES_PER_SECTION;
	if (register_memory_owner(&kernel_mm, &owner, &why))
		return bench_fail(out, id, "the region is taken");
	return 0;
}

/* Add and online one block. Return: the instructions that this took, 0 on failure. */
static u64 add_one(unsigned long block)
{
	struct mm_failure why;
	u64 start = arch_instret();

	if (add_memory(&kernel_mm, block, &owner, ALL_PLUGGED, &why) ||
	    memory_block_state(&kernel_mm, block) != MEM_BLOCK_ONLINE)
		return 0;
	return arch_instret() - start;
}

static u64 remove_one(unsigned long block)
{
	const struct evac_limits limits = evac_limits(EVAC_FOR_OFFLINE, 1);
	struct mm_failure why;
	u64 start = arch_instret();

	if (offline_and_remove_memory(&kernel_mm, &block, 1, &limits, &why))
		return 0;
	return arch_instret() - start;
}

/* Read each descriptor's word once. Return: the instructions. */
static u64 read_all(unsigned long pfn)
{
	const u64 start = arch_instret();

	for (unsigned long i = 0; i < PAGES_PER_SECTION; i++)
		(void)READ_ONCE(pfn_to_page(pfn + i)->word);
	return arch_instret() - start;
}

/*
 * Take an order-0 page out of each pageblock, then read all descriptors twice. The second
 * loop of reads is subtracted from the first, so only work that a first read causes counts.
 * Return: the instructions, 0 on failure.
 */
static u64 touch_all(unsigned long block)
{
	const unsigned long pfn = block * PAGES_PER_SECTION;
	const u64 start = arch_instret();
	u64 insn, first;

	for (unsigned long i = 0; i < PAGES_PER_SECTION; i += PAGEBLOCK_NR_PAGES)
		if (alloc_pages_at(&kernel_mm, pfn + i + PAGEBLOCK_NR_PAGES - 1, 0, PGTY_KERNEL))
			return 0;
	insn = arch_instret() - start;
	first = read_all(pfn);
	return insn + first - read_all(pfn);
}

static int give_back_touched(unsigned long block)
{
	unsigned long pfn = block * PAGES_PER_SECTION, i;

	for (i = 0; i < PAGES_PER_SECTION; i += PAGEBLOCK_NR_PAGES)
		free_pages(&kernel_mm, pfn + i + PAGEBLOCK_NR_PAGES - 1, 0);
	return 0;
}

/* Add the block and remove it, with a row for each. */
static int measure_pair(struct sink *out, unsigned long block, const char *online_row,
			const char *offline_row)
{
	const u64 online = add_one(block), offline = online ? remove_one(block) : 0;

	if (offline == 0)
		return bench_fail(out, offline_row, "add or remove failed");
	bench_row(out, online_row, online * 1000, "insn");
	bench_row(out, offline_row, offline * 1000, "insn");
	return 0;
}

/* Add and remove the same block with all trace events on, as when a user watches. */
static int measure_traced(struct sink *out, unsigned long block)
{
	int err;

	if (trace_set("*", TRACE_ON) <= 0)
		return bench_fail(out, "offline_traced", "there is no trace");
	err = measure_pair(out, block, "online_traced", "offline_traced");
	(void)trace_set("*", TRACE_OFF);
	return err;
}

static int measure_block(struct sink *out, unsigned long block)
{
	u64 online, offline, touch;

	/*
	 * The next block stays online meanwhile, so the page tables exist, as they do for
	 * seven of eight blocks. The first round makes all other allocations that stay.
	 */
	if (add_one(block + 1) == 0 || add_one(block) == 0 || remove_one(block) == 0)
		return bench_fail(out, "online_128m", "add or remove failed");
	online = add_one(block);
	online += online ? bench_since(arch_instret()) : 0;
	offline = online ? remove_one(block) : 0;
	if (offline == 0)
		return bench_fail(out, "offline_128m", "add or remove failed");
	offline += bench_since(arch_instret());
	bench_row(out, "online_128m", online * 1000, "insn");
	bench_row(out, "offline_128m", offline * 1000, "insn");
	online = add_one(block);
	touch = online ? touch_all(block) : 0;
	online += touch ? bench_since(arch_instret()) : 0;
	if (touch == 0 || give_back_touched(block) || remove_one(block) == 0)
		return bench_fail(out, "online_touch_128m", "touching every descriptor failed");
	bench_row(out, "online_touch_128m", (online + touch) * 1000, "insn");
	if (measure_traced(out, block))
		return -EIO;
	if (remove_one(block + 1) == 0)
		return bench_fail(out, "offline_alone_128m", "add or remove failed");
	/* The block is now alone below two page tables, which are made and freed with it. */
	return measure_pair(out, block, "online_alone_128m", "offline_alone_128m");
}

int bench_hotplug(struct sink *out)
{
	unsigned long first;
	int err = own(out, "online_128m", &first, 2);

	if (err)
		return err;
	err = measure_block(out, first);
	unregister_memory_owner(&kernel_mm, &owner);
	return err;
}

/* Compare the cost of adding block 511 with that of block 0 of the same region. */
int bench_growth(struct sink *out)
{
	u64 insn, insn_first = 0, insn_last = 0;
	unsigned long first, i;
	int err = own(out, "online_growth", &first, GROWTH_BLOCKS);

	if (err)
		return err;
	/* The first round makes the allocations that outlive the blocks. */
	for (i = 0; i < GROWTH_BLOCKS && !err; i++)
		if (add_one(first + i) == 0)
			err = bench_fail(out, "online_growth", "add failed");
	for (i = 0; i < GROWTH_BLOCKS; i++)
		if (memory_block_state(&kernel_mm, first + i) != MEM_BLOCK_ABSENT &&
		    remove_one(first + i) == 0)
			err = bench_fail(out, "online_growth", "remove failed");
	for (i = 0; i < GROWTH_BLOCKS && !err; i++) {
		insn = add_one(first + i);
		insn_first = i == 0 ? insn : insn_first;
		insn_last = insn;
	}
	if (err == 0 && insn_first)
		bench_row(out, "online_growth", insn_last * 1000 / insn_first, "ratio");
	if (err == 0)
		err = look_rows(out);
	for (i = 0; i < GROWTH_BLOCKS && !err; i++)
		if (remove_one(first + i) == 0)
			err = bench_fail(out, "online_growth", "remove failed");
	unregister_memory_owner(&kernel_mm, &owner);
	return err;
}

/* --- the longest stretch with interrupts off -------------------------------------- */

#define FULL_PAGES 24000UL /* movable, in three of four frames, so that no run of free
			    * frames is long */
#define FULL_ORDER 6
static_assert(FULL_PAGES * sizeof(struct page_slot) <= PAGE_SIZE << FULL_ORDER, "slots fit");

/*
 * Print the longest stretch since the last call, rounded up to a tick, as row @id; NULL
 * prints nothing. Under -icount a nanosecond is an instruction.
 */
static void irqs_row(struct sink *out, const char *id)
{
	struct hart *hart = this_hart();
	const u64 ns = ticks_to_ns(hart->irqs_off_longest + 1);
	const unsigned long by = (unsigned long)hart->irqs_off_longest_by;

	if (id)
		bench_row(out, id, ns * 1000, "insn");
	if (id && hart->irqs_off_longest)
		sink_printf(out, "bench-place: %s %s\n", id, symbol_lookup(by, NULL));
	hart->irqs_off_longest = 0;
}

/* Allocate movable pages from @pfn on, and pin the first. */
static int fill(struct page_slot *slots, unsigned long pfn)
{
	for (unsigned long i = 0; i < FULL_PAGES; i++) {
		slots[i].pfn = pfn + i + i / 3;
		if (alloc_pages_at(&kernel_mm, slots[i].pfn, 0, PGTY_DRIVER))
			return -EBUSY;
		page_set_owner(&kernel_mm, slots[i].pfn, (uintptr_t)&slots[i]);
	}
	return page_pin(&kernel_mm, slots[0].pfn);
}

static int empty(struct page_slot *slots)
{
	int err = 0;

	for (unsigned long i = 0; i < FULL_PAGES; i++)
		err |= slot_free(&kernel_mm, &slots[i]);
	return err;
}

/*
 * Offline a full block. A pinned page makes the first try fail, with a line in the log;
 * after the unpin the block goes offline, and comes back online.
 */
static int irqs_offline(struct sink *out, unsigned long block, struct page_slot *slots)
{
	struct mm_failure why;
	int err;

	if (add_one(block) == 0 || add_one(block + 1) == 0 ||
	    fill(slots, block * PAGES_PER_SECTION + PAGEBLOCK_NR_PAGES))
		return -ENOMEM;
	irqs_row(out, NULL);
	err = offline_memory_block(&kernel_mm, block, NULL, &why) ? 0 : -EIO;
	irqs_row(out, "irqs_off_refused");
	if (err || page_unpin(&kernel_mm, slots[0].pfn))
		return -EIO;
	irqs_row(out, NULL);
	err = offline_memory_block(&kernel_mm, block, NULL, &why);
	irqs_row(out, "irqs_off_offline");
	if (err || why.migrated != FULL_PAGES)
		return -EIO;
	err = online_memory_block(&kernel_mm, block, MMOP_ONLINE, &why);
	irqs_row(out, "irqs_off_online");
	return err || empty(slots) || !remove_one(block) || !remove_one(block + 1) ? -EIO : 0;
}

/*
 * Request 1 GiB of boot memory that holds as many pages as a full block. The first request
 * waits for the pinned page until its deadline; the second, after the unpin, gets the range.
 */
static int irqs_contig(struct sink *out, struct page_slot *slots)
{
	const unsigned long nr = 1UL << (30 - PAGE_SHIFT);
	struct evacuate_policy policy = {
		.end = EVAC_END_ALLOC,
		.type = PGTY_KERNEL,
		.flags = EVAC_QUIET, /* the log line has a row of its own */
		.limits.wait = true,
	};
	struct mm_failure why;
	unsigned long pfn = alloc_contig_pages(&kernel_mm, nr, NULL, &why);
	int err;

	if (pfn == PFN_NONE)
		return -ENOMEM;
	free_contig_range(&kernel_mm, pfn, nr);
	policy.limits.deadline_ns = evac_clock_ns() + NSEC_PER_SEC / 2;
	if (fill(slots, pfn + nr / 2))
		return -EBUSY;
	irqs_row(out, NULL);
	err = take_contig_range(&kernel_mm, pfn, pfn + nr, &policy, &why);
	irqs_row(out, "irqs_off_wait");
	if (err != -ETIMEDOUT || why.migrated ||
	    page_unpin(&kernel_mm, slots[0].pfn))
		return -EIO;
	irqs_row(out, NULL);
	err = alloc_contig_range(&kernel_mm, pfn, pfn + nr, NULL, &why);
	irqs_row(out, "irqs_off_contig");
	if (err || why.migrated != FULL_PAGES)
		return -EIO;
	free_contig_range(&kernel_mm, pfn, nr);
	return empty(slots);
}

/* Log 30 long messages, then print all messages so far again. */
static void irqs_console(struct sink *out)
{
	char text[400];

	memset(text, '.', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (unsigned int i = 0; i < 30; i++)
		pr_info("%s", text);
	irqs_row(out, "irqs_off_message");
	printk_dump(out);
	irqs_row(out, "irqs_off_dmesg");
}

static int irqs_all(struct sink *out, unsigned long first, struct page_slot *slots)
{
	int err = irqs_offline(out, first, slots);

	if (!err)
		err = irqs_contig(out, slots);
	(void)trace_set("*", TRACE_OFF);
	irqs_console(out);
	return err;
}

/* Measure with all trace events on: records, too, are written with interrupts off. */
int bench_irqs(struct sink *out)
{
	const unsigned long table = alloc_pages(&kernel_mm, GFP_KERNEL, FULL_ORDER, PGTY_KERNEL);
	unsigned long first;
	int err = own(out, "irqs_off", &first, 2);

	irqs_row(out, "irqs_off_boot");
	if (err || table == PFN_NONE)
		return -ENOMEM;
	if (trace_set("*", TRACE_ON) <= 0)
		return bench_fail(out, "irqs_off", "there is no trace");
	err = irqs_all(out, first, phys_to_virt(pfn_to_phys(table)));
	unregister_memory_owner(&kernel_mm, &owner);
	free_pages(&kernel_mm, table, FULL_ORDER);
	return err ? bench_fail(out, "irqs_off", "a block or a range did not do as it should") : 0;
}
