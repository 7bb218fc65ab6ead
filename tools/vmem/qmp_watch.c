/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client of QEMU's own QMP that waits for the machine's resets. vhost-user shows a
 * machine reset and a driver's reset of the device in the same way, but only a machine
 * reset may unplug memory.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "json.h"
#include "log.h"
#include "sock.h"
#include "vmem.h"

/*
 * QEMU may connect to the device before it listens for QMP: the retry interval, and their
 * number.
 */
#define RETRY_NS    100000000UL
#define MAX_RETRIES 300

static struct {
	struct vmem *vmem;
	struct watch watch;
	struct loop_timer retry;
	int tries;
	struct buf in;
	const char *state;
} qmp = {.watch.fd = -1, .state = "not asked for"};

static void try_connect(struct loop_timer *timer);

static void disconnect(const char *state)
{
	loop_del(&qmp.watch);
	if (qmp.watch.fd >= 0)
		close(qmp.watch.fd);
	qmp.watch.fd = -1;
	qmp.state = state;
	buf_free(&qmp.in);
}

/*
 * Try to connect again later. QEMU serves one client at a time on a QMP socket, so it may be
 * in use.
 */
static void try_again(void)
{
	if (++qmp.tries < MAX_RETRIES) {
		loop_timer_set(&qmp.retry, RETRY_NS);
		return;
	}
	qmp.state = "failed";
	log_limited("--qmp %s: no greeting within 30 s; the device will not notice "
		    "machine resets",
		    qmp.vmem->opt.qmp);
}

static void handle_object(const struct json *root)
{
	static const char hello[] = "{\"execute\": \"qmp_capabilities\"}\r\n";
	const char *event = json_get_string(root, "event");

	if (json_get(root, "QMP")) {
		if (sock_send(qmp.watch.fd, hello, sizeof(hello) - 1))
			log_limited("--qmp: %s", strerror(errno));
	} else if (json_get(root, "return")) {
		loop_timer_stop(&qmp.retry);
		qmp.state = "connected";
	} else if (json_get(root, "error")) {
		log_limited("--qmp: QEMU refused to negotiate");
	} else if (event && !strcmp(event, "RESET")) {
		region_reset(qmp.vmem);
	}
}

static void handle_input(void)
{
	struct json_doc doc;
	enum json_frame frame;
	size_t end;

	while ((frame = json_frame(qmp.in.data, qmp.in.len, &end)) != JSON_FRAME_MORE) {
		if (frame == JSON_FRAME_OK) {
			if (!json_parse(&doc, qmp.in.data, end))
				handle_object(doc.root);
			json_free(&doc);
		}
		buf_drop(&qmp.in, end);
	}
	if (qmp.in.len > JSON_MAX_TEXT)
		disconnect("failed");
}

static void qmp_ready(struct watch *watch, short events)
{
	char bytes[4096];
	ssize_t got = recv(watch->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	bool was_connected = !strcmp(qmp.state, "connected");

	(void)events;
	if (got > 0) {
		buf_put(&qmp.in, bytes, (size_t)got);
		handle_input();
	} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		loop_timer_stop(&qmp.retry);
		disconnect(was_connected ? "closed" : "waiting");
		/*
		 * This may be the end of QEMU, which closes this connection before the
		 * frontend's.
		 */
		try_again();
	}
}

static void try_connect(struct loop_timer *timer)
{
	(void)timer;
	/* An open connection without a greeting waits for another client to end: keep it. */
	if (qmp.watch.fd < 0) {
		qmp.watch = (struct watch){sock_connect(qmp.vmem->opt.qmp), POLLIN,
					   qmp_ready, NULL};
		if (qmp.watch.fd >= 0)
			loop_add(&qmp.watch);
	}
	try_again();
}

/**
 * qmp_watch_start() - start watching QEMU's QMP, if an option asks for it
 * @vmem: the program
 *
 * Call it when QEMU has connected as the frontend: its QMP socket then exists, or will soon.
 * The retries start now.
 */
void qmp_watch_start(struct vmem *vmem)
{
	if (!vmem->opt.qmp)
		return;
	qmp.vmem = vmem;
	qmp.tries = 0;
	qmp.state = "waiting";
	qmp.retry = (struct loop_timer){0, try_connect, NULL};
	try_connect(&qmp.retry);
}

/**
 * qmp_watch_poll() - handle now what QEMU has sent
 */
void qmp_watch_poll(void)
{
	struct pollfd fd = {.fd = qmp.watch.fd, .events = POLLIN};

	while (qmp.watch.fd >= 0 && poll(&fd, 1, 0) > 0)
		qmp_ready(&qmp.watch, fd.revents);
}

/**
 * qmp_watch_stop() - end the connection with QEMU's QMP
 */
void qmp_watch_stop(void)
{
	loop_timer_stop(&qmp.retry);
	disconnect("closed");
}

/**
 * qmp_watch_state() - get the state of the watch: "not asked for", "waiting", "connected",
 * "closed" or "failed"
 */
const char *qmp_watch_state(void)
{
	return qmp.state;
}
