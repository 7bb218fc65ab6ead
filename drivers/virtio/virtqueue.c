/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueues: offering requests to a device and taking them back.
 *
 * The device can write all of the rings at any time, so the driver reads back only
 * used.idx, used.ring[], used.flags and avail_event; it copies each once and checks its
 * range. vq->slot[] remembers the chains.
 *
 * Barriers, with the device's side of the pairing in spec 2.7.13:
 *   add:  descriptors and avail.ring[]  dma_wmb  avail.idx
 *   kick: avail.idx  dma_mb  used.flags / avail_event
 *   get:  used.idx  dma_rmb  used.ring[]
 *   cb:   used_event / avail.flags  dma_mb  used.idx
 *
 * Spec: virtio 1.2, section 2.7. Compare with: Linux drivers/virtio/virtio_ring.c.
 */
#include "arch/io.h"
#include "arch/machine.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "virtio/virtio.h"
#include "virtio/virtqueue.h"

/*
 * Find the word after the avail ring: the used index up to which the driver wants no
 * interrupt.
 */
static u16 *used_event(const struct virtqueue *vq)
{
	return &vq->avail->ring[vq->size];
}

/*
 * Find the word after the used ring: the avail index up to which the device wants no
 * notification.
 */
static u16 *avail_event(const struct virtqueue *vq)
{
	return (u16 *)&vq->used->ring[vq->size];
}

/* --- life ----------------------------------------------------------------- */

/* The offsets of a queue's parts in its frames, in bytes. */
struct vq_layout {
	size_t slot, desc, indirect, avail, used, total;
};

static struct vq_layout vq_layout(u16 size, bool indirect)
{
	struct vq_layout l;

	l.slot = ALIGN_UP(sizeof(struct virtqueue), (size_t)16);
	l.desc = l.slot + sizeof(struct virtqueue_slot) * size;
	l.indirect = l.desc + sizeof(struct vring_desc) * size;
	l.avail = l.indirect;
	if (indirect)
		l.avail += sizeof(struct vring_desc) * VIRTQUEUE_MAX_BUFS * size;
	l.used = ALIGN_UP(l.avail + VRING_AVAIL_BYTES(size), (size_t)4);
	l.total = l.used + VRING_USED_BYTES(size);
	return l;
}
static_assert(sizeof(struct virtqueue_slot) == 16, "descriptors are aligned to 16");

/* Allocate the queue itself, slots, descriptors and rings in one physical chunk. */
static struct virtqueue *vq_alloc(struct virtio_device *vdev, u16 size)
{
	const bool indirect = virtio_has_feature(vdev, VIRTIO_F_INDIRECT_DESC);
	const struct vq_layout l = vq_layout(size, indirect);
	char *base = virtio_alloc(vdev, l.total);
	struct virtqueue *vq = (struct virtqueue *)base;

	if (!vq)
		return NULL;
	vq->vdev = vdev;
	vq->size = size;
	vq->slot = (struct virtqueue_slot *)(base + l.slot);
	vq->desc = (struct vring_desc *)(base + l.desc);
	vq->indirect = indirect ? (struct vring_desc *)(base + l.indirect) : NULL;
	vq->avail = (struct vring_avail *)(base + l.avail);
	vq->used = (struct vring_used *)(base + l.used);
	return vq;
}

static void vq_free(struct virtqueue *vq)
{
	virtio_free(vq->vdev, vq, vq_layout(vq->size, vq->indirect != NULL).total);
}

/* Reset a queue: no request is in flight, and all counters are 0. */
static void vq_clear(struct virtqueue *vq)
{
	const struct vq_layout l = vq_layout(vq->size, vq->indirect != NULL);

	memset((char *)vq + l.slot, 0, l.total - l.slot);
	for (u32 i = 0; i < vq->size; i++)
		vq->slot[i].next = (u16)(i + 1);
	vq->nr_free = vq->size;
	vq->nr_busy = 0;
	vq->free_head = 0;
	vq->avail_idx = 0;
	vq->kicked_idx = 0;
	vq->last_used = 0;
	vq->nr_added = 0;
	virtqueue_disable_cb(vq);
}

static void vq_init(struct virtqueue *vq, u32 index, const struct virtqueue_params *params)
{
	vq->index = (u16)index;
	vq->name = params->name;
	vq->callback = params->callback;
	vq->event_idx = virtio_has_feature(vq->vdev, VIRTIO_F_EVENT_IDX);
	vq_clear(vq);
}

