/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _ARCH_MACHINE_INFO_H
#define _ARCH_MACHINE_INFO_H

/*
 * The machine as the device tree describes it, digested once at boot. Other files hard-code
 * none of this. Constant after boot; any context may read it.
 */
#include "lib/time.h"
#include "lib/types.h"

#define MACHINE_MAX_HARTS     8
#define MACHINE_MAX_MEMORY    128 /* ranges of memory */
#define MACHINE_MAX_RANGES    64  /* of reservations */
#define MACHINE_MAX_VIRTIO    32
#define MACHINE_MAX_PCI_WINS  4
#define PLIC_NO_CONTEXT	      (~0U) /* the hart takes no device interrupts */

struct mem_range {
	phys_addr_t start;
	u64 size; /* bytes */
};

/* A device's registers and its interrupt line (0 = none). */
struct mmio_device {
	struct mem_range regs;
	u32 irq; /* PLIC source */
};

struct machine_uart {
	struct mmio_device dev; /* of size 0 = no ns16550 in the tree */
	u32 reg_shift;	  /* register n lies at n << reg_shift */
	u32 reg_io_width; /* bytes per access: 1 or 4 */
};

enum pci_space {
	PCI_SPACE_IO = 1,
	PCI_SPACE_MEM32 = 2,
	PCI_SPACE_MEM64 = 3,
};

/* A window of the host bridge: a CPU address, and the bus address that it leads to. */
struct machine_pci_window {
	enum pci_space space;
	phys_addr_t cpu_addr;
	u64 bus_addr;
	u64 size;
};

struct machine_pci {
	struct mem_range ecam; /* size 0 = no PCI host */
	struct machine_pci_window windows[MACHINE_MAX_PCI_WINS];
	unsigned int nr_windows;
};

struct machine_info {
	/* RAM as the tree names it, sorted, merged, cut to arch_mappable_range(). */
	struct mem_range memory[MACHINE_MAX_MEMORY + 1]; /* one more while the tree is read */
	unsigned int nr_memory;
	/*
	 * RAM in use from the start: the kernel image with the tree's copy, and reservations.
	 */
	struct mem_range reserved[MACHINE_MAX_RANGES];
	unsigned int nr_reserved;
	/* The part of reserved[] that may not even be mapped (firmware). */
	struct mem_range nomap[MACHINE_MAX_RANGES];
	unsigned int nr_nomap;
	struct mem_range kernel; /* the image, its zeroed data and the tree's copy */

	const char *cmdline; /* in the tree's copy; any length */

	/* Logical hart ids index this table; 0 is the hart that booted. */
	u64 hartid[MACHINE_MAX_HARTS];
	unsigned int nr_harts;
	u32 plic_context[MACHINE_MAX_HARTS]; /* S-mode context, or PLIC_NO_CONTEXT */
	u64 timebase_hz;
	unsigned int paging_levels; /* 4 = Sv48, 3 = Sv39 */

	struct mem_range plic;
	u32 plic_nr_irqs; /* highest source number */
	struct machine_uart uart;
	struct mmio_device virtio_mmio[MACHINE_MAX_VIRTIO]; /* by ascending address */
	unsigned int nr_virtio_mmio;
	struct machine_pci pci;
	struct mem_range finisher; /* sifive,test0; size 0 = none */
};

/* Return the digested device tree; never NULL once kernel_main() runs. */
const struct machine_info *machine_info(void);

/* Convert ticks of the timebase to nanoseconds. */
static inline u64 ticks_to_ns(u64 ticks)
{
	const u64 hz = machine_info()->timebase_hz;

	return ticks / hz * NSEC_PER_SEC + ticks % hz * NSEC_PER_SEC / hz;
}

/**
 * machine_pci_irq() - get the PLIC source behind a PCI function's interrupt pin
 * @devfn: device << 3 | function, on the root bus
 * @pin: 1 = INTA to 4 = INTD
 *
 * Return: the source number, or 0 if the tree names none.
 */
u32 machine_pci_irq(u32 devfn, u32 pin);

#endif
