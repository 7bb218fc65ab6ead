/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VIRTIO_VIRTIO_TRANSPORT_H
#define _VIRTIO_VIRTIO_TRANSPORT_H

/*
 * Code that the transports with registers share: the configuration, the interrupt line,
 * 64-bit values in halves.
 */
#include "virtio/virtio.h"

/**
 * struct virtio_mapped - a device whose registers are mapped
 * @vdev: the device, for the core
 * @config: the device's configuration
 * @config_bytes: its size
 * @irq: its line, 0 if it has none
 * @irq_on: the line is requested
 * @take_isr: read the cause of the interrupt, and lower the line
 */
struct virtio_mapped {
	struct virtio_device vdev;
	volatile u8 *config;
	u32 config_bytes;
	u32 irq;
	bool irq_on;
	u32 (*take_isr)(struct virtio_device *vdev);
};

/* For struct virtio_transport_ops. A field of 8 bytes takes two reads of 4. */
u32 virtio_mapped_config_size(struct virtio_device *vdev);
void virtio_mapped_read_config(struct virtio_device *vdev, u32 offset, void *buf, u32 len);
int virtio_mapped_irq_start(struct virtio_device *vdev);
void virtio_mapped_irq_stop(struct virtio_device *vdev);

/* Features in two halves: the number of the half goes to @select. */
u64 virtio_read_features(volatile u8 *select, volatile u8 *value);
void virtio_write_features(volatile u8 *select, volatile u8 *value, u64 features);
/* An address in two registers of 32 bits. */
void virtio_write_addr(volatile u8 *reg, phys_addr_t addr);

/* Reports that the device has a queue although it was reset. Return: -EIO. */
int virtio_queue_in_use(const struct virtqueue *vq);

/* Calls virtio_register_device(), and logs a failure. */
void virtio_found(struct virtio_device *vdev);

#endif
