/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices that the device tree names: one pass over it, one small function for each
 * kind that ebb drives. Spec: Devicetree Specification 0.4; the bindings are named below.
 */
#define pr_fmt(fmt) "machine: " fmt

#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/fdt.h"

#include "arch.h"

static struct fdt_node pci_node;
static u32 plic_phandle;
static unsigned int nr_aplic;

/* A controller known to have one cell for each interrupt: spares a search by phandle. */
static u32 one_cell_controller;

static bool quick_irq(const struct fdt_node *node, u32 *irq)
{
	struct fdt_prop extended;
	u32 parent;

	return one_cell_controller != 0 &&
	       fdt_u32(node, "interrupt-parent", &parent) == 0 &&
	       parent == one_cell_controller && fdt_u32(node, "interrupts", irq) == 0 &&
	       fdt_prop(node, "interrupts-extended", &extended) == -ENOENT;
}

/* Source number of a device's first interrupt; 0 if it has none we could serve. */
static u32 first_irq(const struct fdt_node *node)
{
	struct fdt_irq irq;
	u32 quick;

	if (quick_irq(node, &quick))
		return quick;
	if (fdt_irq(node, &irq) != 0 || irq.nr_cells == 0)
		return 0;
	if (irq.nr_cells == 1)
		one_cell_controller = irq.controller;
	return irq.cells[0];
}

static int first_reg(const struct fdt_node *node, struct mem_range *out)
{
	struct fdt_range range;
	int err = fdt_reg(node, 0, &range);

	if (err != 0) {
		pr_warn("%s: reg is malformed: the device is left out\n", node->name);
		return err;
	}
	*out = (struct mem_range){range.base, range.size};
	return 0;
}

static int first_device(const struct fdt_node *node, struct mmio_device *out)
{
	struct mem_range range;
	int err = first_reg(node, &range);

	if (err != 0)
		return err;
	*out = (struct mmio_device){range.start, range.size, first_irq(node)};
	return 0;
}

/*
 * A PLIC's contexts are the pairs of interrupts-extended, in order: (interrupt
 * controller of a hart, 9 for its supervisor mode). Binding: sifive,plic-1.0.0.
 */
static void found_plic(struct machine_info *info, const struct fdt_node *node)
{
	struct fdt_prop prop;

	if (info->plic.size != 0 || first_reg(node, &info->plic) != 0)
		return;
	fdt_u32(node, "riscv,ndev", &info->plic_nr_irqs);
	fdt_u32(node, "phandle", &plic_phandle);
	if (fdt_prop(node, "interrupts-extended", &prop) != 0)
		return;
	for (u32 i = 0; i + 1 < prop.len / 4; i += 2)
		for (unsigned int hart = 0; hart < info->nr_harts; hart++)
			if (fdt_cell(&prop, i) == machine_hart_intc[hart] &&
			    fdt_cell(&prop, i + 1) == 9)
				info->plic_context[hart] = i / 2;
}

static void found_aplic(struct machine_info *, const struct fdt_node *)
{
	nr_aplic++;
}

/* Binding: ns16550. The first one is the console; virt has one only. */
static void found_uart(struct machine_info *info, const struct fdt_node *node)
{
	struct machine_uart *uart = &info->uart;

	if (uart->dev.size != 0 || first_device(node, &uart->dev) != 0)
		return;
	uart->reg_io_width = 1;
	fdt_u32(node, "reg-shift", &uart->reg_shift);
	fdt_u32(node, "reg-io-width", &uart->reg_io_width);
}

static void found_virtio(struct machine_info *info, const struct fdt_node *node)
{
	struct mmio_device dev, *list = info->virtio_mmio;
	unsigned int i;

	if (first_device(node, &dev) != 0)
		return;
	if (info->nr_virtio_mmio == MACHINE_MAX_VIRTIO) {
		pr_warn("%s: more than %u virtio-mmio slots: left out\n", node->name,
			MACHINE_MAX_VIRTIO);
		return;
	}
	for (i = info->nr_virtio_mmio++; i > 0 && list[i - 1].start > dev.start; i--)
		list[i] = list[i - 1];
	list[i] = dev;
}

static void found_finisher(struct machine_info *info, const struct fdt_node *node)
{
	if (info->finisher.size == 0)
		first_reg(node, &info->finisher);
}

/* Binding: pci-host-ecam-generic; IEEE 1275 PCI binding for the flags of ranges. */
static void found_pci(struct machine_info *info, const struct fdt_node *node)
{
	struct machine_pci *pci = &info->pci;
	struct fdt_window window;
	unsigned int i;

	if (pci->ecam.size != 0 || first_reg(node, &pci->ecam) != 0)
		return;
	pci_node = *node;
	for (i = 0; fdt_bus_range(node, i, &window) == 0; i++) {
		const u32 space = window.flags >> 24 & 3;

		if (space == 0 || pci->nr_windows == MACHINE_MAX_PCI_WINS)
			continue;
		pci->windows[pci->nr_windows++] = (struct machine_pci_window){
			space, window.parent, window.child, window.size};
	}
}

static const struct device_kind {
	const char *compatible;
	void (*found)(struct machine_info *info, const struct fdt_node *node);
} device_kinds[] = {
	{"virtio,mmio", found_virtio},	  {"sifive,plic-1.0.0", found_plic},
	{"riscv,plic0", found_plic},	  {"riscv,aplic", found_aplic},
	{"ns16550a", found_uart},	  {"ns16550", found_uart},
	{"sifive,test0", found_finisher}, {"pci-host-ecam-generic", found_pci},
};

static void digest_node(struct machine_info *info, const struct fdt_node *node)
{
	const struct device_kind *kind;
	struct fdt_prop prop;

	if (fdt_prop(node, "compatible", &prop) != 0)
		return;
	for (kind = device_kinds; kind < device_kinds + ARRAY_SIZE(device_kinds);
	     kind++) {
		if (!fdt_prop_has(&prop, kind->compatible))
			continue;
		if (fdt_is_available(node))
			kind->found(info, node);
		return;
	}
}

/**
 * machine_digest_devices - fill in what the tree says about devices
 * @info: harts are filled in already
 */
void machine_digest_devices(struct machine_info *info)
{
	struct fdt_node node;
	unsigned int i;

	for (i = 0; i < MACHINE_MAX_HARTS; i++)
		info->plic_context[i] = PLIC_NO_CONTEXT;
	fdt_root(&machine_fdt, &node);
	while (fdt_next(&node))
		digest_node(info, &node);
}

/**
 * machine_missing_irq - why this machine's device interrupts cannot be served
 * @info: digested
 *
 * Return: a line that says what to do, or NULL if they can be.
 */
const char *machine_missing_irq(const struct machine_info *info)
{
	if (info->plic.size != 0 && info->plic_context[0] != PLIC_NO_CONTEXT)
		return NULL;
	if (nr_aplic != 0)
		return "this machine has an AIA interrupt controller; ebb drives a PLIC: "
		       "start QEMU with -M virt,aia=none";
	return "the device tree names no PLIC (sifive,plic-1.0.0) that interrupts the "
	       "boot hart's supervisor mode";
}

u32 machine_pci_irq(u32 devfn, u32 pin)
{
	struct fdt_irq irq;

	if (machine_info()->pci.ecam.size == 0 ||
	    fdt_irq_map(&pci_node, devfn << 8, pin, &irq) != 0)
		return 0;
	return irq.controller == plic_phandle && irq.nr_cells > 0 ? irq.cells[0] : 0;
}
