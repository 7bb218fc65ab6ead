/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio console device with named ports: the device and its control queue. A port with the
 * name of a service gets a thread; other ports stay closed.
 *
 *   host                                  ebb
 *    |<----------- DEVICE_READY ----------|
 *    |--- PORT_ADD id ------------------->|
 *    |<----------- PORT_READY id ---------|
 *    |--- PORT_NAME id, PORT_OPEN id ---->|
 *    |<----------- PORT_OPEN id ----------|  if a service has that name
 *
 * Spec: virtio 1.2, section 5.3. Compare with: Linux drivers/char/virtio_console.c.
 */
#define pr_fmt(fmt) "virtio_console: " fmt
#include "drivers/virtio/console/virtio_console.h"
#include "kernel/patience.h"
#include "kernel/printk.h"
#include "kernel/timer.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/string.h"

/* Queues, spec 5.3.2: port 0, then control, then the other ports. */
enum { QUEUE_CTL_RX = 2, QUEUE_CTL_TX = 3 };

static u32 rx_queue(u32 port)
{
	return port == 0 ? 0 : 2 * (port + 1);
}

/* --- control messages out -------------------------------------------------- */

static void collect_control(struct virtio_console *con)
{
	struct vcon_control *msg;

	while ((msg = virtqueue_get(con->ctl_tx, NULL)))
		con->ctl_out_free |= 1U << (msg - con->ctl_out);
}

static void send_control(struct virtio_console *con, u32 id, enum vcon_event event)
{
	struct virtio_buf buf;
	struct vcon_control *msg;

	collect_control(con);
	if (!con->ctl_out_free) {
		virtio_broken(con->vdev, "takes no control messages");
		return;
	}
	msg = &con->ctl_out[__ffs(con->ctl_out_free)];
	*msg = (struct vcon_control){ .id = id, .event = (u16)event, .value = 1 };
	buf = (struct virtio_buf){ msg, sizeof(*msg) };
	if (virtqueue_add(con->ctl_tx, &buf, 1, 0, msg))
		return;
	con->ctl_out_free &= ~(1U << (msg - con->ctl_out));
	virtqueue_kick(con->ctl_tx);
}

/* --- control messages in --------------------------------------------------- */

