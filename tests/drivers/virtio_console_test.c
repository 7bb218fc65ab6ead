/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Named ports with a model of a console device: bytes in both directions, flow control,
 * connections that come and go, and control messages that make no sense.
 */
#include "drivers/virtio/console/virtio_console.h"
#include "kernel/ktest.h"
#include "kernel/panic.h"
#include "kernel/spinlock.h"
#include "kernel/timer.h"
#include "kernel/workqueue.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/fake/fake_virtio.h"
#include "tests/kernel/test_threads.h"
#include "tests/mm/hotplug_window.h"

#define PORT	   1
#define RX	   4 /* queues of port 1 */
#define TX	   5
#define CTL_RX	   2
#define CTL_TX	   3
#define TEXT_BYTES 20000

/* A device with one port, the text that it has received there, and its pace of reading. */
struct rig {
	struct fake_virtio fv;
	struct window *w;
	spinlock_t tx_lock; /* one reader at a time: the test's thread, or the port's
			     * thread in its kick */
	spinlock_t ctl_lock; /* one writer at a time: the test's thread, or the driver's
			      * thread in a kick */
	bool stalled;	    /* the host does not read */
	bool loses;	    /* the host does not return the buffers that it reads */
	u32 nr_lost;
	bool port_ready, port_open;
	char text[TEXT_BYTES];
	u32 len;
};

/* --- the service: an echo ------------------------------------------------------ */

static u32 service_closed; /* disconnections that the service has seen */

#define LONG_LINES 150
#define LONG_LINE  97

/* Write more bytes than all send buffers hold. */
static void long_answer(struct vport *port)
{
	char line[LONG_LINE];

	memset(line, 'l', sizeof(line));
	line[LONG_LINE - 1] = '\n';
	for (unsigned int i = 0; i < LONG_LINES; i++) {
		if (vport_write(port, line, sizeof(line)))
			return;
	}
}

static void echo_run(struct vport *port)
{
	char buf[100];
	int n;

	while ((n = vport_read(port, buf, sizeof(buf))) != -ENODEV) {
		if (n == -EPIPE)
			WRITE_ONCE(service_closed, service_closed + 1);
		else if (buf[0] == '*')
			long_answer(port);
		else
			(void)vport_write(port, buf, (u32)n);
	}
}

VPORT_SERVICE(echo_service) = { .name = "org.ebb.echo", .run = echo_run };

/* --- the device ------------------------------------------------------------------ */

/* Send bytes on one of the device's queues, in as many buffers as they need. */
static u32 send_bytes(struct rig *rig, u32 queue, const char *text, u32 len)
{
	struct fake_chain chain;
	u32 sent = 0;

	while (sent < len && fake_pop(&rig->fv, queue, &chain)) {
		const u32 n = min(len - sent, chain.in[0].len);

		memcpy(chain.in[0].addr, text + sent, n);
		fake_push(&rig->fv, queue, chain.head, n);
		sent += n;
	}
	return sent;
}

static void send_control(struct rig *rig, u32 id, u16 event, u16 value, const char *name)
{
	char text[VCON_CTL_BYTES] = {};
	const struct vcon_control msg = { .id = id, .event = event, .value = value };

	memcpy(text, &msg, sizeof(msg));
	memcpy(text + sizeof(msg), name, strlen(name));
	spin_lock(&rig->ctl_lock);
	send_bytes(rig, CTL_RX, text, (u32)(sizeof(msg) + strlen(name)));
	spin_unlock(&rig->ctl_lock);
}

static void got_control(struct rig *rig, const struct vcon_control *msg)
{
	switch (msg->event) {
	case VCON_DEVICE_READY:
		send_control(rig, PORT, VCON_PORT_ADD, 1, "");
		break;
	case VCON_PORT_READY:
		send_control(rig, PORT, VCON_PORT_OPEN, 1, "");
		STORE_RELEASE(rig->port_ready, true);
		break;
	case VCON_PORT_OPEN:
		STORE_RELEASE(rig->port_open, true);
		break;
	default:
		rig->fv.violations++;
		break;
	}
}

/* Read a flag. A reader that sees it set also sees all that the setting thread did before. */
static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

/* Return the length of the text that the guest has sent; the guest's thread adds to it. */
static u32 got(const struct rig *rig)
{
	return __atomic_load_n(&rig->len, __ATOMIC_ACQUIRE);
}

