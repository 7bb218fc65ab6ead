/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost-user back-end: notifications of a changed configuration.
 *
 * QEMU follows a null pointer if it handles a notification after it has stopped the ring, and
 * a notification that lies in the socket cannot be taken back. So the device sends it in two
 * steps. QEMU reads the header of a message in one go, with its big lock held: once it has
 * read the first byte, nothing can stop the ring before the rest has arrived. The device sends
 * the first byte, and waits until the socket shows that QEMU has read it. If the ring then
 * still runs, the device completes the message to a notification; otherwise to a message of a
 * type that does not exist, about which QEMU prints a line and continues.
 *
 * QEMU answers a notification after it has raised the generation of the
 * configuration, and before it asks for the configuration again. So when that answer arrives,
 * the device may show the driver a new copy.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "vhost_user.h"

/* The checks whether QEMU has begun to read: the first interval and the longest. */
#define LOOK_FIRST_NS 20000UL
#define LOOK_LAST_NS  10000000UL

/* No message has this type, but its first byte is that of the notification's type. */
#define NO_SUCH_TYPE (VHOST_BACKEND_CONFIG_CHANGE | 1u << 24)

static void close_backend(struct vhost *vhost)
{
	loop_timer_stop(&vhost->look);
	loop_del(&vhost->backend);
	if (vhost->backend.fd >= 0)
		close(vhost->backend.fd);
	vhost->backend.fd = -1;
	vhost->answer_have = 0;
	/* The next channel must send the notification that this channel did not deliver. */
	if (vhost->notice != NOTICE_NONE)
		vhost->config_changes++;
	vhost->notice = NOTICE_NONE;
}

static void look_later(struct vhost *vhost, u64 ns)
{
	vhost->look_ns = ns;
	loop_timer_set(&vhost->look, ns);
}

static void send_part(struct vhost *vhost, const void *part, size_t len)
{
	if (!sock_send(vhost->backend.fd, part, len))
		return;
	log_limited("back-end channel: %s", strerror(errno));
	close_backend(vhost);
}

/* Begin to send a notification that is owed, if the driver can take one. */
static void start(struct vhost *vhost)
{
	const u8 first = VHOST_BACKEND_CONFIG_CHANGE;

	/* While the ring is stopped, QEMU has no driver to notify. */
	if (!vhost->config_changes || vhost->notice != NOTICE_NONE || !vhost->running)
		return;
	if (vhost->backend.fd < 0) { /* no channel: the frontend polls the configuration */
		vhost->config_changes = 0;
		vhost->ops->config_told(vhost);
		return;
	}
	vhost->config_changes--;
	vhost->notice = NOTICE_BEGUN;
	look_later(vhost, LOOK_FIRST_NS);
	send_part(vhost, &first, sizeof(first));
}

/* Handle that the notification has reached the driver's side. */
static void told(struct vhost *vhost)
{
	vhost->notice = NOTICE_NONE;
	vhost->ops->config_told(vhost);
	start(vhost);
}

static void send_rest(struct vhost *vhost)
{
	bool ack = vhost->protocol & BIT(VHOST_PROTO_REPLY_ACK);
	struct vhost_header header = {
		.request = vhost->running ? VHOST_BACKEND_CONFIG_CHANGE : NO_SUCH_TYPE,
		.flags = VHOST_VERSION | (ack && vhost->running ? VHOST_FLAG_NEED : 0),
	};

	if (!vhost->running) {
		vhost->notice = NOTICE_NONE;
		vhost->config_changes++;
		send_part(vhost, (u8 *)&header + 1, sizeof(header) - 1);
		return;
	}
	vhost->notice = NOTICE_SENT;
	send_part(vhost, (u8 *)&header + 1, sizeof(header) - 1);
	if (!ack && vhost->notice == NOTICE_SENT)
		told(vhost);
}

/**
 * vhost_notice_look() - continue a notification that was begun
 * @vhost: the back-end
 *
 * Long work in the event loop must call it regularly: QEMU waits for the rest of the
 * message.
 */
void vhost_notice_look(struct vhost *vhost)
{
	struct pollfd conn = {.fd = vhost->conn.fd, .events = POLLIN};
	int unread = 0;

	if (vhost->notice != NOTICE_BEGUN)
		return;
	if (!ioctl(vhost->backend.fd, SIOCOUTQ, &unread) && unread)
		look_later(vhost, min(2 * vhost->look_ns, LOOK_LAST_NS));
	else if (poll(&conn, 1, 0) > 0) /* the message may stop the ring */
		look_later(vhost, 0);
	else
		send_rest(vhost);
}

static void look_due(struct loop_timer *timer)
{
	vhost_notice_look(timer->owner);
}

/* Receive QEMU's answers, which are all to notifications. */
static void read_answers(struct vhost *vhost)
{
	ssize_t got;

	while (vhost->backend.fd >= 0) {
		got = recv(vhost->backend.fd, (u8 *)&vhost->answer + vhost->answer_have,
			   sizeof(vhost->answer) - vhost->answer_have, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0) {
			close_backend(vhost);
			return;
		}
		vhost->answer_have += (size_t)got;
		if (vhost->answer_have < sizeof(vhost->answer))
			continue;
		vhost->answer_have = 0;
		if (vhost->answer.value)
			log_limited("the frontend did not accept a notification");
		if (vhost->notice == NOTICE_SENT)
			told(vhost);
	}
}

static void backend_ready(struct watch *watch, short events)
{
	(void)events;
	read_answers(watch->owner);
}

/**
 * vhost_notice_answers() - handle the answer to a notification, if it has arrived
 * @vhost: the back-end
 *
 * Call it before answering the frontend about the configuration.
 */
void vhost_notice_answers(struct vhost *vhost)
{
	read_answers(vhost);
}

/**
 * vhost_notice_resume() - send the notifications owed since the ring stopped
 * @vhost: the back-end
 */
void vhost_notice_resume(struct vhost *vhost)
{
	start(vhost);
}

/**
 * vhost_set_backend() - take the channel for the back-end's messages
 * @vhost: the back-end
 * @fd: a socket, or -1 for none
 */
void vhost_set_backend(struct vhost *vhost, int fd)
{
	close_backend(vhost);
	if (fd < 0)
		return;
	vhost->look = (struct loop_timer){0, look_due, vhost};
	vhost->backend = (struct watch){fd, POLLIN, backend_ready, vhost};
	loop_add(&vhost->backend);
	start(vhost);
}

/**
 * vhost_config_changed() - tell the driver that the configuration changed
 * @vhost: the back-end
 * @times: the number of notifications, 1 except for a fault
 *
 * Holds notifications back until the driver runs the ring; never waits. Notifications
 * that are still unsent are merged into one.
 */
void vhost_config_changed(struct vhost *vhost, u32 times)
{
	vhost->config_changes = max(vhost->config_changes, times);
	start(vhost);
}
