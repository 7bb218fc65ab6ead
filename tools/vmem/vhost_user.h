/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef _VMEM_VHOST_USER_H
#define _VMEM_VHOST_USER_H

/*
 * The back-end of the vhost-user protocol (QEMU's docs/interop/vhost-user), with one
 * connection and one queue. It knows nothing of virtio-mem.
 */
#include "guest_mem.h"
#include "loop.h"
#include "sock.h"
#include "vring.h"

enum vhost_request {
	VHOST_GET_FEATURES = 1,
	VHOST_SET_FEATURES = 2,
	VHOST_SET_OWNER = 3,
	VHOST_RESET_OWNER = 4,
	VHOST_SET_MEM_TABLE = 5,
	VHOST_SET_VRING_NUM = 8,
	VHOST_SET_VRING_ADDR = 9,
	VHOST_SET_VRING_BASE = 10,
	VHOST_GET_VRING_BASE = 11,
	VHOST_SET_VRING_KICK = 12,
	VHOST_SET_VRING_CALL = 13,
	VHOST_SET_VRING_ERR = 14,
	VHOST_GET_PROTOCOL_FEATURES = 15,
	VHOST_SET_PROTOCOL_FEATURES = 16,
	VHOST_GET_QUEUE_NUM = 17,
	VHOST_SET_VRING_ENABLE = 18,
	VHOST_SET_BACKEND_REQ_FD = 21,
	VHOST_GET_CONFIG = 24,
	VHOST_SET_CONFIG = 25,
	VHOST_RESET_DEVICE = 34,
	VHOST_GET_MAX_MEM_SLOTS = 36,
	VHOST_ADD_MEM_REG = 37,
	VHOST_REM_MEM_REG = 38,
	VHOST_SET_STATUS = 39,
	VHOST_GET_STATUS = 40,
};

#define VHOST_BACKEND_CONFIG_CHANGE 2

#define VHOST_F_PROTOCOL_FEATURES 30

enum vhost_protocol_feature {
	VHOST_PROTO_MQ = 0,
	VHOST_PROTO_REPLY_ACK = 3,
	VHOST_PROTO_BACKEND_REQ = 5,
	VHOST_PROTO_CONFIG = 9,
	VHOST_PROTO_RESET_DEVICE = 13,
	VHOST_PROTO_CONFIGURE_MEM_SLOTS = 15,
	VHOST_PROTO_STATUS = 16,
};

#define VHOST_VERSION	 1u
#define VHOST_FLAG_REPLY 4u
#define VHOST_FLAG_NEED	 8u

struct vhost_header {
	u32 request;
	u32 flags;
	u32 size; /* of the payload, bytes */
};

#define VHOST_CONFIG_MAX 256

/* The table of SET_MEM_TABLE: up to eight regions, with one descriptor each. */
struct vhost_mem_table {
	u32 nr;
	u32 padding;
	struct mem_region_desc region[SOCK_MAX_FDS];
};

/* Aligned to 4, because it follows the header's twelve bytes without a gap. */
struct vhost_payload {
	union {
		u64 value;
		struct {
			u32 index, num;
		} state;
		struct {
			u32 index, flags;
			u64 desc, used, avail, log;
		} addr;
		struct vhost_mem_table table;
		struct {
			u64 padding;
			struct mem_region_desc region;
		} one_region;
		struct {
			u32 offset, size, flags;
			u8 data[VHOST_CONFIG_MAX];
		} config;
		u8 bytes[512];
	};
} __attribute__((packed, aligned(4)));

_Static_assert(sizeof(struct vhost_header) == 12, "as on the wire");

struct vhost_message {
	struct vhost_header header;
	struct vhost_payload payload;
	size_t have; /* bytes received so far, header included */
	int fds[SOCK_MAX_FDS];
	u32 nr_fds;
};

_Static_assert(offsetof(struct vhost_message, payload) == 12, "as on the wire");

struct vhost;

/* The progress of a notification of a changed configuration. */
enum vhost_notice {
	NOTICE_NONE,  /* no notification is being sent */
	NOTICE_BEGUN, /* its first byte was sent */
	NOTICE_SENT,  /* all of it was sent; its answer is awaited */
};

/* The frontend's answer to a message of the back-end. */
struct vhost_answer {
	struct vhost_header header;
	u64 value; /* 0: success */
} __attribute__((packed));

/**
 * struct vhost_ops - callbacks of the protocol's user
 * @connected: a frontend has connected
 * @read_config: fill in @len bytes of the configuration space
 * @config_told: from now on the driver sees a new generation of the configuration
 * @config_written: the driver wrote to the configuration space
 * @features_set: the driver's features are known: @vhost->features
 * @memory_changed: regions were added or removed
 * @ring_started: the ring runs now (enabled, with a kick descriptor)
 * @ring_stopped: the ring has stopped; put a request that was taken but not answered back into
 *                it (vring_untake())
 * @kick: the ring may have requests; called only while it runs
 * @closed: the frontend has gone
 */
struct vhost_ops {
	u64 virtio_features;
	void (*connected)(struct vhost *vhost);
	void (*read_config)(struct vhost *vhost, void *config, size_t len);
	void (*config_told)(struct vhost *vhost);
	void (*config_written)(struct vhost *vhost);
	void (*features_set)(struct vhost *vhost);
	void (*memory_changed)(struct vhost *vhost);
	void (*ring_started)(struct vhost *vhost);
	void (*ring_stopped)(struct vhost *vhost);
	void (*kick)(struct vhost *vhost);
	void (*closed)(struct vhost *vhost);
};

struct vhost {
	const struct vhost_ops *ops;
	void *owner;
	struct watch listener, conn, backend, kick;
	struct vhost_message in;
	struct guest_mem mem;
	struct vring ring;
	int call_fd;
	u64 features, protocol; /* acknowledged */
	u8 status;
	bool enabled, running;
	bool ran; /* since the frontend connected */
	u32 config_changes; /* notifications owed to the driver */
	enum vhost_notice notice;
	struct loop_timer look; /* checks whether a notification is being read */
	u64 look_ns;
	struct vhost_answer answer; /* from the back-end channel */
	size_t answer_have;	    /* bytes of @answer so far */
};

int vhost_listen(struct vhost *vhost, const char *path);
void vhost_close(struct vhost *vhost);
void vhost_call(struct vhost *vhost);
void vhost_kick_self(struct vhost *vhost);
bool vhost_connected(const struct vhost *vhost);

/* vhost_notice.c: notifications of a changed configuration */
void vhost_config_changed(struct vhost *vhost, u32 times);
void vhost_notice_look(struct vhost *vhost);
void vhost_notice_answers(struct vhost *vhost);
void vhost_notice_resume(struct vhost *vhost);
void vhost_set_backend(struct vhost *vhost, int fd);

/* vhost_ring.c: set-up, start and stop of the ring */
int vhost_ring_message(struct vhost *vhost, struct vhost_message *msg);
void vhost_ring_stop(struct vhost *vhost);
void vhost_ring_update(struct vhost *vhost);
int vhost_take_fd(struct vhost_message *msg);

#endif
