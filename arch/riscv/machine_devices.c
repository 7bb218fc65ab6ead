/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Find the devices that the device tree names: one pass over the tree, and one small function
 * for each kind of device that ebb drives. Spec: Devicetree Specification 0.4, and the
 * bindings named below.
 */
#define pr_fmt(fmt) "machine: " fmt

#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/string.h"

#include "arch.h"

static struct fdt_node pci_node;
static u32 plic_phandle;
static unsigned int nr_plics, nr_aplic;

static bool one_cell; /* the PLIC has one cell for each interrupt: saves a search by phandle */

static bool quick_irq(const struct fdt_node *node, u32 *irq)
{
	struct fdt_prop extended;
	u32 parent;

	return one_cell && fdt_u32(node, "interrupt-parent", &parent) == 0 &&
	       parent == plic_phandle && fdt_u32(node, "interrupts", irq) == 0 &&
	       fdt_prop(node, "interrupts-extended", &extended) == -ENOENT;
}

/* Get the source number of a device's first interrupt; 0 if it has none that ebb can serve. */
static u32 first_irq(const struct fdt_node *node)
{
	struct fdt_irq irq;
	u32 quick;

	if (quick_irq(node, &quick))
		return quick;
	if (fdt_irq(node, &irq) != 0 || irq.controller != plic_phandle)
		return 0;
	return irq.cells[0];
}

static void left_out(const struct fdt_node *node, const char *why)
{
	char path[128];

	fdt_path(node, path, sizeof(path));
	pr_warn("%s %s: it is not used\n", path, why);
}

/*
 * Check whether a range of device addresses overlaps memory, where stores would destroy data.
 */
static bool over_memory(const struct machine_info *info, phys_addr_t start, u64 size)
{
	const phys_addr_t last = start + (size - 1);

	for (unsigned int i = 0; i < info->nr_memory; i++) {
		const struct mem_range *r = &info->memory[i];

		if (start <= r->start + (r->size - 1) && r->start <= last)
			return true;
	}
	return false;
}

static const char *reg_fault(const struct machine_info *info, const struct fdt_node *node,
			     struct fdt_range *range)
{
	if (fdt_reg(node, 0, range) != 0)
		return "has no reg or a malformed reg";
	if (range->size == 0)
		return "has a reg of size 0";
	if (range->base >= PHYS_LIMIT || range->size > PHYS_LIMIT - range->base)
		return "lies beyond all physical addresses";
	return over_memory(info, range->base, range->size) ? "overlaps memory" : NULL;
}

static int first_reg(const struct machine_info *info, const struct fdt_node *node,
		     struct mem_range *out)
{
	struct fdt_range range;
	const char *fault = reg_fault(info, node, &range);

	if (fault) {
		left_out(node, fault);
		return -EINVAL;
	}
	*out = (struct mem_range){range.base, range.size};
	return 0;
}

/*
 * Find each hart's context of a PLIC. The contexts are the pairs of interrupts-extended, in
 * order: (a hart's interrupt controller, 9 for supervisor mode). Binding: sifive,plic-1.0.0.
 */
static void find_contexts(const struct machine_info *info, const struct fdt_node *node,
			  u32 context[MACHINE_MAX_HARTS])
{
	struct fdt_prop prop = {.len = 0};

	for (unsigned int hart = 0; hart < MACHINE_MAX_HARTS; hart++)
		context[hart] = PLIC_NO_CONTEXT;
	(void)fdt_prop(node, "interrupts-extended", &prop);
	for (u32 i = 0; i + 1 < prop.len / 4; i += 2)
		for (unsigned int hart = 0; hart < info->nr_harts; hart++)
			if (fdt_cell(&prop, i) == machine_hart_intc[hart] &&
			    fdt_cell(&prop, i + 1) == 9)
				context[hart] = i / 2;
}

/* Take the boot hart's PLIC: each NUMA socket has a PLIC for its own harts. */
static void found_plic(struct machine_info *info, const struct fdt_node *node)
{
	u32 context[MACHINE_MAX_HARTS], cells;
	struct mem_range range;

	if (first_reg(info, node, &range) != 0)
		return;
	nr_plics++;
	find_contexts(info, node, context);
	if (info->plic.size != 0 || context[0] == PLIC_NO_CONTEXT)
		return;
	for (unsigned int hart = 0; hart < MACHINE_MAX_HARTS; hart++)
		if (context[hart] != PLIC_NO_CONTEXT &&
		    PLIC_CONTEXT((u64)context[hart] + 1) > range.size) {
			left_out(node, "has a reg too small for its contexts");
			return;
		}
	info->plic = range;
	memcpy(info->plic_context, context, sizeof(context));
	fdt_u32(node, "riscv,ndev", &info->plic_nr_irqs);
	fdt_u32(node, "phandle", &plic_phandle);
	one_cell = fdt_u32(node, "#interrupt-cells", &cells) == 0 && cells == 1;
}

static void found_aplic(struct machine_info *, const struct fdt_node *)
{
	nr_aplic++;
}

/* Binding: ns16550. The first UART is the console; virt has only one. */
static void found_uart(struct machine_info *info, const struct fdt_node *node)
{
	struct machine_uart *uart = &info->uart;

	if (uart->dev.regs.size != 0 || first_reg(info, node, &uart->dev.regs) != 0)
		return;
	uart->dev.irq = first_irq(node);
	uart->reg_io_width = 1;
	fdt_u32(node, "reg-shift", &uart->reg_shift);
	fdt_u32(node, "reg-io-width", &uart->reg_io_width);
}

