/* SPDX-License-Identifier: BSD-2-Clause */
/* Code that the virtio transports share: accesses, interrupts, announcements. */
#define pr_fmt(fmt) "virtio: " fmt
#include "virtio/virtio_transport.h"
#include "arch/io.h"
#include "arch/irq.h"
#include "kernel/printk.h"
#include "kernel/quiesce.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "virtio/virtqueue.h"

static struct virtio_mapped *to_mapped(struct virtio_device *vdev)
{
	return container_of(vdev, struct virtio_mapped, vdev);
}

u32 virtio_mapped_config_size(struct virtio_device *vdev)
{
	return to_mapped(vdev)->config_bytes;
}

/* Access a field with its own width. Spec: virtio 1.2, sections 4.2.2.2 and 4.1.3.1. */
void virtio_mapped_read_config(struct virtio_device *vdev, u32 offset, void *buf, u32 len)
{
	const volatile u8 *reg = to_mapped(vdev)->config + offset;
	u32 v32[2];
	u16 v16;

	switch (len) {
	case 1:
		*(u8 *)buf = readb(reg);
		break;
	case 2:
		v16 = readw(reg);
		memcpy(buf, &v16, sizeof(v16));
		break;
	default:
		v32[0] = readl(reg);
		v32[1] = len == 8 ? readl(reg + 4) : 0;
		memcpy(buf, v32, len == 8 ? 8 : 4);
		break;
	}
}

static void interrupt(void *arg)
{
	struct virtio_device *vdev = arg;
	const u32 isr = to_mapped(vdev)->take_isr(vdev);

	if (isr)
		virtio_interrupt(vdev, isr);
}

int virtio_mapped_irq_start(struct virtio_device *vdev)
{
	struct virtio_mapped *m = to_mapped(vdev);
	const int ret = m->irq ? irq_request(m->irq, interrupt, vdev) : -ENODEV;

	m->irq_on = ret == 0;
	return ret;
}

void virtio_mapped_irq_stop(struct virtio_device *vdev)
{
	struct virtio_mapped *m = to_mapped(vdev);

	if (!m->irq_on)
		return;
	m->irq_on = false;
	irq_free(m->irq, vdev);
	if (synchronize_harts(NSEC_PER_SEC))
		pr_warn_ratelimited(&vdev->log, "%s: a hart may still be in the interrupt handler",
				    vdev->name);
}

u64 virtio_read_features(volatile u8 *select, volatile u8 *value)
{
	u64 low;

	writel(0, select);
	low = readl(value);
	writel(1, select);
	return low | (u64)readl(value) << 32;
}

void virtio_write_features(volatile u8 *select, volatile u8 *value, u64 features)
{
	writel(0, select);
	writel((u32)features, value);
	writel(1, select);
	writel((u32)(features >> 32), value);
}

void virtio_write_addr(volatile u8 *reg, phys_addr_t addr)
{
	writel((u32)addr, reg);
	writel((u32)(addr >> 32), reg + 4);
}

int virtio_queue_in_use(const struct virtqueue *vq)
{
	virtio_broken(vq->vdev, "queue %s is in use after a reset", vq->name);
	return -EIO;
}

void virtio_found(struct virtio_device *vdev)
{
	const int ret = virtio_register_device(vdev);

	if (ret)
		pr_err("%s (%s): %s device is not used (error %d)", vdev->name, vdev->where,
		       virtio_id_name(vdev->id), ret);
}
