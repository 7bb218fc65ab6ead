/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _DRIVERS_VIRTIO_VIRTIO_CONSOLE_H
#define _DRIVERS_VIRTIO_VIRTIO_CONSOLE_H

/*
 * A virtio console device with several ports, for its two files: virtio_console.c
 * (the device and its control queue) and vport.c (bytes of one port).
 */
#include "kernel/mutex.h"
#include "kernel/thread.h"
#include "kernel/wait.h"
#include "kernel/workqueue.h"
#include "virtio/virtio.h"
#include "virtio/virtio_port.h"
#include "virtio/virtqueue.h"

#define VIRTIO_CONSOLE_F_MULTIPORT BIT(1)

/* Control messages, spec 5.3.6.2. */
enum vcon_event {
	VCON_DEVICE_READY = 0,
	VCON_PORT_ADD = 1,
	VCON_PORT_REMOVE = 2,
	VCON_PORT_READY = 3,
	VCON_CONSOLE_PORT = 4,
	VCON_RESIZE = 5,
	VCON_PORT_OPEN = 6,
	VCON_PORT_NAME = 7,
};

struct vcon_control {
	u32 id;
	u16 event;
	u16 value;
};
static_assert(sizeof(struct vcon_control) == 8, "spec 5.3.6.2");

#define VCON_PORTS	 4  /* all other ports are left out */
#define VCON_CTL_SLOTS	 16 /* messages in each direction */
#define VCON_CTL_BYTES	 64 /* of one message, a name included */
#define VPORT_NAME_SIZE	 32
#define VPORT_RX_SLOTS	 4
#define VPORT_RX_BYTES	 1024
#define VPORT_TX_SLOTS	 4
#define VPORT_TX_BYTES	 4096
#define VPORT_BYTES	 (VPORT_RX_SLOTS * VPORT_RX_BYTES + VPORT_TX_SLOTS * VPORT_TX_BYTES)

/*
 * Lock keys:
 *   (c) constant: of a device after probe, of a port from its start to its end
 *   (k) ctl_lock; the port's thread reads what was there when it started
 *   (r) ctl_lock to write; others read with READ_ONCE() or acquire
 *   (t) the port's thread alone, once it runs
 *   (w) the port's thread writes; others read with READ_ONCE()
 *   (a) several threads write: WRITE_ONCE() and READ_ONCE()
 *   (o) has keys or a lock of its own
 */

/**
 * struct vport - one port
 * @con: its device
 * @id: number of the port
 * @name: "" until the host has sent it
 * @service: serves the port; NULL: no service
 * @rx, @tx: its queues; NULL: the device has no queue for it
 * @added: the host has such a port
 * @host_open: the host listens
 * @closed: how often the host has closed its side
 * @closed_seen: how many of these closes vport_read() has reported to the service
 * @closed_at: index in the receive queue: buffers before it belong to a connection that has
 *	ended
 * @seen: index likewise: buffers before it belong to the current connection or an older one
 * @gone: unplugged, or the driver leaves
 * @listening: the service reads
 * @wait: woken when one of the above changes or the device has used a buffer
 * @buffers: VPORT_BYTES, those of @rx first
 * @rx_at, @rx_left: the unread rest of the current receive buffer
 * @tx_free: bit n: the device does not have send buffer n
 * @tx_doubted: the host closed its side, and may have lost the other send buffers
 */
struct vport {
	struct virtio_console *con;		/* (c) */
	u32 id;					/* (c) */
	char name[VPORT_NAME_SIZE];		/* (k) */
	const struct vport_service *service;	/* (k) */
	struct virtqueue *rx, *tx;		/* (c) */
	bool added;				/* (k) */
	u32 host_open;				/* (r) */
	u32 closed;				/* (r) */
	u32 closed_seen;			/* (t) */
	u16 closed_at;				/* (r) */
	u16 seen;				/* (w) */
	u32 gone;				/* (a) */
	u32 listening;				/* (w) */
	struct wait_queue wait;
	struct thread *thread;			/* (k) */
	char *buffers;				/* (c) */
	char *rx_at;				/* (t) */
	u32 rx_left;				/* (t) */
	u32 tx_free;				/* (t) */
	bool tx_doubted;			/* (t) */
};

/**
 * struct virtio_console - one device
 * @ctl_lock: protects the control queues: the boot thread uses them at the start, and
 *	@work uses them as soon as any queue interrupts
 * @leaves: the driver leaves, and handles no more messages
 * @work: handles control messages
 */
struct virtio_console {
	struct virtio_device *vdev;		/* (c) */
	struct mutex ctl_lock;
	bool leaves;				/* (k) */
	struct virtqueue *ctl_rx, *ctl_tx;	/* (c) */
	struct work work;			/* (o) */
	char ctl_in[VCON_CTL_SLOTS][VCON_CTL_BYTES];	/* (k) */
	struct vcon_control ctl_out[VCON_CTL_SLOTS];	/* (k) */
	u32 ctl_out_free;			/* (k) */
	struct vport port[VCON_PORTS];		/* (o) */
};

/* Interrupt: the device has used a buffer of one of the port's queues. */
void vport_interrupt(struct virtqueue *vq);

/* Read the control messages that have arrived. Context: thread, no spinlock held. */
void vcon_hear(struct virtio_console *con);

/*
 * Have the work queue reset the device, because it has lost all send buffers of a port; the
 * reset starts all ports again. Context: a port's thread.
 */
void vcon_reattach(struct virtio_console *con);

/* Handle that the host opened or closed its side. Context: vcon_hear(). */
void vport_host_open(struct vport *port, bool open);

/* Limits on the wait until a service reads, and until the host has named its ports. */
#define VPORT_START_NS NSEC_PER_SEC
#define VCON_NAMES_NS  (20 * NSEC_PER_MSEC)
/* After it closed its side, the host gives send buffers back within this time, or never. */
#define VPORT_LOST_NS  NSEC_PER_SEC

/*
 * Set up buffers, receive queue and thread; returns when the service listens. -ENOMEM,
 * -ETIMEDOUT.
 */
int __must_check vport_start(struct vport *port);

/*
 * Remove a port: vport_end() ends its thread; vport_release() frees its buffers, once the
 * device is reset.
 */
int __must_check vport_end(struct vport *port);
void vport_release(struct vport *port);

#endif
