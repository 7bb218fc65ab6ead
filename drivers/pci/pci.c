/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The root bus of a generic ECAM host bridge: finds functions and places their memory
 * BARs in the bridge's windows. The firmware places none.
 *
 * 64-bit prefetchable BARs go into the 64-bit window if there is one; all other BARs go into
 * the 32-bit window. I/O BARs stay unassigned: modern virtio needs none. ebb logs each bridge,
 * but does not scan the bus behind it.
 *
 * Spec: PCI 3.0 sections 6.1, 6.2.5. Compare with: Linux drivers/pci/setup-bus.c.
 */
#define pr_fmt(fmt) "pci: " fmt
#include "pci/pci.h"
#include "arch/io.h"
#include "arch/machine_info.h"
#include "kernel/init.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/string.h"

#define MAX_PCI_DEVICES	 64
#define BUS_CONFIG_BYTES (256UL << 12) /* 256 functions, 4 KiB each */

#define HEADER_MULTI	   0x80
#define HEADER_TYPE_MASK   0x7f
#define HEADER_TYPE_NORMAL 0

#define BAR_IO		 BIT(0)
#define BAR_64		 BIT(2)
#define BAR_PREFETCHABLE BIT(3)
#define BAR_FLAGS	 0xfUL

static struct pci_device devices[MAX_PCI_DEVICES];
static unsigned int nr_devices;

static u64 used[MACHINE_MAX_PCI_WINS]; /* how far each window of the host bridge is filled */

struct pci_device *pci_device_at(unsigned int n)
{
	return n < nr_devices ? &devices[n] : NULL;
}

