/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio over memory-mapped registers; QEMU's virt machine has eight such slots.
 * Modern (version 2) devices only.
 *
 * Spec: virtio 1.2, section 4.2. Compare with: Linux drivers/virtio/virtio_mmio.c.
 */
#define pr_fmt(fmt) "virtio_mmio: " fmt
#include "arch/io.h"
#include "arch/machine.h"
#include "arch/machine_info.h"
#include "kernel/init.h"
#include "kernel/printk.h"
#include "lib/vsprintf.h"
#include "mm/page_alloc.h"
#include "mm/slab.h"
#include "virtio/virtio_transport.h"
#include "virtio/virtqueue.h"

/* Registers, spec 4.2.2. */
enum {
	REG_MAGIC = 0x000,
	REG_VERSION = 0x004,
	REG_DEVICE_ID = 0x008,
	REG_DEVICE_FEATURES = 0x010,
	REG_DEVICE_FEATURES_SEL = 0x014,
	REG_DRIVER_FEATURES = 0x020,
	REG_DRIVER_FEATURES_SEL = 0x024,
	REG_QUEUE_SEL = 0x030,
	REG_QUEUE_SIZE_MAX = 0x034,
	REG_QUEUE_SIZE = 0x038,
	REG_QUEUE_READY = 0x044,
	REG_QUEUE_NOTIFY = 0x050,
	REG_INTERRUPT_STATUS = 0x060,
	REG_INTERRUPT_ACK = 0x064,
	REG_STATUS = 0x070,
	REG_QUEUE_DESC = 0x080,
	REG_QUEUE_DRIVER = 0x090,
	REG_QUEUE_DEVICE = 0x0a0,
	REG_CONFIG_GENERATION = 0x0fc,
	REG_CONFIG = 0x100,
};

#define MMIO_MAGIC 0x74726976 /* "virt" */

struct virtio_mmio {
	struct virtio_mapped m;
	volatile u8 *regs;
};

static volatile u8 *mmio_regs(struct virtio_device *vdev)
{
	return container_of(vdev, struct virtio_mmio, m.vdev)->regs;
}

static u32 reg_read(struct virtio_device *vdev, u32 reg)
{
	return readl(mmio_regs(vdev) + reg);
}

static void reg_write(struct virtio_device *vdev, u32 reg, u32 value)
{
	writel(value, mmio_regs(vdev) + reg);
}

static u8 mmio_get_status(struct virtio_device *vdev)
{
	return (u8)reg_read(vdev, REG_STATUS);
}

static void mmio_set_status(struct virtio_device *vdev, u8 status)
{
	reg_write(vdev, REG_STATUS, status);
}

static u64 mmio_get_features(struct virtio_device *vdev)
{
	volatile u8 *regs = mmio_regs(vdev);

	return virtio_read_features(regs + REG_DEVICE_FEATURES_SEL, regs + REG_DEVICE_FEATURES);
}

static void mmio_set_features(struct virtio_device *vdev, u64 features)
{
	volatile u8 *regs = mmio_regs(vdev);

	virtio_write_features(regs + REG_DRIVER_FEATURES_SEL, regs + REG_DRIVER_FEATURES, features);
}

static u32 mmio_config_generation(struct virtio_device *vdev)
{
	return reg_read(vdev, REG_CONFIG_GENERATION);
}

static u32 mmio_queue_max(struct virtio_device *vdev, u32 index)
{
	reg_write(vdev, REG_QUEUE_SEL, index);
	return reg_read(vdev, REG_QUEUE_SIZE_MAX);
}

static int mmio_queue_setup(struct virtio_device *vdev, struct virtqueue *vq)
{
	volatile u8 *regs = mmio_regs(vdev);

	reg_write(vdev, REG_QUEUE_SEL, vq->index);
	if (reg_read(vdev, REG_QUEUE_READY))
		return virtio_queue_in_use(vq);
	reg_write(vdev, REG_QUEUE_SIZE, vq->size);
	virtio_write_addr(regs + REG_QUEUE_DESC, virt_to_phys(vq->desc));
	virtio_write_addr(regs + REG_QUEUE_DRIVER, virt_to_phys(vq->avail));
	virtio_write_addr(regs + REG_QUEUE_DEVICE, virt_to_phys(vq->used));
	reg_write(vdev, REG_QUEUE_READY, 1);
	return 0;
}

static void mmio_notify(struct virtio_device *vdev, struct virtqueue *vq)
{
	reg_write(vdev, REG_QUEUE_NOTIFY, vq->index);
}

static u32 mmio_take_isr(struct virtio_device *vdev)
{
	const u32 isr = reg_read(vdev, REG_INTERRUPT_STATUS);

	if (isr)
		reg_write(vdev, REG_INTERRUPT_ACK, isr);
	return isr;
}

static const struct virtio_transport_ops mmio_ops = {
	.name = "mmio",
	.get_status = mmio_get_status,
	.set_status = mmio_set_status,
	.get_features = mmio_get_features,
	.set_features = mmio_set_features,
	.config_generation = mmio_config_generation,
	.config_size = virtio_mapped_config_size,
	.read_config = virtio_mapped_read_config,
	.queue_max = mmio_queue_max,
	.queue_setup = mmio_queue_setup,
	.notify = mmio_notify,
	.irq_start = virtio_mapped_irq_start,
	.irq_stop = virtio_mapped_irq_stop,
};

/* Look for a modern device in this slot. Return: its id, or 0. */
static u32 slot_device_id(const struct mmio_device *slot, const volatile u8 *regs)
{
	u32 version, id;

	if (slot->size <= REG_CONFIG || readl(regs + REG_MAGIC) != MMIO_MAGIC)
		return VIRTIO_ID_NONE;
	id = readl(regs + REG_DEVICE_ID);
	if (id == VIRTIO_ID_NONE)
		return VIRTIO_ID_NONE;
	version = readl(regs + REG_VERSION);
	if (version == 1) {
		pr_err("0x%lx: legacy %s device; start QEMU with "
		       "-global virtio-mmio.force-legacy=false",
		       slot->start, virtio_id_name(id));
		return VIRTIO_ID_NONE;
	}
	if (version != 2) {
		pr_err("0x%lx: version %u is unknown, expected 2", slot->start, version);
		return VIRTIO_ID_NONE;
	}
	return id;
}

static void probe_slot(const struct mmio_device *slot)
{
	volatile u8 *regs = ioremap(slot->start, slot->size);
	struct virtio_mmio *vm;
	u32 id;

	if (!regs)
		return;
	id = slot_device_id(slot, regs);
	if (id == VIRTIO_ID_NONE)
		return;
	vm = kmalloc(sizeof(*vm), GFP_KERNEL);
	if (!vm) {
		pr_err("0x%lx: no memory for the device", slot->start);
		return;
	}
	vm->regs = regs;
	vm->m = (struct virtio_mapped){
		.vdev = { .ops = &mmio_ops, .mm = &kernel_mm, .id = id },
		.config = regs + REG_CONFIG,
		.config_bytes = slot->size - REG_CONFIG,
		.irq = slot->irq,
		.take_isr = mmio_take_isr,
	};
	snprintf(vm->m.vdev.where, sizeof(vm->m.vdev.where), "mmio 0x%lx", slot->start);
	virtio_found(&vm->m.vdev);
}

static int virtio_mmio_init(void)
{
	const struct machine_info *machine = machine_info();

	/* From the top: QEMU puts the first device of its command line there. */
	for (unsigned int i = machine->nr_virtio_mmio; i-- > 0;)
		probe_slot(&machine->virtio_mmio[i]);
	return 0;
}
INITCALL(device, virtio_mmio_init);