/* Take the text that the guest has sent, unless the host is stalled. */
static void drain_tx(struct rig *rig)
{
	struct fake_chain chain;

	spin_lock(&rig->tx_lock);
	while (!READ_ONCE(rig->stalled) && fake_pop(&rig->fv, TX, &chain)) {
		const u32 len = got(rig);
		const u32 n = min(chain.out[0].len, (u32)sizeof(rig->text) - len);

		memcpy(rig->text + len, chain.out[0].addr, n);
		STORE_RELEASE(rig->len, len + n);
		if (READ_ONCE(rig->loses))
			WRITE_ONCE(rig->nr_lost, rig->nr_lost + 1);
		else
			fake_push(&rig->fv, TX, chain.head, 0);
	}
	spin_unlock(&rig->tx_lock);
}

static void handle(struct fake_virtio *fv, u32 index)
{
	struct rig *rig = container_of(fv, struct rig, fv);
	struct fake_chain chain;

	if (index == TX)
		drain_tx(rig);
	while (index == CTL_TX && fake_pop(fv, CTL_TX, &chain)) {
		struct vcon_control msg;

		memcpy(&msg, chain.out[0].addr, sizeof(msg));
		fake_push(fv, CTL_TX, chain.head, 0);
		got_control(rig, &msg);
	}
}

/* --- set-up ---------------------------------------------------------------------- */

static void rig_close(void *ctx)
{
	struct rig *rig = ctx;

	BUG_ON(virtio_unregister_device(&rig->fv.vdev) != 0);
}

/* Give the driver's threads time to do something wrong. */
static void settle(void)
{
	msleep(10);
}

/* Wait up to STEP_NS: threads can be slow on a loaded host with many harts. */
#define expect_soon(test, cond)                                                          \
	do {                                                                             \
		const u64 _end = ktime_ns() + STEP_NS;                                   \
		while (!(cond) && ktime_ns() < _end)                                     \
			msleep(1);                                                       \
		KTEST_EXPECT_TRUE(test, cond);                                           \
	} while (0)

static struct rig *rig_open(struct ktest *test, const char *name)
{
	const bool is_served = str_has_prefix(name, "org.ebb.");
	struct window *w = window_open(test, 16UL << 20);
	struct rig *rig = ktest_alloc(test, sizeof(*rig));

	WRITE_ONCE(service_closed, 0);
	rig->w = w;
	spin_lock_init(&rig->tx_lock, "tx_lock");
	spin_lock_init(&rig->ctl_lock, "test_ctl_lock");
	fake_virtio_init(&rig->fv, VIRTIO_ID_CONSOLE, w->mm);
	rig->fv.offered |= VIRTIO_CONSOLE_F_MULTIPORT;
	rig->fv.config_size = 12;
	rig->fv.config[4] = 2; /* max_nr_ports */
	for (u32 q = 0; q < 6; q++)
		rig->fv.queue[q].max = 32;
	rig->fv.handle = handle;
	KTEST_ASSERT_EQ(test, virtio_register_device(&rig->fv.vdev), 0);
	ktest_add_action(test, rig_close, rig);
	expect_soon(test, is_set(&rig->port_ready));
	send_control(rig, PORT, VCON_PORT_NAME, 1, name);
	if (is_served)
		expect_soon(test, is_set(&rig->port_open));
	return rig;
}

static void forget_text(struct rig *rig)
{
	spin_lock(&rig->tx_lock);
	memset(rig->text, 0, rig->len);
	STORE_RELEASE(rig->len, 0);
	spin_unlock(&rig->tx_lock);
}

/* Has the guest sent this text? Its thread may be about to add more. */
static bool has_text(struct rig *rig, const char *want)
{
	bool found;

	spin_lock(&rig->tx_lock);
	found = strstr(rig->text, want) != NULL;
	spin_unlock(&rig->tx_lock);
	return found;
}

static void expect_text(struct ktest *test, struct rig *rig, const char *want)
{
	expect_soon(test, got(rig) >= strlen(want));
	spin_lock(&rig->tx_lock);
	rig->text[min(rig->len, TEXT_BYTES - 1U)] = '\0';
	spin_unlock(&rig->tx_lock);
	KTEST_EXPECT_STREQ(test, rig->text, want);
	forget_text(rig);
}

/* --- cases ------------------------------------------------------------------------ */