static const struct vport_service *find_service(const char *name)
{
	const struct vport_service *s;

	for (s = __start_vport_services; s < __stop_vport_services; s++) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

static void port_named(struct vport *port, const char *name)
{
	int ret;

	if (port->service)
		return;
	strscpy(port->name, name, sizeof(port->name));
	port->service = find_service(port->name);
	if (!port->service) {
		pr_info_ratelimited(&port->con->vdev->log, "port %u is \"%s\": no service",
				    port->id, port->name);
		return;
	}
	ret = vport_start(port);
	if (ret) {
		pr_err_ratelimited(&port->con->vdev->log, "port %s cannot be served (error %d)",
				   port->name, ret);
		return;
	}
	send_control(port->con, port->id, VCON_PORT_OPEN);
}

static void port_changed(struct vport *port, u16 event, u16 value, const char *name)
{
	switch (event) {
	case VCON_PORT_ADD:
		port->added = true;
		send_control(port->con, port->id, VCON_PORT_READY);
		break;
	case VCON_PORT_REMOVE:
		WRITE_ONCE(port->gone, 1);
		wake_up_all(&port->wait);
		break;
	case VCON_PORT_OPEN:
		vport_host_open(port, value != 0);
		break;
	case VCON_PORT_NAME:
		port_named(port, name);
		break;
	default:
		break; /* ignore the console size and the like */
	}
}

/*
 * Handle a message of @len bytes. The device can change it at any time, so copy and check it.
 */
static void control_message(struct virtio_console *con, const char *text, u32 len)
{
	struct vcon_control msg;
	char name[VCON_CTL_BYTES - sizeof(msg) + 1];

	if (len < sizeof(msg)) {
		virtio_broken(con->vdev, "sent a control message of %u bytes", len);
		return;
	}
	memcpy(&msg, text, sizeof(msg));
	memcpy(name, text + sizeof(msg), len - sizeof(msg));
	name[len - sizeof(msg)] = '\0';
	if (msg.id >= VCON_PORTS || !con->port[msg.id].rx) {
		if (msg.event == VCON_PORT_ADD)
			pr_warn_ratelimited(&con->vdev->log,
					    "port %u is not used: only ports below %u are",
					    msg.id, VCON_PORTS);
		return;
	}
	port_changed(&con->port[msg.id], msg.event, msg.value, name);
}

static int offer_control(struct virtio_console *con, char *slot)
{
	const struct virtio_buf buf = { slot, VCON_CTL_BYTES };

	return virtqueue_add(con->ctl_rx, &buf, 0, 1, slot);
}

static void control_messages(struct virtio_console *con) __must_hold(&con->ctl_lock)
{
	char *slot;
	u32 len;

	while (!con->leaves && (slot = virtqueue_get(con->ctl_rx, &len))) {
		control_message(con, slot, len);
		if (offer_control(con, slot))
			return;
	}
	virtqueue_kick(con->ctl_rx);
}

void vcon_hear(struct virtio_console *con)
{
	mutex_lock(&con->ctl_lock);
	control_messages(con);
	mutex_unlock(&con->ctl_lock);
}

static void control_work(struct work *work)
{
	struct virtio_console *con = container_of(work, struct virtio_console, work);

	mutex_lock(&con->ctl_lock);
	do {
		control_messages(con);
	} while (!con->leaves && !virtqueue_enable_cb(con->ctl_rx) &&
		 !virtio_is_broken(con->vdev));
	mutex_unlock(&con->ctl_lock);
}

/* Check that there are ports, and that the host has named all of them. */
static bool all_named(struct virtio_console *con)
{
	unsigned int nr = 0, unnamed = 0;

	mutex_lock(&con->ctl_lock);
	for (u32 id = 0; id < VCON_PORTS; id++) {
		nr += con->port[id].added;
		unnamed += con->port[id].added && !con->port[id].name[0];
	}
	mutex_unlock(&con->ctl_lock);
	return nr != 0 && unnamed == 0;
}

/*
 * Wait for the ports that the host names at once, so that they are served before the boot
 * continues; ports that come later are served then. The control queue does not interrupt yet.
 */
static void first_messages(struct virtio_console *con)
{
	struct patience patience;

	patience_start(&patience, VCON_NAMES_NS);
	while (!all_named(con) && patience_lasts(&patience) && !virtio_is_broken(con->vdev)) {
		if (!virtqueue_pending(con->ctl_rx))
			msleep(1);
		vcon_hear(con);
	}
}

static void control_interrupt(struct virtqueue *vq)
{
	struct virtio_console *con = vq->vdev->priv;

	schedule_work(&con->work);
}

/* --- life ------------------------------------------------------------------ */

static int make_control_queues(struct virtio_console *con)
{
	const struct virtqueue_params rx = { "control-in", control_interrupt, VCON_CTL_SLOTS };
	const struct virtqueue_params tx = { "control-out", NULL, VCON_CTL_SLOTS };
	int ret = virtqueue_create(con->vdev, QUEUE_CTL_RX, &rx);

	if (!ret)
		ret = virtqueue_create(con->vdev, QUEUE_CTL_TX, &tx);
	con->ctl_rx = con->vdev->vqs[QUEUE_CTL_RX];
	con->ctl_tx = con->vdev->vqs[QUEUE_CTL_TX];
	return ret;
}

static int make_port_queues(struct virtio_console *con, u32 id)
{
	const struct virtqueue_params rx = { "port-in", vport_interrupt, VPORT_RX_SLOTS };
	const struct virtqueue_params tx = { "port-out", vport_interrupt, VPORT_TX_SLOTS };
	struct vport *port = &con->port[id];
	const u32 index = rx_queue(id);
	int ret = virtqueue_create(con->vdev, index, &rx);

	if (!ret)
		ret = virtqueue_create(con->vdev, index + 1, &tx);
	if (ret)
		return ret;
	port->rx = con->vdev->vqs[index];
	port->tx = con->vdev->vqs[index + 1];
	port->rx->priv = port;
	port->tx->priv = port;
	return 0;
}

static int make_queues(struct virtio_console *con)
{
	static const struct virtio_config_field fields[] = { { 4, 4 }, { 0, 0 } };
	struct {
		u16 cols, rows;
		u32 max_nr_ports;
	} config = {};
	int ret = virtio_read_config(con->vdev, fields, &config);

	if (!ret)
		ret = make_control_queues(con);
	for (u32 id = 0; id < VCON_PORTS && id < config.max_nr_ports && !ret; id++)
		ret = make_port_queues(con, id);
	return ret;
}

static void init_ports(struct virtio_console *con)
{
	for (u32 id = 0; id < VCON_PORTS; id++) {
		con->port[id].con = con;
		con->port[id].id = id;
		wait_queue_init(&con->port[id].wait, "vport.wait");
	}
}

static struct virtio_console *alloc_console(struct virtio_device *vdev)
{
	struct virtio_console *con = virtio_alloc(vdev, sizeof(*con));

	if (!con)
		return NULL;
	con->vdev = vdev;
	con->ctl_out_free = (1U << VCON_CTL_SLOTS) - 1;
	mutex_init(&con->ctl_lock, "vcon.ctl_lock");
	work_init(&con->work, control_work);
	init_ports(con);
	return con;
}

static int start_console(struct virtio_console *con)
{
	int ret = make_queues(con);

	if (ret)
		return ret;
	for (u32 i = 0; i < con->ctl_rx->size && i < VCON_CTL_SLOTS; i++) {
		ret = offer_control(con, con->ctl_in[i]);
		if (ret)
			return ret;
	}
	ret = virtio_device_ready(con->vdev);
	if (ret)
		return ret;
	mutex_lock(&con->ctl_lock);
	virtqueue_kick(con->ctl_rx);
	send_control(con, 0, VCON_DEVICE_READY);
	mutex_unlock(&con->ctl_lock);
	first_messages(con);
	/* The work enables interrupts, and handles messages that came before. */
	schedule_work(&con->work);
	return 0;
}

/*
 * The device to reset; NULL: none. If a second device needs a reset meanwhile, its ports ask
 * again at their next close.
 */
static struct virtio_device *lost;

static int vcon_remove(struct virtio_device *vdev)
{
	struct virtio_console *con = vdev->priv;
	struct virtio_device *leaving = vdev;
	int ret = 0;

	/* A device that leaves must not be reset: take it from the work. */
	(void)__atomic_compare_exchange_n(&lost, &leaving, NULL, false, __ATOMIC_ACQ_REL,
					  __ATOMIC_RELAXED);
	/* From here on the driver answers no message and starts no port's thread. */
	mutex_lock(&con->ctl_lock);
	con->leaves = true;
	mutex_unlock(&con->ctl_lock);
	for (u32 id = 0; id < VCON_PORTS && !ret; id++)
		ret = vport_end(&con->port[id]);
	if (!ret)
		ret = virtio_device_stop(vdev);
	if (ret)
		return ret;
	cancel_work_sync(&con->work);
	for (u32 id = 0; id < VCON_PORTS; id++)
		vport_release(&con->port[id]);
	vdev->priv = NULL;
	virtio_free(vdev, con, sizeof(*con));
	return 0;
}

static int vcon_probe(struct virtio_device *vdev)
{
	struct virtio_console *con;
	int ret;

	if (!virtio_has_feature(vdev, VIRTIO_CONSOLE_F_MULTIPORT)) {
		pr_info("%s: no named ports, nothing to serve", vdev->where);
		return -ENODEV;
	}
	con = alloc_console(vdev);
	if (!con)
		return -ENOMEM;
	vdev->priv = con;
	ret = start_console(con);
	if (ret && !vcon_remove(vdev))
		pr_err("%s: cannot be started (error %d)", vdev->where, ret);
	return ret;
}

static void reattach_work(struct work *)
{
	virtio_reattach(&lost);
}

void vcon_reattach(struct virtio_console *con)
{
	static struct work work = { .fn = reattach_work };
	struct virtio_device *none = NULL;

	if (!__atomic_compare_exchange_n(&lost, &none, con->vdev, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return;
	pr_warn_ratelimited(&con->vdev->log,
			    "the host lost data that ebb has sent: restarting its ports");
	schedule_work(&work);
}

VIRTIO_DRIVER(virtio_console_driver) = {
	.name = "virtio_console",
	.id = VIRTIO_ID_CONSOLE,
	.features = VIRTIO_CONSOLE_F_MULTIPORT,
	.probe = vcon_probe,
	.remove = vcon_remove,
};
