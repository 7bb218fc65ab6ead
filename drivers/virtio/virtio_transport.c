/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transport operations of devices with mapped registers, which a layout describes.
 * Spec: virtio 1.2, sections 4.1.4 and 4.2.2.
 */
#define pr_fmt(fmt) "virtio: " fmt
#include "virtio/virtio_transport.h"
#include "arch/io.h"
#include "arch/irq.h"
#include "arch/machine.h"
#include "kernel/quiesce.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/time.h"
#include "mm/mm.h"
#include "virtio/virtqueue.h"

static struct virtio_mapped *to_mapped(struct virtio_device *vdev)
{
	return container_of(vdev, struct virtio_mapped, vdev);
}

/* --- registers ------------------------------------------------------------ */

static u32 read_width(const volatile u8 *addr, u32 width)
{
	switch (width) {
	case 1:
		return readb(addr);
	case 2:
		return readw(addr);
	default:
		return readl(addr);
	}
}

static void write_width(volatile u8 *addr, u32 width, u32 value)
{
	switch (width) {
	case 1:
		writeb((u8)value, addr);
		break;
	case 2:
		writew((u16)value, addr);
		break;
	default:
		writel(value, addr);
	}
}

static u32 reg_read(struct virtio_device *vdev, enum virtio_reg reg)
{
	const struct virtio_mapped *m = to_mapped(vdev);

	return read_width(m->regs + m->layout->reg[reg].offset, m->layout->reg[reg].width);
}

static void reg_write(struct virtio_device *vdev, enum virtio_reg reg, u32 value)
{
	const struct virtio_mapped *m = to_mapped(vdev);

	write_width(m->regs + m->layout->reg[reg].offset, m->layout->reg[reg].width, value);
}

static void reg_write_addr(struct virtio_device *vdev, enum virtio_reg reg, const void *addr)
{
	volatile u8 *low = to_mapped(vdev)->regs + to_mapped(vdev)->layout->reg[reg].offset;
	const phys_addr_t pa = virt_to_phys(addr);

	writel((u32)pa, low);
	writel((u32)(pa >> 32), low + 4);
}

/* --- operations ----------------------------------------------------------- */

static u8 get_status(struct virtio_device *vdev)
{
	return (u8)reg_read(vdev, VIRTIO_REG_STATUS);
}

static void set_status(struct virtio_device *vdev, u8 status)
{
	reg_write(vdev, VIRTIO_REG_STATUS, status);
}

static u64 get_features(struct virtio_device *vdev)
{
	u64 low;

	reg_write(vdev, VIRTIO_REG_DEVICE_FEATURES_SEL, 0);
	low = reg_read(vdev, VIRTIO_REG_DEVICE_FEATURES);
	reg_write(vdev, VIRTIO_REG_DEVICE_FEATURES_SEL, 1);
	return low | (u64)reg_read(vdev, VIRTIO_REG_DEVICE_FEATURES) << 32;
}

static void set_features(struct virtio_device *vdev, u64 features)
{
	reg_write(vdev, VIRTIO_REG_DRIVER_FEATURES_SEL, 0);
	reg_write(vdev, VIRTIO_REG_DRIVER_FEATURES, (u32)features);
	reg_write(vdev, VIRTIO_REG_DRIVER_FEATURES_SEL, 1);
	reg_write(vdev, VIRTIO_REG_DRIVER_FEATURES, (u32)(features >> 32));
}

static u32 config_generation(struct virtio_device *vdev)
{
	return reg_read(vdev, VIRTIO_REG_GENERATION);
}

static u32 config_size(struct virtio_device *vdev)
{
	return to_mapped(vdev)->config_bytes;
}

/* Access a field with its own width; a field of 8 bytes takes two reads of 4. */
static void read_config(struct virtio_device *vdev, u32 offset, void *buf, u32 len)
{
	const volatile u8 *reg = to_mapped(vdev)->config + offset;
	u32 value;

	for (u32 at = 0; at < len; at += 4) {
		value = read_width(reg + at, len);
		memcpy((u8 *)buf + at, &value, min(len, 4U));
	}
}

static u32 queue_max(struct virtio_device *vdev, u32 index)
{
	reg_write(vdev, VIRTIO_REG_QUEUE_SEL, index);
	return reg_read(vdev, VIRTIO_REG_QUEUE_MAX);
}

int virtio_queue_in_use(const struct virtqueue *vq)
{
	virtio_broken(vq->vdev, "queue %s is in use after a reset", vq->name);
	return -EIO;
}

static int queue_setup(struct virtio_device *vdev, struct virtqueue *vq)
{
	struct virtio_mapped *m = to_mapped(vdev);

	reg_write(vdev, VIRTIO_REG_QUEUE_SEL, vq->index);
	if (reg_read(vdev, VIRTIO_REG_QUEUE_READY))
		return virtio_queue_in_use(vq);
	vq->notify = m->layout->notify_reg(m, vq);
	if (!vq->notify)
		return -EIO;
	reg_write(vdev, VIRTIO_REG_QUEUE_SIZE, vq->size);
	reg_write_addr(vdev, VIRTIO_REG_QUEUE_DESC, vq->desc);
	reg_write_addr(vdev, VIRTIO_REG_QUEUE_DRIVER, vq->avail);
	reg_write_addr(vdev, VIRTIO_REG_QUEUE_DEVICE, vq->used);
	reg_write(vdev, VIRTIO_REG_QUEUE_READY, 1);
	return 0;
}

static void notify(struct virtio_device *vdev, struct virtqueue *vq)
{
	write_width(vq->notify, to_mapped(vdev)->layout->notify_width, vq->index);
}

static void interrupt(void *arg)
{
	struct virtio_mapped *m = arg;
	const u32 isr = m->layout->take_isr(m);

	if (isr)
		virtio_interrupt(&m->vdev, isr);
}

static int irq_start(struct virtio_device *vdev)
{
	struct virtio_mapped *m = to_mapped(vdev);
	const int ret = m->irq ? irq_request(m->irq, interrupt, m) : -ENODEV;

	m->irq_on = ret == 0;
	return ret;
}

static void irq_stop(struct virtio_device *vdev)
{
	struct virtio_mapped *m = to_mapped(vdev);

	if (!m->irq_on)
		return;
	m->irq_on = false;
	irq_free(m->irq, m);
	if (synchronize_harts(NSEC_PER_SEC))
		pr_warn_ratelimited(&vdev->log, "%s: a hart may still be in the interrupt handler",
				    vdev->name);
}

static const struct virtio_transport_ops mapped_ops = {
	.get_status = get_status,
	.set_status = set_status,
	.get_features = get_features,
	.set_features = set_features,
	.config_generation = config_generation,
	.config_size = config_size,
	.read_config = read_config,
	.queue_max = queue_max,
	.queue_setup = queue_setup,
	.notify = notify,
	.irq_start = irq_start,
	.irq_stop = irq_stop,
};

void virtio_found(struct virtio_mapped *m)
{
	struct virtio_device *vdev = &m->vdev;
	int ret;

	vdev->ops = &mapped_ops;
	vdev->mm = &kernel_mm;
	ret = virtio_register_device(vdev);
	if (ret)
		pr_err("%s (%s): %s device is not used (error %d)", vdev->name, vdev->where,
		       virtio_id_name(vdev->id), ret);
}