static void echo(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.echo");

	KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "hello", 5), 5);
	expect_text(test, rig, "hello");
	KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "again", 5), 5);
	expect_text(test, rig, "again");
	KTEST_EXPECT_EQ(test, rig->fv.violations, 0);
}

/* No service has the name: the port stays closed, and nothing is sent to it. */
static void unknown_name(struct ktest *test)
{
	struct rig *rig = rig_open(test, "com.example.other");

	settle();
	KTEST_EXPECT_FALSE(test, is_set(&rig->port_open));
	KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "hello", 5), 0);
}

/* A host that begins to read late gets the whole answer, in order. */
static void slow_host(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.echo");

	WRITE_ONCE(rig->stalled, true);
	KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "*", 1), 1);
	settle();
	KTEST_EXPECT_EQ(test, got(rig), 0);
	WRITE_ONCE(rig->stalled, false);
	drain_tx(rig);
	expect_soon(test, got(rig) == LONG_LINES * LONG_LINE);
	for (u32 i = 1; i <= LONG_LINES; i++)
		KTEST_ASSERT_EQ(test, rig->text[i * LONG_LINE - 1], '\n');
}

/* The host disconnects amid an answer: the port drops the rest of it, and the host's input. */
static void host_leaves(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.echo");

	WRITE_ONCE(rig->stalled, true);
	KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "*", 1), 1);
	settle();
	KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "old", 3), 3);
	send_control(rig, PORT, VCON_PORT_OPEN, 0, "");
	expect_soon(test, READ_ONCE(service_closed) == 1);
	WRITE_ONCE(rig->stalled, false);
	drain_tx(rig);
	forget_text(rig);
	send_control(rig, PORT, VCON_PORT_OPEN, 1, "");
	settle();
	KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "new", 3), 3);
	expect_text(test, rig, "new");
	KTEST_EXPECT_EQ(test, READ_ONCE(service_closed), 1);
}

/*
 * Clients follow one another without a pause: each gets its answer, although the guest
 * learns of a new client only after that client has written.
 */
static void host_returns_at_once(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.echo");

	for (u32 i = 0; i < 10; i++) {
		KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "ask", 3), 3);
		settle();
		expect_text(test, rig, "ask");
		send_control(rig, PORT, VCON_PORT_OPEN, 0, "");
		send_control(rig, PORT, VCON_PORT_OPEN, 1, "");
	}
	settle();
	KTEST_EXPECT_EQ(test, READ_ONCE(service_closed), 10);
}

/* The port is unplugged: its service ends, and the device can still be removed. */
static void port_removed(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.echo");

	send_control(rig, PORT, VCON_PORT_REMOVE, 1, "");
	settle();
	KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "x", 1), 1);
	settle();
	KTEST_EXPECT_EQ(test, got(rig), 0);
}

/*
 * Each client that leaves costs a send buffer, as with QEMU; when the last buffer is lost,
 * the driver resets the device.
 */
static void host_loses_buffers(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.echo");

	WRITE_ONCE(rig->loses, true);
	STORE_RELEASE(rig->port_ready, false);
	STORE_RELEASE(rig->port_open, false);
	for (u32 i = 1; i <= VPORT_TX_SLOTS; i++) {
		KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "ask", 3), 3);
		expect_soon(test, READ_ONCE(rig->nr_lost) == i);
		send_control(rig, PORT, VCON_PORT_OPEN, 0, "");
		expect_soon(test, READ_ONCE(service_closed) == i);
		send_control(rig, PORT, VCON_PORT_OPEN, 1, "");
	}
	expect_soon(test, is_set(&rig->port_ready));
	WRITE_ONCE(rig->loses, false);
	forget_text(rig);
	send_control(rig, PORT, VCON_PORT_NAME, 1, "org.ebb.echo");
	expect_soon(test, is_set(&rig->port_open));
	KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "hello", 5), 5);
	expect_text(test, rig, "hello");
	KTEST_EXPECT_EQ(test, rig->fv.violations, 0);
}

/* While set, keep_worker() keeps the workqueue's thread busy, so that later work waits. */
static bool keeps;

static void keep_worker(struct work *)
{
	while (READ_ONCE(keeps))
		msleep(1);
}

static bool all_done;

static void say_done(struct work *)
{
	STORE_RELEASE(all_done, true);
}

