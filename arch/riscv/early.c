/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The code that runs with paging off: it prints the first line on the console, copies
 * the device tree, and builds the page table of the kernel image.
 *
 * This code runs at its physical address although it is linked in the upper half. It may take
 * addresses, which are relative to the program counter. It must not follow pointers that the
 * linker stored, nor use a switch that compiles to a jump table.
 */
#include "kernel/version.h"
#include "lib/fdt.h"
#include "lib/string.h"

#include "arch.h"
#include "sbi.h"

#define NR_IMAGE_TABLES 4 /* 8 MiB: the image and the copy of the tree */

struct early_info early_info;

static pte_t sv48_root[PTES_PER_TABLE] __aligned(PAGE_SIZE);
pte_t early_top_table[PTES_PER_TABLE] __aligned(PAGE_SIZE);
static pte_t image_gib[PTES_PER_TABLE] __aligned(PAGE_SIZE);
static pte_t image_pages[NR_IMAGE_TABLES][PTES_PER_TABLE] __aligned(PAGE_SIZE);
static pte_t stack_gib[PTES_PER_TABLE] __aligned(PAGE_SIZE);
static pte_t stack_pages[PTES_PER_TABLE] __aligned(PAGE_SIZE);

static void early_puts(const char *text)
{
	arch_early_write(text, strlen(text));
}

/* End the machine at a time when no other code can. entry.S also calls this. */
void early_fail(const char *text)
{
	early_puts(text);
	sbi_call(SBI_SRST, 0, SBI_ARGS(SBI_SRST_SHUTDOWN, SBI_SRST_FAILURE));
	for (;;)
		__asm__ volatile("wfi");
}

static inline unsigned int pte_index(unsigned long va, unsigned int level)
{
	return (va >> LEVEL_SHIFT(level)) & (PTES_PER_TABLE - 1);
}

static pte_t table_entry(const pte_t *table)
{
	return PTE_PFN((unsigned long)table) | PTE_V;
}

/*
 * Copy the device tree to the end of the image, where nothing else lies yet and any tree fits.
 */
static void copy_fdt(const void *fdt)
{
	const u32 size = fdt ? fdt_blob_size(fdt) : 0;

	if (size == 0)
		early_fail(
			"ebb: the firmware passed no device tree: start through OpenSBI, "
			"-bios default\n");
	memmove(_end, fdt, size);
	early_info.fdt = (phys_addr_t)(unsigned long)_end;
	early_info.fdt_size = size;
}

/* Map the pages from @from to @to, both physical, in the image window. */
static void map_image(unsigned long from, unsigned long to, u64 prot)
{
	unsigned long index = (from - (unsigned long)_start) >> PAGE_SHIFT;
	pte_t *pte = &image_pages[0][0] + index;

	for (; from < to; from += PAGE_SIZE)
		*pte++ = PTE_PFN(from) | prot;
}

/* Map the top pages of a slot of the stack window. */
static void map_stack(unsigned int slot, unsigned long stack, unsigned long size)
{
	unsigned int index = pte_index(STACK_SLOT_TOP((unsigned long)slot) - size, 0);

	for (unsigned long done = 0; done < size; done += PAGE_SIZE)
		stack_pages[index++] = PTE_PFN(stack + done) | PROT_RW;
}

static void build_tables(void)
{
	const unsigned long fdt_end =
		ALIGN_UP((unsigned long)_end + early_info.fdt_size, PAGE_SIZE);

	map_image((unsigned long)_start, (unsigned long)__rodata_start, PROT_RX);
	map_image((unsigned long)__rodata_start, (unsigned long)__data_start, PROT_R);
	map_image((unsigned long)__data_start, (unsigned long)__symbols_start, PROT_RW);
	map_image((unsigned long)__symbols_start, fdt_end, PROT_R);
	for (unsigned int i = 0; i < NR_IMAGE_TABLES; i++)
		image_gib[pte_index(IMAGE_BASE, 1) + i] = table_entry(image_pages[i]);

	map_stack(STACK_SLOT_BOOT, (unsigned long)boot_stack, STACK_SLOT - STACK_GUARD);
	for (unsigned int i = 0; i < MACHINE_MAX_HARTS; i++)
		map_stack(STACK_SLOT_OVERFLOW + i, (unsigned long)overflow_stacks[i],
			  OVERFLOW_STACK_SIZE);
	stack_gib[0] = table_entry(stack_pages);

	early_top_table[pte_index(IMAGE_BASE, 2)] = table_entry(image_gib);
	early_top_table[pte_index(STACK_BASE, 2)] = table_entry(stack_gib);
	sv48_root[PTES_PER_TABLE - 1] = table_entry(early_top_table);
}

/**
 * early_start() - do everything that comes before paging
 * @fdt: physical address of the firmware's device tree
 * @instret: the instruction counter at _start, or 0
 *
 * Called by entry.S with paging off. Return: the roots of the page table.
 */
struct early_roots early_start(const void *fdt, u64 instret)
{
	early_info.boot_instret = instret;
	early_info.image = (phys_addr_t)(unsigned long)_start;
	early_info.firmware_console = sbi_has(SBI_DBCN);
	early_puts("ebb: first light (" EBB_VERSION ")\n");
	copy_fdt(fdt);
	build_tables();
	early_info.root[0] = (phys_addr_t)(unsigned long)early_top_table;
	early_info.root[1] = (phys_addr_t)(unsigned long)sv48_root;
	return (struct early_roots){.sv48 = early_info.root[1],
				    .sv39 = early_info.root[0]};
}
