/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost-user back-end: the connection, its messages, features, memory table
 * and configuration space. The ring's messages are in vhost_ring.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "vhost_user.h"

#define PROTOCOL_FEATURES                                                       \
	(BIT(VHOST_PROTO_MQ) | BIT(VHOST_PROTO_REPLY_ACK) |                     \
	 BIT(VHOST_PROTO_BACKEND_REQ) | BIT(VHOST_PROTO_CONFIG) |               \
	 BIT(VHOST_PROTO_RESET_DEVICE) | BIT(VHOST_PROTO_CONFIGURE_MEM_SLOTS) | \
	 BIT(VHOST_PROTO_STATUS))

/* A message's handler returns 0 (done), -1 (refused), or this. */
#define REPLIED 1

_Static_assert(sizeof(struct mem_region_desc) == 32, "as on the wire");

static void close_fds(struct vhost_message *msg)
{
	while (msg->nr_fds)
		close(msg->fds[--msg->nr_fds]);
}

/**
 * vhost_take_fd() - take over a message's first descriptor
 * @msg: the message
 *
 * Makes the descriptor non-blocking, whatever the frontend set.
 *
 * Return: the descriptor, now the caller's, or -1 if the message carries none.
 */
int vhost_take_fd(struct vhost_message *msg)
{
	int fd;

	if (!msg->nr_fds)
		return -1;
	fd = msg->fds[0];
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	msg->nr_fds--;
	memmove(msg->fds, msg->fds + 1, msg->nr_fds * sizeof(*msg->fds));
	return fd;
}

/* Send the message back as the reply to itself. */
static int reply(struct vhost *vhost, struct vhost_message *msg, u32 size)
{
	msg->header.flags = VHOST_VERSION | VHOST_FLAG_REPLY;
	msg->header.size = size;
	if (sock_send(vhost->conn.fd, msg, sizeof(msg->header) + size)) {
		log_limited("cannot answer the frontend: %s", strerror(errno));
		return -1;
	}
	return REPLIED;
}

static int reply_value(struct vhost *vhost, struct vhost_message *msg, u64 value)
{
	msg->payload.value = value;
	return reply(vhost, msg, sizeof(value));
}

static int set_features(struct vhost *vhost, u64 features)
{
	u64 offered = vhost->ops->virtio_features | BIT(VHOST_F_PROTOCOL_FEATURES);

	if (features & ~offered) {
		log_limited(
			"the frontend acknowledges features that were not offered: %#llx",
			(unsigned long long)(features & ~offered));
		return -1;
	}
	vhost->features = features;
	vhost->ring.indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1;
	vhost->ring.event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1;
	vhost->ops->features_set(vhost);
	vhost_ring_update(vhost);
	return 0;
}

static int add_region(struct vhost *vhost, const struct mem_region_desc *desc,
		      struct vhost_message *msg)
{
	int fd = vhost_take_fd(msg);
	const char *error = fd < 0 ? "comes without a descriptor"
				   : guest_mem_add(&vhost->mem, desc, fd);

	if (!error)
		return 0;
	if (fd >= 0)
		close(fd);
	log_limited("memory region at %#llx, %#llx bytes: %s", (unsigned long long)desc->gpa,
		 (unsigned long long)desc->size, error);
	return -1;
}

static int set_mem_table(struct vhost *vhost, struct vhost_message *msg)
{
	struct vhost_mem_table table = msg->payload.table;
	int err = 0;

	if (msg->header.size < 8 || table.nr > SOCK_MAX_FDS || table.nr != msg->nr_fds ||
	    msg->header.size < 8 + table.nr * sizeof(table.region[0])) {
		log_limited("malformed memory table");
		return -1;
	}
	guest_mem_clear(&vhost->mem);
	for (u32 i = 0; i < table.nr && !err; i++)
		err = add_region(vhost, &table.region[i], msg);
	vhost->ops->memory_changed(vhost);
	return err;
}

static int remove_region(struct vhost *vhost, const struct mem_region_desc *desc)
{
	const char *error = guest_mem_remove(&vhost->mem, desc);

	if (!error)
		return 0;
	log_limited("memory region at %#llx to remove: %s", (unsigned long long)desc->gpa,
		 error);
	return -1;
}

