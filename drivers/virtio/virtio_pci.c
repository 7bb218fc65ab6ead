/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio over PCI: vendor capabilities say where in the BARs the registers lie. Interrupts are
 * INTx; the ISR register has the cause.
 *
 * Spec: virtio 1.2, section 4.1. Compare with: Linux virtio_pci_modern_dev.c.
 */
#define pr_fmt(fmt) "virtio_pci: " fmt
#include "arch/io.h"
#include "kernel/init.h"
#include "kernel/printk.h"
#include "lib/vsprintf.h"
#include "mm/slab.h"
#include "pci/pci.h"
#include "virtio/virtio_transport.h"
#include "virtio/virtqueue.h"

#define VENDOR_VIRTIO	    0x1af4
#define DEVICE_TRANSITIONAL 0x1000
#define DEVICE_MODERN	    0x1040
#define DEVICE_LAST	    0x107f

/* struct virtio_pci_cap, spec 4.1.4: offsets in the configuration. */
enum {
	CAP_LEN = 2,
	CAP_CFG_TYPE = 3,
	CAP_BAR = 4,
	CAP_OFFSET = 8,
	CAP_LENGTH = 12,
	CAP_BYTES = 16,
	CAP_NOTIFY_MULTIPLIER = 16,
};

enum {
	CFG_COMMON = 1,
	CFG_NOTIFY = 2,
	CFG_ISR = 3,
	CFG_DEVICE = 4,
	NR_CFG,
};

/* Registers of the common configuration that only this transport has, spec 4.1.4.3. */
enum {
	COMMON_QUEUE_NOTIFY_OFF = 0x1e,
	COMMON_BYTES = 0x38,
};

/* A mapped structure. */
struct cfg_window {
	volatile u8 *regs;
	u32 len;
};

struct virtio_pci {
	struct virtio_mapped m;
	struct pci_device *pci;
	struct cfg_window cfg[NR_CFG];
	u32 notify_multiplier;
};

static struct virtio_pci *to_pci(struct virtio_mapped *m)
{
	return container_of(m, struct virtio_pci, m);
}

static volatile u8 *pci_notify_reg(struct virtio_mapped *m, const struct virtqueue *vq)
{
	const struct cfg_window *notify = &to_pci(m)->cfg[CFG_NOTIFY];
	const u64 offset =
		(u64)readw(m->regs + COMMON_QUEUE_NOTIFY_OFF) * to_pci(m)->notify_multiplier;

	if (offset + sizeof(u16) <= notify->len)
		return notify->regs + offset;
	virtio_broken(&m->vdev, "queue %s is notified at 0x%lx, past the structure's end",
		      vq->name, offset);
	return NULL;
}

/* Read the interrupt's cause; the read lowers the line. */
static u32 pci_take_isr(struct virtio_mapped *m)
{
	return readb(to_pci(m)->cfg[CFG_ISR].regs);
}

/* The layout of the common configuration. A queue that the device lacks has size 0. */
static const struct virtio_layout pci_layout = {
#define X(name, mmio, pci, width) [VIRTIO_REG_##name] = { pci, width },
	.reg = { VIRTIO_REGS(X) },
#undef X
	.notify_width = 2,
	.notify_reg = pci_notify_reg,
	.take_isr = pci_take_isr,
};

/* Map the structure of one capability, if it lies inside its BAR. */
static void map_structure(struct virtio_pci *vp, u32 cap, u8 type)
{
	const struct pci_device *pci = vp->pci;
	const u8 bar = readb(pci->config + cap + CAP_BAR);
	const u64 offset = readl(pci->config + cap + CAP_OFFSET);
	const u32 len = readl(pci->config + cap + CAP_LENGTH);

	if (bar >= PCI_NUM_BARS || !pci->bar[bar].addr || len == 0 ||
	    offset + len > pci->bar[bar].size)
		return;
	vp->cfg[type].regs = ioremap(pci->bar[bar].addr + offset, len);
	vp->cfg[type].len = vp->cfg[type].regs ? len : 0;
	if (type == CFG_NOTIFY)
		vp->notify_multiplier = readl(pci->config + cap + CAP_NOTIFY_MULTIPLIER);
}

/* Walk the vendor capabilities; of each type, use the first that works. */
static void map_structures(struct virtio_pci *vp)
{
	u32 cap = 0;

	/* The number of capabilities that fit bounds a list that loops. */
	for (unsigned int i = 0; i < PCI_CONFIG_BYTES / 4; i++) {
		u8 type;
		u32 need = CAP_BYTES;

		cap = pci_find_capability(vp->pci, PCI_CAP_ID_VENDOR, cap);
		if (!cap)
			return;
		type = readb(vp->pci->config + cap + CAP_CFG_TYPE);
		if (type == CFG_NOTIFY)
			need += sizeof(u32);
		if (type < CFG_COMMON || type >= NR_CFG || vp->cfg[type].regs ||
		    readb(vp->pci->config + cap + CAP_LEN) < need || cap + need > PCI_CONFIG_BYTES)
			continue;
		map_structure(vp, cap, type);
	}
}

static bool is_complete(const struct virtio_pci *vp)
{
	return vp->cfg[CFG_COMMON].len >= COMMON_BYTES && vp->cfg[CFG_NOTIFY].len >= 2 &&
	       vp->cfg[CFG_ISR].len >= 1;
}

/* Spec 4.1.2: modern ids carry the type; transitional ones have it as subsystem. */
static u32 virtio_id_of(const struct pci_device *pci)
{
	return pci->device >= DEVICE_MODERN ? (u32)(pci->device - DEVICE_MODERN) :
					      pci->subsystem;
}

static void probe_function(struct pci_device *pci)
{
	struct virtio_pci *vp = kmalloc(sizeof(*vp), GFP_KERNEL | GFP_ZERO);

	if (!vp) {
		pr_err("00:%02x.%u: no memory for the device", pci->devfn >> 3, pci->devfn & 7);
		return;
	}
	vp->pci = pci;
	vp->m.vdev.id = virtio_id_of(pci);
	vp->m.irq = pci->irq;
	snprintf(vp->m.vdev.where, sizeof(vp->m.vdev.where), "pci 00:%02x.%u", pci->devfn >> 3,
		 pci->devfn & 7);
	pci_enable(pci);
	map_structures(vp);
	if (!is_complete(vp)) {
		pr_err("%s: %s device without modern registers; start QEMU with "
		       "disable-legacy=on,disable-modern=off on it",
		       vp->m.vdev.where, virtio_id_name(vp->m.vdev.id));
		kfree(vp);
		return;
	}
	vp->m.layout = &pci_layout;
	vp->m.regs = vp->cfg[CFG_COMMON].regs;
	vp->m.config = vp->cfg[CFG_DEVICE].regs;
	vp->m.config_bytes = vp->cfg[CFG_DEVICE].len;
	virtio_found(&vp->m);
}

static int virtio_pci_init(void)
{
	struct pci_device *pci;

	for (unsigned int i = 0; (pci = pci_device_at(i)); i++) {
		if (pci->vendor == VENDOR_VIRTIO && pci->device >= DEVICE_TRANSITIONAL &&
		    pci->device <= DEVICE_LAST)
			probe_function(pci);
	}
	return 0;
}
INITCALL(device, virtio_pci_init);
