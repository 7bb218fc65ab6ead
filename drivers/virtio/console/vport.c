/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes of one virtio console port, both ways, with flow control: the guest waits for a slow
 * host, and a slow guest leaves the host without receive buffers.
 *
 * A port has one user: the thread of its service.
 */
#define pr_fmt(fmt) "virtio_console: " fmt
#include "drivers/virtio/console/virtio_console.h"
#include "kernel/patience.h"
#include "kernel/printk.h"
#include "kernel/timer.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/string.h"

static char *rx_slot(const struct vport *port, u32 n)
{
	return port->buffers + n * VPORT_RX_BYTES;
}

static char *tx_slot(const struct vport *port, u32 n)
{
	return rx_slot(port, VPORT_RX_SLOTS) + n * VPORT_TX_BYTES;
}

void vport_interrupt(struct virtqueue *vq)
{
	struct vport *port = vq->priv;

	wake_up_all(&port->wait);
}

static bool is_gone(const struct vport *port)
{
	return READ_ONCE(port->gone) || virtio_is_broken(port->con->vdev);
}

/* Check whether the host has disconnected and the service has not been told yet. */
static bool was_closed(const struct vport *port)
{
	/* Pairs with the release in vport_host_open(): closed_at is valid. */
	return __atomic_load_n(&port->closed, __ATOMIC_ACQUIRE) != port->closed_seen;
}

/*
 * Note that the host has opened or closed the port. When the host closes, drop the bytes
 * in the receive queue, except those of a new connection. A new connection opens before
 * it sends, so if no control message follows this message, all bytes belong to the old
 * connection; otherwise only the bytes that the service has seen do.
 */
void vport_host_open(struct vport *port, bool open)
{
	if (!open && READ_ONCE(port->host_open)) {
		/* Read this before the control queue, which the host writes first. */
		const u16 used = __atomic_load_n(&port->rx->used->idx, __ATOMIC_ACQUIRE);
		const bool alone = !virtqueue_pending(port->con->ctl_rx);

		WRITE_ONCE(port->closed_at, alone ? used : READ_ONCE(port->seen));
		__atomic_store_n(&port->closed, port->closed + 1, __ATOMIC_RELEASE);
	}
	WRITE_ONCE(port->host_open, open);
	wake_up_all(&port->wait);
}

/* --- receiving ------------------------------------------------------------ */

static int offer_rx(struct vport *port, char *slot)
{
	const struct virtio_buf buf = { slot, VPORT_RX_BYTES };
	const int ret = virtqueue_add(port->rx, &buf, 0, 1, slot);

	virtqueue_kick(port->rx);
	return ret;
}

/* Return the start of the slot that @at lies in. */
static char *slot_of(const struct vport *port, char *at)
{
	return rx_slot(port, (u32)(at - rx_slot(port, 0)) / VPORT_RX_BYTES);
}

/* Take a receive buffer, if the host has filled one. */
static bool next_rx(struct vport *port)
{
	u32 len;
	char *slot = virtqueue_get(port->rx, &len);

	if (!slot)
		return false;
	if (!len) {
		(void)offer_rx(port, slot);
		return false;
	}
	port->rx_at = slot;
	port->rx_left = len;
	return true;
}

/*
 * Like next_rx(), but first handle the control messages that the host sent before it filled
 * the buffer, so that bytes of a new connection are never taken for bytes of the old one.
 */
static bool fresh_rx(struct vport *port)
{
	const u16 used = __atomic_load_n(&port->rx->used->idx, __ATOMIC_ACQUIRE);

	if (!virtqueue_pending(port->rx))
		return false;
	vcon_hear(port->con);
	WRITE_ONCE(port->seen, used);
	return !was_closed(port) && next_rx(port);
}

static u32 take_rx(struct vport *port, char *buf, u32 size)
{
	const u32 n = min(size, port->rx_left);
	char *slot = slot_of(port, port->rx_at);

	memcpy(buf, port->rx_at, n);
	port->rx_at += n;
	port->rx_left -= n;
	if (port->rx_left == 0 && offer_rx(port, slot))
		virtio_broken(port->con->vdev, "port %s: no room for a receive buffer", port->name);
	return n;
}

/* Discard bytes that a closed connection has sent. */
static void discard_rx(struct vport *port)
{
	port->tx_doubted = true;
	port->closed_seen = __atomic_load_n(&port->closed, __ATOMIC_ACQUIRE);
	if (port->rx_left && offer_rx(port, slot_of(port, port->rx_at)))
		return;
	port->rx_left = 0;
	while ((s16)(READ_ONCE(port->closed_at) - port->rx->last_used) > 0) {
		char *slot = virtqueue_get(port->rx, NULL);

		if (!slot || offer_rx(port, slot))
			return;
	}
}

int vport_try_read(struct vport *port, char *buf, u32 size)
{
	if (is_gone(port))
		return -ENODEV;
	if (was_closed(port))
		return -EPIPE;
	return port->rx_left || fresh_rx(port) ? (int)take_rx(port, buf, size) : 0;
}

static void collect_tx(struct vport *port)
{
	char *slot;

	while ((slot = virtqueue_get(port->tx, NULL)))
		port->tx_free |= 1U << ((slot - tx_slot(port, 0)) / VPORT_TX_BYTES);
}

