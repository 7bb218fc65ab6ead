/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to a virtio-mem device, several at a time, and their answers. The
 * n-th request of the queue carries n in its trace records, as the device counts
 * them too.
 *
 * Spec: virtio 1.2, section 5.15.6.
 */
#define pr_fmt(fmt) "virtio_mem: " fmt
#include "drivers/virtio/virtio_mem.h"
#include "kernel/patience.h"
#include "kernel/printk.h"
#include "kernel/timer.h"
#include "kernel/trace.h"
#include "lib/errno.h"
#include "lib/string.h"

static const char *const req_names[] = {
	[VIRTIO_MEM_REQ_PLUG] = "PLUG",
	[VIRTIO_MEM_REQ_UNPLUG] = "UNPLUG",
	[VIRTIO_MEM_REQ_UNPLUG_ALL] = "UNPLUG_ALL",
	[VIRTIO_MEM_REQ_STATE] = "STATE",
};

void vmem_answered(struct virtqueue *vq)
{
	struct virtio_mem *vm = vq->vdev->priv;

	wake_up_all(&vm->answers);
}

static int submit(struct virtio_mem *vm, struct vmem_slot *slot)
{
	const struct virtio_buf bufs[2] = {
		{ &slot->req, sizeof(slot->req) },
		{ &slot->resp, VIRTIO_MEM_RESP_BYTES },
	};
	int ret;

	slot->answer = VMEM_LOST;
	memset(&slot->resp, 0xff, sizeof(slot->resp));
	ret = virtqueue_add(vm->vq, bufs, 1, 1, slot);
	if (ret)
		return ret;
	slot->nr = vm->vq->nr_added;
	slot->open = true;
	vm->nr_open++;
	vm->nr_requests[slot->req.type]++;
	trace_emit(TRACE_VMEM_REQUEST, .pfn = phys_to_pfn(slot->req.addr),
		   .count = (u32)slot->nr, .before = slot->req.type,
		   .after = slot->req.nb_blocks, .flags = (u8)vm->id);
	return 0;
}

/* What the device wrote, in our words. Nonsense does not say whether it did it: lost. */
static u32 read_answer(struct virtio_mem *vm, const struct vmem_slot *slot, u32 len)
{
	const u16 type = READ_ONCE(slot->resp.type);

	if (len < sizeof(slot->resp.type)) {
		virtio_broken(vm->vdev, "answered %s with %u bytes", req_names[slot->req.type],
			      len);
		return VMEM_LOST;
	}
	switch (type) {
	case VIRTIO_MEM_RESP_ACK:
		return VMEM_ACK;
	case VIRTIO_MEM_RESP_NACK:
		return VMEM_NACK;
	case VIRTIO_MEM_RESP_BUSY:
		return VMEM_BUSY;
	case VIRTIO_MEM_RESP_ERROR:
		virtio_broken(vm->vdev, "calls %s of %u blocks at 0x%lx an error",
			      req_names[slot->req.type], slot->req.nb_blocks, slot->req.addr);
		return VMEM_ERROR;
	default:
		virtio_broken(vm->vdev, "answered %s with %u, which means nothing",
			      req_names[slot->req.type], type);
		return VMEM_LOST;
	}
}

static void collect(struct virtio_mem *vm)
{
	struct vmem_slot *slot;
	u32 len;

	while ((slot = virtqueue_get(vm->vq, &len))) {
		slot->answer = read_answer(vm, slot, len);
		slot->open = false;
		vm->nr_open--;
		vm->nr_answers[slot->answer]++;
		trace_emit(TRACE_VMEM_ANSWER, .pfn = phys_to_pfn(slot->req.addr),
			   .count = (u32)slot->nr, .before = slot->req.type,
			   .after = (u16)slot->answer, .flags = (u8)vm->id);
	}
}

/* Until everything is answered, the device breaks, or its time is up. */
static void await_answers(struct virtio_mem *vm)
{
	struct patience patience;

	patience_start(&patience, vm->answer_ns);
	for (;;) {
		collect(vm);
		if (!vm->nr_open || virtio_is_broken(vm->vdev))
			break;
		if (!virtqueue_enable_cb(vm->vq))
			continue;
		if (!wait_event_patience(&vm->answers, virtqueue_pending(vm->vq),
					 &patience)) {
			virtio_broken(vm->vdev, "has not answered %u requests within %llu ms",
				      vm->nr_open, vm->answer_ns / NSEC_PER_MSEC);
			break;
		}
		virtqueue_disable_cb(vm->vq);
	}
	virtqueue_disable_cb(vm->vq);
}

/* The first @nr slots are answered as well as they will be. */
static int worst_answer(const struct virtio_mem *vm, unsigned int nr)
{
	u32 worst = VMEM_ACK;

	for (unsigned int i = 0; i < nr; i++)
		worst = max(worst, vm->slot[i].answer);
	switch (worst) {
	case VMEM_ACK:
		return 0;
	case VMEM_NACK:
		return -EAGAIN;
	case VMEM_BUSY:
		return -EBUSY;
	default:
		return -EIO;
	}
}

static int send_slots(struct virtio_mem *vm, unsigned int nr)
{
	int ret = 0;

	if (virtio_is_broken(vm->vdev))
		return -EIO;
	for (unsigned int i = 0; i < nr && !ret; i++)
		ret = submit(vm, &vm->slot[i]);
	virtqueue_kick(vm->vq);
	await_answers(vm);
	return ret ? ret : worst_answer(vm, nr);
}

int vmem_request(struct virtio_mem *vm, enum virtio_mem_req_type type,
		 const struct vmem_run *runs, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct vmem_slot *slot = &vm->slot[i];

		memset(&slot->req, 0, sizeof(slot->req));
		slot->run = runs[i];
		slot->answer = VMEM_LOST;
		slot->req.type = (u16)type;
		slot->req.addr = pfn_to_phys(pb_to_pfn(runs[i].start));
		slot->req.nb_blocks = (u16)(pb_to_bytes(runs[i].nr) / vm->fixed.block_size);
	}
	return send_slots(vm, nr);
}

int vmem_request_unplug_all(struct virtio_mem *vm)
{
	memset(&vm->slot[0].req, 0, sizeof(vm->slot[0].req));
	vm->slot[0].req.type = VIRTIO_MEM_REQ_UNPLUG_ALL;
	vm->slot[0].answer = VMEM_LOST;
	return send_slots(vm, 1);
}
