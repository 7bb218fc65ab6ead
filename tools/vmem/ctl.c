/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control socket: serves several QMP clients at once. This file has the sockets, the
 * framing and the envelope of messages; ctl_commands.c has the commands.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"
#include "log.h"
#include "sock.h"

#define MAX_CLIENTS 16

/* Close a client that leaves this many bytes of output unread. */
#define MAX_BACKLOG (256 << 10)

/*
 * Like QEMU, send at most one MEMORY_DEVICE_SIZE_CHANGE per second, but always one for the
 * last change.
 */
#define EVENT_INTERVAL_NS 1000000000UL

struct client {
	struct watch watch; /* fd is -1 in a free slot */
	struct buf in, out;
	bool negotiated; /* the client sent qmp_capabilities */
	bool ending;	 /* close it once @out is sent */
	bool waiting;	 /* execute the first request in @in again */
	u64 look;	 /* offset in the region that its scan has reached */
};

static struct {
	struct vmem *vmem;
	struct watch listener;
	struct client client[MAX_CLIENTS];
	struct loop_timer event_timer; /* while it runs, no event is sent */
	struct loop_timer again;       /* executes the requests of waiting clients again */
	u64 told;		       /* size in the last event */
	bool stop;		       /* a client sent quit */
} ctl = {.listener.fd = -1};

static void close_client(struct client *client)
{
	loop_del(&client->watch);
	close(client->watch.fd);
	client->watch.fd = -1;
	buf_free(&client->in);
	buf_free(&client->out);
}

/* Send what the socket takes; the rest is sent when the socket is ready for more. */
static void flush(struct client *client)
{
	ssize_t sent = 0;

	if (client->out.len)
		sent = send(client->watch.fd, client->out.data, client->out.len,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
	if ((sent < 0 && errno != EAGAIN && errno != EINTR) || client->out.failed ||
	    client->out.len > MAX_BACKLOG) {
		close_client(client);
	} else {
		if (sent > 0)
			buf_drop(&client->out, (size_t)sent);
		client->watch.events =
			(short)((client->waiting ? 0 : POLLIN) |
				(client->out.len ? POLLOUT : 0));
	}
	/* The client that sent quit has its answer by now, or has gone. */
	if (ctl.stop && !client->out.len)
		loop_stop(0);
	if (client->watch.fd >= 0 && !client->out.len && client->ending)
		close_client(client);
}

static void put_error(struct client *client, const char *class, const char *text)
{
	buf_printf(&client->out, "{\"error\": {\"class\": \"%s\", \"desc\": ", class);
	buf_json_string(&client->out, text);
	buf_printf(&client->out, "}");
}

/* End an answer with the request's id, unchanged, if the request had an id. */
static void put_id(struct client *client, const char *text, const struct json *id)
{
	if (id) {
		buf_printf(&client->out, ", \"id\": ");
		buf_put(&client->out, text + id->start, id->end - id->start);
	}
	buf_printf(&client->out, "}\r\n");
}

static void negotiate(struct client *client, const char *command, struct ctl_reply *reply)
{
	bool is_it = !strcmp(command, "qmp_capabilities");

	if (!is_it)
		ctl_fail(reply, "CommandNotFound",
			 "expecting qmp_capabilities first, before %.64s", command);
	else if (client->negotiated)
		ctl_fail(reply, "CommandNotFound",
			 "capabilities have already been negotiated");
	else
		client->negotiated = true;
}

/* Describe the fault in the envelope of a request; NULL if there is none. */
static const char *request_error(const struct json *root)
{
	const struct json *arguments = json_get(root, "arguments");

	if (root->type != JSON_OBJECT)
		return "a request must be an object";
	if (!json_get_string(root, "execute"))
		return "a request needs a member 'execute', a string";
	if (arguments && arguments->type != JSON_OBJECT)
		return "member 'arguments' must be an object";
	for (const struct json *m = root->child; m; m = m->next) {
		if (strcmp(m->key, "execute") && strcmp(m->key, "arguments") &&
		    strcmp(m->key, "id"))
			return "a request may only have the members 'execute', "
			       "'arguments' and 'id'";
	}
	return NULL;
}

/* Execute a request. Return false if it has no answer yet and must be executed again. */
static bool run_request(struct client *client, const char *text, const struct json *root)
{
	struct ctl_reply reply = {.look = &client->look};
	const char *command = json_get_string(root, "execute");
	const char *error = request_error(root);

	if (error)
		ctl_fail(&reply, "GenericError", "%s", error);
	else if (!client->negotiated || !strcmp(command, "qmp_capabilities"))
		negotiate(client, command, &reply);
	else
		ctl_execute(ctl.vmem, command, json_get(root, "arguments"), &reply);

	if (reply.again)
		return false;
	if (reply.error_class) {
		put_error(client, reply.error_class, reply.error);
	} else {
		buf_printf(&client->out, "{\"return\": ");
		if (reply.value.len)
			buf_put(&client->out, reply.value.data, reply.value.len);
		else
			buf_printf(&client->out, "{}");
	}
	put_id(client, text, json_get(root, "id"));
	client->out.failed |= reply.value.failed;
	ctl.stop |= reply.quit;
	buf_free(&reply.value);
	return true;
}

static bool handle_text(struct client *client, const char *text, size_t len)
{
	struct json_doc doc;
	bool done = true;
	char why[128];

	if (!json_parse(&doc, text, len)) {
		done = run_request(client, text, doc.root);
	} else {
		snprintf(why, sizeof(why), "not JSON: %s, at byte %zu", doc.error,
			 doc.error_at);
		put_error(client, "GenericError", why);
		put_id(client, text, NULL);
	}
	json_free(&doc);
	return done;
}

/* Handle the complete requests that were received, up to the first that must wait. */
static void handle_input(struct client *client)
{
	size_t done = 0, end;

	client->waiting = false;
	while (done < client->in.len && !client->ending) {
		const char *text = client->in.data + done;
		enum json_frame frame = json_frame(text, client->in.len - done, &end);

		if (frame == JSON_FRAME_MORE)
			break;
		if (frame == JSON_FRAME_OK) {
			client->waiting = !handle_text(client, text, end);
			if (client->waiting)
				break;
		} else {
			put_error(client, "GenericError", "not JSON: expected an object");
			put_id(client, text, NULL);
		}
		done += end;
	}
	buf_drop(&client->in, done);
	if (client->waiting)
		loop_timer_set(&ctl.again, 0);
	if (client->in.len < JSON_MAX_TEXT || client->ending || client->waiting)
		return;
	put_error(client, "GenericError", "request is longer than 65536 bytes");
	put_id(client, "", NULL);
	client->ending = true;
}

static void client_ready(struct watch *watch, short events)
{
	struct client *client = watch->owner;
	char bytes[4096];
	ssize_t got;

	if (events & (POLLIN | POLLHUP | POLLERR)) {
		got = recv(watch->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
			close_client(client);
			return;
		}
		if (got > 0 && !client->ending) {
			buf_put(&client->in, bytes, (size_t)got);
			handle_input(client);
		}
	}
	flush(client);
}

static void ask_again(struct loop_timer *timer)
{
	(void)timer;
	for (int i = 0; i < MAX_CLIENTS; i++) {
		if (ctl.client[i].watch.fd < 0 || !ctl.client[i].waiting)
			continue;
		handle_input(&ctl.client[i]);
		flush(&ctl.client[i]);
	}
}

static void listener_ready(struct watch *watch, short events)
{
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int i = 0;

	(void)events;
	if (fd < 0)
		return;
	while (i < MAX_CLIENTS && ctl.client[i].watch.fd >= 0)
		i++;
	if (i == MAX_CLIENTS) {
		log_limited("--ctl: too many clients (%d), one was refused", MAX_CLIENTS);
		close(fd);
		return;
	}
	ctl.client[i] =
		(struct client){.watch = {fd, POLLIN, client_ready, &ctl.client[i]}};
	loop_add(&ctl.client[i].watch);
	buf_printf(
		&ctl.client[i].out,
		"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 0, \"minor\": 1, "
		"\"micro\": 0}, \"package\": \"ebb-vmem\"}, \"capabilities\": []}}\r\n");
	flush(&ctl.client[i]);
}

static void put_event(struct client *client)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	buf_printf(&client->out,
		   "{\"timestamp\": {\"seconds\": %lld, \"microseconds\": %ld}, "
		   "\"event\": \"MEMORY_DEVICE_SIZE_CHANGE\", \"data\": {\"id\": \"%s\", "
		   "\"size\": %" PRIu64 ", \"qom-path\": \"/%s\"}}\r\n",
		   (long long)now.tv_sec, now.tv_nsec / 1000, ctl.vmem->opt.id,
		   ctl.vmem->dev.plugged, ctl.vmem->opt.id);
}