static int change_region(struct vhost *vhost, struct vhost_message *msg)
{
	struct mem_region_desc desc = msg->payload.one_region.region;
	int err;

	if (msg->header.size < sizeof(msg->payload.one_region)) {
		log_limited("malformed memory region");
		return -1;
	}
	if (msg->header.request == VHOST_ADD_MEM_REG)
		err = add_region(vhost, &desc, msg);
	else
		err = remove_region(vhost, &desc);
	vhost->ops->memory_changed(vhost);
	return err;
}

/*
 * Send the configuration; refuse a malformed request with an empty reply, as the protocol
 * demands.
 */
static int get_config(struct vhost *vhost, struct vhost_message *msg)
{
	u32 offset = msg->payload.config.offset, size = msg->payload.config.size;
	u8 config[VHOST_CONFIG_MAX] = {0};

	if (msg->header.size < 12 || offset > VHOST_CONFIG_MAX ||
	    size > VHOST_CONFIG_MAX - offset)
		return reply(vhost, msg, 0);
	vhost_notice_answers(vhost);
	vhost->ops->read_config(vhost, config, sizeof(config));
	memcpy(msg->payload.config.data, config + offset, size);
	return reply(vhost, msg, 12 + size);
}

static int reset_device(struct vhost *vhost)
{
	vhost_ring_stop(vhost);
	vhost->enabled = false;
	vhost->status = 0;
	return 0;
}

static int set_status(struct vhost *vhost, u64 status)
{
	vhost->status = (u8)status;
	if (!vhost->status)
		return reset_device(vhost);
	return 0;
}

/* Return 0, -1 for a refusal, or REPLIED. */
static int handle(struct vhost *vhost, struct vhost_message *msg)
{
	switch (msg->header.request) {
	case VHOST_GET_FEATURES:
		return reply_value(vhost, msg,
				   vhost->ops->virtio_features |
					   BIT(VHOST_F_PROTOCOL_FEATURES));
	case VHOST_SET_FEATURES:
		return set_features(vhost, msg->payload.value);
	case VHOST_GET_PROTOCOL_FEATURES:
		return reply_value(vhost, msg, PROTOCOL_FEATURES);
	case VHOST_SET_PROTOCOL_FEATURES:
		vhost->protocol = msg->payload.value & PROTOCOL_FEATURES;
		return vhost->protocol == msg->payload.value ? 0 : -1;
	case VHOST_GET_QUEUE_NUM:
		return reply_value(vhost, msg, 1);
	case VHOST_GET_MAX_MEM_SLOTS:
		return reply_value(vhost, msg, GUEST_MEM_SLOTS);
	case VHOST_SET_MEM_TABLE:
		return set_mem_table(vhost, msg);
	case VHOST_ADD_MEM_REG:
	case VHOST_REM_MEM_REG:
		return change_region(vhost, msg);
	case VHOST_GET_CONFIG:
		return get_config(vhost, msg);
	case VHOST_SET_CONFIG:
		vhost->ops->config_written(vhost);
		return 0;
	case VHOST_SET_BACKEND_REQ_FD:
		vhost_set_backend(vhost, vhost_take_fd(msg));
		return 0;
	case VHOST_SET_STATUS:
		return set_status(vhost, msg->payload.value);
	case VHOST_GET_STATUS:
		return reply_value(vhost, msg, vhost->status);
	case VHOST_SET_OWNER:
		return 0;
	case VHOST_RESET_OWNER:
	case VHOST_RESET_DEVICE:
		return reset_device(vhost);
	default:
		return vhost_ring_message(vhost, msg);
	}
}

/* Check that a payload has all the words that its handler reads without a check of its own. */
static bool long_enough(const struct vhost_header *header)
{
	switch (header->request) {
	case VHOST_SET_FEATURES:
	case VHOST_SET_PROTOCOL_FEATURES:
	case VHOST_SET_STATUS:
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
	case VHOST_SET_VRING_ENABLE:
		return header->size >= 8;
	case VHOST_SET_VRING_ADDR:
		return header->size >= 40;
	default:
		return true;
	}
}

