/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to a virtio-mem device, several at a time, and their answers. The trace records of
 * the n-th request of the queue carry n; the device counts in the same way.
 *
 * Spec: virtio 1.2, section 5.15.6.
 */
#define pr_fmt(fmt) "virtio_mem: " fmt
#include "drivers/virtio/mem/virtio_mem.h"
#include "kernel/patience.h"
#include "kernel/printk.h"
#include "kernel/timer.h"
#include "kernel/trace/trace.h"
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
	WRITE_ONCE(vm->nr_requests[slot->req.type], vm->nr_requests[slot->req.type] + 1);
	trace_emit(TRACE_VMEM_REQUEST, .pfn = phys_to_pfn(slot->req.addr),
		   .count = (u32)slot->nr, .before = slot->req.type,
		   .after = slot->req.nb_blocks, .flags = (u8)vm->id);
	return 0;
}

/* Read the answer to STATE. Return: false if it is not a state. */
static bool read_state(struct virtio_mem *vm, struct vmem_slot *slot, u32 len)
{
	slot->state = READ_ONCE(slot->resp.state);
	if (len >= VIRTIO_MEM_RESP_BYTES && slot->state <= VIRTIO_MEM_STATE_MIXED)
		return true;
	virtio_broken(vm->vdev, "answered STATE with %u in %u bytes, which is not valid",
		      slot->state, len);
	return false;
}

/*
 * Translate the device's answer. An invalid answer counts as LOST: the device may or may not
 * have carried out the request.
 */
static u32 read_answer(struct virtio_mem *vm, struct vmem_slot *slot, u32 len)
{
	const u16 type = READ_ONCE(slot->resp.type);

	if (len < sizeof(slot->resp.type)) {
		virtio_broken(vm->vdev, "answered %s with %u bytes", req_names[slot->req.type],
			      len);
		return VMEM_LOST;
	}
	switch (type) {
	case VIRTIO_MEM_RESP_ACK:
		if (slot->req.type == VIRTIO_MEM_REQ_STATE && !read_state(vm, slot, len))
			return VMEM_LOST;
		return VMEM_ACK;
	case VIRTIO_MEM_RESP_NACK:
		return VMEM_NACK;
	case VIRTIO_MEM_RESP_BUSY:
		return VMEM_BUSY;
	case VIRTIO_MEM_RESP_ERROR:
		virtio_broken(vm->vdev, "answered %s of %u block%s at 0x%lx with ERROR",
			      req_names[slot->req.type], slot->req.nb_blocks,
			      str_plural(slot->req.nb_blocks), slot->req.addr);
		return VMEM_ERROR;
	default:
		virtio_broken(vm->vdev, "answered %s with %u, which is not valid",
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
		WRITE_ONCE(vm->nr_answers[slot->answer], vm->nr_answers[slot->answer] + 1);
		trace_emit(TRACE_VMEM_ANSWER, .pfn = phys_to_pfn(slot->req.addr),
			   .count = (u32)slot->nr, .before = slot->req.type,
			   .after = (u16)slot->answer, .flags = (u8)vm->id);
	}
}

static void prepare(struct vmem_slot *slot, enum virtio_mem_req_type type, phys_addr_t addr,
		    u64 nr_blocks)
{
	memset(&slot->req, 0, sizeof(slot->req));
	slot->answer = VMEM_LOST;
	slot->req.type = (u16)type;
	slot->req.addr = addr;
	slot->req.nb_blocks = (u16)nr_blocks;
}

/* Prepare a request that changes nothing. Return: false if there is nothing to ask. */
static bool prepare_question(struct virtio_mem *vm, struct vmem_slot *slot)
{
	if (vm->map.usable_end <= vm->map.start)
		return false;
	prepare(slot, VIRTIO_MEM_REQ_STATE, pfn_to_phys(pb_to_pfn(vm->map.start)),
		pb_to_bytes(vm->map.granule) / vm->config.block_size);
	return true;
}

/*
 * Check whether there is an answer to read, or the user has asked for a reset at least as
 * strong as @least.
 */
static bool need_not_wait(const struct virtio_mem *vm, enum vmem_reset least)
{
	return virtqueue_pending(vm->vq) || READ_ONCE(vm->reset_asked) >= least;
}

/*
 * Send a question to a device that owes answers. Return: true if it answers any request, or
 * the user forces a reset.
 */
static bool still_alive(struct virtio_mem *vm)
{
	struct patience patience;

	if (!prepare_question(vm, &vm->question) || submit(vm, &vm->question))
		return false;
	virtqueue_kick(vm->vq);
	patience_start(&patience, min(vm->answer_ns, VMEM_QUESTION_NS));
	if (virtqueue_enable_cb(vm->vq))
		wait_event_patience(&vm->answers, need_not_wait(vm, VMEM_RESET_FORCED), &patience);
	return virtqueue_moved(vm->vq) || READ_ONCE(vm->reset_asked) == VMEM_RESET_FORCED;
}

/*
 * Give up a device that is late, or that the user wants to reset; once silent, only a forced
 * reset resets it.
 */
static void give_up_silent(struct virtio_mem *vm, u64 waited_ns)
{
	const unsigned int owed = vm->nr_open;

	vm->silent = !still_alive(vm);
	virtio_broken(vm->vdev, "has not answered %u requests within %llu ms%s", owed,
		      waited_ns / NSEC_PER_MSEC,
		      vm->silent ? ", nor a question since: its process may have ended" : "");
}

/*
 * Wait until all requests are answered, the device breaks, a reset is asked for, or time is
 * up.
 */
static void await_answers(struct virtio_mem *vm, u64 limit_ns)
{
	const u64 start = ktime_ns();
	struct patience patience;

	patience_start(&patience, limit_ns);
	for (;;) {
		collect(vm);
		if (!vm->nr_open || virtio_is_broken(vm->vdev))
			break;
		if (!virtqueue_enable_cb(vm->vq))
			continue;
		if (!wait_event_patience(&vm->answers, need_not_wait(vm, VMEM_RESET_ASKED),
					 &patience) ||
		    !virtqueue_pending(vm->vq))
			give_up_silent(vm, ktime_ns() - start);
		virtqueue_disable_cb(vm->vq);
	}
	virtqueue_disable_cb(vm->vq);
}

/* Return the worst answer among the first @nr slots as an errno. */
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

static int send_slots(struct virtio_mem *vm, unsigned int nr, u64 limit_ns)
{
	int ret = 0;

	if (virtio_is_broken(vm->vdev))
		return -EIO;
	for (unsigned int i = 0; i < nr && !ret; i++)
		ret = submit(vm, &vm->slot[i]);
	virtqueue_kick(vm->vq);
	await_answers(vm, limit_ns);
	return ret ? ret : worst_answer(vm, nr);
}

int vmem_request(struct virtio_mem *vm, enum virtio_mem_req_type type,
		 const struct vmem_run *runs, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		prepare(&vm->slot[i], type, pfn_to_phys(pb_to_pfn(runs[i].start)),
			pb_to_bytes(runs[i].nr) / vm->config.block_size);
	return send_slots(vm, nr, vm->answer_ns);
}

int vmem_request_one(struct virtio_mem *vm, enum virtio_mem_req_type type, phys_addr_t addr,
		     u64 nr_blocks)
{
	prepare(&vm->slot[0], type, addr, nr_blocks);
	return send_slots(vm, 1, vm->answer_ns);
}

void vmem_look(struct virtio_mem *vm)
{
	if (prepare_question(vm, &vm->slot[0]))
		(void)send_slots(vm, 1, min(vm->answer_ns, VMEM_QUESTION_NS));
}
