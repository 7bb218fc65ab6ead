/* SPDX-License-Identifier: BSD-2-Clause */
/* The device's side of a virtio transport, for tests. See fake_virtio.h. */
#include "tests/fake/fake_virtio.h"
#include "arch/io.h"
#include "arch/machine.h"
#include "arch/machine_info.h"
#include "lib/string.h"

static struct fake_virtio *to_fake(struct virtio_device *vdev)
{
	return container_of(vdev, struct fake_virtio, vdev);
}

/*
 * Count a violation, in the thread that plays the device: the test's, or the driver's in
 * its kick.
 */
static void violation(struct fake_virtio *fv)
{
	__atomic_fetch_add(&fv->violations, 1, __ATOMIC_RELAXED);
}

static u8 fake_get_status(struct virtio_device *vdev)
{
	return to_fake(vdev)->status;
}

static void fake_set_status(struct virtio_device *vdev, u8 status)
{
	struct fake_virtio *fv = to_fake(vdev);

	if (status == 0) {
		fv->resets++;
		for (u32 i = 0; i < FAKE_QUEUES; i++) {
			fv->queue[i].ready = false;
			fv->queue[i].avail_seen = 0;
		}
		fv->status = fv->stuck ? fv->status : 0;
		return;
	}
	/* Bits are only added, and in the order of spec 3.1.1. */
	if (fv->status & ~status)
		violation(fv);
	if ((status & VIRTIO_STATUS_DRIVER) && !(status & VIRTIO_STATUS_ACKNOWLEDGE))
		violation(fv);
	if ((status & VIRTIO_STATUS_DRIVER_OK) && !(status & VIRTIO_STATUS_FEATURES_OK))
		violation(fv);
	if ((status & VIRTIO_STATUS_FEATURES_OK) && (fv->accepted & ~fv->offered))
		status &= (u8)~VIRTIO_STATUS_FEATURES_OK;
	fv->status = status;
}

static u64 fake_get_features(struct virtio_device *vdev)
{
	return to_fake(vdev)->offered;
}

static void fake_set_features(struct virtio_device *vdev, u64 features)
{
	struct fake_virtio *fv = to_fake(vdev);

	if (fv->status & VIRTIO_STATUS_FEATURES_OK)
		violation(fv);
	fv->accepted = features;
}

static void tick(struct fake_virtio *fv)
{
	if (fv->tick)
		fv->tick(fv);
}

static u32 fake_generation(struct virtio_device *vdev)
{
	struct fake_virtio *fv = to_fake(vdev);
	u32 generation;

	tick(fv);
	spin_lock(&fv->lock);
	if (fv->flicker) {
		fv->flicker--;
		fv->generation++;
	}
	generation = fv->generation;
	spin_unlock(&fv->lock);
	return generation;
}

/* The widest access to a configuration, in bytes: spec 4.2.2.2 and 4.1.3.1. */
#define CONFIG_ACCESS 4U

static u32 fake_config_size(struct virtio_device *vdev)
{
	return to_fake(vdev)->config_size;
}

static void fake_read_config(struct virtio_device *vdev, u32 offset, void *buf, u32 len)
{
	struct fake_virtio *fv = to_fake(vdev);

	if (offset + len > fv->config_size || (offset & (len - 1))) {
		violation(fv);
		memset(buf, 0xff, len);
		return;
	}
	for (u32 at = 0; at < len; at += CONFIG_ACCESS) {
		tick(fv);
		spin_lock(&fv->lock);
		memcpy((char *)buf + at, fv->config + offset + at, min(len, CONFIG_ACCESS));
		spin_unlock(&fv->lock);
	}
}

static u32 fake_queue_max(struct virtio_device *vdev, u32 index)
{
	return index < FAKE_QUEUES ? to_fake(vdev)->queue[index].max : 0;
}

static int fake_queue_setup(struct virtio_device *vdev, struct virtqueue *vq)
{
	struct fake_virtio *fv = to_fake(vdev);
	struct fake_queue *q = &fv->queue[vq->index];

	q->size = vq->size;
	q->desc = virt_to_phys(vq->desc);
	q->avail = virt_to_phys(vq->avail);
	q->used = virt_to_phys(vq->used);
	q->avail_seen = 0;
	if (q->ready || !IS_POWER_OF_2(q->size) || q->size > q->max || (q->desc & 15) ||
	    (q->avail & 1) || (q->used & 3) || (fv->status & VIRTIO_STATUS_DRIVER_OK))
		violation(fv);
	q->ready = true;
	return 0;
}

static void fake_notify(struct virtio_device *vdev, struct virtqueue *vq)
{
	struct fake_virtio *fv = to_fake(vdev);

	__atomic_fetch_add(&fv->notified, 1, __ATOMIC_RELAXED);
	if (!(fv->status & VIRTIO_STATUS_DRIVER_OK) || !fv->queue[vq->index].ready)
		violation(fv);
	if (fv->handle)
		fv->handle(fv, vq->index);
}

static int fake_irq_start(struct virtio_device *vdev)
{
	to_fake(vdev)->irq_on = true;
	return 0;
}

static void fake_irq_stop(struct virtio_device *vdev)
{
	to_fake(vdev)->irq_on = false;
}

static const struct virtio_transport_ops fake_ops = {
	.get_status = fake_get_status,
	.set_status = fake_set_status,
	.get_features = fake_get_features,
	.set_features = fake_set_features,
	.config_generation = fake_generation,
	.config_size = fake_config_size,
	.read_config = fake_read_config,
	.queue_max = fake_queue_max,
	.queue_setup = fake_queue_setup,
	.notify = fake_notify,
	.irq_start = fake_irq_start,
	.irq_stop = fake_irq_stop,
};