/* A device that is removed just before its reset does not start again. */
static void leaves_before_it_begins_anew(struct ktest *test)
{
	static struct work keeper = { .fn = keep_worker }, last = { .fn = say_done };
	struct rig *rig = rig_open(test, "org.ebb.echo");

	STORE_RELEASE(rig->port_ready, false);
	STORE_RELEASE(all_done, false);
	WRITE_ONCE(keeps, true);
	schedule_work(&keeper);
	vcon_reattach(rig->fv.vdev.priv);
	schedule_work(&last);
	rig_close(rig);
	WRITE_ONCE(keeps, false);
	expect_soon(test, is_set(&all_done));
	KTEST_EXPECT_FALSE(test, is_set(&rig->port_ready));
	KTEST_EXPECT_EQ(test, virtio_register_device(&rig->fv.vdev), 0);
	expect_soon(test, is_set(&rig->port_ready));
}

/*
 * A device that is removed while it starts again does not come back, and its frames are
 * freed.
 */
static void leaves_while_it_begins_anew(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.echo");

	STORE_RELEASE(rig->port_ready, false);
	vcon_reattach(rig->fv.vdev.priv);
	expect_soon(test, is_set(&rig->port_ready));
	rig_close(rig);
	KTEST_EXPECT_NULL(test, rig->fv.vdev.priv);
	KTEST_EXPECT_EQ(test, window_free(test, rig->w, ZONE_NORMAL), 0);
	KTEST_EXPECT_EQ(test, virtio_register_device(&rig->fv.vdev), 0);
	rig->fv.offered = 0;
	vcon_reattach(rig->fv.vdev.priv);
	expect_soon(test, window_free(test, rig->w, ZONE_NORMAL) == 0);
	KTEST_EXPECT_EQ(test, rig->fv.violations, 0);
}

static void take_all(struct fake_virtio *fv)
{
	mm_exhaust(fv->vdev.mm);
}

/* A device that starts again allocates nothing: the test has taken all memory. */
static void begins_anew_without_memory(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.echo");

	rig->fv.tick = take_all;
	for (int round = 0; round < 3; round++) {
		STORE_RELEASE(rig->port_ready, false);
		STORE_RELEASE(rig->port_open, false);
		vcon_reattach(rig->fv.vdev.priv);
		expect_soon(test, is_set(&rig->port_ready));
		send_control(rig, PORT, VCON_PORT_NAME, 1, "org.ebb.echo");
		expect_soon(test, is_set(&rig->port_open));
		KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "hello", 5), 5);
		expect_text(test, rig, "hello");
	}
	KTEST_EXPECT_FALSE(test, virtio_is_broken(&rig->fv.vdev));
}

/* Control messages that make no sense: absent ports, endless names, too few bytes. */
static void odd_messages(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.echo");
	char name[VCON_CTL_BYTES - sizeof(struct vcon_control) + 1];

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	send_control(rig, 0xffffffff, VCON_PORT_ADD, 1, "");
	send_control(rig, 7, VCON_PORT_NAME, 1, name);
	send_control(rig, 0, VCON_PORT_NAME, 1, name);
	send_control(rig, PORT, 999, 1, "");
	send_control(rig, PORT, VCON_PORT_NAME, 1, "org.ebb.echo");
	settle();
	KTEST_EXPECT_FALSE(test, virtio_is_broken(&rig->fv.vdev));
	KTEST_EXPECT_EQ(test, send_bytes(rig, RX, "hello", 5), 5);
	expect_text(test, rig, "hello");
	send_bytes(rig, CTL_RX, "abc", 3);
	expect_soon(test, virtio_is_broken(&rig->fv.vdev));
}

/* The driver gives up a device that lies about lengths, and the port's thread ends. */
static void lying_device(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.echo");
	struct fake_chain chain;

	KTEST_ASSERT_TRUE(test, fake_pop(&rig->fv, RX, &chain));
	fake_push(&rig->fv, RX, chain.head, 100000);
	expect_soon(test, virtio_is_broken(&rig->fv.vdev));
	KTEST_EXPECT_EQ(test, got(rig), 0);
}