static void dispatch(struct vhost *vhost)
{
	struct vhost_message *msg = &vhost->in;
	u32 request = msg->header.request;
	bool need = msg->header.flags & VHOST_FLAG_NEED &&
		    vhost->protocol & BIT(VHOST_PROTO_REPLY_ACK);
	int err = -1;

	if (long_enough(&msg->header))
		err = handle(vhost, msg);
	else
		log_limited("vhost-user request %u is too short", request);
	if (err < 0)
		log_limited("vhost-user request %u is refused or unknown", request);
	if (need && err != REPLIED && reply_value(vhost, msg, err ? 1 : 0) < 0)
		vhost_close(vhost);
	close_fds(msg);
	msg->have = 0;
}

/*
 * Receive what has arrived of the current message. Return 1 if it is complete, 0 if not, and
 * -1 if the connection is over.
 */
static int receive(struct vhost *vhost)
{
	struct vhost_message *msg = &vhost->in;
	size_t head = sizeof(msg->header), want = head;
	int fds[SOCK_MAX_FDS];
	u32 nr_fds;
	ssize_t got;

	if (msg->have >= head)
		want = head + msg->header.size;
	got = sock_recv_fds(vhost->conn.fd, (u8 *)msg + msg->have, want - msg->have, fds,
			    &nr_fds);
	if (got <= 0)
		return got < 0 && errno == EAGAIN ? 0 : -1;
	for (u32 i = 0; i < nr_fds; i++) {
		if (msg->nr_fds < SOCK_MAX_FDS)
			msg->fds[msg->nr_fds++] = fds[i];
		else
			close(fds[i]);
	}
	msg->have += (size_t)got;
	if (msg->have < head)
		return 0;
	if ((msg->header.flags & 3) != VHOST_VERSION ||
	    msg->header.size > sizeof(msg->payload)) {
		log_limited("the frontend does not speak vhost-user version 1");
		return -1;
	}
	return msg->have == head + msg->header.size;
}

static void conn_ready(struct watch *watch, short events)
{
	struct vhost *vhost = watch->owner;
	int whole;

	(void)events;
	/* The first round receives the header, the second the payload, if there is one. */
	whole = receive(vhost);
	if (!whole)
		whole = receive(vhost);
	if (whole < 0)
		vhost_close(vhost);
	else if (whole)
		dispatch(vhost);
}

static void listener_ready(struct watch *watch, short events)
{
	struct vhost *vhost = watch->owner;
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (vhost_connected(vhost)) {
		log_limited("a second frontend was refused");
		close(fd);
		return;
	}
	vhost->conn = (struct watch){fd, POLLIN, conn_ready, vhost};
	loop_add(&vhost->conn);
	vhost->ops->connected(vhost);
}

/**
 * vhost_listen() - wait for the frontend
 * @vhost: @ops and @owner are set, all else is zero
 * @path: of the socket
 *
 * Return: 0, or -1 after one line that says why.
 */
int vhost_listen(struct vhost *vhost, const char *path)
{
	vhost->conn.fd = vhost->backend.fd = vhost->kick.fd = vhost->call_fd = -1;
	vhost->listener = (struct watch){sock_listen(path, "--socket"), POLLIN,
					 listener_ready, vhost};
	if (vhost->listener.fd < 0)
		return -1;
	return loop_add(&vhost->listener);
}

/**
 * vhost_connected() - check whether a frontend is there
 * @vhost: the back-end
 */
bool vhost_connected(const struct vhost *vhost)
{
	return vhost->conn.fd >= 0;
}

/**
 * vhost_close() - end the connection
 * @vhost: the back-end; its memory table stays for a last scan of the memory
 */
void vhost_close(struct vhost *vhost)
{
	if (!vhost_connected(vhost))
		return;
	vhost_ring_stop(vhost);
	vhost_set_backend(vhost, -1);
	if (vhost->call_fd >= 0)
		close(vhost->call_fd);
	vhost->call_fd = -1;
	close_fds(&vhost->in);
	loop_del(&vhost->conn);
	close(vhost->conn.fd);
	vhost->conn.fd = -1;
	vhost->ops->closed(vhost);
}
