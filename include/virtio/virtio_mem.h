/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VIRTIO_VIRTIO_MEM_H
#define _VIRTIO_VIRTIO_MEM_H

/*
 * The virtio-mem device as the spec defines it (virtio 1.2, section 5.15), and the
 * driver's interface to the rest of ebb.
 */
#include "lib/types.h"

#define VIRTIO_MEM_F_ACPI_PXM		   BIT(0)
#define VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE BIT(1)
#define VIRTIO_MEM_F_PERSISTENT_SUSPEND	   BIT(2)

struct virtio_mem_config {
	u64 block_size; /* bytes; power of two */
	u16 node_id;
	u8 padding[6];
	u64 addr;		/* of the region; constant */
	u64 region_size;	/* constant */
	u64 usable_region_size; /* bytes from addr on that may be plugged now */
	u64 plugged_size;
	u64 requested_size;
};
static_assert(sizeof(struct virtio_mem_config) == 56, "spec 5.15.4");

enum virtio_mem_req_type {
	VIRTIO_MEM_REQ_PLUG = 0,
	VIRTIO_MEM_REQ_UNPLUG = 1,
	VIRTIO_MEM_REQ_UNPLUG_ALL = 2,
	VIRTIO_MEM_REQ_STATE = 3,
};

struct virtio_mem_req {
	u16 type;
	u16 padding[3];
	u64 addr; /* of the first block */
	u16 nb_blocks;
	u16 padding2[3];
};
static_assert(sizeof(struct virtio_mem_req) == 24, "spec 5.15.6");

enum virtio_mem_resp_type {
	VIRTIO_MEM_RESP_ACK = 0,   /* done */
	VIRTIO_MEM_RESP_NACK = 1,  /* not now: requested_size does not allow it */
	VIRTIO_MEM_RESP_BUSY = 2,  /* try again later */
	VIRTIO_MEM_RESP_ERROR = 3, /* the request was wrong */
};

/* The device's answer to STATE, for all blocks of the request. */
enum virtio_mem_state {
	VIRTIO_MEM_STATE_PLUGGED = 0,
	VIRTIO_MEM_STATE_UNPLUGGED = 1,
	VIRTIO_MEM_STATE_MIXED = 2,
};

struct virtio_mem_resp {
	u16 type;
	u16 padding[3];
	u16 state; /* enum virtio_mem_state; valid if STATE was answered with ACK */
};
static_assert(offsetof(struct virtio_mem_resp, state) == 8, "spec 5.15.6");
#define VIRTIO_MEM_RESP_BYTES 10

struct sink;

/**
 * vmem_status() - write one paragraph per virtio-mem device
 * @out: the destination
 *
 * Region, block, granule, requested, plugged, usable, requests, last failure.
 * Context: thread, may sleep.
 * Return: number of devices.
 */
unsigned int vmem_status(struct sink *out);

#endif
