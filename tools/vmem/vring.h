/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_VRING_H
#define _VMEM_VRING_H

/*
 * The device's side of a split virtqueue (virtio 1.2, section 2.7), with
 * indirect descriptors and event index. The guest can overwrite a ring at any time, so the
 * device reads everything once, into private copies; it keeps the ring's addresses itself.
 */
#include "device.h"
#include "guest_mem.h"

#define VRING_MAX_SIZE 1024
/* The most writable pieces of a chain that are kept: a response has 10 bytes. */
#define VRING_MAX_IN 16

#define VIRTIO_RING_F_INDIRECT_DESC 28
#define VIRTIO_RING_F_EVENT_IDX	    29

struct vring {
	u32 size;	       /* entries */
	u64 desc, avail, used; /* addresses in the frontend's process */
	u16 next_avail;	       /* index of the next chain to take */
	u16 signalled;	       /* used index at the last call */
	bool signalled_valid;
	bool indirect, event_idx; /* negotiated */
	bool broken;		  /* the ring made no sense: it is not served until a reset */
};

/* A request as found in the ring. */
struct vring_chain {
	u16 head;
	u32 out_bytes; /* all readable bytes; @out has the first of them */
	u32 in_bytes;  /* writable bytes in @in */
	struct vmem_req out;
	struct {
		u64 gpa;
		u32 len;
	} in[VRING_MAX_IN];
	u32 nr_in;
};

enum vring_result {
	VRING_EMPTY,  /* nothing to do */
	VRING_CHAIN,  /* a chain was taken */
	VRING_BROKEN, /* the ring makes no sense */
	VRING_NOMEM,  /* the ring does not lie in shared memory */
};

void vring_reset(struct vring *ring);
enum vring_result vring_pop(struct vring *ring, const struct guest_mem *mem,
			    struct vring_chain *chain);
void vring_untake(struct vring *ring);
int vring_answer(const struct guest_mem *mem, const struct vring_chain *chain,
		 const struct vmem_resp *resp);
bool vring_push(struct vring *ring, const struct guest_mem *mem, u32 head, u32 len);
bool vring_rearm(struct vring *ring, const struct guest_mem *mem);

#endif