void fake_virtio_init(struct fake_virtio *fv, u32 id, struct mm *mm)
{
	memset(fv, 0, sizeof(*fv));
	spin_lock_init(&fv->lock, "test_fake.lock");
	fv->offered = VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;
	fv->config_size = FAKE_CONFIG_BYTES;
	fv->queue[0].max = 64;
	fv->vdev.ops = &fake_ops;
	fv->vdev.mm = mm;
	fv->vdev.id = id;
	strscpy(fv->vdev.name, "fake", sizeof(fv->vdev.name));
	strscpy(fv->vdev.where, "fake", sizeof(fv->vdev.where));
}

/* --- the device's side of a ring ------------------------------------------- */

static struct vring_avail *avail_of(const struct fake_queue *q)
{
	return phys_to_virt(q->avail);
}

static struct vring_used *used_of(const struct fake_queue *q)
{
	return phys_to_virt(q->used);
}

/*
 * Is the buffer in the machine's memory? A test may have written anything into the
 * rings.
 */
static bool in_memory(u64 addr, u64 len)
{
	for (unsigned int i = 0; i < machine_info()->nr_memory; i++) {
		const struct mem_range *r = &machine_info()->memory[i];

		if (addr >= r->start && addr - r->start < r->size &&
		    len <= r->size - (addr - r->start))
			return true;
	}
	return false;
}

/* Add one descriptor's buffer; the buffers that the device reads must come first. */
static bool add_buffer(struct fake_chain *chain, const struct vring_desc *d)
{
	const struct virtio_buf buf = { phys_to_virt(d->addr), d->len };

	if (chain->nr_out + chain->nr_in == VIRTQUEUE_MAX_BUFS || d->len == 0 ||
	    !in_memory(d->addr, d->len))
		return false;
	if (d->flags & VRING_DESC_F_WRITE) {
		chain->in[chain->nr_in++] = buf;
		return true;
	}
	if (chain->nr_in)
		return false;
	chain->out[chain->nr_out++] = buf;
	return true;
}

/* Follow a chain in a table of @size descriptors. */
static bool read_chain(const struct vring_desc *table, u32 size, u32 i, struct fake_chain *chain)
{
	for (u32 n = 0; n < size; n++) {
		if (i >= size || (table[i].flags & VRING_DESC_F_INDIRECT) ||
		    !add_buffer(chain, &table[i]))
			return false;
		if (!(table[i].flags & VRING_DESC_F_NEXT))
			return true;
		i = table[i].next;
	}
	return false;
}

bool fake_pop(struct fake_virtio *fv, u32 index, struct fake_chain *chain)
{
	struct fake_queue *q = &fv->queue[index];
	const struct vring_desc *desc = phys_to_virt(q->desc);
	const struct vring_avail *avail = avail_of(q);
	const u16 waiting = (u16)(READ_ONCE(avail->idx) - q->avail_seen);
	const struct vring_desc *head;
	bool good;

	if (waiting == 0)
		return false;
	dma_rmb();
	memset(chain, 0, sizeof(*chain));
	chain->head = avail->ring[q->avail_seen++ % q->size];
	if (fv->accepted & VIRTIO_F_EVENT_IDX)
		WRITE_ONCE(*(u16 *)&used_of(q)->ring[q->size], q->avail_seen);
	if (waiting > q->size || chain->head >= q->size) {
		violation(fv);
		return false;
	}
	head = &desc[chain->head];
	if (head->flags & VRING_DESC_F_INDIRECT)
		good = (fv->accepted & VIRTIO_F_INDIRECT_DESC) &&
		       !(head->flags & VRING_DESC_F_NEXT) && head->addr % sizeof(*desc) == 0 &&
		       in_memory(head->addr, head->len) &&
		       read_chain(phys_to_virt(head->addr), head->len / sizeof(*desc), 0, chain);
	else
		good = read_chain(desc, q->size, chain->head, chain);
	if (!good)
		violation(fv);
	return good;
}

void fake_interrupt(struct fake_virtio *fv, u32 isr)
{
	if (fv->irq_on)
		virtio_interrupt(&fv->vdev, isr);
}

void fake_push_raw(struct fake_virtio *fv, u32 index, u32 id, u32 len)
{
	const struct fake_queue *q = &fv->queue[index];
	struct vring_used *used = used_of(q);

	used->ring[used->idx % q->size] = (struct vring_used_elem){ id, len };
	dma_wmb();
	WRITE_ONCE(used->idx, (u16)(used->idx + 1));
}

void fake_set_used_idx(struct fake_virtio *fv, u32 index, u16 idx)
{
	WRITE_ONCE(used_of(&fv->queue[index])->idx, idx);
}

void fake_push(struct fake_virtio *fv, u32 index, u16 head, u32 len)
{
	const struct fake_queue *q = &fv->queue[index];
	const struct vring_avail *avail = avail_of(q);
	const u16 old = used_of(q)->idx;
	bool wanted;

	fake_push_raw(fv, index, head, len);
	dma_mb();
	if (fv->accepted & VIRTIO_F_EVENT_IDX)
		wanted = vring_need_event(READ_ONCE(avail->ring[q->size]), (u16)(old + 1), old);
	else
		wanted = !(READ_ONCE(avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	if (wanted)
		fake_interrupt(fv, VIRTIO_ISR_QUEUE);
}