/**
 * ctl_size_changed() - tell the clients that blocks were plugged or unplugged
 *
 * Sends the event at once; if one was sent within the last second, then at the end of that
 * second. The requested size is always sent at once: clients wait for it.
 */
void ctl_size_changed(void)
{
	u64 size = ctl.vmem->dev.plugged;

	bool held = ctl.event_timer.at && size != ctl.vmem->dev.requested;

	if (held || size == ctl.told)
		return;
	ctl.told = size;
	for (int i = 0; i < MAX_CLIENTS; i++) {
		if (ctl.client[i].watch.fd < 0 || !ctl.client[i].negotiated)
			continue;
		put_event(&ctl.client[i]);
		flush(&ctl.client[i]);
	}
	loop_timer_set(&ctl.event_timer, EVENT_INTERVAL_NS);
}

static void event_due(struct loop_timer *timer)
{
	(void)timer;
	ctl_size_changed();
}

/**
 * ctl_listen() - open the control socket
 * @vmem: the program
 *
 * Return: 0, or -1 after one line that says why.
 */
int ctl_listen(struct vmem *vmem)
{
	ctl.vmem = vmem;
	ctl.event_timer = (struct loop_timer){0, event_due, NULL};
	ctl.again = (struct loop_timer){0, ask_again, NULL};
	for (int i = 0; i < MAX_CLIENTS; i++)
		ctl.client[i].watch.fd = -1;
	ctl.listener = (struct watch){sock_listen(vmem->opt.ctl, "--ctl"), POLLIN,
				      listener_ready, NULL};
	if (ctl.listener.fd < 0)
		return -1;
	return loop_add(&ctl.listener);
}

/**
 * ctl_close() - close the control socket and all its clients
 */
void ctl_close(void)
{
	if (ctl.listener.fd < 0)
		return;
	for (int i = 0; i < MAX_CLIENTS; i++) {
		if (ctl.client[i].watch.fd >= 0)
			close_client(&ctl.client[i]);
	}
	loop_del(&ctl.listener);
	close(ctl.listener.fd);
	ctl.listener.fd = -1;
}