/* Without MULTIPORT there are no names, and the driver has nothing to do. */
static void no_ports(struct ktest *test)
{
	struct window *w = window_open(test, 16UL << 20);
	struct fake_virtio *fv = ktest_alloc(test, sizeof(*fv));

	fake_virtio_init(fv, VIRTIO_ID_CONSOLE, w->mm);
	KTEST_EXPECT_EQ(test, virtio_register_device(&fv->vdev), -ENODEV);
	KTEST_EXPECT_TRUE(test, fv->status & VIRTIO_STATUS_FAILED);
	KTEST_EXPECT_EQ(test, virtio_unregister_device(&fv->vdev), 0);
}

/* The console for programs prints a command's answer, then its status. */
static void console(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.console");

	send_bytes(rig, RX, "echo one two\r\n", 14);
	expect_text(test, rig, "one two\n=0\n");
	send_bytes(rig, RX, "\nno_such_command\n", 17);
	expect_text(test, rig, "=0\nno_such_command: no such command; \"help\" lists them\n=-38\n");
}

static void expect_status(struct ktest *test, struct rig *rig, const char *want)
{
	expect_soon(test, has_text(rig, want));
	forget_text(rig);
}

/*
 * Ctrl-C at any place in the input ends the running command early; input that was sent
 * ahead is not lost.
 */
static void console_interrupted(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.console");

	send_bytes(rig, RX, "sleep 600000\n", 13);
	settle();
	send_bytes(rig, RX, "echo a", 6);
	settle();
	KTEST_EXPECT_EQ(test, got(rig), 0);
	send_bytes(rig, RX, "head\n\3echo more\n", 16);
	expect_status(test, rig, "=-4\nahead\n=0\nmore\n=0\n");
	/* Ctrl-C also drops the rest of that line; when no command runs, it does nothing. */
	send_bytes(rig, RX, "sleep 600000; echo never\n\3\3\3ec\3ho x\n", 36);
	expect_status(test, rig, "=-4\nx\n=0\n");
	/* When a host disconnects, its commands end; the port serves the next host soon. */
	send_bytes(rig, RX, "sleep 600000\nsleep 600000\n", 26);
	settle();
	send_control(rig, PORT, VCON_PORT_OPEN, 0, "");
	settle();
	send_control(rig, PORT, VCON_PORT_OPEN, 1, "");
	settle();
	forget_text(rig);
	send_bytes(rig, RX, "echo next\n", 10);
	expect_status(test, rig, "next\n=0\n");
}

/*
 * The host sends more input than the port reads ahead: the host has to wait, and gets all
 * answers, in order.
 */
static void console_sent_ahead(struct ktest *test)
{
	struct rig *rig = rig_open(test, "org.ebb.console");
	char line[LONG_LINE + 1];
	u32 sent = 0;

	memset(line, 'a', sizeof(line));
	memcpy(line, "echo ", 5);
	line[LONG_LINE - 1] = '\n';
	line[LONG_LINE] = '\0';
	send_bytes(rig, RX, "sleep 300\n", 10);
	for (u32 left = 100 * LONG_LINE; left;) {
		const u32 n = min(left, LONG_LINE - sent % LONG_LINE);
		const u32 took = send_bytes(rig, RX, line + sent % LONG_LINE, n);

		sent += took;
		left -= took;
		if (took < n)
			msleep(1);
	}
	expect_soon(test, got(rig) == 3 + 100 * (LONG_LINE - 5 + 3));
	for (u32 i = 0; i < 100; i++)
		KTEST_ASSERT_EQ(test, memcmp(rig->text + 3 + i * (LONG_LINE - 2), line + 5,
					     LONG_LINE - 5), 0);
}

static const struct ktest_case virtio_console_cases[] = {
	KTEST_CASE(echo),
	KTEST_CASE(unknown_name),
	KTEST_CASE(slow_host),
	KTEST_CASE(host_leaves),
	KTEST_CASE(host_returns_at_once),
	KTEST_CASE(port_removed),
	KTEST_CASE(host_loses_buffers),
	KTEST_CASE(leaves_before_it_begins_anew),
	KTEST_CASE(leaves_while_it_begins_anew),
	KTEST_CASE(begins_anew_without_memory),
	KTEST_CASE(odd_messages),
	KTEST_CASE(lying_device),
	KTEST_CASE(no_ports),
	KTEST_CASE(console),
	KTEST_CASE(console_interrupted),
	KTEST_CASE(console_sent_ahead),
	{},
};

static struct ktest_suite virtio_console_suite = {
	.name = "virtio_console",
	.cases = virtio_console_cases,
};
KTEST_SUITE(virtio_console_suite);
