/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for a device's queues and its driver's buffers.
 *
 * A device that leaves its driver and comes back (virtio_reattach()) gets the same frames
 * as before. If boot memory is full by then, the allocator might give it frames of added
 * memory, which could then not leave as long as the machine has the device.
 *
 * The first words of the kept chunks link them into a list.
 */
#include "kernel/spinlock.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "virtio/virtio.h"

struct virtio_kept {
	struct virtio_kept *next;
	size_t bytes;
};

/* Protects the lists of all devices: a port's thread and the work queue share a list. */
static DEFINE_SPINLOCK(kept_lock);

static struct virtio_kept *take_kept(struct virtio_device *vdev, size_t bytes)
{
	struct virtio_kept *found, **at = &vdev->kept;

	spin_lock(&kept_lock);
	while (*at && (*at)->bytes != bytes)
		at = &(*at)->next;
	found = *at;
	if (found)
		*at = found->next;
	spin_unlock(&kept_lock);
	return found;
}

void *virtio_alloc(struct virtio_device *vdev, size_t bytes)
{
	struct virtio_kept *chunk = take_kept(vdev, bytes);

	if (!chunk)
		return alloc_pages_virt(vdev->mm, GFP_KERNEL | GFP_ZERO, bytes);
	return memset(chunk, 0, bytes);
}

void virtio_free(struct virtio_device *vdev, void *buffer, size_t bytes)
{
	struct virtio_kept *chunk = buffer;

	spin_lock(&kept_lock);
	if (chunk && vdev->keeps) {
		*chunk = (struct virtio_kept){ vdev->kept, bytes };
		vdev->kept = chunk;
		buffer = NULL;
	}
	spin_unlock(&kept_lock);
	free_pages_virt(vdev->mm, buffer, bytes);
}

void virtio_keep(struct virtio_device *vdev, bool keeps)
{
	struct virtio_kept *chunk, *next;

	spin_lock(&kept_lock);
	vdev->keeps = keeps;
	chunk = keeps ? NULL : vdev->kept;
	if (!keeps)
		vdev->kept = NULL;
	spin_unlock(&kept_lock);
	for (; chunk; chunk = next) {
		next = chunk->next;
		free_pages_virt(vdev->mm, chunk, chunk->bytes);
	}
}
