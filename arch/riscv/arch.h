/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _RISCV_ARCH_H
#define _RISCV_ARCH_H

/*
 * The interfaces between the files of arch/riscv.
 */
#include "arch/boot.h"
#include "arch/machine.h"
#include "arch/probe.h"
#include "lib/types.h"

#include "layout.h"

struct fdt_node;
struct sink;

/* Every register at a trap, as entry.S stores them. */
struct trap_frame {
	u64 x[32]; /* x[0] is not written */
	u64 sepc;
	u64 sstatus;
	u64 scause;
	u64 stval;
	u64 link_fp; /* leads the backtrace through the trap */
	u64 link_ra;
};
static_assert(offsetof(struct trap_frame, sepc) == TF_SEPC, "layout.h");
static_assert(offsetof(struct trap_frame, link_ra) == TF_LINK_RA, "layout.h");
static_assert(sizeof(struct trap_frame) == TF_SIZE, "layout.h");

/* linker.ld and entry.S */
extern char _start[], __text_end[], __rodata_start[], __data_start[], __bss_start[],
	__bss_end[], __symbols_start[], __symbols_end[], _end[];
extern char boot_stack[], overflow_stacks[][OVERFLOW_STACK_SIZE];
extern char secondary_start[], trap_entry[], trap_entry_end[], thread_entry[];
extern const char probe_read_insn[], probe_write_insn[], probe_read_failed[];
bool probe_write(void *addr, u64 value); /* false: the store faulted */

/* Page-table entries; Spec: Privileged Architecture 1.12, section 4.4.1. */
typedef u64 pte_t;

#define PTE_V	   BIT(0)
#define PTE_R	   BIT(1)
#define PTE_W	   BIT(2)
#define PTE_X	   BIT(3)
#define PTE_G	   BIT(5)
#define PTE_A	   BIT(6)
#define PTE_D	   BIT(7)
#define PTE_TRANSIENT BIT(8) /* for software: the entry leads to a table that may be freed */
#define PTE_PFN(x) (((u64)(x) >> PAGE_SHIFT) << 10)
#define PTE_PA(x)  ((((u64)(x) >> 10) & GENMASK(43, 0)) << PAGE_SHIFT)

/* Accessed and dirty are set from the start, so no hart has to write them. */
#define PROT_R	 (PTE_V | PTE_R | PTE_G | PTE_A | PTE_D)
#define PROT_RW	 (PROT_R | PTE_W)
#define PROT_RX	 (PROT_R | PTE_X)
#define PTE_LEAF (PTE_R | PTE_W | PTE_X)

#define PTES_PER_TABLE 512
#define LEVEL_SHIFT(l) (PAGE_SHIFT + 9 * (l)) /* 0: 4 KiB, 1: 2 MiB, 2: 1 GiB */

/* The results of early_start(), which runs with paging off; addresses are physical. */
struct early_info {
	phys_addr_t image;
	phys_addr_t fdt;  /* the copy */
	u64 boot_instret;  /* instruction counter at _start; 0: not readable */
	/* The counter 10 ms after "ebb: ready", on an idle machine; tools/bench reads both. */
	u64 settled_instret;
	u32 fdt_size;
	u32 firmware_console; /* 1: DBCN, 0: the legacy call */
	phys_addr_t root[2];  /* Sv39's and Sv48's root table */
};
extern struct early_info early_info;
extern pte_t early_top_table[PTES_PER_TABLE];

/* Roots of the page table, returned in a0 and a1 for entry.S. */
struct early_roots {
	phys_addr_t sv48, sv39;
};
struct early_roots early_start(const void *fdt, u64 instret);
void early_fail(const char *text) __noreturn;

/* Return the physical address of an object in the kernel image, with paging on. */
static inline phys_addr_t image_to_phys(const void *va)
{
	return (phys_addr_t)((unsigned long)va - IMAGE_BASE) + early_info.image;
}

void arch_start(u64 hartid) __noreturn;
void arch_secondary_start(void (*entry)(void)) __noreturn;

/* machine_info.c, machine_devices.c, machine_probe.c: digest the tree */
void machine_digest_harts(struct machine_info *info, u64 boot_hartid);
void machine_digest_devices(struct machine_info *info);
const char *machine_digest_memory(struct machine_info *info);
void machine_probe_memory(struct machine_info *info);
bool machine_holds_kernel(const struct machine_info *info, const struct mem_range *range);
void machine_cover_range(struct mem_range *list, unsigned int nr, struct mem_range range);
const char *machine_missing_irq(const struct machine_info *info);
#define PHYS_LIMIT BIT(56) /* physical addresses end here; Spec: Privileged Architecture 1.12 */
struct fdt;
extern struct fdt machine_fdt;
extern u32 machine_hart_intc[]; /* phandles of the harts' interrupt controllers; 0: none */

/* pgtable.c */
/*
 * The end of a walk: an entry and its level. If the level is above the requested level, the
 * entry is a leaf or empty.
 */
struct walk {
	pte_t *pte;
	pte_t *parent; /* the entry that leads to the table of @pte; NULL: it is the root */
	unsigned int level;
};

/* The size of the leaves that map a range. */
enum leaves {
	LEAVES_PAGES, /* 4 KiB only */
	LEAVES_LARGE, /* 2 MiB where both addresses allow it */
};

/* A range to map, and its frames; addresses and size are multiples of PAGE_SIZE. */
struct map_range {
	unsigned long va;
	phys_addr_t pa;
	u64 size;
	enum leaves leaves;
};

extern phys_addr_t root_table;
extern unsigned long
	table_offset; /* a table's address minus its physical address; 0: none */
struct walk pgtable_walk(unsigned long va, unsigned int level);
int pgtable_prealloc(struct map_range range);
int pgtable_map(struct map_range range, u64 prot);
/* @seen: not 0 if anything was mapped. @tables: the first unlinked table; 0: none. */
struct unmapped {
	u64 seen;
	phys_addr_t tables;
};
struct unmapped pgtable_unmap(unsigned long va, u64 size);
void pgtable_trim(struct map_range range, phys_addr_t *unlinked);
int pgtable_move(unsigned long va, bool (*leaves)(phys_addr_t table), phys_addr_t *unlinked);
void pgtable_describe(unsigned long va, struct sink *out);
unsigned int paging_levels(void);
const char *paging_name(void);

/* tlb.c */
void tlb_flush_local(unsigned long va, u64 size);
void tlb_flush_all_harts(unsigned long va, u64 size);

/* stack.c */
int stack_tables_make(void);
bool stack_bounds(unsigned long sp, unsigned long *low, unsigned long *high);
bool stack_guard_hit(unsigned long va);

/* trap.c, fault.c */
void trap_handler(struct trap_frame *frame);
void fault_report(const struct trap_frame *frame) __noreturn;

/*
 * irq_state.c: measure the longest time with interrupts off; call irqs_off_end() before
 * interrupts are on again.
 */
void irqs_off_begin(const void *by);
void irqs_off_end(void);

/* irq.c, timer.c, smp.c, exit.c */
#define PLIC_CONTEXT(c) (0x200000 + 0x1000UL * (c)) /* registers of a context */
void plic_init_hart(unsigned int hart);
void plic_handle(unsigned int hart);
void clock_init(void);
void ipi_handle(void);
unsigned long online_mask(void);
void exit_init_early(void);
void exit_init(void);
void firmware_reset(unsigned long type) __noreturn;

#endif
