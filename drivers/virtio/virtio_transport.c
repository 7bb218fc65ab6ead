/* SPDX-License-Identifier: BSD-2-Clause */
/* What the virtio transports share: field accesses, ending interrupts, announcing. */
#define pr_fmt(fmt) "virtio: " fmt
#include "virtio/virtio_transport.h"
#include "arch/io.h"
#include "arch/irq.h"
#include "kernel/printk.h"
#include "kernel/quiesce.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "virtio/virtio.h"

void virtio_read_field(const volatile u8 *reg, void *buf, u32 len)
{
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

void virtio_irq_free(u32 irq, struct virtio_device *vdev)
{
	irq_free(irq, vdev);
	if (synchronize_harts(NSEC_PER_SEC))
		pr_warn("%s: a hart may still be in the interrupt handler", vdev->name);
}

void virtio_found(struct virtio_device *vdev)
{
	const int ret = virtio_register_device(vdev);

	if (ret)
		pr_err("%s (%s): %s device is not used (error %d)", vdev->name, vdev->where,
		       virtio_id_name(vdev->id), ret);
}
