/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VIRTIO_VIRTIO_TRANSPORT_H
#define _VIRTIO_VIRTIO_TRANSPORT_H

/* What the transports share. */
#include "lib/types.h"

struct virtio_device;

/**
 * virtio_read_field() - read one configuration field as wide as it is
 * @reg: mapped register
 * @buf: filled
 * @len: 1, 2, 4, or 8, which is two reads of 4: the caller compares generations
 *
 * Spec: virtio 1.2, sections 4.2.2.2 and 4.1.3.1.
 */
void virtio_read_field(const volatile u8 *reg, void *buf, u32 len);

/* irq_free(), and wait until no hart is in the handler. Context: thread. */
void virtio_irq_free(u32 irq, struct virtio_device *vdev);

/* virtio_register_device(), and a line if that failed. */
void virtio_found(struct virtio_device *vdev);

#endif
