/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request queue: takes requests from the ring, lets the device (or, for tests, a
 * fault) decide, and answers.
 */
#include "events.h"
#include "faults.h"
#include "log.h"
#include "vmem.h"

#define PAGE_SHIFT 12

/* An answer type that does not exist. */
#define ANSWER_GARBAGE 0xdead

/* A descriptor that no driver can have used: rings have at most 1024. */
#define HEAD_GARBAGE 0xbad0

/* Requests served before other descriptors get their turn. */
#define BATCH 64

static const char *const type_words[] = {"plug", "unplug", "unplug-all", "state",
					 "unknown"};

static void log_violation(struct vmem *vmem, const struct vmem_req *req)
{
	log_limited("driver violation: %s: %s of %u blocks at %#llx",
		    vmem_violation_names[vmem->violation],
		    type_words[min(req->type, (u16)VMEM_NR_REQ)], req->nb_blocks,
		    (unsigned long long)req->addr);
}

static enum vmem_answer decide(struct vmem *vmem, const struct vring_chain *chain,
			       struct vmem_resp *resp)
{
	enum vmem_answer answer;

	*resp = (struct vmem_resp){.type = VMEM_ERROR};
	if (chain->out_bytes < sizeof(chain->out)) {
		vmem_violation(&vmem->dev, VMEM_V_BAD_BUFFER);
		log_violation(vmem, &chain->out);
		return VMEM_ERROR;
	}
	if (vmem->refused)
		return VMEM_ERROR;
	if (!region_shared(vmem)) {
		log_limited("request refused (BUSY): QEMU does not share all of the region");
		resp->type = VMEM_BUSY;
		return VMEM_BUSY;
	}
	answer = vmem_handle(&vmem->dev, &chain->out, resp);
	if (answer == VMEM_ERROR)
		log_violation(vmem, &chain->out);
	return answer;
}

/* Answer a request with a fault, and count the answer as if the device had decided it. */
static u16 decide_fault(struct vmem *vmem, const struct vmem_req *req,
			enum fault_kind kind, struct vmem_resp *resp)
{
	static const u16 answers[] = {[FAULT_BUSY] = VMEM_BUSY,
				      [FAULT_NACK] = VMEM_NACK,
				      [FAULT_ERROR] = VMEM_ERROR,
				      [FAULT_GARBAGE] = ANSWER_GARBAGE};

	*resp = (struct vmem_resp){.type = answers[kind], .state = ANSWER_GARBAGE};
	if (kind != FAULT_GARBAGE)
		vmem->dev.answers[min(req->type, (u16)VMEM_NR_REQ)][resp->type]++;
	return resp->type;
}

static void give_back(struct vmem *vmem, const struct vring_chain *chain,
		      const struct vmem_resp *resp, enum fault_kind kind)
{
	u32 len = sizeof(*resp);

	if (vring_answer(&vmem->vhost.mem, chain, resp)) {
		vmem_violation(&vmem->dev, VMEM_V_BAD_BUFFER);
		log_violation(vmem, &chain->out);
		len = 0;
	}
	if (kind == FAULT_SHORT)
		len = 0;
	if (vring_push(&vmem->vhost.ring, &vmem->vhost.mem,
		       kind == FAULT_BADID ? HEAD_GARBAGE : chain->head, len))
		vhost_call(&vmem->vhost);
}

/* Decide a request, and answer it; if it was delayed, the delay has ended. */
static void finish(struct vmem *vmem, const struct vring_chain *chain,
		   enum fault_kind kind)
{
	const struct vmem_req *req = &chain->out;
	u64 plugged = vmem->dev.plugged;
	struct vmem_resp resp;
	u16 answer;

	switch (kind) {
	case FAULT_DROP:
		vmem->dropped++;
		return;
	case FAULT_BUSY:
	case FAULT_NACK:
	case FAULT_ERROR:
	case FAULT_GARBAGE:
		answer = decide_fault(vmem, req, kind, &resp);
		break;
	default:
		answer = (u16)decide(vmem, chain, &resp);
		break;
	}
	events_emit(TRACE_DEV_ANSWER, req->addr >> PAGE_SHIFT, (u32)vmem->requests,
		    req->type, answer);
	give_back(vmem, chain, &resp, kind);
	if (vmem->dev.plugged != plugged)
		ctl_size_changed();
	if (req->type == VMEM_REQ_UNPLUG && answer == VMEM_ACK)
		region_scan(vmem);
}