int virtqueue_create(struct virtio_device *vdev, u32 index,
		     const struct virtqueue_params *params)
{
	const u32 most = vdev->ops->queue_max(vdev, index);
	struct virtqueue *vq;
	int ret;

	if (index >= VIRTIO_MAX_QUEUES || most == 0)
		return -ENOENT;
	vq = vq_alloc(vdev, (u16)rounddown_pow_of_two(min(most, (u32)params->size)));
	if (!vq)
		return -ENOMEM;
	vq_init(vq, index, params);
	ret = vdev->ops->queue_setup(vdev, vq);
	if (ret) {
		vq_free(vq);
		return ret;
	}
	vdev->vqs[index] = vq;
	vdev->nr_vqs = max(vdev->nr_vqs, index + 1);
	return 0;
}

int virtqueue_restart(struct virtqueue *vq)
{
	if (vq->vdev->ops->queue_max(vq->vdev, vq->index) < vq->size)
		return -EIO;
	vq_clear(vq);
	return vq->vdev->ops->queue_setup(vq->vdev, vq);
}

void virtqueue_destroy(struct virtqueue *vq)
{
	vq->vdev->vqs[vq->index] = NULL;
	vq_free(vq);
}

/* --- offering ------------------------------------------------------------- */

static void fill_desc(struct vring_desc *desc, const struct virtio_buf *buf, u16 flags, u16 next)
{
	desc->addr = virt_to_phys(buf->addr);
	desc->len = buf->len;
	desc->flags = flags;
	desc->next = next;
}

/*
 * Return the flags of buffer @i: whether the device writes it, and whether another buffer
 * follows.
 */
static u16 buf_flags(u32 i, u32 nr_out, u32 nr_in)
{
	return (u16)((i >= nr_out ? VRING_DESC_F_WRITE : 0) |
		     (i + 1 < nr_out + nr_in ? VRING_DESC_F_NEXT : 0));
}

/* Put the buffers into the entry's own table, and the table into one descriptor. */
static u16 fill_indirect(struct virtqueue *vq, const struct virtio_buf *bufs, u32 nr_out,
			 u32 nr_in)
{
	const u16 head = vq->free_head;
	struct vring_desc *table = &vq->indirect[head * VIRTQUEUE_MAX_BUFS];
	const u32 nr = nr_out + nr_in;
	const struct virtio_buf all = { table, nr * (u32)sizeof(*table) };

	for (u32 i = 0; i < nr; i++)
		fill_desc(&table[i], &bufs[i], buf_flags(i, nr_out, nr_in), (u16)(i + 1));
	fill_desc(&vq->desc[head], &all, VRING_DESC_F_INDIRECT, 0);
	vq->free_head = vq->slot[head].next;
	return 1;
}

/* Put each buffer into a descriptor of its own, chained in the order of the free list. */
static u16 fill_chain(struct virtqueue *vq, const struct virtio_buf *bufs, u32 nr_out,
		      u32 nr_in)
{
	const u32 nr = nr_out + nr_in;

	for (u32 i = 0; i < nr; i++) {
		const u16 d = vq->free_head;

		fill_desc(&vq->desc[d], &bufs[i], buf_flags(i, nr_out, nr_in),
			  vq->slot[d].next);
		vq->free_head = vq->slot[d].next;
	}
	return (u16)nr;
}

static u32 writable_bytes(const struct virtio_buf *bufs, u32 nr_out, u32 nr_in)
{
	u32 sum = 0;

	for (u32 i = nr_out; i < nr_out + nr_in; i++)
		sum += bufs[i].len;
	return sum;
}

int virtqueue_add(struct virtqueue *vq, const struct virtio_buf *bufs, u32 nr_out, u32 nr_in,
		  void *cookie)
{
	const u32 nr = nr_out + nr_in;
	const u16 head = vq->free_head;
	struct virtqueue_slot *slot;

	if (virtio_is_broken(vq->vdev))
		return -EIO;
	if (!cookie || nr == 0 || nr > VIRTQUEUE_MAX_BUFS)
		return -EINVAL;
	if (vq->nr_free < (vq->indirect ? 1 : nr))
		return -ENOSPC;

	slot = &vq->slot[head];
	slot->nr = vq->indirect ? fill_indirect(vq, bufs, nr_out, nr_in) :
				  fill_chain(vq, bufs, nr_out, nr_in);
	slot->cookie = cookie;
	slot->writable = writable_bytes(bufs, nr_out, nr_in);
	vq->nr_free -= slot->nr;
	vq->nr_busy++;
	vq->nr_added++;

	vq->avail->ring[vq->avail_idx % vq->size] = head;
	dma_wmb();
	WRITE_ONCE(vq->avail->idx, ++vq->avail_idx);
	return 0;
}

