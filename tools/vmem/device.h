/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_DEVICE_H
#define _VMEM_DEVICE_H

/*
 * The state machine of the virtio-mem device (virtio 1.2, section 5.15): it keeps which blocks
 * are plugged, and decides the answer to a request. It uses no sockets, rings or system calls:
 * it reaches the host through struct vmem_host, so that tests can run it alone. Offsets are
 * bytes from the region's start.
 */
#include "lib/types.h"

/* Layouts of the spec, little-endian like the hosts that run this program. */
struct vmem_config {
	u64 block_size;
	u16 node_id;
	u8 padding[6];
	u64 addr;
	u64 region_size;
	u64 usable_region_size;
	u64 plugged_size;
	u64 requested_size;
};

struct vmem_req {
	u16 type;
	u16 padding[3];
	u64 addr;
	u16 nb_blocks;
	u16 padding2[3];
};

struct vmem_resp {
	u16 type;
	u16 padding[3];
	u16 state;
} __attribute__((packed));

_Static_assert(sizeof(struct vmem_config) == 56, "spec 5.15.4");
_Static_assert(sizeof(struct vmem_req) == 24, "spec 5.15.6");
_Static_assert(sizeof(struct vmem_resp) == 10, "spec 5.15.6");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "structures go out as they are");

#define VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE 1

enum vmem_req_type {
	VMEM_REQ_PLUG,
	VMEM_REQ_UNPLUG,
	VMEM_REQ_UNPLUG_ALL,
	VMEM_REQ_STATE,
	VMEM_NR_REQ,
};

enum vmem_answer {
	VMEM_ACK,
	VMEM_NACK,
	VMEM_BUSY,
	VMEM_ERROR,
	VMEM_NR_ANSWER,
};

enum vmem_state {
	VMEM_PLUGGED,
	VMEM_UNPLUGGED,
	VMEM_MIXED,
};

/* A driver's violations of the spec: X(NAME, "name", "meaning"). */
#define VMEM_VIOLATIONS(X)                                                             \
	X(BAD_TYPE, "bad-type", "request of an unknown type")                                \
	X(MISALIGNED, "misaligned", "address is not a multiple of the block size")           \
	X(ZERO_COUNT, "zero-count", "request without blocks")                                \
	X(OUT_OF_RANGE, "out-of-range", "block outside the usable region")                   \
	X(WRONG_STATE, "wrong-state", "block was already in the requested state")            \
	X(STRAY, "stray-access", "write to an unplugged block")                              \
	X(BAD_BUFFER, "bad-buffer", "request or response buffer too short or not in memory") \
	X(BAD_RING, "bad-ring", "descriptor chain or ring index that makes no sense")        \
	X(CONFIG_WRITE, "config-write", "write to the read-only configuration")              \
	X(FEATURES, "features", "UNPLUGGED_INACCESSIBLE or VERSION_1 was not accepted")

enum vmem_violation {
#define X(name, str, meaning) VMEM_V_##name,
	VMEM_VIOLATIONS(X)
#undef X
	VMEM_NR_VIOLATIONS
};

/* The device's notes to its owner; offset and length in bytes. */
enum vmem_note {
	VMEM_NOTE_PUNCH,     /* memory returned to the host */
	VMEM_NOTE_STRAY,     /* memory in unplugged blocks that was written */
	VMEM_NOTE_TOUCHED,   /* memory in unplugged blocks, allocated but all zeros */
	VMEM_NOTE_VIOLATION, /* offset: enum vmem_violation; length: 0 */
};

/**
 * struct vmem_host - the device's interface to the memory that backs the region
 * @next_data: find the first allocated extent in [off, end): 1 and *from, *to
 *             (both within), 0 if there is none, negative errno
 * @written: count the bytes of the pages in [off, end) that are not all zeros, and set *first
 *           to the first such page; allocates nothing
 * @discard: give [off, off + len) back to the host; 0 or negative errno
 * @note: an event that a user may want to see
 */
struct vmem_host {
	int (*next_data)(struct vmem_host *host, u64 off, u64 end, u64 *from, u64 *to);
	u64 (*written)(struct vmem_host *host, u64 off, u64 end, u64 *first);
	int (*discard)(struct vmem_host *host, u64 off, u64 len);
	void (*note)(struct vmem_host *host, enum vmem_note note, u64 off, u64 len);
};

struct vmem_dev {
	u64 addr, size, block; /* bytes; never change */
	u64 requested, usable, plugged;
	struct { /* the driver's copy of the fields that change without its requests */
		u64 requested, usable;
	} shown;
	unsigned long *map; /* bit per block: plugged */
	u64 stray, touched; /* bytes found in unplugged blocks: written, all zeros */
	u64 violations[VMEM_NR_VIOLATIONS];
	u64 answers[VMEM_NR_REQ + 1][VMEM_NR_ANSWER]; /* last row: unknown types */
	struct vmem_host *host;
};

extern const char *const vmem_violation_names[VMEM_NR_VIOLATIONS];

const char *vmem_geometry_error(u64 addr, u64 size, u64 block);
int vmem_init(struct vmem_dev *dev, struct vmem_host *host);
void vmem_destroy(struct vmem_dev *dev);
const char *vmem_size_error(const struct vmem_dev *dev, u64 requested);
void vmem_set_requested(struct vmem_dev *dev, u64 requested);
void vmem_show_config(struct vmem_dev *dev);
void vmem_read_config(const struct vmem_dev *dev, struct vmem_config *config);
enum vmem_answer vmem_handle(struct vmem_dev *dev, const struct vmem_req *req,
			     struct vmem_resp *resp);
enum vmem_answer vmem_unplug_all(struct vmem_dev *dev);
void vmem_violation(struct vmem_dev *dev, enum vmem_violation kind);
bool vmem_overlaps_unplugged(const struct vmem_dev *dev, u64 gpa, u64 len);

/* stray.c */
u64 vmem_allocated(struct vmem_dev *dev, u64 off, u64 len);
int vmem_collect_stray(struct vmem_dev *dev, u64 off, u64 len);

/* Blocks and their bits; block numbers count from the region's start. */
static inline u64 vmem_nr_blocks(const struct vmem_dev *dev)
{
	return dev->size / dev->block;
}

u64 vmem_run_end(const struct vmem_dev *dev, u64 from, u64 end);

static inline bool vmem_bit(const unsigned long *map, u64 nr)
{
	return map[nr / 64] >> (nr % 64) & 1;
}

static inline void vmem_set_bit(unsigned long *map, u64 nr)
{
	map[nr / 64] |= 1UL << (nr % 64);
}

static inline void vmem_clear_bit(unsigned long *map, u64 nr)
{
	map[nr / 64] &= ~(1UL << (nr % 64));
}

#endif
