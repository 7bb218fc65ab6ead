/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_VMEM_H
#define _VMEM_VMEM_H

/*
 * The program as a whole: one device, its frontend, its control socket.
 */
#include "device.h"
#include "loop.h"
#include "options.h"
#include "vhost_user.h"

struct vmem {
	struct options opt;
	struct vmem_dev dev;
	struct vmem_host host; /* its functions are in region.c */
	struct vhost vhost;
	bool emptied;  /* the region was emptied, once all of it was shared */
	bool refused;  /* the driver did not accept a feature that is needed */
	bool unread;   /* the driver has not read the configuration that it was told of */
	u64 requests;  /* taken from the queue since it was set up */
	u64 dropped;   /* requests never answered because of a fault */
	u64 resets;    /* machine resets seen */
	u64 scanned;   /* offset in the region at which the next scan begins */
	u64 next_scan; /* loop_now() of the earliest next scan for strays */
	u32 violation; /* the last violation: enum vmem_violation */
	struct vring_chain held; /* a request that a fault delays */
	struct loop_timer delay;
	struct loop_timer patience; /* limits the wait for the frontend */
};

/* region.c: the memory that backs the device */
void region_init(struct vmem *vmem);
bool region_shared(const struct vmem *vmem);
void region_changed(struct vmem *vmem);
void region_reset(struct vmem *vmem);
bool region_look_on(struct vmem *vmem, u64 *at);
void region_scan(struct vmem *vmem);
u64 region_host_bytes(struct vmem *vmem);

/* queue.c: requests */
void queue_init(struct vmem *vmem);
void queue_started(struct vmem *vmem);
void queue_stopped(struct vmem *vmem);
void queue_serve(struct vmem *vmem);
void queue_spurious(struct vmem *vmem, u32 count);

/* ctl.c: the control socket */
int ctl_listen(struct vmem *vmem);
void ctl_size_changed(void);
void ctl_close(void);

/* qmp_watch.c: QEMU's own QMP */
void qmp_watch_start(struct vmem *vmem);
void qmp_watch_poll(void);
void qmp_watch_stop(void);
const char *qmp_watch_state(void);

#endif