static void take(struct vmem *vmem, const struct vring_chain *chain)
{
	const struct vmem_req *req = &chain->out;
	u64 pfn = req->addr >> PAGE_SHIFT;
	struct fault fault = faults_next();

	vmem->requests++;
	events_emit(TRACE_DEV_REQUEST, pfn, (u32)vmem->requests, req->type,
		    req->nb_blocks);
	if (fault.kind != FAULT_NONE)
		events_emit(TRACE_DEV_FAULT, pfn, (u32)vmem->requests, (u16)fault.kind,
			    0);
	if (fault.kind == FAULT_DELAY) {
		vmem->held = *chain;
		loop_timer_set(&vmem->delay, fault.ms * 1000000);
		return;
	}
	finish(vmem, chain, fault.kind);
}

static void ring_trouble(struct vmem *vmem, enum vring_result result)
{
	if (result == VRING_NOMEM) {
		log_limited("the ring does not lie in shared memory: QEMU needs "
				    "memory-backend-memfd,share=on");
		return;
	}
	vmem_violation(&vmem->dev, VMEM_V_BAD_RING);
	log_limited("driver violation: bad-ring: the ring or a chain in it makes no "
		    "sense; it is not served until the next reset");
}

/**
 * queue_serve() - answer the requests in the ring
 * @vmem: the program
 *
 * Context: the event loop. Returns soon: serves a long queue in parts.
 */
void queue_serve(struct vmem *vmem)
{
	struct vring_chain chain;
	enum vring_result result = VRING_CHAIN;
	int left = BATCH;

	while (left && !vmem->delay.at && result == VRING_CHAIN) {
		result = vring_pop(&vmem->vhost.ring, &vmem->vhost.mem, &chain);
		if (result == VRING_CHAIN) {
			left--;
			/* First handle any reset that QEMU announced earlier. */
			qmp_watch_poll();
			vhost_notice_look(&vmem->vhost);
			take(vmem, &chain);
		} else if (result != VRING_EMPTY) {
			ring_trouble(vmem, result);
		} else if (vring_rearm(&vmem->vhost.ring, &vmem->vhost.mem)) {
			result = VRING_CHAIN;
		}
	}
	if (!left)
		vhost_kick_self(&vmem->vhost);
}

static void delay_over(struct loop_timer *timer)
{
	struct vmem *vmem = timer->owner;

	finish(vmem, &vmem->held, FAULT_NONE);
	queue_serve(vmem);
}

/**
 * queue_init() - prepare the queue
 * @vmem: the program
 */
void queue_init(struct vmem *vmem)
{
	vmem->delay = (struct loop_timer){0, delay_over, vmem};
}

/**
 * queue_stopped() - handle that the ring has stopped, for a while or for good
 * @vmem: the program
 *
 * Puts a held request back into the ring. If the driver continues with the ring, the device
 * takes the request again at once; if the driver sets the ring up again, the request is
 * forgotten.
 */
void queue_stopped(struct vmem *vmem)
{
	if (!vmem->delay.at)
		return;
	loop_timer_stop(&vmem->delay);
	vring_untake(&vmem->vhost.ring);
	vmem->requests--;
}

/**
 * queue_started() - handle that the driver has set the queue up, or continues with it
 * @vmem: the program
 */
void queue_started(struct vmem *vmem)
{
	/* Count requests from the ring's set-up on, as the driver does. */
	if (!vmem->vhost.ring.next_avail)
		vmem->requests = vmem->dropped = 0;
	if (!region_shared(vmem))
		log_limited("QEMU does not share all of [%#llx, %#llx): give it that much "
			 "RAM as "
			 "-object memory-backend-memfd,share=on with -M memory-backend=",
			 (unsigned long long)vmem->dev.addr,
			 (unsigned long long)(vmem->dev.addr + vmem->dev.size));
}

/**
 * queue_spurious() - inject a fault: notify the driver of changes that did not happen
 * @vmem: the program
 * @count: how often
 */
void queue_spurious(struct vmem *vmem, u32 count)
{
	events_emit(TRACE_DEV_FAULT, 0, (u32)vmem->requests, FAULT_SPURIOUS, 0);
	vhost_config_changed(&vmem->vhost, count);
}
