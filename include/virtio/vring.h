/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VIRTIO_VRING_H
#define _VIRTIO_VRING_H

/*
 * The split virtqueue as driver and device see it in memory; all fields are little
 * endian, like the machine. Spec: virtio 1.2, section 2.7.
 */
#include "lib/types.h"

#define VRING_DESC_F_NEXT     BIT(0) /* continues at desc.next */
#define VRING_DESC_F_WRITE    BIT(1) /* the device writes (it reads otherwise) */
#define VRING_DESC_F_INDIRECT BIT(2) /* the buffer is a table of descriptors */

#define VRING_AVAIL_F_NO_INTERRUPT BIT(0)
#define VRING_USED_F_NO_NOTIFY	   BIT(0)

struct vring_desc {
	u64 addr; /* physical */
	u32 len;  /* bytes */
	u16 flags;
	u16 next;
};
static_assert(sizeof(struct vring_desc) == 16, "spec 2.7.5");

/* used_event follows the last entry of @ring. */
struct vring_avail {
	u16 flags;
	u16 idx;
	u16 ring[];
};

struct vring_used_elem {
	u32 id;	 /* head of the descriptor chain */
	u32 len; /* bytes the device wrote */
};
static_assert(sizeof(struct vring_used_elem) == 8, "spec 2.7.8");

/* Behind ring[size] lies avail_event. */
struct vring_used {
	u16 flags;
	u16 idx;
	struct vring_used_elem ring[];
};

#define VRING_AVAIL_BYTES(size) (sizeof(u16) * (3 + (size)))
#define VRING_USED_BYTES(size)	(sizeof(u16) * 3 + sizeof(struct vring_used_elem) * (size))

/* Check whether the index passed @event on its way from @old to @new. Spec 2.7.10.1. */
static inline bool vring_need_event(u16 event, u16 new, u16 old)
{
	return (u16)(new - event - 1) < (u16)(new - old);
}

#endif
