/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _TESTS_FAKE_FAKE_VIRTIO_H
#define _TESTS_FAKE_FAKE_VIRTIO_H

/*
 * A virtio transport to a device that is a C function. The function reads the driver's rings
 * through physical addresses, and checks them as strictly as a device does.
 *
 * The device acts inside notify(), in the driver's own thread, so each run of a test is the
 * same.
 */
#include "kernel/spinlock.h"
#include "virtio/virtio.h"
#include "virtio/virtqueue.h"

#define FAKE_QUEUES	  6
#define FAKE_CONFIG_BYTES 64

struct fake_virtio;

/* A request as the device sees it. */
struct fake_chain {
	u16 head;
	u32 nr_out, nr_in;
	struct virtio_buf out[VIRTQUEUE_MAX_BUFS]; /* the device reads */
	struct virtio_buf in[VIRTQUEUE_MAX_BUFS];  /* the device writes */
};

/* A queue as the driver has described it. */
struct fake_queue {
	u32 max; /* 0: no such queue */
	u16 size;
	u16 avail_seen;
	phys_addr_t desc, avail, used;
	bool ready;
};

/**
 * struct fake_virtio - the device's side
 * @vdev: the device, for the driver
 * @offered: the features that the device offers
 * @accepted: the features that the driver accepted
 * @lock: protects @config and @generation: the test writes them, the driver's threads read
 * @config: the device's configuration
 * @flicker: how often the configuration changes while the driver reads it
 * @tick: lets the device act: called before each access to its configuration, and
 *	before each half of a 64-bit field, which takes two accesses; may be NULL
 * @stuck: a reset does not end
 * @handle: called when the driver notifies queue @index; may be NULL
 * @violations: how often the driver broke the spec
 * @notified: notifications so far, from all threads
 * @resets: how often the driver has reset the device
 */
struct fake_virtio {
	struct virtio_device vdev;
	u64 offered, accepted;
	u8 status;
	spinlock_t lock;
	u32 generation;
	u8 config[FAKE_CONFIG_BYTES];
	u32 config_size;
	u32 flicker;
	void (*tick)(struct fake_virtio *fv);
	bool stuck;
	bool irq_on;
	struct fake_queue queue[FAKE_QUEUES];
	void (*handle)(struct fake_virtio *fv, u32 index);
	unsigned int violations;
	unsigned int notified;
	unsigned int resets;
};

/* Make a device of one kind; the driver takes its memory from @mm. */
void fake_virtio_init(struct fake_virtio *fv, u32 id, struct mm *mm);

/* Take the next request of the driver. Return: false if there is none or it is malformed. */
bool fake_pop(struct fake_virtio *fv, u32 index, struct fake_chain *chain);

/* Use a request, and interrupt if the driver wants it. */
void fake_push(struct fake_virtio *fv, u32 index, u16 head, u32 len);

/* Write any used element or index, for a device that lies. */
void fake_push_raw(struct fake_virtio *fv, u32 index, u32 id, u32 len);
void fake_set_used_idx(struct fake_virtio *fv, u32 index, u16 idx);

/* Interrupt the driver, if it has asked for interrupts. */
void fake_interrupt(struct fake_virtio *fv, u32 isr);

#endif
