/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio over memory-mapped registers; QEMU's virt machine has eight such slots.
 * Modern (version 2) devices only.
 *
 * Spec: virtio 1.2, section 4.2. Compare with: Linux drivers/virtio/virtio_mmio.c.
 */
#define pr_fmt(fmt) "virtio_mmio: " fmt
#include "arch/io.h"
#include "arch/machine_info.h"
#include "kernel/init.h"
#include "kernel/printk.h"
#include "lib/vsprintf.h"
#include "mm/slab.h"
#include "virtio/virtio_transport.h"

/* Registers that only this transport has, spec 4.2.2. */
enum {
	REG_MAGIC = 0x000,
	REG_VERSION = 0x004,
	REG_DEVICE_ID = 0x008,
	REG_QUEUE_NOTIFY = 0x050,
	REG_INTERRUPT_STATUS = 0x060,
	REG_INTERRUPT_ACK = 0x064,
	REG_CONFIG = 0x100,
};

#define MMIO_MAGIC 0x74726976 /* "virt" */

/* Return the notification register, which is the same for all queues. */
static volatile u8 *mmio_notify_reg(struct virtio_mapped *m, const struct virtqueue *)
{
	return m->regs + REG_QUEUE_NOTIFY;
}

static u32 mmio_take_isr(struct virtio_mapped *m)
{
	const u32 isr = readl(m->regs + REG_INTERRUPT_STATUS);

	if (isr)
		writel(isr, m->regs + REG_INTERRUPT_ACK);
	return isr;
}

static const struct virtio_layout mmio_layout = {
#define X(name, mmio, ...) [VIRTIO_REG_##name] = { mmio, 4 },
	.reg = { VIRTIO_REGS(X) },
#undef X
	.notify_width = 4,
	.notify_reg = mmio_notify_reg,
	.take_isr = mmio_take_isr,
};

/* Look for a modern device in this slot. Return: its id, or 0. */
static u32 slot_device_id(const struct mmio_device *slot, const volatile u8 *regs)
{
	u32 version, id;

	if (slot->regs.size <= REG_CONFIG || readl(regs + REG_MAGIC) != MMIO_MAGIC)
		return VIRTIO_ID_NONE;
	id = readl(regs + REG_DEVICE_ID);
	if (id == VIRTIO_ID_NONE)
		return VIRTIO_ID_NONE;
	version = readl(regs + REG_VERSION);
	if (version == 1)
		pr_err("0x%lx: legacy %s device; start QEMU with "
		       "-global virtio-mmio.force-legacy=false",
		       slot->regs.start, virtio_id_name(id));
	else if (version != 2)
		pr_err("0x%lx: version %u is unknown, expected 2", slot->regs.start, version);
	return version == 2 ? id : VIRTIO_ID_NONE;
}

static void probe_slot(const struct mmio_device *slot)
{
	volatile u8 *regs = ioremap(slot->regs.start, slot->regs.size);
	struct virtio_mapped *m;
	u32 id;

	if (!regs)
		return;
	id = slot_device_id(slot, regs);
	if (id == VIRTIO_ID_NONE)
		return;
	m = kmalloc(sizeof(*m), GFP_KERNEL);
	if (!m) {
		pr_err("0x%lx: no memory for the device", slot->regs.start);
		return;
	}
	*m = (struct virtio_mapped){
		.vdev = { .id = id },
		.layout = &mmio_layout,
		.regs = regs,
		.config = regs + REG_CONFIG,
		.config_bytes = slot->regs.size - REG_CONFIG,
		.irq = slot->irq,
	};
	snprintf(m->vdev.where, sizeof(m->vdev.where), "mmio 0x%lx", slot->regs.start);
	virtio_found(m);
}

static int virtio_mmio_init(void)
{
	const struct machine_info *machine = machine_info();

	/* Start at the top slot: QEMU puts the first device of its command line there. */
	for (unsigned int i = machine->nr_virtio_mmio; i-- > 0;)
		probe_slot(&machine->virtio_mmio[i]);
	return 0;
}
INITCALL(device, virtio_mmio_init);