/*
 * Ask for a reset of the device if the host returns no send buffer after a close. When a
 * client leaves, QEMU (11.1) forgets the send buffer that it is working on, and only a reset
 * brings the buffer back. Without a send buffer the port cannot answer.
 */
static void look_for_lost_tx(struct vport *port)
{
	struct patience patience;

	port->tx_doubted = false;
	patience_start(&patience, VPORT_LOST_NS);
	do {
		collect_tx(port);
		if (port->tx_free || is_gone(port))
			return;
	} while (!virtqueue_enable_cb(port->tx) ||
		 wait_event_patience(&port->wait, is_gone(port) || virtqueue_pending(port->tx),
				     &patience));
	vcon_reattach(port->con);
}

int vport_read(struct vport *port, char *buf, u32 size)
{
	if (!port->listening) {
		WRITE_ONCE(port->listening, 1);
		wake_up_all(&port->wait);
	}
	if (port->tx_doubted)
		look_for_lost_tx(port);
	for (;;) {
		const int n = vport_try_read(port, buf, size);

		if (n == -EPIPE)
			discard_rx(port);
		if (n)
			return n;
		if (!virtqueue_enable_cb(port->rx))
			continue;
		wait_event_until(&port->wait,
				 is_gone(port) || virtqueue_pending(port->rx) || was_closed(port),
				 WAIT_FOREVER);
	}
}

/* --- sending -------------------------------------------------------------- */

static bool can_go_on(struct vport *port)
{
	return is_gone(port) || was_closed(port) || virtqueue_pending(port->tx);
}

/*
 * Wait until the host listens. A service writes only after it has read something, so the host
 * has opened the port; but PORT_OPEN and data travel on different queues, and the driver may
 * not have read PORT_OPEN yet.
 */
static bool host_listens(struct vport *port, struct patience *patience)
{
	wait_event_patience(&port->wait,
			    is_gone(port) || was_closed(port) || READ_ONCE(port->host_open),
			    patience);
	return !was_closed(port) && READ_ONCE(port->host_open);
}

/* Wait until a send buffer is free. */
static int await_tx(struct vport *port)
{
	struct patience patience;

	patience_start(&patience, VPORT_STALL_NS);
	for (;;) {
		if (is_gone(port))
			return -ENODEV;
		if (!host_listens(port, &patience))
			return -EPIPE;
		collect_tx(port);
		if (port->tx_free)
			return 0;
		if (virtqueue_enable_cb(port->tx) &&
		    !wait_event_patience(&port->wait, can_go_on(port), &patience)) {
			pr_warn_ratelimited(&port->con->vdev->log,
					    "port %s: the host reads nothing, an answer is cut",
					    port->name);
			return -EPIPE;
		}
		virtqueue_disable_cb(port->tx);
	}
}

int vport_write(struct vport *port, const char *text, u32 len)
{
	while (len) {
		const int ret = await_tx(port);
		const u32 n = min(len, (u32)VPORT_TX_BYTES);
		struct virtio_buf buf;
		u32 slot;

		if (ret)
			return ret;
		slot = __ffs(port->tx_free);
		buf = (struct virtio_buf){ tx_slot(port, slot), n };
		memcpy(buf.addr, text, n);
		if (virtqueue_add(port->tx, &buf, 1, 0, buf.addr))
			return -ENODEV;
		port->tx_free &= ~(1U << slot);
		virtqueue_kick(port->tx);
		text += n;
		len -= n;
	}
	return 0;
}

/* --- life ----------------------------------------------------------------- */

static int vport_thread(void *arg)
{
	struct vport *port = arg;

	port->service->run(port);
	return 0;
}

void *vport_alloc(struct vport *port, size_t bytes)
{
	return virtio_alloc(port->con->vdev, bytes);
}

void vport_free(struct vport *port, void *buffer, size_t bytes)
{
	virtio_free(port->con->vdev, buffer, bytes);
}

int vport_start(struct vport *port)
{
	struct patience patience;

	port->buffers = vport_alloc(port, VPORT_BYTES);
	if (!port->buffers)
		return -ENOMEM;
	port->tx_free = (1U << VPORT_TX_SLOTS) - 1;
	for (u32 n = 0; n < VPORT_RX_SLOTS; n++) {
		if (offer_rx(port, rx_slot(port, n)))
			return -EIO;
	}
	port->thread = thread_create(port->name, vport_thread, port);
	if (!port->thread)
		return -ENOMEM;
	patience_start(&patience, VPORT_START_NS);
	if (!wait_event_patience(&port->wait, READ_ONCE(port->listening), &patience))
		return -ETIMEDOUT;
	return 0;
}

int vport_end(struct vport *port)
{
	WRITE_ONCE(port->gone, 1);
	wake_up_all(&port->wait);
	if (!port->thread)
		return 0;
	if (thread_join(port->thread, ktime_ns() + VPORT_STALL_NS, NULL)) {
		pr_err("port %s: its thread does not end", port->name);
		return -ETIMEDOUT;
	}
	port->thread = NULL;
	return 0;
}

void vport_release(struct vport *port)
{
	vport_free(port, port->buffers, VPORT_BYTES);
	port->buffers = NULL;
}