static void found_virtio(struct machine_info *info, const struct fdt_node *node)
{
	struct mmio_device dev = {.irq = first_irq(node)}, *list = info->virtio_mmio;
	unsigned int i;

	if (first_reg(info, node, &dev.regs) != 0)
		return;
	if (info->nr_virtio_mmio == MACHINE_MAX_VIRTIO) {
		left_out(node, "is one virtio-mmio slot too many");
		return;
	}
	for (i = info->nr_virtio_mmio++; i > 0 && list[i - 1].regs.start > dev.regs.start; i--)
		list[i] = list[i - 1];
	list[i] = dev;
}

static void found_finisher(struct machine_info *info, const struct fdt_node *node)
{
	if (info->finisher.size == 0)
		first_reg(info, node, &info->finisher);
}

static void add_pci_window(struct machine_info *info, const struct fdt_node *node,
			   const struct fdt_window *w)
{
	struct machine_pci *pci = &info->pci;
	const u32 space = w->flags >> 24 & 3;

	if (space == 0 || w->size == 0 || pci->nr_windows == MACHINE_MAX_PCI_WINS)
		return;
	if (w->parent >= PHYS_LIMIT || w->size > PHYS_LIMIT - w->parent)
		left_out(node, "has a window beyond all physical addresses");
	else if (space != PCI_SPACE_IO && over_memory(info, w->parent, w->size))
		left_out(node, "has a window that overlaps memory");
	else
		pci->windows[pci->nr_windows++] = (struct machine_pci_window){
			space, w->parent, w->child, w->size};
}

/* Binding: pci-host-ecam-generic; IEEE 1275 PCI binding for the flags of ranges. */
static void found_pci(struct machine_info *info, const struct fdt_node *node)
{
	struct fdt_window window;
	int err = 0;

	if (info->pci.ecam.size != 0 || first_reg(info, node, &info->pci.ecam) != 0)
		return;
	pci_node = *node;
	for (unsigned int i = 0; err != -ENOENT && err != -EINVAL; i++) {
		err = fdt_bus_range(node, i, &window);
		if (err == 0)
			add_pci_window(info, node, &window);
		else if (err != -ENOENT)
			left_out(node, "has a malformed window in ranges");
	}
}

enum device_role {
	ROLE_CONTROLLER, /* an interrupt controller: digested when the walk reaches it */
	ROLE_DEVICE,	 /* may name a controller: digested when all controllers are known */
};

static const struct device_kind {
	const char *compatible;
	void (*found)(struct machine_info *info, const struct fdt_node *node);
	enum device_role role;
} device_kinds[] = {
	{"sifive,plic-1.0.0", found_plic, ROLE_CONTROLLER},
	{"riscv,plic0", found_plic, ROLE_CONTROLLER},
	{"riscv,aplic", found_aplic, ROLE_CONTROLLER},
	{"virtio,mmio", found_virtio, ROLE_DEVICE},
	{"ns16550a", found_uart, ROLE_DEVICE},
	{"ns16550", found_uart, ROLE_DEVICE},
	{"sifive,test0", found_finisher, ROLE_DEVICE},
	{"pci-host-ecam-generic", found_pci, ROLE_DEVICE},
};

/* The devices that wait for the end of the walk. */
static struct device_node {
	const struct device_kind *kind;
	struct fdt_node node;
} devices[MACHINE_MAX_VIRTIO + 32];
static unsigned int nr_devices;

/*
 * Find the kind of a device. The node lists what the device is compatible with, the closest
 * first.
 */
static const struct device_kind *kind_of(const struct fdt_node *node)
{
	const char *text = NULL;
	struct fdt_prop prop;

	if (fdt_prop(node, "compatible", &prop) != 0)
		return NULL;
	while ((text = fdt_next_str(&prop, text)) != NULL)
		for (unsigned int i = 0; i < ARRAY_SIZE(device_kinds); i++)
			if (*text == *device_kinds[i].compatible &&
			    strcmp(text, device_kinds[i].compatible) == 0)
				return &device_kinds[i];
	return NULL;
}

static void digest_node(struct machine_info *info, const struct fdt_node *node)
{
	const struct device_kind *kind = kind_of(node);

	if (!kind || !fdt_is_available(node))
		return;
	if (kind->role == ROLE_CONTROLLER)
		kind->found(info, node);
	else if (nr_devices < ARRAY_SIZE(devices))
		devices[nr_devices++] = (struct device_node){kind, *node};
	else
		left_out(node, "is one device too many");
}

/**
 * machine_digest_devices() - fill in what the tree says about devices
 * @info: harts and memory are filled in already
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
	for (i = 0; i < nr_devices; i++)
		devices[i].kind->found(info, &devices[i].node);
	if (nr_plics > 1)
		pr_warn("this machine has %u interrupt controllers, one for each NUMA socket; "
			"ebb drives the boot hart's, and devices of the others do not work: "
			"start QEMU without -numa\n",
			nr_plics);
}

/**
 * machine_missing_irq() - say why ebb cannot serve this machine's device interrupts
 * @info: digested
 *
 * Return: a line that says what to do, or NULL if ebb can serve them.
 */
const char *machine_missing_irq(const struct machine_info *info)
{
	if (info->plic.size != 0)
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
