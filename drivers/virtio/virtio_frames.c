/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for a device's queues and its driver's buffers.
 *
 * A device that leaves its driver only to come back (virtio_reattach()) gets the frames
 * again that it had. From the allocator it could get others: if boot memory is full by
 * then, frames of memory that was added later, which could not leave any more as long as
 * the machine has the device.
 *
 * The kept chunks are a list through their first words.
 */
#include "arch/machine.h"
#include "kernel/spinlock.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "virtio/virtio.h"

struct virtio_kept {
	struct virtio_kept *next;
	unsigned int order;
};

/* Protects the lists of all devices. A port's thread and the work queue use the same one. */
static DEFINE_SPINLOCK(kept_lock);

static unsigned long kept_pfn(const struct virtio_kept *chunk)
{
	return phys_to_pfn(virt_to_phys(chunk));
}

static struct virtio_kept *take_kept(struct virtio_device *vdev, unsigned int order)
{
	struct virtio_kept *found, **at = &vdev->kept;

	spin_lock(&kept_lock);
	while (*at && (*at)->order != order)
		at = &(*at)->next;
	found = *at;
	if (found)
		*at = found->next;
	spin_unlock(&kept_lock);
	return found;
}

unsigned long virtio_frames_alloc(struct virtio_device *vdev, unsigned int order)
{
	struct virtio_kept *chunk = take_kept(vdev, order);

	if (!chunk)
		return alloc_pages(vdev->mm, GFP_KERNEL | GFP_ZERO, order, PGTY_KERNEL);
	memset(chunk, 0, PAGE_SIZE << order);
	return kept_pfn(chunk);
}

void virtio_frames_free(struct virtio_device *vdev, unsigned long pfn, unsigned int order)
{
	struct virtio_kept *chunk = phys_to_virt(pfn_to_phys(pfn));
	bool keeps;

	spin_lock(&kept_lock);
	keeps = vdev->keeps;
	if (keeps) {
		*chunk = (struct virtio_kept){ vdev->kept, order };
		vdev->kept = chunk;
	}
	spin_unlock(&kept_lock);
	if (!keeps)
		free_pages(vdev->mm, pfn, order);
}

void virtio_frames_keep(struct virtio_device *vdev, bool keeps)
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
		free_pages(vdev->mm, kept_pfn(chunk), chunk->order);
	}
}
