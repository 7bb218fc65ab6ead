/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VIRTIO_VIRTQUEUE_H
#define _VIRTIO_VIRTQUEUE_H

/*
 * Split virtqueues. A queue has one user at a time; its driver makes sure of that. Only
 * the callback comes from the interrupt. The queue keeps its records of buffers in
 * private memory, because the device can write the rings.
 *
 *   virtqueue_add(vq, bufs, ...)  ->  virtqueue_kick(vq)  ->  [interrupt]
 *        ^                                                        |
 *        +------------------ virtqueue_get(vq, &len) <------------+
 *
 * Spec: virtio 1.2, section 2.7. Compare with: Linux drivers/virtio/virtio_ring.c.
 */
#include "lib/types.h"
#include "virtio/vring.h"

struct virtio_device;

/* The most buffers that a request may have. */
#define VIRTQUEUE_MAX_BUFS 8

/* A piece of memory that the device reads or writes; direct-map address. */
struct virtio_buf {
	void *addr;
	u32 len; /* bytes */
};

/* The private record of a descriptor. */
struct virtqueue_slot {
	void *cookie; /* head of a request in flight: the driver's cookie; else NULL */
	u32 writable; /* head: bytes that the device may write */
	u16 next;     /* in the free list, or in the request's chain */
	u16 nr;	      /* head: descriptors taken */
};

/**
 * struct virtqueue - one split queue
 * @vdev: the device that has it
 * @name: for reports
 * @callback: called when the device has used a buffer; interrupt context; may be NULL
 * @priv: the driver's
 * @size: entries, a power of two
 * @nr_free: free descriptors
 * @nr_busy: requests in flight
 * @free_head: first free descriptor
 * @avail_idx: the next avail index
 * @kicked_idx: avail_idx at the last kick
 * @last_used: the next used index to look at
 * @nr_added: requests added since the queue was set up; the n-th has number n (from 1)
 * @desc, @avail, @used: the rings, shared with the device
 * @indirect: VIRTQUEUE_MAX_BUFS descriptors per entry, or NULL
 * @slot: private, by descriptor
 * @notify: the register that the transport writes to notify
 *
 * Lock keys:
 *   (c) constant after virtqueue_create()
 *   (u) the user of the queue: the driver makes sure that there is one at a time
 */
struct virtqueue {
	struct virtio_device *vdev;		/* (c) */
	const char *name;			/* (c) */
	void (*callback)(struct virtqueue *vq);	/* (c) */
	void *priv;				/* (c) */
	u16 index;				/* (c) */
	u16 size;				/* (c) */
	u16 nr_free;				/* (u) */
	u16 nr_busy;				/* (u) */
	u16 free_head;				/* (u) */
	u16 avail_idx;				/* (u) */
	u16 kicked_idx;				/* (u) */
	u16 last_used;				/* (u) */
	bool event_idx;				/* (c) */
	u64 nr_added;				/* (u) */
	struct vring_desc *desc;		/* (c) */
	struct vring_avail *avail;		/* (c) */
	struct vring_used *used;		/* (c) */
	struct vring_desc *indirect;		/* (c) */
	struct virtqueue_slot *slot;		/* (c) */
	volatile u8 *notify;			/* (c) */
};

/**
 * struct virtqueue_params - a driver's choices for a queue
 * @name: for reports; stays valid
 * @callback: see struct virtqueue
 * @size: the most entries; the device may have fewer
 */
struct virtqueue_params {
	const char *name;
	void (*callback)(struct virtqueue *vq);
	u16 size;
};

/**
 * virtqueue_create() - make a queue and tell the device
 * @index: of the queue in the device
 *
 * The queue starts with interrupts off: see virtqueue_enable_cb().
 * Context: thread, step 7 of the initialisation.
 * Return: 0, the queue in vdev->vqs[index]; -ENOENT the device has no such queue;
 * -ENOMEM; -EIO it refused, with a line in the log.
 */
int __must_check virtqueue_create(struct virtio_device *vdev, u32 index,
				  const struct virtqueue_params *params);

/*
 * Empty a queue of a device that was reset, and announce it to the device again.
 * Requests in flight are forgotten. Return: 0; -EIO the device has no queue of this
 * size, or refused.
 */
int __must_check virtqueue_restart(struct virtqueue *vq);

/* Free a queue of a device that was reset. */
void virtqueue_destroy(struct virtqueue *vq);

/**
 * virtqueue_add() - offer a request
 * @bufs: first @nr_out that the device reads, then @nr_in that it writes
 * @cookie: not NULL; comes back from virtqueue_get()
 *
 * The buffers belong to the device until then. Takes one descriptor if indirect
 * descriptors were negotiated, else one per buffer.
 * Return: 0; -ENOSPC no room now; -EIO the device is broken; -EINVAL.
 */
int __must_check virtqueue_add(struct virtqueue *vq, const struct virtio_buf *bufs,
			       u32 nr_out, u32 nr_in, void *cookie);

/* Notify the device of the added requests, unless it asked for no notification. */
void virtqueue_kick(struct virtqueue *vq);

/**
 * virtqueue_get() - take back a request that the device has used
 * @len: bytes that the device wrote, never more than it was allowed; may be NULL
 *
 * Return: the request's cookie; NULL if there is none, or if the device broke a rule
 * (and is now marked broken).
 */
void *virtqueue_get(struct virtqueue *vq, u32 *len);

/* Check whether the device has used a request since the last virtqueue_get(). Any context. */
bool virtqueue_moved(const struct virtqueue *vq);

/* Check whether there is a request to get, or the device is broken. Any context. */
bool virtqueue_pending(const struct virtqueue *vq);

/* Ask for an interrupt at the next use. Return: false if a used request is there already. */
bool virtqueue_enable_cb(struct virtqueue *vq);

/* Ask for no interrupts (a hint). */
void virtqueue_disable_cb(struct virtqueue *vq);

#endif