u32 pci_find_capability(const struct pci_device *dev, u8 id, u32 after)
{
	u32 pos;

	if (!(readw(dev->config + PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	pos = readb(dev->config + (after ? after + 1 : PCI_CAPABILITY_LIST)) & ~3U;
	/* A capability takes at least 4 bytes, so there are at most 48. */
	for (unsigned int i = 0; i < PCI_CONFIG_BYTES / 4 && pos >= 0x40; i++) {
		if (readb(dev->config + pos) == id)
			return pos;
		pos = readb(dev->config + pos + 1) & ~3U;
	}
	return 0;
}

void pci_enable(struct pci_device *dev)
{
	u16 command = readw(dev->config + PCI_COMMAND);

	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	writew(command & ~PCI_COMMAND_INTX_OFF, dev->config + PCI_COMMAND);
}

/* --- placing BARs --------------------------------------------------------- */

/* Check whether BARs of this kind may use this window. */
static bool window_fits(const struct machine_pci_window *win, enum pci_space space)
{
	/*
	 * A 32-bit BAR cannot hold an address above 4 GiB, even if the tree calls the window
	 * 32-bit.
	 */
	if (space == PCI_SPACE_MEM32 && win->bus_addr + win->size > (1UL << 32))
		return false;
	return win->space == space;
}

/* Take @size bytes, aligned to @size, out of window @i. Return: bus address or 0. */
static u64 window_take(const struct machine_pci_window *win, unsigned int i, u64 size)
{
	const u64 bus = ALIGN_UP(win->bus_addr + used[i], size);
	const u64 end = win->bus_addr + win->size;

	if (bus == 0 || bus < win->bus_addr || bus >= end || size > end - bus)
		return 0;
	used[i] = bus + size - win->bus_addr;
	return bus;
}

/* Place @size bytes into a window of this kind. Return: bus address, or 0 */
static u64 place(enum pci_space space, u64 size, phys_addr_t *cpu)
{
	const struct machine_pci *pci = &machine_info()->pci;
	u64 bus = 0;

	for (unsigned int i = 0; i < pci->nr_windows && !bus; i++) {
		const struct machine_pci_window *win = &pci->windows[i];

		if (window_fits(win, space))
			bus = window_take(win, i, size);
		*cpu = bus ? bus - win->bus_addr + win->cpu_addr : 0;
	}
	return bus;
}

/* Write all ones to a BAR, and read its size back. The function must not decode meanwhile. */
static u64 bar_size(struct pci_device *dev, unsigned int n, u32 flags)
{
	volatile u8 *reg = dev->config + PCI_BAR0 + n * 4;
	u64 mask;

	writel(~0U, reg);
	mask = readl(reg) & ~BAR_FLAGS;
	if (flags & BAR_64) {
		writel(~0U, reg + 4);
		mask |= (u64)readl(reg + 4) << 32;
	} else {
		mask |= mask ? ~0UL << 32 : 0;
	}
	return mask ? ~mask + 1 : 0;
}

static void assign_bar(struct pci_device *dev, unsigned int n, u32 flags)
{
	volatile u8 *reg = dev->config + PCI_BAR0 + n * 4;
	const u64 size = bar_size(dev, n, flags);
	u64 bus = 0;

	if (!IS_POWER_OF_2(size))
		return;
	if ((flags & BAR_64) && (flags & BAR_PREFETCHABLE))
		bus = place(PCI_SPACE_MEM64, size, &dev->bar[n].addr);
	if (!bus)
		bus = place(PCI_SPACE_MEM32, size, &dev->bar[n].addr);
	if (!bus && (flags & BAR_64))
		bus = place(PCI_SPACE_MEM64, size, &dev->bar[n].addr);
	if (!bus)
		pr_err("00:%02x.%u: no room for BAR %u (0x%lx bytes) in the bridge's windows",
		       dev->devfn >> 3, dev->devfn & 7, n, size);
	dev->bar[n].size = bus ? size : 0;
	writel((u32)bus, reg);
	if (flags & BAR_64)
		writel((u32)(bus >> 32), reg + 4);
}

static void assign_bars(struct pci_device *dev)
{
	const u16 command = readw(dev->config + PCI_COMMAND);

	writew(command & ~(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | 1),
	       dev->config + PCI_COMMAND);
	for (unsigned int n = 0; n < PCI_NUM_BARS; n++) {
		const u32 flags = readl(dev->config + PCI_BAR0 + n * 4) & BAR_FLAGS;

		if (flags & BAR_IO)
			continue;
		if ((flags & BAR_64) && n + 1 == PCI_NUM_BARS)
			break; /* no second half: not a BAR */
		assign_bar(dev, n, flags);
		n += (flags & BAR_64) ? 1 : 0;
	}
}

/* --- finding functions ---------------------------------------------------- */

/* Fill in what the configuration says. Return: false if there is no function. */
static bool read_function(struct pci_device *dev, volatile u8 *config, u32 devfn)
{
	u8 pin;

	memset(dev, 0, sizeof(*dev));
	dev->config = config;
	dev->devfn = devfn;
	dev->vendor = readw(dev->config + PCI_VENDOR_ID);
	if (dev->vendor == 0xffff || dev->vendor == 0)
		return false;
	dev->device = readw(dev->config + PCI_DEVICE_ID);
	dev->subsystem = readw(dev->config + PCI_SUBSYSTEM_ID);
	pin = readb(dev->config + PCI_INTERRUPT_PIN);
	dev->irq = pin >= 1 && pin <= 4 ? machine_pci_irq(devfn, pin) : 0;
	return true;
}

static void add_function(volatile u8 *config, u32 devfn)
{
	struct pci_device *dev = &devices[nr_devices];

	if (nr_devices == MAX_PCI_DEVICES) {
		pr_warn_once("more than %u functions: the rest are not used",
			     MAX_PCI_DEVICES);
		return;
	}
	if (!read_function(dev, config, devfn))
		return;
	if ((readb(dev->config + PCI_HEADER_TYPE) & HEADER_TYPE_MASK) != HEADER_TYPE_NORMAL) {
		pr_info("00:%02x.%u: a bridge; ebb does not look for devices behind it",
			devfn >> 3, devfn & 7);
		return;
	}
	assign_bars(dev);
	nr_devices++;
}

static void scan_slot(volatile u8 *bus_config, u32 slot)
{
	volatile u8 *config = bus_config + (slot << 15);
	unsigned int functions;

	if (readw(config + PCI_VENDOR_ID) == 0xffff)
		return;
	functions = readb(config + PCI_HEADER_TYPE) & HEADER_MULTI ? 8 : 1;
	for (u32 fn = 0; fn < functions; fn++)
		add_function(config + (fn << 12), slot << 3 | fn);
}

static int pci_init(void)
{
	const struct machine_pci *pci = &machine_info()->pci;
	volatile u8 *config;

	if (pci->ecam.size < BUS_CONFIG_BYTES)
		return -ENODEV;
	/* ECAM starts with the first bus of the bridge: its root bus. */
	config = ioremap(pci->ecam.start, BUS_CONFIG_BYTES);
	if (!config)
		return -ENOMEM;
	for (u32 slot = 0; slot < 32; slot++)
		scan_slot(config, slot);
	return 0;
}
INITCALL(bus, pci_init);
