/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost-user back-end: set-up, start and stop of the ring, and its calls.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "vhost_user.h"

/*
 * The bit of SET_VRING_KICK's payload (and similar ones) that says: no descriptor is attached.
 */
#define NO_FD 0x100

static void close_watch(struct watch *watch)
{
	loop_del(watch);
	if (watch->fd >= 0)
		close(watch->fd);
	watch->fd = -1;
}

static void kick_ready(struct watch *watch, short events)
{
	struct vhost *vhost = watch->owner;
	u64 count;
	ssize_t got = read(watch->fd, &count, sizeof(count));

	(void)events;
	if (got != sizeof(count) && !(got < 0 && errno == EAGAIN)) {
		log_limited("the kick descriptor is not an event descriptor");
		close_watch(watch);
		return;
	}
	if (vhost->running)
		vhost->ops->kick(vhost);
}

/**
 * vhost_call() - interrupt the driver for the ring
 * @vhost: the back-end
 */
void vhost_call(struct vhost *vhost)
{
	u64 one = 1;

	/* A full counter still interrupts. */
	if (vhost->call_fd >= 0 && write(vhost->call_fd, &one, sizeof(one)) < 0 &&
	    errno != EAGAIN)
		log_limited("call descriptor: %s", strerror(errno));
}

/**
 * vhost_kick_self() - serve the ring again at the loop's next turn
 * @vhost: the back-end
 */
void vhost_kick_self(struct vhost *vhost)
{
	u64 one = 1;

	if (vhost->kick.fd >= 0 && write(vhost->kick.fd, &one, sizeof(one)) < 0 &&
	    errno != EAGAIN)
		log_limited("kick descriptor: %s", strerror(errno));
}

/*
 * Stop serving the ring. An unanswered request goes back into it, so that the ring's index is
 * the one to continue with.
 */
static void halt(struct vhost *vhost)
{
	if (!vhost->running)
		return;
	vhost->running = false;
	vhost->ops->ring_stopped(vhost);
}

/**
 * vhost_ring_stop() - stop the ring; its addresses and index stay
 * @vhost: the back-end
 */
void vhost_ring_stop(struct vhost *vhost)
{
	close_watch(&vhost->kick);
	halt(vhost);
}

/**
 * vhost_ring_update() - start serving the ring if everything it needs is there
 * @vhost: the back-end
 *
 * A ring is served if it has a kick descriptor and is enabled. Without negotiated protocol
 * features, it is enabled from the start.
 */
void vhost_ring_update(struct vhost *vhost)
{
	if (!(vhost->features & BIT(VHOST_F_PROTOCOL_FEATURES)) && vhost->kick.fd >= 0)
		vhost->enabled = true;
	if (vhost->running || !vhost->enabled || vhost->kick.fd < 0)
		return;
	vhost->running = vhost->ran = true;
	vring_reset(&vhost->ring);
	vhost->ops->ring_started(vhost);
	vhost_notice_resume(vhost);
	/* The driver may have filled the ring before it was enabled. */
	vhost->ops->kick(vhost);
}

static int set_kick(struct vhost *vhost, struct vhost_message *msg)
{
	int fd = vhost_take_fd(msg);

	vhost_ring_stop(vhost);
	if (msg->payload.value & NO_FD || fd < 0) {
		log_limited("a ring without a kick descriptor is not supported");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	vhost->kick = (struct watch){fd, POLLIN, kick_ready, vhost};
	loop_add(&vhost->kick);
	vhost_ring_update(vhost);
	return 0;
}

static int set_call(struct vhost *vhost, struct vhost_message *msg)
{
	if (vhost->call_fd >= 0)
		close(vhost->call_fd);
	vhost->call_fd = vhost_take_fd(msg);
	/*
	 * Interrupt the driver for answers that were given while there was no call descriptor.
	 */
	vhost_call(vhost);
	return 0;
}

static int set_num(struct vhost *vhost, u32 num)
{
	if (!num || num > VRING_MAX_SIZE || !IS_POWER_OF_2(num)) {
		log_limited("a ring of %u entries: expected a power of two, at most %d",
			    num, VRING_MAX_SIZE);
		return -1;
	}
	vhost->ring.size = num;
	return 0;
}

static int set_addr(struct vhost *vhost, const struct vhost_message *msg)
{
	vhost->ring.desc = msg->payload.addr.desc;
	vhost->ring.avail = msg->payload.addr.avail;
	vhost->ring.used = msg->payload.addr.used;
	return 0;
}

static int set_enable(struct vhost *vhost, u32 enable)
{
	vhost->enabled = enable;
	if (!enable)
		halt(vhost);
	vhost_ring_update(vhost);
	return 0;
}

/* Stop the ring and reply with the index at which it stopped. */
static int get_base(struct vhost *vhost, struct vhost_message *msg)
{
	vhost_ring_stop(vhost);
	msg->payload.state.num = vhost->ring.next_avail;
	msg->header.flags = VHOST_VERSION | VHOST_FLAG_REPLY;
	msg->header.size = 8;
	return sock_send(vhost->conn.fd, msg, sizeof(msg->header) + 8) ? -1 : 1;
}

/**
 * vhost_ring_message() - handle a message about the ring
 * @vhost: the back-end
 * @msg: the message, long enough for its kind
 *
 * Return: 0; -1 for a refusal; 1 if the reply has been sent.
 */
int vhost_ring_message(struct vhost *vhost, struct vhost_message *msg)
{
	u32 request = msg->header.request;
	bool has_fd = request >= VHOST_SET_VRING_KICK && request <= VHOST_SET_VRING_ERR;
	u32 index = has_fd ? (u32)msg->payload.value & 0xff : msg->payload.state.index;
	bool is_ring =
		(request >= VHOST_SET_VRING_NUM && request <= VHOST_SET_VRING_ERR) ||
		request == VHOST_SET_VRING_ENABLE;

	if (is_ring && index) {
		log_limited("ring %u does not exist: start QEMU with num_vqs=1", index);
		return -1;
	}
	switch (msg->header.request) {
	case VHOST_SET_VRING_NUM:
		return set_num(vhost, msg->payload.state.num);
	case VHOST_SET_VRING_ADDR:
		return set_addr(vhost, msg);
	case VHOST_SET_VRING_BASE:
		vhost->ring.next_avail = (u16)msg->payload.state.num;
		return 0;
	case VHOST_GET_VRING_BASE:
		return get_base(vhost, msg);
	case VHOST_SET_VRING_KICK:
		return set_kick(vhost, msg);
	case VHOST_SET_VRING_CALL:
		return set_call(vhost, msg);
	case VHOST_SET_VRING_ERR:
		return 0;
	case VHOST_SET_VRING_ENABLE:
		return set_enable(vhost, msg->payload.state.num);
	default:
		return -1;
	}
}
