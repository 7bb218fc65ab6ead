/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VIRTIO_VIRTIO_TRANSPORT_H
#define _VIRTIO_VIRTIO_TRANSPORT_H

/*
 * Devices with mapped registers. Both transports have the same registers, at different offsets
 * and of different widths: a transport finds its devices and says where the registers lie.
 */
#include "virtio/virtio.h"

/*
 * VIRTIO_REGS(X): X(NAME, offset on mmio, offset on pci, width on pci), in bytes. On mmio all
 * are 4 bytes wide. The last three are addresses: two halves of 4 bytes.
 * Spec: virtio 1.2, sections 4.2.2 and 4.1.4.3.
 */
#define VIRTIO_REGS(X)                       \
	X(DEVICE_FEATURES_SEL, 0x14, 0x00, 4) \
	X(DEVICE_FEATURES, 0x10, 0x04, 4)     \
	X(DRIVER_FEATURES_SEL, 0x24, 0x08, 4) \
	X(DRIVER_FEATURES, 0x20, 0x0c, 4)     \
	X(STATUS, 0x70, 0x14, 1)              \
	X(GENERATION, 0xfc, 0x15, 1)          \
	X(QUEUE_SEL, 0x30, 0x16, 2)           \
	X(QUEUE_MAX, 0x34, 0x18, 2)           \
	X(QUEUE_SIZE, 0x38, 0x18, 2)          \
	X(QUEUE_READY, 0x44, 0x1c, 2)         \
	X(QUEUE_DESC, 0x80, 0x20, 4)          \
	X(QUEUE_DRIVER, 0x90, 0x28, 4)        \
	X(QUEUE_DEVICE, 0xa0, 0x30, 4)

enum virtio_reg {
#define X(name, ...) VIRTIO_REG_##name,
	VIRTIO_REGS(X)
#undef X
	NR_VIRTIO_REGS
};

struct virtio_mapped;

/**
 * struct virtio_layout - the differences between the transports
 * @reg: offset of each register in bytes, and its width: 1, 2 or 4
 * @notify_width: of the register that notify_reg() returns
 * @notify_reg: the register that notifies the device of requests in a queue, when the
 * queue's index is written to it; the caller has selected the queue. NULL: the device
 * names none, and is broken
 * @take_isr: read the cause of the interrupt, and lower the line
 */
struct virtio_layout {
	struct {
		u8 offset, width;
	} reg[NR_VIRTIO_REGS];
	u32 notify_width;
	volatile u8 *(*notify_reg)(struct virtio_mapped *m, const struct virtqueue *vq);
	u32 (*take_isr)(struct virtio_mapped *m);
};

/**
 * struct virtio_mapped - a device with mapped registers
 * @vdev: the device, for the core
 * @layout: its transport's
 * @regs: its registers
 * @config: the device's configuration
 * @config_bytes: its size
 * @irq: its line, 0 if it has none
 * @irq_on: the line is requested
 */
struct virtio_mapped {
	struct virtio_device vdev;
	const struct virtio_layout *layout;
	volatile u8 *regs;
	volatile u8 *config;
	u32 config_bytes;
	u32 irq;
	bool irq_on;
};

/* Report that the device has a queue although it was reset. Return: -EIO. */
int virtio_queue_in_use(const struct virtqueue *vq);

/* Bring a device to its driver, or log the failure. @m is complete but for @vdev.ops, .mm. */
void virtio_found(struct virtio_mapped *m);

#endif