void virtqueue_kick(struct virtqueue *vq)
{
	const u16 old = vq->kicked_idx, new = vq->avail_idx;
	bool wanted;

	if (old == new || virtio_is_broken(vq->vdev))
		return;
	dma_mb();
	if (vq->event_idx)
		wanted = vring_need_event(READ_ONCE(*avail_event(vq)), new, old);
	else
		wanted = !(READ_ONCE(vq->used->flags) & VRING_USED_F_NO_NOTIFY);
	vq->kicked_idx = new;
	if (wanted)
		vq->vdev->ops->notify(vq->vdev, vq);
}

/* --- taking back ---------------------------------------------------------- */

bool virtqueue_moved(const struct virtqueue *vq)
{
	/* The interrupt handler calls this, too, while the thread takes elements. */
	return READ_ONCE(vq->used->idx) != READ_ONCE(vq->last_used);
}

bool virtqueue_pending(const struct virtqueue *vq)
{
	return virtio_is_broken(vq->vdev) || virtqueue_moved(vq);
}

/* Get and check the next used element. Return: its slot, or NULL. */
static struct virtqueue_slot *next_used(struct virtqueue *vq, struct vring_used_elem *elem)
{
	const u16 idx = READ_ONCE(vq->used->idx);
	const u16 ready = (u16)(idx - vq->last_used);
	const struct vring_used_elem *e = &vq->used->ring[vq->last_used % vq->size];

	if (ready == 0)
		return NULL;
	if (ready > vq->nr_busy) {
		virtio_broken(vq->vdev, "queue %s: used index %u, open requests: %u",
			      vq->name, idx, vq->nr_busy);
		return NULL;
	}
	dma_rmb();
	elem->id = READ_ONCE(e->id);
	elem->len = READ_ONCE(e->len);
	if (elem->id >= vq->size || !vq->slot[elem->id].cookie) {
		virtio_broken(vq->vdev, "queue %s: used id %u of %u is not an open request",
			      vq->name, elem->id, vq->size);
		return NULL;
	}
	if (elem->len > vq->slot[elem->id].writable) {
		virtio_broken(vq->vdev, "queue %s: wrote %u bytes into a buffer of %u", vq->name,
			      elem->len, vq->slot[elem->id].writable);
		return NULL;
	}
	return &vq->slot[elem->id];
}

/* Free a request's descriptors. */
static void put_chain(struct virtqueue *vq, u16 head)
{
	const u16 nr = vq->slot[head].nr;
	u16 last = head;

	for (u16 i = 1; i < nr; i++)
		last = vq->slot[last].next;
	vq->slot[last].next = vq->free_head;
	vq->free_head = head;
	vq->nr_free += nr;
	vq->nr_busy--;
}

void *virtqueue_get(struct virtqueue *vq, u32 *len)
{
	struct vring_used_elem elem;
	struct virtqueue_slot *slot;
	void *cookie;

	if (virtio_is_broken(vq->vdev))
		return NULL;
	slot = next_used(vq, &elem);
	if (!slot)
		return NULL;
	cookie = slot->cookie;
	slot->cookie = NULL;
	put_chain(vq, (u16)elem.id);
	WRITE_ONCE(vq->last_used, (u16)(vq->last_used + 1));
	if (len)
		*len = elem.len;
	return cookie;
}

bool virtqueue_enable_cb(struct virtqueue *vq)
{
	if (vq->event_idx)
		WRITE_ONCE(*used_event(vq), vq->last_used);
	else
		WRITE_ONCE(vq->avail->flags, 0);
	dma_mb();
	return !virtqueue_pending(vq);
}

void virtqueue_disable_cb(struct virtqueue *vq)
{
	/* The used index will not reach an event index half the number space away soon. */
	if (vq->event_idx)
		WRITE_ONCE(*used_event(vq), (u16)(vq->last_used + 0x8000));
	else
		WRITE_ONCE(vq->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}
